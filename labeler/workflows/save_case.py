"""Saving: changed masks and notes go to disk in the background, one after the other."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.state.session import MaskEntry
from labeler.storage.case_centroids import CentroidConflict
from labeler.storage.cases import Case, new_mask_path
from labeler.storage.errors import ConflictError, SaveError
from labeler.storage.sidecar import (
    LoadedSidecar,
    SidecarConflict,
)
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.save_files import (
    NotesJob,
    SavedCentroids,
    SavedMask,
    SavedNotes,
    assign_phases,
    mask_job,
    save_copy,
    save_files,
)
from labeler.workflows.spine_findings import FIELD as CENTROID
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)


class CaseSaver(QObject):
    """Writes the open case.

    Signals
    -------
    started
        Writing began.
    saved
        Everything is on disk (``datetime`` of the moment).
    failed
        A sentence; what could not be written stays changed.
    conflict
        ``(mask, sentence)``: the file was changed by somebody else and is left alone.
    notes_conflict
        A sentence: the same for the notes of the case; what may be done about it is in
        :mod:`labeler.workflows.settle_notes`.
    centroid_conflict
        A sentence: the same for the centroid file; see
        :mod:`labeler.workflows.settle_centroids`. Notes are not written either: they say the same.
    """

    started = pyqtSignal()
    saved = pyqtSignal(object)
    failed = pyqtSignal(str)
    conflict = pyqtSignal(str, str)
    notes_conflict = pyqtSignal(str)
    centroid_conflict = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        opener: CaseOpener,
        journal: JournalKeeper,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._journal = journal
        self._ws = ws
        self._opener = opener
        self._after: list[Callable[[bool], None]] = []
        self._again = False
        self._is_ok = True
        #: What is noted with every save of the notes: how long the case took.
        self.times: Callable[[], Mapping[str, Any]] = dict

    @property
    def is_saving(self) -> bool:
        return self._ws.tasks.is_pending(("save",))

    def save(self, after: Callable[[bool], None] | None = None) -> None:
        """Save what has changed; ``after(ok)`` is called when it is done.

        A call while a save is running saves once more afterwards.
        """
        if after is not None:
            self._after.append(after)
        if self.is_saving:
            self._again = True
            return
        self._is_ok = True
        session, case = self._ws.session, self._ws.session.case
        if case is None or session.read_only_reason:
            if session.read_only_reason and session.is_dirty:
                self._fail(SaveError(session.read_only_reason))
            self._finish()
            return
        self._write(case, lambda entry: entry.mask.is_dirty or _is_new(entry), self._notes())

    def save_new_masks(self) -> None:
        """Give masks without a file theirs; other edits wait until the user saves them."""
        case = self._ws.session.case
        if self.is_saving:
            self._after.append(lambda ok: self.save_new_masks())
        elif case is not None:
            self._write(case, _is_new, None)

    def _notes(self) -> NotesJob | None:
        """The notes, when they have changed."""
        annotations, loaded = self._ws.session.annotations, self._opener.sidecar
        if not annotations.is_dirty or loaded is None:
            return None
        centroids = centroids_of(self._ws.session)
        source = loaded.sidecar.centroid_file
        has_no_file = bool(centroids) and not (source is not None and source.digest)
        is_wanted = annotations.is_field_dirty(CENTROID) or has_no_file
        return NotesJob(
            annotations.as_dict(),
            annotations.revision,
            centroids if is_wanted else None,
            self.times(),
        )

    def _write(
        self, case: Case, wanted: Callable[[MaskEntry], bool], notes: NotesJob | None
    ) -> None:
        jobs = [
            mask_job(case, entry.mask, entry.file, self._opener.place)
            for entry in self._ws.session.masks.values()
            if entry.file is not None and wanted(entry)
        ]
        if not jobs and notes is None:
            self._finish()
            return
        self.started.emit()
        self._ws.tasks.submit(
            "io", ("save",), save_files, case, jobs, notes, self._opener.sidecar,
            self._opener.place,
            self._ws.settings.data.editing.backups,
            self._journal.marker(),
            received=partial(self._part_saved, case),
            done=lambda _: self._finish(), failed=partial(self._failed, case),
        )  # fmt: skip

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call ``then`` when nothing is being written (any more)."""
        if self.is_saving:
            self._after.append(lambda ok: then())
        else:
            then()

    def assign_phases(self, phases: Mapping[str, str | None], then: Callable[[], None]) -> None:
        """Note by hand which image is which phase; ``then`` is called when that is on disk.

        ``phases`` are as for :func:`~labeler.storage.phase_override.set_phase_override`.
        """
        case = self._ws.session.case
        if self.is_saving:
            self._after.append(lambda ok: self.assign_phases(phases, then))
        elif case is not None:
            self._after.append(lambda ok: then() if ok else None)
            self.started.emit()
            self._ws.tasks.submit(
                "io", ("save",), assign_phases, case, phases, self._opener.sidecar,
                self._opener.place,
                done=partial(self._phases_assigned, case),
                failed=partial(self._failed, case),
            )  # fmt: skip

    def save_copy(self, name: str, new_name: str) -> None:
        """Write a mask under another name; the copy joins the open masks, the original stays.

        The way out of a conflict and of a read-only mask.
        """
        session, case = self._ws.session, self._ws.session.case
        entry = session.masks[name]
        if case is None or entry.file is None:
            return
        path = new_mask_path(case, new_name)

        def done(saved: SavedMask) -> None:
            if session.case is case:
                session.add_mask(saved.file.mask, saved.file)
            self.saved.emit(datetime.datetime.now())

        self._ws.tasks.submit(
            "io", ("save", "copy"), save_copy, entry.mask, entry.file, path, new_name,
            self._opener.place,
            done=done, failed=self._fail,
        )  # fmt: skip

    def _part_saved(
        self, case: Case, part: SavedMask | SavedCentroids | SavedNotes | tuple[str, Exception]
    ) -> None:
        session = self._ws.session
        is_open = session.case is case  # masks of two cases have the same names
        if isinstance(part, SavedMask):
            if is_open and part.name in session.masks:
                session.set_mask_saved(part.name, part.file, part.revision)
        elif isinstance(part, SavedCentroids):
            if is_open:
                self._opener.set_centroid_file(part.source)
        elif isinstance(part, SavedNotes):
            if is_open:
                session.annotations.mark_saved(part.job.fields, part.job.revision, part.digest)
                self._opener.sidecar = part.sidecar
                session.history_changed.emit()
        else:
            name, error = part
            if is_open and isinstance(error, CentroidConflict):
                self._is_ok = False
                self.centroid_conflict.emit(str(error))
            elif is_open and isinstance(error, SidecarConflict):
                self._is_ok = False
                self.notes_conflict.emit(str(error))
            elif is_open and isinstance(error, ConflictError) and name:
                self._is_ok = False
                self.conflict.emit(name, str(error))
            else:
                self._fail(error)

    def _phases_assigned(self, case: Case, sidecar: LoadedSidecar) -> None:
        if self._ws.session.case is case:
            self._opener.sidecar = sidecar
        self._finish()

    def _failed(self, case: Case, error: Exception) -> None:
        """Take an error that ended the task; those of single files come as parts."""
        self._part_saved(case, ("", error))
        self._finish()

    def _fail(self, error: Exception) -> None:
        self._is_ok = False
        if not isinstance(error, SaveError):
            log.exception("saving", exc_info=error)
        self.failed.emit(str(error))

    def _finish(self) -> None:
        if self._again and self._is_ok:
            self._again = False
            self.save()
            return
        self._again = False
        if self._is_ok:
            self._journal.saved()
            self.saved.emit(datetime.datetime.now())
        after, self._after, ok = self._after, [], self._is_ok
        self._is_ok = True
        for call in after:
            call(ok)


def _is_new(entry: MaskEntry) -> bool:
    return entry.file is not None and entry.file.fingerprint is None
