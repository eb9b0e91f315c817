"""What the views show: pixels of phase and masks, texts, empty views, what is repainted."""

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PyQt5.QtGui import QColor

from labeler.core.edits import Edit
from labeler.core.geometry import Plane
from labeler.core.mask import Box, Patch
from labeler.state.selection import RegionRef
from labeler.state.view_state import MaskStyle, Window
from labeler.ui.view_header import ViewHeader
from labeler.workflows.edit_mask import undo
from labeler.workflows.region_acts import delete_region
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import GRIDS, LESION, LIVER, count_regions, make_volume, open_case, region_of
from tests.gui.view_world import double_click, make_world


@pytest.fixture
def world(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path)
    world.ws.views.set_options(crosshair_visible=False)
    for phase in ("NC", "ART", "PV"):
        world.ws.views.set_phase_window(phase, Window(400.0, 0.0))  # liver 100 HU -> 191
    yield world
    world.ws.tasks.shutdown()


def colour_at(view, ras) -> tuple[int, int, int]:
    """Colour of a picture of the view where a point is."""
    pos = view.pos_of(np.array(ras, dtype=float)).toPoint()
    colour = QColor(view.grab().toImage().pixel(pos))
    return colour.red(), colour.green(), colour.blue()


def hide_masks(world) -> None:
    world.ws.views.set_options(masks_visible=False)


class PaintCounter(QObject):
    """Counts the paint events of the views."""

    def __init__(self, views) -> None:
        super().__init__()
        self.names: list[str] = []
        for view in views:
            view.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Paint:
            self.names.append(watched.objectName())
        return False


def painted(world, qtbot, act) -> list[str]:
    """Names of the views that an act makes repaint; each at most once."""
    world.grid.repaint()
    settle(qtbot)
    counter = PaintCounter(world.grid.views)
    act()
    settle(qtbot)
    for view in world.grid.views:
        view.removeEventFilter(counter)
    return sorted(counter.names)


def settle(qtbot) -> None:
    """Let the event loop do what is queued."""
    done = []
    marker = QObject()
    marker.destroyed.connect(lambda: done.append(True))
    marker.deleteLater()
    qtbot.waitUntil(lambda: bool(done))


def test_the_same_anatomy_is_at_the_same_place_in_every_phase(world):
    hide_masks(world)
    for ras, grey in (((-20, 5, 0), 191), ((15, 3, 0), 153), ((50, -50, 0), 0)):
        for view in world.grid.views[:3]:
            assert colour_at(view, ras) == pytest.approx((grey,) * 3, abs=2)


def test_screen_left_is_the_patients_right_and_up_is_anterior(world):
    hide_masks(world)
    view = world.view(2)
    right, left = view.pos_of(np.array([30.0, 0, 0])), view.pos_of(np.array([-30.0, 0, 0]))
    assert right.x() < left.x()
    assert view.pos_of(np.array([0, 30.0, 0])).y() < view.pos_of(np.array([0, -30.0, 0])).y()
    world.ws.views.set_pane(2, plane=Plane.CORONAL)
    assert view.pos_of(np.array([0, 0, 30.0])).y() < view.pos_of(np.array([0, 0, -30.0])).y()
    world.ws.views.set_pane(2, plane=Plane.SAGITTAL)
    anterior, posterior = view.pos_of(np.array([0, 30.0, 0])), view.pos_of(np.array([0, -30.0, 0]))
    assert anterior.x() < posterior.x()


def test_the_grey_scale_of_a_phase_is_used(world):
    hide_masks(world)
    world.ws.views.set_options(windows_linked=False)
    world.ws.views.set_window("PV", Window(100.0, 0.0))
    assert colour_at(world.view(2), (-20, 5, 0)) == (255, 255, 255)
    assert colour_at(world.view(1), (-20, 5, 0))[0] == pytest.approx(191, abs=2)


def test_a_mask_is_drawn_over_phases_of_other_grids(world):
    world.ws.views.set_style("draft", MaskStyle(fill_opacity=1.0, contour_width_px=0.0))
    for view in world.grid.views[:3]:
        assert colour_at(view, (-20, 5, 0)) == pytest.approx((60, 180, 75), abs=3)
        assert colour_at(view, (15, 3, 0)) == pytest.approx((255, 32, 32), abs=3)


def test_hidden_masks_and_labels_are_not_drawn(world):
    views, view = world.ws.views, world.view(1)
    views.set_style("draft", MaskStyle(fill_opacity=1.0, hidden_labels=frozenset({LIVER})))
    assert colour_at(view, (-20, 5, 0)) == pytest.approx((191,) * 3, abs=2)
    assert colour_at(view, (15, 3, 0))[0] > 250
    views.set_style("draft", MaskStyle(fill_opacity=1.0, visible=False))
    assert colour_at(view, (15, 3, 0)) == pytest.approx((153,) * 3, abs=2)
    views.set_style("draft", MaskStyle(fill_opacity=1.0))
    views.set_options(masks_visible=False)
    assert colour_at(view, (15, 3, 0)) == pytest.approx((153,) * 3, abs=2)


