"""A disk that fails while the window saves: a sample of what ``make test-slow`` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeler.storage.masks import read_mask
from labeler.storage.unsaved import journal_path, read_earlier
from tests.cases_on_disk import write_case
from tests.scenarios.remote_window import RemoteWindow, can_trace, digest_of

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

    def __init__(self, folder: Path) -> None:
        self.root = folder / "data"
        self.user = folder / "user"
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

    def left_over(self) -> list[Path]:
        """Temporary files beside the mask."""
        return [path for path in self.mask.parent.rglob("*") if path.name.startswith(".")]

    def paths_of_a_save(self, window: RemoteWindow) -> tuple[Path, ...]:
        folder = self.mask.parent
        return (window.temporary(folder), self.mask, folder, folder / "backups")


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


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
def test_a_save_that_fails_is_said_and_can_be_repeated(disk):
    with RemoteWindow(disk.root, disk.user) as window:
        window.ask("open", case=CASE)
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


