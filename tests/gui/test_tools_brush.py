"""The brush and the eraser: live painting, one edit a stroke, sizes, refusals."""

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QPointF, Qt
from PyQt5.QtGui import QColor, QFocusEvent
from PyQt5.QtWidgets import QApplication

from labeler.ui.view_tools import next_brush_mm
from labeler.workflows.edit_mask import undo
from tests.case_world import LESION, LIVER, region_of
from tests.gui.view_world import double_click, drag, make_world, move, press, release, wheel

START, END = QPointF(80, 120), QPointF(120, 120)


@pytest.fixture
def world(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path)
    world.ws.selection.set_tool("tool.brush")
    world.ws.selection.set_label(LESION)
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 1.25]))
    yield world
    world.ws.tasks.shutdown()


@pytest.fixture
def mask(world):
    return world.session.masks["draft"].mask


def label_at(mask, ras) -> int:
    i, j, k = mask.grid.nearest_ijk(ras)
    return int(mask.array[k, j, i])


def test_the_mask_changes_while_the_button_is_down(world, mask):
    view = world.view(2)
    press(view, START)
    assert label_at(mask, view.ras_at(START)) == LESION
    move(view, END, buttons=Qt.LeftButton)
    assert label_at(mask, view.ras_at(END)) == LESION
    assert label_at(mask, view.ras_at((START + END) / 2)) == LESION, "no gaps in a fast stroke"
    assert world.session.history.undo_name is None
    release(view, END)
    assert world.session.history.undo_name == "Brush HCC"
    before_move = mask.array.copy()
    move(view, QPointF(160, 200))
    assert np.array_equal(mask.array, before_move)


def test_one_stroke_is_one_undo(world, mask):
    before = mask.array.copy()
    drag(world.view(2), START, QPointF(90, 100), END)
    drag(world.view(2), END, QPointF(150, 150))
    assert len(world.session.history.done) == 2
    undo(world.ws)
    undo(world.ws)
    assert np.array_equal(mask.array, before)


@pytest.mark.parametrize(
    ("tool", "button"), [("tool.brush", Qt.RightButton), ("tool.eraser", Qt.LeftButton)]
)
def test_erasing_takes_away_the_active_label_only(world, mask, tool, button):
    world.ws.selection.set_tool(tool)
    world.ws.selection.set_label(LIVER)
    view = world.view(2)
    lesion, liver = view.pos_of(np.array([15.0, 0, 1.25])), view.pos_of(np.array([-10.0, 0, 1.25]))
    drag(view, lesion, liver, button=button)
    assert label_at(mask, (15.0, 0.0, 1.25)) == LESION
    assert label_at(mask, (-10.0, 0.0, 1.25)) == 0
    assert world.session.history.undo_name == "Erase Liver"


def test_escape_takes_an_unfinished_stroke_back(world, mask, qtbot):
    before = mask.array.copy()
    view = world.view(2)
    press(view, START)
    move(view, END, buttons=Qt.LeftButton)
    qtbot.keyClick(view, Qt.Key_Escape)
    assert np.array_equal(mask.array, before)
    move(view, QPointF(160, 160), buttons=Qt.LeftButton)
    release(view, QPointF(160, 160))
    assert np.array_equal(mask.array, before)
    assert world.session.history.undo_name is None
    assert not mask.is_dirty


def test_a_case_closed_under_the_brush(world, mask):
    view = world.view(2)
    press(view, START)
    world.session.begin(None)
    move(view, END, buttons=Qt.LeftButton)
    release(view, END)
    assert world.session.history.undo_name is None


def test_the_wheel_does_not_leave_the_slice_during_a_stroke(world):
    view = world.view(2)
    press(view, START)
    slice_index = view.transform.slice_index
    wheel(view, 120)
    assert view.transform.slice_index == slice_index
    release(view, START)
    wheel(view, 120)
    assert view.transform.slice_index == slice_index + 1


def test_a_double_click_is_two_dabs(world, mask):
    double_click(world.view(2), START)
    assert label_at(mask, world.view(2).ras_at(START)) == LESION
    assert world.ws.views.maximized is None
    press(world.view(2), END)
    release(world.view(2), END)
    assert world.session.history.undo_name == "Brush HCC"


