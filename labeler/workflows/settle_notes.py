"""What to do when somebody else has changed the notes of the open case: theirs or mine.

Whatever is chosen, nothing is thrown away: a version that gives way stays beside the notes, and
taking the other's version is an edit that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labeler.core.annotations import Annotations
from labeler.core.edits import NOTES, Edit, ValueChange
from labeler.state.tasks import TaskContext
from labeler.storage.atomic import Fingerprint
from labeler.storage.case_centroids import with_centroid_file
from labeler.storage.cases import Case
from labeler.storage.errors import SaveError
from labeler.storage.sidecar import (
    LoadedSidecar,
    Sidecar,
    load_sidecar,
    put_sidecar_aside,
    save_sidecar_copy,
)
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.workspace import Workspace


class NotesSettler:
    """Settles conflicts about the notes of the open case (see :attr:`CaseSaver.notes_conflict`).

    Failures are told by :attr:`CaseSaver.failed`; the conflict then remains as it was.
    """

    def __init__(
        self, ws: Workspace, opener: CaseOpener, saver: CaseSaver, journal: JournalKeeper
    ) -> None:
        self._ws = ws
        self._journal = journal
        self._opener = opener
        self._saver = saver

    def keep_mine(self) -> None:
        """Put their notes aside and save mine in their place."""

        def write(version: Fingerprint | None) -> None:
            if self._opener.sidecar is not None:
                self._opener.sidecar = replace(self._opener.sidecar, version=version)
                self._saver.save()

        self._submit(lambda case: put_sidecar_aside(case.mask_root, case.id), write)

    def take_theirs(self) -> None:
        """Show their notes in place of mine, as an edit that can be undone."""
        self._submit(_theirs, self._take)

    def keep_copy_of_mine(self) -> None:
        """Write mine to a file beside theirs and show theirs."""
        mine = self._mine()

        def copy_and_load(case: Case) -> LoadedSidecar:
            theirs = _theirs(case)
            if mine is not None:
                save_sidecar_copy(case.mask_root, mine)
            return theirs

        self._submit(copy_and_load, self._take)

    def _mine(self) -> Sidecar | None:
        loaded = self._opener.sidecar
        if loaded is None:
            return None
        return loaded.sidecar.with_annotations(self._ws.session.annotations.as_dict())

    def _submit(self, work: Callable[[Case], Any], done: Callable[[Any], None]) -> None:
        """Run ``work`` in the background; ``done`` follows unless the case was left meanwhile."""
        session, case = self._ws.session, self._ws.session.case
        if case is None:
            return
        self._ws.tasks.submit(
            "io", ("notes",), _run, work, case,
            done=lambda result: done(result) if session.case is case else None,
            failed=lambda error: self._saver.failed.emit(str(error)),
        )  # fmt: skip

    def _take(self, theirs: LoadedSidecar) -> None:
        session = self._ws.session
        notes = theirs.sidecar.annotations()
        changes = _differences(session.annotations, notes)
        self._opener.sidecar = theirs
        if changes:
            session.apply(Edit("Take notes of somebody else", changes))
        mine = session.annotations
        mine.mark_saved(notes.as_dict(), mine.revision, notes.saved_digest)
        self._journal.note_file(NOTES)
        session.history_changed.emit()


def _differences(mine: Annotations, theirs: Annotations) -> tuple[ValueChange, ...]:
    before, after = mine.as_dict(), theirs.as_dict()
    return tuple(
        ValueChange(field, key, before.get(field, {}).get(key), after.get(field, {}).get(key))
        for field in dict.fromkeys([*before, *after])
        for key in dict.fromkeys([*before.get(field, {}), *after.get(field, {})])
        if before.get(field, {}).get(key) != after.get(field, {}).get(key)
    )


def _theirs(case: Case) -> LoadedSidecar:
    """Read notes as they are on disk, with the centroids of the case's file."""
    return with_centroid_file(case, _readable(load_sidecar(case.mask_root, case.id)))


def _readable(loaded: LoadedSidecar) -> LoadedSidecar:
    """Return notes that can be taken as they are.

    Raises
    ------
    SaveError
        When something of the file would be left out.
    """
    if loaded.problems:
        raise SaveError(" ".join(loaded.problems))
    return loaded


def _run(context: TaskContext, work: Callable[[Case], Any], case: Case) -> Any:
    return work(case)
