"""Nothing is lost between saves: every edit goes to the case's journal as it is made.

The journal lies in the user's local folder, not beside the masks. One thread of its own reads and
writes it, in order: a disk that is busy may take a second for what usually takes a millisecond.
When a case is opened whose journal holds edits that its files do not, the user is asked whether
to restore them.
"""

from __future__ import annotations

import datetime
import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.edits import Edit, ValueChange
from labeler.core.mask import Mask
from labeler.state.session import Change, MaskEntry, Session
from labeler.state.tasks import TaskContext, TaskRunner
from labeler.storage.atomic import Fingerprint
from labeler.storage.cases import Case
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.journal import Act, Journal, JournalEntry, MaskState, Recovery, put_aside
from labeler.storage.masks import MaskFile
from labeler.storage.sidecar import case_file_name
from labeler.storage.unsaved import journal_path, read_unsaved
from labeler.workflows.add_mask import free_name

log = logging.getLogger(__name__)

ACTS = {"edit": Act.DO, "undo": Act.UNDO, "redo": Act.REDO}

#: How long a save waits for a journal that is being made before it fails.
_PATIENCE_S = 30.0


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


def find_unsaved(case: Case, digests: Mapping[str, str]) -> Unsaved | None:
    """Look whether the journal of a case holds more than its files.

    Parameters
    ----------
    digests
        Digest of each mask's file as read.

    Raises
    ------
    ImageError
        When there is a journal that cannot be read.
    """
    recovery = read_unsaved(case.mask_root, case.id, digests)
    if recovery is None:
        return None
    written_s = journal_path(case.mask_root, case.id).stat().st_mtime
    return Unsaved(recovery, datetime.datetime.fromtimestamp(written_s))


class _Writer:
    """The journal of one case; used in the thread that writes, but for :meth:`mark`.

    Edits that come before there is a file are kept and go into it first.
    """

    def __init__(self) -> None:
        self._journal: Journal | None = None
        self._early: list[tuple[Edit, Act]] | None = []
        self._is_settled = threading.Event()

    def expect(self) -> None:
        """Let :meth:`mark` wait for :meth:`open`, which follows."""
        self._is_settled.clear()

    def settle(self) -> None:
        """Let :meth:`mark` go on without a journal, as long as there is none."""
        self._is_settled.set()

    def open(
        self, path: Path, case_id: str, bases: Mapping[str, MaskState], acts: list[tuple[Edit, Act]]
    ) -> None:
        """Start a new journal that holds ``acts`` from the beginning.

        Raises
        ------
        SaveError
            When it cannot be written; nothing is kept then.
        """
        early, self._early = self._early or [], None
        try:
            journal = Journal.create(path.with_suffix(".new"), case_id, bases)
            for edit, act in [*acts, *early]:
                journal.append(edit, act)
            journal.take_place_of(path)
            self._journal = journal
        finally:
            self._is_settled.set()

    def append(self, edit: Edit, act: Act) -> None:
        if self._journal is not None:
            self._journal.append(edit, act)
        elif self._early is not None:
            self._early.append((edit, act))

    def restart(self, bases: Mapping[str, MaskState]) -> None:
        if self._journal is not None:
            self._journal.restart(bases)

    def discard(self) -> None:
        if self._journal is not None:
            self._journal.discard()

    def mark(self, mask: str, state: MaskState) -> None:
        """Note what a mask's file is about to be; may be called from any thread.

        Raises
        ------
        SaveError
            When that could not be noted.
        """
        if not self._is_settled.wait(_PATIENCE_S):
            raise SaveError("The journal cannot be written: the disk does not answer.")
        if self._journal is not None:
            self._journal.mark_saved(mask, state)


