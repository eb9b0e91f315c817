"""The journal of a case: every edit is on disk before the next one, even if the program dies.

A journal belongs to documents as they are on disk: its header names the content (digest) and the
revision of each. It begins with the history that led there. An edit is appended as one record
(length, CRC-32, payload) and synced; undo and redo name the edit only. Before a saved file takes
the place of the old one, its new digest and the revision that was saved are appended. After a
crash at any moment the digest of a file tells the revision that it holds
(:meth:`labeler.storage.recovery.JournalContents.recovery`).

Reading stops at the first record that is torn or damaged: at most the last edit is lost. The
layout is in ``docs/formats.md``.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from labeler.core.edits import NO_STACKS, Edit, Stacks
from labeler.storage.atomic import fsync_folder, write_bytes_durably
from labeler.storage.edit_codec import decode_edit, encode_edit
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.reasons import reason, unreadable
from labeler.storage.recovery import Act, FileState, JournalContents, JournalEntry, SavedMark

log = logging.getLogger(__name__)

_MAGIC = b"CTLJRNL2"
_RECORD = struct.Struct("<II")
_TOKEN = struct.Struct("<Q")
_MAX_RECORD_BYTES = 2**30
_KEPT, _MISSING, _EDIT, _STEP, _SAVED = b"K", b"M", b"E", b"A", b"S"

#: Saves that a journal goes on knowing when it is restarted: files are older only when somebody
#: brings them back.
_MARKS_KEPT = 100


class Journal:
    """A journal that is being written, from any thread; see :meth:`create`."""

    def __init__(
        self, path: Path, case_id: str, end: int, bases: Mapping[str, FileState], stacks: Stacks
    ) -> None:
        self.path = path
        self._case_id = case_id
        self._descriptor = _open(path)
        self._end = end
        self._bases = dict(bases)
        self._marks: list[SavedMark] = []
        self._tokens = _tokens(stacks)  #: of the edits that the file holds
        self._mutex = threading.Lock()

    @staticmethod
    def create(
        path: Path,
        case_id: str,
        bases: Mapping[str, FileState],
        stacks: Stacks = NO_STACKS,
        missing: Iterable[JournalEntry] = (),
    ) -> Journal:
        """Start a journal, in place of an older one.

        Parameters
        ----------
        path
            In the user's local data folder, never beside the masks.
        case_id
            Case that it belongs to.
        bases
            State of each document's file as it is on disk; documents without a file are left out.
        stacks
            The history so far.
        missing
            Entries of it that the files do not hold.

        Raises
        ------
        SaveError
            When it cannot be written; an older journal is intact then.
        """
        beginning = _beginning(case_id, bases, stacks, missing)
        write_bytes_durably(path, beginning)
        return Journal(path, case_id, len(beginning), bases, stacks)

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return self._end

    def append(self, edit: Edit, act: Act = Act.DO) -> None:
        """Write what was done; it survives a power cut when this returns.

        Raises
        ------
        SaveError
            When it could not be written. The journal is as before and may be tried again.
        """
        token = edit.token
        if token in self._tokens:
            self._append(_STEP + bytes([act.value]) + _TOKEN.pack(token))
        else:  # new, or older than the history that the journal began with
            self._append(_EDIT + bytes([act.value]) + encode_edit(edit))
            self._tokens.add(token)

    def mark_saved(self, document: str, state: FileState) -> None:
        """Note the content that a file is about to get, before it is replaced, or that it has.

        Raises
        ------
        SaveError
            As :meth:`append`.
        """
        mark = SavedMark(document, state)
        if self._bases.get(document) != state and mark not in self._marks:
            self._append(_mark(mark), mark)

    def restart(self, bases: Mapping[str, FileState], stacks: Stacks) -> None:
        """Drop all records: everything is saved, notes too, and the files are now ``bases``.

        Raises
        ------
        SaveError
            When the new journal cannot be written; the old one goes on.
        """
        beginning = _beginning(self._case_id, bases, stacks)
        with self._mutex:
            # One may have been noted since ``bases`` were.
            data = beginning + b"".join(_record(_mark(mark)) for mark in self._marks)
            write_bytes_durably(self.path, data)
            os.close(self._descriptor)
            self._descriptor = -1  # the old file is gone: an append must fail, not vanish
            self._descriptor, self._end = _open(self.path), len(data)
            self._bases, self._tokens = dict(bases), _tokens(stacks)

    def take_place_of(self, path: Path) -> None:
        """Rename the journal over an older one, in one step.

        Raises
        ------
        SaveError
            When it cannot be renamed; both are as before.
        """
        try:
            os.replace(self.path, path)
            fsync_folder(path.parent)
        except OSError as error:
            raise SaveError(f"The journal cannot be written: {reason(error)}.") from error
        self.path = path

    def close(self) -> None:
        """Close the file and leave it for the next start."""
        with self._mutex:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _append(self, payload: bytes, mark: SavedMark | None = None) -> None:
        record = _record(payload)
        with self._mutex:
            try:
                written = 0
                while written < len(record):
                    place = self._end + written
                    written += os.pwrite(self._descriptor, memoryview(record)[written:], place)
                os.fdatasync(self._descriptor)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._end)  # nothing may follow a torn record
                raise SaveError(f"The journal could not be written: {reason(error)}.") from error
            self._end += len(record)
            if mark is not None:
                self._marks = [*self._marks, mark][-_MARKS_KEPT:]


def put_aside(path: Path) -> None:
    """Keep a journal that cannot be replayed beside the new one, as ``NAME.TIME.unused``."""
    stamp = f"{datetime.datetime.now():%Y%m%dT%H%M%S}"
    try:
        os.replace(path, path.with_name(f"{path.stem}.{stamp}.unused"))
    except OSError as error:
        log.warning("a journal could not be put aside: %s", reason(error))


def remove_journal(path: Path) -> None:
    """Remove a journal, if it is there: nothing in it is missing elsewhere, or wanted."""
    try:
        if os.path.exists(path):
            path.unlink()
            fsync_folder(path.parent)
    except OSError as error:
        log.warning("a journal could not be removed: %s", reason(error))


def read_journal(path: Path) -> JournalContents:
    """Read a journal as far as it is whole.

    Raises
    ------
    ImageError
        When it cannot be read, or is no journal: its header is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    header = _payload(data, len(_MAGIC)) if data.startswith(_MAGIC) else None
    try:
        fields = json.loads(header or b"")
        case_id = str(fields["case"])
        bases = {str(name): _state(*values) for name, values in fields["bases"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"{path.name} is no journal, or its beginning is damaged.") from error
    records = _Records()
    offset = len(_MAGIC) + _RECORD.size + len(header or b"")
    while (payload := _payload(data, offset)) is not None:
        try:
            records.take(payload)
        except (ValueError, TypeError, LookupError, struct.error):
            break  # whole, but of a kind that this version does not know
        offset += _RECORD.size + len(payload)
    is_torn = offset != len(data)
    return JournalContents(case_id, bases, records.kept, tuple(records.rest), is_torn, offset)


class _Records:
    """The records of a journal as they are read."""

    def __init__(self) -> None:
        self.rest: list[JournalEntry | SavedMark] = []
        self._kept: dict[Act, list[Edit]] = {Act.DO: [], Act.UNDO: []}
        self._edits: dict[int, Edit] = {}

    @property
    def kept(self) -> Stacks:
        """The history at the beginning."""
        return Stacks(tuple(self._kept[Act.DO]), tuple(self._kept[Act.UNDO]))

    def take(self, payload: bytes) -> None:
        """Add one record.

        Raises
        ------
        ValueError, TypeError, LookupError, struct.error
            When it is not of a known kind, or names an edit that does not come before it.
        """
        kind, body = payload[:1], payload[1:]
        if kind == _SAVED:
            document, digest, revision = json.loads(body)
            self.rest.append(SavedMark(str(document), _state(digest, revision)))
            return
        act = Act(body[0])
        if kind == _STEP:
            self.rest.append(JournalEntry(self._edits[_TOKEN.unpack(body[1:])[0]], act))
        elif kind == _MISSING:
            self.rest.append(JournalEntry(decode_edit(body[1:]), act, is_listed=False))
        elif kind in (_EDIT, _KEPT):
            edit = decode_edit(body[1:])
            self._edits[edit.token] = edit
            if kind == _EDIT:
                self.rest.append(JournalEntry(edit, act))
            else:
                self._kept[act].append(edit)
        else:
            raise ValueError("an unknown record")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY)
    except OSError as error:
        raise SaveError(f"The journal cannot be written: {reason(error)}.") from error


