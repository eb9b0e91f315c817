"""Background tasks: results by key, in the main thread, newest request wins."""

from __future__ import annotations

import os
import sys
import threading
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
