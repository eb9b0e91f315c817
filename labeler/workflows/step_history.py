"""Walking through the history of a case, by as many steps as it takes.

Large steps are prepared in the background; a walk goes on when they are.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from labeler.core.edits import Edit, ValueChange
from labeler.core.geometry import FloatArray
from labeler.core.mask import Box
from labeler.state.session import Change, Ready, Session
from labeler.workflows.carry_out import is_fresh, is_large, prepare
from labeler.workflows.workspace import Workspace


def step_names(ws: Workspace) -> tuple[list[str], int]:
    """Names of all steps, oldest first, and how many of them are done.

    Returns
    -------
    names
        Edits that can be taken back, then those that can be brought back, in the order they were
        made.
    done
        Number of the former.
    """
    history = ws.session.history
    names = [edit.name for edit in history.done]
    return names + [edit.name for edit in reversed(history.undone)], len(names)


def undo(ws: Workspace) -> None:
    """Take the newest edit back."""
    _go(ws, -1)


def redo(ws: Workspace) -> None:
    """Bring the last undone edit back."""
    _go(ws, 1)


def go_to_step(ws: Workspace, count: int) -> None:
    """Undo or redo until the first ``count`` steps are done, the others not.

    Numbers beyond the ends stop at the ends. Large steps are taken when they are prepared.
    """
    session = ws.session
    is_carrying_out = session.busy_with is not None and session.wanted_step is None
    if session.is_drawing or session.read_only_reason or is_carrying_out:
        return  # what is being done is no step yet, or there can be none
    history = session.history
    session.wanted_step = max(0, min(count, len(history.done) + len(history.undone)))
    if session.busy_with is None:
        _walk(ws)


def changed_places(session: Session, change: Change) -> list[tuple[str, Box]]:
    """Where something changed: masks and boxes, also of regions whose notes did."""
    places = list(change.boxes.items())
    for value in change.values:
        place = _noted_place(value)
        entry = session.masks.get(str(place.get("mask")))
        point = _point_ras(place.get("anchor_ras"))
        if entry is not None and point is not None:
            grid = entry.mask.grid
            i, j, k = grid.nearest_ijk(point)
            box = Box((k, j, i), (k + 1, j + 1, i + 1)).clipped(grid.shape_kji)
            if not box.is_empty:
                places.append((entry.mask.name, box))
    return places


def _noted_place(change: ValueChange) -> dict[str, Any]:
    """The place of the region that a note is about; empty when it is about none."""
    for value in (change.after, change.before):
        if isinstance(value, dict):
            place = value.get("region", value)
            return place if isinstance(place, dict) else {}
    return {}


def _point_ras(stored: object) -> FloatArray | None:
    """A point as stored in the notes, which may be damaged."""
    try:
        point = np.asarray(stored, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return point if point.shape == (3,) and np.isfinite(point).all() else None


def _go(ws: Workspace, step: int) -> None:
    present = ws.session.wanted_step
    go_to_step(ws, (len(ws.session.history.done) if present is None else present) + step)


def _walk(ws: Workspace) -> None:
    """Take steps until the wanted one is reached, or one must be prepared."""
    session, history = ws.session, ws.session.history
    session.busy_with = None
    while session.wanted_step is not None:
        here = len(history.done)
        if here == session.wanted_step:
            session.wanted_step = None
            return
        is_back = here > session.wanted_step
        edit = history.done[-1] if is_back else history.undone[-1]
        if is_large(edit.patches):
            session.busy_with = f"{'Undo' if is_back else 'Redo'} \u201c{edit.name}\u201d"
            prepare(ws, edit, partial(_step, ws, edit))
            return
        session.undo() if is_back else session.redo()


def _step(ws: Workspace, edit: Edit, ready: Ready) -> None:
    """Take a step that has been prepared, if it is still wanted, and go on."""
    session, history = ws.session, ws.session.history
    wanted = session.wanted_step
    if wanted is not None and is_fresh(ws, ready):
        if len(history.done) > wanted and history.done[-1] is edit:
            session.undo(ready)
        elif len(history.done) < wanted and history.undone[-1] is edit:
            session.redo(ready)
    _walk(ws)