def test_a_mask_moves_with_the_phase_it_was_drawn_on(world):
    world.ws.views.set_style("draft", MaskStyle(fill_opacity=1.0, contour_width_px=0.0))
    shift_phase(world.ws, "PV", (0.0, 20.0, 0.0))
    inside = (-20, 50, 0)  # within the liver only since it has moved
    for view in (world.view(2), world.view(1)):
        assert colour_at(view, inside) == pytest.approx((60, 180, 75), abs=3)
    hide_masks(world)
    assert colour_at(world.view(2), inside)[0] == pytest.approx(191, abs=2)
    assert colour_at(world.view(1), inside)[0] < 5, "the other phases stay"
    undo(world.ws)
    assert colour_at(world.view(2), inside)[0] < 5


def test_the_selected_region_has_a_bright_outline_and_its_figures(world):
    world.ws.views.set_style("draft", MaskStyle(fill_opacity=0.0, contour_width_px=1.0))
    edge = (15, 9.4, 0)
    plain = colour_at(world.view(2), edge)
    world.ws.selection.select_region(region_of(world.ws, "draft", LESION))
    red, green, blue = colour_at(world.view(2), edge)
    assert red == 255
    assert green > 120
    assert blue > 120
    assert plain != (red, green, blue)
    delete_region(world.ws, region_of(world.ws, "draft", LESION))
    count_regions(world.ws, "draft")
    assert colour_at(world.view(2), edge) != (red, green, blue)


def says_something(view) -> bool:
    """Whether a sentence stands in the middle of a black view."""
    picture = view.grab().toImage()
    middle = range(picture.height() // 2 - 20, picture.height() // 2 + 20)
    columns = range(30, picture.width() - 30)
    return max(QColor(picture.pixel(x, y)).lightness() for x in columns for y in middle) > 100


def test_a_missing_phase_is_a_labelled_empty_view(world):
    scene = world.view(3).scene
    assert scene.notice("DL").text == "No delayed phase in this case"
    assert says_something(world.view(3))
    assert world.view(3).findChild(ViewHeader).accessibleName() == "DL axial"


def test_a_phase_on_its_way_says_so_and_one_that_failed_says_why(world, tmp_path):
    world.session.begin(None)
    open_case(world.ws, tmp_path, phases=("NC", "PV"))
    scene = world.view(0).scene
    assert scene.notice("NC") is None
    case = world.session.case
    world.session.begin(case)
    assert scene.notice("NC").text == "Reading non-contrast …"
    assert scene.notice("NC").progress == 0.0
    world.grid.show_progress("NC", 0.4)
    assert scene.notice("NC").progress == 0.4
    world.session.add_problem("phase:PV", "PV.nii.gz is cut off after 3 of 9 MB.")
    assert scene.notice("PV").text == "PV.nii.gz is cut off after 3 of 9 MB."
    assert scene.notice("PV").is_problem
    world.session.add_volume("NC", make_volume(GRIDS["NC"], 100, 40))
    assert scene.notice("NC") is None
    world.grid.grab()


def test_a_point_outside_of_a_phase_is_said(world):
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 58.0]))
    assert world.view(1).transform.has_slice
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 200.0]))
    assert not world.view(1).transform.has_slice
    assert says_something(world.view(1))
    assert colour_at(world.view(1), (0, 40, 0)) == (0, 0, 0)
    world.view(1).step(-1)
    assert world.view(1).transform.slice_index == 23, "a wheel step comes back"


def test_an_open_window_without_a_case_says_what_to_do(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path, opened=False)
    assert not any(view.isVisible() for view in world.grid.views)
    assert says_something(world.grid)
    open_case(world.ws, tmp_path)
    assert all(view.isVisible() for view in world.grid.views)
    world.session.begin(None)
    assert not any(view.isVisible() for view in world.grid.views)


def test_the_header_tells_phase_plane_and_slice(world):
    header = world.view(1).findChild(ViewHeader)
    assert header.accessibleName() == "ART axial 12 / 24"
    world.ws.views.set_pane(1, plane=Plane.SAGITTAL)
    assert header.accessibleName().startswith("ART sagittal")


def test_phase_and_plane_are_chosen_in_the_header(world):
    view = world.view(1)
    header = view.findChild(ViewHeader)
    menu = header.make_menu()
    texts = [action.text() for action in menu.actions()]
    assert texts[:2] == ["NC  Non-contrast", "ART  Arterial"]
    assert "DL  Delayed (not in this case)" in texts
    assert "Coronal\tCtrl+2" in texts
    menu.actions()[texts.index("PV  Portal venous")].trigger()
    assert (view.phase, view.plane) == ("PV", Plane.AXIAL)
    menu = header.make_menu()
    menu.actions()[texts.index("Coronal\tCtrl+2")].trigger()
    assert (view.phase, view.plane) == ("PV", Plane.CORONAL)
    assert world.ws.views.active == 1
    assert not any("shift" in text for text in texts)
    menu.deleteLater()


