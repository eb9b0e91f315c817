"""Voxel values under runs: sums that are kept per run, so that a stroke costs only its own rows.

A phase on another grid than the mask's is sampled at the nearest voxel; what lies outside the
phase is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.geometry import FloatArray, Grid
from labeler.core.runs import IntArray, Runs


class VoxelSource(Protocol):
    """Voxels with a place: what :class:`~labeler.core.volume.Volume` is, shifted or not."""

    @property
    def array(self) -> npt.NDArray[Any]:
        """``[k, j, i]``, C-contiguous; int16 or float32."""
        ...

    @property
    def grid(self) -> Grid:
        """Shape and placement."""
        ...


@dataclass(frozen=True, eq=False)
class PlacedVolume:
    """A phase's voxels on a grid of one's own choice (its grid with the case's shift)."""

    array: npt.NDArray[Any]
    grid: Grid


class HuStatistics(NamedTuple):
    """Mean and standard deviation (of the population, ``ddof = 0``) of voxel values in HU."""

    mean: float
    sd: float


@dataclass(frozen=True, eq=False)
class RunSums:
    """Count, sum and sum of squares of a phase's values under each run.

    The sums of integers are exact up to 2**53, so adding runs in any order gives one result.

    Attributes
    ----------
    count
        int32 ``(n,)``; voxels of the run inside the phase.
    total, square
        float64 ``(n,)``.
    """

    count: IntArray
    total: FloatArray
    square: FloatArray

    @staticmethod
    def of(runs: Runs, which: npt.NDArray[np.integer], grid: Grid, phase: VoxelSource) -> RunSums:
        """Sum under the runs numbered ``which`` of a mask on ``grid``."""
        values = frozen(phase.array)
        zero: Any = 0.0 if values.dtype.kind == "f" else 0
        row, start, stop = runs.row[which], runs.start[which], runs.stop[which]
        if phase.grid.matches(grid):
            total, square = _sum_under(
                values.reshape(-1), row, start, stop, grid.shape_ijk[0], zero
            )
            return RunSums(stop - start, total, square)
        to_phase = phase.grid.inverse @ grid.affine
        count, total, square = _sum_across(
            values, row, start, stop, grid.shape_ijk[1], to_phase, zero
        )
        return RunSums(count, total, square)

    def spliced(self, lo: int, hi: int, source: IntArray, fresh: RunSums) -> RunSums:
        """Follow :meth:`Runs.spliced`; ``hi`` counts old runs, ``fresh`` has the new runs' sums."""
        new = source < 0

        def column(old: Array, added: Array) -> Array:
            middle = np.empty(len(source), old.dtype)
            middle[~new] = old[source[~new]]
            middle[new] = added
            return np.concatenate((old[:lo], middle, old[hi:]))

        return RunSums(
            column(self.count, fresh.count),
            column(self.total, fresh.total),
            column(self.square, fresh.square),
        )

    def statistics(
        self, runs: IntArray, ptr: npt.NDArray[np.integer], which: npt.NDArray[np.integer]
    ) -> list[HuStatistics | None]:
        """Mean and SD of each group ``which`` of runs ``runs[ptr[g]:ptr[g + 1]]``.

        ``None`` for a group without a voxel inside the phase.
        """
        table = _sum_groups(self.count, self.total, self.square, runs, ptr, which)
        return [HuStatistics(mean, sd) if count else None for count, mean, sd in table.tolist()]


@kernel
def _sum_of(values: Array, zero: Any) -> tuple[Any, Any]:
    """Sum and sum of squares in the type of ``zero``: exact for integers."""
    total, square = zero, zero
    for value in values:
        wide = zero + value
        total += wide
        square += wide * wide
    return total, square


@kernel
def _sum_under(
    flat: Array, row: Array, start: Array, stop: Array, width: int, zero: Any
) -> tuple[Array, Array]:
    n = len(row)
    total, square = np.empty(n), np.empty(n)
    for run in range(n):
        first = np.int64(row[run]) * width
        total[run], square[run] = _sum_of(flat[first + start[run] : first + stop[run]], zero)
    return total, square


@kernel
def _nearest(x: float) -> Any:
    return np.int64(np.floor(x + 0.5))


@kernel
def _sum_line(
    volume: Array,
    point: tuple[float, float, float],
    step: tuple[float, float, float],
    n: int,
    zero: Any,
) -> tuple[int, Any, Any]:
    """Count and sums at ``n`` points from ``point`` on (both ijk of the volume)."""
    n_k, n_j, n_i = volume.shape
    x, y, z = point
    dx, dy, dz = step
    j, k = _nearest(y), _nearest(z)
    stays = j == _nearest(y + dy * (n - 1)) and k == _nearest(z + dz * (n - 1))
    if stays and not (0 <= j < n_j and 0 <= k < n_k):
        return 0, zero, zero
    if stays and abs(dx - 1.0) < 1e-9:
        # The usual case, only the offset differs: a contiguous stretch of one row.
        lo = _nearest(x)
        hi = min(lo + n, n_i)
        lo = max(lo, 0)
        if lo >= hi:
            return 0, zero, zero
        total, square = _sum_of(volume[k, j, lo:hi], zero)
        return hi - lo, total, square
    count, total, square = 0, zero, zero
    for t in range(n):
        i, j, k = _nearest(x + t * dx), _nearest(y + t * dy), _nearest(z + t * dz)
        if 0 <= i < n_i and 0 <= j < n_j and 0 <= k < n_k:
            wide = zero + volume[k, j, i]
            count += 1
            total += wide
            square += wide * wide
    return count, total, square


@kernel
def _sum_across(
    volume: Array, row: Array, start: Array, stop: Array, n_j: int, matrix: Array, zero: Any
) -> tuple[Array, Array, Array]:
    n = len(row)
    count = np.empty(n, np.int32)
    total, square = np.empty(n), np.empty(n)
    step = (matrix[0, 0], matrix[1, 0], matrix[2, 0])
    for run in range(n):
        i, j, k = start[run], row[run] % n_j, row[run] // n_j
        point = (
            matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3],
            matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3],
            matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3],
        )
        count[run], total[run], square[run] = _sum_line(
            volume, point, step, stop[run] - start[run], zero
        )
    return count, total, square


@kernel
def _sum_groups(
    count: Array, total: Array, square: Array, runs: Array, ptr: Array, which: Array
) -> Array:
    """Rows of (count, mean, SD)."""
    table = np.zeros((len(which), 3))
    for n in range(len(which)):
        voxels, s, q = 0, 0.0, 0.0
        for run in runs[ptr[which[n]] : ptr[which[n] + 1]]:
            voxels += count[run]
            s += total[run]
            q += square[run]
        table[n, 0] = voxels
        if voxels > 0:
            mean = s / voxels
            table[n, 1] = mean
            table[n, 2] = np.sqrt(max(0.0, q / voxels - mean * mean))
    return table
