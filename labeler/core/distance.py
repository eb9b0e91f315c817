"""Exact Euclidean distances in mm, with voxels of any proportions.

The squared distance is found axis by axis; along each line it is the lower envelope of parabolas
(Felzenszwalb and Huttenlocher, 2012), so the time grows with the number of voxels only, whatever
the distances are. Written here because the window must go on while it runs: libraries that do the
same take four to twenty times as long, or keep all threads waiting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.raster import BoolArray

#: Voxels worked on between two looks at whether the result is still wanted, some ten ms.
PART_VOXELS = 1_000_000

#: Relative room for rounding when a distance is compared with a length.
TOLERANCE = 1e-5

Check = Callable[[], None]


def never_stop() -> None:
    """Stand in where nothing can be cancelled."""


def squared_distance(
    inside: BoolArray, spacing_mm: tuple[float, float, float], check: Check = never_stop
) -> npt.NDArray[np.float32]:
    """Squared distance of every voxel to the nearest voxel of a set.

    Parameters
    ----------
    inside
        ``[k, j, i]``; the set.
    spacing_mm
        Distance of neighbouring voxels along i, j, k.
    check
        Called now and then; may raise to stop.

    Returns
    -------
    ndarray
        float32 mm**2, from centre to centre: 0 in the set, infinite when the set is empty.
    """
    out = np.empty(inside.shape, np.float32)
    contiguous = frozen(np.ascontiguousarray(inside))
    n_k, n_j, n_i = inside.shape
    s_i, s_j, s_k = spacing_mm
    for lo, hi in _parts(n_k, n_j * n_i):
        _along_i(contiguous[lo:hi], s_i, out[lo:hi])
        _along_j(out[lo:hi], s_j)
        check()
    for lo, hi in _parts(n_j, n_k * n_i):
        _along_k(out, s_k, lo, hi)
        check()
    return out


def near(
    inside: BoolArray,
    spacing_mm: tuple[float, float, float],
    radius_mm: float,
    check: Check = never_stop,
) -> BoolArray:
    """Voxels whose centres are at most ``radius_mm`` from a voxel of a set; arguments as above."""
    limit = np.float32(radius_mm * radius_mm * (1 + TOLERANCE))
    return np.asarray(squared_distance(inside, spacing_mm, check) <= limit)


def _parts(count: int, voxels: int) -> list[tuple[int, int]]:
    """Cut ``count`` slices of some voxels each into parts of about ``PART_VOXELS``."""
    step = max(1, PART_VOXELS // max(1, voxels))
    return [(lo, min(lo + step, count)) for lo in range(0, count, step)]


@kernel
def _along_i(inside: Array, spacing: float, out: Array) -> None:
    """Squared distance to the nearest voxel of the same row."""
    n_k, n_j, n_i = inside.shape
    for k in range(n_k):
        for j in range(n_j):
            gap = np.inf
            for i in range(n_i):
                gap = 0.0 if inside[k, j, i] else gap + spacing
                out[k, j, i] = gap
            gap = np.inf
            for i in range(n_i - 1, -1, -1):
                gap = 0.0 if inside[k, j, i] else gap + spacing
                nearest = min(gap, out[k, j, i])
                out[k, j, i] = nearest * nearest


@kernel
def _along_j(out: Array, spacing: float) -> None:
    n_k, n_j, n_i = out.shape
    vertex, border = np.empty(n_j, np.int64), np.empty(n_j + 1)
    line = np.empty(n_j)
    for k in range(n_k):
        for i in range(n_i):
            for j in range(n_j):
                line[j] = out[k, j, i]
            if _envelope(line, spacing * spacing, vertex, border):
                at = 0
                for j in range(n_j):
                    while border[at + 1] < j:
                        at += 1
                    d = j - vertex[at]
                    out[k, j, i] = d * d * spacing * spacing + line[vertex[at]]


@kernel
def _along_k(out: Array, spacing: float, j_lo: int, j_hi: int) -> None:
    n_k, _, n_i = out.shape
    vertex, border = np.empty(n_k, np.int64), np.empty(n_k + 1)
    line = np.empty(n_k)
    plane = np.empty((n_i, n_k))
    for j in range(j_lo, j_hi):
        # Turned, so that the lines are together in memory.
        for k in range(n_k):
            for i in range(n_i):
                plane[i, k] = out[k, j, i]
        for i in range(n_i):
            line[:] = plane[i]
            if _envelope(line, spacing * spacing, vertex, border):
                at = 0
                for k in range(n_k):
                    while border[at + 1] < k:
                        at += 1
                    d = k - vertex[at]
                    plane[i, k] = d * d * spacing * spacing + line[vertex[at]]
        for k in range(n_k):
            for i in range(n_i):
                out[k, j, i] = plane[i, k]


@kernel
def _envelope(line: Array, square: float, vertex: Array, border: Array) -> bool:
    """Lower envelope of the parabolas ``line[v] + square * (x - v)**2``.

    Parabola ``vertex[n]`` is the lowest from ``border[n]`` to ``border[n + 1]``. False when all
    of them are infinitely high, or none is above zero: the line stays as it is then.
    """
    n, highest = 0, 0.0
    border[0] = -np.inf
    for v in range(len(line)):
        highest = max(highest, line[v])
        if line[v] == np.inf:
            continue
        while n > 0:
            u = vertex[n - 1]
            crossing = 0.5 * ((line[v] - line[u]) / (square * (v - u)) + v + u)
            if crossing > border[n - 1]:
                border[n] = crossing
                break
            n -= 1
        vertex[n] = v
        n += 1
        border[n] = np.inf
    return n > 0 and highest > 0.0
