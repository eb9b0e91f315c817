"""Locks: one holder, stale ones given away, nobody's taken silently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from labeler.storage import locks
from labeler.storage.errors import SaveError
from labeler.storage.locks import CaseLock, LockedError, LockHolder, inspect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "_labeling" / ".case.lock"


def change(path: Path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_one_holder_at_a_time(path):
    assert inspect(path) is None
    lock = CaseLock.acquire(path)
    owner = inspect(path)
    assert owner == lock.owner
    assert owner.pid == os.getpid()
    with pytest.raises(LockedError, match=rf"^{owner.user} on {owner.host} has this case open"):
        CaseLock.acquire(path)
    lock.release()
    assert inspect(path) is None
    CaseLock.acquire(path).release()
    assert not path.parent.exists()


def test_folders_that_were_made_for_a_lock_go_with_it(tmp_path):
    path = tmp_path / "masks" / "_labeling" / ".case.lock"
    first, second = CaseLock.acquire(path), CaseLock.acquire(path.with_name(".other.lock"))
    first.release()
    assert path.parent.exists()
    second.release()
    assert not path.parent.exists()
    (tmp_path / "masks").mkdir(exist_ok=True)
    lock = CaseLock.acquire(path)
    path.with_name("case.json").write_text("{}")
    lock.release()
    assert [entry.name for entry in path.parent.iterdir()] == ["case.json"]


def test_a_folder_that_was_there_stays(tmp_path):
    (tmp_path / "masks").mkdir()
    CaseLock.acquire(tmp_path / "masks" / "_labeling" / ".case.lock").release()
    assert list((tmp_path / "masks").iterdir()) == []


def test_a_folder_that_vanishes_while_a_lock_is_taken_is_made_again(path, monkeypatch):
    create, times = locks._create_in_folder, []

    def late(at, owner):
        times.append(at)
        if len(times) < 3:
            at.parent.rmdir()
        return create(at, owner)

    monkeypatch.setattr(locks, "_create_in_folder", late)
    lock = CaseLock.acquire(path)
    assert inspect(path) == lock.owner
    assert len(times) == 3


def test_lock_of_a_process_that_has_ended_is_given_away(path):
    code = (
        "import sys, pathlib\nfrom labeler.storage.locks import CaseLock\n"
        "CaseLock.acquire(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.exists()
    assert inspect(path) is None
    CaseLock.acquire(path).release()


def test_number_of_a_process_used_anew_is_no_holder(path):
    CaseLock.acquire(path)
    change(path, started=1.0)
    assert inspect(path) is None
    CaseLock.acquire(path).release()


def test_a_clock_that_is_set_makes_no_lock_stale(path, monkeypatch):
    """What the system tells about processes and its start moves with the clock."""
    lock = CaseLock.acquire(path)
    created, booted = psutil.Process.create_time, psutil.boot_time
    for jump_s in (-86_400.0, 3.0, 7200.0):
        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "create_time", lambda p, by=jump_s: created(p) + by)
            patch.setattr(psutil, "boot_time", lambda by=jump_s: booted() + by)
            assert inspect(path) == lock.owner
            with pytest.raises(LockedError):
                CaseLock.acquire(path)


def test_a_machine_that_was_started_anew_holds_no_lock(path):
    CaseLock.acquire(path)
    change(path, boot="another run")
    assert inspect(path) is None


def test_other_machines_are_believed(path):
    CaseLock.acquire(path)
    change(path, host="another", pid=2**22 + 1, user="li")
    with pytest.raises(LockedError, match="li on another has this case open since 20"):
        CaseLock.acquire(path)


def test_taking_over(path):
    first = CaseLock.acquire(path)
    second = CaseLock.acquire(path, take_over=True)
    first.release()  # it is not the first one's any more
    assert inspect(path) == second.owner
    second.release()
    assert inspect(path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"user": "x"}', "\0" * 100])
def test_torn_lock_names_nobody(path, content):
    path.parent.mkdir()
    path.write_text(content)
    assert inspect(path) is None
    CaseLock.acquire(path).release()


def test_of_two_who_find_a_stale_lock_one_gets_it(path, monkeypatch):
    """The other removes the stale lock late, when it is the first one's fresh one already."""
    CaseLock.acquire(path)
    change(path, started=1.0)
    winners = []
    original = locks._remove

    def late(path, seen):
        if not winners:
            winners.append(None)  # once only
            winners.append(CaseLock.acquire(path))
        original(path, seen)

    monkeypatch.setattr(locks, "_remove", late)
    with pytest.raises(LockedError):
        CaseLock.acquire(path)
    assert inspect(path) == winners[1].owner


def test_without_hard_links(path, monkeypatch):
    monkeypatch.setattr(locks.os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "no")))
    lock = CaseLock.acquire(path)
    with pytest.raises(LockedError):
        CaseLock.acquire(path)
    lock.release()
    assert not path.exists()


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveError, match="could not be locked"):
        CaseLock.acquire(tmp_path / "file" / ".case.lock")


def test_a_holder_takes_a_lock_and_gives_it_back(path):
    holder = LockHolder()
    assert holder.take(path) is None
    assert inspect(path).is_gone is False
    assert "has this case open" in LockHolder().take(path)
    holder.give_back()
    holder.give_back()
    assert not path.exists()


def test_a_holder_that_gave_back_takes_nothing(path):
    holder = LockHolder()
    holder.give_back()
    assert holder.take(path) is None
    assert not path.exists()


def test_a_lock_that_is_given_back_while_it_is_taken_does_not_stay(path, monkeypatch):
    acquire, has_begun, may_go_on = CaseLock.acquire, threading.Event(), threading.Event()

    def slow_acquire(at):
        has_begun.set()
        assert may_go_on.wait(10)
        return acquire(at)

    monkeypatch.setattr(CaseLock, "acquire", slow_acquire)
    holder = LockHolder()
    with ThreadPoolExecutor(2) as pool:
        taking = pool.submit(holder.take, path)
        assert has_begun.wait(10)
        giving = pool.submit(holder.give_back)
        may_go_on.set()
        assert taking.result() is None
        giving.result()
    assert not path.exists()
