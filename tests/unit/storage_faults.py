"""Disks that fail: processes killed at any system call, full and read-only file systems."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: Calls of the writer that change something on disk, or decide what is changed.
SYSTEM_CALLS = (
    "open", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "close", "chmod", "link",
    "replace", "rename", "unlink", "mkdir",
)  # fmt: skip


def killed_after(calls: int, work: Callable[[], object]) -> bool:
    """Run ``work`` in a process of its own that dies at a system call; tell whether it did."""
    child = os.fork()
    if child == 0:
        try:
            _die_after(calls)
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "the work failed instead of dying"
    return code == 9


def _die_after(calls: int) -> None:
    left = [calls]

    def dying(function):
        def call(*args, **kwargs):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return function(*args, **kwargs)

        return call

    for name in SYSTEM_CALLS:
        setattr(os, name, dying(getattr(os, name)))


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "256k") -> Iterator[Path]:
    """Mount a file system of a given size; skips the test where that is not allowed."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Make a mounted file system read-only."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def make_writable(folder: Path) -> None:
    """Take :func:`make_read_only` back."""
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
