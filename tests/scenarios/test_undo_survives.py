"""Undo goes on where it was: after a save, another case, a restart or a crash."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from labeler.core.geometry import Plane
from labeler.storage.unsaved import history_path, journal_path
from labeler.workflows.edit_mask import BrushStroke
from labeler.workflows.review_case import add_comment, ticked_ids
from tests.cases_on_disk import labels_ijk, write_case, write_image
from tests.scenarios.conftest import stop
from tests.scenarios.painter import paint


@pytest.fixture
def cohort(tmp_path):
    for case_id in ("LV-1", "LV-2"):
        write_case(tmp_path, case_id, phases=("PV",))
    return tmp_path


def mask_of(user) -> np.ndarray:
    return user.session.masks["draft"].mask.array.copy()


def save(user) -> None:
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.program.saver.save()


def work(user) -> list[np.ndarray]:
    """Two strokes, a comment, a tick and a stroke; the mask as opened and after each stroke."""
    states = [mask_of(user)]
    for number in (1, 2):
        paint(user.program.ws, number)
        states.append(mask_of(user))
    add_comment(user.program.ws, "Looks odd")
    user.wait(user.program.has_settled)
    user.program.regions.go(1)
    user.key(Qt.Key_T)
    paint(user.program.ws, 3)
    user.wait(user.program.has_settled)
    return [*states, mask_of(user)]


def check_the_way_back(user, states: list[np.ndarray]) -> None:
    """Take back and bring again everything that :func:`work` did."""
    session = user.session
    names = [edit.name.split()[0] for edit in session.history.done]
    assert names == ["Brush", "Brush", "Add", "Tick", "Brush"]
    assert not session.is_dirty
    np.testing.assert_array_equal(mask_of(user), states[3])
    assert ticked_ids(session, "draft")
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(mask_of(user), states[2])
    assert session.is_dirty, "what is on the disk is no longer what is shown"
    user.wait(user.program.has_settled)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert not ticked_ids(session, "draft")
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert not session.annotations.entries("comment")
    for expected in (states[1], states[0]):
        user.key(Qt.Key_Z, Qt.ControlModifier)
        np.testing.assert_array_equal(mask_of(user), expected)
    assert session.history.undo_name is None
    for _ in range(5):
        user.key(Qt.Key_Y, Qt.ControlModifier)
    np.testing.assert_array_equal(mask_of(user), states[3])
    (comment,) = session.annotations.entries("comment").values()
    assert comment["text"] == "Looks odd"
    assert not session.is_dirty, "back at what is saved"


def test_undo_goes_back_before_a_save_and_another_case(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    states = work(user)
    save(user)
    user.click_case("LV-2")
    assert user.session.history.undo_name is None, "a history belongs to its case"
    paint(user.program.ws, 4)
    save(user)
    user.click_case("LV-1")
    check_the_way_back(user, states)
    user.click_case("LV-2")
    assert len(user.session.history.done) == 1


def test_undo_goes_back_over_a_restart(start, cohort):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    states = work(user)
    save(user)
    stop(user.program)
    for _ in range(2):  # the second time from a history that was kept already
        user = start()
        user.open(cohort)
        user.click_case("LV-1")
        check_the_way_back(user, states)
        stop(user.program)


def test_what_was_undone_before_the_save_can_be_redone_after_a_restart(start, cohort):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    states = work(user)
    user.session.undo()
    save(user)
    stop(user.program)
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_Y, Qt.ControlModifier)
    np.testing.assert_array_equal(mask_of(user), states[3])


def test_the_panel_steps_through_what_an_earlier_run_did(start, cohort):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    states = work(user)
    save(user)
    stop(user.program)
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_H)
    steps = user.widget("historySteps")
    assert steps.count() == 6
    for row, state in ((1, 1), (5, 3), (0, 0), (3, 2)):
        rect = steps.visualRect(steps.model().index(row, 0))
        QTest.mouseClick(steps.viewport(), Qt.LeftButton, Qt.NoModifier, rect.center())
        np.testing.assert_array_equal(mask_of(user), states[state])
        assert steps.currentRow() == row
    paint(user.program.ws, 4)
    assert steps.count() == 5, "steps that were taken back are gone now"


@pytest.mark.parametrize("again", ["another case", "restart"])
def test_an_undo_out_of_sight_brings_its_place_into_view(start, cohort, again):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    slice_ras = np.array((0.0, 0.0, -64.0))
    user.program.ws.selection.set_label(12)
    stroke = BrushStroke(user.program.ws, Plane.AXIAL)
    stroke.move_to(slice_ras)
    stroke.finish()
    save(user)
    if again == "restart":
        stop(user.program)
        user = start()
        user.open(cohort)
    else:
        user.click_case("LV-2")
    user.click_case("LV-1")
    views = user.program.ws.views
    for index in range(4):
        views.set_pane(index, phase="PV", plane=Plane.AXIAL)
    views.set_frame(crosshair_ras=np.array((0.0, 0.0, -96.0)))
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert views.crosshair_ras[2] == pytest.approx(-64.0, abs=4.0)
    views.set_frame(crosshair_ras=np.array((0.0, 0.0, -96.0)))
    user.key(Qt.Key_Y, Qt.ControlModifier)
    assert views.crosshair_ras[2] == pytest.approx(-64.0, abs=4.0)


def test_undoing_a_note_brings_its_region_into_view(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    views = user.program.ws.views
    for index in range(4):
        views.set_pane(index, phase="PV", plane=Plane.AXIAL)
    user.program.regions.go(1)
    user.key(Qt.Key_T)
    place = views.crosshair_ras.copy()
    far = np.array((0.0, 0.0, -44.0))
    views.set_frame(crosshair_ras=far)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert abs(views.crosshair_ras[2] - place[2]) < abs(views.crosshair_ras[2] - far[2])
    add_comment(user.program.ws, "About the case")
    views.set_frame(crosshair_ras=far)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(views.crosshair_ras, far)


def test_what_was_given_up_does_not_come_back(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    states = [mask_of(user)]
    paint(user.program.ws, 1)
    states.append(mask_of(user))
    save(user)
    paint(user.program.ws, 2)
    user.answer("Discard")
    user.click_case("LV-2")
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == []
    assert len(user.session.history.done) == 1
    np.testing.assert_array_equal(mask_of(user), states[1])
    assert user.session.history.redo_name is None
    user.session.undo()
    np.testing.assert_array_equal(mask_of(user), states[0])
    user.session.redo()


def test_the_history_of_a_file_that_was_changed_is_dropped_and_that_is_said(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    add_comment(user.program.ws, "Looks odd")
    save(user)
    user.click_case("LV-2")
    other = labels_ijk()
    other[0, 0, 0] = 9
    write_image(cohort / "masks" / "LV-1" / "draft.nii.gz", other)
    with user.qtbot.waitSignal(user.program.journal.said) as said:
        user.click_case("LV-1")
    assert said.args == ["Changed outside of this program, so earlier steps are gone: draft"]
    assert [edit.name for edit in user.session.history.done] == ["Add comment"]
    user.session.undo()
    order = user.session.masks["draft"].mask.axis_order
    np.testing.assert_array_equal(order.to_file(mask_of(user)), other)
    user.session.redo()


def test_undo_and_unsaved_edits_of_a_crash_come_back_together(start, cohort):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    states = work(user)
    save(user)
    paint(user.program.ws, 4)
    states.append(mask_of(user))
    for _ in range(5):
        user.session.undo()
    user.wait(lambda: not user.program.ws.tasks.is_pending_where(lambda key: key[0] == "journal"))
    path = journal_path(cohort / "masks", "LV-1")
    crashed = path.read_bytes()
    stop(user.program)
    history_path(path).unlink()
    path.write_bytes(crashed)  # as if the program had died
    user = start()
    user.open(cohort)
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    np.testing.assert_array_equal(mask_of(user), states[1])
    assert not user.session.annotations.entries("comment")
    assert len(user.session.history.done) == 1
    for expected in (2, 2, 2, 3, 4):
        user.session.redo()
        np.testing.assert_array_equal(mask_of(user), states[expected])
    assert user.session.annotations.entries("comment")
    for expected in (states[3], states[2], states[2], states[2], states[1], states[0]):
        user.session.undo()
        np.testing.assert_array_equal(mask_of(user), expected)


def test_painting_before_a_crash_is_answered_for_is_kept(user, cohort):
    """Whoever is quicker than the journal does not get a mixture of labels."""
    user.open(cohort)
    user.click_case("LV-1")
    original = mask_of(user)
    user.program.ws.selection.set_label(10)
    for label in (10, 11):
        user.program.ws.selection.set_label(label)
        stroke = BrushStroke(user.program.ws, Plane.AXIAL)
        stroke.move_to((0.0, 0.0, -64.0))
        stroke.finish()
    user.wait(lambda: not user.program.ws.tasks.is_pending_where(lambda key: key[0] == "journal"))
    path = journal_path(cohort / "masks", "LV-1")
    crashed = path.read_bytes()
    while user.session.undo() is not None:
        pass
    user.click_case("LV-2")
    path.write_bytes(crashed)
    history_path(path).unlink(missing_ok=True)
    keeper = user.program.journal
    with user.qtbot.waitSignal(user.program.opener.loaded, timeout=60_000):
        keeper.unsaved_found.disconnect()
        user.click_case("LV-1", settle=False)
    paint(user.program.ws, 1)
    painted = mask_of(user)
    user.wait(user.program.has_settled)
    keeper.restore()
    drawn = painted != original
    restored = mask_of(user)
    np.testing.assert_array_equal(restored[drawn], painted[drawn])
    assert set(np.unique(restored[~drawn])) <= {*np.unique(original), 11}
    assert np.count_nonzero(restored == 11) > np.count_nonzero(original == 11)
    assert [edit.name.split()[0] for edit in user.session.history.done] == ["Brush"] * 3
    save(user)


def test_a_history_that_is_not_wanted_is_not_kept(user, cohort):
    user.program.ws.settings.update("editing", history_disk_mb=0)
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    save(user)
    user.click_case("LV-2")
    user.click_case("LV-1")
    assert user.session.history.undo_name is None
    assert not list(journal_path(cohort / "masks", "LV-1").parent.glob("*.history"))


def test_a_case_that_was_only_looked_at_leaves_no_file(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    path = journal_path(cohort / "masks", "LV-1")
    user.click_case("LV-2")
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    assert not path.parent.exists()