def _beginning(
    case_id: str,
    bases: Mapping[str, FileState],
    stacks: Stacks,
    missing: Iterable[JournalEntry] = (),
) -> bytes:
    """Header and history, as bytes."""
    states = {name: [state.digest, state.revision] for name, state in bases.items()}
    parts = [_MAGIC, _record(json.dumps({"case": case_id, "bases": states}).encode())]
    for act, edits in ((Act.DO, stacks.done), (Act.UNDO, stacks.undone)):
        parts += [_record(_KEPT + bytes([act.value]) + encode_edit(edit)) for edit in edits]
    parts += [
        _record(_MISSING + bytes([entry.act.value]) + encode_edit(entry.edit)) for entry in missing
    ]
    return b"".join(parts)


def _mark(mark: SavedMark) -> bytes:
    state = mark.state
    return _SAVED + json.dumps([mark.document, state.digest, state.revision]).encode()


def _state(digest: str, revision: int) -> FileState:
    return FileState(str(digest), int(revision))


def _tokens(stacks: Stacks) -> set[int]:
    return {edit.token for edit in (*stacks.done, *stacks.undone)}


def _record(payload: bytes) -> bytes:
    return _RECORD.pack(len(payload), zlib.crc32(payload)) + payload


def _payload(data: bytes, offset: int) -> bytes | None:
    """Payload of the record at ``offset``; ``None`` when it is not whole."""
    if len(data) - offset < _RECORD.size:
        return None
    length, checksum = _RECORD.unpack_from(data, offset)
    start = offset + _RECORD.size
    if not 0 < length <= min(_MAX_RECORD_BYTES, len(data) - start):
        return None
    payload = data[start : start + length]
    return payload if zlib.crc32(payload) == checksum else None
