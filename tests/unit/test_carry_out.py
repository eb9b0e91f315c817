"""Large edits and steps of the history: prepared in the background, put in place at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from labeler.core.edits import Edit
from labeler.core.geometry import Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.state.selection import RegionRef
from labeler.workflows import carry_out as module
from labeler.workflows.background_edit import Draft, draft_in_background
from labeler.workflows.carry_out import carry_out
from labeler.workflows.edit_mask import BrushStroke, EditRefused, paint_polygon
from labeler.workflows.region_acts import delete_region, relabel_region
from labeler.workflows.review_case import add_comment
from labeler.workflows.step_history import go_to_step, redo, undo
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    count_regions,
    make_workspace,
    open_case,
    region_of,
)

PLACES = [(0.0, -30.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 5.0), (30.0, 0.0, 0.0)]


@pytest.fixture
def ws(qapp, tmp_path, monkeypatch):
    """A case in which the smallest edit is a large one."""
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    ws.selection.set_label(LESION)
    monkeypatch.setattr(module, "AT_ONCE_VOXELS", 0)
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def mask(ws) -> Mask:
    return ws.session.masks["draft"].mask


@pytest.fixture
def wait(ws, qtbot):
    return lambda: qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)


def stroke(ws, at: int) -> None:
    brush = BrushStroke(ws, Plane.AXIAL)
    brush.move_to(PLACES[at])
    brush.finish()


def states(ws, mask, count: int) -> list[np.ndarray]:
    """The mask as opened and after each of some strokes."""
    found = [mask.array.copy()]
    for number in range(count):
        stroke(ws, number)
        found.append(mask.array.copy())
    return found


def whole(mask: Mask, after: np.ndarray) -> Patch:
    patch = Patch.between("draft", Box.whole(mask.array.shape), mask.array, after)
    assert patch is not None
    return patch


def test_the_main_thread_only_puts_the_result_in_place(ws, mask, wait, monkeypatch):
    before, after = mask.array.copy(), np.full_like(mask.array, 3)
    patch, revision = whole(mask, after), mask.revision
    threads = []
    apply = Mask.apply
    monkeypatch.setattr(
        Mask, "apply", lambda self, p: threads.append(threading.current_thread()) or apply(self, p)
    )
    changes = []
    ws.session.changed.connect(changes.append)
    carry_out(ws, Edit("Everything", (patch,)))
    assert mask.revision == revision, "nothing yet"
    wait()
    np.testing.assert_array_equal(mask.array, after)
    undo(ws)
    wait()
    np.testing.assert_array_equal(mask.array, before)
    assert mask.revision == revision
    redo(ws)
    wait()
    np.testing.assert_array_equal(mask.array, after)
    assert threads
    assert threading.main_thread() not in threads
    assert [change.origin for change in changes] == ["edit", "undo", "redo"]
    assert all(change.boxes == {"draft": patch.box} for change in changes)


def test_a_small_edit_is_done_at_once(ws, mask, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE_VOXELS", 10**6)
    after = np.full_like(mask.array, 3)
    carry_out(ws, Edit("Everything", (whole(mask, after),)))
    np.testing.assert_array_equal(mask.array, after)
    undo(ws)
    assert not mask.is_dirty


def test_many_steps_are_gone_one_after_the_other(ws, mask, wait):
    found = states(ws, mask, 4)
    for target in (0, 4, 1, 3):
        go_to_step(ws, target)
        wait()
        np.testing.assert_array_equal(mask.array, found[target])
        assert len(ws.session.history.done) == target
    go_to_step(ws, 99)
    wait()
    np.testing.assert_array_equal(mask.array, found[4])


def test_steps_add_up_while_one_is_being_prepared(ws, mask, wait):
    found = states(ws, mask, 4)
    for _ in range(3):
        undo(ws)
    redo(ws)
    wait()
    np.testing.assert_array_equal(mask.array, found[2])
    assert len(ws.session.history.done) == 2


def test_nothing_is_drawn_on_what_is_about_to_go(ws, mask, wait):
    found = states(ws, mask, 2)
    undo(ws)
    for act in (
        lambda: stroke(ws, 3),
        lambda: add_comment(ws, "Hello"),
        lambda: paint_polygon(ws, Plane.AXIAL, []),
    ):
        with pytest.raises(EditRefused, match=r"Undo .Brush HCC. is still being done"):
            act()
    wait()
    np.testing.assert_array_equal(mask.array, found[1])
    add_comment(ws, "Hello")
    assert len(ws.session.history.done) == 2


def test_the_history_stays_while_a_stroke_is_drawn(ws, mask, wait):
    found = states(ws, mask, 1)
    live = BrushStroke(ws, Plane.AXIAL)
    live.move_to(PLACES[1])
    undo(ws)
    go_to_step(ws, 0)
    with pytest.raises(EditRefused, match="Finish the stroke first"):
        add_comment(ws, "Hello")
    wait()
    live.finish()
    assert len(ws.session.history.done) == 2
    undo(ws)
    wait()
    np.testing.assert_array_equal(mask.array, found[1])
    live = BrushStroke(ws, Plane.AXIAL)
    live.move_to(PLACES[2])
    live.cancel()
    undo(ws)
    wait()
    np.testing.assert_array_equal(mask.array, found[0])


def test_a_case_that_is_left_meanwhile_is_not_touched(ws, mask, wait, tmp_path):
    found = states(ws, mask, 1)
    undo(ws)
    open_case(ws, tmp_path)
    assert ws.session.busy_with is None
    wait()
    np.testing.assert_array_equal(mask.array, found[1])
    fresh = ws.session.masks["draft"].mask
    np.testing.assert_array_equal(fresh.array, found[0])
    stroke(ws, 2)


def test_an_edit_that_fails_leaves_the_window_usable(ws, mask, wait):
    broken = Patch("draft", Box((0, 0, 0), (1, 1, 1)), "uint8", b"no zstd")
    failures = []
    ws.tasks.failed.connect(failures.append)
    carry_out(ws, Edit("Broken", (broken,)))
    wait()
    assert "a stored edit is damaged" in str(failures[0])
    assert not mask.is_dirty
    stroke(ws, 0)
    assert len(ws.session.history.done) == 1


# Worked out in the background, and the mask changes meanwhile


def drafted(ws, mask, wait) -> Draft:
    """A box around the origin, to become liver."""
    box, found = Box((20, 25, 25), (28, 35, 35)), []

    def work(copies, check):
        after = np.full(box.shape_kji, LIVER, np.uint8)
        yield Patch.between("draft", box, copies[0].array[box.slices], after)

    draft_in_background(ws, "test", "Fill box", [mask], work, found.append, pytest.fail)
    wait()
    return found[0]


def refusals(ws) -> list[str]:
    said = []
    ws.session.problem_found.connect(lambda where, sentence: said.append(sentence))
    return said


def test_an_edit_is_in_place_at_once_when_nothing_changed(ws, mask, wait):
    stroke(ws, 1)
    drafted(ws, mask, wait).commit(ws)
    assert (mask.array[20:28, 25:35, 25:35] == LIVER).all()
    assert ws.session.history.undo_name == "Fill box"


def test_what_changed_elsewhere_meanwhile_is_kept(ws, mask, wait):
    stroke(ws, 1)
    draft = drafted(ws, mask, wait)
    stroke(ws, 3)
    elsewhere = mask.array.copy()
    draft.commit(ws)
    wait()
    assert (mask.array[20:28, 25:35, 25:35] == LIVER).all()
    elsewhere[20:28, 25:35, 25:35] = LIVER
    np.testing.assert_array_equal(mask.array, elsewhere)


def test_what_changed_there_meanwhile_wins(ws, mask, wait):
    stroke(ws, 1)
    draft, said = drafted(ws, mask, wait), refusals(ws)
    stroke(ws, 2)
    there = mask.array.copy()
    draft.commit(ws)
    wait()
    np.testing.assert_array_equal(mask.array, there)
    assert said == ["Fill box: draft was changed there meanwhile, so nothing was done"]
    assert ws.session.history.undo_name == "Brush HCC"
    stroke(ws, 3)


def test_a_stroke_that_is_drawn_meanwhile_is_waited_for(ws, mask, wait):
    stroke(ws, 1)
    draft = drafted(ws, mask, wait)
    live = BrushStroke(ws, Plane.AXIAL)
    draft_content = mask.array.copy()
    draft.commit(ws)
    live.move_to(PLACES[3])
    live.finish()
    wait()
    assert (mask.array[20:28, 25:35, 25:35] == LIVER).all()
    changed = mask.array != draft_content
    changed[20:28, 25:35, 25:35] = False
    assert changed.any()
    for _ in range(3):
        undo(ws)
        wait()
    assert not mask.is_dirty


# Regions


@pytest.mark.parametrize("at_once", [0, 10**6])
def test_regions_are_deleted_and_relabelled_at_once_or_later(ws, mask, wait, monkeypatch, at_once):
    monkeypatch.setattr("labeler.workflows.background_edit.AT_ONCE_VOXELS", at_once)
    count_regions(ws, "draft")
    before = mask.array.copy()
    relabel_region(ws, 5, region_of(ws, "draft", LESION))
    wait()
    np.testing.assert_array_equal(mask.array == 5, before == LESION)
    undo(ws)
    wait()
    delete_region(ws, region_of(ws, "draft", LESION), region_of(ws, "draft", LIVER))
    wait()
    assert not mask.array.any()
    assert ws.session.history.undo_name == "Delete 2 regions"
    ref = region_of(ws, "draft", LESION)
    ws.selection.set_locked("draft", LESION, True)
    with pytest.raises(EditRefused, match="is locked in draft"):
        delete_region(ws, ref)
    with pytest.raises(EditRefused, match="no longer there"):
        delete_region(ws, RegionRef("draft", 99))


def test_a_late_refusal_is_told(ws, mask, wait, monkeypatch):
    monkeypatch.setattr("labeler.workflows.background_edit.AT_ONCE_VOXELS", 0)
    count_regions(ws, "draft")
    ref, said = region_of(ws, "draft", LESION), refusals(ws)
    mask.apply(whole(mask, np.zeros(GRIDS["PV"].shape_kji, np.uint8)))
    delete_region(ws, ref)
    wait()
    assert said == ["Delete region HCC: nothing would change"]
