"""What a user does to the vertebra centroids of a case: each act is one undoable edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from labeler.core.edits import Edit, ValueChange
from labeler.core.landmarks import (
    Centroid,
    Changes,
    LandmarkError,
    Point,
    at_and_above,
    at_and_below,
    counted_as_extra,
    free_key,
    from_above,
    inserted,
    kept,
    moved,
    removed,
    renamed,
    renumbered,
    shifted,
    swapped,
)
from labeler.core.vertebrae import RARE, typed_level
from labeler.state.spine_state import SpineState
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.spine_findings import FIELD, centroids_of
from labeler.workflows.workspace import Workspace

Part = Literal["all", "above", "below"]


def next_doubt(spine: SpineState, key: str | None, step: int = 1) -> str | None:
    """Return the centroid to look at next: the first doubted one below `key` (above, when `step`
    is negative), from the other end again after the last; None when there is no doubt."""
    doubted = {doubt.keys[0] for doubt in spine.doubts}
    order = from_above(spine.centroids)[:: 1 if step > 0 else -1]
    keys = [k for k in order if k in doubted]
    after = order.index(key) if key in order else -1
    return next((k for k in keys if order.index(k) > after), keys[0] if keys else None)


def keep_centroid(ws: Workspace, key: str) -> Edit | None:
    """Settle what the model doubted about a centroid, and about all of which it said the same.

    None when it doubted nothing.
    """
    return _act(ws, key, lambda c: kept(c, key), "Keep {level}")


def move_centroid(
    ws: Workspace, key: str, position_ras: Point, name: str = "Move {level}"
) -> Edit | None:
    """Put a centroid somewhere else.

    Parameters
    ----------
    name
        Of the edit; ``{level}`` is what the centroid is called.

    Raises
    ------
    EditRefused
        As all acts here: when the case may not be changed, or there is no such centroid.
    """
    return _act(ws, key, lambda c: moved(c, key, position_ras), name)


def add_centroid(ws: Workspace, position_ras: Point) -> str:
    """Add a centroid, named after its place, and return its key."""
    refuse_read_only(ws)
    centroids = centroids_of(ws.session)
    key = free_key(centroids)
    changes = _checked(lambda: inserted(centroids, key, position_ras))
    new = changes[key]
    _apply(ws, f"Add {new.level if new is not None else 'centroid'}", changes)
    return key


def remove_centroid(ws: Workspace, key: str) -> Edit | None:
    """Take a centroid away; the others keep their names."""
    return _act(ws, key, lambda c: removed(c, [key]), "Delete {level}")


def rename_centroid(ws: Workspace, key: str, text: str) -> Edit | None:
    """Give a centroid the level that was typed.

    Raises
    ------
    EditRefused
        When what was typed is no level.
    """
    level = _level(text)
    return _act(ws, key, lambda c: renamed(c, key, level), f"Rename {{level}} to {level}")


def shift_levels(ws: Workspace, key: str | None, part: Part, steps: int) -> Edit | None:
    """Rename all centroids by so many levels, or those from `key` up or down.

    Raises
    ------
    EditRefused
        When one would have no name.
    """
    refuse_read_only(ws)
    centroids = centroids_of(ws.session)
    if part == "all":
        keys = list(centroids)
    else:
        keys = (at_and_above if part == "above" else at_and_below)(centroids, _known(ws, key))
    changes = _checked(lambda: shifted(centroids, keys, steps))
    count = f"{len(keys)} level{'s' if len(keys) != 1 else ''}"
    return _apply(ws, f"Shift {count} {'down' if steps > 0 else 'up'} by {abs(steps)}", changes)


def renumber_from(ws: Workspace, key: str, text: str) -> Edit | None:
    """Name all centroids by counting from one whose level was typed."""
    level = _level(text)
    return _act(ws, key, lambda c: renumbered(c, key, level), f"Renumber from {level}")


def swap_with_next(ws: Workspace, key: str) -> Edit | None:
    """Exchange the names of a centroid and the one below it.

    Raises
    ------
    EditRefused
        When it is the lowest.
    """
    refuse_read_only(ws)
    centroids = centroids_of(ws.session)
    below = at_and_below(centroids, _known(ws, key))[1:]
    if not below:
        raise EditRefused("There is no centroid below this one")
    name = f"Swap {centroids[key].level} and {centroids[below[0]].level}"
    return _apply(ws, name, swapped(centroids, key, below[0]))


def count_as_extra(ws: Workspace, key: str, level: str) -> Edit | None:
    """Call a vertebra T13 or L6 and let those below go up by one name."""
    if level not in RARE:
        raise EditRefused(f"{level} is a usual level: rename instead")
    return _act(ws, key, lambda c: counted_as_extra(c, key, level), f"Count {{level}} as {level}")


def replace_centroids(
    ws: Workspace,
    name: str,
    centroids: Mapping[str, Centroid],
    also: Iterable[ValueChange] = (),
) -> Edit | None:
    """Put other centroids, of a model or a file, in the place of those there are.

    Parameters
    ----------
    name
        Name of the edit.
    also
        Notes that change in the same step.
    """
    refuse_read_only(ws)
    before = centroids_of(ws.session)
    changes: Changes = {key: None for key in before if key not in centroids}
    changes.update(centroids)
    return _apply(ws, name, changes, also)


def _act(
    ws: Workspace, key: str, change: Callable[[dict[str, Centroid]], Changes], name: str
) -> Edit | None:
    """Apply a correction of one centroid; ``{level}`` in `name` is what it was called."""
    refuse_read_only(ws)
    centroids = centroids_of(ws.session)
    level = centroids[_known(ws, key)].level
    return _apply(ws, name.format(level=level), _checked(lambda: change(centroids)))


def _apply(
    ws: Workspace, name: str, changes: Changes, also: Iterable[ValueChange] = ()
) -> Edit | None:
    """Carry changes out as one edit; None when there is nothing to change."""
    steps = list(also)
    for key, centroid in changes.items():
        value = None if centroid is None else centroid.to_value()
        step = ws.session.annotations.change(FIELD, key, value)
        if isinstance(step, ValueChange):
            steps.append(step)
    if not steps:
        return None
    edit = Edit(name, tuple(steps))
    ws.session.apply(edit)
    return edit


def _checked(change: Callable[[], Changes]) -> Changes:
    try:
        return change()
    except LandmarkError as error:
        raise EditRefused(str(error)) from error


def _known(ws: Workspace, key: str | None) -> str:
    if key is None or key not in centroids_of(ws.session):
        raise EditRefused("Select a vertebra first")
    return key


def _level(text: str) -> str:
    level = typed_level(text)
    if level is None:
        raise EditRefused(f"“{text}” is no level: type one such as t12")
    return level
