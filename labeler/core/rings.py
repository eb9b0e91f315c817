"""Rings around voxels of a slice: traced, filled, simplified, bent and smoothed.

A ring is float64 ``(n, 2)`` points ``(column, row)`` of a slice, the last of which is joined to
the first. Where it makes no difference it may as well be RAS mm ``(n, 3)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.geometry import FloatArray
from labeler.core.raster import Stamp, polygon_stamp

Rings = tuple[FloatArray, ...]

#: Distance, in voxels, that a ring with few corners keeps from the centres of voxels.
CLEAR = 0.02

#: Points of a smoothed ring per standard deviation of the smoothing.
POINTS_PER_SIGMA = 3.0


def rings_stamp(rings: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> Stamp | None:
    """Voxels whose centres lie inside rings (even-odd); see :func:`polygon_stamp`."""
    stamps = [polygon_stamp(ring, shape) for ring in rings]
    found = [stamp for stamp in stamps if stamp is not None]
    if not found:
        return None
    lo, size = around(found)
    inside = np.zeros(size, np.bool_)
    for stamp in found:
        inside[stamp.slices_from(lo)] ^= stamp.inside
    return Stamp(lo, inside) if inside.any() else None


def crack_rings(part: Stamp) -> Rings:
    """Corners of the rings around the voxels of a stamp, outer ones before those of holes.

    Every ring has its voxels on its right when columns run to the right and rows down.
    """
    framed = np.pad(part.inside, 1)
    points, ptr = _trace(frozen(framed))
    # Back from the frame to the slice; corners are half a voxel before their voxel's centre.
    points += np.array(part.lo[::-1]) - 1.5
    rings = [points[lo:hi] for lo, hi in zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True)]
    return tuple(sorted(rings, key=_signed_area, reverse=True))


def midpoint_rings(rings: Rings) -> Rings:
    """Rings through the middles of the cracks: diagonal edges become straight lines."""
    found = []
    for ring in rings:
        ahead = np.roll(ring, -1, axis=0)
        lengths = np.abs(ahead - ring).sum(axis=1).round().astype(int)
        first = np.repeat(ring, lengths, axis=0)
        direction = np.repeat(np.sign(ahead - ring), lengths, axis=0)
        step = np.arange(len(first)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found.append(first + direction * (step[:, np.newaxis] + 0.5))
    return tuple(found)


def with_few_corners(ring: FloatArray) -> FloatArray:
    """The same voxel centres parted by about as few straight lines as it takes.

    Points of the ring are left out; no centre is nearer than ``CLEAR`` to what remains.
    """
    kept = _long_lines(np.concatenate((ring, ring[:1])), CLEAR)
    # A single line out and back holds nothing.
    return np.asarray(ring[kept]) if len(kept) > 2 else ring


def dragged(
    ring: npt.ArrayLike, index: int, to: npt.ArrayLike, reach_mm: float = 0.0
) -> FloatArray:
    """Pull one point of a ring to another place, and its neighbours some of the way.

    Parameters
    ----------
    ring
        RAS mm ``(n, 3)``.
    index
        The point that is pulled.
    to
        RAS mm ``(3,)``; where it ends.
    reach_mm
        Length along the ring, on either side, over which the pull fades away.
    """
    ring = np.asarray(ring, dtype=np.float64)
    steps = np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1)
    ahead = np.concatenate(([0.0], np.cumsum(np.roll(steps, -index))[:-1]))
    distance = np.roll(np.minimum(ahead, steps.sum() - ahead), index)
    near = np.clip(1 - distance / reach_mm, 0, 1) if reach_mm > 0 else (distance == 0).astype(float)
    weight = np.sin(np.pi / 2 * near) ** 2
    weight[index] = 1.0
    return np.asarray(ring + weight[:, np.newaxis] * (np.asarray(to) - ring[index]))


def smoothed(ring: npt.ArrayLike, sigma_mm: float) -> FloatArray:
    """Smooth a ring along its length.

    Convex ends are filtered twice and the loss given back, so that a ring hardly shrinks.

    Parameters
    ----------
    ring
        RAS mm ``(n, 3)``.
    sigma_mm
        Standard deviation of the Gaussian along the ring.
    """
    from scipy import ndimage  # slow to import: not when the program starts

    ring = np.asarray(ring, dtype=np.float64)
    closed = np.concatenate((ring, ring[:1]))
    way = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))))
    # A ring as short as the filter is wide would become a point.
    sigma_mm = min(sigma_mm, way[-1] / 12)
    if sigma_mm <= 0:
        return ring
    count = max(8, int(np.ceil(way[-1] / sigma_mm * POINTS_PER_SIGMA)))
    at = np.linspace(0, way[-1], count, endpoint=False)
    even = np.stack([np.interp(at, way, axis) for axis in closed.T], axis=1)
    sigma = sigma_mm * count / way[-1]
    once = ndimage.gaussian_filter1d(even, sigma, axis=0, mode="wrap")
    twice = ndimage.gaussian_filter1d(once, sigma, axis=0, mode="wrap")
    return np.asarray(2 * once - twice)


def around(stamps: Sequence[Stamp]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First (row, column) and size of the box around stamps."""
    lo = np.min([stamp.lo for stamp in stamps], axis=0)
    hi = np.max([np.add(stamp.lo, stamp.inside.shape) for stamp in stamps], axis=0)
    return (int(lo[0]), int(lo[1])), (int(hi[0] - lo[0]), int(hi[1] - lo[1]))


