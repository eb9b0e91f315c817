"""Leaving a case while something is still going on neither loses edits nor mixes cases up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt

from labeler.state.tasks import TaskRunner
from labeler.storage.masks import read_mask
from labeler.workflows import open_case, save_files
from labeler.workflows.open_folder import Roots
from tests.cases_on_disk import write_case
from tests.scenarios.painter import paint

HALT_S = 60.0


@pytest.fixture
def cohort(tmp_path):
    for case_id in ("LV-1", "LV-2"):
        write_case(tmp_path, case_id, phases=("PV",))
    return tmp_path


@pytest.fixture
def halt(monkeypatch) -> Iterator[Callable[[Any, str], threading.Event]]:
    """Make a function of a module wait until the event that is returned is set."""
    events: list[threading.Event] = []

    def make(module: Any, name: str) -> threading.Event:
        function, event = getattr(module, name), threading.Event()
        events.append(event)

        def waiting(*args: Any, **named: Any) -> Any:
            assert event.wait(HALT_S)
            return function(*args, **named)

        monkeypatch.setattr(module, name, waiting)
        return event

    yield make
    for event in events:
        event.set()


def test_another_case_opens_when_the_first_is_saved(user, cohort, halt):
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    painted = user.session.masks["draft"].mask.array.copy()
    may_write = halt(save_files, "save_mask")
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.click_case("LV-2", settle=False)  # a question would fail the test
    assert user.session.case.id == "LV-1"
    may_write.set()
    user.wait(lambda: user.session.case.id == "LV-2" and user.program.has_settled())
    user.click_case("LV-1")
    np.testing.assert_array_equal(user.session.masks["draft"].mask.array, painted)


def test_what_is_saved_late_is_no_news_of_the_next_case(user, cohort, halt):
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    user.program.regions.go(1)
    user.key(Qt.Key_T)
    may_write = halt(save_files, "save_mask")
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.program.saver.save_copy("draft", "copied")
    user.program.opener.open("LV-2")
    user.wait(lambda: user.session.case.id == "LV-2" and user.program.has_settled())
    may_write.set()
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    assert list(user.session.masks) == ["draft"]
    assert user.session.masks["draft"].file.path.parent.name == "LV-2"
    assert user.program.opener.sidecar.sidecar.case == "LV-2"


def test_folders_are_remembered_when_they_are_opened_wherever_from(user, cohort, monkeypatch):
    settings = user.program.ws.settings
    monkeypatch.chdir(cohort)
    user.program.open(Roots(Path("images"), Path("masks")))
    user.wait(user.program.has_settled)
    user.click_case("LV-1")
    assert settings.data.folders.images == str(cohort / "images")
    paint(user.program.ws, 1)
    user.answer("Stay")
    user.program.open(Roots(cohort / "elsewhere"))
    assert settings.data.folders.images == str(cohort / "images")
    user.session.undo()


def test_nothing_is_painted_into_a_case_that_is_being_left(user, cohort, halt):
    user.open(cohort)
    user.click_case("LV-1")
    may_open = halt(open_case, "start_case")
    user.click_case("LV-2", settle=False)
    assert user.widget("loadingText").text() == "Reading LV-2"
    user.key(Qt.Key_3)
    center = user.program.ws.views.crosshair_ras.copy()
    user.drag(user.view(0), [center, center + np.array((4.0, 4.0, 0.0))])
    assert not user.session.is_dirty
    assert user.widget("statusMessage").text() == "LV-2 is being opened"
    may_open.set()
    user.wait(lambda: user.session.case.id == "LV-2" and user.program.has_settled())
    paint(user.program.ws, 1)
    assert user.session.is_dirty
    user.session.undo()


def test_a_drive_that_does_not_answer_keeps_nobody_from_leaving(
    user, start, cohort, halt, monkeypatch
):
    monkeypatch.setattr(TaskRunner.shutdown, "__defaults__", (10.0, 0.1))
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    painted = user.session.masks["draft"].mask.array.copy()
    drive_answers = halt(save_files, "save_mask")
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.program.window.close()
    assert user.program.window.isVisible()
    assert "closes when that is done" in user.widget("statusMessage").text()
    asked = user.answer("Wait")
    user.program.window.close()
    assert asked == ["stuckQuestion"]
    assert user.program.window.isVisible()
    user.answer("Leave")
    user.program.window.close()
    assert not user.program.window.isVisible()
    (cohort / "masks" / "_labeling" / ".LV-1.lock").unlink(missing_ok=True)  # as of a dead process
    again = start()
    again.open(cohort)
    asked = again.answer("Restore")
    again.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    np.testing.assert_array_equal(again.session.masks["draft"].mask.array, painted)
    drive_answers.set()


def test_a_window_that_is_closed_while_it_saves_closes_when_that_is_done(user, cohort, halt):
    user.open(cohort)
    user.click_case("LV-1")
    paint(user.program.ws, 1)
    painted = user.session.masks["draft"].mask.array.copy()
    may_write = halt(save_files, "save_mask")
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.program.window.close()
    may_write.set()
    user.wait(lambda: not user.program.window.isVisible())
    on_disk = read_mask(cohort / "masks" / "LV-1" / "draft.nii.gz").mask.array
    np.testing.assert_array_equal(on_disk, painted)


def test_a_case_that_cannot_be_opened_says_so_and_can_be_tried_again(user, cohort, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("may not be entered")

    user.open(cohort)
    user.click_case("LV-1")
    with monkeypatch.context() as patch:
        patch.setattr(open_case, "start_case", refuse)
        user.click_case("LV-2", settle=False)
        user.wait(lambda: user.session.case is None)
    assert "LV-2 was not opened: may not be entered" in user.widget("statusMessage").text()
    user.click_case("LV-2")
    assert user.session.read_only_reason is None
