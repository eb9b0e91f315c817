"""How good masks and findings are: overlap, lesions found, and intervals for both.

Only numpy and scipy, so that the window may use it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STRUCTURE = np.ones((3, 3, 3), bool)  # lesions that touch at a corner are one


@dataclass(frozen=True)
class Interval:
    """An estimate and where the truth lies with 95 % confidence.

    Parameters
    ----------
    value, low, high : float
        NaN when there was nothing to measure.
    count : int
        Of what it rests on: cases or lesions.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f}, n={self.count})"


@dataclass(frozen=True)
class Lesion:
    """A lesion of one mask, matched with those of another.

    Parameters
    ----------
    id : int
        Number of the component, from 1.
    volume_ml : float
    diameter_mm : float
        Of the ball of its volume.
    matches : tuple of int
        Components of the other mask that it counts as the same lesion with.
    overlap : float
        Part of the lesion that is in the other mask.
    """

    id: int
    volume_ml: float
    diameter_mm: float
    matches: tuple[int, ...]
    overlap: float

    @property
    def found(self) -> bool:
        """Whether the other mask has it."""
        return bool(self.matches)


@dataclass(frozen=True)
class Matching:
    """Lesions of a reference and of a prediction.

    Parameters
    ----------
    reference, predicted : tuple of Lesion
        Of the predicted ones, those without matches are false positives.
    """

    reference: tuple[Lesion, ...]
    predicted: tuple[Lesion, ...]

    def false_negatives(self, least_mm: float = 0.0) -> int:
        """Return how many lesions of at least this diameter were missed."""
        return sum(not each.found for each in self.reference if each.diameter_mm >= least_mm)

    def false_positives(self, least_mm: float = 0.0) -> int:
        """Return how many findings of at least this diameter are none."""
        return sum(not each.found for each in self.predicted if each.diameter_mm >= least_mm)


def dice(reference: NDArray[Any], prediction: NDArray[Any]) -> float:
    """Return the Dice coefficient of two masks; NaN when both are empty.

    Parameters
    ----------
    reference, prediction : ndarray of the same shape
        Everything but 0 is inside.
    """
    a, b = np.asarray(reference, bool), np.asarray(prediction, bool)
    if a.shape != b.shape:
        raise ValueError(f"masks of different shapes: {a.shape} and {b.shape}")
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return math.nan if total == 0 else 2.0 * int(np.count_nonzero(a & b)) / total


def surface_distances(
    reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: Sequence[float]
) -> NDArray[np.float64]:
    """Return the distance in mm of each surface voxel of either mask to the other's surface.

    The 95th percentile is the Hausdorff distance commonly reported, the mean the average
    symmetric surface distance. Empty when a mask is.
    """
    from scipy import ndimage

    masks = np.asarray(reference, bool), np.asarray(prediction, bool)
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in masks]
    if not all(surface.any() for surface in surfaces):
        return np.empty(0)
    apart = [
        ndimage.distance_transform_edt(~to, sampling=spacing_kji_mm)[of]
        for of, to in (surfaces, surfaces[::-1])
    ]
    return np.concatenate(apart)


def match_lesions(
    reference: NDArray[Any],
    prediction: NDArray[Any],
    voxel_ml: float,
    *,
    least_overlap: float = 0.1,
    least_ml: float = 0.0,
) -> Matching:
    """Match the components of two masks.

    A component of either mask and one of the other are the same lesion when they share at least
    `least_overlap` of the smaller of them; several findings may share a lesion and the other way
    round, so a lesion predicted in two pieces is found, and neither piece is a false positive.

    Parameters
    ----------
    reference, prediction : ndarray, shape (nk, nj, ni)
        Everything but 0 is lesion; components are 26-connected.
    voxel_ml : float
        Volume of a voxel.
    least_overlap : float
        Part of the smaller component, above 0 and at most 1.
    least_ml : float
        Smaller components are not looked at, in either mask.
    """
    first, sizes_a = _components(reference, round(least_ml / voxel_ml))
    second, sizes_b = _components(prediction, round(least_ml / voxel_ml))
    if first.shape != second.shape:
        raise ValueError(f"masks of different shapes: {first.shape} and {second.shape}")
    both = (first > 0) & (second > 0)
    pairs, shared = np.unique(np.stack([first[both], second[both]]), axis=1, return_counts=True)
    matched = [
        (int(a), int(b))
        for (a, b), n in zip(pairs.T, shared, strict=True)
        if n >= least_overlap * min(sizes_a[a], sizes_b[b])
    ]
    inside_a = np.bincount(pairs[0], shared, len(sizes_a)) if pairs.size else np.zeros_like(sizes_a)
    inside_b = np.bincount(pairs[1], shared, len(sizes_b)) if pairs.size else np.zeros_like(sizes_b)
    return Matching(
        _lesions(sizes_a, inside_a, voxel_ml, matched),
        _lesions(sizes_b, inside_b, voxel_ml, [(b, a) for a, b in matched]),
    )


