"""A disk that fails while the window saves: a sample of what ``make test-slow`` does at length."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labeler.storage.masks import read_mask
from labeler.storage.sidecar import load_sidecar
from labeler.storage.unsaved import journal_path, read_earlier
from tests.cases_on_disk import labels_ijk, write_case, write_image
from tests.scenarios.remote_window import NOBODY, RemoteWindow, can_trace, digest_of
from tests.unit.storage_faults import make_read_only, make_writable, small_disk

CASE = "LV-1"

#: Errors of the system, and what the window says about them.
WORDS = {
    "EIO": "the disk reports an error",
    "ENOSPC": "the disk is full",
    "EDQUOT": "the disk quota is used up",
    "EROFS": "the disk is read-only",
    "EACCES": "you may not write there",
}


class Disk:
    """What lies on the disk of one user and one case, seen from outside of the window."""

    def __init__(self, folder: Path, user: Path) -> None:
        self.root = folder / "data"
        self.user = user
        self.mask = self.root / "masks" / CASE / "draft.nii.gz"
        write_case(self.root, CASE, phases=("PV",))

    @property
    def digest(self) -> str:
        """Digest of the mask as saved; fails when the file is damaged."""
        return digest_of(read_mask(self.mask).mask.array)

    @property
    def journal(self) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CT_LABELER_LOCAL_DIR", str(self.user / "local"))
            return journal_path(self.root / "masks", CASE)

    def unsaved(self) -> int:
        """Number of edits that the journal holds and the mask does not."""
        fingerprint = read_mask(self.mask).fingerprint
        return len(read_earlier(self.journal, {"draft": fingerprint.digest}).entries)

    def digest_with_journal(self) -> str:
        """Digest of the mask when the edits of the journal are restored."""
        file = read_mask(self.mask)
        if self.journal.exists():
            digests = {"draft": file.fingerprint.digest}
            for entry in read_earlier(self.journal, digests).entries:
                for patch in entry.edit.patches:
                    file.mask.apply(patch)
        return digest_of(file.mask.array)

    def left_over(self) -> list[Path]:
        """Temporary files beside the mask."""
        return [path for path in self.mask.parent.rglob("*") if path.name.startswith(".")]

    def open(self, window: RemoteWindow) -> dict[str, Any]:
        """Open the case in a window."""
        return window.ask("open", case=CASE, root=str(self.root))

    def paths_of_a_save(self, window: RemoteWindow) -> tuple[Path, ...]:
        folder = self.mask.parent
        return (window.temporary(folder), self.mask, folder, folder / "backups")


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Iterator[list[RemoteWindow]]:
    """The window that tests share which do not harm it; another one when it has died."""
    found: list[RemoteWindow] = []
    yield found
    for window in found:
        window.kill()


@pytest.fixture
def window(windows, tmp_path_factory) -> RemoteWindow:
    """A window in another process; its user has opened nothing of this test yet."""
    if not windows or windows[-1].process.poll() is not None:
        windows.append(RemoteWindow(tmp_path_factory.mktemp("user")))
    return windows[-1]


@pytest.fixture
def disk(tmp_path, window):
    return Disk(tmp_path, window.user)


@pytest.fixture
def for_everybody() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    if os.geteuid() != 0:
        pytest.skip("giving up rights needs root")
    folder = Path(tempfile.mkdtemp(prefix="ct-labeler-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def fill(folder: Path) -> Path:
    """Fill the disk of a folder with one file."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return filler


@contextlib.contextmanager
def mounted(source: Path, target: Path) -> Iterator[None]:
    """Show a folder at another place, as a drive; skips the test where that is not allowed."""
    if os.geteuid() != 0 or not mount(source, target):
        pytest.skip("mounting needs root")
    try:
        yield
    finally:
        unmount(target)


