"""Acts on whole regions: delete, relabel, fill holes, copy and move to another mask.

A region's voxels are given as :meth:`RegionIndex.component_crop` returns them: a box and which of
its voxels belong to the region. The index may be some strokes behind the mask, so only voxels
that still have the region's label are changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import FREE, Constraint, PaintingError, write
from labeler.core.raster import BoolArray


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
    box, inside = _resampled(region.still_in(source), region.box, source.grid, target.grid)
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
    box, inside = _resampled(here, region.box, source.grid, target.grid)
    if box.is_empty:
        return ()
    taken = target_constraint.writable(target.array[box.slices], label)
    if not (taken & inside).any():
        return ()
    there = write(target, box, inside, label, target_constraint)
    _, arrived = _resampled(taken, box, target.grid, source.grid, within=region.box)
    rest = replace(region, crop=here & arrived)
    gone = relabel_region(source, rest, 0, source_constraint)
    return tuple(patch for patch in (there, gone) if patch is not None)


def _resampled(
    crop: BoolArray, box: Box, grid: Grid, target: Grid, within: Box | None = None
) -> tuple[Box, BoolArray]:
    """A crop on another grid, by nearest voxel, in the part of the grid it can reach.

    The box is ``within`` when given, and empty when the crop lies outside of the target.
    """
    if within is None and grid.matches(target):
        return box, crop
    reached = within or _reach(box, grid, target)
    if reached.is_empty:
        return reached, np.zeros(reached.shape_kji, np.bool_)
    matrix = grid.inverse @ target.affine
    # Both origins moved to the corners of the boxes.
    matrix[:3, 3] += matrix[:3, :3] @ np.array(reached.lo_kji[::-1]) - np.array(box.lo_kji[::-1])
    return reached, _nearest(
        np.ascontiguousarray(crop), matrix, np.zeros(reached.shape_kji, np.bool_)
    )


def _reach(box: Box, grid: Grid, target: Grid) -> Box:
    ends = [(lo - 0.5, hi - 0.5) for lo, hi in zip(box.lo_kji[::-1], box.hi_kji[::-1], strict=True)]
    corners: FloatArray = np.array(np.meshgrid(*ends)).reshape(3, -1).T
    ijk: npt.NDArray[np.float64] = target.to_ijk(grid.to_ras(corners))
    lo_i, lo_j, lo_k = np.floor(ijk.min(axis=0)).astype(int).tolist()
    hi_i, hi_j, hi_k = (np.ceil(ijk.max(axis=0)).astype(int) + 1).tolist()
    return Box((lo_k, lo_j, lo_i), (hi_k, hi_j, hi_i)).clipped(target.shape_kji)


@kernel
def _nearest(crop: Array, matrix: Array, out: Array) -> Array:
    """Sample ``crop`` at the voxels of ``out``; ``matrix`` maps ijk of ``out`` to ijk of it."""
    n_k, n_j, n_i = crop.shape
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            x = matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3] + 0.5
            y = matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3] + 0.5
            z = matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3] + 0.5
            for i in range(out.shape[2]):
                a = int(np.floor(x + matrix[0, 0] * i))
                b = int(np.floor(y + matrix[1, 0] * i))
                c = int(np.floor(z + matrix[2, 0] * i))
                if 0 <= a < n_i and 0 <= b < n_j and 0 <= c < n_k:
                    out[k, j, i] = crop[c, b, a]
    return out
