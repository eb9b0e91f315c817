"""Edits that take longer than a frame: worked out in the background, done as one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from labeler.core.distance import Check
from labeler.core.edits import Edit
from labeler.core.mask import LabelArray, Mask, Patch
from labeler.core.painting import PaintingError
from labeler.state.tasks import TaskContext
from labeler.workflows.workspace import Workspace

T = TypeVar("T")

#: Takes a sentence for the user: why something that was begun has not been done.
Refused = Callable[[str], None]

#: Works an edit out on a copy of the mask, which it may change; returns what is to be applied, in
#: order. Calls the check now and then.
Work = Callable[[Mask, Check], Iterable[Patch | None]]


def edit_in_background(
    ws: Workspace, act: str, name: str, mask: Mask, work: Work, refused: Refused
) -> None:
    """Work an edit out on a copy and apply it, unless the mask has changed there meanwhile.

    What was changed elsewhere in the mask while it ran is kept.

    Parameters
    ----------
    act
        Key of the task; a newer one of the same key takes its place.
    name
        Name of the edit.
    mask
        A mask of the session.
    work
        Runs in another thread.
    refused
        Called in the main thread when nothing is done.
    """

    def done(result: tuple[list[Patch], int, LabelArray]) -> None:
        patches, revision, before = result
        entry = ws.session.masks.get(mask.name)
        if entry is None or entry.mask is not mask:
            return  # the case was closed: nobody waits for it
        if mask.revision != revision and not _is_unchanged(mask, before, patches):
            refused(f"{name}: {mask.name} was changed there meanwhile, so nothing was done")
        elif not patches:
            refused(f"{name}: nothing would change")
        else:
            ws.session.apply(Edit(name, tuple(patches)))

    ws.tasks.submit(
        "compute", ("edit", act), _run, mask, work, done=done, failed=_failed(ws, refused)
    )  # fmt: skip


def find_in_background(
    ws: Workspace,
    act: str,
    mask: Mask,
    find: Callable[[Mask, Check], T],
    shown: Callable[[T, int], None],
    refused: Refused,
) -> None:
    """Look for something in a copy of a mask and show it; nothing is changed.

    Parameters
    ----------
    act, mask, refused
        As for :func:`edit_in_background`.
    find
        Runs in another thread.
    shown
        Gets in the main thread what was found and the revision of the mask it was found in,
        unless the mask was closed meanwhile.
    """

    def done(result: tuple[T, int]) -> None:
        entry = ws.session.masks.get(mask.name)
        if entry is not None and entry.mask is mask:
            shown(*result)

    def run(context: TaskContext) -> tuple[T, int]:
        array, revision = mask.snapshot()
        context.check()
        copy = Mask(mask.name, array, mask.grid, mask.axis_order)
        return find(copy, context.check), revision

    ws.tasks.submit("compute", ("edit", act), run, done=done, failed=_failed(ws, refused))


def _failed(ws: Workspace, refused: Refused) -> Callable[[Exception], None]:
    """Tell sentences for the user from errors of the program."""

    def failed(error: Exception) -> None:
        if isinstance(error, PaintingError):
            refused(str(error))
        else:
            ws.tasks.failed.emit(error)

    return failed


def _run(context: TaskContext, mask: Mask, work: Work) -> tuple[list[Patch], int, LabelArray]:
    """Patches, and the revision and content of the mask they are for."""
    before, revision = mask.snapshot()
    context.check()
    copy = Mask(mask.name, before.copy(), mask.grid, mask.axis_order)
    patches = [patch for patch in work(copy, context.check) if patch is not None]
    return patches, revision, before


def _is_unchanged(mask: Mask, before: LabelArray, patches: Iterable[Patch]) -> bool:
    """Whether a mask still has, where patches change it, what it had."""
    boxes = [patch.box.slices for patch in patches]
    return all(np.array_equal(mask.array[box], before[box]) for box in boxes)
