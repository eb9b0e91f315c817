"""What a journal tells: the edits that files lack, and the history that led to them.

A journal knows for every document of a case (each mask, and the notes) which revision a file of a
known digest holds. The tokens of the edits tell the revision after each of them, so that the
digest of a file as it is now names the place in the journal that it was saved at, also when the
user went on drawing while it was being written.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from labeler.core.edits import NO_STACKS, NOTES, Edit, Stacks, document_of


class Act(enum.Enum):
    """What the user did with an edit."""

    DO = 0
    UNDO = 1
    REDO = 2


@dataclass(frozen=True)
class JournalEntry:
    """An edit and what was done with it.

    Attributes
    ----------
    edit, act
        Which, and what.
    is_listed
        Whether it is a step of the history; not when the stacks that the journal began with
        contain it already.
    """

    edit: Edit
    act: Act
    is_listed: bool = True


@dataclass(frozen=True)
class FileState:
    """A content of a document: digest of its file, and its revision in the program."""

    digest: str
    revision: int = 0


@dataclass(frozen=True)
class SavedMark:
    """A file with the content ``state`` was, or was about to be, written for ``document``."""

    document: str
    state: FileState


@dataclass(frozen=True)
class Recovery:
    """What can be restored.

    Attributes
    ----------
    entries
        In order; steps that the files on disk hold already are left out, and so are entries of
        which nothing remains.
    strangers
        Masks with unsaved edits whose file is none that the journal knows. Their patches are left
        out: on another content they would be wrong.
    forgotten
        Documents whose history is lost, since their file is none that the journal knows.
    stacks
        The history when all ``entries`` are restored.
    saved_stacks
        The history when none is.
    """

    entries: tuple[JournalEntry, ...] = ()
    strangers: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    stacks: Stacks = NO_STACKS
    saved_stacks: Stacks = NO_STACKS

    @property
    def has_unsaved(self) -> bool:
        """Whether there is something that the files do not hold."""
        return bool(self.entries or self.strangers)


@dataclass(frozen=True)
class JournalContents:
    """A journal as read from disk.

    Attributes
    ----------
    case_id
        Case that it belongs to.
    bases
        State of each document's file when the journal was started.
    kept
        The history then.
    records
        Edits and saves in order.
    is_torn
        Whether bytes at the end were no whole record.
    whole_bytes
        Where the last whole record ends.
    """

    case_id: str
    bases: Mapping[str, FileState]
    kept: Stacks
    records: tuple[JournalEntry | SavedMark, ...]
    is_torn: bool
    whole_bytes: int

    def recovery(self, digests: Mapping[str, str]) -> Recovery:
        """Find the edits that the files on disk do not hold, and the history.

        Parameters
        ----------
        digests
            Digest of each document as it is on disk now; masks without a file are absent.
        """
        places = {document: self._place(document, digests.get(document)) for document in self._all}
        starts = {document: place for document, place in places.items() if place is not None}
        forgotten = tuple(document for document in self._all if document not in starts)
        strangers = tuple(d for d in forgotten if d != NOTES and self._has_unsaved(d))
        if NOTES in forgotten:  # whatever else changed there, what was noted since stays true
            starts[NOTES] = self._last_save(NOTES)
        stacks = self._stacks.without(forgotten)
        now = {document: self._revisions[document][-1] for document in starts}
        on_disk = {document: self._revisions[document][place] for document, place in starts.items()}
        return Recovery(
            self._missing(starts), strangers, forgotten, stacks,
            stacks.at(now, on_disk) or NO_STACKS,
        )  # fmt: skip

    def _missing(self, starts: Mapping[str, int]) -> tuple[JournalEntry, ...]:
        """Entries behind the place of each document's file."""
        entries = []
        for number, record in enumerate(self.records):
            if isinstance(record, JournalEntry):
                steps = tuple(
                    step
                    for step in record.edit.steps
                    if starts.get(document_of(step), number + 1) <= number
                )
                if steps:
                    entries.append(replace(record, edit=replace(record.edit, steps=steps)))
        return tuple(entries)

    @cached_property
    def _entries(self) -> tuple[JournalEntry, ...]:
        return tuple(record for record in self.records if isinstance(record, JournalEntry))

    @cached_property
    def _all(self) -> tuple[str, ...]:
        """All documents that edits changed."""
        changed = (entry.edit.documents for entry in self._entries)
        return tuple(sorted(self.kept.documents.union(*changed)))

    @cached_property
    def _stacks(self) -> Stacks:
        """The history after the last record; empty when the records do not fit together."""
        done, undone = list(self.kept.done), list(self.kept.undone)
        for entry in self._entries:
            if not entry.is_listed:
                continue
            if entry.act is Act.DO:
                undone.clear()
                done.append(entry.edit)
                continue
            source, target = (done, undone) if entry.act is Act.UNDO else (undone, done)
            # Empty: one undid more than the journal began with.
            if source and source.pop().token != entry.edit.token:
                return NO_STACKS
            target.append(entry.edit)
        return Stacks(tuple(done), tuple(undone))

    def _known(self, document: str) -> list[FileState]:
        """States of files that are known, in the order they were noted."""
        base = self.bases.get(document)
        marks = (r for r in self.records if isinstance(r, SavedMark) and r.document == document)
        return ([base] if base is not None else []) + [mark.state for mark in marks]

    def _place(self, document: str, digest: str | None) -> int | None:
        """Number of leading records whose steps the file holds; ``None``: it is not known."""
        states = self._known(document)
        known = {state.revision for state in states if state.digest == digest}
        if digest is None and not states:
            known = {0}  # there was no file, and there is none
        # The latest place with that revision: undoing brings an earlier content back.
        return self._last_place(document, known)

    def _has_unsaved(self, document: str) -> bool:
        revisions = self._revisions[document]
        return revisions[self._last_save(document)] != revisions[-1]

    def _last_save(self, document: str) -> int:
        """Place of the last content that was saved; the beginning when none was."""
        known = {state.revision for state in self._known(document)[-1:]}
        return self._last_place(document, known) or 0

    def _last_place(self, document: str, known: set[int]) -> int | None:
        """Number of records after which a document had one of these revisions for the last time."""
        revisions = self._revisions[document]
        places = (n for n in reversed(range(len(revisions))) if revisions[n] in known)
        return next(places, None)

    @cached_property
    def _revisions(self) -> dict[str, list[int]]:
        """Revision of each document after 0, 1, 2 ... records: each act toggles its tokens."""
        revisions: dict[str, list[int]] = {}
        for document in self._all:
            base = self.bases.get(document)
            revision = base.revision if base is not None else 0
            revisions[document] = [revision]
            for record in self.records:
                if isinstance(record, JournalEntry):
                    revision ^= record.edit.token_of(document)
                revisions[document].append(revision)
        return revisions
