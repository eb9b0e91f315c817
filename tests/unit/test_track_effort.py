"""Time and edits of a case: pauses do not count, and the count goes on where it was left."""

from __future__ import annotations

import json

import pytest

from labeler.storage.sidecar import load_sidecar, sidecar_path
from labeler.workflows.correct_landmarks import move_centroid
from labeler.workflows.review_case import set_status
from labeler.workflows.track_effort import EffortTracker, edits_of, seconds_of
from tests.unit.test_centroids_of_cases import CentroidBench, write_spine


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bench(qapp, tmp_path, clock):
    bench = CentroidBench(tmp_path / "config")
    bench.effort = EffortTracker(bench.ws, bench.opener, clock=clock)
    bench.saver.times = bench.effort.times
    yield bench
    bench.opener.close()
    bench.ws.tasks.shutdown()


def work(bench, clock, seconds, step=10.0):
    """Move the crosshair now and then."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += step
        bench.ws.views.set_frame(crosshair_ras=(clock.now, 0.0, 0.0))


def test_pauses_do_not_count(bench, clock, qtbot, tmp_path):
    write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    work(bench, clock, 20)  # no case is open
    assert bench.effort.active_s == 0
    bench.open("a", qtbot)
    work(bench, clock, 40)
    clock.now += 21  # coffee: with the next step, 31 s without anything
    work(bench, clock, 20)
    assert bench.effort.active_s == 50
    clock.now += 29.5
    bench.ws.spine.select("2")
    assert bench.effort.active_s == 79.5


def test_edits_and_time_are_noted_and_go_on(bench, clock, qtbot, tmp_path):
    write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    work(bench, clock, 20)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    bench.ws.session.undo()
    move_centroid(bench.ws, "2", (2.0, 13.0, -61.0))
    set_status(bench.ws, "done")  # no edit of centroids
    assert bench.save(qtbot)
    times = load_sidecar(tmp_path / "masks", "a").sidecar.times
    assert (times["active_s"], times["centroid_edits"]) == (20.0, 2)
    assert times["created"]
    bench.open("a", qtbot)
    assert (bench.effort.active_s, bench.effort.centroid_edits) == (20.0, 2)
    move_centroid(bench.ws, "2", (2.0, 13.0, -62.0))
    assert bench.effort.centroid_edits == 3


def test_looking_alone_writes_nothing(bench, clock, qtbot, tmp_path):
    write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    work(bench, clock, 20)
    assert bench.save(qtbot)
    assert not sidecar_path(tmp_path / "masks", "a").exists()


def test_each_second_and_each_edit_is_told_once(bench, clock, qtbot, tmp_path):
    write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    told = []
    bench.effort.changed.connect(lambda: told.append(bench.effort.active_s))
    work(bench, clock, 2, step=0.25)
    assert told == [1.0, 2.0]
    move_centroid(bench.ws, "2", (2.0, 13.0, -61.0))
    assert len(told) == 3


@pytest.mark.parametrize("value", [None, "x", True, -1, 1e300, [], float("nan")])
def test_damaged_notes_count_as_none(value):
    times = json.loads(json.dumps({"active_s": value, "centroid_edits": value}))
    assert (seconds_of(times), edits_of(times)) == (0.0, 0)
