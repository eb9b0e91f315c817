"""Mouse and keys in the views: slice, zoom, pan, grey scale, shift, maximize, hover."""

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QPointF, Qt
from PyQt5.QtWidgets import QApplication, QLineEdit

from labeler.core.geometry import Plane
from labeler.state.view_state import Window
from tests.gui.view_world import double_click, drag, make_world, mouse, move, press, release, wheel

MIDDLE = QPointF(150, 110)


@pytest.fixture
def world(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path)
    yield world
    world.ws.tasks.shutdown()


def slices_of(world) -> list[int]:
    return [view.transform.slice_index for view in world.grid.views if view.transform]


def test_the_wheel_moves_by_one_slice_of_the_phase_under_it(world):
    nc, art, pv = (world.view(n) for n in range(3))
    wheel(art, 120)
    before = slices_of(world)
    wheel(art, 120)
    assert art.transform.slice_index == before[1] + 1
    assert pv.transform.slice_index == before[2] + 2, "5 mm are two slices of 2.5 mm"
    assert world.ws.views.crosshair_ras[2] == pytest.approx(
        art.transform.grid.to_ras((0, 0, before[1] + 1))[2]
    )
    wheel(pv, -120)
    assert pv.transform.slice_index == before[2] + 1
    wheel(nc, 120, modifiers=Qt.ShiftModifier)
    assert nc.transform.slice_index >= before[0] + 5


def test_the_wheel_stops_at_the_last_slice(world):
    pv = world.view(2)
    for _ in range(12):
        wheel(pv, 120, modifiers=Qt.ShiftModifier)
    assert pv.transform.slice_index == pv.transform.n_slices - 1
    wheel(pv, -120)
    assert pv.transform.slice_index == pv.transform.n_slices - 2


def test_fine_wheel_steps_add_up_and_a_new_direction_starts_anew(world):
    pv = world.view(2)
    start = pv.transform.slice_index
    for _ in range(7):
        wheel(pv, 15)
    assert pv.transform.slice_index == start
    wheel(pv, 15)
    assert pv.transform.slice_index == start + 1
    wheel(pv, 100)
    wheel(pv, -100)
    wheel(pv, -19)
    assert pv.transform.slice_index == start + 1
    wheel(pv, -1)
    assert pv.transform.slice_index == start


@pytest.mark.parametrize(("plane", "step"), [(Plane.CORONAL, -1), (Plane.SAGITTAL, -1)])
def test_up_is_to_the_front_and_to_the_right(world, plane, step):
    world.ws.views.set_pane(2, plane=plane)
    pv = world.view(2)
    start = pv.transform.slice_index
    wheel(pv, 120)
    assert pv.transform.slice_index == start + step


def test_control_wheel_zooms_at_the_cursor_in_all_views(world):
    art, pv = world.view(1), world.view(2)
    pos = QPointF(40, 60)
    under_cursor = art.ras_at(pos)
    mm_per_px = world.ws.views.mm_per_px
    slices = slices_of(world)
    wheel(art, 480, pos=pos, modifiers=Qt.ControlModifier)
    assert world.ws.views.mm_per_px == pytest.approx(mm_per_px / 2)
    assert np.allclose(art.ras_at(pos), under_cursor)
    assert np.allclose(pv.ras_at(pos)[:2], under_cursor[:2])
    assert slices_of(world) == slices


@pytest.mark.parametrize("how", ["middle", "space"])
def test_panning_moves_the_anatomy_with_the_pointer(world, qtbot, how):
    pv = world.view(2)
    grabbed = pv.ras_at(MIDDLE)
    to = MIDDLE + QPointF(30, -20)
    if how == "space":
        qtbot.keyPress(pv, Qt.Key_Space)
        drag(pv, MIDDLE, MIDDLE + QPointF(5, 5), to)
        qtbot.keyRelease(pv, Qt.Key_Space)
    else:
        drag(pv, MIDDLE, MIDDLE + QPointF(5, 5), to, button=Qt.MiddleButton)
    assert np.allclose(pv.ras_at(to), grabbed)
    assert np.allclose(world.view(1).ras_at(to)[:2], grabbed[:2]), "pan is linked"
    crosshair = world.ws.views.crosshair_ras
    drag(pv, MIDDLE, MIDDLE + QPointF(9, 9))
    assert not np.array_equal(world.ws.views.crosshair_ras, crosshair), "space was let go"


