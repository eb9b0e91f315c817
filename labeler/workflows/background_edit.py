"""Edits that take longer than a frame: worked out in the background, done as one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from labeler.core.distance import Check
from labeler.core.edits import Edit, ValueChange
from labeler.core.effects import Effect, effect_of
from labeler.core.mask import LabelArray, Mask, Patch
from labeler.core.painting import PaintingError
from labeler.core.regions import RegionIndex
from labeler.state.session import Ready
from labeler.state.tasks import TaskContext
from labeler.workflows.carry_out import carry_out, is_large
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace

T = TypeVar("T")

#: Voxels that an edit is worked out for within a few milliseconds.
AT_ONCE_VOXELS = 400_000

#: Takes a sentence for the user: why something that was begun has not been done.
Refused = Callable[[str], None]

#: Works an edit out on a copy of the mask, which it may change; returns what is to be applied, in
#: order. Calls the check now and then.
Work = Callable[[Mask, Check], Iterable[Patch | None]]

#: The same with copies of several masks.
WorkOnMasks = Callable[[Sequence[Mask], Check], Iterable[Patch | None]]


@dataclass(frozen=True, eq=False)
class Plan:
    """A change of one mask that can be worked out, to be looked at or to be done.

    Attributes
    ----------
    name
        Name of the edit.
    mask
        A mask of the session.
    work
        Works it out in another thread.
    labels
        Labels whose shapes change.
    """

    name: str
    mask: Mask
    work: Work
    labels: frozenset[int]


@dataclass(frozen=True, eq=False)
class Draft:
    """An edit that has been worked out and waits to be done.

    Attributes
    ----------
    name
        Name of the edit.
    patches
        What it does, in order; none when nothing would change.
    effect
        What it does in words and colours; only of a plan that was looked at.
    """

    name: str
    patches: tuple[Patch, ...]
    effect: Effect | None = None
    _bases: tuple[_Base, ...] = ()
    _ready: Ready = field(default_factory=dict)

    def has_lost_its_mask(self, ws: Workspace) -> bool:
        """Whether a mask it is for was closed: nobody waits for it then."""
        entries = [(base, ws.session.masks.get(base.mask.name)) for base in self._bases]
        return any(entry is None or entry.mask is not base.mask for base, entry in entries)

    def commit(self, ws: Workspace, values: Iterable[ValueChange] = ()) -> None:
        """Do it, unless a mask has changed meanwhile where it would be changed.

        Parameters
        ----------
        values
            Notes that change in the same step.

        Raises
        ------
        EditRefused
            When nothing is done.
        """
        if not self.patches:
            raise EditRefused(f"{self.name}: nothing would change")
        if not self.has_lost_its_mask(ws):
            edit = Edit(self.name, (*self.patches, *values))
            carry_out(ws, edit, self._ready, self._changed)

    def _changed(self) -> list[str]:
        """Names of masks that changed where they are going to be changed; for any thread."""
        return [base.mask.name for base in self._bases if not base.is_unchanged]


@dataclass(frozen=True, eq=False)
class _Base:
    """What a mask held, where it is going to be changed, when an edit was worked out."""

    mask: Mask
    revision: int
    before: tuple[tuple[Patch, LabelArray], ...]

    @property
    def is_unchanged(self) -> bool:
        return self.mask.revision == self.revision or all(
            np.array_equal(self.mask.array[patch.box.slices], content)
            for patch, content in self.before
        )


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
    draft_in_background(
        ws, act, name, [mask], lambda copies, check: work(copies[0], check),
        partial(_commit, ws, refused), refused,
    )  # fmt: skip


def edit_now_or_later(
    ws: Workspace, act: str, name: str, masks: Sequence[Mask], work: WorkOnMasks, voxels: int
) -> None:
    """Work an edit out and do it: at once when it is small, else in the background.

    Parameters
    ----------
    act, name, masks
        As for :func:`draft_in_background`.
    work
        As there; must leave the masks as they are.
    voxels
        How many it looks at.

    Raises
    ------
    EditRefused
        When nothing would change. A refusal that comes later is told as a problem of the session.
    """
    if voxels > AT_ONCE_VOXELS:
        refused = partial(ws.session.problem_found.emit, "app")
        draft_in_background(ws, act, name, masks, work, partial(_commit, ws, refused), refused)
        return
    patches = tuple(patch for patch in work(masks, lambda: None) if patch is not None)
    if not patches:
        raise EditRefused(f"{name}: nothing would change")
    carry_out(ws, Edit(name, patches))


def _commit(ws: Workspace, refused: Refused, draft: Draft) -> None:
    try:
        draft.commit(ws)
    except EditRefused as refusal:
        refused(str(refusal))


def draft_in_background(
    ws: Workspace,
    act: str,
    name: str,
    masks: Sequence[Mask],
    work: WorkOnMasks,
    done: Callable[[Draft], None],
    refused: Refused,
) -> None:
    """Work an edit of several masks out and hand it over; nothing is changed.

    Parameters
    ----------
    act, name, refused
        As for :func:`edit_in_background`.
    masks
        Masks of the session.
    work
        Runs in another thread on copies of them.
    done
        Gets the draft in the main thread, unless a mask was closed meanwhile.
    """

    def run(context: TaskContext) -> Draft:
        return _draft(context, name, masks, work)

    _submit(ws, act, run, done, refused)


def look_in_background(
    ws: Workspace, act: str, plan: Plan, shown: Callable[[Draft], None], refused: Refused
) -> None:
    """Work a plan out together with its effect, to be looked at; nothing is changed.

    Parameters
    ----------
    act, refused
        As for :func:`edit_in_background`.
    shown
        Gets the draft in the main thread, unless the mask was closed meanwhile.
    """
    index = ws.session.regions.get(plan.mask.name)

    def run(context: TaskContext) -> Draft:
        return _draft(
            context, plan.name, [plan.mask],
            lambda copies, check: plan.work(copies[0], check), (plan.labels, index),
        )  # fmt: skip

    _submit(ws, act, run, shown, refused)


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


def _submit(
    ws: Workspace,
    act: str,
    run: Callable[[TaskContext], Draft],
    done: Callable[[Draft], None],
    refused: Refused,
) -> None:
    def drafted(draft: Draft) -> None:
        if not draft.has_lost_its_mask(ws):
            done(draft)

    ws.tasks.submit("compute", ("edit", act), run, done=drafted, failed=_failed(ws, refused))


def _failed(ws: Workspace, refused: Refused) -> Callable[[Exception], None]:
    """Tell sentences for the user from errors of the program."""

    def failed(error: Exception) -> None:
        if isinstance(error, PaintingError):
            refused(str(error))
        else:
            ws.tasks.failed.emit(error)

    return failed


def _draft(
    context: TaskContext,
    name: str,
    masks: Sequence[Mask],
    work: WorkOnMasks,
    look: tuple[frozenset[int], RegionIndex | None] | None = None,
) -> Draft:
    """Work an edit out; with ``look``, the labels and regions of its (only) mask, what it does."""
    snapshots = []
    for mask in masks:
        snapshots.append(mask.snapshot())
        context.check()
    copies = [
        Mask(mask.name, before.copy(), mask.grid, mask.axis_order)
        for mask, (before, _) in zip(masks, snapshots, strict=True)
    ]
    patches = tuple(patch for patch in work(copies, context.check) if patch is not None)
    bases = tuple(
        _Base(
            mask,
            revision,
            tuple((p, before[p.box.slices].copy()) for p in patches if p.mask == mask.name),
        )
        for mask, (before, revision) in zip(masks, snapshots, strict=True)
    )
    context.check()
    effect = None
    if look is not None:
        effect = effect_of(snapshots[0][0], patches, *look)
    ready = {}
    if is_large(patches):
        for mask, snapshot in zip(masks, snapshots, strict=True):
            own = [patch for patch in patches if patch.mask == mask.name]
            if own:
                ready[mask.name] = mask.prepare(own, snapshot)
    return Draft(name, patches, effect, bases, ready)
