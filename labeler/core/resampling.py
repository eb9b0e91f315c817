"""Voxels of one grid at the places of another: each takes the value of the nearest voxel.

Only the part that is asked for, or that the other grid can reach, is ever made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.geometry import FloatArray, Grid
from labeler.core.mask import Box
from labeler.core.statistics import VoxelSource


def resampled(
    crop: npt.NDArray[Any], box: Box, grid: Grid, target: Grid, within: Box | None = None
) -> tuple[Box, npt.NDArray[Any]]:
    """Sample a crop of one grid on another.

    Parameters
    ----------
    crop
        ``box.shape_kji``, bool or labels; 0 beyond it.
    box, grid
        Where the crop lies.
    target
        Grid that is wanted.
    within
        Box of the target that is wanted; by default the part the crop can reach.

    Returns
    -------
    Box, ndarray
        Box in the target (empty when the crop lies outside of it) and its voxels, of the dtype
        of the crop. The crop itself when the grids are the same and no box is asked for.
    """
    if within is None and grid.matches(target):
        return box, crop
    reached = within or reach(box, grid, target)
    out = np.zeros(reached.shape_kji, crop.dtype)
    return reached, out if reached.is_empty else _sample(crop, box, grid, target, reached, out)


def values_in(source: VoxelSource, grid: Grid, box: Box) -> npt.NDArray[Any]:
    """Values of a phase at the voxels of a box of another grid.

    Returns
    -------
    ndarray
        ``box.shape_kji``. A view of the phase when the grids are the same, else float32 with NaN
        outside of the phase.
    """
    if source.grid.matches(grid):
        return source.array[box.slices]
    out = np.full(box.shape_kji, np.nan, np.float32)
    return _sample(source.array, Box.whole(source.grid.shape_kji), source.grid, grid, box, out)


def in_range(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.bool_]:
    """Which values lie within ``low <= value <= high``; NaN does not."""
    if values.dtype.kind in "iu":
        # Whole numbers are compared as such: no copy in floating point.
        info = np.iinfo(values.dtype)
        low = int(np.ceil(np.clip(low, info.min, info.max + 1)))
        high = int(np.floor(np.clip(high, info.min - 1, info.max)))
    return np.asarray((values >= low) & (values <= high))


def reach(box: Box, grid: Grid, target: Grid) -> Box:
    """Smallest box of ``target`` that holds the voxels whose centres lie in a box of ``grid``."""
    ends = [(lo - 0.5, hi - 0.5) for lo, hi in zip(box.lo_kji[::-1], box.hi_kji[::-1], strict=True)]
    corners: FloatArray = np.array(np.meshgrid(*ends)).reshape(3, -1).T
    ijk: FloatArray = target.to_ijk(grid.to_ras(corners))
    lo_i, lo_j, lo_k = np.floor(ijk.min(axis=0)).astype(int).tolist()
    hi_i, hi_j, hi_k = (np.ceil(ijk.max(axis=0)).astype(int) + 1).tolist()
    return Box((lo_k, lo_j, lo_i), (hi_k, hi_j, hi_i)).clipped(target.shape_kji)


def _sample(
    crop: Array, box: Box, grid: Grid, target: Grid, reached: Box, out: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    matrix = grid.inverse @ target.affine
    # Both origins moved to the corners of the boxes.
    matrix[:3, 3] += matrix[:3, :3] @ np.array(reached.lo_kji[::-1]) - np.array(box.lo_kji[::-1])
    sampled: npt.NDArray[Any] = _nearest(frozen(np.ascontiguousarray(crop)), matrix, out)
    return sampled


@kernel
def _nearest(crop: Array, matrix: Array, out: Array) -> Array:
    """Sample ``crop`` at the voxels of ``out``; ``matrix`` maps ijk of ``out`` to ijk of it.

    What lies outside of the crop stays as it is.
    """
    n_k, n_j, n_i = crop.shape
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            x = matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3] + 0.5
            y = matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3] + 0.5
            z = matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3] + 0.5
            for i in range(out.shape[2]):
                a = int(np.floor(x + matrix[0, 0] * i))
                b = int(np.floor(y + matrix[1, 0] * i))
                c = int(np.floor(z + matrix[2, 0] * i))
                if 0 <= a < n_i and 0 <= b < n_j and 0 <= c < n_k:
                    out[k, j, i] = crop[c, b, a]
    return out
