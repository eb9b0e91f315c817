"""Heatmaps become signals along the straightened spine.

After T. Wang et al., CVPR 2021 (arXiv 2012.07947): what a network says about a level is collected
over the plane across the spine, so that a search in one dimension remains. Distances along the
line are kept, which is what makes a spacing prior possible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.vertebra.spine_line import SpineLine

_DISC_MM = 15.0
_GRID_MM = 2.5
_SMOOTH_MM = 2.0


def disc_offsets(radius_mm: float = _DISC_MM, step_mm: float = _GRID_MM) -> NDArray[np.float64]:
    """Return points ``[n, (right, back)]`` in mm that fill a disc evenly."""
    ticks = np.arange(-radius_mm, radius_mm + 0.5 * step_mm, step_mm)
    right, back = np.meshgrid(ticks, ticks, indexing="ij")
    inside = right**2 + back**2 <= radius_mm**2 + 1e-6
    return np.stack([right[inside], back[inside]], axis=1)


def sample(
    volumes: NDArray[np.float32], affine_ras: NDArray[np.float64], points_ras: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return trilinear samples of several volumes of one grid; 0 outside.

    Parameters
    ----------
    volumes : ndarray, float32, shape (channels, nk, nj, ni)
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm.
    points_ras : ndarray, shape (..., 3)

    Returns
    -------
    ndarray, float32, shape (channels, ...)
    """
    to_index = np.linalg.inv(affine_ras)
    index = points_ras @ to_index[:3, :3].T + to_index[:3, 3]
    shape = np.array(volumes.shape[1:])
    place = index[..., ::-1]
    low = np.floor(place).astype(np.int64)
    part = (place - low).astype(np.float32)
    result = np.zeros((len(volumes), *place.shape[:-1]), dtype=np.float32)
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        share = np.where(corner, part, 1.0 - part).prod(axis=-1)
        inside = ((at >= 0) & (at < shape)).all(axis=-1)
        k, j, i = np.moveaxis(np.clip(at, 0, shape - 1), -1, 0)
        result += volumes[:, k, j, i] * np.where(inside, share, 0.0).astype(np.float32)
    return result


def rectify(
    heatmaps: NDArray[np.float32],
    affine_ras: NDArray[np.float64],
    line: SpineLine,
    *,
    radius_mm: float = _DISC_MM,
    peak: bool = False,
) -> NDArray[np.float32]:
    """Return a signal per channel along a line.

    Parameters
    ----------
    heatmaps : ndarray, float32, shape (channels, nk, nj, ni)
    affine_ras : ndarray, shape (4, 4)
    line : SpineLine
    radius_mm : float
        Of the disc across the line that is looked at.
    peak : bool
        Take the largest value of the disc instead of the mean.

    Returns
    -------
    ndarray, float32, shape (channels, n)
        At the points of the line, from the head down.
    """
    offsets = disc_offsets(radius_mm)
    across = line.frames()[:, :2]
    points = line.points_ras[:, None] + np.einsum("mc,ncx->nmx", offsets, across)
    values = sample(heatmaps, affine_ras, points)
    signal = values.max(axis=2) if peak else values.mean(axis=2)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter1d(
        signal, _SMOOTH_MM, axis=1, mode="nearest"
    )
    return smooth
