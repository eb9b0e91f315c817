"""The one writer: old or new content whatever fails, and nobody's work overwritten."""

from __future__ import annotations

import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labeler.storage import atomic
from labeler.storage.atomic import (
    BACKUP_FOLDER,
    Expect,
    Fingerprint,
    folder_problem,
    split_name,
    write_bytes_durably,
)
from labeler.storage.errors import ConflictError, SaveError
from tests.unit.storage_faults import killed_after, make_read_only, small_disk

OLD, NEW = b"old" * 1000, b"new" * 2000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "masks" / "draft.nii.gz"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def backups_of(target: Path) -> list[bytes]:
    folder = target.parent / BACKUP_FOLDER
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


def fail(error_number: int, *, at_call: int = 1):
    """Make a system call that fails the n-th time and works otherwise."""
    calls = []

    def wrap(function):
        def call(*args, **kwargs):
            calls.append(args)
            if len(calls) == at_call:
                raise OSError(error_number, os.strerror(error_number))
            return function(*args, **kwargs)

        return call

    return wrap


# What is written


def test_content_and_fingerprint(target):
    fingerprint = write_bytes_durably(target, NEW)
    assert target.read_bytes() == NEW
    assert fingerprint == Fingerprint.of(target)
    assert fingerprint.size == len(NEW)
    assert leftovers(target.parent) == []


def test_empty_content(target):
    assert write_bytes_durably(target, b"").size == 0
    assert target.read_bytes() == b""


def test_missing_folders_are_made(tmp_path):
    write_bytes_durably(tmp_path / "a" / "b" / "c.json", NEW)
    assert (tmp_path / "a" / "b" / "c.json").read_bytes() == NEW


def test_permissions_are_kept_and_new_files_follow_the_umask(target):
    target.chmod(0o640)
    write_bytes_durably(target, NEW)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    umask = os.umask(0o027)
    try:
        write_bytes_durably(target.with_name("other.json"), NEW)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(target.with_name("other.json").stat().st_mode) == 0o640


def test_a_link_stays_a_link(target, tmp_path):
    link = tmp_path / "link.nii.gz"
    link.symlink_to(target)
    write_bytes_durably(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW


def test_temporary_names_do_not_hold_the_name_of_the_target(target, monkeypatch):
    target = target.rename(target.with_name("DOE^JOHN.nii.gz"))
    opened = []
    original = os.open
    monkeypatch.setattr(
        atomic.os, "open", lambda path, *rest: opened.append(str(path)) or original(path, *rest)
    )
    write_bytes_durably(target, NEW)
    assert any(name.endswith(".tmp") for name in opened)
    assert not any("DOE" in name for name in opened)


def test_order_of_the_steps(target, monkeypatch):
    """Synced before the rename, and the folder after it: else a power cut may lose both."""
    steps = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(
            atomic.os,
            name,
            lambda *args, name=name, original=original: steps.append(name) or original(*args),
        )
    write_bytes_durably(target, NEW, before_replace=lambda _: steps.append("ready"))
    assert steps == ["fsync", "ready", "replace", "fsync"]


# Whose file it is


def test_expected_content_is_replaced_whenever_it_was_written(target):
    expected = Fingerprint.of(target)
    os.utime(target, (1, 1))
    write_bytes_durably(target, NEW, expected=expected)
    assert target.read_bytes() == NEW


def test_changed_file_is_left_alone(target):
    expected = Fingerprint.of(target)
    times = target.stat()
    target.write_bytes(OLD[::-1])  # same size, and the clock set back to the same time
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ConflictError, match=r"draft\.nii\.gz was not saved: somebody else"):
        write_bytes_durably(target, NEW, expected=expected, keep_backups=3)
    assert target.read_bytes() == OLD[::-1]
    assert backups_of(target) == []
    assert leftovers(target.parent) == []


def test_file_changed_while_writing_is_left_alone(target):
    expected = Fingerprint.of(target)
    with pytest.raises(ConflictError):
        write_bytes_durably(
            target, NEW, expected=expected, before_replace=lambda _: target.write_bytes(b"theirs")
        )
    assert target.read_bytes() == b"theirs"


def test_vanished_file_is_not_made_again(target):
    expected = Fingerprint.of(target)
    target.unlink()
    with pytest.raises(ConflictError, match="is gone"):
        write_bytes_durably(target, NEW, expected=expected)
    assert not target.exists()


def test_vanished_drive_is_not_replaced_by_a_folder(target):
    expected = Fingerprint.of(target)
    target.parent.rename(target.parent.with_name("moved"))
    with pytest.raises(SaveError, match="the folder is gone"):
        write_bytes_durably(target, NEW, expected=expected)
    assert not target.parent.exists()


def test_new_file_does_not_replace_one(target):
    with pytest.raises(ConflictError, match="there already"):
        write_bytes_durably(target, NEW, expected=Expect.NOTHING)
    assert target.read_bytes() == OLD


def test_new_file_does_not_replace_one_that_appears_while_writing(target):
    target.unlink()
    original = atomic._check_target

    def check(*args):
        original(*args)
        target.write_bytes(b"theirs")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "_check_target", check)
        with pytest.raises(ConflictError, match="there already"):
            write_bytes_durably(target, NEW, expected=Expect.NOTHING)
    assert target.read_bytes() == b"theirs"
    assert leftovers(target.parent) == []


