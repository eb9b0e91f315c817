"""Size, place and shape of components, from their runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.components import Components
from labeler.core.runs import IntArray, Runs


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over whole components; row ``c`` belongs to component ``c``.

    Attributes
    ----------
    label
        uint16 ``(n,)``.
    voxels
        int64 ``(n,)``.
    index_sums_ijk
        int64 ``(n, 3)``; sums of the voxel indices.
    lo_kji, hi_kji
        int32 ``(n, 3)``; half-open boxes.
    fingerprint
        uint64 ``(n,)``; equal for equal label and voxels, else different (2**-64).
    """

    label: npt.NDArray[np.uint16]
    voxels: npt.NDArray[np.int64]
    index_sums_ijk: npt.NDArray[np.int64]
    lo_kji: IntArray
    hi_kji: IntArray
    fingerprint: npt.NDArray[np.uint64]

    @staticmethod
    def of(runs: Runs, components: Components) -> Totals:
        """Add up all components in one pass over the runs."""
        label = runs.label[components.runs[components.ptr[:-1]]]
        return Totals(
            label,
            *_add_up(
                runs.row, runs.start, runs.stop, runs.label,
                components.of_run, len(components), runs.shape_kji[1],
            ),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shapes:
    """Axial shape of chosen components; row ``n`` belongs to the n-th of them.

    Attributes
    ----------
    diameter_mm
        float64 ``(n,)``; the longest axial diameter: the largest distance between voxel centres
        of one slice, plus one voxel along that direction.
    first_kji, middle_kji, largest_kji
        int32 ``(n, 3)``; a voxel of the component on its lowest slice, on the middle one of its
        slices and on its slice of largest area, nearest to the centre of that slice's part.
    """

    diameter_mm: npt.NDArray[np.float64]
    first_kji: IntArray
    middle_kji: IntArray
    largest_kji: IntArray

    @staticmethod
    def of(
        runs: Runs,
        components: Components,
        which: npt.NDArray[np.integer],
        spacing_mm: tuple[float, float, float],
    ) -> Shapes:
        """Measure the components numbered ``which``; ``spacing_mm`` along i, j, k."""
        diameter, points = _measure(
            runs.row, runs.start, runs.stop, components.runs, components.ptr,
            which, runs.shape_kji[1], spacing_mm[0], spacing_mm[1],
        )  # fmt: skip
        return Shapes(diameter, points[:, 0], points[:, 1], points[:, 2])


_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@kernel
def _mix(x: Any) -> Any:
    """Scatter 64 bits (the finalizer of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_A
    x = (x ^ (x >> np.uint64(27))) * _MIX_B
    return x ^ (x >> np.uint64(31))


@kernel
def _add_up(
    row: Array, start: Array, stop: Array, label: Array, component: Array, count: int, n_j: int
) -> tuple[Array, Array, Array, Array, Array]:
    voxels = np.zeros(count, np.int64)
    sums = np.zeros((count, 3), np.int64)
    lo = np.full((count, 3), np.iinfo(np.int32).max, np.int32)
    hi = np.zeros((count, 3), np.int32)
    fingerprint = np.zeros(count, np.uint64)
    for run in range(len(row)):
        c, x0, x1 = component[run], np.int64(start[run]), np.int64(stop[run])
        k, j = row[run] // n_j, row[run] % n_j
        n = x1 - x0
        voxels[c] += n
        sums[c, 0] += (x0 + x1 - 1) * n // 2
        sums[c, 1] += j * n
        sums[c, 2] += k * n
        lo[c, 0], hi[c, 0] = min(lo[c, 0], k), max(hi[c, 0], k + 1)
        lo[c, 1], hi[c, 1] = min(lo[c, 1], j), max(hi[c, 1], j + 1)
        lo[c, 2], hi[c, 2] = min(lo[c, 2], x0), max(hi[c, 2], x1)
        place = (np.uint64(row[run]) << np.uint64(32)) ^ np.uint64(x0)
        extent = (np.uint64(x1) << np.uint64(16)) ^ np.uint64(label[run])
        # A sum, so that the order of the runs does not matter.
        fingerprint[c] += _mix(_mix(place + _ODD) ^ extent)
    return voxels, sums, lo, hi, fingerprint


@kernel
def _inner_point(
    row: Array, start: Array, stop: Array, runs: Array,
    lo: int, hi: int, n_j: int, si: float, sj: float,
) -> tuple[int, int, int]:  # fmt: skip
    """Voxel (k, j, i) of ``runs[lo:hi]``, all of one slice, nearest to their centre."""
    area, sum_i, sum_j = 0, 0.0, 0.0
    for at in range(lo, hi):
        run = runs[at]
        n = stop[run] - start[run]
        area += n
        sum_i += 0.5 * n * (start[run] + stop[run] - 1)
        sum_j += n * (row[run] % n_j)
    center_i, center_j = sum_i / area, sum_j / area
    best, k, j, i = np.inf, 0, 0, 0
    for at in range(lo, hi):
        run = runs[at]
        near = min(max(np.int64(np.floor(center_i + 0.5)), start[run]), stop[run] - 1)
        distance = ((near - center_i) * si) ** 2 + ((row[run] % n_j - center_j) * sj) ** 2
        if distance < best:
            best, k, j, i = distance, row[run] // n_j, row[run] % n_j, near
    return k, j, i


@kernel
def _add_to_hull(hull_i: Array, hull_j: Array, n: int, keep: int, i: int, j: int) -> int:
    """Append a point to a chain after removing those it makes concave; returns its length."""
    while n >= keep + 2:
        ax, ay = hull_i[n - 1] - hull_i[n - 2], hull_j[n - 1] - hull_j[n - 2]
        bx, by = i - hull_i[n - 1], j - hull_j[n - 1]
        if ax * by - ay * bx > 0:
            break
        n -= 1
    hull_i[n], hull_j[n] = i, j
    return n + 1


@kernel
def _farthest(
    left: Array, right: Array, j_lo: int, n_rows: int,
    hull_i: Array, hull_j: Array, si: float, sj: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Largest squared distance in mm**2 between the end voxels of rows, and its (di, dj).

    ``left[n]`` and ``right[n]`` are the outermost voxels of row ``j_lo + n``; ``left > right``
    for a row without voxels. Only corners of the convex hull can be farthest apart; the hull is
    the chain of right ends downwards and the chain of left ends back up.
    """
    n = 0
    for t in range(n_rows):
        if left[t] <= right[t]:
            n = _add_to_hull(hull_i, hull_j, n, 0, right[t], j_lo + t)
    keep = n - 1
    for t in range(n_rows - 1, -1, -1):
        if left[t] <= right[t]:
            n = _add_to_hull(hull_i, hull_j, n, keep, left[t], j_lo + t)
    best, best_i, best_j = 0.0, 0, 0
    for a in range(n):
        for b in range(a):
            di, dj = hull_i[a] - hull_i[b], hull_j[a] - hull_j[b]
            distance = (di * si) ** 2 + (dj * sj) ** 2
            if distance > best:
                best, best_i, best_j = distance, di, dj
    return best, best_i, best_j


@kernel
def _slice_rows(
    row: Array, start: Array, stop: Array, runs: Array,
    lo: int, hi: int, n_j: int, left: Array, right: Array,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Fill the outermost voxels per row of ``runs[lo:hi]``; returns first row, rows, i range."""
    j_lo = row[runs[lo]] % n_j
    n_rows = row[runs[hi - 1]] % n_j - j_lo + 1
    left[:n_rows] = np.iinfo(np.int32).max
    right[:n_rows] = -1
    i_lo, i_hi = start[runs[lo]], stop[runs[lo]]
    for at in range(lo, hi):
        run = runs[at]
        t = row[run] % n_j - j_lo
        left[t] = min(left[t], start[run])
        right[t] = max(right[t], stop[run] - 1)
        i_lo, i_hi = min(i_lo, start[run]), max(i_hi, stop[run])
    return j_lo, n_rows, i_lo, i_hi


@kernel
def _measure(
    row: Array, start: Array, stop: Array, runs: Array, ptr: Array,
    which: Array, n_j: int, si: float, sj: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Diameters in mm, and (first, middle, largest) x (k, j, i) jump points."""
    diameter = np.empty(len(which))
    points = np.empty((len(which), 3, 3), np.int32)
    left, right = np.empty(n_j, np.int32), np.empty(n_j, np.int32)
    hull_i, hull_j = np.empty(2 * n_j + 2, np.int64), np.empty(2 * n_j + 2, np.int64)
    for n in range(len(which)):
        first, end = ptr[which[n]], ptr[which[n] + 1]
        middle_k = (row[runs[first]] // n_j + row[runs[end - 1]] // n_j) // 2
        best, best_i, best_j, largest_area = 0.0, 0, 0, 0
        lo = first
        while lo < end:
            k = row[runs[lo]] // n_j
            hi, area = lo, 0
            while hi < end and row[runs[hi]] // n_j == k:
                area += stop[runs[hi]] - start[runs[hi]]
                hi += 1
            point = _inner_point(row, start, stop, runs, lo, hi, n_j, si, sj)
            if lo == first:
                points[n, 0] = point
            if k == middle_k:
                points[n, 1] = point
            if area > largest_area:
                largest_area = area
                points[n, 2] = point
            j_lo, n_rows, i_lo, i_hi = _slice_rows(row, start, stop, runs, lo, hi, n_j, left, right)
            # A slice whose box is too small cannot beat the best one.
            if ((i_hi - i_lo - 1) * si) ** 2 + ((n_rows - 1) * sj) ** 2 > best:
                square, di, dj = _farthest(left, right, j_lo, n_rows, hull_i, hull_j, si, sj)
                if square > best:
                    best, best_i, best_j = square, di, dj
            lo = hi
        if best > 0.0:
            length = np.sqrt(best)
            voxel = np.hypot(best_i * si * si, best_j * sj * sj) / length
            diameter[n] = length + voxel
        else:
            diameter[n] = max(si, sj)
    return diameter, points
