"""The column straightened: an image along the spine line, and back to the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.vertebra.spine_line import SpineLine


def straight_points(
    line: SpineLine, spacing_mm: float, width: int, shift_mm: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return where each voxel of the straightened image lies.

    Parameters
    ----------
    line : SpineLine
    spacing_mm : float
        Voxel size along and across.
    width : int
        Voxels across, to the right and to the back.
    shift_mm : ndarray, shape (n, 2), optional
        Moves the centre of each plane to the right and to the back.

    Returns
    -------
    ndarray, float64, shape (n, width, width, 3)
        RAS mm of the voxels ``[along, back, right]``, from the head down.
    """
    where = np.arange(0.0, line.length_mm + 1e-6, spacing_mm)
    at = np.arange(len(line.points_ras), dtype=np.float64)
    centre = np.stack([np.interp(where, at, axis) for axis in line.points_ras.T], axis=1)
    frames = line.frames()
    right, back = (
        np.stack([np.interp(where, at, axis) for axis in frames[:, n].T], axis=1) for n in (0, 1)
    )
    if shift_mm is not None:
        centre = centre + shift_mm[:, :1] * right + shift_mm[:, 1:] * back
    across = (np.arange(width) - (width - 1) / 2.0) * spacing_mm
    points: NDArray[np.float64] = (
        centre[:, None, None, :]
        + across[None, :, None, None] * back[:, None, None, :]
        + across[None, None, :, None] * right[:, None, None, :]
    )
    return points
