"""What a model saw along the spine: a signal for each level, the chain it chose, the runner-up."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray
from labeler.core.vertebrae import NAMES, place

MOST_POINTS = 2048
"""A line has no more points."""

PEAK, PEAKS_APART = 0.15, 6
"""Lowest signal of a peak, and how many points peaks lie apart at least."""

CLOSE_SHARE = 0.9
"""From this share of the best score on the runner-up is worth a look."""

_FULL = 255.0


@dataclass(frozen=True)
class Seen:
    """A level at a point of the line."""

    level: str
    point: int


@dataclass(frozen=True, eq=False)
class SpineSignals:
    """Signals along a line from the head down.

    Attributes
    ----------
    levels
        One for each row of the values.
    line_ras
        ``(m, 3)`` float64 RAS mm.
    values
        ``(len(levels), m)`` uint8: what speaks for a level at a point, 0 to 255.
    chosen, runner_up
        The levels of the result, and of the next best numbering; the latter may be empty.
    runner_up_share
        Its score as a share of the chosen one's, 0 to 1.
    centres_ras
        ``(c, 3)`` float64 RAS mm: where the model sees a body, whichever it is.
    likely
        ``(c,)`` float64: how surely, 0 to 1.

    Raises
    ------
    ValueError
        Shapes that do not fit, points that are not finite, or levels and points that are not
        there.
    """

    levels: tuple[str, ...]
    line_ras: FloatArray
    values: npt.NDArray[np.uint8]
    chosen: tuple[Seen, ...]
    runner_up: tuple[Seen, ...] = ()
    runner_up_share: float = 0.0
    centres_ras: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    likely: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n, m = len(self.levels), len(self.line_ras)
        if not n or not 0 < m <= MOST_POINTS or self.line_ras.shape != (m, 3):
            raise ValueError(f"a line of shape {self.line_ras.shape} for {n} levels")
        if self.values.shape != (n, m) or self.values.dtype != np.uint8:
            raise ValueError(f"signals of shape {self.values.shape} for {n} levels at {m} points")
        if not np.isfinite(self.line_ras).all():
            raise ValueError("a line with points that are not finite")
        c = len(self.likely)
        if self.centres_ras.shape != (c, 3) or not np.isfinite(self.centres_ras).all():
            raise ValueError(f"centres of shape {self.centres_ras.shape} with {c} heights")
        for seen in (*self.chosen, *self.runner_up):
            if seen.level not in self.levels or not 0 <= seen.point < m:
                raise ValueError(f"{seen.level} at point {seen.point} is not on the line")

    @cached_property
    def strongest(self) -> FloatArray:
        """The largest of all signals at each point ``(m,)``, 0 to 1."""
        return np.asarray(self.values.max(axis=0) / _FULL)

    def of(self, level: str) -> FloatArray:
        """The signal of a level at each point ``(m,)``, 0 to 1."""
        return np.asarray(self.values[self.levels.index(level)] / _FULL)

    def at(self, seen: Seen) -> float:
        """The signal of a level where it was seen."""
        return float(self.values[self.levels.index(seen.level), seen.point] / _FULL)

    def best_at(self, point: int, count: int = 3) -> list[tuple[str, float]]:
        """The levels that fit best at a point, with their signals, best first."""
        column = self.values[:, point]
        order = np.argsort(-column.astype(np.int16), kind="stable")[:count]
        return [(self.levels[n], float(column[n] / _FULL)) for n in order if column[n]]

    def other_name(self, seen: Seen) -> str:
        """The name that the runner-up has for a chosen level; "" where it has the same or none."""
        near = [o for o in self.runner_up if abs(o.point - seen.point) <= PEAKS_APART]
        other = min(near, key=lambda o: abs(o.point - seen.point), default=seen)
        return "" if other.level == seen.level else other.level

    @property
    def is_close(self) -> bool:
        """Whether the next best numbering is worth a look."""
        return self.runner_up_share >= CLOSE_SHARE

    @cached_property
    def peaks(self) -> tuple[int, ...]:
        """Points where some level fits better than anywhere near, from the head down."""
        from scipy.signal import find_peaks  # not before it is needed

        padded = np.concatenate([[0.0], self.strongest, [0.0]])
        found, _ = find_peaks(padded, height=PEAK, distance=PEAKS_APART)
        return tuple(int(n) - 1 for n in found)

    def to_value(self) -> dict[str, Any]:
        """Return what JSON can hold; some ten kilobytes."""
        return {
            "levels": list(self.levels),
            "line_ras": _packed(self.line_ras.astype("<f4")),
            "values": _packed(self.values),
            "chosen": [[seen.level, seen.point] for seen in self.chosen],
            "runner_up": [[seen.level, seen.point] for seen in self.runner_up],
            "runner_up_share": self.runner_up_share,
            "centres_ras": _packed(self.centres_ras.astype("<f4")),
            "likely": _packed(self.likely.astype("<f4")),
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> SpineSignals:
        """Return the signals of :meth:`to_value`; ValueError, KeyError or TypeError otherwise."""
        levels = tuple(str(level) for level in value["levels"])
        for level in levels:
            place(level)
        line = np.frombuffer(base64.b64decode(value["line_ras"], validate=True), "<f4")
        values = np.frombuffer(base64.b64decode(value["values"], validate=True), np.uint8)
        centres = np.frombuffer(base64.b64decode(value["centres_ras"], validate=True), "<f4")
        likely = np.frombuffer(base64.b64decode(value["likely"], validate=True), "<f4")
        return cls(
            levels,
            line.astype(np.float64).reshape(-1, 3),
            values.reshape(len(levels), -1),
            _read(value["chosen"]),
            _read(value["runner_up"]),
            float(value["runner_up_share"]),
            centres.astype(np.float64).reshape(-1, 3),
            likely.astype(np.float64),
        )


def signals_by_number(
    labels: Sequence[int],
    line_ras: npt.ArrayLike,
    values: npt.NDArray[np.uint8],
    chosen: Sequence[tuple[int, int]],
    runner_up: Sequence[tuple[int, int]],
    runner_up_share: float,
    centres_ras: npt.ArrayLike = (),
    centre_values: npt.NDArray[np.uint8] | None = None,
) -> SpineSignals:
    """Return signals whose levels are given by VerSe numbers.

    Raises
    ------
    ValueError
        As :class:`SpineSignals`.
    KeyError
        A number that is no level.
    """
    return SpineSignals(
        tuple(NAMES[label] for label in labels),
        np.asarray(line_ras, dtype=np.float64),
        values,
        tuple(Seen(NAMES[label], point) for label, point in chosen),
        tuple(Seen(NAMES[label], point) for label, point in runner_up),
        runner_up_share,
        np.asarray(centres_ras, dtype=np.float64).reshape(-1, 3),
        np.zeros(0) if centre_values is None else centre_values / _FULL,
    )


def _packed(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _read(value: Any) -> tuple[Seen, ...]:
    return tuple(Seen(str(level), int(point)) for level, point in value)
