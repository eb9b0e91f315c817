"""The history panel and the choice of a label from what is drawn, by mouse and keys."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QListWidget

from labeler.ui.history_panel import START
from tests.cases_on_disk import write_case
from tests.gui.view_world import move


@pytest.fixture
def opened(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    return user


def steps(user) -> QListWidget:
    return user.widget("historySteps")


def click_step(user, row: int) -> None:
    view = steps(user)
    rect = view.visualRect(view.model().index(row, 0))
    QTest.mouseClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, rect.center())


def shown(user) -> tuple[list[str], int]:
    view = steps(user)
    return [view.item(row).text() for row in range(view.count())], view.currentRow()


def brush(user, offset_mm: float) -> np.ndarray:
    """One stroke; returns the mask after it."""
    start = user.program.ws.views.crosshair_ras + np.array((offset_mm, 0.0, 0.0))
    user.drag(user.view(2), [start, start + np.array((3.0, 0.0, 0.0))])
    return user.session.masks["draft"].mask.array.copy()


def test_a_click_in_the_history_goes_to_that_step(opened):
    user, session = opened, opened.session
    states = [session.masks["draft"].mask.array.copy()]
    user.program.ws.selection.set_label(12)
    user.key(Qt.Key_3)
    states += [brush(user, offset_mm) for offset_mm in (0.0, 8.0, 16.0)]
    assert not steps(user).isVisible(), "closed until it is asked for"
    user.key(Qt.Key_H)
    names = [edit.name for edit in session.history.done]
    assert shown(user) == ([START, *names], 3)
    for row in (1, 3, 0, 2):
        click_step(user, row)
        np.testing.assert_array_equal(session.masks["draft"].mask.array, states[row])
        assert shown(user) == ([START, *names], row), "steps ahead stay in the list"
    brush(user, -8.0)
    assert shown(user)[1] == 3
    assert len(session.history.undone) == 0
    user.key(Qt.Key_H)
    assert not steps(user).isVisible()


def test_the_panel_tells_how_much_memory_the_steps_take(opened):
    user, history = opened, opened.session.history
    user.program.ws.selection.set_label(12)
    user.key(Qt.Key_3)
    user.key(Qt.Key_H)
    header = user.program.history.header
    assert header.note == "", "nothing was done yet"
    for offset_mm in (0.0, 8.0, 16.0):
        brush(user, offset_mm)
    assert header.note == "3 of 3   <0.01 of 512 MB"
    history.max_bytes = history.done[-1].nbytes + 1
    user.session.history_changed.emit()
    assert header.note.startswith("1 of 1   <0.01 of ")
    assert shown(user)[0] == [START, history.undo_name]
    assert user.widget("button.edit.undo").isEnabled()


def test_pick_label_under_the_cursor(opened):
    user, selection = opened, opened.program.ws.selection
    user.key(Qt.Key_N)
    ref = selection.region
    wanted = user.session.region(ref.mask, ref.region_id).label
    selection.set_label(1 if wanted != 1 else 11)
    view = user.view(2)
    move(view, view.pos_of(user.program.ws.views.crosshair_ras))
    user.key(Qt.Key_P)
    assert selection.label == wanted
    user.key(Qt.Key_U)
    used = {region.label for region in user.session.regions["draft"].regions.values()}
    assert selection.label not in used


def test_nothing_to_pick_is_said(opened):
    view = opened.view(2)
    move(view, view.pos_of(np.array((-39.0, 30.0, -60.0))))
    with opened.qtbot.waitSignal(opened.program.views.refused) as refused:
        opened.key(Qt.Key_P)
    assert refused.args == ["There is no label under the cursor"]
