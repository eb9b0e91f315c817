"""The mask panel by mouse and keys."""

from dataclasses import replace

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QLabel, QLineEdit, QPushButton, QRadioButton, QToolButton

from labeler.core.edits import Edit
from labeler.core.mask import Box, Mask, Patch
from labeler.ui.label_picker import LabelPopup
from labeler.ui.label_rows import COUNT, EYE, LOCK, NAME
from labeler.ui.mask_panel import MaskPanel
from labeler.ui.thin_slider import ThinSlider
from tests.case_world import GRIDS, LESION, LIVER, count_regions, open_case, plain_order
from tests.gui.panel_kit import click, commands, ws

__all__ = ["commands", "ws"]


@pytest.fixture
def masks(qtbot, ws, commands, tmp_path) -> MaskPanel:
    """Panel over a case with the masks "draft" (liver, lesion) and "other" (empty)."""
    panel = MaskPanel(ws, commands)
    qtbot.addWidget(panel)
    panel.resize(320, 400)
    panel.show()
    open_case(ws, tmp_path)
    grid = GRIDS["PV"]
    empty = np.zeros(grid.shape_kji, np.uint8)
    ws.session.add_mask(Mask("other", empty, grid, plain_order(grid)), None)
    count_regions(ws, "draft")
    settle(qtbot, panel)
    return panel


def settle(qtbot, panel: MaskPanel) -> None:
    """Wait until the panel has followed the state."""
    qtbot.waitUntil(lambda: not panel._later.isActive())


def press(panel: MaskPanel, kind, name: str) -> None:
    widget = panel.findChild(kind, name)
    QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, widget.rect().center())


def test_masks_that_cannot_be_shown_are_named_where_they_would_be(qtbot, masks, ws):
    label = masks.findChild(QLabel, "refusedMasks")
    assert label.isHidden()
    ws.session.add_problem("mask:wrong", "wrong.nii.gz is refused: its grid is that of no phase.")
    ws.session.add_problem("mask:other", "other.nii.gz was not saved.")
    ws.session.add_problem("phase:PV", "PV.nii.gz is empty.")
    settle(qtbot, masks)
    assert label.text() == "wrong.nii.gz is refused: its grid is that of no phase."
    ws.session.begin(ws.session.case)
    settle(qtbot, masks)
    assert not label.isVisible()
    ws.session.add_problem("mask:draft", "draft.nii.gz is empty.")
    settle(qtbot, masks)
    assert label.isVisible(), "not: this case has no mask yet"


def open_labels(qtbot, panel: MaskPanel, mask: str):
    press(panel, QToolButton, f"open.{mask}")
    view = panel.row(mask).labels
    qtbot.waitUntil(view.isVisible)
    return view


def shown(view) -> list[tuple[str, str]]:
    return [(view.table.index(r, NAME).data(), view.table.index(r, COUNT).data())
            for r in range(view.table.rowCount())]  # fmt: skip


def test_the_radio_button_chooses_the_mask_that_is_edited(qtbot, masks, ws):
    assert masks.findChild(QRadioButton, "active.draft").isChecked()
    press(masks, QRadioButton, "active.other")
    assert ws.selection.mask == "other"
    settle(qtbot, masks)
    assert masks.findChild(QRadioButton, "active.other").isChecked()
    assert not masks.findChild(QRadioButton, "active.draft").isChecked()


