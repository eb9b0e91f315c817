"""The one function that writes files: afterwards there is the old content or the new, never less.

:func:`write_bytes_durably` makes a temporary file in the same folder, writes, fsyncs, reads back
and compares the hash, keeps the previous version, renames over the target and fsyncs the folder.
A power cut, a full disk or a killed process at any of these steps leaves the target whole.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from labeler.storage.errors import ConflictError, SaveError
from labeler.storage.reasons import reason

BACKUP_FOLDER = "backups"

#: Temporary files are hidden and named without the target's name, which may hold a patient's.
_TEMPORARY_PREFIX = ".ct-labeler-"
_ABANDONED_S = 24 * 3600.0
_BLOCK_BYTES = 8 * 2**20

_swept: set[Path] = set()

#: File systems without hard links, and those that keep no folder entries to be synced, say so.
_UNSUPPORTED = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NOTHING_TO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True)
class Fingerprint:
    """Names the content of a file.

    Attributes
    ----------
    size
        Bytes.
    mtime_ns
        Time of the last change; informative, since copying and clocks change it.
    digest
        128-bit hash of the content, hexadecimal.
    """

    size: int
    mtime_ns: int
    digest: str

    def same_content(self, other: Fingerprint) -> bool:
        """Whether both name the same bytes, whenever these were written."""
        return (self.size, self.digest) == (other.size, other.digest)

    @staticmethod
    def of(path: Path) -> Fingerprint:
        """Read a file and name its content.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        hasher, size = xxhash.xxh3_128(), 0
        with open(path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                hasher.update(block)
                size += len(block)
            return Fingerprint(size, os.fstat(file.fileno()).st_mtime_ns, hasher.hexdigest())


class Expect(enum.Enum):
    """What a writer expects to find at the target, when it is no file that was read before."""

    ANYTHING = "anything"
    NOTHING = "nothing"


def write_bytes_durably(
    path: Path,
    data: bytes,
    *,
    expected: Fingerprint | Expect = Expect.ANYTHING,
    keep_backups: int = 0,
    before_replace: Callable[[Fingerprint], None] | None = None,
) -> Fingerprint:
    """Write a file so that it survives a power cut from the moment this returns.

    Parameters
    ----------
    path
        Target; a symbolic link is followed. A missing folder is created, unless ``expected`` is
        a fingerprint: then the drive is gone and must not be replaced by a folder.
    data
        The whole content.
    expected
        What must be there now. Anything else is left alone.
    keep_backups
        How many previous versions stay in the folder ``backups`` beside the target.
    before_replace
        Called with the new content's fingerprint when that is safe under a temporary name and
        before it takes the target's place. What it raises stops the writing.

    Raises
    ------
    ConflictError
        When the target is not what was expected.
    SaveError
        When writing failed. In both cases the target is as it was, no temporary file is left,
        and the call can be repeated.
    """
    target = Path(os.path.realpath(path))
    try:
        if not isinstance(expected, Fingerprint):
            _make_folder(target.parent)
        _sweep(target.parent)
        with temporary_name(target.parent) as temporary:
            digest = _write_and_read_back(temporary, data, _mode_of(target))
            fingerprint = Fingerprint(len(data), temporary.stat().st_mtime_ns, digest)
            if before_replace is not None:
                before_replace(fingerprint)
            with _alone_in(target.parent), _backup(target, keep_backups) as backup:
                _check_target(target, expected)
                _take_place(temporary, target, backup, expected)
    except OSError as error:
        raise SaveError(_sentence(path, error)) from error
    return fingerprint


def remove_file(path: Path) -> None:
    """Remove a file that can be made again; that it stays, or is gone already, is no failure."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def folder_problem(folder: Path) -> str | None:
    """Say why nothing can be written to a folder; ``None`` when something can.

    A folder that does not exist yet is judged by the nearest one that does.
    """
    existing = folder
    while not existing.exists() and existing.parent != existing:
        existing = existing.parent
    try:
        with temporary_name(existing) as temporary:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        return f"Nothing can be saved in {folder.name or folder}: {reason(error)}."
    return None


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises
    ------
    OSError
        When the disk reports an error; not where the file system has no such notion.
    """
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOTHING_TO_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_name(folder: Path) -> Iterator[Path]:
    """Give a name for a temporary file in a folder; a file of that name is gone afterwards."""
    path = folder / f"{_TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(6)}.tmp"
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _sentence(path: Path, error: OSError) -> str:
    return f"{path.name} was not saved: {reason(error)}."


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind, a day later; look once, folders can be large."""
    if folder in _swept:
        return
    _swept.add(folder)
    limit_s = time.time() - _ABANDONED_S
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*.tmp"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit_s:
                path.unlink()


def _mode_of(target: Path) -> int | None:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return None


def _write_and_read_back(path: Path, data: bytes, mode: int | None) -> str:
    """Write a new file, make it durable and compare it; return the digest of its content."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        if mode is not None:
            os.chmod(path, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:_BLOCK_BYTES]) :]
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):  # else the kernel's copy would be compared, not the disk's
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    digest = xxhash.xxh3_128_hexdigest(data)
    if Fingerprint.of(path).digest != digest:
        raise OSError(errno.EIO, "what was read back differs")
    return digest


