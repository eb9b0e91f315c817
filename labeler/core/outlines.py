"""Outlines of labels on a slice as polygons that can be bent, and back.

The outline of a set of voxels runs along the cracks between voxels inside and outside, so that no
voxel centre is ever on it and filling it gives the voxels back exactly. Diagonal neighbours belong
together, as they do in regions. See :mod:`~labeler.core.rings` for what an outline is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.geometry import Plane
from labeler.core.mask import Mask, Patch
from labeler.core.painting import FREE, Constraint
from labeler.core.raster import BoolArray, GridSlice, Stamp, polygon_stamp
from labeler.core.rings import (
    Rings,
    around,
    crack_rings,
    midpoint_rings,
    rings_stamp,
    with_few_corners,
)
from labeler.core.voxel_set import reshape


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
        return tuple(with_few_corners(ring) for ring in midpoint_rings(self.rings))

    def holds(self, ras: npt.ArrayLike) -> bool:
        """Whether a RAS point lies in a voxel of the part."""
        if not self.at.holds(ras):
            return False
        column, row = np.floor(self.at.from_ras(ras) + 0.5).astype(int) - self.part.lo[::-1]
        rows, columns = self.part.inside.shape
        is_near = 0 <= row < rows and 0 <= column < columns
        return is_near and bool(self.part.inside[row, column])

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
    lo, size = around(stamps)
    before, after = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for stamp in old:
        before[stamp.slices_from(lo)] |= stamp.inside
    if new is not None:
        after[new.slices_from(lo)] = new.inside
    box = at.box(lo, size)
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
