"""How well vertebrae are drawn, each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.metrics import dice, surface_distances


@dataclass(frozen=True)
class MaskScore:
    """A vertebra of the truth, and what was drawn of it.

    Parameters
    ----------
    level : str
    named : float
        Dice of what has its name; 0 where nothing has.
    matched : float
        Dice of what covers most of it, whatever its name; 0 where nothing does.
    surface_mm : float
        Mean symmetric distance of the surfaces of that; NaN where nothing covers it.
    """

    level: str
    named: float
    matched: float
    surface_mm: float


def score_masks(
    truth: NDArray[np.uint8],
    found: NDArray[np.uint8],
    spacing_kji_mm: Sequence[float],
    names: Mapping[int, str],
) -> tuple[MaskScore, ...]:
    """Return the score of each vertebra of the truth that has a name.

    Parameters
    ----------
    truth, found : ndarray of uint8, shape (nk, nj, ni)
    spacing_kji_mm : sequence of three floats
    names : mapping of int to str
        Level by number, of those that count.
    """
    true_boxes, found_boxes = ndimage.find_objects(truth), ndimage.find_objects(found)
    scores = []
    for number, box in enumerate(true_boxes, start=1):
        if box is None or number not in names:
            continue
        covering = np.bincount(found[box][truth[box] == number], minlength=256)
        covering[0] = 0
        best = int(covering.argmax()) if covering.any() else 0
        matched, surface_mm = 0.0, float("nan")
        if best:
            both = _joined(box, found_boxes[best - 1])
            own, drawn = truth[both] == number, found[both] == best
            matched = dice(own, drawn)
            surface_mm = float(surface_distances(own, drawn, spacing_kji_mm).mean())
        named = matched if best == number else _dice(truth, found, number, box, found_boxes)
        scores.append(MaskScore(names[number], named, matched, surface_mm))
    return tuple(scores)


def _dice(
    truth: NDArray[np.uint8],
    found: NDArray[np.uint8],
    number: int,
    box: tuple[slice, ...],
    found_boxes: Sequence[tuple[slice, ...] | None],
) -> float:
    """Return the Dice of what has the name of a vertebra."""
    other = found_boxes[number - 1] if number <= len(found_boxes) else None
    if other is None:
        return 0.0
    both = _joined(box, other)
    return dice(truth[both] == number, found[both] == number)


def _joined(one: tuple[slice, ...], other: tuple[slice, ...] | None) -> tuple[slice, ...]:
    """Return the box that holds two, with a voxel around them for their surfaces."""
    pairs = zip(one, other or one, strict=True)
    return tuple(
        slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1) for a, b in pairs
    )
