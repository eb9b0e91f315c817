"""The journal of a case: every edit is on disk before the next one, even if the program dies.

A journal belongs to masks as they are on disk: its header names the content (digest) and the
revision of each. An edit is appended as one record (length, CRC-32, payload) and synced. Before a
saved mask takes the place of the old one, its new digest and the revision that was saved are
appended. After a crash at any moment the digest of a file tells the revision that it holds, and
the tokens of the edits tell which of them came later (:meth:`JournalContents.unsaved`), also when
the user went on drawing while the mask was being written.

Reading stops at the first record that is torn or damaged: at most the last edit is lost.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import json
import logging
import os
import struct
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labeler.core.edits import Edit
from labeler.core.mask import Patch
from labeler.storage.atomic import fsync_folder, reason, unreadable, write_bytes_durably
from labeler.storage.edit_codec import decode_edit, encode_edit
from labeler.storage.errors import ImageError, SaveError

log = logging.getLogger(__name__)

_MAGIC = b"CTLJRNL1"
_RECORD = struct.Struct("<II")
_MAX_RECORD_BYTES = 2**30
_EDIT, _SAVED = b"E", b"S"


class Act(enum.Enum):
    """What the user did with an edit."""

    DO = 0
    UNDO = 1
    REDO = 2


@dataclass(frozen=True)
class JournalEntry:
    """An edit and what was done with it."""

    edit: Edit
    act: Act


@dataclass(frozen=True)
class MaskState:
    """A content of a mask: digest of its file, and :attr:`labeler.core.mask.Mask.revision`."""

    digest: str
    revision: int = 0


@dataclass(frozen=True)
class SavedMark:
    """The file of ``mask`` was about to get the content ``state``."""

    mask: str
    state: MaskState


@dataclass(frozen=True)
class Recovery:
    """What can be restored.

    Attributes
    ----------
    entries
        In order; patches that the files on disk hold already are left out, and so are entries of
        which nothing remains.
    strangers
        Masks whose file is none that the journal knows. Their patches are left out: on another
        content they would be wrong.
    """

    entries: tuple[JournalEntry, ...]
    strangers: tuple[str, ...]


@dataclass(frozen=True)
class JournalContents:
    """A journal as read from disk.

    Attributes
    ----------
    case_id
        Case that it belongs to.
    bases
        State of each mask's file when the journal was started.
    records
        Edits and saves in order.
    is_torn
        Whether bytes at the end were no whole record.
    whole_bytes
        Where the last whole record ends.
    """

    case_id: str
    bases: Mapping[str, MaskState]
    records: tuple[JournalEntry | SavedMark, ...]
    is_torn: bool
    whole_bytes: int

    def unsaved(self, digests: Mapping[str, str]) -> Recovery:
        """Find the edits that the files on disk do not hold.

        Parameters
        ----------
        digests
            Digest of the file of each mask as it is now; masks without a file are absent.
        """
        starts: dict[str, int] = {}
        for mask in self._masks():
            start = self._start(mask, digests.get(mask))
            if start is not None:
                starts[mask] = start
        entries = []
        for number, record in enumerate(self.records):
            if isinstance(record, JournalEntry):
                steps = tuple(
                    step
                    for step in record.edit.steps
                    if not isinstance(step, Patch) or starts.get(step.mask, number + 1) <= number
                )
                if steps:
                    entries.append(replace(record, edit=replace(record.edit, steps=steps)))
        return Recovery(tuple(entries), tuple(m for m in self._masks() if m not in starts))

    def _masks(self) -> list[str]:
        names = dict.fromkeys(
            patch.mask
            for record in self.records
            if isinstance(record, JournalEntry)
            for patch in record.edit.patches
        )
        return list(names)

    def _start(self, mask: str, digest: str | None) -> int | None:
        """Number of leading records whose patches the file holds; ``None``: a stranger."""
        base = self.bases.get(mask)
        if digest == (base.digest if base else None):
            known = {base.revision if base else 0}
        else:
            known = {
                record.state.revision
                for record in self.records
                if isinstance(record, SavedMark)
                and (record.mask, record.state.digest) == (mask, digest)
            }
        # The latest place with that revision: undoing brings an earlier content back.
        revisions = self._revisions(mask, base.revision if base else 0)
        places = [number for number, revision in enumerate(revisions) if revision in known]
        return places[-1] if places else None

    def _revisions(self, mask: str, revision: int) -> list[int]:
        """Revision of a mask after 0, 1, 2 ... records: each act toggles the patches' tokens."""
        revisions = [revision]
        for record in self.records:
            for patch in record.edit.patches if isinstance(record, JournalEntry) else ():
                if patch.mask == mask:
                    revision ^= patch.token
            revisions.append(revision)
        return revisions


