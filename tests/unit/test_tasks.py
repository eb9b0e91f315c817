"""Background tasks: results by key, in the main thread, newest request wins."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from labeler.state.tasks import TaskRunner


@pytest.fixture
def tasks(qapp):
    runner = TaskRunner()
    yield runner
    runner.shutdown()


def test_result_arrives_in_the_main_thread(tasks, qtbot):
    where = []
    tasks.submit("io", "a", lambda context: threading.get_ident(), done=where.append)
    tasks.submit(
        "io", "b", lambda context: 1, done=lambda result: where.append(threading.get_ident())
    )
    qtbot.waitUntil(lambda: len(where) == 2)
    assert threading.get_ident() in where
    assert len(set(where)) == 2


def test_a_newer_request_replaces_the_older_one(tasks, qtbot):
    release, started, results = threading.Event(), threading.Event(), []

    def slow(context):
        started.set()
        release.wait(10)
        return "old"

    tasks.submit("io", "key", slow, done=results.append)
    assert started.wait(10)
    tasks.submit("io", "key", lambda context: "new", done=results.append)
    release.set()
    qtbot.waitUntil(lambda: results == ["new"])
    tasks.submit("io", "fence", lambda context: None, done=results.append)
    qtbot.waitUntil(lambda: len(results) == 2)
    assert results == ["new", None]


def test_cancelled_task_stops_at_its_next_check(tasks, qtbot):
    started, stopped = threading.Event(), threading.Event()

    def endless(context):
        started.set()
        try:
            while True:
                context.check()
        finally:
            stopped.set()

    tasks.submit("compute", "key", endless, done=pytest.fail)
    assert started.wait(10)
    tasks.cancel("key")
    assert stopped.wait(10)
    assert not tasks.is_pending("key")


def test_parts_and_progress_come_before_the_end_in_order(tasks, qtbot):
    seen = []

    def work(context):
        for part in range(3):
            context.report(part / 3, "reading")
            context.send(part)
        return "end"

    tasks.submit(
        "io", "key", work,
        received=seen.append, done=seen.append, progress=lambda f, text: seen.append(text),
    )  # fmt: skip
    qtbot.waitUntil(lambda: seen[-1:] == ["end"])
    assert seen == ["reading", 0, "reading", 1, "reading", 2, "end"]


def test_failure_goes_to_its_callback_or_to_the_signal(tasks, qtbot):
    errors, others = [], []
    tasks.failed.connect(others.append)

    def bad(context):
        raise ValueError("no such file")

    tasks.submit("io", "a", bad, failed=errors.append)
    tasks.submit("io", "b", bad)
    qtbot.waitUntil(lambda: bool(errors and others))
    assert str(errors[0]) == str(others[0]) == "no such file"


def test_counts_what_is_pending(tasks, qtbot):
    counts, release = [], threading.Event()
    tasks.count_changed.connect(counts.append)
    tasks.submit("io", "a", lambda context: release.wait(10))
    tasks.submit("io", "b", lambda context: release.wait(10))
    assert tasks.pending_count == 2
    release.set()
    qtbot.waitUntil(lambda: tasks.pending_count == 0)
    assert counts == [1, 2, 1, 0]


def test_shutdown_waits_for_running_tasks(qapp):
    tasks, started, ended = TaskRunner(), threading.Event(), threading.Event()

    def work(context):
        started.set()
        while not context.is_cancelled:
            pass
        ended.set()

    tasks.submit("io", "a", work)
    assert started.wait(10)
    tasks.shutdown()
    assert ended.is_set()


def test_nothing_is_run_after_shutdown(qapp):
    tasks, ran = TaskRunner(), []
    tasks.shutdown()
    tasks.submit("io", "a", lambda context: ran.append(1))
    assert tasks.pending_count == 0
    assert not ran


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness elsewhere")
def test_background_threads_let_the_window_go_first(tasks, qtbot):
    found = {}

    def niceness(context):
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    for lane in ("io", "compute", "journal"):
        tasks.submit(lane, lane, niceness, done=partial(found.__setitem__, lane))
    qtbot.waitUntil(lambda: len(found) == 3)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert found["journal"] == own
    assert found["io"] == min(19, own + 5)
    assert found["compute"] == min(19, own + 2)


def test_shutdown_leaves_a_thread_behind_that_does_not_end(qapp, caplog):
    tasks, started, drive_answers = TaskRunner(), threading.Event(), threading.Event()

    def read_from_a_dead_drive(context):
        started.set()
        assert drive_answers.wait(60)

    tasks.submit("io", "dead", read_from_a_dead_drive)
    assert started.wait(10)
    began_s = time.monotonic()
    assert not tasks.shutdown(finish_s=0.05, stop_s=0.05)
    assert time.monotonic() - began_s < 10
    assert "left behind" in caplog.text
    (left,) = [t for t in threading.enumerate() if t.name.startswith("labeler-io")]
    assert left.daemon, "the process would wait for it"
    drive_answers.set()


def test_shutdown_finishes_the_journal_and_the_locks_first(qapp):
    tasks, done = TaskRunner(), []
    for number in range(50):
        tasks.submit("journal", ("journal", number), lambda context, n=number: done.append(n))
    tasks.submit("lock", "lock", lambda context: done.append("lock"))
    assert tasks.shutdown()
    assert [entry for entry in done if entry != "lock"] == list(range(50))
    assert "lock" in done


def test_a_process_ends_while_its_drive_does_not_answer():
    code = (
        "import threading\n"
        "from PyQt5.QtCore import QCoreApplication\n"
        "from labeler.state.tasks import TaskRunner\n"
        "app, tasks, began = QCoreApplication([]), TaskRunner(), threading.Event()\n"
        "tasks.submit('io', 'a', lambda context: (began.set(), threading.Event().wait()))\n"
        "assert began.wait(10)\n"
        "tasks.shutdown(0.05, 0.05)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 0
