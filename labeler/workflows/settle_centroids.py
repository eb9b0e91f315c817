"""What to do when somebody else has changed the centroid file of the open case: theirs or mine.

Whatever is chosen, nothing is thrown away: a version that gives way stays beside the file, and
taking the other's version is an edit that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labeler.state.tasks import TaskContext
from labeler.storage.case_centroids import (
    noted_centroids,
    put_centroids_aside,
    save_centroid_copy,
    source_now,
)
from labeler.storage.cases import Case
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.landmarks import CentroidFile
from labeler.storage.sidecar import CentroidSource
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.workspace import Workspace


class CentroidSettler:
    """Settles conflicts about the centroid file (see :attr:`CaseSaver.centroid_conflict`).

    Failures are told by :attr:`CaseSaver.failed`; the conflict then remains as it was.
    """

    def __init__(self, ws: Workspace, opener: CaseOpener, saver: CaseSaver) -> None:
        self._ws = ws
        self._opener = opener
        self._saver = saver

    def keep_mine(self) -> None:
        """Put their file aside and save mine in its place."""
        source = self._source

        def write(source: CentroidSource) -> None:
            self._opener.set_centroid_file(source)
            self._saver.save()

        self._submit(lambda case: put_centroids_aside(case, source), write)

    def take_theirs(self) -> None:
        """Show their centroids in place of mine, as an edit that can be undone."""
        source = self._source
        self._submit(lambda case: source_now(case, source), self._take)

    def keep_copy_of_mine(self) -> None:
        """Write mine to a file beside theirs and show theirs."""
        source, mine = self._source, centroids_of(self._ws.session)

        def copy_and_load(case: Case) -> tuple[CentroidSource, CentroidFile]:
            theirs = source_now(case, source)
            save_centroid_copy(case, source, mine)
            return theirs

        self._submit(copy_and_load, self._take)

    def take_noted(self) -> None:
        """Bring back what was noted before the file was changed, as an edit that can be undone.

        Raises
        ------
        EditRefused
            When nothing was put by, or the case may not be changed.
        """
        loaded = self._opener.sidecar
        noted = {} if loaded is None else noted_centroids(loaded.sidecar)
        if not noted:
            raise EditRefused("The centroid file was not changed outside of this program")
        replace_centroids(self._ws, "Centroids as noted before", noted)

    @property
    def _source(self) -> CentroidSource | None:
        loaded = self._opener.sidecar
        return None if loaded is None else loaded.sidecar.centroid_file

    def _take(self, theirs: tuple[CentroidSource, CentroidFile]) -> None:
        source, file = theirs
        try:
            replace_centroids(self._ws, "Take centroids of somebody else", dict(file.centroids))
        except EditRefused as refusal:
            self._saver.failed.emit(str(refusal))
        else:
            self._opener.set_centroid_file(source)

    def _submit(self, work: Callable[[Case], Any], done: Callable[[Any], None]) -> None:
        """Run ``work`` in the background; ``done`` follows unless the case was left meanwhile."""
        session, case = self._ws.session, self._ws.session.case
        if case is None:
            return
        self._ws.tasks.submit(
            "io", ("centroids", "settle"), _run, work, case,
            done=lambda result: done(result) if session.case is case else None,
            failed=lambda error: self._saver.failed.emit(str(error)),
        )  # fmt: skip


def _run(context: TaskContext, work: Callable[[Case], Any], case: Case) -> Any:
    try:
        return work(case)
    except ImageError as error:
        raise SaveError(str(error)) from error
