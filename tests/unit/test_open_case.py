"""Opening cases: what arrives, what is refused, and what a quick change of mind drops."""

from __future__ import annotations

import os
import threading
import weakref

import numpy as np
import pytest

from labeler.core.labels import LabelTable
from labeler.state.selection import Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_memory import restored_views
from labeler.storage.locations import bundled_folder
from labeler.storage.locks import LockHolder
from labeler.storage.masks import read_mask
from labeler.workflows import open_case, open_folder
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.workspace import Workspace
from tests.cases_on_disk import SHAPE_IJK, affine, labels_ijk, write_case, write_image

#: The machine may be busy with other things.
PATIENCE_MS = 60_000


class Bench:
    """Everything behind the window, without a window."""

    def __init__(self, folder):
        settings = Settings(folder / "settings.toml", bundled_folder("config") / "settings.toml")
        self.ws = Workspace(
            Session(LabelTable(), 2**20),
            Selection(20.0),
            restored_views(settings),
            settings,
            TaskRunner(),
        )
        self.worklist = Worklist(self.ws.tasks)
        self.opener = CaseOpener(self.ws, self.worklist, None)
        self.updater = RegionUpdater(self.ws.session, self.ws.tasks)

    def scan(self, root, qtbot):
        with qtbot.waitSignal(self.worklist.scanned, timeout=PATIENCE_MS):
            self.worklist.open_roots(Roots(root / "images", root / "masks"))

    def open(self, case_id, qtbot):
        with qtbot.waitSignal(self.opener.loaded, timeout=PATIENCE_MS):
            self.opener.open(case_id)
        qtbot.waitUntil(lambda: self.ws.tasks.pending_count == 0, timeout=PATIENCE_MS)


@pytest.fixture
def bench(qapp, tmp_path):
    bench = Bench(tmp_path / "config")
    yield bench
    bench.opener.close()
    bench.ws.tasks.shutdown()


