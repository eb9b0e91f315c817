"""Acts on whole regions: delete, relabel, copy and move to another mask.

A region's voxels are given as :meth:`RegionIndex.component_crop` returns them: a box and which of
its voxels belong to the region. The index may be some strokes behind the mask, so only voxels
that still have the region's label are changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labeler.core.geometry import Grid
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import FREE, Constraint, PaintingError, write
from labeler.core.raster import BoolArray
from labeler.core.resampling import resampled
from labeler.core.voxel_set import VoxelSet


@dataclass(frozen=True, eq=False)
class RegionVoxels:
    """The voxels of a region.

    Attributes
    ----------
    box
        Where they are.
    crop
        bool ``box.shape_kji``.
    label
        The label they have.
    """

    box: Box
    crop: BoolArray
    label: int

    def still_in(self, mask: Mask) -> BoolArray:
        """Those of the voxels that have the label now."""
        return np.asarray(self.crop & (mask.array[self.box.slices] == self.label))


@dataclass(frozen=True)
class Rules:
    """What holds where a region changes.

    Attributes
    ----------
    ground
        Label that takes the place of voxels the region loses.
    constraint
        What may be overwritten.
    """

    ground: int = 0
    constraint: Constraint = FREE


NO_RULES = Rules()


@dataclass(frozen=True, eq=False)
class Transfer:
    """A region written into another mask.

    Attributes
    ----------
    patches
        Of the target and, when the region moves, of the source; none when the target can take
        nothing of it.
    arrived
        The region on the grid of the target, without what the target cannot take.
    missing
        Voxels of the region, on its own grid, that the target cannot take: they lie outside of
        it, or on what may not be overwritten.
    """

    patches: tuple[Patch, ...]
    arrived: VoxelSet
    missing: int


def relabel_region(
    mask: Mask, region: RegionVoxels, label: int, constraint: Constraint = FREE
) -> Patch | None:
    """Give a region another label; 0 deletes it."""
    return write(mask, region.box, region.crop, label, constraint.restricted_to(region.label))


def transfer_region(
    source: Mask,
    region: RegionVoxels,
    target: Mask,
    label: int,
    constraint: Constraint = FREE,
    *,
    source_grid: Grid | None = None,
    leaving: Rules | None = None,
) -> Transfer:
    """Write a region into another mask; when it moves, take out of its own what has arrived.

    On another grid each voxel of the target takes the nearest voxel of the source; the target is
    never resampled beyond the region's box.

    Parameters
    ----------
    source, region
        Left as it is.
    target, label, constraint
        As for :func:`~labeler.core.painting.write`.
    source_grid
        Where the source lies as the target sees it; its own grid by default.
    leaving
        For a move, what holds in the source. What the target cannot take stays there.

    Raises
    ------
    PaintingError
        When the region is to move, but may not be taken out of its mask.
    """
    grid = source_grid or source.grid
    here = region.still_in(source)
    if leaving is not None and region.label in leaving.constraint.locked:
        raise PaintingError(f"The label of the region is locked in {source.name}")
    box, inside = resampled(here, region.box, grid, target.grid)
    if box.is_empty:
        nothing = VoxelSet(box, np.zeros(box.shape_kji, np.bool_))
        return Transfer((), nothing, int(np.count_nonzero(here)))
    taken = constraint.writable(target, box, label)
    arrived = VoxelSet(box, np.asarray(inside & taken))
    _, back = resampled(taken, box, target.grid, grid, within=region.box)
    gone = here & back
    missing = int(np.count_nonzero(here)) - int(np.count_nonzero(gone))
    if arrived.is_empty:
        return Transfer((), arrived, missing)
    patches = [write(target, box, arrived.inside, label, constraint)]
    if leaving is not None:
        rest = replace(region, crop=gone)
        patches.append(relabel_region(source, rest, leaving.ground, leaving.constraint))
    return Transfer(tuple(p for p in patches if p is not None), arrived, missing)


def touches_more(mask: Mask, voxels: VoxelSet, label: int) -> bool:
    """Whether some of the voxels, which have a label, touch others of it (26 neighbours)."""
    wide = voxels.padded((1, 1, 1), mask.grid.shape_kji)
    others = (mask.array[wide.box.slices] == label) & ~wide.inside
    near = wide.inside
    for axis in range(3):
        moved = np.moveaxis(near, axis, 0)
        spread = moved.copy()
        spread[1:] |= moved[:-1]
        spread[:-1] |= moved[1:]
        near = np.moveaxis(spread, 0, axis)
    return bool((near & others).any())


def inner_voxel(voxels: VoxelSet) -> tuple[int, int, int]:
    """A voxel of a set (not empty), ``k, j, i``: near the middle of its largest axial slice."""
    k = int(np.argmax(np.count_nonzero(voxels.inside, axis=(1, 2))))
    places = np.argwhere(voxels.inside[k])
    j, i = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))].tolist()
    lo = voxels.box.lo_kji
    return lo[0] + k, lo[1] + j, lo[2] + i
