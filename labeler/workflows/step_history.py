"""Walking through the history of a case, by as many steps as it takes."""

from __future__ import annotations

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