def test_phases_masks_and_regions_arrive(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    session = bench.ws.session
    assert set(session.volumes) == {"NC", "ART", "PV", "DL"}
    assert list(session.masks) == ["draft"]
    regions = session.regions["draft"].regions
    assert sorted(region.label for region in regions.values()) == [1, 11, 11]
    largest = max(regions.values(), key=lambda region: region.voxels)
    assert largest.hu["PV"].mean == pytest.approx(111)
    assert largest.hu["PV"].sd == 0
    assert not session.problems


def test_truncated_phase_is_named_and_the_rest_is_usable(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    broken = tmp_path / "images" / "A" / "ART.nii.gz"
    broken.write_bytes(broken.read_bytes()[:-400])
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    session = bench.ws.session
    assert set(session.volumes) == {"NC", "PV", "DL"}
    assert "ART.nii.gz" in session.problems["phase:ART"]
    assert set(session.regions["draft"].phases) == {"NC", "PV", "DL"}
    assert bench.worklist.case("A").problems == (f"ART: {session.problems['phase:ART']}",)


def test_a_case_that_is_looked_at_anew_keeps_its_problems(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    (tmp_path / "images" / "A" / "ART.nii.gz").write_bytes(b"")
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    problems = bench.worklist.case("A").problems
    assert "ART.nii.gz is empty" in problems[0]
    bench.worklist.reread("A")
    qtbot.waitUntil(lambda: bench.worklist.case("A").problems == problems)


def test_files_are_looked_at_anew_in_the_background(bench, qtbot, tmp_path, monkeypatch):
    write_case(tmp_path, "A")
    bench.scan(tmp_path, qtbot)
    threads, called = [], []
    look = open_folder.rescan

    def noted(case):
        threads.append(threading.current_thread())
        return look(case)

    monkeypatch.setattr(open_folder, "rescan", noted)
    write_image(tmp_path / "masks" / "A" / "more.nii.gz", labels_ijk(), affine())
    bench.worklist.set_status("A", "flagged")
    bench.worklist.reread("A", lambda: called.append("first"))
    bench.worklist.reread("A", lambda: called.append("second"))
    bench.worklist.reread("A")
    qtbot.waitUntil(lambda: bool(called))
    assert called == ["first", "second"]
    assert threading.main_thread() not in threads
    case = bench.worklist.case("A")
    assert [mask.name for mask in case.masks] == ["draft", "more"]
    assert case.status == "flagged", "what was set and is not saved yet stays"


def test_a_case_that_cannot_be_looked_at_anew_is_named(bench, qtbot, tmp_path, monkeypatch):
    write_case(tmp_path, "A")
    bench.scan(tmp_path, qtbot)
    monkeypatch.setattr(open_folder, "rescan", raising(OSError("the drive is gone")))
    with qtbot.waitSignal(bench.worklist.problem_found) as told:
        bench.worklist.reread("A", pytest.fail)
    assert told.args == ["The files of A cannot be looked at: the drive is gone"]


def raising(error):
    def function(*_):
        raise error

    return function


def test_reports_that_cannot_be_read_do_not_end_the_search(bench, qtbot, tmp_path, monkeypatch):
    write_case(tmp_path, "A")
    search, may_search = open_folder._scan, threading.Event()

    def slow_search(*args):
        assert may_search.wait(30)
        search(*args)

    monkeypatch.setattr(open_folder, "_scan", slow_search)
    monkeypatch.setattr(open_folder, "_load_reports", raising(OSError("no such drive")))
    with qtbot.waitSignal(bench.worklist.problem_found) as told:
        bench.worklist.open_roots(Roots(tmp_path / "images", tmp_path / "masks"))
    assert told.args == ["The reports cannot be read: no such drive"]
    assert bench.worklist.is_scanning
    with qtbot.waitSignal(bench.worklist.scanned):
        may_search.set()
    assert len(bench.worklist) == 1


def test_a_search_that_ends_early_says_so(bench, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(open_folder, "_scan", raising(OSError("no such drive")))
    with qtbot.waitSignals([bench.worklist.scanned, bench.worklist.problem_found]):
        bench.worklist.open_roots(Roots(tmp_path))
    assert "The search for cases ended early: no such drive" in bench.worklist.problems


@pytest.mark.parametrize(
    ("shape", "matrix", "word"),
    [
        ((SHAPE_IJK[0] + 1, *SHAPE_IJK[1:]), affine(), "41x36x16"),
        (SHAPE_IJK, affine(200.0), "198.5 mm"),
        (SHAPE_IJK, affine(0.0, (2.0, 2.0, 5.0)), "elsewhere"),
    ],
)
def test_mask_on_no_phases_grid_is_refused_with_the_reason(
    bench, qtbot, tmp_path, shape, matrix, word
):
    write_case(tmp_path, "A")
    write_image(tmp_path / "masks" / "A" / "wrong.nii.gz", np.ones(shape, np.uint8), matrix)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    assert list(bench.ws.session.masks) == ["draft"]
    sentence = bench.ws.session.problems["mask:wrong"]
    assert "wrong.nii.gz is refused" in sentence
    assert word in sentence


def test_regions_are_counted_before_a_case_is_opened_as_they_will_be_shown(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    write_image(tmp_path / "masks" / "A" / "wrong.nii.gz", labels_ijk(), affine(200.0))
    write_image(tmp_path / "masks" / "A" / "none.nii.gz", 0 * labels_ijk(), affine())
    bench.scan(tmp_path, qtbot)
    bench.worklist.request_cases(["A"])
    qtbot.waitUntil(lambda: "A" in bench.worklist.region_counts)
    assert bench.worklist.region_counts["A"] == {"draft": 3, "none": 0}


def test_small_rounding_of_the_affine_is_accepted(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    write_image(tmp_path / "masks" / "A" / "near.nii.gz", labels_ijk(), affine(0.04))
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    assert sorted(bench.ws.session.masks) == ["draft", "near"]


def test_the_mask_to_edit_is_the_first_or_the_one_edited_before(
    bench, qtbot, tmp_path, monkeypatch
):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id, phases=("PV",))
        write_image(tmp_path / "masks" / case_id / "model.nii.gz", labels_ijk(), affine())
    model_is_there = threading.Event()
    bench.ws.session.mask_loaded.connect(lambda name: model_is_there.set())

    def slowly(path, name, context=None):
        assert name == "model" or model_is_there.wait(30)
        return read_mask(path, name, context)

    monkeypatch.setattr(open_case, "read_mask", slowly)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    assert bench.ws.selection.mask == "draft"
    bench.ws.selection.set_mask("model")
    bench.open("B", qtbot)
    assert bench.ws.selection.mask == "model"


def test_opening_another_case_drops_the_first(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    write_case(tmp_path, "B", phases=("PV",))
    bench.scan(tmp_path, qtbot)
    loaded = []
    bench.ws.session.volume_loaded.connect(
        lambda phase: loaded.append((bench.ws.session.case.id, phase))
    )
    bench.opener.open("A")
    bench.open("B", qtbot)
    assert bench.ws.session.case.id == "B"
    assert [phase for case, phase in loaded if case == "B"] == ["PV"]
    assert list(bench.ws.session.volumes) == ["PV"]
    assert bench.ws.session.volumes["PV"].array.shape == SHAPE_IJK[::-1]


def test_neighbours_are_read_ahead_and_shown_from_memory(bench, qtbot, tmp_path):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    first = bench.ws.session.volumes["PV"]
    bench.open("B", qtbot)
    bench.open("A", qtbot)
    assert bench.ws.session.volumes["PV"] is first


def test_a_changed_file_is_read_again(bench, qtbot, tmp_path):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    write_image(tmp_path / "images" / "B" / "PV.nii.gz", np.full(SHAPE_IJK, 7, np.int16), affine())
    bench.open("B", qtbot)
    assert bench.ws.session.volumes["PV"].array.max() == 7


def test_a_second_window_gets_the_case_read_only(bench, qtbot, tmp_path, qapp):
    write_case(tmp_path, "A")
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    other = Bench(tmp_path / "other")
    try:
        other.scan(tmp_path, qtbot)
        other.open("A", qtbot)
        assert other.ws.session.read_only_reason
        bench.opener.close()
        qtbot.waitUntil(lambda: not bench.ws.tasks.pending_count)
        other.opener.close()
        other.open("A", qtbot)
        assert other.ws.session.read_only_reason is None
    finally:
        other.opener.close()
        other.ws.tasks.shutdown()


def locked(root):
    """Ids of the cases that are locked; an empty folder may vanish while it is looked at."""
    try:
        names = os.listdir(root / "masks" / "_labeling")
    except FileNotFoundError:
        return []
    return [name.split(".")[1] for name in names if name.startswith(".") and name.endswith(".lock")]


def test_only_the_open_case_is_locked(bench, qtbot, tmp_path):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id)
    bench.scan(tmp_path, qtbot)
    for case_id in ("A", "B", "B"):
        bench.open(case_id, qtbot)
        assert locked(tmp_path) == [case_id]
        assert bench.ws.session.read_only_reason is None
    bench.opener.close()
    bench.open("B", qtbot)
    assert bench.ws.session.read_only_reason is None, "its own former lock is in nobody's way"
    bench.opener.close()
    qtbot.waitUntil(lambda: locked(tmp_path) == [])


def test_looking_at_a_case_leaves_nothing_behind(bench, qtbot, tmp_path):
    write_case(tmp_path, "A")
    before = sorted(tmp_path.rglob("*"))
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    bench.opener.close()
    qtbot.waitUntil(lambda: not bench.ws.tasks.pending_count)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_drive_that_does_not_answer_holds_up_no_closing(bench, qtbot, tmp_path, monkeypatch):
    write_case(tmp_path, "A")
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    give_back, drive_answers = LockHolder.give_back, threading.Event()

    def slow_give_back(holder):
        assert drive_answers.wait(30)
        give_back(holder)

    monkeypatch.setattr(LockHolder, "give_back", slow_give_back)
    bench.opener.close()
    assert bench.ws.session.case is None
    assert locked(tmp_path) == ["A"]
    drive_answers.set()
    qtbot.waitUntil(lambda: locked(tmp_path) == [])


def test_an_opening_that_was_dropped_leaves_no_lock(bench, qtbot, tmp_path, monkeypatch):
    for case_id in ("A", "B", "C"):
        write_case(tmp_path, case_id)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    take, is_taking, may_take = LockHolder.take, threading.Event(), threading.Event()

    def slow_take(holder, path):
        if path.name == ".B.lock":
            is_taking.set()
            assert may_take.wait(10)
        return take(holder, path)

    monkeypatch.setattr(LockHolder, "take", slow_take)
    bench.opener.open("B")
    assert is_taking.wait(10)
    bench.open("C", qtbot)
    may_take.set()
    bench.opener.close()
    bench.ws.tasks.shutdown()
    assert locked(tmp_path) == []


def freed_in(thing, threads):
    """Note in which thread a thing is freed."""
    return weakref.ref(thing, lambda _: threads.append(threading.current_thread()))


def test_what_was_kept_is_freed_when_the_budget_shrinks(bench, qtbot, tmp_path):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id)
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    threads = []
    kept = freed_in(bench.ws.session.volumes["PV"].array, threads)
    bench.open("B", qtbot)
    assert kept() is not None
    bench.ws.settings.update("memory", prefetch_mb=0)
    bench.ws.settings.save()
    qtbot.waitUntil(lambda: kept() is None)
    assert threading.main_thread() not in threads


def test_a_case_that_is_left_is_freed_in_the_background(bench, qtbot, tmp_path):
    for case_id in ("A", "B"):
        write_case(tmp_path, case_id)
    bench.ws.settings.data.memory.prefetch_mb = 0
    bench.scan(tmp_path, qtbot)
    bench.open("A", qtbot)
    threads, session = [], bench.ws.session
    left = [freed_in(session.volumes["PV"].array, threads)]
    left.append(freed_in(session.masks["draft"].mask, threads))
    bench.open("B", qtbot)
    qtbot.waitUntil(lambda: not any(ref() for ref in left))
    assert threading.main_thread() not in threads