class JournalKeeper(QObject):
    """Writes the journal of the open case.

    Signals
    -------
    unsaved_found
        An :class:`Unsaved` of an earlier run; answer with :meth:`restore`, :meth:`keep_both` or
        :meth:`discard`. Without an answer it is found again the next time.
    failed
        A sentence: the journal cannot be written, edits are only in memory.
    """

    unsaved_found = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, session: Session, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tasks = tasks
        self._writer: _Writer | None = None
        self._unsaved: Unsaved | None = None
        self._numbers = itertools.count()
        session.changed.connect(self._changed)

    def begin(self) -> None:
        """Start with the open case; call when its masks are read (further calls do nothing)."""
        case = self._session.case
        if case is None or self._session.read_only_reason or self._writer is not None:
            return
        self._writer = writer = _Writer()
        self._tasks.submit(
            "journal", ("journal", "begin", next(self._numbers)),
            _begin, writer, case, states_on_disk(self._session.masks),
            received=partial(self._session.add_problem, "journal"),
            done=partial(self._looked, writer), failed=self._not_kept,
        )  # fmt: skip

    def restore(self) -> None:
        """Bring the edits of the earlier run back, as edits that can be undone."""
        unsaved = self._take_unsaved()
        if unsaved is not None:
            self._replay(unsaved.recovery.entries)
            self._create(unsaved.recovery.entries)

    def keep_both(self) -> None:
        """Put each changed mask, with its edits, beside the saved one; notes are restored."""
        unsaved = self._take_unsaved()
        if unsaved is None:
            return
        entries = unsaved.recovery.entries
        notes = tuple(note for note in map(_notes_only, entries) if note.edit.steps)
        self._replay(notes)
        self._create(notes)
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
        """Forget the edits of the earlier run."""
        if self._unsaved is not None:
            self._unsaved = None
            self._create(())

    def end(self) -> None:
        """Remove the journal of a case that was left; its edits are saved or not wanted."""
        writer, self._writer, self._unsaved = self._writer, None, None
        if writer is not None:
            self._submit(writer.discard)

    def saved(self) -> None:
        """Drop what is on disk now, when that is everything."""
        if self._writer is not None and not self._session.is_dirty:
            self._submit(partial(self._writer.restart, states_on_disk(self._session.masks)))

    def mark(self, mask: str, fingerprint: Fingerprint, revision: int) -> None:
        """Note that a mask's file is about to be replaced; may be called from any thread.

        Raises
        ------
        SaveError
            When that could not be noted; the file must not be replaced then.
        """
        writer = self._writer
        if writer is not None:
            writer.mark(mask, MaskState(fingerprint.digest, revision))

    def _looked(self, writer: _Writer, unsaved: Unsaved | None) -> None:
        if unsaved is not None and writer is self._writer:
            self._unsaved = unsaved
            self.unsaved_found.emit(unsaved)

    def _take_unsaved(self) -> Unsaved | None:
        unsaved, self._unsaved = self._unsaved, None
        case = self._session.case
        if unsaved is not None and case is not None and unsaved.recovery.strangers:
            put_aside(journal_path(case.mask_root, case.id))
        return unsaved

    def _replay(self, entries: Iterable[JournalEntry]) -> None:
        lost = 0
        for entry in entries:
            try:
                replay(self._session, entry)
            except (KeyError, ValueError) as error:
                log.warning("an edit could not be restored: %s", error)
                lost += 1
        if lost:
            self.failed.emit(f"{lost} of the unsaved changes could not be restored.")

    def _create(self, entries: tuple[JournalEntry, ...]) -> None:
        """Start a new journal that holds ``entries`` from the beginning."""
        case, writer = self._session.case, self._writer
        assert case is not None
        assert writer is not None
        path, bases = journal_path(case.mask_root, case.id), states_on_disk(self._session.masks)
        writer.expect()
        self._submit(
            partial(writer.open, path, case.id, bases, [(e.edit, e.act) for e in entries]),
            self._not_kept,
        )

    def _changed(self, change: Change) -> None:
        edit, act = change.edit, ACTS.get(change.origin)
        if self._writer is not None and edit is not None and act is not None:
            self._submit(partial(self._writer.append, edit, act))

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


def replay(session: Session, entry: JournalEntry) -> None:
    """Do to the session what the user did in the earlier run.

    Raises
    ------
    KeyError
        When the edit belongs to a mask that is not open.
    ValueError
        When the edit does not fit its mask.
    """
    history, edit = session.history, entry.edit
    if entry.act is Act.UNDO and history.done and _is_same(history.done[-1], edit):
        session.undo()
    elif entry.act is Act.REDO and history.undone and _is_same(history.undone[-1], edit):
        session.redo()
    elif entry.act is Act.UNDO:
        session.apply(Edit(f"Undo {edit.name}", _inverse(edit).steps), origin="restore")
    else:
        session.apply(edit, origin="restore")


def _is_same(first: Edit, second: Edit) -> bool:
    return [p.token for p in first.patches] == [p.token for p in second.patches] and (
        first.name == second.name and len(first.steps) == len(second.steps)
    )


def _inverse(edit: Edit) -> Edit:
    steps = tuple(
        ValueChange(step.field, step.key, step.after, step.before)
        if isinstance(step, ValueChange)
        else step
        for step in reversed(edit.steps)
    )
    return Edit(edit.name, steps)


def _notes_only(entry: JournalEntry) -> JournalEntry:
    steps = tuple(step for step in entry.edit.steps if isinstance(step, ValueChange))
    return replace(entry, edit=replace(entry.edit, steps=steps))


def _recovered(entry: MaskEntry, file: MaskFile, taken: set[str]) -> MaskFile:
    """A copy of a mask under a free name, without a file of its own yet."""
    name = free_name(f"{entry.mask.name} recovered", taken)
    copied = Mask(name, entry.mask.array.copy(), entry.mask.grid, entry.mask.axis_order)
    return replace(file, mask=copied, path=Path(f"{name}.nii.gz"), fingerprint=None)


def states_on_disk(masks: Mapping[str, MaskEntry]) -> dict[str, MaskState]:
    """Content of each mask's file, and the revision of the mask that it is."""
    return {
        name: MaskState(entry.file.fingerprint.digest, entry.mask.saved_revision)
        for name, entry in masks.items()
        if entry.file is not None and entry.file.fingerprint is not None
    }


def _begin(
    context: TaskContext, writer: _Writer, case: Case, bases: Mapping[str, MaskState]
) -> Unsaved | None:
    """Look for edits of an earlier run; start a new journal when there are none."""
    path = journal_path(case.mask_root, case.id)
    unsaved = None
    try:
        unsaved = find_unsaved(case, {name: state.digest for name, state in bases.items()})
    except (ImageError, OSError) as error:
        log.warning("journal of %s: %s", case_file_name(case.id), error)
        put_aside(path)
        context.send(f"Unsaved edits cannot be restored: {error}")
    if unsaved is None:
        writer.open(path, case.id, bases, [])
    else:
        writer.settle()
    return unsaved


def _call(context: TaskContext, write: Callable[[], None]) -> None:
    write()
