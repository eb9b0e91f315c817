"""New masks: empty ones, copies, and those from files elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from labeler.core.edits import Edit
from labeler.core.mask import Box, Mask, Patch
from labeler.state.session import Session
from labeler.state.tasks import TaskContext
from labeler.storage.atomic import split_name
from labeler.storage.cases import new_mask_path
from labeler.storage.errors import ImageError
from labeler.storage.masks import MaskFile
from labeler.storage.masks import new_mask as empty_mask_file
from labeler.workflows.carry_out import carry_out
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.workspace import Workspace

#: Characters that no file system or sorting of files takes well.
FORBIDDEN_IN_NAMES = set('/\\:*?"<>|\n\r\t\0')


def free_name(suggestion: str, taken: Iterable[str]) -> str:
    """Return the suggestion, with a number when it is taken."""
    used = {name.casefold() for name in taken}
    name, number = suggestion, 2
    while name.casefold() in used:
        name, number = f"{suggestion} {number}", number + 1
    return name


def taken_names(session: Session) -> set[str]:
    """Names of masks that are open, and of files of the case that could not be."""
    files = session.case.masks if session.case is not None else ()
    return {*session.masks, *session.closed, *(source.name for source in files)}


def name_of_file(session: Session, path: Path) -> str:
    """Name that a mask file gets in the open case; that of a closed mask when it is its file."""
    for name, closed in session.closed.items():
        if closed.path == path:
            return name
    return free_name(split_name(path.name)[0], taken_names(session))


def as_mask_of(session: Session, file: MaskFile) -> MaskFile:
    """Return a mask that was read from a file as it joins the open case.

    A mask that was closed goes on where it was. A file that the case would not find again the
    next time is left alone: the mask gets a file of its own with the case. In a case that can
    only be looked at, everything stays as it is.

    Raises
    ------
    ImageError
        When the file of a closed mask has been changed since.
    """
    name, case = file.mask.name, session.case
    closed = session.closed.get(name)
    if closed is not None and closed.path == file.path:
        known = closed.fingerprint
        if known is None or file.fingerprint is None or not file.fingerprint.same_content(known):
            raise ImageError(
                f"{file.path.name} was changed after it was closed; open the case again to see it."
            )
        file.mask.resume(closed.revision)
        return file
    if case is None or session.read_only_reason is not None:
        return file
    if name in {source.name for source in case.masks} or file.path == new_mask_path(case, name):
        return file
    return replace(file, path=Path(f"{name}.nii.gz"), fingerprint=None)


def new_mask(ws: Workspace, name: str, phase: str) -> None:
    """Add an empty mask on the grid of a phase and make it the active one.

    Raises
    ------
    EditRefused
        When the name cannot be used, the phase is not read, or the case is read-only.
    """
    refuse_read_only(ws)
    name = checked_name(ws, name)
    volume = ws.session.volumes.get(phase)
    if volume is None:
        raise EditRefused(f"There is no {phase} phase to draw a mask on")
    file = empty_mask_file(name, volume.grid, volume.axis_order, volume)
    ws.session.add_mask(file.mask, file)
    ws.selection.set_mask(name)


def copy_mask(ws: Workspace, name: str, new_name: str) -> None:
    """Add a copy of a mask under another name; its content is one undoable edit.

    The copy is there at once and filled when the background task is done.

    Raises
    ------
    EditRefused
        When the name cannot be used, the mask is gone, or the case is read-only.
    """
    refuse_read_only(ws)
    new_name = checked_name(ws, new_name)
    entry = ws.session.masks.get(name)
    if entry is None or entry.file is None:
        raise EditRefused(f"There is no mask {name} to copy")
    mask = entry.mask
    file = empty_mask_file(new_name, mask.grid, mask.axis_order, entry.file)
    ws.session.add_mask(file.mask, file)
    ws.selection.set_mask(new_name)
    ws.tasks.submit(
        "compute",
        ("copy mask", new_name),
        _content,
        mask,
        new_name,
        done=partial(_fill_copy, ws, file, f"Copy mask {name} to {new_name}"),
    )


def checked_name(ws: Workspace, name: str) -> str:
    """Return a name for a new mask without spaces around it.

    Raises
    ------
    EditRefused
        When it is empty, taken, or no file can be called so.
    """
    name = name.strip()
    if not name:
        raise EditRefused("Give the mask a name")
    if name.startswith(".") or FORBIDDEN_IN_NAMES & set(name):
        raise EditRefused(f"A mask cannot be called {name!r}: no file can")
    if name.casefold() in {known.casefold() for known in taken_names(ws.session)}:
        raise EditRefused(f"There is a mask {name} already")
    return name


def _content(context: TaskContext, mask: Mask, new_name: str) -> Patch | None:
    """Make the patch that turns an empty mask into a copy of ``mask``."""
    array, _ = mask.snapshot()
    context.check()
    return Patch.between(new_name, Box.whole(array.shape), np.zeros_like(array), array)


def _fill_copy(ws: Workspace, file: MaskFile, name: str, patch: Patch | None) -> None:
    entry = ws.session.masks.get(file.mask.name)
    if patch is not None and entry is not None and entry.mask is file.mask:
        try:
            carry_out(ws, Edit(name, (patch,)))
        except EditRefused as refusal:
            ws.session.problem_found.emit("app", str(refusal))
