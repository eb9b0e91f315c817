"""Proposals by attenuation: what in the liver does not look like this patient's liver.

Stage 1 was trained to draw organs, and its lesion classes are rare: what it overlooks, no factor
brings back. So whatever is clearly darker or brighter than the liver in a phase is proposed as
well. Most of it are vessels; telling those from lesions is what the second stage is for, so these
proposals count only where it has been asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver.proposals import LEAST_ML, Mask

MOST = 24
_DEVIATIONS = 2.5
_LEAST_SD_HU = 4.0
_LARGEST_ML = 600.0
_LEAST_FILLED = 0.12
_OVERLAP = 0.3

Box = tuple[slice, slice, slice]


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
        At most `MOST`.
    """
    # what was taken for something else inside the liver belongs to it
    region = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(liver, 3), iterations=2))
    region = region[3:-3, 3:-3, 3:-3] | liver
    core = ndimage.binary_erosion(region)
    if core.sum() < 100:
        return []
    voxel_ml = float(np.prod(spacing_kji_mm)) / 1000.0
    weight = ndimage.gaussian_filter(region.astype(np.float32), 1.0)
    found: list[tuple[float, Box, Mask]] = []
    for hu, there in zip(phases_hu, present, strict=True):
        if not there:
            continue
        # averaged inside the liver only: its edge is not dark because fat is near
        inside = np.where(region, hu, 0.0).astype(np.float32)
        smooth = ndimage.gaussian_filter(inside, 1.0) / np.maximum(weight, 1e-3)
        values = smooth[core]
        middle = float(np.median(values))
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), _LEAST_SD_HU)
        score = np.where(core, (smooth - middle) / spread, 0.0)
        for sign in (-1.0, 1.0):
            found += _pieces(sign * score, voxel_ml)
    return _different(sorted(found, key=lambda piece: -piece[0]), known)


def _pieces(score: NDArray[np.floating], voxel_ml: float) -> list[tuple[float, Box, Mask]]:
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


def _different(pieces: list[tuple[float, Box, Mask]], known: Mask) -> list[tuple[Box, Mask]]:
    """Return pieces that do not lie over each other or over what is known."""
    taken = known.copy()
    kept: list[tuple[Box, Mask]] = []
    for _, box, mask in pieces:
        if len(kept) == MOST:
            break
        if (mask & taken[box]).sum() <= _OVERLAP * mask.sum():
            taken[box] |= mask
            kept.append((box, mask))
    return kept
