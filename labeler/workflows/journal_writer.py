"""Writes the journal of one case, in a thread of its own that may be held up by the disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labeler.core.edits import NO_STACKS, Edit, Stacks
from labeler.storage.errors import SaveError
from labeler.storage.journal import Journal, remove_journal
from labeler.storage.recovery import Act, FileState, JournalEntry
from labeler.storage.unsaved import history_path, prune_histories

#: How long a save waits for a journal that is being made before it fails.
_PATIENCE_S = 30.0

#: The history of one case may take one part in so many of the disk space for histories.
_SHARES = 8


@dataclass(frozen=True)
class Present:
    """What is to be in a journal.

    Attributes
    ----------
    bases
        State of each document's file on disk.
    stacks
        The history.
    missing
        Entries of it that the files do not hold.
    """

    bases: Mapping[str, FileState]
    stacks: Stacks = NO_STACKS
    missing: tuple[JournalEntry, ...] = ()


class JournalWriter:
    """The journal of one case; used in the thread that writes, but for :meth:`mark`.

    Edits that come before there is a file go into it first, and edits that could not be written
    are written before later ones: an edit on top of one that is missing would be worth nothing.
    A case that is only looked at gets no file at all.

    Parameters
    ----------
    path
        From :func:`~labeler.storage.unsaved.journal_path`.
    case_id
        The case.
    history_bytes
        Disk space for the histories of all cases that are not open; 0 keeps none.
    """

    def __init__(self, path: Path, case_id: str, history_bytes: int) -> None:
        self._path = path
        self._case_id = case_id
        self._history_bytes = history_bytes
        self._case_bytes = history_bytes // _SHARES
        self._journal: Journal | None = None
        self._waiting: list[tuple[Edit, Act]] = []
        self._is_wanted = True
        self._is_settled = threading.Event()
        self._mutex = threading.Lock()
        #: What the journal begins with, and what was noted since, while nothing needs a file.
        self._later: Present | None = None
        self._noted: list[tuple[str, FileState]] = []

    def expect(self) -> None:
        """Let :meth:`mark` wait for :meth:`open`, which follows."""
        self._is_settled.clear()

    def settle(self) -> None:
        """Let :meth:`mark` go on without a journal, as long as there is none."""
        self._is_settled.set()

    def open(self, present: Present) -> None:
        """Start a new journal in place of that of an earlier run, if there is anything to keep.

        Raises
        ------
        SaveError
            When it cannot be written; nothing is kept then.
        """
        is_empty = not (present.stacks or present.missing or self._waiting)
        try:
            if is_empty and not os.path.exists(self._path):
                remove_journal(history_path(self._path))
                self._later = present
            else:
                self._journal = self._created(present)
                self._write_waiting()
                self._journal.take_place_of(self._path)
                remove_journal(history_path(self._path))
        except SaveError:
            if self._journal is not None:
                self._journal.close()
            self._give_up()
            raise
        finally:
            self._is_settled.set()

    def append(self, edit: Edit, act: Act) -> None:
        """Write what was done.

        Raises
        ------
        SaveError
            When it cannot be written now.
        """
        if self._is_wanted:
            self._waiting.append((edit, act))
            self._write_waiting()

    def forget_waiting(self) -> None:
        """Drop edits that were made before there was a file: they have been undone."""
        self._waiting.clear()

    def compact(self, present: Present) -> None:
        """Drop what is on disk, when it is much; everything is saved.

        Raises
        ------
        SaveError
            When that cannot be written; the journal goes on as it is.
        """
        journal = self._journal
        if journal is not None and (self._waiting or journal.nbytes > self._case_bytes):
            journal.restart(present.bases, present.stacks.within(self._case_bytes // 2))
            self._waiting.clear()

    def leave(self, present: Present, *, is_saved: bool) -> None:
        """End the journal of a case that is left, and keep its history.

        Parameters
        ----------
        present
            The history that belongs to the files.
        is_saved
            Whether that is the one the journal holds: nothing unsaved was given up.

        Raises
        ------
        SaveError
            When the history cannot be kept.
        """
        journal, is_whole = self._journal, is_saved and not self._waiting
        self._give_up()
        if journal is None:
            return
        stacks = present.stacks.within(self._case_bytes)
        try:
            if stacks:
                if not is_whole or journal.nbytes > self._case_bytes:
                    journal.restart(present.bases, stacks)
                for document, state in present.bases.items():  # known, but for odd ways to save
                    journal.mark_saved(document, state)
                journal.close()
                journal.take_place_of(history_path(self._path))
                prune_histories(self._history_bytes)
        finally:
            journal.close()
            remove_journal(self._path)

    def note(self, document: str, state: FileState) -> None:
        """Write what a file holds that was read later than the others.

        Raises
        ------
        SaveError
            When it cannot be written.
        """
        with self._mutex:
            journal = self._journal
            if journal is None and self._later is not None:
                self._noted.append((document, state))
        if journal is not None:
            journal.mark_saved(document, state)

    def mark(self, document: str, state: FileState) -> None:
        """Write what a document's file is about to be; may be called from any thread.

        Raises
        ------
        SaveError
            When that could not be written.
        """
        if not self._is_settled.wait(_PATIENCE_S):
            raise SaveError("The journal cannot be written: the disk does not answer.")
        self.note(document, state)

    def _created(self, present: Present) -> Journal:
        stacks = present.stacks.within(self._case_bytes)
        return Journal.create(
            self._path.with_suffix(".new"), self._case_id, present.bases, stacks, present.missing
        )

    def _create_late(self, present: Present) -> None:
        """Make the file that was not needed before; where that fails, the next edit tries again."""
        with self._mutex:
            journal = self._created(present)
            try:
                for document, state in self._noted:
                    journal.mark_saved(document, state)
                journal.take_place_of(self._path)
            except SaveError:
                journal.close()
                raise
            self._journal, self._later = journal, None
            self._noted.clear()

    def _write_waiting(self) -> None:
        if self._later is not None and self._waiting:
            self._create_late(self._later)
        while self._journal is not None and self._waiting:
            self._journal.append(*self._waiting[0])
            self._waiting.pop(0)

    def _give_up(self) -> None:
        self._journal, self._waiting, self._is_wanted = None, [], False
        self._later = None
