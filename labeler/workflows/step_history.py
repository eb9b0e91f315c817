"""Walking through the history of a case, by as many steps as it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeler.core.edits import ValueChange
from labeler.core.geometry import FloatArray
from labeler.core.mask import Box
from labeler.state.session import Change, Session
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


def go_to_step(ws: Workspace, count: int) -> None:
    """Undo or redo until the first ``count`` steps are done, the others not.

    Numbers beyond the ends stop at the ends.
    """
    session = ws.session
    while len(session.history.done) > count and session.undo() is not None:
        pass
    while len(session.history.done) < count and session.redo() is not None:
        pass


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
