"""Carrying edits out: small ones at once, large ones prepared in the background.

To change eighty million voxels takes a tenth of a second, and the window must not stand still for
more than a frame. A large edit is worked out on a copy by a task; the main thread only puts the
result in place. Until then :func:`~labeler.workflows.edit_rules.refuse_read_only` lets nothing
else be changed: what would be drawn meanwhile would be drawn on a content that is about to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from labeler.core.edits import Edit
from labeler.core.mask import Mask, Patch
from labeler.state.session import NOT_READY, Ready
from labeler.state.tasks import TaskContext
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace

#: Voxels of the boxes of an edit that are changed within a few milliseconds.
AT_ONCE_VOXELS = 4_000_000

#: Names, from any thread, the masks that no longer are, where an edit changes them, what they were
#: when it was worked out.
Changed = Callable[[], Sequence[str]]


def is_large(patches: Iterable[Patch]) -> bool:
    """Whether an edit with these patches would make the window stand still."""
    return sum(patch.voxels for patch in patches) > AT_ONCE_VOXELS


def is_fresh(ws: Workspace, ready: Ready) -> bool:
    """Whether the masks are what their new content was prepared from."""
    masks = ws.session.masks
    return all(ready[name].base_revision == masks[name].mask.revision for name in ready)


def carry_out(
    ws: Workspace,
    edit: Edit,
    ready: Ready = NOT_READY,
    changed: Changed = tuple,
) -> None:
    """Apply a new edit, now or when it is prepared.

    Parameters
    ----------
    ready
        What the masks will be, where that was prepared with the edit.
    changed
        When it names a mask, nothing is done. A refusal that comes late is told as a problem of
        the session.

    Raises
    ------
    EditRefused
        When something else is being carried out, or a mask is known now to have changed.
    """
    session = ws.session
    if session.busy_with is not None:
        raise EditRefused(f"{edit.name}: {session.busy_with} is still being done")
    if ready and is_fresh(ws, ready):
        session.apply(edit, ready)
    elif is_large(edit.patches):
        session.busy_with = f"\u201c{edit.name}\u201d"
        prepare(ws, edit, partial(_apply, ws, edit, changed), changed)
    else:
        _refuse_changed(edit, changed)
        session.apply(edit)


def prepare(
    ws: Workspace,
    edit: Edit,
    done: Callable[[Ready], None],
    changed: Changed = tuple,
) -> None:
    """Work out in the background what the masks will be by an edit's patches.

    Parameters
    ----------
    done
        Called in the main thread, unless a mask was closed meanwhile.
    changed
        See :func:`carry_out`.
    """
    session = ws.session
    masks = {patch.mask: session.masks[patch.mask].mask for patch in edit.patches}

    def prepared(ready: Ready) -> None:
        entries = session.masks
        if all(name in entries and entries[name].mask is mask for name, mask in masks.items()):
            done(ready)

    def failed(error: Exception) -> None:
        session.busy_with = session.wanted_step = None
        if isinstance(error, EditRefused):
            session.problem_found.emit("app", str(error))
        else:
            ws.tasks.failed.emit(error)

    ws.tasks.submit(
        "compute", ("edit", "carry out"), _prepare, edit, masks, changed,
        done=prepared, failed=failed,
    )  # fmt: skip


def _apply(ws: Workspace, edit: Edit, changed: Changed, ready: Ready) -> None:
    ws.session.busy_with = None
    carry_out(ws, edit, ready, changed)


def _prepare(context: TaskContext, edit: Edit, masks: dict[str, Mask], changed: Changed) -> Ready:
    while True:
        revisions = {name: mask.revision for name, mask in masks.items()}
        _refuse_changed(edit, changed)
        ready = {}
        for name, mask in masks.items():
            context.check()
            ready[name] = mask.prepare(patch for patch in edit.patches if patch.mask == name)
        if all(ready[name].base_revision == revisions[name] for name in masks):
            return ready


def _refuse_changed(edit: Edit, changed: Changed) -> None:
    for name in changed():
        raise EditRefused(f"{edit.name}: {name} was changed there meanwhile, so nothing was done")
