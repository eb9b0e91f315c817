"""Every system call of a save fails in turn, in the real window; disks fill up and go away."""

from __future__ import annotations

import shutil

import pytest

from tests.scenarios.remote_window import RemoteWindow
from tests.scenarios.test_faults import WORDS, Disk, needs_strace, save_with_fault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: Calls of a save that have to do with the mask, its folder, its backups and the temporary file.
CALLS = (
    "openat", "write", "fsync", "close", "read", "rename", "link", "chmod", "unlink", "mkdir",
    "newfstatat", "getdents64", "fadvise64", "lseek", "readlink", "ioctl",
)  # fmt: skip

MOST_OF_A_KIND = 40


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path, tmp_path / "user")


@needs_strace
@pytest.mark.parametrize("error", WORDS)
def test_every_call_of_a_save_fails_in_turn(disk, error, tally):
    with RemoteWindow(disk.user) as window:
        disk.open(window)
        for call in CALLS:
            for when in range(1, MOST_OF_A_KIND):
                number = tally.trial()
                shutil.rmtree(disk.mask.parent / "backups", ignore_errors=True)
                fault = f"inject={call}:error={error}:when={when}"
                if not save_with_fault(window, disk, number, fault):
                    break
                tally.hit()
    assert tally.hits > 40, "faults must hit the save"
