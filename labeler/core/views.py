"""From screen to patient and back: what a view shows of a grid.

Screen points are continuous pixels of the view: pixel ``(0, 0)`` covers ``0 <= x, y < 1`` and its
centre is ``(0.5, 0.5)``; x runs right, y down. A view shows one slice of voxels of its own phase;
in-plane coordinates are voxel axes times spacing, so an oblique volume is shown as it was
scanned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.mask import Box


@dataclass(frozen=True, eq=False)
class ViewTransform:
    """Placement of one slice of a grid in a view.

    Attributes
    ----------
    grid
        Grid of the phase shown (moved by the case's shift, if any).
    plane
        Which of the grid's planes.
    slice_index
        Number of the slice along the plane's normal; may lie outside of the grid
        (:attr:`has_slice`).
    center_ras
        Point shown in the middle of the view; its distance from the slice does not matter.
    mm_per_px
        Zoom, the same along both screen axes.
    size_px
        Width and height of the view.
    """

    grid: Grid
    plane: Plane
    slice_index: int
    center_ras: FloatArray
    mm_per_px: float
    size_px: tuple[int, int]

    @staticmethod
    def through(
        ras: npt.ArrayLike,
        *,
        grid: Grid,
        plane: Plane,
        center_ras: npt.ArrayLike,
        mm_per_px: float,
        size_px: tuple[int, int],
    ) -> ViewTransform:
        """Show the slice nearest to the point ``ras`` (the crosshair)."""
        center = np.asarray(center_ras, dtype=np.float64)
        return ViewTransform(grid, plane, slice_at(grid, plane, ras), center, mm_per_px, size_px)

    @property
    def n_slices(self) -> int:
        """Number of slices of the grid along the plane's normal."""
        return self.grid.shape_ijk[self.plane.normal_axis]

    @property
    def has_slice(self) -> bool:
        """Whether the slice exists; a view at a point outside of its phase shows nothing."""
        return 0 <= self.slice_index < self.n_slices

    @cached_property
    def to_ijk(self) -> FloatArray:
        """``(3, 3)``; maps the screen point ``(x, y, 1)`` to ijk of the view's own grid."""
        matrix = np.zeros((3, 3))
        center = self.grid.to_ijk(self.center_ras)
        width, height = self.size_px
        column, row, normal = self.plane.column_axis, self.plane.row_axis, self.plane.normal_axis
        matrix[column, 0] = self.mm_per_px / self.grid.spacing_mm[column]
        matrix[row, 1] = self.plane.row_sign * self.mm_per_px / self.grid.spacing_mm[row]
        matrix[column, 2] = center[column] - matrix[column, 0] * width / 2
        matrix[row, 2] = center[row] - matrix[row, 1] * height / 2
        matrix[normal, 2] = self.slice_index
        return matrix

    def to_ijk_of(self, grid: Grid) -> FloatArray:
        """``(3, 3)``; maps the screen point ``(x, y, 1)`` to ijk of another grid."""
        if grid is self.grid or grid.matches(self.grid):
            return self.to_ijk
        between = grid.inverse @ self.grid.affine
        matrix = between[:3, :3] @ self.to_ijk
        matrix[:, 2] += between[:3, 3]
        return np.asarray(matrix)

    def screen_to_ras(self, x: float, y: float) -> FloatArray:
        """RAS mm of a screen point, on the slice shown."""
        return self.grid.to_ras(self.to_ijk @ (x, y, 1.0))

    def ras_to_screen(self, ras: npt.ArrayLike) -> FloatArray:
        """Screen points ``(..., 2)`` of RAS points ``(..., 3)``, along the normal of the slice."""
        ijk = self.grid.to_ijk(ras)
        column, row = self.plane.column_axis, self.plane.row_axis
        x = (ijk[..., column] - self.to_ijk[column, 2]) / self.to_ijk[column, 0]
        y = (ijk[..., row] - self.to_ijk[row, 2]) / self.to_ijk[row, 1]
        return np.stack((x, y), axis=-1)

    def shows(self, box: Box, grid: Grid) -> bool:
        """Whether the slice cuts a box of voxels of another grid (what a repaint depends on)."""
        lo, hi = box.lo_kji[::-1], box.hi_kji[::-1]
        ends = [(a - 0.5, b - 0.5) for a, b in zip(lo, hi, strict=True)]
        corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
        depth = self.grid.to_ijk(grid.to_ras(corners))[:, self.plane.normal_axis]
        return bool(depth.min() <= self.slice_index <= depth.max())


def slice_at(grid: Grid, plane: Plane, ras: npt.ArrayLike) -> int:
    """Number of the slice nearest to a RAS point; may lie outside of the grid."""
    return int(np.floor(grid.to_ijk(ras)[plane.normal_axis] + 0.5))


def moved_by_slices(grid: Grid, plane: Plane, ras: npt.ArrayLike, steps: int) -> FloatArray:
    """Move a point ``steps`` slices on and to the middle of that slice (mouse wheel).

    Stays within the grid: beyond the last slice the point is left on the last one.
    """
    ijk = grid.to_ijk(ras)
    axis = plane.normal_axis
    index = slice_at(grid, plane, ras) + steps
    ijk[axis] = min(max(index, 0), grid.shape_ijk[axis] - 1)
    return grid.to_ras(ijk)


def draw_the_same(first: ViewTransform | None, second: ViewTransform | None) -> bool:
    """Whether two placements draw equal pixels."""
    if first is None or second is None:
        return first is second
    return (
        first.grid is second.grid
        and first.center_ras is second.center_ras
        and (first.plane, first.slice_index, first.mm_per_px, first.size_px)
        == (second.plane, second.slice_index, second.mm_per_px, second.size_px)
    )
