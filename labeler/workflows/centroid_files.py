"""Centroids of other files: opened in place of those there are, and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labeler.core.landmarks import Centroids
from labeler.state.tasks import TaskContext
from labeler.storage.case_centroids import stored_grid
from labeler.storage.cases import Case
from labeler.storage.centroid_names import SLICER_SUFFIX
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.landmarks import CentroidFile, read_centroids, write_slicer, write_verse
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.workspace import Workspace

#: Takes a sentence for the user.
Said = Callable[[str], None]


def open_centroids(ws: Workspace, path: Path, said: Said) -> None:
    """Put the centroids of a file in the place of those there are: one edit, when it is read.

    Parameters
    ----------
    path
        VerSe, Slicer or VID file. The case keeps its own file, which is written when it is saved.
    said
        Gets what was left out, or why nothing was done.

    Raises
    ------
    EditRefused
        When the case may not be changed.
    """
    refuse_read_only(ws)
    session, case = ws.session, ws.session.case

    def done(file: CentroidFile) -> None:
        if session.case is not case:
            return
        try:
            if not file.centroids:
                raise EditRefused(" ".join(file.problems) or f"{path.name} holds no centroid")
            replace_centroids(ws, f"Open {path.name}", file.centroids)
        except EditRefused as refusal:
            said(str(refusal))
        else:
            if file.problems:
                said(" ".join(file.problems))

    ws.tasks.submit(
        "io", ("centroids", "open"), _read, case, path,
        done=done, failed=lambda error: _failed(ws, error, said),
    )  # fmt: skip


def export_centroids(ws: Workspace, path: Path, said: Said) -> None:
    """Write the centroids as they are now to another file, in the background.

    Parameters
    ----------
    path
        ``.mrk.json`` makes a 3D Slicer file, anything else a VerSe file.
    said
        Gets what was done, or why it was not.

    Raises
    ------
    EditRefused
        When there is nothing to export.
    """
    centroids, case = centroids_of(ws.session), ws.session.case
    if case is None or not centroids:
        raise EditRefused("There are no centroids to export")
    ws.tasks.submit(
        "io", ("centroids", "export"), _export, case, path, centroids,
        done=lambda _: said(f"{len(centroids)} centroids are in {path.name}"),
        failed=lambda error: _failed(ws, error, said),
    )  # fmt: skip


def _failed(ws: Workspace, error: Exception, said: Said) -> None:
    if isinstance(error, (ImageError, SaveError)):
        said(str(error))
    else:
        ws.tasks.failed.emit(error)


def _read(context: TaskContext, case: Case, path: Path) -> CentroidFile:
    return read_centroids(path, stored_grid(case))


def _export(context: TaskContext, case: Case, path: Path, centroids: Centroids) -> None:
    if path.name.lower().endswith(SLICER_SUFFIX):
        write_slicer(path, centroids)
    else:
        write_verse(path, centroids, stored_grid(case))
