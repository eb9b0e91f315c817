"""What speaks for each landmark along a line through the patient: how a chain of them was found."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_POINTS, MOST_LANDMARKS, MOST_CENTRES = 2048, 64, 512
"""A table of signals has no more, so that it stays small beside its mask."""

Places = tuple[tuple[int, int], ...]
"""Landmarks by label, and the index of the point of the line where each is."""


@dataclass(frozen=True, eq=False)
class Signals:
    """Signals along a line, what was chosen by them, and what came next.

    Parameters
    ----------
    labels : tuple of int
        Numbers of the landmarks, one for each row of `values`.
    line_ras : ndarray, float32, shape (m, 3)
        Points of the line in RAS mm, from the head down; at most :data:`MOST_POINTS`.
    values : ndarray, uint8, shape (len(labels), m)
        What speaks for each landmark at each point, 0 to 255.
    chosen : tuple of pairs of int
        Label and point of the landmarks of the result.
    runner_up : tuple of pairs of int
        The same of the next best chain; empty when there is none.
    runner_up_share : float
        Its score as a share of that of the chosen one, 0 to 1; 0 when there is none.
    centres_ras : ndarray, float32, shape (c, 3)
        Maxima in RAS mm of what speaks for a landmark, whichever it is; at most
        :data:`MOST_CENTRES`.
    centre_values : ndarray, uint8, shape (c,)
        How high each of them is, 0 to 255.

    Raises
    ------
    ValueError
        Shapes or types that do not fit, points that are not finite, too many of them, or places
        beyond the line.
    """

    labels: tuple[int, ...]
    line_ras: NDArray[np.float32]
    values: NDArray[np.uint8]
    chosen: Places
    runner_up: Places = ()
    runner_up_share: float = 0.0
    centres_ras: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    centre_values: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __post_init__(self) -> None:
        n, m = len(self.labels), len(self.line_ras)
        if not 0 < m <= MOST_POINTS or not 0 < n <= MOST_LANDMARKS:
            raise ValueError(f"signals of {n} landmarks at {m} points are none or too many")
        if self.line_ras.dtype != np.float32 or self.line_ras.shape != (m, 3):
            raise ValueError("the line of signals must be float32 of shape (m, 3)")
        if self.values.dtype != np.uint8 or self.values.shape != (n, m):
            raise ValueError(f"the signals must be uint8 of shape ({n}, {m})")
        if not np.isfinite(self.line_ras).all():
            raise ValueError("the line of signals has points that are not finite")
        if not all(label in self.labels and 0 <= at < m for label, at in self.places):
            raise ValueError("the signals name a landmark or a point that is not there")
        if not 0.0 <= self.runner_up_share <= 1.0:
            raise ValueError("the share of the runner-up must be between 0 and 1")
        c = len(self.centres_ras)
        if c > MOST_CENTRES or self.centres_ras.shape != (c, 3):
            raise ValueError(f"centres of shape {self.centres_ras.shape} are none or too many")
        if self.centre_values.dtype != np.uint8 or self.centre_values.shape != (c,):
            raise ValueError("each centre must have one uint8 value")
        if self.centres_ras.dtype != np.float32 or not np.isfinite(self.centres_ras).all():
            raise ValueError("the centres must be finite and float32")

    @property
    def places(self) -> Places:
        """Those of both chains."""
        return (*self.chosen, *self.runner_up)


def described_signals(signals: Signals) -> dict[str, Any]:
    """Return what JSON can hold of signals; some ten kilobytes."""
    return {
        "labels": list(signals.labels),
        "line_ras": base64.b64encode(signals.line_ras.tobytes()).decode(),
        "values": base64.b64encode(signals.values.tobytes()).decode(),
        "chosen": [list(place) for place in signals.chosen],
        "runner_up": [list(place) for place in signals.runner_up],
        "runner_up_share": signals.runner_up_share,
        "centres_ras": base64.b64encode(signals.centres_ras.tobytes()).decode(),
        "centre_values": base64.b64encode(signals.centre_values.tobytes()).decode(),
    }


def read_signals(described: Mapping[str, Any]) -> Signals:
    """Return the signals of :func:`described_signals`.

    Raises
    ------
    ValueError, TypeError, KeyError
        Whatever is wrong: the other side may have sent anything.
    """
    labels = tuple(int(label) for label in described["labels"])
    line = np.frombuffer(base64.b64decode(described["line_ras"], validate=True), "<f4")
    values = np.frombuffer(base64.b64decode(described["values"], validate=True), np.uint8)
    centres = np.frombuffer(base64.b64decode(described["centres_ras"], validate=True), "<f4")
    heights = np.frombuffer(base64.b64decode(described["centre_values"], validate=True), np.uint8)
    return Signals(
        labels=labels,
        line_ras=line.astype(np.float32).reshape(-1, 3),
        values=values.reshape(len(labels), -1),
        chosen=_places(described["chosen"]),
        runner_up=_places(described["runner_up"]),
        runner_up_share=float(described["runner_up_share"]),
        centres_ras=centres.astype(np.float32).reshape(-1, 3),
        centre_values=heights,
    )


def _places(described: Any) -> Places:
    return tuple((int(label), int(at)) for label, at in described)
