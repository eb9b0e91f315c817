"""Which finding is which lesion: they share at least a tenth of the smaller of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver import classes

LEAST_ML = 0.1
"""Lesions of the truth that are smaller do not count."""

_LEAST_OVERLAP = 0.1

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueLesion:
    """A lesion of the truth, on the grid on which it was decided.

    Parameters
    ----------
    kind : int
        Class.
    mask : ndarray of bool, shape (nk, nj, ni)
    diameter_mm : float
        Of the ball of its volume.
    """

    kind: int
    mask: Mask
    diameter_mm: float


def diameter_mm(volume_ml: float) -> float:
    """Return the diameter of the ball of a volume."""
    return float(2.0 * (3000.0 * volume_ml / (4.0 * math.pi)) ** (1.0 / 3.0))


def true_lesions(truth: NDArray[np.uint8], voxel_ml: float) -> list[TrueLesion]:
    """Return the lesions of a map of classes: each piece of each type.

    Parameters
    ----------
    truth : ndarray of uint8, shape (nk, nj, ni)
    voxel_ml : float
    """
    lesions = []
    for kind in classes.LESIONS:
        numbered, n = ndimage.label(truth == kind, np.ones((3, 3, 3)))
        for m in range(1, n + 1):
            mask = numbered == m
            volume = float(mask.sum()) * voxel_ml
            if volume >= LEAST_ML:
                lesions.append(TrueLesion(kind, mask, diameter_mm(volume)))
    return lesions


def hits(region: Mask, lesions: list[TrueLesion]) -> list[tuple[int, float]]:
    """Return the numbers of the lesions that a region hits, and its Dice with each.

    Parameters
    ----------
    region : ndarray of bool, shape (nk, nj, ni)
    lesions : list of TrueLesion
    """
    found = []
    size = int(region.sum())
    for n, lesion in enumerate(lesions):
        shared, other = int((region & lesion.mask).sum()), int(lesion.mask.sum())
        if shared and shared >= _LEAST_OVERLAP * min(size, other):
            found.append((n, 2.0 * shared / (size + other)))
    return found