def mount(source: Path, target: Path) -> bool:
    command = ["mount", "--bind", str(source), str(target)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmount(target: Path) -> None:
    subprocess.run(["umount", "-l", str(target)], check=True)


def save_with_fault(window: RemoteWindow, disk: Disk, number: int, fault: str) -> list[str]:
    """Paint a stroke, let saving it fail, and save again; returns the calls that were harmed.

    ``fault`` is an option of strace. Whatever fails: the mask on disk is the old one, or it is
    the new one and the window says "Saved".
    """
    before = disk.digest
    painted = window.ask("paint", number=number)
    assert painted["digest"] != before
    with window.faults(fault, paths=disk.paths_of_a_save(window)) as harmed:
        tried = window.ask("save")
    if tried["saved"]:
        assert disk.digest == painted["digest"]
    else:
        assert harmed, tried["message"]
        assert tried["is_dirty"]
        assert disk.digest == before, f"the old mask is gone after {harmed}"
        assert disk.unsaved(), f"the journal lost the stroke after {harmed}"
        reason = WORDS[fault.partition("error=")[2].partition(":")[0]]
        assert reason in tried["message"], (harmed, tried["message"])
    if not any("unlink" in line for line in harmed):
        assert disk.left_over() == []
    again = window.ask("save")
    assert again["saved"] or tried["saved"], again["message"]
    assert not again["is_dirty"]
    assert disk.digest == painted["digest"]
    return harmed


needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is not there, or may not trace")


@needs_strace
def test_a_save_that_fails_is_said_and_can_be_repeated(window, disk):
    disk.open(window)
    for number, (error, call) in enumerate(
        (
            ("EIO", "fsync:when=1"),
            ("ENOSPC", "write:when=1"),
            ("EDQUOT", "fsync:when=1"),
            ("EROFS", "openat:when=1"),
            ("EIO", "read:when=2"),
            ("EACCES", "rename:when=1"),
        ),
        start=1,
    ):
        calls, when = call.split(":")
        harmed = save_with_fault(window, disk, number, f"inject={calls}:error={error}:{when}")
        assert harmed, call


def test_a_full_disk_is_said_and_saves_when_there_is_room(window, tmp_path):
    with small_disk(tmp_path / "data", "400k"):
        disk = Disk(tmp_path, window.user)
        disk.open(window)
        before, filler = disk.digest, fill(tmp_path / "data")
        painted = window.ask("paint", number=1)
        tried = window.ask("save")
        assert not tried["saved"]
        assert "the disk is full" in tried["message"]
        assert disk.digest == before
        assert disk.unsaved() == 1
        filler.unlink()
        assert window.ask("save")["saved"]
        assert disk.digest == painted["digest"]


def test_files_that_may_not_grow_are_said(window, disk):
    disk.open(window)
    before = disk.digest
    window.ask("paint", number=1)
    window.ask("limit_file_size", size=200)
    tried = window.ask("save")
    assert not tried["saved"]
    assert "larger than allowed" in tried["message"]
    assert disk.digest == before
    more = window.ask("paint", number=2)
    assert "in memory only" in more["message"]
    window.ask("limit_file_size", size=-1)
    assert window.ask("save")["saved"]
    assert disk.digest == more["digest"]


def test_a_disk_that_cannot_be_written_is_noticed_at_opening(window, tmp_path):
    with small_disk(tmp_path / "data", "400k"):
        disk = Disk(tmp_path, window.user)
        make_read_only(disk.root)
        opened = disk.open(window)
        assert "the disk is read-only" in opened["read_only"]
        assert window.ask("paint", number=1)["digest"] == opened["digest"]


def test_a_disk_that_becomes_read_only_is_said(window, tmp_path):
    with small_disk(tmp_path / "data", "400k"):
        disk = Disk(tmp_path, window.user)
        before = disk.open(window)["digest"]
        painted = window.ask("paint", number=1)
        make_read_only(disk.root)
        tried = window.ask("save")
        assert not tried["saved"]
        assert "the disk is read-only" in tried["message"]
        assert disk.digest == before
        make_writable(disk.root)
        assert window.ask("save")["saved"]
        assert disk.digest == painted["digest"]


def test_rights_that_are_not_there_or_taken_away_are_said(for_everybody):
    """As a user without rights: root is asked for none."""
    user, other = for_everybody / "user", for_everybody / "other"
    disk = Disk(for_everybody, user)
    write_case(other, "LV-0", phases=("PV",))
    with RemoteWindow(user) as window:
        # What the window needs has to be imported before.
        window.ask("open", case="LV-0", root=str(other))
        window.ask("paint", number=1)
        window.ask("save")
        window.ask("become_nobody", user=str(user))
        opened = disk.open(window)
        assert "you may not write there" in opened["read_only"]
        assert window.ask("paint", number=1)["digest"] == opened["digest"]
        assert not (disk.root / "masks" / "_labeling").exists()

        for path in (disk.root / "masks", disk.mask.parent, disk.mask):
            os.chown(path, NOBODY, NOBODY)
        assert disk.open(window)["read_only"] is None
        painted = window.ask("paint", number=1)
        os.chown(disk.mask.parent, 0, 0)
        tried = window.ask("save")
        assert not tried["saved"]
        assert "you may not write there" in tried["message"]
        assert disk.digest == opened["digest"]
        os.chown(disk.mask.parent, NOBODY, NOBODY)
        assert window.ask("save")["saved"]
        assert disk.digest == painted["digest"]


def test_a_drive_that_goes_away_is_said_and_may_come_back(window, tmp_path):
    real, drive = tmp_path / "real", tmp_path / "data" / "masks"
    disk = Disk(tmp_path, window.user)
    drive.rename(real)
    drive.mkdir()
    with mounted(real, drive):
        disk.open(window)
        before = disk.digest
        painted = window.ask("paint", number=1)
        window.ask("note", text="flagged")
        unmount(drive)
        tried = window.ask("save")
        assert not tried["saved"]
        assert "gone" in tried["message"]
        assert list(drive.iterdir()) == [], "nothing is written to where the drive was"
        assert window.ask("state")["is_dirty"]
        mount(real, drive)
        assert disk.digest == before
        assert window.ask("save")["saved"]
        assert disk.digest == painted["digest"]
        assert load_sidecar(drive, CASE).sidecar.status == "flagged"


def test_a_folder_that_is_removed_is_said_and_its_edits_stay(window, disk):
    disk.open(window)
    painted = window.ask("paint", number=1)
    window.ask("note", text="flagged")
    aside = disk.root / "elsewhere"
    (disk.root / "masks").rename(aside)
    tried = window.ask("save")
    assert not tried["saved"]
    assert not (disk.root / "masks").exists()
    aside.rename(disk.root / "masks")
    assert disk.unsaved() == 2
    assert window.ask("save")["saved"]
    assert disk.digest == painted["digest"]


def test_a_mask_that_somebody_else_changed_is_left_alone(window, disk):
    theirs = labels_ijk()
    theirs[:3] = 7
    disk.open(window)
    painted = window.ask("paint", number=1)
    write_image(disk.mask, theirs)
    changed = disk.digest
    tried = window.ask("save", buttons=("Save copy",))
    assert tried["questions"] == ["maskNameDialog"]
    assert disk.digest == changed
    copy = disk.mask.with_name("draft copy.nii.gz")
    assert digest_of(read_mask(copy).mask.array) == painted["digest"]
    assert window.ask("state")["is_dirty"], "the original is not saved"


def test_two_windows_on_one_case(window, disk):
    """The second looks on; when the first dies it takes over, with what was not saved."""
    with RemoteWindow(disk.user) as first:
        disk.open(first)
        painted = first.ask("paint", number=1)
        looked = disk.open(window)
        assert "has this case open" in looked["read_only"]
        assert window.ask("paint", number=2)["digest"] == looked["digest"]
    taken = disk.open(window)
    assert taken["read_only"] is None
    assert taken["questions"] == ["recoveryQuestion"]
    assert taken["digest"] == painted["digest"]
    assert window.ask("save")["saved"]
    assert disk.digest == painted["digest"]


@needs_strace
def test_edits_are_kept_in_memory_while_the_journal_cannot_be_written(window, disk):
    with RemoteWindow(disk.user) as first:
        disk.open(first)
        first.ask("paint", number=1)
        fault = "inject=pwrite64,fdatasync:error=ENOSPC"
        with first.faults(fault, paths=(disk.journal,)) as harmed:
            told = first.ask("paint", number=2)
        assert harmed
        assert "in memory only" in told["message"]
        assert disk.unsaved() == 1
        last = first.ask("paint", number=3)
        assert disk.unsaved() == 3, "what could not be written is written with the next edit"
    assert disk.open(window)["digest"] == last["digest"]
