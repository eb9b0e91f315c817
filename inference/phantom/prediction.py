"""An imperfect copy of a reference mask, with the mistakes a model makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.fields import ellipsoid
from inference.phantom.grids import Box, Grid
from inference.phantom.labels import (
    CYST,
    HCC,
    HEMANGIOMA,
    LESION_LABELS,
    LIVER,
    METASTASIS,
    ORGAN_LABELS,
)
from inference.phantom.noise import smooth_noise

_RAGGED = 0.20
"""SD of the noise added to a blurred organ (0 to 1) before it is cut at one half again."""

_CONFUSED_WITH = {HCC: METASTASIS, METASTASIS: HCC, HEMANGIOMA: METASTASIS, CYST: METASTASIS}

FATES = ("missed", "mislabelled", "displaced", "smaller", "larger", "good")


@dataclass(frozen=True)
class LesionVoxels:
    """A lesion in the reference: its label and voxels ``[n, (k, j, i)]``."""

    label: int
    voxels_kji: NDArray[np.intp]


def fates(n: int, rng: np.random.Generator) -> list[str]:
    """Return what happens to each of `n` lesions; of two or more at least one is not good."""
    drawn = [str(f) for f in rng.choice(FATES, size=n, p=[0.16, 0.14, 0.14, 0.18, 0.14, 0.24])]
    if n >= 2 and all(f in ("good", "smaller", "larger") for f in drawn):
        drawn[int(rng.integers(n))] = "missed"
    return drawn


def predict(
    reference: NDArray[np.uint8],
    grid: Grid,
    lesions: list[LesionVoxels],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return an imperfect copy of a reference mask.

    Parameters
    ----------
    reference : ndarray of uint8, shape (nk, nj, ni)
        Organs and lesions.
    grid : Grid
        Its grid.
    lesions : list of LesionVoxels
        The lesions one by one.
    rng : Generator

    Returns
    -------
    ndarray of uint8, same shape
        Organs with ragged borders; lesions missed, of another type, displaced, smaller or
        larger; and up to two that are not there. Vessels are left out: models seldom give them.
    """
    plain = np.where(np.isin(reference, LESION_LABELS), LIVER, reference)
    result = np.zeros_like(reference)
    for label in ORGAN_LABELS:
        _ragged(plain == label, label, result, rng)
    for lesion, fate in zip(lesions, fates(len(lesions), rng), strict=True):
        _predict_lesion(lesion, fate, grid, result, rng)
    _invent(grid, reference, result, rng)
    return result


def _bounds(mask: NDArray[np.bool_], margin: int) -> Box | None:
    """Return the box of the true voxels with a margin, None if there are none."""
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(found[0]):
        return None
    k, j, i = (
        slice(max(int(f[0]) - margin, 0), min(int(f[-1]) + margin + 1, n))
        for f, n in zip(found, mask.shape, strict=True)
    )
    return k, j, i


def _ragged(
    mask: NDArray[np.bool_], label: int, result: NDArray[np.uint8], rng: np.random.Generator
) -> None:
    """Write a mask with an uneven border into `result`."""
    box = _bounds(mask, 3)
    if box is None:
        return
    soft = ndimage.gaussian_filter(mask[box].astype(np.float32), 1.4)
    # noise in voxels, whatever their size
    noise = smooth_noise(rng, Grid(soft.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), 7.0)
    # only the border is uncertain: no specks far outside, no holes deep inside
    border = (soft > 0.1) & (soft < 0.9)
    result[box][np.where(border, soft + np.float32(_RAGGED) * noise, soft) > 0.5] = label


def _predict_lesion(
    lesion: LesionVoxels,
    fate: str,
    grid: Grid,
    result: NDArray[np.uint8],
    rng: np.random.Generator,
) -> None:
    """Write one lesion into `result` as its fate has it."""
    if fate == "missed":
        return
    label = _CONFUSED_WITH.get(lesion.label, HCC) if fate == "mislabelled" else lesion.label
    voxels = lesion.voxels_kji
    if fate == "displaced":
        way = rng.normal(0.0, 1.0, 3)
        shift_mm = rng.uniform(3.0, 7.0) * way / np.linalg.norm(way)
        moved = voxels + np.rint(shift_mm / np.asarray(grid.spacing_mm)[::-1]).astype(int)
        voxels = moved[((moved >= 0) & (moved < result.shape)).all(axis=1)]
    mask = np.zeros(result.shape, dtype=bool)
    mask[tuple(voxels.T)] = True
    box = _bounds(mask, 4)
    if box is None:
        return
    soft = ndimage.gaussian_filter(mask[box].astype(np.float32), (0.6, 1.2, 1.2))
    noise = smooth_noise(rng, Grid(soft.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), 5.0)
    level = {"smaller": 0.68, "larger": 0.30}.get(fate, 0.46)
    level = min(level, 0.8 * float(soft.max()))
    result[box][soft + np.float32(0.08) * noise > level] = label


def _invent(
    grid: Grid,
    reference: NDArray[np.uint8],
    result: NDArray[np.uint8],
    rng: np.random.Generator,
) -> None:
    """Write one or two small lesions into the liver that the reference does not have."""
    liver = ndimage.binary_erosion(reference == LIVER, iterations=3)
    inside = np.argwhere(liver)
    for _ in range(int(rng.integers(1, 3)) if len(inside) else 0):
        centre = grid.to_ras(inside[rng.integers(len(inside))])
        radii = rng.uniform(3.5, 7.0) * rng.uniform(0.8, 1.2, 3)
        shape = ellipsoid(grid, centre, np.maximum(radii, np.asarray(grid.spacing_mm)))
        label = int(rng.choice((HCC, METASTASIS, CYST)))
        free = (shape.values < 0.0) & (reference[shape.box] == LIVER)
        result[shape.box][free] = label