def test_a_shift_can_be_taken_back_in_the_header(world):
    shift_phase(world.ws, "ART", (0.0, 4.0, 0.0))
    menu = world.view(1).findChild(ViewHeader).make_menu()
    menu.actions()[-1].trigger()
    assert menu.actions()[-1].text() == "Take back the shift of ART"
    assert world.session.annotations.entries("shift") == {}
    assert world.session.history.undo_name == "Shift ART"
    menu.deleteLater()


def test_the_slider_shows_the_slice_and_jumps(world, qtbot):
    slider = world.view(2)._slider
    assert {mark.colour for mark in slider.marks} == {"#3cb44b", "#ff2020"}
    y = round(slider.y_of(30))
    qtbot.mouseClick(slider, Qt.LeftButton, pos=QPoint(slider.width() // 2, y))
    assert world.view(2).transform.slice_index == slider.slice_at(y)
    world.ws.views.set_style("draft", MaskStyle(hidden_labels=frozenset({LIVER})))
    assert {mark.colour for mark in slider.marks} == {"#ff2020"}
    hide_masks(world)
    assert slider.marks == ()


def test_only_views_that_show_the_changed_box_repaint(world, qtbot):
    session = world.session
    pv = session.masks["draft"].mask

    def edit_at(z_mm):
        i, j, k = pv.grid.nearest_ijk((0, 0, z_mm))
        box = Box((k - 1, j, i), (k + 2, j + 4, i + 4))
        before = pv.array[box.slices]
        patch = Patch.between("draft", box, before, before ^ 1)
        return lambda: session.apply(Edit("Test", (patch,)))

    assert painted(world, qtbot, edit_at(2.0)) == ["view0", "view1", "view2"]
    assert painted(world, qtbot, edit_at(30.0)) == []
    world.ws.views.set_pane(1, plane=Plane.CORONAL)
    assert painted(world, qtbot, edit_at(30.0)) == ["view1"]


def test_many_requests_become_one_repaint(world, qtbot):
    def act():
        for step in range(10):
            world.ws.views.set_crosshair(np.array([step * 1.0, 0.0, step * 1.0]))
            world.ws.views.set_window("PV", Window(300.0 + step, 40.0))

    assert painted(world, qtbot, act) == ["view0", "view1", "view2", "view3"]


def test_a_maximized_view_is_alone_and_comes_up_to_date(world):
    double_click(world.view(2), QPointF(150, 110))
    world.ws.views.set_crosshair(np.array([0.0, 0.0, 20.0]))
    assert world.ws.views.view_size_px == (world.grid.width(), world.grid.height())
    double_click(world.view(2), QPointF(150, 110))
    art = world.view(1)
    crosshair_ras = world.ws.views.crosshair_ras
    assert crosshair_ras[2] == pytest.approx(20.0, abs=2.5)
    assert art.transform.slice_index == art.transform.grid.nearest_ijk(crosshair_ras)[2]
    assert world.ws.views.view_size_px == (art.width(), art.height())


def test_views_fill_the_widget_without_wasted_pixels(world):
    boxes = [view.geometry() for view in world.grid.views]
    assert boxes[0].topLeft() == QPoint(0, 0)
    assert boxes[3].bottomRight() == world.grid.rect().bottomRight()
    assert boxes[1].left() - boxes[0].right() <= 4
    assert len({(box.width(), box.height()) for box in boxes}) == 1


def test_undo_brings_an_edit_out_of_sight_into_view(world):
    ws = world.ws
    ws.selection.select_region(region_of(ws, "draft", LESION))
    delete_region(ws, region_of(ws, "draft", LESION))
    ws.views.set_frame(crosshair_ras=np.array([0, 0, -40.0]), center_ras=np.array([0, 0, -40.0]))
    undo(ws)
    assert np.allclose(ws.views.crosshair_ras, (15, 0, 0), atol=2.5)
    before = ws.views.crosshair_ras.copy()
    ws.views.set_frame(crosshair_ras=np.array([10.0, 3.0, 1.0]))
    ws.session.redo()
    assert np.allclose(ws.views.crosshair_ras, (10.0, 3.0, 1.0)), "it is in sight already"
    ws.views.set_frame(center_ras=np.array([400.0, 0.0, 0.0]))
    ws.session.undo()
    assert np.allclose(ws.views.center_ras, before, atol=2.5), "panned away is out of sight, too"
    ws.views.set_frame(crosshair_ras=np.array([0, 0, -40.0]))
    ws.session.redo()
    assert np.allclose(ws.views.crosshair_ras, (15, 0, 0), atol=2.5)


def test_a_closed_case_leaves_nothing_behind(world):
    world.ws.selection.select_region(RegionRef("draft", 1))
    world.session.begin(None)
    world.ws.selection.reset()
    assert world.view(2).transform is None
    world.grid.grab()
