"""Drawing what a tool has shown before: the last step of every tool with a preview."""

from __future__ import annotations

from collections.abc import Iterable

from labeler.core.edits import Edit
from labeler.core.mask import Mask
from labeler.core.painting import write
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.edit_rules import EditRefused, Ink, refuse_locked, refuse_read_only
from labeler.workflows.workspace import Workspace


def draw_voxels(
    ws: Workspace, mask: Mask, shown: Iterable[VoxelSet | None], ink: Ink, name: str
) -> None:
    """Give voxels the label of an ink; one edit.

    Parameters
    ----------
    mask
        The mask they were shown on.
    shown
        Sets that do not overlap; ``None`` counts for nothing.
    ink
        Label and limits. The label's lock counts as it is now.
    name
        Name of the edit.

    Raises
    ------
    EditRefused
        When the mask was closed, the label is locked, nothing would change, or the case is
        read-only.
    """
    refuse_read_only(ws)
    entry = ws.session.masks.get(mask.name)
    if entry is None or entry.mask is not mask:
        raise EditRefused(f"{mask.name} is no longer there")
    refuse_locked(ws, mask.name, ink.label)
    patches = [
        write(mask, voxels.box, voxels.inside, ink.label, ink.constraint)
        for voxels in shown
        if voxels is not None
    ]
    steps = tuple(patch for patch in patches if patch is not None)
    if not steps:
        raise EditRefused(f"{name}: nothing would change")
    ws.session.apply(Edit(name, steps))
