"""Nothing is lost between saves, and undo goes back before them: the journal of the open case.

Every edit goes to the journal as it is made. It lies in the user's local folder, not beside the
masks. One thread of its own reads and writes it, in order: a disk that is busy may take a second
for what usually takes a millisecond.

When a case is opened whose files are as its journal says, the history of the earlier run is put
back. When the journal holds edits that the files do not, the user is asked whether to restore
them. When somebody else has changed a file since, its history is dropped.
"""

from __future__ import annotations

import datetime
import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.edits import NO_STACKS, NOTES, Edit, Stacks, ValueChange, document_of
from labeler.core.mask import Mask
from labeler.state.session import Change, MaskEntry, Session
from labeler.state.tasks import TaskContext
from labeler.storage.case_names import case_file_name
from labeler.storage.errors import ImageError
from labeler.storage.journal import put_aside
from labeler.storage.masks import MaskFile
from labeler.storage.recovery import Act, FileState, JournalEntry, Recovery
from labeler.storage.unsaved import journal_path, read_earlier
from labeler.workflows.add_mask import free_name
from labeler.workflows.journal_writer import JournalWriter, Present
from labeler.workflows.redraw import Drawn, draw_again, take_back
from labeler.workflows.replay import in_one, replay
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)

ACTS = {"edit": Act.DO, "undo": Act.UNDO, "redo": Act.REDO}


@dataclass(frozen=True)
class Unsaved:
    """Edits of an earlier run that the files of the open case do not hold.

    Attributes
    ----------
    recovery
        What can be restored, and masks whose file somebody else has changed since.
    last_change
        When the journal was written last.
    """

    recovery: Recovery
    last_change: datetime.datetime

    @property
    def text(self) -> str:
        """``3 changes of 24 Nov, 10:42, the last one "Brush Liver"``."""
        entries = self.recovery.entries
        many = f"{len(entries)} change{'' if len(entries) == 1 else 's'}"
        name = f', the last one "{entries[-1].edit.name}"' if entries else ""
        return f"{many} of {self.last_change:%d %b %Y, %H:%M}{name}"


