"""Bringing back what an earlier run did: all of it in one go, worked out in the background.

Five hundred strokes one after the other make the window stand still: everything that listens to
the session would be told of each. Their patches are applied to a copy of each mask instead, and
the main thread puts the copies in place and tells once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from labeler.core.edits import Edit, Step
from labeler.core.mask import Mask, Patch
from labeler.state.session import Ready, Session
from labeler.state.tasks import TaskContext, TaskRunner
from labeler.storage.recovery import Act, JournalEntry
from labeler.workflows.carry_out import is_large

#: Patches that are applied within a few milliseconds.
AT_ONCE_PATCHES = 50


def in_one(entries: Iterable[JournalEntry], name: str) -> Edit:
    """The edit that does what was done, undone and done again, in this order."""
    steps: list[Step] = []
    for entry in entries:
        if entry.act is not Act.UNDO:
            steps += entry.edit.steps
            continue
        steps += [_inverse(step) for step in reversed(entry.edit.steps)]
    return Edit(name, tuple(steps))


def _inverse(step: Step) -> Step:
    if isinstance(step, Patch):
        return step
    return replace(step, before=step.after, after=step.before)


def replay(
    session: Session,
    tasks: TaskRunner,
    edit: Edit,
    done: Callable[[], None],
    failed: Callable[[Exception], None],
    *,
    at_once: bool = False,
) -> None:
    """Carry out an edit that is not to be a step of the history.

    What is large is worked out by a task; until it is done nothing else can be edited. When the
    case is left meanwhile, neither ``done`` nor ``failed`` is called.

    Parameters
    ----------
    done
        Called in the main thread when it is done.
    failed
        Gets what kept the task from it; nothing has changed then.
    at_once
        Do it before this returns, however long it takes.
    """
    patches = edit.patches
    if at_once or not (is_large(patches) or len(patches) > AT_ONCE_PATCHES):
        session.replay(edit)
        done()
        return
    masks = {patch.mask: session.masks[patch.mask].mask for patch in patches}
    session.busy_with = busy = f"\u201c{edit.name}\u201d"

    def prepared(ready: Ready) -> None:
        if session.busy_with is not busy:  # another case, or the same one opened again
            return
        session.busy_with = None
        entries = session.masks
        closed = [n for n, mask in masks.items() if n not in entries or entries[n].mask is not mask]
        if closed:
            failed(ValueError(f"{closed[0]} was closed meanwhile."))
            return
        fresh = {n: r for n, r in ready.items() if r.base_revision == masks[n].revision}
        session.replay(edit, fresh)
        done()

    def not_prepared(error: Exception) -> None:
        if session.busy_with is busy:
            session.busy_with = None
            failed(error)

    tasks.submit(
        "compute", ("edit", "replay"), _prepare, patches, masks,
        done=prepared, failed=not_prepared,
    )  # fmt: skip


def _prepare(context: TaskContext, patches: Iterable[Patch], masks: Mapping[str, Mask]) -> Ready:
    ready = {}
    for name, mask in masks.items():
        context.check()
        ready[name] = mask.prepare(patch for patch in patches if patch.mask == name)
    return ready
