"""Proposals of models as bytes, and the folder that keeps them from one start to the next.

They lie in the user's cache, never beside the masks: a proposal can be made again, and is nobody's
work until it was accepted. Files are named by a hash, so that no name of a patient is in them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
import zstandard

from labeler.core.mask import LabelArray
from labeler.storage.atomic import remove_file, write_bytes_durably
from labeler.storage.cases import Case, PhaseSource
from labeler.storage.errors import SaveError
from labeler.storage.locations import user_cache_folder

log = logging.getLogger(__name__)

#: What all files may take: some hundred proposals.
MAX_BYTES = 512 * 2**20

_MAGIC = b"CTLP0002"
_HEAD = struct.Struct("<Q16s")
_SUFFIX = ".proposal"
_DTYPES = ("uint8", "uint16")
_MAX_VOXELS = 2**32
_MAX_HEADER_BYTES = 64 * 2**20

#: Headers longer than this are not read for a list of cases: their warnings show with the case.
_MAX_LISTED_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class PackedProposal:
    """A proposal in little memory.

    Attributes
    ----------
    data
        See :func:`pack`.
    case_key
        See :func:`case_key`.
    """

    case_key: str
    data: bytes


@dataclass(frozen=True)
class Waiting:
    """What a list of cases tells of a proposal.

    Attributes
    ----------
    title
        Name and version of the model.
    warnings
        Why the whole answer is doubtful, a sentence each.
    """

    title: str
    warnings: tuple[str, ...] = ()


def case_key(case: Case) -> str:
    """Name a case, wherever its folder is mounted, without telling its id."""
    text = f"{case.mask_root}\0{case.id}".encode("utf-8", "surrogateescape")
    return xxhash.xxh3_128_hexdigest(text)


def stamp_of(source: PhaseSource) -> list[Any] | None:
    """What changes when the file of a phase does; ``None`` when the file is gone."""
    path = source.path
    try:
        status = path.stat()
    except OSError:
        return None
    return [path.name, source.key, status.st_size, status.st_mtime_ns]


def pack(document: dict[str, Any], labels: LabelArray) -> bytes:
    """Make bytes of a label map and what is to be known about it.

    Parameters
    ----------
    document
        What JSON can hold.
    labels
        ``[k, j, i]`` uint8 or uint16, C-contiguous.

    Raises
    ------
    TypeError, ValueError
        When the document holds what JSON cannot.
    """
    described = {**document, "shape_kji": labels.shape, "dtype": labels.dtype.name}
    header = json.dumps(described, allow_nan=False).encode()
    body = zstandard.ZstdCompressor(level=1).compress(labels.data)
    content = header + body
    return _MAGIC + _HEAD.pack(len(header), xxhash.xxh3_128_digest(content)) + content


def unpack(data: bytes) -> tuple[dict[str, Any], LabelArray]:
    """Undo :func:`pack`.

    Raises
    ------
    ValueError
        When the bytes are damaged or of another version.
    """
    start = len(_MAGIC) + _HEAD.size
    if len(data) < start or not data.startswith(_MAGIC):
        raise ValueError("it is of another version")
    length, digest = _HEAD.unpack_from(data, len(_MAGIC))
    content = memoryview(data)[start:]
    if length > min(len(content), _MAX_HEADER_BYTES):
        raise ValueError("it ends too early")
    if xxhash.xxh3_128_digest(content) != digest:
        raise ValueError("its checksum is wrong")
    document = json.loads(bytes(content[:length]))
    shape, dtype = tuple(int(n) for n in document["shape_kji"]), document["dtype"]
    n_voxels = int(np.prod([max(0, n) for n in shape], dtype=object)) if len(shape) == 3 else 0
    if dtype not in _DTYPES or not 0 < n_voxels <= _MAX_VOXELS:
        raise ValueError("it has an impossible size")
    n_bytes = n_voxels * np.dtype(dtype).itemsize
    try:
        body = zstandard.ZstdDecompressor().decompress(content[length:], max_output_size=n_bytes)
    except zstandard.ZstdError as error:
        raise ValueError(f"it cannot be unpacked ({error})") from error
    if len(body) != n_bytes:
        raise ValueError("it has another size")
    return document, np.frombuffer(body, np.dtype(dtype)).reshape(shape)


def waiting_in(data: bytes) -> Waiting | None:
    """What the beginning of a packed proposal tells; ``None`` when it tells nothing."""
    start = len(_MAGIC) + _HEAD.size
    if len(data) < start or not data.startswith(_MAGIC):
        return None
    length, _ = _HEAD.unpack_from(data, len(_MAGIC))
    try:
        document = json.loads(data[start : start + length])
        run, warnings = document["run"], document["warnings"]
        title = f"{run['title']} {run['version']}".strip()
        return Waiting(title, tuple(map(str, warnings)))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class ProposalFolder:
    """Keeps the newest proposal of each case, bounded in bytes; the oldest are dropped first.

    Parameters
    ----------
    folder
        Created with the first proposal.
    max_bytes
        What all files may take.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    @staticmethod
    def default() -> ProposalFolder:
        """Return the folder in the user's cache."""
        return ProposalFolder(user_cache_folder() / "proposals")

    def put(self, packed: PackedProposal) -> None:
        """Keep a proposal. One that cannot be written is only kept until the program ends."""
        try:
            write_bytes_durably(self._path(packed.case_key), packed.data)
        except SaveError as error:
            log.info("a proposal is not kept for the next start: %s", error)
        self._trim(packed.case_key)

    def get(self, case_key: str) -> PackedProposal | None:
        """Return what is kept for a case."""
        path = self._path(case_key)
        with contextlib.suppress(OSError):
            if path.stat().st_size <= self.max_bytes:
                return PackedProposal(case_key, path.read_bytes())
        return None

    def holds(self, case_key: str) -> bool:
        """Whether there is a file for a case."""
        return self._path(case_key).is_file()

    def waiting(self) -> dict[str, Waiting]:
        """What is kept, by the key of its case; of each file only the beginning is read."""
        found = {}
        for _, _, path in self._files():
            with contextlib.suppress(OSError), path.open("rb") as file:
                waiting = waiting_in(file.read(_MAX_LISTED_BYTES))
                if waiting is not None:
                    found[path.name.removesuffix(_SUFFIX)] = waiting
        return found

    def drop(self, case_key: str) -> None:
        """Forget what is kept for a case."""
        remove_file(self._path(case_key))

    def _path(self, case_key: str) -> Path:
        return self.folder / f"{case_key}{_SUFFIX}"

    def _trim(self, newest: str) -> None:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.max_bytes:
                return
            if path != self._path(newest):
                remove_file(path)
                total -= size

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                yield status.st_mtime_ns, status.st_size, path