def test_a_click_and_a_drag_move_the_crosshair_of_all_views(world):
    art = world.view(1)
    drag(art, QPointF(60, 60), QPointF(80, 90), QPointF(100, 100))
    expected = art.ras_at(QPointF(100, 100))
    assert np.allclose(world.ws.views.crosshair_ras, expected)
    nc, pv = world.view(0), world.view(2)
    for view in (nc, pv):
        pos = view.pos_of(expected)
        assert (pos.x(), pos.y()) == pytest.approx((100, 100))
    assert world.ws.views.active == 1


def test_right_drag_changes_the_grey_scale_and_linked_phases_follow(world):
    views = world.ws.views
    art = world.view(1)
    drag(art, MIDDLE, MIDDLE + QPointF(25, 0), button=Qt.RightButton)
    assert views.window("ART").width_hu == pytest.approx(350 * 1.1)
    assert views.window("ART").level_hu == 40
    assert views.window("PV") == views.window("ART")
    views.set_options(windows_linked=False)
    drag(art, MIDDLE, MIDDLE + QPointF(0, -50), button=Qt.RightButton)
    assert views.window("ART").level_hu < 0, "up is brighter"
    assert views.window("PV").level_hu == 40
    assert np.allclose(views.crosshair_ras, views.center_ras), "only the grey scale changes"


def test_right_drag_zooms_in_the_itk_snap_profile(world):
    world.ws.settings.update("mouse", profile="ITK-SNAP")
    window, zoom = world.ws.views.window("ART"), world.ws.views.mm_per_px
    drag(world.view(1), MIDDLE, MIDDLE - QPointF(0, 150), button=Qt.RightButton)
    assert world.ws.views.mm_per_px == pytest.approx(zoom / 2)
    assert world.ws.views.window("ART") == window
    drag(
        world.view(1), MIDDLE, MIDDLE + QPointF(25, 0),
        button=Qt.RightButton, modifiers=Qt.ControlModifier,
    )  # fmt: skip
    assert world.ws.views.window("ART") != window, "Ctrl+right is the grey scale in any profile"
    world.ws.settings.save()


def test_escape_gives_a_drag_up(world, qtbot):
    views, art = world.ws.views, world.view(1)
    press(art, MIDDLE, button=Qt.RightButton)
    move(art, MIDDLE + QPointF(60, 60), buttons=Qt.RightButton)
    assert views.window("ART") != Window(350.0, 40.0)
    qtbot.keyClick(art, Qt.Key_Escape)
    assert views.window("ART") == Window(350.0, 40.0)
    move(art, MIDDLE + QPointF(90, 60), buttons=Qt.RightButton)
    release(art, MIDDLE, button=Qt.RightButton)
    assert views.window("ART") == Window(350.0, 40.0)


def test_double_click_maximizes_and_brings_all_back(world):
    double_click(world.view(2), MIDDLE)
    assert world.ws.views.maximized == 2
    assert [view.isVisible() for view in world.grid.views] == [False, False, True, False]
    assert world.view(2).size() == world.grid.size()
    double_click(world.view(2), MIDDLE)
    assert world.ws.views.maximized is None
    assert all(view.isVisible() for view in world.grid.views)
    assert world.view(2).width() < world.grid.width()


def test_double_click_with_a_painting_tool_does_not_maximize(world):
    for tool in ("tool.brush", "tool.contour", "tool.fill"):
        world.ws.selection.set_tool(tool)
        double_click(world.view(2), MIDDLE)
        assert world.ws.views.maximized is None


def test_alt_drag_shifts_one_phase_as_one_edit(world):
    art, session = world.view(1), world.session
    grabbed = art.transform.grid.to_ijk(art.ras_at(MIDDLE))
    to = MIDDLE + QPointF(10, 6)
    press(art, MIDDLE, modifiers=Qt.AltModifier)
    move(art, MIDDLE + QPointF(4, 4), buttons=Qt.LeftButton, modifiers=Qt.AltModifier)
    move(art, to, buttons=Qt.LeftButton, modifiers=Qt.AltModifier)
    assert session.history.undo_name is None, "the preview is not an edit"
    previewed = art.transform.grid.to_ijk(art.ras_at(to))
    assert np.allclose(previewed, grabbed, atol=0.06), "the phase follows the pointer"
    release(art, to, modifiers=Qt.AltModifier)
    assert session.history.undo_name == "Shift ART"
    assert len(session.history.done) == 1
    shift_mm = session.annotations.get("shift", "ART")
    expected = world.ws.views.mm_per_px * np.array([-10.0, -6.0, 0.0])
    assert np.allclose(shift_mm, expected, atol=0.06)
    assert np.allclose(art.transform.grid.to_ijk(art.ras_at(to)), grabbed, atol=0.06)
    session.undo()
    assert not np.allclose(art.transform.grid.to_ijk(art.ras_at(to)), grabbed, atol=0.06)


