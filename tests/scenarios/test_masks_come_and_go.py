"""Masks are taken out of the window and added from files, and nothing of them is lost."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PyQt5.QtCore import Qt

from labeler.storage.masks import read_mask
from tests.cases_on_disk import labels_ijk, write_case, write_image
from tests.scenarios.painter import paint


@pytest.fixture
def cohort(tmp_path):
    write_case(tmp_path, "LV-1", phases=("PV",))
    write_case(tmp_path, "LV-2", phases=("PV",))
    other = labels_ijk()
    other[:, :, :4] = 0
    write_image(tmp_path / "masks" / "LV-1" / "other.nii.gz", other)
    return tmp_path


@pytest.fixture
def opened(user, cohort):
    """A window with two masks, strokes in both, "draft" being the active one."""
    user.open(cohort)
    user.click_case("LV-1")
    user.program.ws.selection.set_mask("other")
    paint(user.program.ws, 1)
    user.program.ws.selection.set_mask("draft")
    paint(user.program.ws, 2)
    settle(user)
    return user


def settle(user):
    user.wait(lambda: user.program.has_settled() and not user.program.ws.tasks.pending_count)


def close(user, answer: str | None = None) -> list[str]:
    asked = user.answer(answer) if answer else []
    user.key(Qt.Key_W, Qt.ControlModifier)
    settle(user)
    return asked


def on_disk(cohort, name="draft"):
    return np.asanyarray(nib.load(cohort / "masks" / "LV-1" / f"{name}.nii.gz").dataobj)


def add(user, path):
    user.program.opener.add_mask_file(path)
    settle(user)


def test_a_saved_mask_is_closed_at_once_and_is_back_with_the_case(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    user.program.regions.go(1)
    assert close(user) == []
    assert list(user.session.masks) == ["other"]
    assert user.program.ws.selection.mask == "other"
    assert user.program.ws.selection.region is None
    np.testing.assert_array_equal(on_disk(cohort), labels_ijk())
    close(user)
    assert list(user.session.masks) == []
    assert user.program.ws.selection.mask is None
    close(user)
    assert "Choose a mask" in user.widget("statusMessage").text()
    user.click_case("LV-2")
    user.click_case("LV-1")
    assert list(user.session.masks) == ["draft", "other"]


def test_the_menu_of_a_row_closes_its_mask(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    menu = user.program.masks.row("other").menu()
    (action,) = menu.actions()
    action.trigger()
    menu.close()
    settle(user)
    assert list(user.session.masks) == ["draft"]


def test_what_is_not_saved_is_asked_about(opened, cohort):
    painted = opened.session.masks["draft"].mask.array.copy()
    assert close(opened, "Stay") == ["closeQuestion"]
    assert "draft" in opened.session.masks
    close(opened, "Save")
    assert list(opened.session.masks) == ["other"]
    np.testing.assert_array_equal(
        read_mask(cohort / "masks" / "LV-1" / "draft.nii.gz").mask.array, painted
    )
    assert not opened.session.is_dirty


def test_only_the_steps_of_the_closed_mask_leave_the_history(opened, cohort):
    before = opened.session.history.done
    assert len(before) == 2
    close(opened, "Discard")
    np.testing.assert_array_equal(on_disk(cohort), labels_ijk())
    assert opened.session.history.done == before[:1]
    opened.key(Qt.Key_Z, Qt.ControlModifier)
    assert not opened.session.is_dirty
    opened.key(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    assert opened.session.masks["other"].mask.is_dirty


def test_what_was_given_up_does_not_come_back_after_a_crash(opened, start, cohort):
    close(opened, "Discard")
    other = opened.session.masks["other"].mask.array.copy()
    opened.program.journal.blockSignals(True)
    opened.program.ws.tasks.shutdown()  # from here on nothing reaches the disk: a crash
    again = start()
    again.open(cohort)
    again.session.read_only_reason = None
    asked = again.answer("Restore")
    release_lock(cohort)
    again.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    np.testing.assert_array_equal(again.session.masks["other"].mask.array, other)
    assert not again.session.masks["draft"].mask.is_dirty


def release_lock(cohort):
    """As if the process had died that holds it."""
    (cohort / "masks" / "_labeling" / ".LV-1.lock").unlink()


def test_a_closed_mask_is_opened_again_and_goes_on(opened, start, cohort):
    path = cohort / "masks" / "LV-1" / "draft.nii.gz"
    close(opened, "Save")
    add(opened, path)
    assert list(opened.session.masks) == ["draft", "other"]
    opened.program.ws.selection.set_mask("draft")
    paint(opened.program.ws, 3)
    settle(opened)
    painted = opened.session.masks["draft"].mask.array.copy()
    opened.program.ws.tasks.shutdown()
    release_lock(cohort)
    again = start()
    again.open(cohort)
    again.answer("Restore")
    again.click_case("LV-1")
    np.testing.assert_array_equal(again.session.masks["draft"].mask.array, painted)


def test_a_closed_mask_that_was_changed_is_not_opened_again(opened, cohort):
    close(opened, "Save")
    write_image(cohort / "masks" / "LV-1" / "draft.nii.gz", 0 * labels_ijk())
    add(opened, cohort / "masks" / "LV-1" / "draft.nii.gz")
    assert list(opened.session.masks) == ["other"]
    assert "changed after it was closed" in opened.session.problems["mask:draft"]


def test_a_mask_from_elsewhere_is_kept_with_the_case(user, start, cohort, tmp_path):
    path = write_image(tmp_path / "elsewhere" / "model.nii.gz", labels_ijk())
    before = path.read_bytes()
    user.open(cohort)
    user.click_case("LV-1")
    add(user, path)
    user.program.ws.selection.set_mask("model")
    paint(user.program.ws, 1)
    settle(user)
    painted = user.session.masks["model"].mask.array.copy()
    user.program.ws.tasks.shutdown()
    release_lock(cohort)
    again = start()
    again.open(cohort)
    assert again.program.worklist.case("LV-1").masks[1].name == "model"
    again.answer("Restore")
    again.click_case("LV-1")
    np.testing.assert_array_equal(again.session.masks["model"].mask.array, painted)
    assert path.read_bytes() == before
