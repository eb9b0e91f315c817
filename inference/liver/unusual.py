"""Proposals by attenuation: what in the liver does not look like this patient's liver.

Stage 1 was trained to draw organs, and its lesion classes are rare: what it overlooks, no factor
brings back. So whatever is clearly darker or brighter than the liver in a phase is proposed as
well: pieces beyond a threshold, with their shape, and blobs of several sizes against what
surrounds them, which finds small lesions, faint ones, and those that touch a vessel. Most of it
are vessels; telling those from lesions is what the second stage is for, so these proposals count
only where it has been asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver.proposals import LEAST_ML, Mask

MOST_PIECES, MOST_BLOBS = 18, 18
_DEVIATIONS = 2.5
_LEAST_SD_HU = 4.0
_LARGEST_ML = 600.0
_LEAST_FILLED = 0.12
_OVERLAP = 0.3
_BLOB_SIGMAS_MM = (4.0, 6.5, 10.5, 17.0)
_BLOB_SURROUND = 1.8
_BLOB_DEVIATIONS = 3.5
_BLOB_REACH = 1.9

Box = tuple[slice, slice, slice]
_Found = tuple[float, Box, Mask]
"""How striking, where, what."""


def unusual_places(
    phases_hu: NDArray[np.floating],
    present: Sequence[bool],
    liver: Mask,
    spacing_kji_mm: Sequence[float],
    known: Mask,
) -> list[tuple[Box, Mask]]:
    """Return pieces of the liver that stand out in some phase, the most striking first.

    Parameters
    ----------
    phases_hu : ndarray of float, shape (4, nk, nj, ni)
    present : sequence of four bool
    liver : ndarray of bool, shape (nk, nj, ni)
        The liver with its lesions, as far as they are known.
    spacing_kji_mm : sequence of three floats
    known : ndarray of bool, shape (nk, nj, ni)
        What is proposed already.

    Returns
    -------
    list of (box, mask)
        At most `MOST_PIECES` pieces, then at most `MOST_BLOBS` blobs.
    """
    # what was taken for something else inside the liver belongs to it
    region = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(liver, 3), iterations=2))
    region = region[3:-3, 3:-3, 3:-3] | liver
    core = ndimage.binary_erosion(region)
    if core.sum() < 100:
        return []
    around: Box = ndimage.find_objects(region.astype(np.uint8))[0]
    region, core, known = region[around], core[around], known[around]
    weight = ndimage.gaussian_filter(region.astype(np.float32), 1.0)
    voxel_ml = float(np.prod(spacing_kji_mm)) / 1000.0
    pieces: list[_Found] = []
    blobs: list[_Found] = []
    finder = _Blobs(region, core, spacing_kji_mm)
    for hu, there in zip(phases_hu, present, strict=True):
        if not there:
            continue
        score = _score(hu[around], region, core, weight)
        for sign in (-1.0, 1.0):
            pieces += _pieces(sign * score, voxel_ml)
        blobs += finder.find(score)
    kept = _different(pieces, known, MOST_PIECES)
    taken = known.copy()
    for box, mask in kept:
        taken[box] |= mask
    kept += _different(blobs, taken, MOST_BLOBS)
    return [(_moved(box, around), mask) for box, mask in kept]


def _moved(box: Box, around: Box) -> Box:
    k, j, i = (
        slice(s.start + outer.start, s.stop + outer.start)
        for s, outer in zip(box, around, strict=True)
    )
    return k, j, i


def _score(
    hu: NDArray[np.floating], region: Mask, core: Mask, weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return by how many deviations each voxel differs from the liver, 0 at its edge."""
    # averaged inside the liver only: its edge is not dark because fat is near
    inside = np.where(region, hu, 0.0).astype(np.float32)
    smooth = ndimage.gaussian_filter(inside, 1.0) / np.maximum(weight, 1e-3)
    values = smooth[core]
    middle = float(np.median(values))
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), _LEAST_SD_HU)
    return np.where(core, (smooth - middle) / spread, 0.0).astype(np.float32)