def test_a_refused_shift_leaves_the_phase_where_it_was(world, qtbot):
    world.session.read_only_reason = "Anna has this case open"
    art = world.view(1)
    before = art.transform.grid
    with qtbot.waitSignal(world.grid.refused) as refused:
        drag(art, MIDDLE, MIDDLE + QPointF(20, 0), modifiers=Qt.AltModifier)
    assert refused.args == ["Anna has this case open"]
    assert art.transform.grid.matches(before)


def test_a_resting_pointer_is_over_another_point_when_the_view_moves(world):
    pv = world.view(2)
    move(pv, QPointF(70, 50))
    seen = []
    world.ws.views.hovered.connect(seen.append)
    pv.step(1)
    assert np.allclose(seen[-1], pv.ras_at(QPointF(70, 50)))
    world.ws.views.zoom(2.0, world.ws.views.crosshair_ras)
    assert np.allclose(seen[-1], pv.ras_at(QPointF(70, 50)))
    world.ws.views.set_crosshair((0.0, 0.0, 5000.0))
    assert seen[-1] is None, "there is no slice of the phase"
    QApplication.sendEvent(pv, QEvent(QEvent.Leave))
    seen.clear()
    pv.step(1)
    assert not seen


def test_hovering_tells_where_the_pointer_is(world):
    seen = []
    world.ws.views.hovered.connect(seen.append)
    pv = world.view(2)
    move(pv, QPointF(70, 50))
    assert np.allclose(seen[-1], pv.ras_at(QPointF(70, 50)))
    QApplication.sendEvent(pv, QEvent(QEvent.Leave))
    assert seen[-1] is None


def test_the_pointer_does_not_take_the_keys_from_somebody_typing(world, qtbot):
    line = QLineEdit(world.grid)
    line.show()
    qtbot.waitExposed(world.grid)
    world.grid.activateWindow()
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    QApplication.sendEvent(world.view(2), QEvent(QEvent.Enter))
    assert line.hasFocus()
    line.hide()
    QApplication.sendEvent(world.view(2), QEvent(QEvent.Enter))
    assert world.view(2).hasFocus()


def test_a_second_button_does_not_disturb_a_drag(world):
    views, art = world.ws.views, world.view(1)
    press(art, MIDDLE)
    mouse(
        art, QEvent.MouseButtonPress, MIDDLE, button=Qt.RightButton,
        buttons=Qt.LeftButton | Qt.RightButton,
    )  # fmt: skip
    move(art, MIDDLE + QPointF(40, 0), buttons=Qt.LeftButton | Qt.RightButton)
    release(art, MIDDLE, button=Qt.RightButton)
    move(art, MIDDLE + QPointF(50, 0), buttons=Qt.LeftButton)
    release(art, MIDDLE + QPointF(50, 0))
    assert views.window("ART") == Window(350.0, 40.0)
    assert np.allclose(views.crosshair_ras, art.ras_at(MIDDLE + QPointF(50, 0)))


def test_mouse_and_keys_in_a_view_without_an_image_do_nothing(world, qtbot):
    empty = world.view(3)
    crosshair, zoom = world.ws.views.crosshair_ras, world.ws.views.mm_per_px
    drag(empty, MIDDLE, MIDDLE + QPointF(20, 20))
    drag(empty, MIDDLE, MIDDLE + QPointF(20, 20), button=Qt.RightButton)
    wheel(empty, 120)
    wheel(empty, 120, modifiers=Qt.ControlModifier)
    move(empty, MIDDLE)
    qtbot.keyClick(empty, Qt.Key_Escape)
    assert np.array_equal(world.ws.views.crosshair_ras, crosshair)
    assert world.ws.views.mm_per_px == zoom
    assert world.ws.views.active == 3, "a click still makes it the active view"