class Journal:
    """A journal that is being written, from any thread.

    Make one with :meth:`create` or :meth:`reopen`.
    """

    def __init__(self, path: Path, case_id: str, descriptor: int, end: int) -> None:
        self.path = path
        self._case_id = case_id
        self._descriptor = descriptor
        self._end = end
        self._mutex = threading.Lock()

    @staticmethod
    def create(path: Path, case_id: str, bases: Mapping[str, MaskState]) -> Journal:
        """Start a journal, in place of an older one.

        Parameters
        ----------
        path
            In the user's local data folder, never beside the masks.
        case_id
            Case that it belongs to.
        bases
            State of each mask's file as it is on disk; masks without a file are left out.

        Raises
        ------
        SaveError
            When it cannot be written; an older journal is intact then.
        """
        header = _header(case_id, bases)
        write_bytes_durably(path, header)
        return Journal(path, case_id, _open(path), len(header))

    @staticmethod
    def reopen(path: Path) -> Journal:
        """Go on with the journal of an earlier run, behind its last whole record.

        Raises
        ------
        ImageError
            When it is no journal.
        SaveError
            When it cannot be written.
        """
        contents = read_journal(path)
        descriptor = _open(path)
        try:
            os.ftruncate(descriptor, contents.whole_bytes)
            os.fsync(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise SaveError(f"The journal cannot be written: {reason(error)}.") from error
        return Journal(path, contents.case_id, descriptor, contents.whole_bytes)

    def append(self, edit: Edit, act: Act = Act.DO) -> None:
        """Write an edit; it survives a power cut when this returns.

        Raises
        ------
        SaveError
            When it could not be written. The journal is as before and may be tried again.
        """
        self._append(_EDIT + bytes([act.value]) + encode_edit(edit))

    def mark_saved(self, mask: str, state: MaskState) -> None:
        """Note the content that a mask's file is about to get; before the file is replaced.

        Raises
        ------
        SaveError
            As :meth:`append`.
        """
        self._append(_SAVED + json.dumps([mask, state.digest, state.revision]).encode())

    def restart(self, bases: Mapping[str, MaskState]) -> None:
        """Drop all records: everything is saved, notes too, and the files are now ``bases``.

        Raises
        ------
        SaveError
            When the new journal cannot be written; the old one goes on.
        """
        header = _header(self._case_id, bases)
        with self._mutex:
            write_bytes_durably(self.path, header)
            os.close(self._descriptor)
            self._descriptor = -1  # the old file is gone: an append must fail, not vanish
            self._descriptor, self._end = _open(self.path), len(header)

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

    def discard(self) -> None:
        """Close the file and remove it."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            fsync_folder(self.path.parent)

    def _append(self, payload: bytes) -> None:
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


def put_aside(path: Path) -> None:
    """Keep a journal that cannot be replayed beside the new one, as ``NAME.TIME.unused``."""
    stamp = f"{datetime.datetime.now():%Y%m%dT%H%M%S}"
    try:
        os.replace(path, path.with_name(f"{path.stem}.{stamp}.unused"))
    except OSError as error:
        log.warning("a journal could not be put aside: %s", reason(error))


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
        bases = {str(mask): _state(*values) for mask, values in fields["bases"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"{path.name} is no journal, or its beginning is damaged.") from error
    records: list[JournalEntry | SavedMark] = []
    offset = len(_MAGIC) + _RECORD.size + len(header or b"")
    while (payload := _payload(data, offset)) is not None:
        try:
            records.append(_parse(payload))
        except (ValueError, TypeError):
            break  # whole, but of a kind that this version does not know
        offset += _RECORD.size + len(payload)
    return JournalContents(case_id, bases, tuple(records), offset != len(data), offset)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY)
    except OSError as error:
        raise SaveError(f"The journal cannot be written: {reason(error)}.") from error


def _header(case_id: str, bases: Mapping[str, MaskState]) -> bytes:
    states = {mask: [state.digest, state.revision] for mask, state in bases.items()}
    return _MAGIC + _record(json.dumps({"case": case_id, "bases": states}).encode())


def _state(digest: str, revision: int) -> MaskState:
    return MaskState(str(digest), int(revision))


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


def _parse(payload: bytes) -> JournalEntry | SavedMark:
    if payload[:1] == _SAVED:
        mask, digest, revision = json.loads(payload[1:])
        return SavedMark(str(mask), _state(digest, revision))
    if payload[:1] == _EDIT and len(payload) > 1:
        return JournalEntry(decode_edit(payload[2:]), Act(payload[1]))
    raise ValueError("an unknown record")
