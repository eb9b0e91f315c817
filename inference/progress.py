"""Progress that never runs backwards, shared out over the parts of a computation."""

from __future__ import annotations

import time
from collections.abc import Callable

from inference.contract import Context

_FIRST_ESTIMATE_S = 1.0  # what is measured over less says little
_FIRST_FRACTION = 0.02


class Span:
    """The part of a caller's progress that one step of a computation fills: a :class:`Context`.

    Parameters
    ----------
    context : Context
        The caller.
    start, end : float
        Fractions of the caller's progress, 0 to 1. Give each step the share of the time it takes,
        measured: the time left that is shown follows from it.
    """

    def __init__(self, context: Context, start: float, end: float) -> None:
        self._context = context
        self._start = start
        self._length = end - start

    def report(self, fraction: float, text: str) -> None:
        self._context.report(self._start + min(max(fraction, 0.0), 1.0) * self._length, text)

    def check(self) -> None:
        self._context.check()


class TimeLeft:
    """Estimates the time left from the progress made.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()

    def update(self, fraction: float) -> float | None:
        """Return the seconds left when `fraction` (0 to 1) is done; None when it is too early."""
        elapsed_s = self._clock() - self._began_s
        if fraction < _FIRST_FRACTION or elapsed_s < _FIRST_ESTIMATE_S:
            return None
        return elapsed_s * (1.0 - min(fraction, 1.0)) / fraction


class Silent:
    """A :class:`Context` nobody listens to, which never cancels."""

    def report(self, fraction: float, text: str) -> None: ...

    def check(self) -> None: ...
