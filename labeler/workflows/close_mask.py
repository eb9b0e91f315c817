"""Taking a mask out of the window; its file stays where it is.

Closing is no edit. The steps that changed the mask leave the history with it; steps of other
masks and of the notes stay, in their order. What was not saved is saved first or given up, and
giving up is written to the journal as what it is: a step back to the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from labeler.core.edits import Edit
from labeler.core.mask import Box, Mask, Patch
from labeler.state.tasks import TaskContext
from labeler.storage.errors import ImageError
from labeler.storage.masks import MaskFile, read_mask
from labeler.workflows.edit_rules import EditRefused, refuse_busy
from labeler.workflows.workspace import Workspace


def close_mask(ws: Workspace, name: str) -> None:
    """Take a saved mask out of the window.

    Raises
    ------
    EditRefused
        When it has changes that are not saved, or a change of something is under way.
    """
    refuse_busy(ws)
    entry = ws.session.masks.get(name)
    if entry is None:
        return
    if entry.mask.is_dirty or entry.file is None or entry.file.fingerprint is None:
        raise EditRefused(f"{name} is not saved yet")
    selection = ws.selection
    if selection.region is not None and selection.region.mask == name:
        selection.select_region(None)
    ws.session.remove_mask(name)
    if selection.mask == name:
        selection.set_mask(next(iter(ws.session.masks), None))


def discard_and_close(ws: Workspace, name: str, refused: Callable[[str], None]) -> None:
    """Give up what is not saved of a mask and take it out of the window, in the background.

    ``refused`` is called with a sentence when that cannot be done.

    Raises
    ------
    EditRefused
        When a change of something is under way.
    """
    refuse_busy(ws)
    entry = ws.session.masks.get(name)
    if entry is None or entry.file is None:
        return
    ws.tasks.submit(
        "io", ("close mask", name), _way_back, entry.mask, entry.file,
        done=partial(_give_up, ws, entry.mask, refused),
        failed=lambda error: refused(str(error)),
    )  # fmt: skip


def _way_back(context: TaskContext, mask: Mask, file: MaskFile) -> tuple[Patch | None, int]:
    """Make the patch from the present content to that on disk; with the present revision."""
    on_disk = read_mask(file.path, mask.name, context)
    known, found = file.fingerprint, on_disk.fingerprint
    if known is None or found is None or not found.same_content(known):
        raise ImageError(
            f"{file.path.name} was changed by somebody else; save a copy, or open the case again."
        )
    array, revision = mask.snapshot()
    return Patch.between(mask.name, Box.whole(array.shape), array, on_disk.mask.array), revision


def _give_up(
    ws: Workspace,
    mask: Mask,
    refused: Callable[[str], None],
    way_back: tuple[Patch | None, int],
) -> None:
    entry = ws.session.masks.get(mask.name)
    if entry is None or entry.mask is not mask:
        return
    patch, revision = way_back
    try:
        refuse_busy(ws)
        if mask.revision != revision:
            raise EditRefused(f"{mask.name} was changed meanwhile")
        if patch is not None:
            # With this token the mask has the revision of its file again.
            patch = replace(patch, token=mask.revision ^ mask.saved_revision)
            ws.session.apply(Edit(f"Discard changes of {mask.name}", (patch,)))
        else:
            mask.mark_saved(mask.revision)
        close_mask(ws, mask.name)
    except EditRefused as refusal:
        refused(str(refusal))
