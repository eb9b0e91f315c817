"""Acts on whole regions: delete, relabel, fill holes, copy and move to another mask.

A region's voxels are given as :meth:`RegionIndex.component_crop` returns them: a box and which of
its voxels belong to the region. The index may be some strokes behind the mask, so only voxels
that still have the region's label are changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from labeler.core.geometry import Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import FREE, Constraint, PaintingError, write
from labeler.core.raster import BoolArray
from labeler.core.resampling import resampled


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


def relabel_region(
    mask: Mask, region: RegionVoxels, label: int, constraint: Constraint = FREE
) -> Patch | None:
    """Give a region another label; 0 deletes it."""
    return write(mask, region.box, region.crop, label, constraint.restricted_to(region.label))


def fill_region_holes(
    mask: Mask, region: RegionVoxels, plane: Plane = Plane.AXIAL, constraint: Constraint = FREE
) -> Patch | None:
    """Fill background that the region encloses on a slice, slice by slice; other labels stay."""
    axis = 2 - plane.normal_axis
    solid = np.moveaxis(region.still_in(mask), axis, 0)
    holes = np.zeros(solid.shape, np.bool_)
    for n, part in enumerate(solid):
        # Flood the outside from a frame around the slice; what stays dry is enclosed. Diagonal
        # neighbours hold water, as 26-connected regions do.
        framed = np.pad(part.astype(np.uint8), 1)
        cv2.floodFill(framed, None, (0, 0), 2, flags=4)
        holes[n] = framed[1:-1, 1:-1] == 0
    filled = np.moveaxis(holes, 0, axis)
    return write(mask, region.box, filled, region.label, constraint.restricted_to(0))


def copy_region(
    source: Mask, region: RegionVoxels, target: Mask, label: int, constraint: Constraint = FREE
) -> Patch | None:
    """Write a region into another mask.

    On another grid each voxel of the target takes the nearest voxel of the source; the target is
    never resampled beyond the region's box.
    """
    box, inside = resampled(region.still_in(source), region.box, source.grid, target.grid)
    return None if box.is_empty else write(target, box, inside, label, constraint)


def move_region(
    source: Mask,
    region: RegionVoxels,
    target: Mask,
    label: int,
    *,
    source_constraint: Constraint = FREE,
    target_constraint: Constraint = FREE,
) -> tuple[Patch, ...]:
    """Write a region into another mask and delete it from its own: one patch for each.

    What the target cannot take, because it lies outside of it or on labels that may not be
    overwritten, stays in the source; when it can take nothing at all, nothing happens.

    Raises
    ------
    PaintingError
        When the region may not be taken out of its mask.
    """
    if region.label in source_constraint.locked or 0 in source_constraint.locked:
        raise PaintingError(f"The label of the region is locked in {source.name}.")
    here = region.still_in(source)
    box, inside = resampled(here, region.box, source.grid, target.grid)
    if box.is_empty:
        return ()
    taken = target_constraint.writable(target, box, label)
    if not (taken & inside).any():
        return ()
    there = write(target, box, inside, label, target_constraint)
    _, arrived = resampled(taken, box, target.grid, source.grid, within=region.box)
    rest = replace(region, crop=here & arrived)
    gone = relabel_region(source, rest, 0, source_constraint)
    return tuple(patch for patch in (there, gone) if patch is not None)
