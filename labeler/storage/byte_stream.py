"""Reading the bytes of an image file, compressed or not, without trusting its length.

The content decides, not the name: a file that starts with the gzip magic is unpacked by isal
while it is read, in pieces, so that memory stays bounded by what the header asks for and the
reading can be watched and stopped.
"""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
import xxhash
from isal import igzip_lib, isal_zlib

from labeler.storage.atomic import Fingerprint
from labeler.storage.errors import ImageError
from labeler.storage.reasons import unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_UnpackError = cast("type[Exception]", igzip_lib.IsalError)  # its stub says: an instance

GZIP_MAGIC = b"\x1f\x8b"

#: A deflate stream cannot unpack to more than this many times its size.
_MAX_DEFLATE_RATIO = 1032
#: Bytes after the voxels that are passed over; more means that the header lies.
_SPARE_BYTES = 4096
#: Small enough to stay in the cache of a core until it is put where it belongs.
_PIECE_BYTES = 2**20
_PACKED_PIECE_BYTES = 512 * 2**10


class _Readable(Protocol):
    """What bytes come from; raises EOFError when they end too early."""

    def readinto(self, buffer: WriteableBuffer) -> int | None: ...


Packing = Literal["none", "gzip", "zlib", "detect"]


class ByteStream:
    """Unpacked bytes of a file, read once from front to back.

    Parameters
    ----------
    path
        The file.
    packing
        How the bytes are packed; by default told from the first two.
    offset
        Where they start.
    with_fingerprint
        Hash the stored bytes on the way, for :meth:`fingerprint`.

    Raises
    ------
    ImageError
        When the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        packing: Packing = "detect",
        offset: int = 0,
        with_fingerprint: bool = False,
    ) -> None:
        self.path = path
        self.notes: list[str] = []
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise ImageError(f"{path.name} is a folder, not an image.")
            self._raw = _HashingFile(path) if with_fingerprint else io.FileIO(path)
            self.stored_bytes = os.fstat(self._raw.fileno()).st_size - offset
            if packing == "detect":
                is_gzip = os.pread(self._raw.fileno(), 2, offset) == GZIP_MAGIC
                packing = "gzip" if is_gzip else "none"
            if offset:
                self._raw.seek(offset)
        except OSError as error:
            raise unreadable(path, error) from error
        self.packing = packing
        self._bytes: _Readable = self._raw
        if packing == "gzip":
            # Not public, but what isal's own gzip file is made of, and the only way to unpack
            # straight into an array. Objects in between cost four threads half of their time:
            # memory given back to the system and fetched anew, and a fight for the interpreter.
            self._bytes = isal_zlib._GzipReader(self._raw, _PACKED_PIECE_BYTES)
        elif packing == "zlib":
            self._bytes = _ZlibFile(self._raw)

    def __enter__(self) -> ByteStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._raw.close()

    def check_can_hold(self, nbytes: int) -> None:
        """Refuse a header that promises more bytes than the file can hold.

        Raises
        ------
        ImageError
            Before anything of that size is allocated.
        """
        most = self.stored_bytes * (1 if self.packing == "none" else _MAX_DEFLATE_RATIO)
        if nbytes > most:
            raise ImageError(
                f"{self.path.name} is truncated: its header promises {_megabytes(nbytes)}, "
                f"the file holds {_megabytes(self.stored_bytes)}."
            )

    def read(self, nbytes: int) -> bytes:
        """Read exactly ``nbytes`` (see :meth:`read_into`)."""
        buffer = np.empty(nbytes, np.uint8)
        self.read_into(buffer)
        return buffer.tobytes()

    def read_into(self, array: npt.NDArray[np.generic]) -> None:
        """Fill a C-contiguous array.

        Raises
        ------
        ImageError
            When the file ends before, or is damaged.
        """
        view = array.reshape(-1).view(np.uint8).data
        filled = 0
        try:
            while filled < len(view):
                count = self._bytes.readinto(view[filled : filled + _PIECE_BYTES])
                if not count:
                    raise EOFError
                filled += count
        except EOFError:
            raise self._truncated() from None
        except (_UnpackError, OSError) as error:
            raise self._damaged(error) from error

    def finish(self) -> None:
        """Check what follows the last voxel: the checksum, and no more than a few spare bytes.

        Raises
        ------
        ImageError
            When the checksum is wrong or much more data follows.
        """
        spare = 0
        buffer = bytearray(_SPARE_BYTES)
        try:
            while spare <= _SPARE_BYTES and (count := self._bytes.readinto(buffer)):
                spare += count
        except EOFError:
            raise self._truncated() from None
        except (_UnpackError, OSError) as error:
            raise self._damaged(error) from error
        if spare > _SPARE_BYTES:
            raise ImageError(f"{self.path.name} holds more data than its header describes.")
        if spare:
            self.notes.append(f"{spare} bytes that belong to no image follow in {self.path.name}.")

    def fingerprint(self) -> Fingerprint:
        """Name the stored bytes that were read; reads what is left of the file.

        Raises
        ------
        ImageError
            When the rest cannot be read.
        """
        assert isinstance(self._raw, _HashingFile)
        try:
            return self._raw.finish()
        except OSError as error:
            raise self._damaged(error) from error

    def _truncated(self) -> ImageError:
        if not os.path.getsize(self.path):
            return ImageError(f"{self.path.name} is empty.")
        return ImageError(f"{self.path.name} is truncated: the file ends too early.")

    def _damaged(self, error: Exception) -> ImageError:
        if isinstance(error, OSError) and error.errno:
            return unreadable(self.path, error)
        if isinstance(error, gzip.BadGzipFile) and str(error).startswith("Not a gzipped file"):
            return ImageError(f"{self.path.name} is damaged: its packed data ends in other bytes.")
        return ImageError(f"{self.path.name} is damaged: its compressed data cannot be unpacked.")


class _ZlibFile(io.RawIOBase):
    """Unpacks a zlib stream; ends with EOFError when the packed bytes do before the stream does."""

    def __init__(self, packed: io.FileIO) -> None:
        self._packed = packed
        self._stream = isal_zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._stream.eof:
            packed = self._stream.unconsumed_tail or self._packed.read(_PACKED_PIECE_BYTES)
            if not packed:
                raise EOFError
            unpacked = self._stream.decompress(packed, len(view))
            if unpacked:
                view[: len(unpacked)] = unpacked
                return len(unpacked)
        return 0


class _HashingFile(io.FileIO):
    """A file that hashes what is read from it; never seek back."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._hasher = xxhash.xxh3_128()
        self._size = 0

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        count = super().readinto(buffer)
        if count:
            self._hasher.update(memoryview(buffer)[:count])
            self._size += count
        return count

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(-1 if size is None else size) or b""
        self._hasher.update(block)
        self._size += len(block)
        return block

    def finish(self) -> Fingerprint:
        while self.read(_PIECE_BYTES):
            pass
        mtime_ns = os.fstat(self.fileno()).st_mtime_ns
        return Fingerprint(self._size, mtime_ns, self._hasher.hexdigest())


def _megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:,.1f} MB" if nbytes >= 1e5 else f"{nbytes:,} bytes"
