"""Sets of voxels in a box: what an act is going to change, shown before it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labeler.core.geometry import Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import FREE, Constraint
from labeler.core.raster import BoolArray


@dataclass(frozen=True, eq=False)
class VoxelSet:
    """Some voxels of a grid.

    Attributes
    ----------
    box
        Box that holds them.
    inside
        bool ``box.shape_kji``.
    """

    box: Box
    inside: BoolArray

    def __post_init__(self) -> None:
        if self.inside.shape != self.box.shape_kji:
            raise ValueError(f"{self.inside.shape} voxels do not fit a box {self.box.shape_kji}")

    @property
    def is_empty(self) -> bool:
        return not self.inside.any()

    @property
    def voxels(self) -> int:
        """Number of voxels in the set."""
        return int(np.count_nonzero(self.inside))

    def padded(self, margins: tuple[int, int, int], shape_kji: tuple[int, int, int]) -> VoxelSet:
        """The same voxels with some room on every side, as far as the grid goes.

        Parameters
        ----------
        margins
            Voxels of room along k, j, i.
        shape_kji
            Shape of the grid.
        """
        lo = tuple(a - m for a, m in zip(self.box.lo_kji, margins, strict=True))
        hi = tuple(b + m for b, m in zip(self.box.hi_kji, margins, strict=True))
        box = Box(lo, hi).clipped(shape_kji)  # type: ignore[arg-type]
        inside = np.zeros(box.shape_kji, np.bool_)
        inside[self.box.slices_in(box)] = self.inside
        return VoxelSet(box, inside)

    def on_slice(self, plane: Plane, index: int) -> VoxelSet | None:
        """The part on one slice of the grid; ``None`` when there is none."""
        axis = 2 - plane.normal_axis
        at = index - self.box.lo_kji[axis]
        if not 0 <= at < self.inside.shape[axis]:
            return None
        part = np.take(self.inside, [at], axis=axis)
        lo, hi = list(self.box.lo_kji), list(self.box.hi_kji)
        lo[axis], hi[axis] = index, index + 1
        found = VoxelSet(Box((lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2])), part)
        return None if found.is_empty else found


def reshape(
    mask: Mask,
    box: Box,
    old: BoolArray,
    new: BoolArray,
    label: int,
    *,
    ground: int = 0,
    constraint: Constraint = FREE,
) -> Patch | None:
    """Give a shape of one label another form.

    Parameters
    ----------
    mask
        Left as it is.
    box
        Inside the mask.
    old, new
        bool ``box.shape_kji``: the shape as it was and as it becomes. Of the old one only voxels
        that have the label now are taken away.
    label
        The label of the shape.
    ground
        Label that takes the place of voxels taken away.
    constraint
        What may be overwritten. Voxels that are taken away need not be in ``only``.

    Returns
    -------
    Patch or None
        ``None`` when nothing changes.
    """
    before = mask.array[box.slices]
    added = new & ~old
    added &= constraint.writable(mask, box, label)
    removed = old & ~new
    removed &= replace(constraint, only=frozenset({label})).writable(mask, box, ground)
    wide = max(label, ground) > np.iinfo(before.dtype).max
    after = before.astype(np.uint16) if wide else before.copy()
    after[added] = label
    after[removed] = ground
    return Patch.between(mask.name, box, before, after)
