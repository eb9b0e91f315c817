"""Tools that show what they would do: between slices, growing, livewire, bending contours."""

import numpy as np
import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QCheckBox, QComboBox, QSpinBox

from labeler.ui.limits_popup import LimitsPopup
from tests.cases_on_disk import write_case
from tests.gui.view_world import double_click, drag, move, press, release

LIVER, LESION, OTHER = 1, 11, 12


@pytest.fixture
def opened(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    user.program.ws.selection.set_label(OTHER)
    return user


def array_of(user) -> np.ndarray:
    return user.session.masks["draft"].mask.array.copy()


def settle(user) -> None:
    tasks = user.program.ws.tasks
    user.wait(lambda: not tasks.is_pending_where(lambda k: isinstance(k, tuple) and k[0] == "edit"))
    QApplication.processEvents()
    user.wait(user.program.has_settled)


def go_to(user, label: int) -> np.ndarray:
    """Bring the middle of a label's largest region into the views."""
    regions = user.session.regions["draft"].regions.values()
    region = max((r for r in regions if r.label == label), key=lambda r: r.voxels)
    center = np.array(region.centroid_ras)
    user.program.ws.views.set_frame(crosshair_ras=center, center_ras=center, mm_per_px=0.2)
    return center


def pixels_like(user, view, colour: tuple[int, int, int]) -> int:
    """Pixels of a view with the colour of a contour."""
    image = view.grab().toImage()
    data = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    shown = data.reshape(image.height(), -1)[:, : 4 * image.width()].reshape(image.height(), -1, 4)
    return int((np.abs(shown[..., 2::-1].astype(int) - colour) < 12).all(axis=-1).sum())


# --- between slices


@pytest.fixture
def two_slices(opened):
    """The other label drawn on two axial slices, four slices apart, in the liver."""
    user, ws = opened, opened.program.ws
    center = go_to(user, LIVER)
    ws.views.set_options(active=2)
    user.key(Qt.Key_3)
    for step in (-2, 2):
        ws.views.set_crosshair(center + np.array((0.0, 0.0, 4.0 * step)))
        at = ws.views.crosshair_ras
        user.drag(user.view(2), [at, at + np.array((1.0, 0.0, 0.0))])
    ws.views.set_crosshair(center)
    return user


def slices_of(user, label: int) -> list[int]:
    return np.unique(np.nonzero(array_of(user) == label)[0]).tolist()


def test_slices_are_offered_and_taken_with_enter(two_slices):
    user, view = two_slices, two_slices.view(2)
    before = array_of(user)
    first, last = slices_of(user, OTHER)
    colour = user.session.labels[OTHER].rgb
    dark = pixels_like(user, view, colour)
    user.key(Qt.Key_I)
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)
    button = user.widget("button.preview.accept")
    assert button.isVisible()
    assert button.caption == "Fill 3 slices of ICC"
    assert pixels_like(user, view, colour) > dark + 20, "the dashed line is on the screen"
    user.key(Qt.Key_Return)
    assert slices_of(user, OTHER) == list(range(first, last + 1))
    assert user.session.history.undo_name == "Fill ICC between slices"
    assert not button.isVisible()
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_slices_are_taken_one_by_one(two_slices):
    user = two_slices
    first, last = slices_of(user, OTHER)
    user.key(Qt.Key_I)
    settle(user)
    user.key(Qt.Key_Return, Qt.ShiftModifier)
    assert slices_of(user, OTHER) == [first, first + 2, last], "the middle one was looked at"
    assert user.widget("button.preview.accept").caption == "Fill 2 slices of ICC"
    user.key(Qt.Key_Return, Qt.ShiftModifier)
    assert len(slices_of(user, OTHER)) == 4, "the view went on to the next offered slice"
    user.key(Qt.Key_Escape)
    assert len(slices_of(user, OTHER)) == 4
    assert not user.widget("button.preview.accept").isVisible()
    for _ in range(2):
        user.key(Qt.Key_Z, Qt.ControlModifier)
    assert slices_of(user, OTHER) == [first, last]


