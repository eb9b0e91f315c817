"""Drawing what a tool has shown before: the last step of every tool with a preview."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from labeler.core.distance import Check
from labeler.core.mask import Mask, Patch
from labeler.core.painting import write
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.background_edit import edit_now_or_later
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
    sets = [voxels for voxels in shown if voxels is not None]

    def work(masks: Sequence[Mask], check: Check) -> Iterator[Patch | None]:
        for voxels in sets:
            check()
            yield write(masks[0], voxels.box, voxels.inside, ink.label, ink.constraint)

    size = sum(voxels.inside.size for voxels in sets)
    edit_now_or_later(ws, "draw", name, [mask], work, size)
