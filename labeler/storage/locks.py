"""Who has a case open: a small file beside the masks that says so.

The lock is advice for people. What protects masks from being overwritten is the fingerprint that
every save compares (see :mod:`labeler.storage.masks`).
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import getpass
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from labeler.storage.atomic import temporary_name
from labeler.storage.errors import SaveError
from labeler.storage.reasons import reason

_MAX_BYTES = 4096
#: Difference between two readings of the time at which one process was started.
_SAME_START_S = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: How often the folder of a lock may vanish before that is an error.
_TRIES = 100


@dataclass(frozen=True)
class LockOwner:
    """Who holds a lock.

    Attributes
    ----------
    user, host
        Login name and machine.
    pid, started
        The process and when it was started, in seconds since the machine was: numbers of
        processes are reused, and clocks are set while programs run.
    boot
        Tells two runs of a machine apart, "" where the system does not.
    since
        When the lock was taken, ISO 8601 with time zone.
    token
        Tells two locks of one process apart.
    """

    user: str
    host: str
    pid: int
    started: float
    since: str
    token: str
    boot: str = ""

    @property
    def is_gone(self) -> bool:
        """Whether the process is known to have ended; another machine's never is."""
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            return True
        try:
            return abs(_started_s(self.pid) - self.started) > _SAME_START_S
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False

    def __str__(self) -> str:
        return f"{self.user} on {self.host}"


class LockedError(Exception):
    """Somebody else has the case open; the message is a sentence for the user."""

    def __init__(self, owner: LockOwner | None) -> None:
        who = "Somebody" if owner is None else f"{owner}"
        since = "" if owner is None else f" since {owner.since[:16].replace('T', ' ')}"
        super().__init__(f"{who} has this case open{since}; it can be looked at, not changed.")
        self.owner = owner


class CaseLock:
    """A lock that this process holds; made by :meth:`acquire`.

    Folders that were made for the lock file go with it unless something else is in them by then:
    looking at a case leaves nothing behind.
    """

    def __init__(self, path: Path, owner: LockOwner, made: tuple[Path, ...] = ()) -> None:
        self.path = path
        self.owner = owner
        self._made = made

    @staticmethod
    def acquire(path: Path, *, take_over: bool = False) -> CaseLock:
        """Take a lock.

        Parameters
        ----------
        path
            The lock file; its folder is made when missing.
        take_over
            Take it from whoever holds it. For a person to decide: on another machine nobody can
            tell whether the program still runs.

        Raises
        ------
        LockedError
            When somebody else holds it.
        SaveError
            When the lock file cannot be written.
        """
        owner = _this_process()
        made: tuple[Path, ...] = ()
        try:
            made = _missing_folders(path.parent)
            while not _create(path, owner):
                seen = _read(path)
                held_by = inspect(path)
                if held_by is not None and not take_over:
                    raise LockedError(held_by)
                _remove(path, seen)
        except OSError as error:
            _remove_empty(made)
            raise SaveError(f"The case could not be locked: {reason(error)}.") from error
        return CaseLock(path, owner, made)

    def release(self) -> None:
        """Give the lock back; harmless when somebody took it over."""
        if _read(self.path) == self.owner:
            with contextlib.suppress(OSError):
                self.path.unlink()
            # Also the folder that another lock made, which went before this one.
            _remove_empty((self.path.parent, *self._made))


class LockHolder:
    """A lock that one thread takes and another gives back, in either order.

    The lock of a case is taken in the background. By the time it is there the user may have
    turned to another case; then it is not kept.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._lock: CaseLock | None = None
        self._is_wanted = True

    def take(self, path: Path) -> str | None:
        """Take a lock, once; a sentence when it is not to be had.

        After :meth:`give_back` nothing is taken any more.
        """
        with self._mutex:
            if self._is_wanted:
                try:
                    self._lock = CaseLock.acquire(path)
                except (LockedError, SaveError) as error:
                    return str(error)
        return None

    def give_back(self) -> None:
        """Give the lock back, now or as soon as it would be taken; repeated calls are harmless."""
        with self._mutex:
            self._is_wanted = False
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()


def inspect(path: Path) -> LockOwner | None:
    """Tell who holds a lock; ``None`` when nobody does, or a process that has ended.

    Raises
    ------
    LockedError
        When there is a lock that cannot be read.
    """
    owner = _read(path)
    if owner is not None:
        return None if owner.is_gone else owner
    if path.exists() and not os.access(path, os.R_OK):
        raise LockedError(None)
    return None  # no lock, or one torn by a crash that names nobody


def _this_process() -> LockOwner:
    now = datetime.datetime.now().astimezone()
    return LockOwner(
        user=_user_name(),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_started_s(os.getpid()),
        boot=_boot(),
        since=now.isoformat(timespec="seconds"),
        token=secrets.token_hex(8),
    )


def _started_s(pid: int) -> float:
    """When a process was started, in seconds since the machine was.

    Raises
    ------
    psutil.Error
        When there is no such process, or nothing is told about it.
    """
    return psutil.Process(pid).create_time() - psutil.boot_time()


def _boot() -> str:
    """Name of this run of the machine."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _missing_folders(folder: Path) -> tuple[Path, ...]:
    """Folders on the way to ``folder`` that are not there, the deepest first."""
    return tuple(place for place in (folder, *folder.parents) if not place.exists())


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the deepest first, up to one that is not empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()


def _create(path: Path, owner: LockOwner) -> bool:
    """Create the lock file whole, or not at all when there is one."""
    for _ in range(_TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # its last user has just removed the folder
            return _create_in_folder(path, owner)
    raise FileNotFoundError(errno.ENOENT, "the folder is removed again and again")


def _create_in_folder(path: Path, owner: LockOwner) -> bool:
    with temporary_name(path.parent) as temporary:
        temporary.write_text(json.dumps(asdict(owner)), encoding="utf-8")
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # no hard links here: a reader may see the file before its content
            return _create_exclusively(path, owner)
    return True


def _create_exclusively(path: Path, owner: LockOwner) -> bool:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(json.dumps(asdict(owner)))
    except FileExistsError:
        return False
    return True


def _remove(path: Path, seen: LockOwner | None) -> None:
    """Remove the lock that was seen; another one, made in the meantime, is put back."""
    with temporary_name(path.parent) as aside, contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if _read(aside) != seen:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)


def _read(path: Path) -> LockOwner | None:
    try:
        with open(path, encoding="utf-8") as file:
            values = json.loads(file.read(_MAX_BYTES))
        return LockOwner(
            str(values["user"]),
            str(values["host"]),
            int(values["pid"]),
            float(values["started"]),
            str(values["since"]),
            str(values["token"]),
            str(values.get("boot", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