def test_a_stroke_takes_the_offer_away(two_slices):
    user = two_slices
    user.key(Qt.Key_I)
    settle(user)
    at = user.program.ws.views.crosshair_ras
    user.drag(user.view(2), [at, at + np.array((1.0, 0.0, 0.0))])
    assert not user.widget("button.preview.accept").isVisible()


def test_nothing_between_is_said(opened):
    with opened.qtbot.waitSignal(opened.program.views.refused) as refused:
        opened.key(Qt.Key_I)
        settle(opened)
    assert "not drawn" in refused.args[0]


# --- growing


def test_growing_shows_then_takes(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    center = go_to(user, LESION)
    user.key(Qt.Key_9)
    at = view.pos_of(center)
    press(view, at)
    move(view, at + QPointF(0, 30), buttons=Qt.LeftButton)  # narrower than what was suggested
    release(view, at + QPointF(0, 30))
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)
    accept = user.widget("button.preview.accept")
    narrow = accept.caption
    assert narrow.startswith("Take ")
    assert narrow.endswith(" HU")
    press(view, at)
    settle(user)
    assert accept.caption != narrow
    release(view, at)
    user.key(Qt.Key_Return)
    after = array_of(user)
    assert (after == OTHER).any()
    assert user.session.history.undo_name == "Grow region ICC"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_growing_takes_what_looks_alike_within_the_limits(opened):
    """The lesion is 11 HU brighter than what is around it."""
    user, view = opened, opened.view(2)
    before = array_of(user)
    center = go_to(user, LESION)
    user.key(Qt.Key_9)
    at = view.pos_of(center)
    drag(view, at, at + QPointF(6, 0))
    settle(user)
    size = user.widget("button.preview.accept").caption
    press(view, at + QPointF(20, 0), button=Qt.RightButton)
    release(view, at + QPointF(20, 0), button=Qt.RightButton)
    settle(user)
    assert user.widget("button.preview.accept").caption == size, "a seed in what is taken anyway"
    user.key(Qt.Key_Return)
    after = array_of(user)
    np.testing.assert_array_equal(
        after == OTHER, (before == LESION) & connected_to(user, center, before == LESION)
    )


def connected_to(user, ras, inside) -> np.ndarray:
    """The box of the phantom that holds a point."""
    i, j, k = user.session.masks["draft"].mask.grid.nearest_ijk(ras)
    index = user.session.regions["draft"]
    found = np.zeros_like(inside)
    for region in index.regions.values():
        box, crop = index.component_crop(region.id)
        whole = np.zeros_like(inside)
        whole[box.slices] = crop
        if whole[k, j, i]:
            found |= whole
    return found


