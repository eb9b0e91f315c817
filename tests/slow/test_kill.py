"""``kill -9`` many times: between strokes, in the middle of a save, at each of its system calls."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from labeler.storage.masks import read_mask
from tests.cases_on_disk import labels_ijk, write_image
from tests.scenarios.remote_window import RemoteWindow
from tests.scenarios.test_faults import Disk, needs_strace
from tests.slow import adder, saver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]
SAVES, WINDOW_SAVES, STROKES = 200, 30, 50

#: More strokes than a window gets done before it is killed.
MOST_STROKES = 60

#: System calls of a save that change something on the disk.
CHANGING = ("openat", "chmod", "write", "fsync", "close", "mkdir", "link", "rename", "unlink")


def start(script: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(script)), *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill_after(process: subprocess.Popen[str], first_line: str, delay_s: float) -> list[str]:
    """Kill a process some time after it printed ``first_line``; returns what it printed since."""
    for line in process.stdout:
        if line.strip() == first_line:
            break
    killer = threading.Timer(delay_s, process.send_signal, (signal.SIGKILL,))
    killer.start()
    lines = [line.strip() for line in process.stdout]
    killer.join()
    process.wait()
    process.stdout.close()
    return lines


def test_a_save_is_whole_or_did_not_happen(tmp_path, tally):
    path = write_image(tmp_path / "draft.nii.gz", labels_ijk())
    for trial in range(SAVES):
        tally.trial()
        before = read_mask(path).mask.array.copy()
        lines = kill_after(
            start(saver.__file__, path), "ready", random.Random(trial).uniform(0.0, 0.08)
        )
        done = sum(line.startswith("saved") for line in lines)
        after = read_mask(path).mask.array
        last = saver.content(done, after.shape) if done else before
        following = saver.content(done + 1, after.shape)
        is_last, is_next = np.array_equal(after, last), np.array_equal(after, following)
        assert is_last or is_next, f"trial {trial}: neither the old nor the new mask"
        tally.hit(is_next or bool(list(tmp_path.glob(".*"))))
    assert tally.hits > SAVES // 20, "the kills must hit saves, not pauses"


def check_after_death(disk: Disk, before: str, painted: str) -> None:
    """The mask is the old or the new one, and with the journal always the new one."""
    assert disk.digest in (before, painted)
    assert disk.digest_with_journal() == painted


@needs_strace
def test_killed_at_each_system_call_of_a_save(tmp_path, tally):
    user = tmp_path / "user"
    for call in CHANGING:
        for when in range(1, 30):
            disk = Disk(tmp_path / f"{call}-{when}", user)
            tally.trial()
            with RemoteWindow(user) as window:
                before = disk.open(window)["digest"]
                painted = window.ask("paint", number=1)["digest"]
                paths = disk.paths_of_a_save(window)
                with window.faults(f"inject={call}:signal=KILL:when={when}", paths=paths):
                    is_saved = window.is_answered("save")
            check_after_death(disk, before, painted)
            if is_saved:  # there are not so many calls of that name
                assert disk.digest == painted
                break
            tally.hit()
    assert tally.hits > 15


def test_windows_killed_at_random_moments_of_a_save(tmp_path, tally):
    for trial in range(WINDOW_SAVES):
        disk = Disk(tmp_path / str(trial), tmp_path / "user")
        tally.trial()
        with RemoteWindow(disk.user) as window:
            before = disk.open(window)["digest"]
            painted = window.ask("paint", number=1 + trial)["digest"]
            window.tell("save")
            delay_s = random.Random(trial).uniform(0.0, 0.02)
            select.select([window.process.stdout], [], [], delay_s)  # killed before it answers
        check_after_death(disk, before, painted)
        tally.hit(bool(disk.left_over()) or disk.digest == painted)
    assert tally.hits > 0


def test_windows_killed_while_somebody_paints(tmp_path, tally):
    """Strokes by mouse, one after the other; every tenth time the window is opened again."""
    user, most = tmp_path / "user", 0
    digests = painted_without_harm(tmp_path / "unharmed", user)
    for trial in range(STROKES):
        disk = Disk(tmp_path / str(trial), user)
        tally.trial()
        with RemoteWindow(user) as window:
            assert disk.open(window)["digest"] == digests[0]
            window.tell("paint_on", most=MOST_STROKES)
            known = strokes_told(window, random.Random(trial).uniform(0.05, 1.0))
        found = disk.digest_with_journal()
        assert found in (digests[known], digests[known + 1]), "at most the last stroke is lost"
        tally.hit(known > 0)
        most = max(most, known)
        if trial % 10 == 0:
            with RemoteWindow(user) as window:
                assert disk.open(window)["digest"] == found
                assert window.ask("save")["saved"]
            assert disk.digest == found
    assert most > 5, "the kills must come after different numbers of strokes"


def painted_without_harm(folder: Path, user: Path) -> list[str]:
    """Digest of the mask after 0, 1, 2 ... strokes."""
    disk = Disk(folder, user)
    with RemoteWindow(user) as window:
        digests = [disk.open(window)["digest"]]
        window.tell("paint_on", most=MOST_STROKES)
        digests += [window.answer()["digest"] for _ in range(MOST_STROKES)]
    assert len(set(digests)) == len(digests)
    return digests


def strokes_told(window: RemoteWindow, during_s: float) -> int:
    """Let the window paint for a while; number of strokes that it called finished by then."""
    until_s, known = time.monotonic() + during_s, 0
    while (left_s := until_s - time.monotonic()) > 0:
        if select.select([window.process.stdout], [], [], left_s)[0]:
            window.answer()
            known += 1
    window.kill()
    return known


def test_people_who_save_at_once_overwrite_nothing(tmp_path, tally):
    """Several processes change one mask without a lock; each must see what the others did."""
    people, times = 3, 60
    path = write_image(tmp_path / "draft.nii.gz", 0 * labels_ijk())
    adders = [start(adder.__file__, path, times) for _ in range(people)]
    outputs = [process.communicate()[0] for process in adders]
    assert [process.returncode for process in adders] == [0] * people
    for _ in range(people * times):
        tally.trial()
    tally.counts["hit"] = sum(map(int, outputs))
    assert adder.number_in(read_mask(path).mask.array) == people * times
    assert tally.hits > 0, "they must have got in each other's way"
