"""Regions that go from mask to mask in the whole window: dragged, or by keys."""

from collections.abc import Iterator

import numpy as np
import pytest
from PyQt5.QtCore import QMimeData, QPoint, Qt, QTimer
from PyQt5.QtGui import QDrag, QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QComboBox, QWidget

from labeler.state.selection import RegionRef
from labeler.ui.region_drag import DropMark
from tests.cases_on_disk import SHAPE_IJK, affine, write_case, write_image
from tests.gui.view_world import move, press
from tests.scenarios.conftest import User

LIVER, LESION, CYST = 1, 11, 16

#: The second mask has the grid of another phase, 3 mm higher and of one slice more.
READER_SHAPE_IJK = (*SHAPE_IJK[:2], 17)


@pytest.fixture
def opened(user, tmp_path) -> User:
    write_case(tmp_path, "LV-1")
    array = np.zeros(READER_SHAPE_IJK, np.uint8)
    array[28:38, 4:30, 1:9] = LIVER
    array[14:18, 26:30, 2:4] = CYST
    write_image(tmp_path / "masks" / "LV-1" / "reader.nii.gz", array, affine(3.0))
    user.open(tmp_path)
    user.click_case("LV-1")
    return user


def arrays(user) -> dict[str, np.ndarray]:
    return {name: entry.mask.array.copy() for name, entry in user.session.masks.items()}


def assert_same(user, before: dict[str, np.ndarray]) -> None:
    for name, array in arrays(user).items():
        np.testing.assert_array_equal(array, before[name])


def settle(user) -> None:
    tasks = user.program.ws.tasks
    user.wait(lambda: not tasks.is_pending_where(lambda key: key[0] in ("edit", "regions")))


def refs(user, mask: str, label: int) -> list[RegionRef]:
    """Regions of a label in the order of the list."""
    session = user.session
    listed = [ref for ref in user.program.regions.table.refs() if ref.mask == mask]
    return [ref for ref in listed if session.region(mask, ref.region_id).label == label]


def row_place(user, ref: RegionRef) -> QPoint:
    regions = user.program.regions
    return regions.view.visualRect(regions.table.index_of(ref)).center()


def heading_place(user, mask: str) -> QPoint:
    regions = user.program.regions
    names = [group.mask for group in regions.table.groups]
    return regions.view.visualRect(regions.table.index(names.index(mask), 0)).center()


class Carrier:
    """Stands in for what the window system does between the start of a drag and its end."""

    def __init__(self, monkeypatch) -> None:
        self.journeys: Iterator[tuple[QWidget, QPoint, Qt.KeyboardModifiers]] = iter(())
        self.shown: list[str] = []
        self.accepted: list[bool] = []
        self.actions: list[int] = []
        self.drops = True
        monkeypatch.setattr(QDrag, "exec_", lambda drag, *_: self._carry(drag.mimeData()))

    def _carry(self, data: QMimeData) -> int:
        widget, place, keys = next(self.journeys)
        actions = Qt.CopyAction | Qt.MoveAction
        enter = QDragEnterEvent(place, actions, data, Qt.LeftButton, keys)
        QApplication.sendEvent(widget, enter)
        assert enter.isAccepted()
        over = QDragMoveEvent(place, actions, data, Qt.LeftButton, keys)
        QApplication.sendEvent(widget, over)
        self.accepted.append(over.isAccepted())
        marks = widget.findChildren(DropMark, "dropMark")
        self.shown.append(next((mark.text for mark in marks if mark.isVisible()), ""))
        if not (self.drops and over.isAccepted()):
            QApplication.sendEvent(widget, QDragLeaveEvent())
            return int(Qt.IgnoreAction)
        drop = QDropEvent(place, actions, data, Qt.LeftButton, keys)
        QApplication.sendEvent(widget, drop)
        self.actions.append(int(drop.dropAction()))
        return int(drop.dropAction())


@pytest.fixture
def carrier(monkeypatch) -> Carrier:
    return Carrier(monkeypatch)


def drag_row(user, carrier: Carrier, ref: RegionRef, widget, place, keys=Qt.NoModifier) -> str:
    """Press on a row, pull it away and let it go somewhere; returns what was shown there."""
    viewport = user.program.regions.view.viewport()
    carrier.journeys = iter([(widget, place, keys)])
    start = row_place(user, ref)
    press(viewport, start)
    for step in (4, 15):  # the drag begins with the second; whoever carries it gets the release
        move(viewport, start + QPoint(0, step), buttons=Qt.LeftButton)
    settle(user)
    return carrier.shown[-1]