def test_escape_or_another_tool_gives_growing_up(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    at = view.pos_of(go_to(user, LESION))
    for give_up in (Qt.Key_Escape, Qt.Key_1):
        user.key(Qt.Key_9)
        press(view, at)
        release(view, at)
        settle(user)
        assert user.widget("button.preview.accept").isVisible()
        user.key(give_up)
        assert not user.widget("button.preview.accept").isVisible()
    user.key(Qt.Key_Return)
    np.testing.assert_array_equal(array_of(user), before)


def test_growing_on_a_locked_label_is_refused(opened):
    user, view = opened, opened.view(2)
    user.program.ws.selection.set_locked("draft", OTHER, True)
    at = view.pos_of(go_to(user, LESION))
    user.key(Qt.Key_9)
    with user.qtbot.waitSignal(user.program.views.refused) as refused:
        press(view, at)
    release(view, at)
    assert refused.args == ["ICC is locked in draft (K frees it)"]


# --- scribbles


def test_scribbles_inside_and_outside_find_the_lesion(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    center = go_to(user, LESION)
    user.key(Qt.Key_G)
    at = view.pos_of(center)
    drag(view, at - QPointF(10, 0), at, at + QPointF(10, 0))
    around = [QPointF(x, y) * 80 for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
    drag(view, *(at + point for point in around), button=Qt.RightButton)
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)
    accept = user.widget("button.preview.accept")
    assert accept.caption.startswith("Take ")
    user.key(Qt.Key_Return)
    after = array_of(user)
    k = user.session.masks["draft"].mask.grid.nearest_ijk(center)[2]
    lesion = (before[k] == LESION) & connected_to(user, center, before == LESION)[k]
    found = after[k] == OTHER
    assert (found & lesion).sum() > 0.8 * lesion.sum()
    assert (found & ~lesion).sum() < 0.25 * lesion.sum()
    assert user.session.history.undo_name == "Draw ICC from scribbles"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_escape_takes_scribbles_away(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    at = view.pos_of(go_to(user, LESION))
    user.key(Qt.Key_G)
    drag(view, at, at + QPointF(60, 0), button=Qt.RightButton)
    cancel = user.widget("button.preview.cancel")
    assert cancel.isVisible()
    assert not user.widget("button.preview.accept").isVisible(), "nothing inside yet"
    user.key(Qt.Key_Escape)
    assert not cancel.isVisible()
    user.key(Qt.Key_Return)
    np.testing.assert_array_equal(array_of(user), before)


# --- livewire


def test_the_livewire_follows_the_edge(opened):
    """Four clicks near the corners of a lesion give its outline."""
    user, view = opened, opened.view(2)
    center = go_to(user, LESION)
    before = array_of(user)
    k = user.session.masks["draft"].mask.grid.nearest_ijk(center)[2]
    lesion = before[k] == LESION
    rows, columns = np.nonzero(lesion & connected_to(user, center, before == LESION)[k])
    grid = user.session.masks["draft"].mask.grid
    user.program.ws.views.set_window("PV", type(user.program.ws.views.window("PV"))(30.0, 115.0))
    user.key(Qt.Key_8)
    corners = [
        (columns.min() - 0.5, rows.min() - 0.5), (columns.max() + 0.5, rows.min() - 0.5),
        (columns.max() + 0.5, rows.max() + 0.5), (columns.min() - 0.5, rows.max() + 0.5),
    ]  # fmt: skip
    for i, j in corners:
        at = view.pos_of(grid.to_ras((i, j, k)))
        press(view, at)
        release(view, at)
        move(view, at + QPointF(3, 3))
    assert user.session.history.undo_name is None
    user.key(Qt.Key_Return, where="view2")
    after = array_of(user)[k] == OTHER
    drawn = np.zeros_like(after)
    drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert (after ^ drawn).sum() <= 2
    assert user.session.history.undo_name == "Draw contour ICC"


def test_backspace_takes_the_last_corner_of_the_wire_back(opened):
    user, view = opened, opened.view(2)
    center = go_to(user, LESION)
    user.key(Qt.Key_8)
    for dx, dy in ((-8, -8), (8, -8), (8, 8), (30, 30)):
        at = view.pos_of(center + np.array((dx, dy, 0.0)))
        press(view, at)
        release(view, at)
    user.key(Qt.Key_Backspace, where="view2")
    user.key(Qt.Key_Return, where="view2")
    k, j, i = np.nonzero(array_of(user) == OTHER)
    grid = user.session.masks["draft"].mask.grid
    away = np.abs(grid.to_ras(np.stack((i, j, k), axis=-1)) - center)
    assert away[:, :2].max() < 20


# --- bending


def test_a_handle_is_dragged_and_only_that_contour_changes(opened):
    user, view = opened, opened.view(2)
    center = go_to(user, LESION)
    before = array_of(user)
    user.key(Qt.Key_7)
    user.program.ws.selection.set_brush_mm(4.0)
    region = user.session.region("draft", find_region(user, center))
    grid = user.session.masks["draft"].mask.grid
    _, j0, i0 = region.box.lo_kji
    k = grid.nearest_ijk(center)[2]
    corner = view.pos_of(grid.to_ras((i0 - 0.5, j0 - 0.5, k)))
    inwards = view.pos_of(center)
    move(view, inwards)
    move(view, corner)
    drag(view, corner, corner + (inwards - corner) / 2, corner + (inwards - corner))
    after = array_of(user)
    changed = np.unique(np.nonzero(after != before)[0])
    assert changed.tolist() == [k]
    assert (after == LESION).sum() < (before == LESION).sum()
    assert user.session.history.undo_name == f"Change contour {name_of(user, LESION)}"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def find_region(user, ras) -> int:
    i, j, k = user.session.masks["draft"].mask.grid.nearest_ijk(ras)
    index = user.session.regions["draft"]
    for region in index.regions.values():
        box, crop = index.component_crop(region.id)
        at = np.array((k, j, i)) - box.lo_kji
        if (at >= 0).all() and (at < crop.shape).all() and crop[tuple(at)]:
            return region.id
    raise AssertionError("no region there")


def name_of(user, label: int) -> str:
    return user.session.labels[label].name


def test_a_handle_is_taken_away_and_the_contour_smoothed(opened):
    user, view = opened, opened.view(2)
    center = go_to(user, LESION)
    region = user.session.region("draft", find_region(user, center))
    grid = user.session.masks["draft"].mask.grid
    k = grid.nearest_ijk(center)[2]
    _, j0, i0 = region.box.lo_kji
    user.key(Qt.Key_7)
    before = array_of(user)
    corner = view.pos_of(grid.to_ras((i0 - 0.5, j0 - 0.5, k)))
    move(view, view.pos_of(center))
    move(view, corner)
    drag(view, corner, corner, button=Qt.RightButton)
    assert (array_of(user) == LESION).sum() < (before == LESION).sum(), "half of the box is gone"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    user.program.ws.selection.set_brush_mm(16.0)
    double_click(view, view.pos_of(center))
    after = array_of(user)
    assert (after != before).any()
    assert len(user.session.history.done) == 1
    np.testing.assert_array_equal(np.unique(np.nonzero(after != before)[0]), [k])


def test_a_pull_reaches_as_far_as_the_brush_is_large(opened):
    """With a large one the next corner comes along, and leaves the voxel that it enclosed."""
    user, view = opened, opened.view(2)
    center = go_to(user, LESION)
    region = user.session.region("draft", find_region(user, center))
    grid = user.session.masks["draft"].mask.grid
    k = grid.nearest_ijk(center)[2]
    (_, j0, i0), (_, _, i1) = region.box.lo_kji, region.box.hi_kji
    corner = view.pos_of(grid.to_ras((i0 - 0.5, j0 - 0.5, k)))
    outwards = corner + (corner - view.pos_of(center)) * 0.7
    user.key(Qt.Key_7)
    for brush_mm, stays in ((1.0, True), (40.0, False)):
        user.program.ws.selection.set_brush_mm(brush_mm)
        move(view, view.pos_of(center))
        drag(view, corner, outwards)
        assert bool(array_of(user)[k, j0, i1 - 1] == LESION) is stays
        user.key(Qt.Key_Z, Qt.ControlModifier)
        settle(user)


def test_looking_at_a_contour_changes_nothing(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    at = view.pos_of(go_to(user, LESION))
    user.key(Qt.Key_7)
    move(view, at)
    drag(view, at, at + QPointF(1, 0))
    QTest.keyClick(view, Qt.Key_Escape)
    np.testing.assert_array_equal(array_of(user), before)
    assert user.session.history.undo_name is None


# --- limits


def test_a_range_of_hu_is_shown_while_it_is_set(opened):
    user, view = opened, opened.view(2)
    before = array_of(user)
    go_to(user, LESION)
    user.program.ws.views.set_options(active=2)
    user.key(Qt.Key_3)
    colour = user.session.labels[OTHER].rgb
    move(view, QPointF(5, 5))  # there the circle of the brush is, before and after
    dark = pixels_like(user, view, colour)
    user.key(Qt.Key_O)
    popup = user.program.window.findChild(LimitsPopup)
    popup.findChild(QSpinBox, "highestHu").setValue(130)
    popup.findChild(QSpinBox, "lowestHu").setValue(115)
    assert pixels_like(user, view, colour) == dark, "no limit yet"
    QTest.keyClick(popup.findChild(QCheckBox, "onlyHu"), Qt.Key_Space)
    popup.findChild(QComboBox, "limitPhase").setCurrentText("PV")
    popup.findChild(QComboBox, "limitPhase").activated.emit(0)
    assert pixels_like(user, view, colour) > dark + 20
    assert not user.widget("button.preview.accept").isVisible(), "there is nothing to accept"
    QTest.keyClick(popup, Qt.Key_Escape)
    move(view, QPointF(5, 5))
    assert pixels_like(user, view, colour) == dark
    np.testing.assert_array_equal(array_of(user), before)
