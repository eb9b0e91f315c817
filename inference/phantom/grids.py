"""Voxel grids that are parallel to the patient's axes.

All geometry of the phantom is in RAS millimetres. Grids are stored the way the application shows
them: i runs to the patient's Left, j to Posterior, k to Superior, so x and y fall with the index
and z rises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[slice, slice, slice]
"""Slices ``[k, j, i]`` of a grid."""

Vector = NDArray[np.float32]


def vec(x: float, y: float, z: float) -> NDArray[np.float64]:
    """Return three numbers as an array: a point or an offset in RAS mm."""
    return np.array([x, y, z], dtype=np.float64)


@dataclass(frozen=True)
class Grid:
    """A regular grid in the patient's axes.

    Parameters
    ----------
    shape_kji : tuple of int
        Number of voxels (slices, rows, columns).
    spacing_mm : tuple of float
        Voxel size along i, j and k.
    origin_ras : tuple of float
        Centre of voxel (0, 0, 0).
    """

    shape_kji: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_ras: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.shape_kji) < 1:
            raise ValueError(f"a grid needs voxels, not shape {self.shape_kji}")
        if not (np.isfinite(self.spacing_mm).all() and min(self.spacing_mm) > 0.0):
            raise ValueError(f"the voxel size must be positive, not {self.spacing_mm} mm")

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """4x4 matrix that maps ``(i, j, k, 1)`` to RAS mm."""
        affine = np.diag([*self._signed_spacing, 1.0])
        affine[:3, 3] = self.origin_ras
        return affine

    @property
    def whole(self) -> Box:
        """The box that holds all voxels."""
        k, j, i = self.shape_kji
        return slice(0, k), slice(0, j), slice(0, i)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def _signed_spacing(self) -> NDArray[np.float64]:
        return np.asarray(self.spacing_mm) * (-1.0, -1.0, 1.0)

    def axes(self, box: Box | None = None) -> tuple[Vector, Vector, Vector]:
        """Return the coordinates (z, y, x) of the planes, rows and columns of a box."""
        result = []
        for axis, n in enumerate(self.shape_kji):
            index = np.arange(n) if box is None else np.arange(n)[box[axis]]
            step = self._signed_spacing[2 - axis]
            result.append((self.origin_ras[2 - axis] + step * index).astype(np.float32))
        return result[0], result[1], result[2]

    def to_kji(self, points_ras: ArrayLike) -> NDArray[np.float64]:
        """Return fractional indices ``[..., (k, j, i)]`` of points ``[..., (x, y, z)]``."""
        offset = np.asarray(points_ras, dtype=np.float64) - self.origin_ras
        return (offset / self._signed_spacing)[..., ::-1]

    def to_ras(self, points_kji: ArrayLike) -> NDArray[np.float64]:
        """Return RAS points ``[..., (x, y, z)]`` of indices ``[..., (k, j, i)]``."""
        index = np.asarray(points_kji, dtype=np.float64)[..., ::-1]
        return index * self._signed_spacing + self.origin_ras

    def box_around(self, points_ras: ArrayLike, margin_mm: ArrayLike) -> Box:
        """Return the part of the grid within a margin of points (empty if there is none).

        Parameters
        ----------
        points_ras : array_like, shape (n, 3)
        margin_mm : float or array_like of shape (n, 1) or (n, 3)
            Margin around each point.
        """
        points = np.atleast_2d(np.asarray(points_ras, dtype=np.float64))
        margin = np.asarray(margin_mm, dtype=np.float64)
        corners = self.to_kji(np.concatenate([points - margin, points + margin]))
        low = np.clip(np.ceil(corners.min(axis=0)), 0, self.shape_kji).astype(int)
        high = np.clip(np.floor(corners.max(axis=0)) + 1, low, self.shape_kji).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])

    def crop(self, box: Box) -> Grid:
        """Return the grid of a box."""
        start = [s.start for s in box]
        shape = tuple(s.stop - s.start for s in box)
        origin = tuple(float(v) for v in self.to_ras(start))
        return Grid(shape, self.spacing_mm, origin)  # type: ignore[arg-type]

    def coarse(self, step_mm: float) -> Grid:
        """Return a coarser grid that covers this one, with voxels of at least `step_mm`."""
        spacing = [max(step_mm, s) for s in self.spacing_mm]
        shape = [
            int(np.ceil((n - 1) * s / c - 1e-6)) + 1
            for n, s, c in zip(self.shape_kji[::-1], self.spacing_mm, spacing, strict=True)
        ]
        return Grid(
            (shape[2], shape[1], shape[0]),
            (spacing[0], spacing[1], spacing[2]),
            self.origin_ras,
        )
