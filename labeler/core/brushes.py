"""Brushes: which voxels a stroke covers from one point to the next.

A brush is told every piece of the stroke in turn. It belongs to one stroke: a flat brush stays on
the slice it began on, and a smart brush keeps to the values it began on.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.geometry import Grid, Plane
from labeler.core.mask import Box
from labeler.core.raster import BoolArray, GridSlice, capsule_stamp
from labeler.core.resampling import in_range, values_in
from labeler.core.statistics import VoxelSource

#: Size of the place, around the first point of a stroke, that tells a smart brush what to look for.
SAMPLE_MM = 2.0

#: Least deviation from the sample's mean that a smart brush accepts: noise of a single voxel.
MIN_TOLERANCE_HU = 5.0


class Brush(Protocol):
    """What sweeps over a grid."""

    def sweep(
        self, start_ras: npt.ArrayLike, end_ras: npt.ArrayLike
    ) -> tuple[Box, BoolArray] | None:
        """Voxels covered on the way from one RAS point to the next.

        The first piece of a stroke has two equal points. ``None`` when nothing of the grid is
        covered.
        """
        ...


class DiscBrush:
    """A round brush on one slice, the one nearest to the first point.

    Parameters
    ----------
    grid, plane
        Grid and its plane that is painted on.
    radius_mm
        Radius.
    """

    def __init__(self, grid: Grid, plane: Plane, radius_mm: float) -> None:
        self._grid = grid
        self._plane = plane
        self._radius_mm = radius_mm
        self._slice: GridSlice | None = None

    def sweep(
        self, start_ras: npt.ArrayLike, end_ras: npt.ArrayLike
    ) -> tuple[Box, BoolArray] | None:
        if self._slice is None:
            self._slice = GridSlice.near(self._grid, self._plane, end_ras)
        at = self._slice
        if at is None:
            return None
        ends = at.from_ras(start_ras), at.from_ras(end_ras)
        stamp = capsule_stamp(*ends, self._radius_mm, at.spacing_mm, at.shape)
        if stamp is None:
            return None
        rows, columns = stamp.inside.shape
        box = at.box(stamp.lo, (rows, columns))
        return box, stamp.inside.reshape(box.shape_kji)


class BallBrush:
    """A ball: paints on all slices it reaches.

    Parameters
    ----------
    grid
        Grid that is painted on.
    radius_mm
        Radius.
    """

    def __init__(self, grid: Grid, radius_mm: float) -> None:
        self._grid = grid
        self._radius_mm = radius_mm

    def sweep(
        self, start_ras: npt.ArrayLike, end_ras: npt.ArrayLike
    ) -> tuple[Box, BoolArray] | None:
        start, end = self._grid.to_ijk(start_ras), self._grid.to_ijk(end_ras)
        spacing = np.array(self._grid.spacing_mm)
        reach = self._radius_mm / spacing
        lo = np.floor(np.minimum(start, end) - reach).astype(int)
        hi = np.ceil(np.maximum(start, end) + reach).astype(int) + 1
        box = Box(_kji(lo), _kji(hi)).clipped(self._grid.shape_kji)
        if box.is_empty:
            return None
        inside = np.zeros(box.shape_kji, np.bool_)
        corner = np.array(box.lo_kji[::-1])
        _sweep_ball(inside, start - corner, end - corner, self._radius_mm, spacing)
        return (box, inside) if inside.any() else None


class SmartBrush:
    """A brush that leaves out what does not look like the place its stroke began on.

    Values are averaged over 3 x 3 voxels of a slice before they are compared, so that noise makes
    no holes. At an edge the mean is of both sides: there a voxel next to what looks alike counts
    with its own value. Of all that, only the part is painted that hangs together with the line
    the brush's centre has taken.

    Parameters
    ----------
    brush
        The brush as it is without being smart.
    grid
        Grid that is painted on.
    values
        Phase that is looked at, placed as the grid sees it.
    tolerance_hu
        Accepted deviation from the mean of the first place; by default twice the standard
        deviation there.
    """

    def __init__(
        self, brush: Brush, grid: Grid, values: VoxelSource, tolerance_hu: float | None = None
    ) -> None:
        self._brush = brush
        self._grid = grid
        self._values = values
        self._tolerance_hu = tolerance_hu
        self._range_hu: tuple[float, float] | None = None

    def sweep(
        self, start_ras: npt.ArrayLike, end_ras: npt.ArrayLike
    ) -> tuple[Box, BoolArray] | None:
        if self._range_hu is None:
            self._range_hu = similar_range_hu(
                self._values, self._grid, start_ras, self._tolerance_hu
            )
        covered = self._brush.sweep(start_ras, end_ras)
        if covered is None or self._range_hu is None:
            return None
        box, inside = covered
        alike = inside & self._is_alike(box, *self._range_hu)
        found = _touching(alike, self._seeds(box, start_ras, end_ras))
        return (box, found) if found.any() else None

    def _is_alike(self, box: Box, low_hu: float, high_hu: float) -> BoolArray:
        from scipy import ndimage  # slow to import: not when the program starts

        mean = in_range(_smoothed(self._values, self._grid, box), low_hu, high_hu)
        beside = ndimage.maximum_filter(mean.view(np.uint8), (1, 3, 3), mode="constant") > 0
        own = in_range(values_in(self._values, self._grid, box), low_hu, high_hu)
        return np.asarray(mean | (beside & own))

    def _seeds(self, box: Box, start_ras: npt.ArrayLike, end_ras: npt.ArrayLike) -> BoolArray:
        """Voxels the centre of the brush goes through, in the box."""
        seeds = np.zeros(box.shape_kji, np.bool_)
        steps = self._grid.to_ijk(end_ras) - self._grid.to_ijk(start_ras)
        count = 2 * int(np.ceil(np.abs(steps).max())) + 1
        points = self._grid.to_ijk(start_ras) + np.linspace(0, 1, count)[:, np.newaxis] * steps
        at = np.floor(points + 0.5).astype(int)[:, ::-1] - box.lo_kji
        # A flat brush may have begun half a voxel beside the slice that is painted.
        at = np.clip(at, 0, np.array(box.shape_kji) - 1)
        seeds[tuple(at.T)] = True
        return seeds


def similar_range_hu(
    values: VoxelSource, grid: Grid, ras: npt.ArrayLike, tolerance_hu: float | None = None
) -> tuple[float, float] | None:
    """Range of values like those around a point.

    Parameters
    ----------
    values
        Phase that is looked at, placed as the grid sees it.
    grid
        Grid whose voxels are sampled.
    ras
        RAS point in mm; the ball of ``SAMPLE_MM`` around it is the sample.
    tolerance_hu
        Half width of the range; by default twice the standard deviation of the sample.

    Returns
    -------
    tuple of float or None
        Lowest and highest value; ``None`` outside of the phase.
    """
    covered = BallBrush(grid, SAMPLE_MM).sweep(ras, ras)
    if covered is None:
        return None
    box, inside = covered
    sample = values_in(values, grid, box)[inside].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return None
    deviation = 2.0 * float(sample.std()) if tolerance_hu is None else tolerance_hu
    deviation = max(deviation, MIN_TOLERANCE_HU)
    return float(sample.mean()) - deviation, float(sample.mean()) + deviation


def _smoothed(values: VoxelSource, grid: Grid, box: Box) -> npt.NDArray[np.float32]:
    """Values in a box, each the mean of the 3 x 3 voxels around it on its axial slice."""
    from scipy import ndimage  # slow to import: not when the program starts

    (k0, j0, i0), (k1, j1, i1) = box.lo_kji, box.hi_kji
    room = Box((k0, j0 - 1, i0 - 1), (k1, j1 + 1, i1 + 1)).clipped(grid.shape_kji)
    mean = ndimage.uniform_filter(
        values_in(values, grid, room).astype(np.float32), (1, 3, 3), mode="nearest"
    )
    j, i = j0 - room.lo_kji[1], i0 - room.lo_kji[2]
    return np.asarray(mean[:, j : j + j1 - j0, i : i + i1 - i0])


def _touching(inside: BoolArray, seeds: BoolArray) -> BoolArray:
    """Parts, connected by faces, that hold a seed."""
    from scipy import ndimage  # slow to import: not when the program starts

    parts, _ = ndimage.label(inside)
    wanted = np.unique(parts[seeds])
    return np.asarray(np.isin(parts, wanted[wanted > 0]))


def _kji(ijk: npt.NDArray[np.int_]) -> tuple[int, int, int]:
    i, j, k = ijk.tolist()
    return k, j, i


@kernel
def _sweep_ball(inside: Array, a: Array, b: Array, radius: float, spacing: Array) -> None:
    """Set the voxels at most ``radius`` mm from a line, and those the line goes through.

    ``a``, ``b`` and ``spacing`` are in the order i, j, k.
    """
    n_k, n_j, n_i = inside.shape
    dx, dy, dz = (b[0] - a[0]) * spacing[0], (b[1] - a[1]) * spacing[1], (b[2] - a[2]) * spacing[2]
    length = dx * dx + dy * dy + dz * dz
    for k in range(n_k):
        z = (k - a[2]) * spacing[2]
        for j in range(n_j):
            y = (j - a[1]) * spacing[1]
            for i in range(n_i):
                x = (i - a[0]) * spacing[0]
                dot = x * dx + y * dy + z * dz
                t = min(max(dot / length, 0.0), 1.0) if length > 0.0 else 0.0
                off = (x - t * dx) ** 2 + (y - t * dy) ** 2 + (z - t * dz) ** 2
                inside[k, j, i] = off <= radius * radius
    # The line itself, four steps a voxel, so that the smallest brush still paints.
    steps = 1 + int(4 * max(abs(b[0] - a[0]), abs(b[1] - a[1]), abs(b[2] - a[2])))
    for step in range(steps + 1):
        i = int(np.floor(a[0] + (b[0] - a[0]) * step / steps + 0.5))
        j = int(np.floor(a[1] + (b[1] - a[1]) * step / steps + 0.5))
        k = int(np.floor(a[2] + (b[2] - a[2]) * step / steps + 0.5))
        if 0 <= i < n_i and 0 <= j < n_j and 0 <= k < n_k:
            inside[k, j, i] = True