def test_new_file_without_hard_links(target, monkeypatch):
    target.unlink()
    monkeypatch.setattr(atomic.os, "link", fail(errno.ENOTSUP)(os.link))
    write_bytes_durably(target, NEW, expected=Expect.NOTHING)
    assert target.read_bytes() == NEW


# Previous versions


def test_previous_versions_are_kept_up_to_a_number(target):
    for number in range(6):
        write_bytes_durably(target, b"%d" % number, keep_backups=3)
    assert backups_of(target) == [b"2", b"3", b"4"]
    names = [path.name for path in (target.parent / BACKUP_FOLDER).iterdir()]
    assert all(name.startswith("draft.") and name.endswith(".nii.gz") for name in names)


def test_clock_set_back_drops_the_oldest_all_the_same(target, monkeypatch):
    years = iter(range(2030, 2000, -1))
    monkeypatch.setattr(atomic.time, "strftime", lambda *_: f"{next(years)}0101T000000Z")
    for number in range(4):
        write_bytes_durably(target, b"%d" % number, keep_backups=2)
    assert backups_of(target) == [b"1", b"2"]


def test_previous_versions_of_other_masks_are_not_counted(target):
    other = target.with_name("draft.v2.nii.gz")
    other.write_bytes(b"other")
    write_bytes_durably(other, NEW, keep_backups=1)
    for number in range(3):
        write_bytes_durably(target, b"%d" % number, keep_backups=1)
    assert sorted(backups_of(target)) == [b"1", b"other"]


def test_previous_version_is_copied_where_links_are_not_possible(target, monkeypatch):
    monkeypatch.setattr(atomic.os, "link", fail(errno.EPERM)(os.link))
    write_bytes_durably(target, NEW, keep_backups=2)
    assert backups_of(target) == [OLD]
    assert target.read_bytes() == NEW


def test_without_previous_version_there_is_no_folder(tmp_path):
    write_bytes_durably(tmp_path / "x.nii.gz", NEW, keep_backups=5)
    assert [path.name for path in tmp_path.iterdir()] == ["x.nii.gz"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.nii.gz", ("a", ".nii.gz")),
        ("a.b.NII", ("a.b", ".NII")),
        ("a.seg.nrrd", ("a", ".seg.nrrd")),
        ("a.json", ("a", ".json")),
        (".nii.gz", (".nii", ".gz")),
    ],
)
def test_split_name(name, parts):
    assert split_name(name) == parts


# Failures


@pytest.mark.parametrize("keep_backups", [0, 2])
def test_killed_at_any_system_call_leaves_the_old_or_the_new_content(target, keep_backups):
    def write():
        write_bytes_durably(target, NEW, keep_backups=keep_backups)

    seen = set()
    for calls in range(100):
        target.write_bytes(OLD)
        died = killed_after(calls, write)
        content = target.read_bytes()
        assert content in (OLD, NEW)
        seen.add((died, content))
        if not died:
            break
    assert seen == {(True, OLD), (True, NEW), (False, NEW)}
    write_bytes_durably(target, b"later", keep_backups=keep_backups)
    assert target.read_bytes() == b"later"


@pytest.mark.parametrize(
    ("call", "number", "why"),
    [
        ("write", errno.ENOSPC, "the disk is full"),
        ("write", errno.EDQUOT, "quota is used up"),
        ("fsync", errno.EIO, "the disk reports an error"),
        ("open", errno.EACCES, "you may not write there"),
        ("open", errno.EROFS, "the disk is read-only"),
        ("link", errno.EIO, "the disk reports an error"),
        ("replace", errno.ESTALE, "the network drive is gone"),
        ("write", errno.ECANCELED, "operation canceled"),
    ],
)
def test_failure_is_told_and_retry_works(target, monkeypatch, call, number, why):
    expected = Fingerprint.of(target)
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, call, fail(number)(getattr(os, call)))
        with pytest.raises(SaveError, match=rf"^draft\.nii\.gz was not saved: .*{why}\.$"):
            write_bytes_durably(target, NEW, expected=expected, keep_backups=2)
    assert target.read_bytes() == OLD
    assert leftovers(target.parent) == []
    assert backups_of(target) == []
    write_bytes_durably(target, NEW, expected=expected, keep_backups=2)
    assert target.read_bytes() == NEW
    assert backups_of(target) == [OLD]


def test_folder_that_cannot_be_synced_takes_the_old_version_back(target, monkeypatch):
    expected = Fingerprint.of(target)
    with monkeypatch.context() as patch:
        folders = []
        original = atomic.fsync_folder

        def fsync_folder(folder):
            folders.append(folder)
            if folder == target.parent and target.read_bytes() == NEW:
                raise OSError(errno.EIO, "I/O error")
            original(folder)

        patch.setattr(atomic, "fsync_folder", fsync_folder)
        with pytest.raises(SaveError, match="the disk reports an error"):
            write_bytes_durably(target, NEW, expected=expected, keep_backups=2)
    assert target.read_bytes() == OLD
    assert leftovers(target.parent) == []
    write_bytes_durably(target, NEW, expected=expected, keep_backups=2)
    assert target.read_bytes() == NEW


