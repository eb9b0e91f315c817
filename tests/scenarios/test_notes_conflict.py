"""Notes of the open case that somebody else has changed: mine, theirs, or both."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt5.QtCore import Qt

from labeler.storage.sidecar import load_sidecar, read_sidecar, save_sidecar, sidecar_path
from labeler.workflows.review_case import set_status
from tests.cases_on_disk import write_case


@pytest.fixture
def conflict(user, tmp_path):
    """A case of which I noted one thing, and somebody else another one, on disk already."""
    write_case(tmp_path, "LV-1", phases=("PV",))
    user.open(tmp_path)
    user.click_case("LV-1")
    set_status(user.program.ws, "flagged")
    masks = tmp_path / "masks"
    loaded = load_sidecar(masks, "LV-1")
    theirs = loaded.sidecar.model_copy(update={"status": "done", "ticks": {"draft:1": {}}})
    save_sidecar(masks, theirs, loaded.version)
    return masks


def save(user, answer: str) -> list[str]:
    asked = user.answer(answer)
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.wait(lambda: bool(asked))
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    return asked


def status(user) -> str:
    return user.session.annotations.get("status", "")


def test_mine_are_kept_and_theirs_put_aside(user, conflict):
    assert save(user, "Keep mine") == ["notesQuestion"]
    assert not user.session.is_dirty
    assert load_sidecar(conflict, "LV-1").sidecar.status == "flagged"
    (aside,) = sidecar_path(conflict, "LV-1").parent.glob("*.theirs-*")
    assert read_sidecar(aside, "LV-1").sidecar.status == "done"


def test_theirs_are_taken_and_mine_come_back_by_undo(user, conflict):
    save(user, "Take theirs")
    assert not user.session.is_dirty
    assert status(user) == "done"
    assert list(user.session.annotations.entries("tick")) == ["draft:1"]
    assert user.program.worklist.case("LV-1").status == "done"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert status(user) == "flagged"
    assert user.session.annotations.entries("tick") == {}
    assert user.session.is_dirty
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_S, Qt.ControlModifier)  # a question would fail the test
    assert load_sidecar(conflict, "LV-1").sidecar.status == "flagged"


def test_notes_that_were_taken_are_not_offered_again_after_a_crash(user, start, conflict, tmp_path):
    user.program.regions.go(1)
    user.key(Qt.Key_Delete)
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    save(user, "Take theirs")
    user.key(Qt.Key_N)
    user.key(Qt.Key_Delete)
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    user.program.ws.tasks.shutdown()  # from here on nothing reaches the disk: a crash
    (conflict / "_labeling" / ".LV-1.lock").unlink()
    again = start()
    again.open(tmp_path)
    again.answer("Restore")
    again.click_case("LV-1")
    assert status(again) == "done"
    assert not again.session.annotations.is_dirty
    assert again.session.masks["draft"].mask.is_dirty


def test_mine_go_into_a_copy(user, conflict):
    save(user, "Save a copy")
    assert not user.session.is_dirty
    assert status(user) == "done"
    assert load_sidecar(conflict, "LV-1").sidecar.status == "done"
    (copy,) = sidecar_path(conflict, "LV-1").parent.glob("*.mine-*")
    assert read_sidecar(copy, "LV-1").sidecar.status == "flagged"


def test_nothing_happens_until_later(user, conflict):
    before = sidecar_path(conflict, "LV-1").read_bytes()
    save(user, "Later")
    assert user.session.is_dirty
    assert status(user) == "flagged"
    assert sidecar_path(conflict, "LV-1").read_bytes() == before
    assert save(user, "Keep mine") == ["notesQuestion"]
    assert not user.session.is_dirty


def test_damaged_notes_are_not_taken(user, conflict):
    sidecar_path(conflict, "LV-1").write_text("{")
    save(user, "Take theirs")
    assert status(user) == "flagged"
    assert user.session.is_dirty
    assert "damaged" in user.widget("statusMessage").text()


def test_masks_are_saved_whatever_becomes_of_the_notes(user, conflict):
    user.program.regions.go(1)
    user.key(Qt.Key_Delete)
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    edited = user.session.masks["draft"].mask.array.copy()
    save(user, "Later")
    assert not user.session.masks["draft"].mask.is_dirty
    save(user, "Take theirs")
    np.testing.assert_array_equal(user.session.masks["draft"].mask.array, edited)
    assert not user.session.is_dirty


def test_phases_assigned_by_hand_meet_a_conflict_too(user, conflict):
    set_status(user.program.ws, "todo")
    asked = user.answer("Keep mine")
    (source,) = user.session.case.phases.values()
    user.program.saver.assign_phases({source.key: "ART"}, user.program.switcher.reopen_case)
    user.wait(lambda: bool(asked))
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    assert load_sidecar(conflict, "LV-1").sidecar.phases == {}
    asked = user.answer("Save")
    user.program.saver.assign_phases({source.key: "ART"}, user.program.switcher.reopen_case)
    user.wait(lambda: "ART" in user.session.volumes and user.program.has_settled())
    assert load_sidecar(conflict, "LV-1").sidecar.phases == {source.key: "ART"}
