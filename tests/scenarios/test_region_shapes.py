"""Changing the shape of regions in the whole window: keys, dialogs, the context menu, a line."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QImage, QTextDocument
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QLabel,
    QMenu,
    QRadioButton,
)

from labeler.core.edits import Edit
from labeler.core.mask import Box, Patch
from labeler.workflows.region_acts import delete_region
from tests.cases_on_disk import write_case
from tests.gui.view_world import move, press, release


@pytest.fixture
def opened(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    return user


def array_of(user) -> np.ndarray:
    return user.session.masks["draft"].mask.array.copy()


def settle(user) -> None:
    tasks = user.program.ws.tasks
    busy = lambda key: isinstance(key, tuple) and key[0] in ("edit", "regions")  # noqa: E731
    user.wait(lambda: not tasks.is_pending_where(busy))
    user.wait(user.program.has_settled)


def question(user) -> QDialog | None:
    """The question that is asked now."""
    dialogs = user.program.window.findChildren(QDialog, "regionOperationDialog")
    return next((dialog for dialog in dialogs if dialog.isVisible()), None)


def type_amount(user, amount: float) -> None:
    field = question(user).findChild(QDoubleSpinBox, "operationAmount")
    field.selectAll()
    QTest.keyClicks(field, f"{amount:g}")


def answer(user, key: int = Qt.Key_Return, *, amount: float | None = None, scope: int = 0) -> str:
    """Fill in the question and press a key in it; returns its title."""
    dialog = question(user)
    title = dialog.windowTitle()
    if amount is not None:
        type_amount(user, amount)
    if scope:
        dialog.findChild(QRadioButton, f"operationScope{scope}").click()
    QTest.keyClick(dialog.focusWidget() or dialog, key)
    settle(user)
    assert question(user) is None
    return title


def effect(user) -> str:
    """What the question says would come of it, without colours."""
    document = QTextDocument()
    document.setHtml(question(user).findChild(QLabel, "operationEffect").text())
    return document.toPlainText()


def click_on(user, region_id: int) -> None:
    """Click the row of a region."""
    refs = list(user.program.regions.table.refs())
    user.click_region(next(n for n, ref in enumerate(refs) if ref.region_id == region_id))


def select(user, label: int) -> None:
    """Click the largest region of a label."""
    regions = user.session.regions["draft"].regions.values()
    click_on(user, max((r for r in regions if r.label == label), key=lambda r: r.voxels).id)


@pytest.mark.parametrize(
    ("key", "modifier", "title", "amount", "grows"),
    [
        (Qt.Key_Equal, Qt.NoModifier, "Grow", 4, 1),
        (Qt.Key_Minus, Qt.NoModifier, "Shrink", 4, -1),
        (Qt.Key_S, Qt.ShiftModifier, "Smooth", 4, 0),
        (Qt.Key_O, Qt.ShiftModifier, "Hollow", 4, -1),
    ],
)
def test_a_key_asks_how_much_and_changes_the_selected_region(
    opened, key, modifier, title, amount, grows
):
    user = opened
    select(user, 1)
    before = array_of(user)
    user.key(key, modifier)
    assert answer(user, amount=amount) == title
    after = array_of(user)
    assert (after != before).any()
    change = int((after == 1).sum()) - int((before == 1).sum())
    assert np.sign(change) == grows or (grows == 0 and abs(change) < 0.05 * (before == 1).sum())
    np.testing.assert_array_equal((after == 11) & (before == 11), before == 11)
    assert [edit.name for edit in user.session.history.done] == [f"{title} Liver"]
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_esc_changes_nothing(opened):
    before = array_of(opened)
    opened.key(Qt.Key_Equal)
    assert answer(opened, Qt.Key_Escape) == "Grow"
    np.testing.assert_array_equal(array_of(opened), before)
    assert opened.session.history.undo_name is None


def test_cleaning_up_a_label_and_filling_it(opened):
    user = opened
    select(user, 11)
    before = array_of(user)
    user.key(Qt.Key_K, Qt.ShiftModifier)
    answer(user)
    regions = list(user.session.regions["draft"].regions.values())
    assert [r.label for r in regions].count(11) == 1
    user.key(Qt.Key_R, Qt.ShiftModifier)
    answer(user, amount=100, scope=1)
    assert not array_of(user).any(), "all labels: everything is smaller than 100 ml"
    for _ in range(2):
        user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_the_context_menu_of_a_region_changes_its_shape(opened):
    user = opened
    regions = user.program.regions
    ref = next(iter(regions.table.refs()))
    rect = regions.view.visualRect(regions.table.index_of(ref))
    regions.view.customContextMenuRequested.emit(rect.center())
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    shape = next(action.menu() for action in menu.actions() if action.text() == "Shape")
    grow = next(action for action in shape.actions() if action.text() == "Grow…")
    # Not by a click: outside of an event loop Qt deletes a menu while it still handles the click.
    menu.close()
    grow.trigger()
    assert answer(user, amount=3) == "Grow"
    assert user.session.history.undo_name.startswith("Grow")


def test_a_line_drawn_across_splits_and_merging_joins_again(opened):
    user = opened
    select(user, 1)
    before = array_of(user)
    count = len(user.session.regions["draft"].regions)
    user.key(Qt.Key_0)
    region = user.session.region("draft", user.program.ws.selection.region.region_id)
    x, y, _ = region.centroid_ras
    z = user.program.ws.views.crosshair_ras[2]
    user.drag(user.view(2), [np.array((x + dx, y, z)) for dx in (-16, -8, 0, 8, 16)])
    settle(user)
    assert user.session.history.undo_name == "Split Liver along a line"
    regions = [r for r in user.session.regions["draft"].regions.values() if r.label == 1]
    assert len(regions) == 2
    assert len(user.session.regions["draft"].regions) == count + 1
    select(user, 1)
    user.key(Qt.Key_J)
    other = min(regions, key=lambda r: r.voxels)
    click_on(user, other.id)
    assert answer(user) == "Merge"
    assert user.session.history.undo_name == "Merge Liver with Liver"
    assert len(user.session.regions["draft"].regions) == count
    for _ in range(2):
        user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


def test_a_line_without_a_region_or_on_a_locked_one_is_refused(opened):
    user = opened
    user.program.ws.selection.select_region(None)
    user.key(Qt.Key_0)
    center = user.program.ws.views.crosshair_ras
    line = [center, center + np.array((10.0, 0.0, 0.0))]
    with user.qtbot.waitSignal(user.program.views.refused) as refused:
        user.drag(user.view(2), line)
    assert "Select the region to split" in refused.args[0]
    select(user, 1)
    user.program.ws.selection.set_locked("draft", 1, True)
    with user.qtbot.waitSignal(user.program.views.refused) as refused:
        user.drag(user.view(2), line)
    assert refused.args == ["Liver is locked in draft (K frees it)"]
    assert user.session.history.undo_name is None


def test_escape_gives_a_line_up(opened):
    user, view = opened, opened.view(2)
    select(user, 1)
    user.key(Qt.Key_0)
    before = array_of(user)
    center = user.program.ws.views.crosshair_ras
    places = [view.pos_of(center + np.array((dx, 0.0, 0.0))) for dx in (-20.0, 20.0)]
    press(view, places[0])
    move(view, places[1], buttons=Qt.LeftButton)
    user.key(Qt.Key_Escape, where="view2")
    release(view, places[1])
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)


def shown_effect(user):
    """The effect that the views show, and the array it is for."""
    offer = user.program.views.preview.offer
    return None if offer is None else offer.effect


def view_pixels(user, number: int = 2) -> np.ndarray:
    """Red, green and blue of a view as it is on the screen."""
    image = user.view(number).grab().toImage().convertToFormat(QImage.Format_RGB32)
    data = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    return data.reshape(image.height(), image.width(), 4)[..., 2::-1].astype(int)


def test_what_would_come_of_it_is_shown_and_follows_the_amount(opened):
    user = opened
    select(user, 11)
    before, plain = array_of(user), view_pixels(user)
    user.key(Qt.Key_Equal)
    user.wait(lambda: shown_effect(user) is not None)
    small = shown_effect(user)
    assert (small.added > 0, small.removed) == (True, 0)
    type_amount(user, 8)
    user.wait(lambda: shown_effect(user) is not small)
    settle(user)
    large = shown_effect(user)
    assert large.added > small.added
    voxel_ml = user.session.masks["draft"].mask.grid.voxel_ml
    assert effect(user).startswith(f"+{large.added * voxel_ml:.3g} ml")
    assert "1 region changes" in effect(user)
    np.testing.assert_array_equal(array_of(user), before)  # it is only shown
    now = view_pixels(user)
    greener = (now[..., 1] - now[..., 0]) - (plain[..., 1] - plain[..., 0]) > 30
    assert greener.sum() > 200, "what is added is green in the view"
    answer(user)
    after = array_of(user)
    assert (after != before).sum() == large.added
    assert shown_effect(user) is None
    assert [edit.name for edit in user.session.history.done] == ["Grow HCC"]


def test_esc_takes_the_preview_away(opened):
    user = opened
    select(user, 1)
    before = array_of(user)
    user.key(Qt.Key_Minus)
    user.wait(lambda: shown_effect(user) is not None)
    assert shown_effect(user).removed > 0
    answer(user, Qt.Key_Escape)
    assert shown_effect(user) is None
    np.testing.assert_array_equal(array_of(user), before)


@pytest.mark.parametrize("key", [Qt.Key_Return, Qt.Key_Escape])
def test_the_keys_work_in_the_views_too(opened, key):
    user = opened
    select(user, 1)
    before = array_of(user)
    user.key(Qt.Key_Minus)
    user.wait(lambda: shown_effect(user) is not None)
    removed = shown_effect(user).removed
    user.key(key)
    settle(user)
    assert question(user) is None
    assert (array_of(user) != before).sum() == (removed if key == Qt.Key_Return else 0)


def test_enter_before_it_is_worked_out_does_it_all_the_same(opened):
    user = opened
    select(user, 1)
    before = array_of(user)
    user.key(Qt.Key_Minus)
    dialog = question(user)
    QTest.keyClick(dialog.focusWidget(), Qt.Key_Return)
    assert question(user) is None
    settle(user)
    assert (array_of(user) != before).any()
    assert user.session.history.undo_name == "Shrink Liver"


def test_the_question_follows_the_selected_region_and_edits(opened):
    user = opened
    select(user, 1)
    user.key(Qt.Key_Equal)
    user.wait(lambda: shown_effect(user) is not None)
    of_liver = shown_effect(user)
    select(user, 11)
    user.wait(lambda: shown_effect(user) not in (None, of_liver))
    assert (
        question(user)
        .findChild(QRadioButton, "operationScope0")
        .text()
        .startswith("This region: HCC")
    )
    of_lesion = shown_effect(user)
    ref = user.program.ws.selection.region
    delete_region(user.program.ws, ref)
    settle(user)
    assert question(user) is not None
    user.wait(lambda: shown_effect(user) not in (None, of_lesion))
    answer(user)
    assert user.session.history.undo_name.startswith("Grow")


def test_nothing_to_do_is_said_in_the_question(opened):
    user = opened
    select(user, 1)
    user.key(Qt.Key_F, Qt.ShiftModifier)
    settle(user)
    assert effect(user) == "Fill holes of Liver: nothing would change"
    assert not question(user).ok.isEnabled()
    answer(user, Qt.Key_Escape)
    select(user, 1)
    user.program.ws.selection.set_locked("draft", 1, True)
    user.key(Qt.Key_Equal)
    assert effect(user) == "Liver is locked in draft (K frees it)"
    answer(user, Qt.Key_Escape)
    assert user.session.history.undo_name is None


def test_what_cannot_be_done_yet_is_worked_out_when_it_can(opened):
    user, session = opened, opened.session
    select(user, 1)
    session.busy_with = "a large edit"
    user.key(Qt.Key_Equal)
    assert "a large edit is still being done" in effect(user)
    session.busy_with = None
    session.set_regions("draft", session.regions["draft"])
    user.wait(lambda: shown_effect(user) is not None)
    answer(user)
    assert session.history.undo_name == "Grow Liver"


def test_another_case_ends_the_question(opened, tmp_path):
    user = opened
    select(user, 1)
    user.key(Qt.Key_Equal)
    user.wait(lambda: shown_effect(user) is not None)
    user.session.begin(None)
    assert question(user) is None
    assert shown_effect(user) is None


def put(user, array: np.ndarray) -> None:
    """Give the mask another content, as one edit, and wait until its regions are counted."""
    mask = user.session.masks["draft"].mask
    box = Box.whole(array.shape)
    user.session.apply(Edit("Draw", (Patch.between("draft", box, mask.array, array),)))
    settle(user)


def test_fill_holes_by_key_in_space_and_on_slices(opened):
    user = opened
    solid = np.zeros_like(array_of(user))
    solid[3:12, 5:25, 5:25] = 1
    holed = solid.copy()
    holed[6:9, 10:15, 10:15] = 0  # closed on all sides
    holed[3:12, 18:20, 18:20] = 0  # a channel along k: a hole on axial slices only
    put(user, holed)
    select(user, 1)
    user.key(Qt.Key_F, Qt.ShiftModifier)
    user.wait(lambda: shown_effect(user) is not None)
    assert shown_effect(user).added == 3 * 5 * 5
    manner = question(user).findChild(QComboBox, "operationManner")
    QTest.keyClick(manner, Qt.Key_Down)
    user.wait(lambda: shown_effect(user) is not None and shown_effect(user).added != 75)
    settle(user)
    assert shown_effect(user).added == 3 * 5 * 5 + 9 * 2 * 2
    QTest.keyClick(manner, Qt.Key_Up)
    settle(user)
    answer(user)
    filled = holed.copy()
    filled[6:9, 10:15, 10:15] = 1
    np.testing.assert_array_equal(array_of(user), filled)
    assert user.session.history.undo_name == "Fill holes of Liver"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), holed)


def test_split_at_necks_by_key(opened):
    user = opened
    k, j, i = np.indices(array_of(user).shape)
    body = lambda at: ((k - 8) * 2) ** 2 + (j - 18) ** 2 + (i - at) ** 2 <= 8**2  # noqa: E731
    dumbbell = body(10) | body(30)
    dumbbell[8, 17:20, 10:30] = True
    put(user, dumbbell.astype(np.uint8))
    select(user, 1)
    user.key(Qt.Key_W, Qt.ShiftModifier)
    type_amount(user, 50)
    settle(user)
    assert "no such neck" in effect(user)
    assert shown_effect(user) is None
    type_amount(user, 4)
    user.wait(lambda: shown_effect(user) is not None)
    assert "1 new region" in effect(user)
    removed = shown_effect(user).removed
    answer(user)
    assert user.session.history.undo_name == "Split Liver at necks"
    assert (array_of(user) == 1).sum() == dumbbell.sum() - removed
    sizes = [r.voxels for r in user.session.regions["draft"].regions.values()]
    assert len(sizes) == 2
    assert min(sizes) > 0.4 * max(sizes)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), dumbbell)


def test_split_at_necks_needs_a_region(opened):
    user = opened
    user.program.ws.selection.select_region(None)
    user.key(Qt.Key_W, Qt.ShiftModifier)
    assert question(user) is None
