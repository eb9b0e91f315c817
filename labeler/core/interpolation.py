"""Shapes between drawn slices (Raya and Udupa, 1990; Herman, Zheng and Bucholtz, 1992).

A label is drawn on some slices only; each gap between a part on one slice and what continues it
on a later one is filled. The shape in between is where the signed distances to both outlines,
weighted by how near each slice is, add up to inside. Where one part continues as one, both shapes
are moved to their common way first, so that an oblique vessel stays as wide as it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.distance import Check, never_stop, squared_distance
from labeler.core.geometry import Plane
from labeler.core.mask import Box, LabelArray
from labeler.core.raster import BoolArray
from labeler.core.voxel_set import VoxelSet

#: Parts that do not overlap continue each other when they are at most this far apart: the
#: distance of their centres, in voxels, as a multiple of the mean of their widths.
MAX_DRIFT = 1.5


@dataclass(frozen=True, eq=False)
class _Part:
    """A connected part of a label on one slice: ``inside`` its box, which begins at ``lo``.

    Places are (row, column).
    """

    index: int
    lo: tuple[int, int]
    inside: BoolArray
    centre: tuple[float, float]
    area: int

    @property
    def hi(self) -> tuple[int, int]:
        return self.lo[0] + self.inside.shape[0], self.lo[1] + self.inside.shape[1]

    def overlaps(self, other: _Part) -> bool:
        """Whether both have a voxel in the same place of their slices."""
        lo = max(self.lo[0], other.lo[0]), max(self.lo[1], other.lo[1])
        hi = min(self.hi[0], other.hi[0]), min(self.hi[1], other.hi[1])
        if lo[0] >= hi[0] or lo[1] >= hi[1]:
            return False
        own, others = (
            part.inside[
                lo[0] - part.lo[0] : hi[0] - part.lo[0], lo[1] - part.lo[1] : hi[1] - part.lo[1]
            ]
            for part in (self, other)
        )
        return bool((own & others).any())

    def is_near(self, other: _Part) -> bool:
        """Whether one may be the other, drifted away."""
        drift = math.dist(self.centre, other.centre)
        return drift <= MAX_DRIFT * (math.sqrt(self.area) + math.sqrt(other.area)) / 2


Group = tuple[_Part, ...]


def fill_between(
    array: LabelArray,
    label: int,
    plane: Plane,
    spacing_mm: tuple[float, float, float],
    *,
    origin_kji: tuple[int, int, int] = (0, 0, 0),
    max_gap_mm: float = 50.0,
    check: Check = never_stop,
) -> dict[int, VoxelSet]:
    """Interpolate a label between the slices it is drawn on.

    Parameters
    ----------
    array
        ``[k, j, i]``; the mask, or the box of it that holds the label.
    label
        The label.
    plane
        Plane of the slices that were drawn on.
    spacing_mm
        Distance of neighbouring voxels along i, j, k.
    origin_kji
        First voxel of ``array`` in the mask.
    max_gap_mm
        Slices farther apart are not joined.
    check
        Called between slices; may raise to stop.

    Returns
    -------
    dict
        By index of the slice in the mask, ascending: the voxels that are to become the label.
        Only slices between drawn ones; empty when there is no gap.
    """
    axis = 2 - plane.normal_axis
    # Rows and columns are then those of the plane: the later axis runs along a row.
    parts = [
        _parts_of(n, part == label) if (part == label).any() else []
        for n, part in enumerate(np.moveaxis(array, axis, 0))
    ]
    farthest = int(max_gap_mm / spacing_mm[plane.normal_axis])
    shape = tuple(n for a, n in enumerate(array.shape) if a != axis)
    found: dict[int, BoolArray] = {}
    for lower, upper in _gaps(parts, farthest):
        gap = _Gap(lower, upper, (spacing_mm[plane.column_axis], spacing_mm[plane.row_axis]))
        for index in range(gap.first + 1, gap.last):
            check()
            gap.add_to(found.setdefault(index, np.zeros(shape, np.bool_)), index)
    return {
        index + origin_kji[axis]: _cut_out(found[index], axis, index, origin_kji)
        for index in sorted(found)
        if found[index].any()
    }


def _parts_of(index: int, inside: BoolArray) -> list[_Part]:
    _, numbers, boxes, centres = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(inside).view(np.uint8), connectivity=8
    )
    parts = []
    for number, (x, y, width, height, area) in enumerate(boxes[1:].tolist(), start=1):
        crop = numbers[y : y + height, x : x + width] == number
        column, row = centres[number].tolist()
        parts.append(_Part(index, (y, x), crop, (row, column), area))
    return parts


def _gaps(parts: Sequence[Sequence[_Part]], farthest: int) -> Iterator[tuple[Group, Group]]:
    """Parts that nothing continues on the next slice, with what continues them on a later one."""
    ends = [
        part
        for here, above in itertools.pairwise(parts)
        for part in here
        if not any(part.overlaps(other) for other in above)
    ]
    starts = {
        id(part)
        for below, here in itertools.pairwise(parts)
        for part in here
        if not any(part.overlaps(other) for other in below)
    }
    links: dict[tuple[int, int], list[tuple[_Part, _Part]]] = {}
    linked: set[int] = set()
    for continues in (_Part.overlaps, _Part.is_near):
        for part in ends:
            if id(part) in linked:
                continue
            for later in parts[part.index + 2 : part.index + farthest + 1]:
                on = [other for other in later if continues(part, other)]
                if on:
                    new = [o for o in on if id(o) in starts and id(o) not in linked]
                    links.setdefault((part.index, on[0].index), []).extend((part, o) for o in new)
                    break
        linked |= {id(part) for pairs in links.values() for pair in pairs for part in pair}
    for pairs in links.values():
        yield from _groups(pairs)


def _groups(pairs: list[tuple[_Part, _Part]]) -> Iterator[tuple[Group, Group]]:
    """Parts of two slices that belong together, directly or through others."""
    left = list(pairs)
    while left:
        lower, upper = ([part] for part in left.pop())
        grew = True
        while grew:
            more = [p for p in left if p[0] in lower or p[1] in upper]
            left = [p for p in left if p not in more]
            lower += [p[0] for p in more if p[0] not in lower]
            upper += [p[1] for p in more if p[1] not in upper]
            grew = bool(more)
        yield tuple(lower), tuple(upper)


class _Gap:
    """The way from some parts of one slice to those of another.

    Parameters
    ----------
    lower, upper
        Parts of one slice each.
    spacing_mm
        Distance of neighbouring columns and rows.
    """

    def __init__(self, lower: Group, upper: Group, spacing_mm: tuple[float, float]) -> None:
        self.first, self.last = lower[0].index, upper[0].index
        self._drift = np.zeros(2)
        if len(lower) == len(upper) == 1:
            self._drift = np.subtract(upper[0].centre, lower[0].centre)
        room = np.ceil(np.abs(self._drift)).astype(int) + 2
        self._lo = np.min([part.lo for part in lower + upper], axis=0) - room
        size = np.max([part.hi for part in lower + upper], axis=0) + room - self._lo
        self._away = [_signed_distance(side, self._lo, size, spacing_mm) for side in (lower, upper)]

    def add_to(self, out: BoolArray, index: int) -> None:
        """Set the voxels of a slice in between."""
        share = (index - self.first) / (self.last - self.first)
        lower, upper = self._away
        away = (1 - share) * _moved(lower, share * self._drift)
        away += share * _moved(upper, (share - 1) * self._drift)
        row, column = np.maximum(self._lo, 0).tolist()
        cut = (away <= 0)[row - self._lo[0] :, column - self._lo[1] :]
        target = out[row : row + cut.shape[0], column : column + cut.shape[1]]
        target |= cut[: target.shape[0], : target.shape[1]]


def _signed_distance(
    parts: Group, lo: npt.NDArray[np.int_], size: npt.NDArray[np.int_], spacing: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Distance in mm to the outline of parts, negative inside, in a box of a slice."""
    inside = np.zeros((1, *size.tolist()), np.bool_)
    for part in parts:
        row, column = np.subtract(part.lo, lo).tolist()
        rows, columns = part.inside.shape
        inside[0, row : row + rows, column : column + columns] |= part.inside
    to_inside = squared_distance(inside, (*spacing, 1.0))
    to_outside = squared_distance(~inside, (*spacing, 1.0))
    return np.asarray((np.sqrt(to_inside) - np.sqrt(to_outside))[0])


def _moved(values: npt.NDArray[np.float32], by: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Values moved by (rows, columns)."""
    if not by.any():
        return values
    matrix = np.array([[1.0, 0.0, by[1]], [0.0, 1.0, by[0]]])
    moved = cv2.warpAffine(
        values, matrix, values.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def _cut_out(
    inside: BoolArray, axis: int, index: int, origin_kji: tuple[int, int, int]
) -> VoxelSet:
    """The voxels of a slice in their box."""
    rows, columns = (np.flatnonzero(inside.any(axis=other)) for other in (1, 0))
    lo, hi = [int(rows[0]), int(columns[0])], [int(rows[-1]) + 1, int(columns[-1]) + 1]
    part = np.expand_dims(inside[lo[0] : hi[0], lo[1] : hi[1]], axis)
    lo.insert(axis, index)
    hi.insert(axis, index + 1)
    k, j, i = np.add(lo, origin_kji).tolist()
    return VoxelSet(Box((k, j, i), tuple(np.add(hi, origin_kji).tolist())), part)
