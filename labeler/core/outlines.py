"""Outlines of labels on a slice as polygons that can be bent, and back.

The outline of a set of voxels runs along the cracks between voxels inside and outside, so that no
voxel centre is ever on it and filling it gives the voxels back exactly. Diagonal neighbours belong
together, as they do in regions. Rings are float64 ``(n, 2)`` points ``(column, row)`` of a
:class:`~labeler.core.raster.GridSlice`, or the same as RAS mm ``(n, 3)``; the last point is joined
to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.geometry import FloatArray, Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import FREE, Constraint
from labeler.core.raster import BoolArray, GridSlice, Stamp, polygon_stamp
from labeler.core.voxel_set import reshape

Rings = tuple[FloatArray, ...]

#: Distance, in voxels, that an outline with few corners keeps from the centres of voxels.
CLEAR = 0.02

#: Points of a smoothed ring per standard deviation of the smoothing.
POINTS_PER_SIGMA = 3.0


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of one connected part of a label on a slice.

    Attributes
    ----------
    at
        The slice.
    label
        The label.
    part
        The voxels of the part.
    """

    at: GridSlice
    label: int
    part: Stamp

    @cached_property
    def rings(self) -> Rings:
        """Corners of the exact outline: the outer ring first, then those around holes."""
        return crack_rings(self.part)

    @cached_property
    def handles(self) -> Rings:
        """The outline by few corners that can be dragged: they still give exactly the part."""
        return tuple(_with_few_corners(ring) for ring in _midpoint_rings(self.rings))

    def to_ras(self, rings: Rings) -> Rings:
        """RAS mm of rings on the slice."""
        return tuple(self.at.to_ras(ring) for ring in rings)


def outline_at(mask: Mask, plane: Plane, ras: npt.ArrayLike) -> Outline | None:
    """Outline the part of a label under a RAS point; ``None`` on background or outside."""
    at = GridSlice.near(mask.grid, plane, ras)
    if at is None:
        return None
    column, row = np.floor(at.from_ras(ras) + 0.5).astype(int).tolist()
    if not (0 <= row < at.shape[0] and 0 <= column < at.shape[1]):
        return None
    labels = at.of(mask.array)
    label = int(labels[row, column])
    if label == 0:
        return None
    parts, stamps = _parts(labels == label)
    return Outline(at, label, stamps[parts[row, column] - 1])


def replace_outline(
    mask: Mask,
    outline: Outline,
    rings_ras: Sequence[npt.ArrayLike],
    *,
    ground: int = 0,
    constraint: Constraint = FREE,
) -> Patch | None:
    """Give a part the form of other rings (even-odd rule).

    Parameters
    ----------
    mask
        Left as it is. Voxels of the part that have lost the label since stay as they are.
    outline
        The part as it was.
    rings_ras
        RAS mm ``(n, 3)`` each; moved along the normal onto the outline's slice.
    ground
        Label that takes the place of voxels that no longer belong to the part.
    constraint
        What may be overwritten; see :func:`~labeler.core.voxel_set.reshape`.
    """
    at = outline.at
    new = rings_stamp([at.from_ras(ring) for ring in rings_ras], at.shape)
    return _replace(mask, at, [outline.part], new, outline.label, ground, constraint)


def replace_by_polygon(
    mask: Mask,
    plane: Plane,
    points_ras: npt.ArrayLike,
    label: int,
    *,
    ground: int = 0,
    constraint: Constraint = FREE,
) -> Patch | None:
    """Let a polygon take the place of every part of a label that it touches on its slice.

    Parameters
    ----------
    mask, plane, points_ras, label
        As for :func:`~labeler.core.painting.paint_polygon`.
    ground, constraint
        As for :func:`replace_outline`.
    """
    at = GridSlice.near(mask.grid, plane, points_ras)
    new = None if at is None else polygon_stamp(at.from_ras(points_ras), at.shape)
    if at is None or new is None:
        return None
    parts, stamps = _parts(at.of(mask.array) == label)
    rows, columns = new.inside.shape
    under = parts[new.lo[0] : new.lo[0] + rows, new.lo[1] : new.lo[1] + columns][new.inside]
    old = [stamps[number - 1] for number in np.unique(under).tolist() if number > 0]
    return _replace(mask, at, old, new, label, ground, constraint)


def rings_stamp(rings: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> Stamp | None:
    """Voxels whose centres lie inside rings (even-odd); see :func:`polygon_stamp`."""
    stamps = [polygon_stamp(ring, shape) for ring in rings]
    found = [stamp for stamp in stamps if stamp is not None]
    if not found:
        return None
    lo, size = _around(found)
    inside = np.zeros(size, np.bool_)
    for stamp in found:
        inside[_place(stamp, lo)] ^= stamp.inside
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


def _replace(
    mask: Mask,
    at: GridSlice,
    old: Sequence[Stamp],
    new: Stamp | None,
    label: int,
    ground: int,
    constraint: Constraint,
) -> Patch | None:
    stamps = [*old, *([new] if new is not None else [])]
    if not stamps:
        return None
    lo, size = _around(stamps)
    before, after = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for stamp in old:
        before[_place(stamp, lo)] |= stamp.inside
    if new is not None:
        after[_place(new, lo)] = new.inside
    box: Box = at.box(lo, size)
    return reshape(
        mask, box, before.reshape(box.shape_kji), after.reshape(box.shape_kji), label,
        ground=ground, constraint=constraint,
    )  # fmt: skip


def _parts(inside: BoolArray) -> tuple[npt.NDArray[np.int32], list[Stamp]]:
    """Connected parts of a slice: their numbers from 1 on, and a stamp of each."""
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(inside).view(np.uint8), connectivity=8
    )
    stamps = []
    for number, (x, y, width, height, _) in enumerate(boxes[1:].tolist(), start=1):
        stamps.append(Stamp((y, x), parts[y : y + height, x : x + width] == number))
    return np.asarray(parts, np.int32), stamps


def _around(stamps: Sequence[Stamp]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First (row, column) and size of the box around stamps."""
    lo = np.min([stamp.lo for stamp in stamps], axis=0)
    hi = np.max([np.add(stamp.lo, stamp.inside.shape) for stamp in stamps], axis=0)
    return (int(lo[0]), int(lo[1])), (int(hi[0] - lo[0]), int(hi[1] - lo[1]))


def _place(stamp: Stamp, lo: tuple[int, int]) -> tuple[slice, slice]:
    row, column = stamp.lo[0] - lo[0], stamp.lo[1] - lo[1]
    rows, columns = stamp.inside.shape
    return slice(row, row + rows), slice(column, column + columns)


def _signed_area(ring: FloatArray) -> float:
    """Positive for rings whose voxels are inside, negative for those around holes."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def _midpoint_rings(rings: Rings) -> Rings:
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


def _with_few_corners(ring: FloatArray) -> FloatArray:
    """Leave points of a ring out where a straight line parts the same voxel centres."""
    kept = _long_lines(np.concatenate((ring, ring[:1])), CLEAR)
    # A single line out and back holds nothing.
    return np.asarray(ring[kept]) if len(kept) > 2 else ring


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