class JournalKeeper(QObject):
    """Writes the journal of the open case.

    Signals
    -------
    unsaved_found
        An :class:`Unsaved` of an earlier run; answer with :meth:`restore`, :meth:`keep_both` or
        :meth:`discard`. Without an answer it is found again the next time.
    failed
        A sentence: the journal cannot be written, edits are only in memory.
    said
        A sentence about a history that was dropped.
    """

    unsaved_found = pyqtSignal(object)
    failed = pyqtSignal(str)
    said = pyqtSignal(str)

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = ws.session
        self._settings = ws.settings
        self._tasks = ws.tasks
        self._writer: JournalWriter | None = None
        self._unsaved: Unsaved | None = None
        self._numbers = itertools.count()
        ws.session.changed.connect(self._changed)
        ws.session.mask_loaded.connect(self.note_file)
        ws.session.case_leaving.connect(self._end)

    def begin(self) -> None:
        """Start with the open case; call when its masks are read (further calls do nothing)."""
        case = self._session.case
        if case is None or self._session.read_only_reason or self._writer is not None:
            return
        path = journal_path(case.mask_root, case.id)
        history_bytes = self._settings.data.editing.history_disk_mb * 2**20
        self._writer = writer = JournalWriter(path, case.id, history_bytes)
        self._tasks.submit(
            "journal", ("journal", "begin", next(self._numbers)),
            _begin, writer, path, case.id, states_on_disk(self._session),
            received=partial(self._session.add_problem, "journal"),
            done=partial(self._looked, writer, path), failed=self._not_kept,
        )  # fmt: skip

    def restore(self) -> None:
        """Bring the edits of the earlier run back; undo and redo go on where that run was.

        What is much is done in the background; until then the earlier journal stays.
        """
        unsaved, self._unsaved = self._unsaved, None
        writer = self._writer
        if unsaved is None or writer is None:
            return
        recovery = _fitting(unsaved.recovery, {NOTES, *self._session.masks})
        # What was drawn since the case was opened was drawn on the files' content.
        drawn = take_back(self._session)
        self._submit(writer.forget_waiting)
        edit = in_one(recovery.entries, "Restore")
        replay(
            self._session, self._tasks, edit,
            partial(self._restored, unsaved.recovery, recovery, drawn), self._not_restored,
            at_once=bool(drawn),
        )  # fmt: skip

    def _restored(self, found: Recovery, recovery: Recovery, drawn: list[Drawn]) -> None:
        """Go on with the history of the earlier run, and draw anew what was drawn since."""
        self._put_strangers_aside(found)
        self._session.restore_history(recovery.stacks)
        self._create(recovery.stacks, recovery.entries)
        draw_again(self._session, drawn)
        lost = len(found.entries) - len(recovery.entries)
        if lost:
            self.failed.emit(f"{lost} of the unsaved changes could not be restored.")

    def _not_restored(self, error: Exception) -> None:
        """Leave the earlier journal as it is, so that the next opening asks again."""
        self.keep_unsaved()
        log.warning("not restored: %s", error)
        self.failed.emit(
            f"The unsaved changes could not be restored: {error} Open the case again to retry; "
            "edits made until then are kept in memory only."
        )

    def keep_both(self) -> None:
        """Put each changed mask, with its edits, beside the saved one; notes are restored."""
        unsaved, self._unsaved = self._unsaved, None
        if unsaved is None:
            return
        self._put_strangers_aside(unsaved.recovery)
        entries = unsaved.recovery.entries
        self._begin_as_saved(unsaved.recovery)
        notes = _net_notes(self._session, entries)
        if notes is not None:
            self._session.apply(notes)
        patches = [patch for entry in entries for patch in entry.edit.patches]
        for name in dict.fromkeys(patch.mask for patch in patches):
            entry = self._session.masks.get(name)
            if entry is not None and entry.file is not None:
                file = _recovered(entry, entry.file, set(self._session.masks))
                for patch in patches:
                    if patch.mask == name:
                        file.mask.apply(replace(patch, mask=file.mask.name))
                self._session.add_mask(file.mask, file)

    def discard(self) -> None:
        """Forget the edits of the earlier run that were not saved."""
        unsaved, self._unsaved = self._unsaved, None
        if unsaved is not None:
            self._begin_as_saved(unsaved.recovery)

    def keep_unsaved(self) -> None:
        """Leave the journal as it is; the next opening of the case offers what is not saved."""
        self._writer = self._unsaved = None

    def saved(self) -> None:
        """Make the journal small when everything is on disk."""
        if self._writer is not None and not self._session.is_dirty:
            present = Present(states_on_disk(self._session), self._session.history.stacks)
            self._submit(partial(self._writer.compact, present))

    def marker(self) -> Callable[[str, str, int], None]:
        """What notes that a document's file is about to be replaced, from any thread.

        It takes the document, the digest of the new file and the revision in it, and belongs to
        the case that is open now, however late it is called. Where it raises
        :class:`~labeler.storage.errors.SaveError`, the file must not be replaced.
        """
        writer = self._writer

        def mark(document: str, digest: str, revision: int) -> None:
            if writer is not None:
                writer.mark(document, FileState(digest, revision))

        return mark

    def _end(self) -> None:
        """Keep the history of a case that is left; its edits are saved or not wanted."""
        writer, self._writer, self._unsaved = self._writer, None, None
        if writer is None:
            return
        session, bases = self._session, states_on_disk(self._session)
        now = {name: entry.mask.revision for name, entry in session.masks.items()}
        now[NOTES] = session.annotations.revision
        saved = {document: state.revision for document, state in bases.items()}
        stacks = session.history.stacks.without(now.keys() - saved.keys())
        present = Present(bases, stacks.at(now, saved) or NO_STACKS)
        self._submit(
            partial(writer.leave, present, is_saved=now == saved), self._history_not_kept
        )  # fmt: skip

    def _looked(self, writer: JournalWriter, path: Path, recovery: Recovery) -> None:
        if writer is not self._writer:
            return
        known = {NOTES, *self._session.masks}
        forgotten = [_words(document) for document in recovery.forgotten if document in known]
        if forgotten and not recovery.has_unsaved:
            names = ", ".join(forgotten)
            log.info("history dropped, changed outside: %s", names)
            self.said.emit(f"Changed outside of this program, so earlier steps are gone: {names}")
        if recovery.has_unsaved:
            last_change = datetime.datetime.fromtimestamp(path.stat().st_mtime)
            self._unsaved = Unsaved(recovery, last_change)
            self.unsaved_found.emit(self._unsaved)
        else:
            self._session.restore_history(recovery.stacks)

    def _put_strangers_aside(self, recovery: Recovery) -> None:
        """Keep the journal with the edits of masks that somebody else has changed."""
        case = self._session.case
        if case is not None and recovery.strangers:
            put_aside(journal_path(case.mask_root, case.id))

    def _begin_as_saved(self, recovery: Recovery) -> None:
        stacks = recovery.saved_stacks.without(_not_open(recovery.saved_stacks, self._session))
        self._session.restore_history(stacks)
        self._create(stacks)

    def _create(self, stacks: Stacks, missing: tuple[JournalEntry, ...] = ()) -> None:
        """Start a new journal that holds the history from the beginning."""
        writer = self._writer
        assert writer is not None
        writer.expect()
        present = Present(states_on_disk(self._session), stacks, missing)
        self._submit(partial(writer.open, present), self._not_kept)

    def _changed(self, change: Change) -> None:
        edit, act = change.edit, ACTS.get(change.origin)
        if self._writer is not None and edit is not None and act is not None:
            self._submit(partial(self._writer.append, edit, act))

    def note_file(self, document: str) -> None:
        """Note what the file of a document holds that was read after the others."""
        state = states_on_disk(self._session).get(document)
        if self._writer is not None and state is not None:
            self._submit(partial(self._writer.note, document, state))

    def _submit(
        self, write: Callable[[], None], failed: Callable[[Exception], None] | None = None
    ) -> None:
        self._tasks.submit(
            "journal", ("journal", next(self._numbers)), _call, write,
            failed=failed or self._failed,
        )  # fmt: skip

    def _failed(self, error: Exception) -> None:
        self.failed.emit(f"The last edit is in memory only: {error} Save soon.")

    def _not_kept(self, error: Exception) -> None:
        self.failed.emit(f"Edits are kept in memory only until they are saved. {error}")

    def _history_not_kept(self, error: Exception) -> None:
        self.said.emit(f"What can be undone in the case that was left is forgotten. {error}")


