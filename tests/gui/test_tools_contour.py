"""Drawing and erasing closed outlines, and filling, with the mouse in a view."""

import itertools

import numpy as np
import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor

from labeler.core.geometry import Plane
from labeler.state.view_state import Window
from labeler.workflows.edit_mask import undo
from tests.case_world import LESION, LIVER
from tests.gui.view_world import double_click, drag, make_world, move, press, release, wheel

#: A square around the middle of a view of 320 x 240 at 0.5 mm per pixel: 30 x 30 mm.
SQUARE = [QPointF(130, 90), QPointF(190, 90), QPointF(190, 150), QPointF(130, 150)]


@pytest.fixture
def world(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path)
    world.ws.selection.set_tool("tool.contour")
    world.ws.selection.set_label(LESION)
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 1.25]))
    yield world
    world.ws.tasks.shutdown()


@pytest.fixture
def mask(world):
    return world.session.masks["draft"].mask


def click(view, pos, **how) -> None:
    press(view, pos, **how)
    release(view, pos, **how)


def freehand(view, corners, **how) -> None:
    """Drag along the sides of a polygon, in steps of a few pixels."""
    path = []
    for start, end in itertools.pairwise(corners):
        path += [start + (end - start) * (n / 10) for n in range(10)]
    drag(view, *path, corners[-1], **how)


def inside_square(mask, z_mm=1.25) -> np.ndarray:
    """Labels of the voxels well inside the square."""
    lo, hi = mask.grid.nearest_ijk((13, 13, z_mm)), mask.grid.nearest_ijk((-13, -13, z_mm))
    return mask.array[lo[2], lo[1] : hi[1] + 1, lo[0] : hi[0] + 1]


def test_press_drag_release_draws_a_closed_contour(world, mask):
    before = mask.array.copy()
    freehand(world.view(2), SQUARE)
    assert (inside_square(mask) == LESION).all()
    changed = np.argwhere(mask.array != before)
    assert set(changed[:, 0]) == {mask.grid.nearest_ijk((0, 0, 1.25))[2]}
    assert len(changed) * 4.0 < 31 * 31
    assert world.session.history.undo_name == "Draw contour HCC"
    assert len(world.session.history.done) == 1


def test_right_drag_erases_the_active_label(world, mask):
    world.ws.selection.set_label(LIVER)
    freehand(world.view(2), SQUARE, button=Qt.RightButton)
    assert not (inside_square(mask) == LIVER).any()
    assert world.session.history.undo_name == "Erase contour Liver"
    assert world.ws.views.window("PV") == Window(350.0, 40.0), "right does not change the greys"


def test_the_erasing_contour_erases_with_the_left_button(world, mask):
    world.ws.selection.set_label(LIVER)
    world.ws.selection.set_tool("tool.contour_erase")
    freehand(world.view(2), SQUARE)
    assert not (inside_square(mask) == LIVER).any()


def test_a_replacing_contour_takes_the_place_of_what_it_touches(world, mask):
    """The lesion, 20 mm wide, touches the square; what lies beyond it goes."""
    k = mask.grid.nearest_ijk((15.0, 0.0, 1.25))[2]
    before = mask.array.copy()
    world.ws.selection.set_contour_replaces(True)
    freehand(world.view(2), SQUARE)
    assert (inside_square(mask) == LESION).all()
    i, j, _ = mask.grid.nearest_ijk((22.0, 0.0, 1.25))
    assert before[k, j, i] == LESION
    assert mask.array[k, j, i] == 0
    assert world.session.history.undo_name == "Replace contour HCC"
    undo(world.ws)
    assert np.array_equal(mask.array, before)
    freehand(world.view(2), SQUARE, button=Qt.RightButton)
    assert world.session.history.undo_name == "Erase contour HCC", "erasing replaces nothing"


@pytest.mark.parametrize("how", ["double click", "enter", "start", "right click"])
def test_clicks_make_a_polygon(world, mask, qtbot, how):
    view = world.view(2)
    for corner in SQUARE[:3]:
        click(view, corner)
        assert world.session.history.undo_name is None
    if how == "double click":
        double_click(view, SQUARE[3])
    else:
        click(view, SQUARE[3])
    if how == "enter":
        qtbot.keyClick(view, Qt.Key_Return)
    elif how == "start":
        click(view, SQUARE[0] + QPointF(3, -2))
    elif how == "right click":
        click(view, QPointF(300, 200), button=Qt.RightButton)
    assert (inside_square(mask) == LESION).all()
    assert len(world.session.history.done) == 1
    click(view, SQUARE[0])
    assert len(world.session.history.done) == 1, "the next click begins a new outline"


def test_escape_gives_an_outline_up_and_backspace_its_last_corner(world, mask, qtbot):
    view = world.view(2)
    before = mask.array.copy()
    for corner in SQUARE:
        click(view, corner)
    qtbot.keyClick(view, Qt.Key_Escape)
    qtbot.keyClick(view, Qt.Key_Return)
    assert np.array_equal(mask.array, before)
    for corner in (*SQUARE, QPointF(160, 230)):
        click(view, corner)
    qtbot.keyClick(view, Qt.Key_Backspace)
    qtbot.keyClick(view, Qt.Key_Return)
    assert (inside_square(mask) == LESION).all()
    below = mask.grid.nearest_ijk((0, -35, 1.25))
    assert mask.array[below[2], below[1], below[0]] != LESION
    click(view, SQUARE[0])
    qtbot.keyClick(view, Qt.Key_Backspace)
    qtbot.keyClick(view, Qt.Key_Return)
    assert len(world.session.history.done) == 1