def _check_target(target: Path, expected: Fingerprint | Expect) -> None:
    if expected is Expect.ANYTHING:
        return
    try:
        found = Fingerprint.of(target)
    except FileNotFoundError:
        if expected is not Expect.NOTHING:
            raise ConflictError(
                f"{target.name} was not saved: the file it was read from is gone."
            ) from None
        return
    if expected is Expect.NOTHING:
        raise ConflictError(f"{target.name} was not saved: a file of that name is there already.")
    if isinstance(expected, Fingerprint) and not found.same_content(expected):
        raise ConflictError(
            f"{target.name} was not saved: somebody else changed the file after it was opened."
        )


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from replacing files of a folder between our look and our rename.

    Where the file system has no such locks, the moment in between remains.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # no such locks here
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        with contextlib.suppress(OSError):  # nothing was written by it: what is done is done
            os.close(descriptor)


@contextlib.contextmanager
def _backup(target: Path, keep: int) -> Iterator[Path | None]:
    """Keep the previous version as long as the block succeeds, then forget the oldest ones."""
    if keep <= 0 or not target.exists():
        yield None
        return
    folder = target.parent / BACKUP_FOLDER
    _make_folder(folder)
    older = _backups_of(target)
    number = _backup_number(older[-1]) + 1 if older else 1
    stem, suffix = split_name(target.name)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    backup = folder / f"{stem}.{number:04d}_{stamp}{suffix}"
    _link_or_copy(target, backup)
    try:
        fsync_folder(folder)
        yield backup
    except BaseException:
        with contextlib.suppress(OSError):
            backup.unlink(missing_ok=True)
        raise
    for path in [*older, backup][:-keep]:
        with contextlib.suppress(OSError):
            path.unlink()


def _backups_of(target: Path) -> list[Path]:
    """Previous versions, oldest first; by number, since clocks jump."""
    stem, suffix = split_name(target.name)
    pattern = re.compile(rf"{re.escape(stem)}\.\d{{4,}}_\d{{8}}T\d{{6}}Z{re.escape(suffix)}")
    found = [p for p in (target.parent / BACKUP_FOLDER).iterdir() if pattern.fullmatch(p.name)]
    return sorted(found, key=_backup_number)


def _backup_number(path: Path) -> int:
    stem, _ = split_name(path.name)
    return int(stem.rpartition(".")[2].partition("_")[0])


def split_name(name: str) -> tuple[str, str]:
    """Split a file name into stem and suffix, where ``.nii.gz`` is one suffix."""
    match = re.fullmatch(r"(.+?)((?:\.seg)?\.(?:nii\.gz|nii|nrrd|nhdr|mha|mhd))", name, re.I)
    if match:
        return match[1], match[2]
    return Path(name).stem, Path(name).suffix


def _link_or_copy(source: Path, destination: Path) -> None:
    try:
        os.link(source, destination)
        return
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    shutil.copy2(source, destination)
    with open(destination, "rb+", buffering=0) as file:
        os.fsync(file.fileno())


def _take_place(
    temporary: Path, target: Path, backup: Path | None, expected: Fingerprint | Expect
) -> None:
    """Rename over the target; put the previous version back when that cannot be made durable."""
    if expected is Expect.NOTHING:
        _take_free_place(temporary, target)
    else:
        os.replace(temporary, target)
    try:
        fsync_folder(target.parent)
    except OSError:
        with contextlib.suppress(OSError):
            if backup is not None:
                _link_or_copy(backup, temporary)
                os.replace(temporary, target)
            elif expected is Expect.NOTHING:
                target.unlink()
        raise


def _take_free_place(temporary: Path, target: Path) -> None:
    """Rename without replacing a file that appeared since the check."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise ConflictError(
            f"{target.name} was not saved: a file of that name is there already."
        ) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        os.replace(temporary, target)
