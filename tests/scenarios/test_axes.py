"""Long and short axis of a region: drawn, moved by the ends, undone, kept with the case."""

import math

import numpy as np
import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtWidgets import QApplication

from tests.cases_on_disk import write_case
from tests.gui.view_world import drag, move, press, release

LESION = 11


@pytest.fixture
def cohort(tmp_path):
    write_case(tmp_path, "LV-1")
    write_case(tmp_path, "LV-2")
    return tmp_path


@pytest.fixture
def opened(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    return user


def settle(user) -> None:
    tasks = user.program.ws.tasks
    user.wait(lambda: not tasks.is_pending_where(lambda k: isinstance(k, tuple) and k[0] == "axes"))
    QApplication.processEvents()
    user.wait(user.program.has_settled)


def select(user, label: int):
    """Click the largest region of a label; returns it."""
    regions = user.session.regions["draft"].regions.values()
    region = max((r for r in regions if r.label == label), key=lambda r: r.voxels)
    refs = list(user.program.regions.table.refs())
    user.click_region(next(n for n, ref in enumerate(refs) if ref.region_id == region.id))
    settle(user)
    return region


def axes_of(user):
    return user.program.views.axes.found


def test_the_tool_shows_the_axes_on_their_slice(opened):
    user, view = opened, opened.view(2)
    region = select(user, LESION)
    assert axes_of(user) is None, "nothing is drawn until it is asked for"
    picture = view.grab().toImage()
    user.key(Qt.Key_E)
    settle(user)
    axes = axes_of(user).axes
    assert axes.long_mm == pytest.approx(region.diameter_mm, abs=0.1)
    assert axes.short_mm < axes.long_mm
    assert view.shows(np.array(axes.long_ras[0]))
    assert view.grab().toImage() != picture
    user.key(Qt.Key_1)
    assert axes_of(user) is None


def test_with_shift_they_stay_with_any_tool(opened):
    user = opened
    select(user, LESION)
    user.key(Qt.Key_E, Qt.ShiftModifier)
    settle(user)
    assert axes_of(user) is not None
    user.key(Qt.Key_3)
    assert axes_of(user) is not None
    user.key(Qt.Key_E, Qt.ShiftModifier)
    assert axes_of(user) is None
    settle(user)
    assert axes_of(user) is None, "what was being measured must not come late"


def test_an_end_is_dragged_undone_and_measured_again(opened):
    user, view = opened, opened.view(2)
    select(user, LESION)
    user.key(Qt.Key_E)
    settle(user)
    measured = axes_of(user).axes
    end = view.pos_of(np.array(measured.long_ras[0]))
    move(view, end)
    drag(view, end, end + QPointF(20, 4), end + QPointF(25, 5))
    settle(user)
    found = axes_of(user)
    assert found.is_adjusted
    moved_px = math.dist(found.axes.long_ras[0], measured.long_ras[0])
    assert moved_px == pytest.approx(
        math.hypot(25, 5) * user.program.ws.views.mm_per_px, rel=0.01
    )  # fmt: skip
    assert found.axes.long_ras[1] == pytest.approx(measured.long_ras[1], abs=0.01)
    assert user.session.history.undo_name.startswith("Adjust axes of")
    user.key(Qt.Key_Z, Qt.ControlModifier)
    settle(user)
    assert axes_of(user).axes == measured
    user.key(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    settle(user)
    assert axes_of(user).is_adjusted
    press(view, end, button=Qt.RightButton)
    release(view, end, button=Qt.RightButton)
    settle(user)
    assert axes_of(user).axes == measured


def test_escape_puts_a_dragged_end_back(opened):
    user, view = opened, opened.view(2)
    select(user, LESION)
    user.key(Qt.Key_E)
    settle(user)
    measured = axes_of(user).axes
    end = view.pos_of(np.array(measured.short_ras[1]))
    press(view, end)
    move(view, end + QPointF(30, 30), buttons=Qt.LeftButton)
    assert axes_of(user).axes != measured
    user.key(Qt.Key_Escape, where="view2")
    assert axes_of(user).axes == measured
    release(view, end)
    assert user.session.history.undo_name is None


def test_axes_set_by_hand_are_saved_with_the_case(opened):
    user, view = opened, opened.view(2)
    select(user, LESION)
    user.key(Qt.Key_E)
    settle(user)
    end = view.pos_of(np.array(axes_of(user).axes.long_ras[0]))
    drag(view, end, end + QPointF(25, 5))
    settle(user)
    kept = axes_of(user).axes
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_S, Qt.ControlModifier)
    user.click_case("LV-2")
    user.click_case("LV-1")
    select(user, LESION)
    found = axes_of(user)
    assert found.is_adjusted
    assert np.allclose(found.axes.long_ras, kept.long_ras, atol=0.01)


def test_without_a_region_it_is_said(opened):
    user, view = opened, opened.view(2)
    user.program.ws.selection.select_region(None)
    user.key(Qt.Key_E)
    with user.qtbot.waitSignal(user.program.views.refused) as refused:
        press(view, QPointF(50, 50))
    release(view, QPointF(50, 50))
    assert "Select a region first" in refused.args[0]