def test_the_cursor_is_a_circle_of_the_brushes_size(world):
    view = world.view(2)
    world.ws.views.set_options(crosshair_visible=False, masks_visible=False)
    world.ws.selection.set_brush_mm(20.0)  # 40 px across

    def ring_at(radius_px) -> bool:
        picture = view.grab().toImage()
        colours = [
            QColor(picture.pixel(round(160 + radius_px * c), round(120 + radius_px * s)))
            for c, s in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        return all(c.red() > 180 and c.green() < 150 for c in colours)

    move(view, QPointF(160, 120))
    assert ring_at(20)
    assert not ring_at(12)
    wheel(view, 480, pos=QPointF(160, 120), modifiers=Qt.ControlModifier)
    assert ring_at(40)
    QApplication.sendEvent(view, QEvent(QEvent.Leave))
    assert not ring_at(40)


def test_sizes_by_keys_and_wheel(world):
    selection = world.ws.selection
    selection.set_brush_mm(20.0)
    world.commands.action("tool.larger").trigger()
    assert selection.brush_mm == 25.0
    world.commands.action("tool.smaller").trigger()
    world.commands.action("tool.smaller").trigger()
    assert selection.brush_mm == 15.0
    wheel(world.view(2), 120, modifiers=Qt.ControlModifier | Qt.ShiftModifier)
    assert selection.brush_mm == 20.0


def test_round_sizes():
    assert next_brush_mm(7.3, 1) == 8.0
    assert next_brush_mm(7.3, -1) == 6.0
    assert next_brush_mm(200.0, 1) == 200.0
    assert next_brush_mm(1.0, -1) == 1.0


def test_refusals_are_told(world, qtbot):
    world.ws.selection.set_locked("draft", LESION, True)
    with qtbot.waitSignal(world.grid.refused) as refused:
        drag(world.view(2), START, END)
    assert refused.args == ["HCC is locked in draft (K frees it)"]
    assert world.session.history.undo_name is None


def test_painting_parts_of_the_image_gives_the_whole_image(world):
    """Each move draws the changed pixels only; together they are what a full repaint draws."""
    world.ws.views.set_frame(center_ras=np.array([3.3, -1.7, 0.0]), mm_per_px=0.37)
    views = [world.view(n) for n in (0, 1, 2)]
    for view in views:
        view.grab()
    press(world.view(2), START)
    for point in (QPointF(95, 110), END, QPointF(310, 30), QPointF(5, 235)):
        move(world.view(2), point, buttons=Qt.LeftButton)
        for view in views:
            view.grab()
    release(world.view(2), QPointF(5, 235))
    parts = [view.grab().toImage() for view in views]
    world.ws.views.style_changed.emit("draft")
    for view, picture in zip(views, parts, strict=True):
        assert view.grab().toImage() == picture, view.objectName()
    undo(world.ws)
    parts = [view.grab().toImage() for view in views]
    world.ws.views.style_changed.emit("draft")
    for view, picture in zip(views, parts, strict=True):
        assert view.grab().toImage() == picture, view.objectName()


def test_the_outline_of_the_selected_region_goes_as_a_whole_when_a_stroke_begins(world):
    """Another stroke may change the region, and its outline must not stay in parts."""
    world.ws.selection.select_region(region_of(world.ws, "draft", LESION))
    world.ws.views.set_options(active=2)
    view = world.view(2)
    view.grab()
    press(view, QPointF(250, 200))
    picture = view.grab().toImage()
    world.ws.views.style_changed.emit("draft")
    assert view.grab().toImage() == picture
    release(view, QPointF(250, 200))


@pytest.mark.parametrize("how", ["focus", "move"])
def test_a_stroke_ends_when_a_dialog_takes_the_release(world, how):
    session, view = world.session, world.view(2)
    press(view, QPointF(100, 100))
    move(view, QPointF(110, 100), buttons=Qt.LeftButton)
    if how == "focus":
        view.clearFocus()
        QApplication.sendEvent(view, QFocusEvent(QEvent.FocusOut))
    painted = session.masks["draft"].mask.array.copy()
    move(view, QPointF(170, 160))
    np.testing.assert_array_equal(session.masks["draft"].mask.array, painted)
    assert session.history.undo_name.startswith("Brush")
    session.undo()
    assert not session.is_dirty