def test_a_row_dragged_to_another_mask_moves_the_region_there(opened, carrier):
    user = opened
    view = user.program.regions.view
    before, crosshair = arrays(user), user.program.ws.views.crosshair_ras.copy()
    ref = refs(user, "draft", LESION)[0]
    shown = drag_row(user, carrier, ref, view.viewport(), heading_place(user, "reader"))
    after = arrays(user)
    assert shown.startswith("Move HCC to reader  (Ctrl copies)")
    assert carrier.actions == [int(Qt.MoveAction)]
    assert user.session.history.undo_name == "Move HCC to reader"
    gone = (before["draft"] == LESION) & (after["draft"] != LESION)
    assert gone.sum() in (4 * 6 * 3, 7 * 8 * 5)
    assert (after["reader"] == LESION).any()
    (arrived,) = refs(user, "reader", LESION)
    assert user.program.ws.selection.region == arrived
    assert view.currentIndex().siblingAtColumn(0) == user.program.regions.table.index_of(arrived)
    np.testing.assert_array_equal(user.program.ws.views.crosshair_ras, crosshair)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert_same(user, before)
    user.key(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    assert_same(user, after)


def test_with_ctrl_on_a_row_of_another_label_it_is_copied_as_that(opened, carrier):
    user = opened
    view = user.program.regions.view
    before = arrays(user)
    ref, cyst = refs(user, "draft", LESION)[0], refs(user, "reader", CYST)[0]
    place = row_place(user, cyst)
    shown = drag_row(user, carrier, ref, view.viewport(), place, Qt.ControlModifier)
    assert shown.startswith(f"Copy HCC to reader as {user.session.labels[CYST].name}")
    assert carrier.actions == [int(Qt.CopyAction)]
    after = arrays(user)
    np.testing.assert_array_equal(after["draft"], before["draft"])
    assert (after["reader"] == CYST).sum() > (before["reader"] == CYST).sum()
    assert len(refs(user, "reader", CYST)) == 2


def test_several_rows_go_together(opened, carrier):
    user = opened
    viewport = user.program.regions.view.viewport()
    before = arrays(user)
    first, second = refs(user, "draft", LESION)
    QTest.mouseClick(viewport, Qt.LeftButton, Qt.NoModifier, row_place(user, first))
    QTest.mouseClick(viewport, Qt.LeftButton, Qt.ControlModifier, row_place(user, second))
    assert user.program.regions.selected_refs() == [first, second]
    shown = drag_row(user, carrier, first, viewport, heading_place(user, "reader"))
    assert shown.startswith("Move 2 HCC regions to reader")
    assert not (arrays(user)["draft"] == LESION).any()
    assert len(refs(user, "reader", LESION)) == 2
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert_same(user, before)


def test_ctrl_takes_a_row_out_of_the_selection_again(opened):
    user = opened
    viewport, selection = user.program.regions.view.viewport(), user.program.ws.selection
    first, second = refs(user, "draft", LESION)
    QTest.mouseClick(viewport, Qt.LeftButton, Qt.NoModifier, row_place(user, first))
    for expected in ([first, second], [first]):
        QTest.mouseClick(viewport, Qt.LeftButton, Qt.ControlModifier, row_place(user, second))
        assert user.program.regions.selected_refs() == expected
    assert selection.region == first
    user.key(Qt.Key_Delete)
    settle(user)
    assert refs(user, "draft", LESION) == [second]


def test_a_drag_shows_why_it_cannot_be_dropped(opened, carrier):
    user = opened
    view, selection = user.program.regions.view, user.program.ws.selection
    before = arrays(user)
    ref = refs(user, "draft", LESION)[0]
    there = heading_place(user, "reader")
    selection.set_locked("draft", LESION, True)
    shown = drag_row(user, carrier, ref, view.viewport(), there)
    assert shown == "HCC is locked in draft: it can be copied, not moved"
    assert carrier.accepted == [False]
    assert_same(user, before)
    shown = drag_row(user, carrier, ref, view.viewport(), there, Qt.ControlModifier)
    assert shown.startswith("Copy HCC to reader")
    assert (arrays(user)["reader"] == LESION).any()
    assert drag_row(user, carrier, ref, view.viewport(), heading_place(user, "draft")) == ""
    assert carrier.accepted[-1] is False, "its own mask"
    assert not view.viewport().findChild(DropMark).isVisible()


def test_a_drag_that_ends_nowhere_leaves_everything_as_it_was(opened, carrier):
    user = opened
    view = user.program.regions.view
    user.click_region(0)
    before, selected = arrays(user), user.program.ws.selection.region
    carrier.drops = False
    ref = refs(user, "draft", LESION)[1]
    drag_row(user, carrier, ref, view.viewport(), heading_place(user, "reader"))
    assert_same(user, before)
    assert user.program.ws.selection.region == selected
    shown = user.program.regions.table.ref(view.currentIndex())
    assert shown == selected, "the list shows what is selected"


def test_regions_are_dropped_on_masks_and_labels_of_the_mask_panel(opened, carrier):
    user = opened
    row = user.program.masks.row("reader")
    row.set_open(True)
    QApplication.processEvents()
    area = row.parentWidget()
    first, second = refs(user, "draft", LESION)
    on_name = row.mapTo(area, QPoint(row.width() // 2, 8))
    shown = drag_row(user, carrier, first, area, on_name)
    assert shown.startswith("Move HCC to reader  ")
    assert len(refs(user, "reader", LESION)) == 1
    labels = row.labels
    user.wait(lambda: labels.geometry().bottom() <= row.rect().bottom())  # HCC is new
    values = [label_row.label.value for label_row in labels.table.rows]
    rect = labels.visualRect(labels.table.index(values.index(CYST), 0))
    on_label = labels.viewport().mapTo(area, rect.center())
    shown = drag_row(user, carrier, second, area, on_label, Qt.ControlModifier)
    assert shown.startswith(f"Copy HCC to reader as {user.session.labels[CYST].name}")
    assert len(refs(user, "reader", CYST)) == 2


def test_what_is_dragged_from_elsewhere_is_turned_away(opened):
    viewport = opened.program.regions.view.viewport()
    data = QMimeData()
    data.setText("HCC")
    actions = Qt.CopyAction | Qt.MoveAction
    place = heading_place(opened, "reader")
    enter = QDragEnterEvent(place, actions, data, Qt.LeftButton, Qt.NoModifier)
    QApplication.sendEvent(viewport, enter)
    assert not enter.isAccepted()
    before = arrays(opened)
    QApplication.sendEvent(viewport, QDropEvent(place, actions, data, Qt.LeftButton, Qt.NoModifier))
    settle(opened)
    assert_same(opened, before)


@pytest.mark.parametrize(("key", "verb"), [(Qt.Key_C, "Copy"), (Qt.Key_M, "Move")])
def test_a_key_asks_where_to_and_enter_does_it(opened, answer_transfer, key, verb):
    user = opened
    before = arrays(user)
    user.click_region(0)
    ref = user.program.ws.selection.region
    label = user.session.region(ref.mask, ref.region_id).label
    name = user.session.labels[label].name
    answer_transfer(user, "")
    user.key(key)
    settle(user)
    assert user.session.history.undo_name == f"{verb} {name} to reader"
    assert user.program.ws.selection.region.mask == "reader"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    settle(user)
    assert_same(user, before)
    user.click_region(0)
    answer_transfer(user, "Cyst")
    user.key(key)
    settle(user)
    assert user.session.history.undo_name == f"{verb} {name} to reader as Cyst"
    user.click_region(1)
    answer_transfer(user, "")
    user.key(key)
    settle(user)
    assert user.session.history.undo_name.endswith("to reader as Cyst"), "it was remembered"


@pytest.fixture
def answer_transfer(qtbot):
    """Type the first letters of a label into the next question and press Enter."""

    def prepare(user, letters: str) -> None:
        def act() -> None:
            dialog = QApplication.activeModalWidget()
            if dialog is None:
                return
            timer.stop()
            assert dialog.objectName() == "transferDialog"
            box = dialog.findChild(QComboBox, "transferLabel")
            assert dialog.focusWidget() is box, "there is one other mask: straight to the label"
            QTest.keyClicks(box, letters)
            QTest.keyClick(box, Qt.Key_Return)

        timer = QTimer(user.program.window)
        timer.timeout.connect(act)
        timer.start(10)

    return prepare