def test_a_click_on_the_name_does_so_too(masks, ws):
    row = masks.row("other")
    QTest.mouseClick(row, Qt.LeftButton, Qt.NoModifier, QPoint(row.width() // 2, 8))
    assert ws.selection.mask == "other"


def test_the_eye_hides_a_mask_and_its_sliders(masks, ws):
    press(masks, QToolButton, "eye.draft")
    assert not ws.views.style("draft").visible
    assert not masks.findChild(ThinSlider, "fill_opacity.draft").isEnabled()
    assert ws.views.style("other").visible
    press(masks, QToolButton, "eye.draft")
    assert ws.views.style("draft").visible


def test_a_click_on_a_slider_jumps_there(masks, ws):
    slider = masks.findChild(ThinSlider, "fill_opacity.draft")
    QTest.mouseClick(slider, Qt.LeftButton, Qt.NoModifier, QPoint(slider.width() - 2, 8))
    assert ws.views.style("draft").fill_opacity == 1.0
    QTest.mouseClick(slider, Qt.LeftButton, Qt.NoModifier, QPoint(1, 8))
    assert ws.views.style("draft").fill_opacity == 0.0
    assert "0 %" in slider.toolTip()


def test_keys_move_a_slider_by_half_a_pixel(masks, ws):
    slider = masks.findChild(ThinSlider, "contour_width_px.draft")
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key_Right)
    assert ws.views.style("draft").contour_width_px == 2.5
    assert ws.views.style("other").contour_width_px == 2.0


def test_sliders_follow_keys_and_other_windows(masks, ws):
    ws.views.set_style("draft", replace(ws.views.style("draft"), fill_opacity=0.7))
    assert masks.findChild(ThinSlider, "fill_opacity.draft").value() == 70


def test_labels_show_colour_name_and_number_of_regions(qtbot, masks, ws):
    view = open_labels(qtbot, masks, "draft")
    assert shown(view) == [("Liver", "1"), ("HCC", "1")]
    ws.selection.set_label(20)
    settle(qtbot, masks)
    assert shown(view) == [("Liver", "1"), ("HCC", "1"), ("Label 20", "0")]


def test_a_click_on_a_label_makes_it_the_active_one(qtbot, masks, ws):
    press(masks, QRadioButton, "active.other")
    view = open_labels(qtbot, masks, "draft")
    click(view, view.table.index(1, NAME))
    assert (ws.selection.mask, ws.selection.label) == ("draft", LESION)


def test_a_label_that_is_not_in_the_mask_can_be_chosen(qtbot, masks, ws):
    press(masks, QToolButton, "button.mask.label")
    search = masks.findChild(LabelPopup).findChild(QLineEdit, "labelSearch")
    QTest.keyClicks(search, "31")
    QTest.keyClick(search, Qt.Key_Return)
    assert ws.selection.label == 31
    settle(qtbot, masks)
    assert ("Label 31", "0") in shown(masks.row("draft").labels)


def test_the_eye_of_a_label_hides_it_in_this_mask_only(qtbot, masks, ws):
    view = open_labels(qtbot, masks, "draft")
    click(view, view.table.index(0, EYE))
    assert ws.views.style("draft").hidden_labels == {LIVER}
    assert ws.views.style("other").hidden_labels == frozenset()
    click(view, view.table.index(0, EYE))
    assert ws.views.style("draft").hidden_labels == frozenset()


def test_the_lock_protects_a_label(qtbot, masks, ws):
    view = open_labels(qtbot, masks, "draft")
    click(view, view.table.index(0, LOCK))
    assert ws.selection.is_locked("draft", LIVER)
    settle(qtbot, masks)
    assert "1 label locked" in masks.row("draft")._name.toolTip()
    click(view, view.table.index(0, LOCK))
    assert not ws.selection.is_locked("draft", LIVER)


def test_an_edited_mask_says_so_until_it_is_undone(qtbot, masks, ws):
    box = Box((0, 0, 0), (1, 1, 2))
    patch = Patch.between("other", box, np.zeros((1, 1, 2), np.uint8), np.ones((1, 1, 2), np.uint8))
    ws.session.apply(Edit("Draw", (patch,)))
    settle(qtbot, masks)
    assert "Edited" in masks.row("other")._state.toolTip()
    assert masks.row("other")._state.isVisible()
    ws.session.undo()
    settle(qtbot, masks)
    assert not masks.row("other")._state.isVisible()


def test_a_problem_of_a_mask_stands_at_its_row(qtbot, masks, ws):
    ws.session.add_problem("mask:other", "other has a grid of its own.")
    settle(qtbot, masks)
    assert "grid of its own" in masks.row("other")._state.toolTip()


def test_rows_come_and_go_with_the_masks_and_stay_open(qtbot, masks, ws, tmp_path):
    open_labels(qtbot, masks, "draft")
    ws.session.remove_mask("other")
    with pytest.raises(KeyError):
        masks.row("other")
    ws.selection.reset()
    open_case(ws, tmp_path)
    assert masks.row("draft").is_open


def test_buttons_trigger_their_commands(qtbot, masks, commands):
    for name in ("mask.new", "mask.copy"):
        with qtbot.waitSignal(commands.action(name).triggered):
            press(masks, QToolButton, f"button.{name}")
    with qtbot.waitSignal(masks.add_requested):
        press(masks, QToolButton, "button.mask.add")


def test_a_narrow_panel_has_shorter_sliders(qtbot, masks):
    slider = masks.findChild(ThinSlider, "fill_opacity.draft")
    wide = slider.width()
    masks.resize(264, 400)
    qtbot.waitUntil(lambda: slider.width() < wide)


def test_without_a_mask_the_panel_offers_one(qtbot, ws, commands, tmp_path):
    panel = MaskPanel(ws, commands)
    qtbot.addWidget(panel)
    panel.show()
    assert "Open a case" in panel._empty.text
    open_case(ws, tmp_path, phases=("NC",))
    assert "no mask" in panel._empty.text
    with qtbot.waitSignal(commands.action("mask.new").triggered):
        press(panel, QPushButton, "empty.mask.new")
