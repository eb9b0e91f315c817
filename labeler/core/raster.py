"""Shapes on a slice of voxels: which voxel centres lie inside.

Coordinates are continuous ``(column, row)`` voxel indices of one plane of a grid: the centre of a
voxel is at whole numbers. :class:`GridSlice` says which axes of the array they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.mask import Box, LabelArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GridSlice:
    """One plane of voxels of a grid.

    Attributes
    ----------
    grid, plane
        Which grid, and which of its planes.
    index
        Number of the slice along the plane's normal; inside the grid.
    """

    grid: Grid
    plane: Plane
    index: int

    @staticmethod
    def near(grid: Grid, plane: Plane, points_ras: npt.ArrayLike) -> GridSlice | None:
        """The slice nearest to the mean of points ``(..., 3)``; ``None`` outside of the grid."""
        depth = np.atleast_2d(grid.to_ijk(points_ras))[:, plane.normal_axis].mean()
        index = int(np.floor(depth + 0.5))
        inside = 0 <= index < grid.shape_ijk[plane.normal_axis]
        return GridSlice(grid, plane, index) if inside else None

    def holds(self, ras: npt.ArrayLike) -> bool:
        """Whether a RAS point is nearer to this slice than to its neighbours."""
        depth = self.grid.to_ijk(ras)[self.plane.normal_axis]
        return bool(np.floor(depth + 0.5) == self.index)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        shape = self.grid.shape_ijk
        return shape[self.plane.row_axis], shape[self.plane.column_axis]

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of neighbouring columns and of neighbouring rows."""
        spacing = self.grid.spacing_mm
        return spacing[self.plane.column_axis], spacing[self.plane.row_axis]

    def of(self, array: LabelArray) -> LabelArray:
        """View the slice of an array ``[k, j, i]`` as ``[row, column]``."""
        at: list[slice | int] = [slice(None)] * 3
        at[2 - self.plane.normal_axis] = self.index
        return array[tuple(at)]

    def from_ras(self, points_ras: npt.ArrayLike) -> FloatArray:
        """``(column, row)`` of RAS points ``(..., 3)``, along the normal of the slice."""
        return self.grid.to_ijk(points_ras)[..., [self.plane.column_axis, self.plane.row_axis]]

    def to_ras(self, points: npt.ArrayLike) -> FloatArray:
        """RAS mm ``(..., 3)`` of points ``(column, row)`` on the slice."""
        points = np.asarray(points, dtype=np.float64)
        ijk = np.empty((*points.shape[:-1], 3))
        ijk[..., self.plane.column_axis] = points[..., 0]
        ijk[..., self.plane.row_axis] = points[..., 1]
        ijk[..., self.plane.normal_axis] = self.index
        return self.grid.to_ras(ijk)

    def box(self, lo: tuple[int, int], shape: tuple[int, int]) -> Box:
        """Box in the array of ``shape`` (rows, columns) from ``lo`` (row, column) on."""
        at, size = [self.index] * 3, [1] * 3
        for axis, first, length in zip(
            (2 - self.plane.row_axis, 2 - self.plane.column_axis), lo, shape, strict=True
        ):
            at[axis], size[axis] = first, length
        k, j, i = at
        return Box((k, j, i), (k + size[0], j + size[1], i + size[2]))


@dataclass(frozen=True, eq=False)
class Stamp:
    """A set of voxels of a slice: ``inside[row - lo[0], column - lo[1]]``."""

    lo: tuple[int, int]
    inside: BoolArray

    def slices_from(self, lo: tuple[int, int]) -> tuple[slice, slice]:
        """Where the stamp is in an array that begins at voxel ``lo`` (row, column)."""
        row, column = self.lo[0] - lo[0], self.lo[1] - lo[1]
        rows, columns = self.inside.shape
        return slice(row, row + rows), slice(column, column + columns)