def test_a_corner_may_be_dragged_freehand_within_a_polygon(world, mask, qtbot):
    view = world.view(2)
    click(view, SQUARE[0])
    freehand(view, SQUARE[1:3])
    click(view, SQUARE[3])
    assert world.session.history.undo_name is None
    qtbot.keyClick(view, Qt.Key_Backspace)
    qtbot.keyClick(view, Qt.Key_Backspace)
    freehand(view, SQUARE[1:])
    qtbot.keyClick(view, Qt.Key_Enter)
    assert (inside_square(mask) == LESION).all()


def test_too_few_corners_draw_nothing(world, mask):
    before = mask.array.copy()
    double_click(world.view(2), SQUARE[0])
    click(world.view(2), SQUARE[0])
    double_click(world.view(2), SQUARE[2])
    assert np.array_equal(mask.array, before)


def test_the_outline_is_drawn_on_the_masks_grid_from_a_phase_of_another(world, mask):
    before = mask.array.copy()
    freehand(world.view(1), SQUARE)
    z_mm = world.ws.views.crosshair_ras[2]
    changed = np.argwhere(mask.array != before)
    art_z = world.view(1).transform.grid.to_ras((0, 0, world.view(1).transform.slice_index))[2]
    assert {int(k) for k in changed[:, 0]} == {mask.grid.nearest_ijk((0, 0, art_z))[2]}
    assert len(changed) > 100
    assert abs(art_z - z_mm) < 2.6


def test_an_outline_in_a_coronal_view(world, mask):
    world.ws.views.set_pane(2, plane=Plane.CORONAL)
    before = mask.array.copy()
    freehand(world.view(2), SQUARE)
    changed = np.argwhere(mask.array != before)
    assert len(set(changed[:, 1])) == 1
    assert np.ptp(changed[:, 0]) == pytest.approx(30 / 2.5, abs=1.5)


def test_the_outline_stays_on_its_anatomy_when_the_view_zooms(world, mask, qtbot):
    view = world.view(2)
    for corner in SQUARE[:3]:
        click(view, corner)
    last = view.ras_at(SQUARE[3])
    wheel(view, 240, pos=QPointF(20, 20), modifiers=Qt.ControlModifier)
    click(view, view.pos_of(last))
    qtbot.keyClick(view, Qt.Key_Return)
    assert (inside_square(mask) == LESION).all()


def test_slices_do_not_change_under_an_open_outline(world, qtbot):
    view = world.view(2)
    click(view, SQUARE[0])
    before = view.transform.slice_index
    with qtbot.waitSignal(world.grid.refused) as refused:
        wheel(view, 120)
    assert "Enter" in refused.args[0]
    assert view.transform.slice_index == before
    qtbot.keyClick(view, Qt.Key_Escape)
    wheel(view, 120)
    assert view.transform.slice_index == before + 1


def test_the_preview_is_seen_on_its_slice_only(world):
    view = world.view(2)
    world.ws.views.set_options(crosshair_visible=False, masks_visible=True)
    for corner in SQUARE[:3]:
        click(view, corner)

    def is_drawn() -> bool:
        picture = view.grab().toImage()
        colour = QColor(picture.pixel(160, 90))
        return colour.red() > 180 and colour.green() < 90

    assert is_drawn()
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 21.25]))
    assert not is_drawn()
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 1.25]))
    assert is_drawn()


def test_another_tool_phase_or_case_gives_the_outline_up(world, mask, qtbot, tmp_path):
    view = world.view(2)
    before = mask.array.copy()
    acts = (
        lambda: world.ws.selection.set_tool("tool.brush"),
        lambda: world.ws.views.set_pane(2, phase="ART"),
        lambda: world.ws.views.set_pane(2, plane=Plane.SAGITTAL),
    )
    for act in acts:
        world.ws.selection.set_tool("tool.contour")
        for corner in SQUARE:
            click(view, corner)
        act()
        world.ws.selection.set_tool("tool.contour")
        qtbot.keyClick(view, Qt.Key_Return)
        assert np.array_equal(mask.array, before)


def test_without_a_mask_the_tool_refuses_before_anything_is_drawn(world, qtbot):
    world.ws.selection.set_mask(None)
    with qtbot.waitSignal(world.grid.refused) as refused:
        press(world.view(2), SQUARE[0])
    assert refused.args == ["Choose or create a mask first (Ctrl+N)"]
    move(world.view(2), SQUARE[1], buttons=Qt.LeftButton)
    with qtbot.assertNotEmitted(world.grid.refused):
        release(world.view(2), SQUARE[1])


def test_fill_and_empty_an_enclosed_area(world, mask, qtbot):
    world.ws.selection.set_tool("tool.fill")
    world.ws.selection.set_label(LIVER)
    view = world.view(2)
    lesion = view.pos_of(np.array([15.0, 0.0, 1.25]))
    click(view, lesion)
    assert world.session.history.undo_name == "Fill Liver"
    i, j, k = mask.grid.nearest_ijk((15.0, 0.0, 1.25))
    assert mask.array[k, j, i] == LIVER
    click(view, lesion, button=Qt.RightButton)
    assert mask.array[k, j, i] == 0
    with qtbot.waitSignal(world.grid.refused) as refused:
        click(view, view.pos_of(np.array([-55.0, 0.0, 1.25])))
    assert "not closed" in refused.args[0]
    world.ws.selection.set_label(LESION)
    undo(world.ws)
    double_click(view, lesion)
    assert len(world.session.history.done) == 2, "the second press of a double click is no edit"