def _components(mask: NDArray[Any], least: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return numbered components, and their sizes by number (0: background, or too small)."""
    from scipy import ndimage

    found, count = ndimage.label(np.asarray(mask) != 0, _STRUCTURE)
    sizes = np.bincount(found.ravel(), minlength=count + 1)
    keep = sizes >= max(least, 1)
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[found], np.concatenate([[0], sizes[keep]])


def _lesions(
    sizes: NDArray[np.int64],
    inside: NDArray[Any],
    voxel_ml: float,
    matched: Sequence[tuple[int, int]],
) -> tuple[Lesion, ...]:
    lesions = []
    for id in range(1, len(sizes)):
        volume_ml = float(sizes[id]) * voxel_ml
        diameter_mm = 2 * (3000 * volume_ml / (4 * math.pi)) ** (1 / 3)
        matches = tuple(b for a, b in matched if a == id)
        lesions.append(Lesion(id, volume_ml, diameter_mm, matches, float(inside[id] / sizes[id])))
    return tuple(lesions)


def wilson(successes: int, trials: int, z: float = 1.959964) -> Interval:
    """Return a proportion with its Wilson interval: for sensitivities and accuracies.

    Parameters
    ----------
    successes, trials : int
    z : float
        Standard normal quantile; 95 % two-sided by default.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    if trials == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    p = successes / trials
    scale = 1 + z * z / trials
    middle = (p + z * z / (2 * trials)) / scale
    half = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials)) / scale
    # at the ends rounding would leave a hair
    low = 0.0 if successes == 0 else middle - half
    return Interval(p, low, 1.0 if successes == trials else middle + half, trials)


def bootstrap(
    values: Sequence[float],
    statistic: Callable[[NDArray[np.float64]], float] = lambda sample: float(np.mean(sample)),
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a statistic with its percentile interval over resampled cases.

    Parameters
    ----------
    values : sequence of float
        One a case; NaN ones are left out.
    statistic : callable
        Of an array of values; the mean by default.
    resamples, seed : int
        The same seed gives the same interval.
    """
    known = np.asarray([value for value in values if not math.isnan(value)], dtype=np.float64)
    if known.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = [statistic(known[rng.integers(0, known.size, known.size)]) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return Interval(float(statistic(known)), low, high, int(known.size))


def froc(
    scores: Sequence[float], hits: Sequence[int | None], lesions: int, cases: int
) -> list[tuple[float, float, float]]:
    """Return how sensitivity grows with false positives as findings of lower score are let in.

    Parameters
    ----------
    scores : sequence of float
        Of all findings in all cases.
    hits : sequence of int or None
        The lesion each finding hits, numbered over all cases; None for a false positive.
    lesions, cases : int
        How many there are.

    Returns
    -------
    list of (threshold, false positives per case, sensitivity)
        From the highest score down; findings of the same score come together.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    points: list[tuple[float, float, float]] = []
    found: set[int] = set()
    wrong = 0
    for n, at in enumerate(order):
        hit = hits[at]
        if hit is None:
            wrong += 1
        else:
            found.add(hit)
        last_of_score = n + 1 == len(order) or scores[order[n + 1]] != scores[at]
        if last_of_score:
            points.append((float(scores[at]), wrong / cases, len(found) / max(lesions, 1)))
    return points
