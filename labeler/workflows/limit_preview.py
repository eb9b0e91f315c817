"""What a tool would draw where the pointer is, and where on a slice the limits let it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import Plane
from labeler.core.mask import Mask, Patch
from labeler.core.painting import PaintingError, fill_area
from labeler.core.raster import GridSlice, Stamp
from labeler.core.rings import Rings, crack_rings
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.edit_mask import BrushStroke
from labeler.workflows.edit_rules import drawing_target, ink_of
from labeler.workflows.mask_places import points_as_shown, points_on_mask
from labeler.workflows.workspace import Workspace


def drawable_voxels(ws: Workspace, plane: Plane, ras: npt.ArrayLike) -> VoxelSet | None:
    """Voxels of the slice at a point that drawing may give the active label.

    Parameters
    ----------
    plane
        Plane of the active mask's grid.
    ras
        RAS mm as shown; chooses the slice.

    Returns
    -------
    VoxelSet or None
        ``None`` where there are none, and outside of the mask.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target` and
        :func:`~labeler.workflows.edit_rules.ink_of`.
    """
    mask = drawing_target(ws)
    ink = ink_of(ws, mask)
    at = GridSlice.near(mask.grid, plane, points_on_mask(ws, mask, ras))
    if at is None:
        return None
    box = at.box((0, 0), at.shape)
    voxels = VoxelSet(box, ink.constraint.writable(mask, box, ink.label))
    return None if voxels.is_empty else voxels


def dab_rings(
    ws: Workspace,
    plane: Plane,
    ras: npt.ArrayLike,
    *,
    erase: bool = False,
    ball: bool = False,
    similar_phase: str | None = None,
) -> Rings:
    """Rings around the voxels of the slice at a point that a dab of the brush would change there.

    Parameters
    ----------
    plane, erase, ball, similar_phase
        As for :class:`~labeler.workflows.edit_mask.BrushStroke`.
    ras
        RAS mm as shown, as are the rings.

    Raises
    ------
    EditRefused
        As a stroke would be.
    """
    stroke = BrushStroke(ws, plane, erase, ball=ball, similar_phase=similar_phase)
    return _rings_of(ws, drawing_target(ws), plane, ras, stroke.dab(ras))


def fill_rings(ws: Workspace, plane: Plane, ras: npt.ArrayLike) -> Rings:
    """Rings around the area that a click at a point would fill; none where it would be refused.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target` and
        :func:`~labeler.workflows.edit_rules.ink_of`.
    """
    mask = drawing_target(ws)
    ink = ink_of(ws, mask)
    try:
        patch = fill_area(mask, plane, points_on_mask(ws, mask, ras), ink.label, ink.constraint)
    except PaintingError:  # said when somebody clicks
        return ()
    return _rings_of(ws, mask, plane, ras, patch)


def _rings_of(
    ws: Workspace, mask: Mask, plane: Plane, ras: npt.ArrayLike, patch: Patch | None
) -> Rings:
    """Rings around what a patch changes on the slice at a point."""
    at = GridSlice.near(mask.grid, plane, points_on_mask(ws, mask, ras))
    if at is None or patch is None:
        return ()
    axis = 2 - plane.normal_axis
    if not patch.box.lo_kji[axis] <= at.index < patch.box.hi_kji[axis]:
        return ()
    changed = np.take(patch.difference(), at.index - patch.box.lo_kji[axis], axis=axis) > 0
    row, column = (lo for a, lo in enumerate(patch.box.lo_kji) if a != axis)
    rings = crack_rings(Stamp((row, column), changed))
    return tuple(points_as_shown(ws, mask, at.to_ras(ring)) for ring in rings)