class _Blobs:
    """Finds what differs from its surround, at several sizes.

    Parameters
    ----------
    region, core : ndarray of bool, shape (nk, nj, ni)
    spacing_kji_mm : sequence of three floats
    """

    def __init__(self, region: Mask, core: Mask, spacing_kji_mm: Sequence[float]) -> None:
        self._region, self._core = region.astype(np.float32), core
        self._spacing = np.array(spacing_kji_mm)
        self._weights: dict[float, NDArray[np.float32]] = {}

    def _averaged(self, score: NDArray[np.float32], sigma_mm: float) -> NDArray[np.float32]:
        """Return the mean inside of the liver."""
        sigma = sigma_mm / self._spacing
        if sigma_mm not in self._weights:
            weight = ndimage.gaussian_filter(self._region, sigma, truncate=2.5)
            self._weights[sigma_mm] = np.maximum(weight, 1e-3)
        mean: NDArray[np.float32] = (
            ndimage.gaussian_filter(score, sigma, truncate=2.5) / self._weights[sigma_mm]
        )
        return mean

    def find(self, score: NDArray[np.float32]) -> list[_Found]:
        """Return the blobs of a score, dark and bright."""
        found = []
        for sigma in _BLOB_SIGMAS_MM:
            centre = self._averaged(score, sigma)
            surround = self._averaged(score, _BLOB_SURROUND * sigma)
            apart = np.where(self._core, centre - surround, 0.0)
            values = apart[self._core]
            spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
            apart /= max(spread, 1e-3)
            for sign in (-1.0, 1.0):
                top = ndimage.maximum_filter(sign * apart, 5)
                peaks = np.argwhere((sign * apart == top) & (top > _BLOB_DEVIATIONS))
                for peak in peaks:
                    place = tuple(peak)
                    level = 0.5 * float(score[place] + surround[place])
                    box, mask = self._around(sign * score, sign * level, peak, sigma)
                    if mask.any():
                        found.append((float(sign * apart[place]), box, mask))
        return found

    def _around(
        self, score: NDArray[np.float32], level: float, peak: NDArray[np.intp], sigma_mm: float
    ) -> tuple[Box, Mask]:
        """Return the voxels near a peak that are beyond a level, in one piece with it."""
        reach_mm = _BLOB_REACH * sigma_mm
        low = np.maximum(np.floor(peak - reach_mm / self._spacing), 0).astype(int)
        high = np.minimum(np.ceil(peak + reach_mm / self._spacing) + 1, score.shape).astype(int)
        k, j, i = (slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        axes = [
            (np.arange(a, b) - p) * mm
            for a, b, p, mm in zip(low, high, peak, self._spacing, strict=True)
        ]
        dk, dj, di = np.ix_(*axes)
        near = dk**2 + dj**2 + di**2 <= reach_mm**2
        numbers, _ = ndimage.label((score[k, j, i] > level) & near & self._core[k, j, i])
        own = numbers[tuple(peak - low)]
        return (k, j, i), (numbers == own) if own else np.zeros(near.shape, dtype=np.bool_)


def _pieces(score: NDArray[np.floating], voxel_ml: float) -> list[_Found]:
    """Return compact pieces of a high score, with how striking they are."""
    labels, _ = ndimage.label(score > _DEVIATIONS)
    result = []
    for n, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = labels[box] == n
        if not LEAST_ML <= mask.sum() * voxel_ml <= _LARGEST_ML:
            continue
        if mask.mean() < _LEAST_FILLED:  # a tree of vessels, or a rim
            continue
        size = float(mask.sum()) ** (1.0 / 3.0)
        result.append((float(score[box][mask].mean()) * size, box, mask))
    return result


def _different(found: list[_Found], known: Mask, most: int) -> list[tuple[Box, Mask]]:
    """Return what does not lie over each other or over what is known, the most striking first."""
    taken = known.copy()
    kept: list[tuple[Box, Mask]] = []
    for _, box, mask in sorted(found, key=lambda each: -each[0]):
        if len(kept) == most:
            break
        if (mask & taken[box]).sum() <= _OVERLAP * mask.sum():
            taken[box] |= mask
            kept.append((box, mask))
    return kept