def polygon_stamp(points: npt.ArrayLike, shape: tuple[int, int]) -> Stamp | None:
    """Voxels whose centres lie inside a closed polygon (even-odd rule).

    Polygons that share an edge share no voxel: of centres exactly on the outline those on a left
    or upper edge belong to the polygon. Costs as much as the polygon's box, not the slice.

    Parameters
    ----------
    points
        ``(n, 2)`` corners (column, row) in order; the last is joined to the first.
    shape
        Rows and columns of the slice; what lies outside is cut off.

    Returns
    -------
    Stamp or None
        ``None`` when no centre lies inside.
    """
    corners = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return None
    cut = _cut(corners.min(axis=0), corners.max(axis=0), shape)
    if cut is None:
        return None
    lo, size = cut
    inside = _fill_polygon(corners, *lo, np.zeros(size, np.bool_))
    return Stamp(lo, inside) if inside.any() else None


def capsule_stamp(
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    radius_mm: float,
    spacing_mm: tuple[float, float],
    shape: tuple[int, int],
) -> Stamp | None:
    """Voxels that a round brush covers on its way from ``start`` to ``end``.

    These are the voxels whose centres are at most ``radius_mm`` from the line, and the voxels the
    line goes through, so that the smallest brush still paints.

    Parameters
    ----------
    start, end
        ``(column, row)``; equal for a single dab.
    radius_mm
        Radius of the brush.
    spacing_mm
        Distance of neighbouring columns and rows.
    shape
        Rows and columns of the slice; what lies outside is cut off.
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    reach = radius_mm / np.array(spacing_mm)
    cut = _cut(np.minimum(a, b) - reach, np.maximum(a, b) + reach, shape)
    if cut is None:
        return None
    lo, size = cut
    inside = np.zeros(size, np.bool_)
    _sweep(inside, *lo, a[0], a[1], b[0], b[1], radius_mm, *spacing_mm)
    return Stamp(lo, inside) if inside.any() else None


def _cut(
    low: FloatArray, high: FloatArray, shape: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """First (row, column) and size of the voxels from ``low`` to ``high`` (column, row)."""
    columns = max(0, int(np.floor(low[0]))), min(shape[1], int(np.ceil(high[0])) + 1)
    rows = max(0, int(np.floor(low[1]))), min(shape[0], int(np.ceil(high[1])) + 1)
    size = rows[1] - rows[0], columns[1] - columns[0]
    return ((rows[0], columns[0]), size) if min(size) > 0 else None


@kernel
def _fill_polygon(corners: Array, row_lo: int, column_lo: int, inside: Array) -> Array:
    n = len(corners)
    n_rows, n_columns = inside.shape
    crossings = np.empty(n)
    for row in range(n_rows):
        y = row_lo + row
        found = 0
        for a in range(n):
            b = a + 1 if a + 1 < n else 0
            x0, y0, x1, y1 = corners[a, 0], corners[a, 1], corners[b, 0], corners[b, 1]
            if (y0 <= y) != (y1 <= y):
                crossings[found] = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                found += 1
        ordered = np.sort(crossings[:found])
        for pair in range(0, found - 1, 2):
            first = int(np.ceil(ordered[pair])) - column_lo
            last = int(np.ceil(ordered[pair + 1])) - column_lo
            inside[row, max(first, 0) : max(min(last, n_columns), 0)] = True
    return inside


@kernel
def _sweep(
    inside: Array, row_lo: int, column_lo: int, ax: float, ay: float, bx: float, by: float,
    radius: float, sx: float, sy: float,
) -> None:  # fmt: skip
    n_rows, n_columns = inside.shape
    dx, dy = (bx - ax) * sx, (by - ay) * sy
    length = dx * dx + dy * dy
    for row in range(n_rows):
        y = (row_lo + row - ay) * sy
        for column in range(n_columns):
            x = (column_lo + column - ax) * sx
            t = min(max((x * dx + y * dy) / length, 0.0), 1.0) if length > 0.0 else 0.0
            inside[row, column] = (x - t * dx) ** 2 + (y - t * dy) ** 2 <= radius * radius
    # The line itself, four steps a voxel.
    steps = 1 + int(4 * max(abs(bx - ax), abs(by - ay)))
    for step in range(steps + 1):
        column = int(np.floor(ax + (bx - ax) * step / steps + 0.5)) - column_lo
        row = int(np.floor(ay + (by - ay) * step / steps + 0.5)) - row_lo
        if 0 <= row < n_rows and 0 <= column < n_columns:
            inside[row, column] = True
