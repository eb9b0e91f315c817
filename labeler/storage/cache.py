"""Volumes seen before: kept shuffled and LZ4-packed, several times faster to read than gzip.

An entry is found by what its source contains, never by where that lies, so copies and renamed
files share it and changed files miss it. Entries carry checksums; one that is torn or damaged is
dropped and counts as a miss. Several processes may use one folder.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import xxhash

from labeler.core.geometry import AxisOrder, GeometryError, Grid
from labeler.core.volume import Volume
from labeler.storage.byte_stream import GZIP_MAGIC
from labeler.storage.locations import user_cache_folder
from labeler.storage.sources import DicomSeries, NoContext, ReadContext, Source

log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES = 20 * 10**9

_MAGIC = b"CTLV0001"
_SUFFIX = ".volume"
_LENGTH = struct.Struct("<Q")
_CHUNK_BYTES = 8 * 2**20
_MAX_HEADER_BYTES = 2**20
#: Bytes at both ends of a gzip file that go into its key; the last 8 are CRC-32 and length.
_KEY_BYTES = 64 * 2**10


class VolumeCache:
    """A folder of packed volumes, bounded in bytes; the longest unused ones are dropped first.

    Parameters
    ----------
    folder
        Created when the first entry is written.
    max_bytes
        What all entries may take; 0 turns the cache off.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    @staticmethod
    def default(max_bytes: int | None = None) -> VolumeCache:
        """Open the user's cache: 20 GB or 10 % of the free disk, whichever is less."""
        folder = user_cache_folder() / "volumes"
        if max_bytes is None:
            max_bytes = min(DEFAULT_MAX_BYTES, _free_bytes(folder) // 10)
        return VolumeCache(folder, max_bytes)

    def get(self, source: Source, context: ReadContext | None = None) -> Volume | None:
        """Return the volume of a source, ``None`` when it is not here or not whole.

        What ``context.check`` raises passes through; nothing else is raised.
        """
        path = self._path(source)
        if path is None or not path.exists():
            return None
        context = context or NoContext()
        try:
            volume = _read_entry(path, context)
            os.utime(path)  # the time of the last use orders the entries
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
            log.info("dropping a cached volume: %s", error)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return volume

    def holds(self, source: Source) -> bool:
        """Whether there is an entry for a source; it may still prove damaged."""
        path = self._path(source)
        return path is not None and path.exists()

    def put(self, source: Source, volume: Volume) -> None:
        """Keep the volume that was read from a source.

        Takes as long as reading took; call it in the background, when the volume is on the
        screen. Failing (a full disk, a folder without permission) only means that it is not kept.
        """
        path = self._path(source)
        if path is None or self.max_bytes <= 0:
            return
        temporary = path.with_name(f"{secrets.token_hex(8)}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb") as file:
                _write_entry(file, volume)
            # No fsync: an entry that a power cut tears fails its checksum and is read anew.
            os.replace(temporary, path)
            self._trim(keep=path)
        except OSError as error:
            log.info("a volume was not cached: %s", error.strerror)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _path(self, source: Source) -> Path | None:
        try:
            key = source_key(source)
        except OSError:
            return None
        return None if key is None else self.folder / f"{key}{_SUFFIX}"

    def _trim(self, keep: Path) -> None:
        """Drop the longest unused entries, and what killed processes left, until all fits."""
        entries = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((path.suffix != ".tmp", status.st_mtime, path, status.st_size))
        total = sum(size for *_, size in entries)
        for _, _, path, size in sorted(entries, key=lambda entry: entry[:2]):
            if total <= self.max_bytes:
                return
            if path != keep or size > self.max_bytes:
                with contextlib.suppress(OSError):
                    path.unlink()
                    total -= size


def source_key(source: Source) -> str | None:
    """Name the content of a source without reading all of it.

    ``None`` for files that are not worth a copy because they are read as fast as one.

    Raises
    ------
    OSError
        When a file is gone.
    """
    hasher = xxhash.xxh3_128(_MAGIC)
    if isinstance(source, DicomSeries):
        hasher.update(source.uid.encode())
        hasher.update(repr((source.shape_ijk, source.affine, source.kind)).encode())
        hasher.update(repr([ref.frame for ref in source.slices]).encode())
        for path in source.paths:
            status = path.stat()
            hasher.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return hasher.hexdigest()
    with open(source, "rb") as file:
        head = file.read(_KEY_BYTES)
        if not head.startswith(GZIP_MAGIC):
            return None
        status = os.fstat(file.fileno())
        file.seek(max(0, status.st_size - _KEY_BYTES))
        hasher.update(head)
        hasher.update(file.read(_KEY_BYTES))
    hasher.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return hasher.hexdigest()


@dataclass(frozen=True)
class _Header:
    """Description of an entry; JSON after the magic."""

    shape_kji: tuple[int, int, int]
    dtype: str
    affine: list[list[float]]
    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    file_shape_ijk: tuple[int, int, int]
    notes: list[str]
    planes: int

    @staticmethod
    def parse(text: bytes) -> _Header:
        values: dict[str, Any] = json.loads(text)
        for name in ("shape_kji", "permutation", "flips", "file_shape_ijk"):
            values[name] = tuple(values[name])
        if values["dtype"] not in ("int16", "float32"):
            raise ValueError("it is of an unknown type")
        return _Header(**values)


def _blosc2() -> Any:
    """Import the library, which takes a quarter of a second, when it is needed first."""
    import blosc2

    # Without this a chunk is unpacked while no other thread can run, the window's included.
    blosc2.set_releasegil(True)
    return blosc2


def _write_entry(file: IO[bytes], volume: Volume) -> None:
    blosc2, array = _blosc2(), volume.array
    planes = max(1, _CHUNK_BYTES // array[0].nbytes)
    header = _Header(
        volume.grid.shape_kji,
        array.dtype.name,
        volume.grid.affine.tolist(),
        volume.axis_order.permutation,
        volume.axis_order.flips,
        volume.axis_order.file_shape_ijk,
        list(volume.notes),
        planes,
    )
    file.write(_MAGIC)
    _write_block(file, json.dumps(vars(header)).encode())
    for k in range(0, len(array), planes):
        packed = blosc2.compress2(
            array[k : k + planes],
            typesize=array.dtype.itemsize,
            codec=blosc2.Codec.LZ4,
            filters=[blosc2.Filter.SHUFFLE],
            filters_meta=[0],
            clevel=5,
            nthreads=1,
        )
        _write_block(file, packed)


def _write_block(file: IO[bytes], block: bytes) -> None:
    file.write(_LENGTH.pack(len(block)) + xxhash.xxh3_64_digest(block))
    file.write(block)


def _read_block(file: IO[bytes], max_bytes: int) -> bytes:
    head = file.read(16)
    if len(head) != 16:
        raise ValueError("it ends too early")
    (length,) = _LENGTH.unpack(head[:8])
    if length > max_bytes:
        raise ValueError("a block has an impossible length")
    block = file.read(length)
    if len(block) != length or xxhash.xxh3_64_digest(block) != head[8:]:
        raise ValueError("a checksum is wrong")
    return block


def _read_entry(path: Path, context: ReadContext) -> Volume:
    blosc2 = _blosc2()
    with open(path, "rb", buffering=0) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it is of another version")
        header = _Header.parse(_read_block(file, _MAX_HEADER_BYTES))
        array: npt.NDArray[Any] = np.empty(header.shape_kji, header.dtype)
        for k in range(0, len(array), header.planes):
            context.check()
            context.report(k / len(array), "")
            chunk = array[k : k + header.planes]
            packed = _read_block(file, 2 * chunk.nbytes + 2**16)
            if blosc2.get_cbuffer_sizes(packed)[0] != chunk.nbytes:
                raise ValueError("a block has another size")
            blosc2.decompress2(packed, dst=chunk, nthreads=1)
    context.report(1.0, "")
    try:
        grid = Grid(header.shape_kji, np.array(header.affine))
    except GeometryError as error:
        raise ValueError(str(error)) from error
    order = AxisOrder(header.permutation, header.flips, header.file_shape_ijk)
    return Volume(array, grid, order, tuple(header.notes))


def _free_bytes(folder: Path) -> int:
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return shutil.disk_usage(folder).free