def _signed_area(ring: FloatArray) -> float:
    """Positive for rings whose voxels are inside, negative for those around holes."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


@kernel
def _long_lines(ring: Array, clear: float) -> Array:
    """Numbers of the points of a closed ring that are kept, the last point being the first.

    Each line is about as long as it can be: its length is doubled while it is clear, then halved.
    """
    kept = np.zeros(len(ring), np.int64)
    end = len(ring) - 1
    first, n = 0, 1
    while True:
        length = 1
        while length < end and _is_clear(ring, first, min(first + 2 * length, end), clear):
            length *= 2
        step = length
        while step > 1:
            step //= 2
            if _is_clear(ring, first, min(first + length + step, end), clear):
                length += step
        first += length
        if first >= end:
            return kept[:n].copy()
        kept[n] = first
        n += 1


@kernel
def _is_clear(ring: Array, first: int, last: int, clear: float) -> bool:
    """Whether no voxel centre lies between a stretch of a ring and the line from end to end.

    Nor on that line, where rounding would decide: it is moved a little in every direction.
    """
    low, high = ring[first, 1], ring[first, 1]
    for n in range(first + 1, last + 1):
        low, high = min(low, ring[n, 1]), max(high, ring[n, 1])
    crossings = np.empty(last - first + 1)
    for shift in range(4):
        dx = clear if shift % 2 == 0 else -clear
        dy = clear if shift < 2 else -clear
        for row in range(int(np.ceil(low + dy)), int(np.floor(high + dy)) + 1):
            found = 0
            for a in range(first, last + 1):
                b = a + 1 if a < last else first
                ya, yb = ring[a, 1] + dy, ring[b, 1] + dy
                if (ya <= row) != (yb <= row):
                    xa, xb = ring[a, 0] + dx, ring[b, 0] + dx
                    crossings[found] = xa + (row - ya) * (xb - xa) / (yb - ya)
                    found += 1
            ordered = np.sort(crossings[:found])
            for pair in range(0, found - 1, 2):
                if np.ceil(ordered[pair]) < np.ceil(ordered[pair + 1]):
                    return False
    return True


@kernel
def _trace(inside: Array) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Corners (column, row) of all rings in a framed array, and where each ring begins.

    A corner ``(c, r)`` is the upper left one of voxel ``[r, c]``. Directions are 0 right, 1 down,
    2 left, 3 up; the voxel inside is on the right of the way.
    """
    n_rows, n_columns = inside.shape
    edges = 0
    for r in range(1, n_rows - 1):
        for c in range(1, n_columns - 1):
            if inside[r, c]:
                edges += 4 - inside[r - 1, c] - inside[r + 1, c] - inside[r, c - 1]
                edges -= inside[r, c + 1]
    points = np.empty((edges, 2))
    ptr = np.zeros(edges + 1, np.int64)
    seen = np.zeros((n_rows, n_columns), np.bool_)
    step_c, step_r = (1, 0, -1, 0), (0, 1, 0, -1)
    # From the corner at the end of a step: the voxel on the right and on the left of the way.
    right_c, right_r = (0, -1, -1, 0), (0, 0, -1, -1)
    left_c, left_r = (0, 0, -1, -1), (-1, 0, 0, -1)
    n, rings = 0, 0
    for row in range(1, n_rows - 1):
        for column in range(1, n_columns - 1):
            if not inside[row, column] or inside[row - 1, column] or seen[row, column]:
                continue
            c, r, way = column, row, 0
            while True:
                if way == 0:
                    if seen[r, c]:
                        break
                    seen[r, c] = True
                c, r = c + step_c[way], r + step_r[way]
                # Left first: it joins voxels that touch at a corner.
                for turn in (3, 0, 1):
                    ahead = (way + turn) % 4
                    if (
                        inside[r + right_r[ahead], c + right_c[ahead]]
                        and not inside[r + left_r[ahead], c + left_c[ahead]]
                    ):
                        break
                if ahead != way:
                    points[n, 0], points[n, 1] = c, r
                    n += 1
                    way = ahead
            rings += 1
            ptr[rings] = n
    return points[:n].copy(), ptr[: rings + 1].copy()
