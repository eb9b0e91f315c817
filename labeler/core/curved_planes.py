"""Curved planes along the spine: each row lies at one height, where the spine is there.

A sagittal plane goes through the spine however it bends to the sides, a coronal one however it
bends forwards. Heights and distances within a row stay as they are in the patient, so that a
point of the picture is a point of the patient and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray, Grid, Plane

#: Points of the line that are nearer in height than this become one.
MIN_STEP_MM = 2.0

#: How far beyond its ends the line goes on as it ended, and how steep at most (mm per mm).
REACH_MM, MAX_SLOPE = 60.0, 0.7

#: What lies outside of the volume.
OUTSIDE_HU = -1024

_ROWS_AT_ONCE = 128


@dataclass(frozen=True, eq=False)
class SpineCurve:
    """The line of the spine as a function of height.

    Attributes
    ----------
    heights_mm
        Ascending RAS z of its points, at least one.
    sides_mm
        ``(n, 2)``: RAS x and y at these heights.
    """

    heights_mm: FloatArray
    sides_mm: FloatArray

    @staticmethod
    def through(points_ras: npt.ArrayLike) -> SpineCurve:
        """Make the line through points ``(n, 3)`` in any order, RAS mm.

        Raises
        ------
        ValueError
            Without a point.
        """
        points = np.asarray(points_ras, dtype=np.float64).reshape(-1, 3)
        if not len(points):
            raise ValueError("a line needs a point")
        points = points[np.argsort(points[:, 2], kind="stable")]
        is_far = np.diff(points[:, 2]) >= MIN_STEP_MM
        if is_far.all():
            return SpineCurve(points[:, 2], points[:, :2])
        groups = np.cumsum([False, *is_far])
        means = np.array([points[groups == n].mean(axis=0) for n in range(groups[-1] + 1)])
        return SpineCurve(means[:, 2], means[:, :2])

    def at(self, heights_mm: npt.ArrayLike) -> FloatArray:
        """RAS x and y ``(..., 2)`` at heights ``(...)``; beyond the ends the line goes on a way."""
        z = np.asarray(heights_mm, dtype=np.float64)
        if len(self.heights_mm) == 1:
            return np.broadcast_to(self.sides_mm[0], (*z.shape, 2)).copy()
        spline = self._spline
        low, high = self.heights_mm[0], self.heights_mm[-1]
        inside = np.clip(z, low, high)
        beyond = np.clip(z - inside, -REACH_MM, REACH_MM)[..., np.newaxis]
        slope = np.clip(spline(inside, 1), -MAX_SLOPE, MAX_SLOPE)
        return np.asarray(spline(inside) + beyond * slope)

    @cached_property
    def _spline(self) -> Callable[..., Any]:
        from scipy.interpolate import CubicSpline  # not before it is needed

        return CubicSpline(self.heights_mm, self.sides_mm, bc_type="natural")  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class CurvedPlane:
    """Where the pixels of a picture along the spine lie.

    Pixel ``(row, column)`` has its centre at ``(row, column)``. Rows run towards the feet; columns
    to Posterior in a sagittal plane, to the patient's left in a coronal one.

    Attributes
    ----------
    plane
        Sagittal or coronal.
    curve
        The line of the spine.
    top_mm
        RAS z of the first row.
    left_mm
        RAS y (sagittal) or x (coronal) of the first column.
    mm_per_px
        Size of a pixel.
    shape
        Rows and columns.
    """

    plane: Plane
    curve: SpineCurve
    top_mm: float
    left_mm: float
    mm_per_px: float
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.plane is Plane.AXIAL:
            raise ValueError("a plane along the spine is sagittal or coronal")

    @property
    def axis(self) -> int:
        """RAS axis that falls from column to column."""
        return 1 if self.plane is Plane.SAGITTAL else 0

    def to_ras(self, rows: npt.ArrayLike, columns: npt.ArrayLike) -> FloatArray:
        """RAS mm ``(..., 3)`` of pixels."""
        rows, columns = np.broadcast_arrays(
            np.asarray(rows, dtype=np.float64), np.asarray(columns, dtype=np.float64)
        )
        z = self.top_mm - rows * self.mm_per_px
        x, y = np.moveaxis(self.curve.at(z), -1, 0)
        along = self.left_mm - columns * self.mm_per_px
        return np.stack((x, along, z) if self.axis == 1 else (along, y, z), axis=-1)

    def to_pixels(self, ras: npt.ArrayLike) -> FloatArray:
        """Rows and columns ``(..., 2)`` of RAS points ``(..., 3)``, seen across the plane."""
        ras = np.asarray(ras, dtype=np.float64)
        rows = (self.top_mm - ras[..., 2]) / self.mm_per_px
        columns = (self.left_mm - ras[..., self.axis]) / self.mm_per_px
        return np.stack((rows, columns), axis=-1)

    def moved(self, ras: npt.ArrayLike, rows: float, columns: float) -> FloatArray:
        """Move a RAS point by pixels; off the plane it stays as far off as it was."""
        start = np.asarray(ras, dtype=np.float64)
        row, column = self.to_pixels(start)
        off = start - self.to_ras(row, column)
        return np.asarray(self.to_ras(row + rows, column + columns) + off)


def plane_along(
    plane: Plane, curve: SpineCurve, grid: Grid, *, beside_mm: float, mm_per_px: float
) -> CurvedPlane:
    """Return the plane from the top to the bottom of a volume, so far to both sides of the line.

    Parameters
    ----------
    beside_mm
        How much is shown at each side of the line, where it is outermost.
    mm_per_px
        Size of a pixel.
    """
    low, high = bounds_ras(grid)
    heights = np.arange(high[2], low[2], -mm_per_px)
    draft = CurvedPlane(plane, curve, float(high[2]), 0.0, mm_per_px, (len(heights), 1))
    line = curve.at(heights)[:, draft.axis]
    left = min(float(line.max()) + beside_mm, float(high[draft.axis]))
    right = max(float(line.min()) - beside_mm, float(low[draft.axis]))
    columns = max(1, round((left - right) / mm_per_px))
    return replace(draft, left_mm=left, shape=(max(1, len(heights)), columns))


def sample(
    values_kji: npt.NDArray[Any],
    grid: Grid,
    plane: CurvedPlane,
    check: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.int16]:
    """Return the voxels on a curved plane, interpolated linearly.

    Parameters
    ----------
    values_kji
        ``[k, j, i]`` HU.
    grid
        Where the volume stands.
    check
        Called now and then; may raise to end the work.

    Returns
    -------
    ndarray of int16
        ``[row, column]``; :data:`OUTSIDE_HU` outside of the volume.
    """
    from scipy.ndimage import map_coordinates

    image = np.empty(plane.shape, np.int16)
    columns = np.arange(plane.shape[1])
    for first in range(0, plane.shape[0], _ROWS_AT_ONCE):
        check()
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, plane.shape[0]))
        ijk = grid.to_ijk(plane.to_ras(rows[:, np.newaxis], columns))
        kji = np.moveaxis(ijk[..., ::-1], -1, 0)
        image[rows] = map_coordinates(values_kji, kji, np.int16, 1, cval=OUTSIDE_HU)
    return image


def projection(
    values_kji: npt.NDArray[Any], grid: Grid, plane: CurvedPlane, depth_mm: float
) -> npt.NDArray[np.int16]:
    """Return the brightest voxel behind each pixel of a straight plane: bone, before it is found.

    Parameters
    ----------
    plane
        Its line is the middle of the slab.
    depth_mm
        Thickness of the slab.

    Returns
    -------
    ndarray of int16
        ``[row, column]``; :data:`OUTSIDE_HU` outside of the volume.
    """
    from scipy.ndimage import map_coordinates

    across = plane.plane.normal_axis  # 0 = i, 1 = j
    middle = grid.to_ijk(plane.to_ras(plane.shape[0] / 2, plane.shape[1] / 2))[across]
    half = depth_mm / 2 / grid.spacing_mm[across]
    count = grid.shape_ijk[across]
    first = int(np.clip(middle - half, 0, count - 1))
    last = int(np.clip(middle + half, first, count - 1))
    slab = [slice(None)] * 3
    slab[2 - across] = slice(first, last + 1)
    brightest = values_kji[tuple(slab)].max(axis=2 - across)
    rows, columns = np.indices(plane.shape)
    ijk = grid.to_ijk(plane.to_ras(rows, columns))
    others = [axis for axis in (2, 1, 0) if axis != across]
    return np.asarray(
        map_coordinates(brightest, [ijk[..., a] for a in others], np.int16, 1, cval=OUTSIDE_HU)
    )


def bounds_ras(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Return lowest and highest RAS ``(3,)`` of the voxel centres, mm."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape_ijk])).reshape(3, -1).T
    ras = grid.to_ras(corners)
    return ras.min(axis=0), ras.max(axis=0)
