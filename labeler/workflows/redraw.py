"""Taking edits back and drawing the same again on another content.

The patches of edits are differences: applied to another content than they were made on, they
would leave labels that nobody drew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from labeler.core.edits import Edit, Step, ValueChange
from labeler.core.mask import Box, LabelArray, Patch
from labeler.core.raster import BoolArray
from labeler.state.session import Session


@dataclass(frozen=True, eq=False)
class _Painted:
    """Labels that an edit has led to in a mask."""

    mask: str
    box: Box
    inside: BoolArray
    labels: LabelArray


@dataclass(frozen=True, eq=False)
class Drawn:
    """What an edit led to: in each mask, and in the notes."""

    name: str
    painted: tuple[_Painted, ...]
    values: tuple[ValueChange, ...]


def take_back(session: Session) -> list[Drawn]:
    """Undo everything in the history and empty it; what was done is returned, oldest first."""
    drawn: list[Drawn] = []
    while session.history.done:
        edit = session.history.done[-1]
        names = dict.fromkeys(patch.mask for patch in edit.patches)
        painted = tuple(_painted(session, edit, name) for name in names)
        values = tuple(step for step in edit.steps if isinstance(step, ValueChange))
        drawn.append(Drawn(edit.name, painted, values))
        session.undo()
    session.history.clear()
    return drawn[::-1]


def draw_again(session: Session, drawn: list[Drawn]) -> None:
    """Do what was taken back, on the present content."""
    for one in drawn:
        steps: list[Step | None] = [_patch(session, painted) for painted in one.painted]
        notes = session.annotations
        steps += [notes.change(value.field, value.key, value.after) for value in one.values]
        left = tuple(step for step in steps if step is not None)
        if left:
            session.apply(Edit(one.name, left))


def _painted(session: Session, edit: Edit, mask: str) -> _Painted:
    patches = [patch for patch in edit.patches if patch.mask == mask]
    box = reduce(Box.union, (patch.box for patch in patches))
    inside = np.zeros(box.shape_kji, np.bool_)
    for patch in patches:
        inside[patch.box.slices_in(box)] |= patch.difference() != 0
    return _Painted(mask, box, inside, session.masks[mask].mask.array[box.slices].copy())


def _patch(session: Session, painted: _Painted) -> Patch | None:
    before = session.masks[painted.mask].mask.array[painted.box.slices]
    after = np.where(painted.inside, painted.labels, before)
    return Patch.between(painted.mask, painted.box, before, after)