def test_folder_that_cannot_be_synced_keeps_no_new_file(target, monkeypatch):
    target.unlink()

    def fsync_folder(folder):
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "fsync_folder", fsync_folder)
        with pytest.raises(SaveError):
            write_bytes_durably(target, NEW, expected=Expect.NOTHING)
    assert list(target.parent.iterdir()) == []


def test_file_systems_without_folder_entries_to_sync(target, monkeypatch):
    monkeypatch.setattr(atomic.os, "fsync", fail(errno.EINVAL, at_call=2)(os.fsync))
    write_bytes_durably(target, NEW)
    assert target.read_bytes() == NEW


def test_what_reads_back_differently_is_not_saved(target, monkeypatch):
    original = os.write

    def write(descriptor, block):
        original(descriptor, bytes(block)[:-1] + b"?")
        return len(block)

    monkeypatch.setattr(atomic.os, "write", write)
    with pytest.raises(SaveError, match="the disk reports an error"):
        write_bytes_durably(target, NEW)
    assert target.read_bytes() == OLD


def test_short_writes_are_continued(target, monkeypatch):
    original = os.write
    monkeypatch.setattr(atomic.os, "write", lambda fd, block: original(fd, block[:700]))
    write_bytes_durably(target, NEW)
    assert target.read_bytes() == NEW


def test_what_is_raised_before_replacing_stops_the_writing(target):
    def refuse(fingerprint):
        assert fingerprint.size == len(NEW)
        raise SaveError("the journal is full")

    with pytest.raises(SaveError, match="the journal is full"):
        write_bytes_durably(target, NEW, before_replace=refuse)
    assert target.read_bytes() == OLD
    assert leftovers(target.parent) == []


def test_a_really_full_disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        target = disk / "draft.nii.gz"
        target.write_bytes(OLD)
        expected = Fingerprint.of(target)
        with pytest.raises(SaveError, match="the disk is full"):
            write_bytes_durably(target, os.urandom(10**6), expected=expected, keep_backups=2)
        assert target.read_bytes() == OLD
        assert leftovers(disk) == []
        write_bytes_durably(target, NEW, expected=expected, keep_backups=2)
        assert target.read_bytes() == NEW


def test_a_really_read_only_disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        target = disk / "draft.nii.gz"
        target.write_bytes(OLD)
        assert folder_problem(disk) is None
        make_read_only(disk)
        with pytest.raises(SaveError, match="the disk is read-only"):
            write_bytes_durably(target, NEW)
        assert target.read_bytes() == OLD
        assert folder_problem(disk) == "Nothing can be saved in disk: the disk is read-only."


# Folders


def test_folder_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path):
    assert folder_problem(tmp_path / "new" / "masks") is None
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file(target):
    assert "is a file, not a folder" in (folder_problem(target) or "")
    with pytest.raises(SaveError, match="a file is where a folder should be"):
        write_bytes_durably(target / "x.json", NEW)


def test_what_killed_processes_left_is_removed_a_day_later(target):
    old = target.with_name(".ct-labeler-1-abc.tmp")
    young = target.with_name(".ct-labeler-2-abc.tmp")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    write_bytes_durably(target, NEW)
    assert leftovers(target.parent) == [young.name]


def test_of_two_who_replace_a_file_at_once_one_is_told(target, monkeypatch):
    """The second looks at the file only when the first has replaced it."""
    target.write_bytes(OLD)
    expected, look = Fingerprint.of(target), atomic._check_target
    is_looking, may_go_on = threading.Event(), threading.Event()

    def slow_look(*args):
        look(*args)
        is_looking.set()
        assert may_go_on.wait(30)

    monkeypatch.setattr(atomic, "_check_target", slow_look)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(write_bytes_durably, target, NEW, expected=expected)
        assert is_looking.wait(30)
        monkeypatch.setattr(atomic, "_check_target", look)
        second = pool.submit(write_bytes_durably, target, b"other", expected=expected)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.1)
        may_go_on.set()
        first.result(timeout=30)
        with pytest.raises(ConflictError):
            second.result(timeout=30)
    assert target.read_bytes() == NEW


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be locked elsewhere")
def test_a_folder_lock_that_does_not_close_fails_no_save(target, monkeypatch):
    """The file has been replaced by then."""
    import fcntl

    target.write_bytes(OLD)
    close, locked = os.close, []

    def failing(descriptor):
        close(descriptor)
        if descriptor in locked:
            raise OSError(errno.EIO, "injected")

    monkeypatch.setattr(fcntl, "flock", lambda descriptor, _: locked.append(descriptor))
    monkeypatch.setattr(os, "close", failing)
    # The descriptor is one of a temporary file or folder again only after it was closed.
    monkeypatch.setattr(atomic, "fsync_folder", lambda folder: None)
    write_bytes_durably(target, NEW, expected=Fingerprint.of(target))
    assert locked
    assert target.read_bytes() == NEW