def states_on_disk(session: Session) -> dict[str, FileState]:
    """Content of each document's file, and the revision in the program that it is."""
    states = {
        name: FileState(entry.file.fingerprint.digest, entry.mask.saved_revision)
        for name, entry in session.masks.items()
        if entry.file is not None and entry.file.fingerprint is not None
    }
    notes = session.annotations
    if notes.saved_digest is not None:
        states[NOTES] = FileState(notes.saved_digest, notes.saved_revision)
    return states


def _fitting(recovery: Recovery, documents: Collection[str]) -> Recovery:
    """What concerns documents that are open."""
    entries = []
    for entry in recovery.entries:
        steps = tuple(step for step in entry.edit.steps if document_of(step) in documents)
        if steps:
            entries.append(replace(entry, edit=replace(entry.edit, steps=steps)))
    closed = recovery.stacks.documents - set(documents)
    return replace(recovery, entries=tuple(entries), stacks=recovery.stacks.without(closed))


def _not_open(stacks: Stacks, session: Session) -> frozenset[str]:
    return stacks.documents - {NOTES, *session.masks}


def _net_notes(session: Session, entries: Iterable[JournalEntry]) -> Edit | None:
    """One edit that gives the notes the values they had after these entries."""
    values = {}
    for entry in entries:
        is_undo = entry.act is Act.UNDO
        for step in reversed(entry.edit.steps) if is_undo else entry.edit.steps:
            if isinstance(step, ValueChange):
                values[step.field, step.key] = step.before if is_undo else step.after
    changes = [session.annotations.change(*place, value) for place, value in values.items()]
    steps = tuple(change for change in changes if change is not None)
    return Edit("Restore notes", steps) if steps else None


def _words(document: str) -> str:
    return "the notes" if document == NOTES else document


def _recovered(entry: MaskEntry, file: MaskFile, taken: set[str]) -> MaskFile:
    """A copy of a mask under a free name, without a file of its own yet."""
    name = free_name(f"{entry.mask.name} recovered", taken)
    copied = Mask(name, entry.mask.array.copy(), entry.mask.grid, entry.mask.axis_order)
    return replace(file, mask=copied, path=Path(f"{name}.nii.gz"), fingerprint=None)


def _begin(
    context: TaskContext,
    writer: JournalWriter,
    path: Path,
    case_id: str,
    bases: Mapping[str, FileState],
) -> Recovery:
    """Look what an earlier run left; go on with its history when nothing is to be asked."""
    recovery = Recovery()
    try:
        recovery = read_earlier(path, {name: state.digest for name, state in bases.items()})
    except (ImageError, OSError) as error:
        log.warning("journal of %s: %s", case_file_name(case_id), error)
        put_aside(path)
        context.send(f"Unsaved edits cannot be restored: {error}")
    if recovery.has_unsaved:
        writer.settle()
        return recovery
    recovery = _fitting(recovery, bases.keys())
    writer.open(Present(bases, recovery.stacks))
    return recovery


def _call(context: TaskContext, write: Callable[[], None]) -> None:
    write()
