"""Where on a slice the limits let a tool draw, shown while they are being set."""

from __future__ import annotations

import numpy.typing as npt

from labeler.core.geometry import Plane
from labeler.core.raster import GridSlice
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.edit_rules import drawing_target, ink_of
from labeler.workflows.mask_places import points_on_mask
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
