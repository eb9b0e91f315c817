"""Long and short axis of a region on its axial slices, as RECIST 1.1 measures lesions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.geometry import FloatArray, Grid
from labeler.core.mask import Box
from labeler.core.raster import BoolArray

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Axes:
    """Two lines on one axial slice.

    Attributes
    ----------
    long_ras, short_ras
        Ends of the lines, RAS mm.
    """

    long_ras: tuple[Point, Point]
    short_ras: tuple[Point, Point]

    @property
    def long_mm(self) -> float:
        """Length of the long axis."""
        return math.dist(*self.long_ras)

    @property
    def short_mm(self) -> float:
        """Length of the short axis."""
        return math.dist(*self.short_ras)

    def moved(self, by_mm: npt.ArrayLike) -> Axes:
        """The same lines moved by a RAS vector."""
        x, y, z = np.asarray(by_mm, dtype=np.float64).tolist()
        ends = [(p[0] + x, p[1] + y, p[2] + z) for p in (*self.long_ras, *self.short_ras)]
        return Axes((ends[0], ends[1]), (ends[2], ends[3]))


def measure_axes(grid: Grid, box: Box, crop: BoolArray) -> Axes | None:
    """Measure a region.

    The long axis is the longest line between two voxels of one axial slice, over all slices; it
    may leave the region. The short axis is the longest line across it, on the same slice, that
    stays inside. Both end at the edges of their outermost voxels, so that the long one is as long
    as :attr:`Region.diameter_mm`.

    Parameters
    ----------
    grid
        Grid of the mask.
    box, crop
        Box of the region and which of its voxels belong to it, bool ``[k, j, i]``.

    Returns
    -------
    Axes or None
        ``None`` when there are no voxels.
    """
    spacing = np.array(grid.spacing_mm[:2])
    extents = _extents_mm(crop, spacing)
    best, k, ends = -1.0, 0, np.zeros((2, 2))
    for at in np.argsort(-extents, kind="stable").tolist():
        # Slices whose box is too small cannot have the longest line.
        if extents[at] <= best:
            break
        length, found = _longest(crop[at], spacing)
        if length > best:
            best, k, ends = length, at, found
    if best < 0:
        return None
    across = _longest_across(frozen(np.ascontiguousarray(crop[k])), ends, spacing)
    points = np.concatenate((ends, across)) / spacing + box.lo_kji[:0:-1]
    ijk = np.concatenate((points, np.full((4, 1), float(box.lo_kji[0] + k))), axis=1)
    a, b, c, d = (tuple(point) for point in grid.to_ras(ijk).tolist())
    return Axes((a, b), (c, d))


def _extents_mm(crop: BoolArray, spacing: FloatArray) -> FloatArray:
    """Diagonal of the box around the voxels' centres of each slice; -1 without voxels."""
    sizes = []
    for axis in (1, 2):  # columns, then rows
        is_used = np.asarray(crop.any(axis=axis))
        first, last = is_used.argmax(axis=1), is_used[:, ::-1].argmax(axis=1)
        sizes.append((is_used.shape[1] - 1 - last - first) * spacing[axis - 1])
    return np.where(crop.any(axis=(1, 2)), np.hypot(*sizes), -1.0)


def _longest(inside: BoolArray, spacing: FloatArray) -> tuple[float, FloatArray]:
    """Largest distance of voxel centres, and the ends ``(x, y)`` in mm of the line over them."""
    rows = np.flatnonzero(inside.any(axis=1))
    used = inside[rows]
    ends = used.argmax(axis=1), inside.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
    # Only the outermost voxels of rows can be farthest apart.
    centres = np.stack((np.concatenate(ends), np.tile(rows, 2)), axis=1).astype(np.int32)
    hull = cv2.convexHull(centres).reshape(-1, 2) * spacing
    away = np.linalg.norm(hull[:, np.newaxis] - hull, axis=2)
    a, b = np.unravel_index(np.argmax(away), away.shape)
    length = float(away[a, b])
    if length > 0:
        along = (hull[b] - hull[a]) / length
        voxel = float(np.hypot(*(along * spacing)))
    else:  # a single voxel: its longer edge
        along = np.array([1.0, 0.0]) if spacing[0] >= spacing[1] else np.array([0.0, 1.0])
        voxel = float(spacing.max())
    reach = along * voxel / 2
    return length, np.array([hull[a] - reach, hull[b] + reach])


@kernel
def _longest_across(inside: Array, ends: Array, spacing: Array) -> Array:
    """Ends ``(x, y)`` in mm of the longest line inside at right angles to the one given."""
    n_rows, n_columns = inside.shape
    ax, ay = ends[0, 0], ends[0, 1]
    length = np.hypot(ends[1, 0] - ax, ends[1, 1] - ay)
    ux, uy = (ends[1, 0] - ax) / length, (ends[1, 1] - ay) / length
    step = min(spacing[0], spacing[1]) / 8
    reach = int(length / step) + 1  # a line across is never longer than the long axis
    best, found = 0, np.zeros((2, 2))
    for line in range(int(length / (2 * step)) + 1):
        x, y = ax + ux * 2 * step * line, ay + uy * 2 * step * line
        run = 0
        for at in range(-reach, reach + 2):
            px, py = x - uy * step * at, y + ux * step * at
            column = int(np.floor(px / spacing[0] + 0.5))
            row = int(np.floor(py / spacing[1] + 0.5))
            if (
                at <= reach
                and 0 <= row < n_rows
                and 0 <= column < n_columns
                and inside[row, column]
            ):
                run += 1
            else:
                if run > best:
                    best = run
                    # Half a step beyond the first and the last point inside.
                    first, last = at - run - 0.5, at - 0.5
                    found[0, 0], found[0, 1] = x - uy * step * first, y + ux * step * first
                    found[1, 0], found[1, 1] = x - uy * step * last, y + ux * step * last
                run = 0
    return found
