"""Tool bar, status bar and the panel of the selected region."""

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt, QTime
from PyQt5.QtGui import QColor
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSpinBox,
)

from labeler.core.edits import Edit
from labeler.core.mask import Box, Patch
from labeler.state.perspective import PERSPECTIVES
from labeler.state.selection import EditLimits
from labeler.ui.commands import Commands
from labeler.ui.enhancement_plot import EnhancementPlot
from labeler.ui.label_picker import LabelPopup
from labeler.ui.limits_popup import LimitsPopup
from labeler.ui.region_panel import RegionPanel
from labeler.ui.status_bar import MESSAGE_MS, StatusBar
from labeler.ui.tool_button import ToolButton
from labeler.ui.tool_panel import MORE_TOOLS, TOOLS, ToolPanel
from tests.case_world import LESION, LIVER, count_regions, open_case, region_of
from tests.gui.panel_kit import choose, commands, open_menu, ws

__all__ = ["commands", "ws"]


@pytest.fixture
def tools(qtbot, ws, commands) -> ToolPanel:
    panel = ToolPanel(ws, commands)
    qtbot.addWidget(panel)
    panel.resize(1900, 40)
    panel.show()
    return panel


@pytest.fixture
def status(qtbot, ws) -> StatusBar:
    bar = StatusBar(ws)
    qtbot.addWidget(bar)
    bar.resize(1300, 26)
    bar.show()
    return bar


def button(panel: ToolPanel, command_id: str) -> ToolButton:
    return panel.findChild(ToolButton, f"button.{command_id}")


def text(bar: StatusBar, name: str) -> str:
    return bar.findChild(QLabel, name).text()


def edit(ws, name: str) -> Edit:
    box = Box((0, 0, 0), (1, 1, 2))
    before = ws.session.masks["draft"].mask.array[box.slices]
    return Edit(name, (Patch.between("draft", box, before, before ^ 3),))


# --- tool bar


def test_a_click_takes_the_tool_and_a_second_click_keeps_it(tools, ws, commands):
    for name in TOOLS:
        commands.bind(name, lambda checked, name=name: ws.selection.set_tool(name))
    for _ in range(2):
        QTest.mouseClick(button(tools, "tool.brush"), Qt.LeftButton)
        assert ws.selection.tool == "tool.brush"
        assert button(tools, "tool.brush").isChecked()
    assert not button(tools, "tool.navigate").isChecked()
    ws.selection.set_tool("tool.fill")  # by key
    assert button(tools, "tool.fill").isChecked()
    assert not button(tools, "tool.brush").isChecked()


def test_buttons_show_the_name_and_the_key(tools, commands):
    brush = button(tools, "tool.brush")
    assert (brush.caption, brush.hint) == ("Brush", "3")
    commands.set_keys({"tool.brush": "B"})
    assert brush.hint == "B"


def test_undo_says_what_it_will_undo(tools, ws, commands, tmp_path):
    open_case(ws, tmp_path)
    undo = button(tools, "edit.undo")
    assert not undo.isEnabled()
    assert undo.caption == "Undo"
    ws.session.apply(edit(ws, "Draw contour"))
    assert undo.caption == "Undo \u201cDraw contour\u201d"
    assert commands.action("edit.undo").text() == "Undo Draw contour"
    assert not button(tools, "edit.redo").isEnabled()
    ws.session.undo()
    assert not undo.isEnabled()
    assert "Draw contour" in commands.action("edit.redo").toolTip()
    ws.session.apply(edit(ws, "Accept the proposal of a model with a very long name"))
    assert len(undo.caption) < 40


def test_save_is_marked_while_something_is_unsaved(tools, ws, tmp_path):
    open_case(ws, tmp_path)
    save = button(tools, "file.save")
    assert not save.has_mark
    ws.session.apply(edit(ws, "Draw"))
    assert save.has_mark
    ws.session.undo()
    assert not save.has_mark


def test_brush_size_goes_both_ways(tools, ws):
    box = tools.findChild(QDoubleSpinBox, "brushSize")
    assert box.value() == 8.0
    QTest.keyClick(box, Qt.Key_Up)
    assert ws.selection.brush_mm == 9.0
    ws.selection.set_brush_mm(33.0)
    assert box.value() == 33.0
    box.setFocus()
    QTest.keyClick(box, Qt.Key_Return)
    assert not box.hasFocus(), "keys are the window's again"


def test_the_label_is_chosen_by_typing(qtbot, tools, ws):
    label = tools.findChild(ToolButton, "activeLabel")
    assert label.caption == "Liver"
    QTest.mouseClick(label, Qt.LeftButton)
    search = tools.findChild(LabelPopup).findChild(QLineEdit, "labelSearch")
    QTest.keyClicks(search, "hc")
    QTest.keyClick(search, Qt.Key_Return)
    assert ws.selection.label == LESION
    assert label.caption == "HCC"
    qtbot.waitUntil(lambda: tools.findChild(LabelPopup) is None)


def test_a_new_label_value_can_be_typed(tools, ws):
    QTest.mouseClick(tools.findChild(ToolButton, "activeLabel"), Qt.LeftButton)
    search = tools.findChild(LabelPopup).findChild(QLineEdit, "labelSearch")
    QTest.keyClicks(search, "42")
    QTest.keyClick(search, Qt.Key_Return)
    assert ws.selection.label == 42


def test_a_narrow_bar_gives_up_words_and_keeps_every_button(tools):
    assert not tools.is_compact
    tools.resize(640, 40)
    assert tools.is_compact
    shown = [b for b in tools.findChildren(ToolButton) if b.isVisible()]
    assert len(shown) == len(TOOLS) + len(PERSPECTIVES) + 6
    assert all(b.geometry().right() <= tools.width() for b in shown)
    assert all(b.toolTip() for b in shown)
    tools.resize(1900, 40)
    assert not tools.is_compact


def test_options_are_shown_for_the_tools_that_have_them(tools, ws, commands, tmp_path):
    open_case(ws, tmp_path)
    ws.session.apply(edit(ws, "Draw contour of a long name"))
    tools.resize(1366, 40)
    options = {name: button(tools, f"brush.{name}") for name in ("ball", "smart", "limits")}
    for tool, expected in {
        "tool.navigate": [],
        "tool.brush": ["ball", "smart", "limits"],
        "tool.contour": ["limits"],
    }.items():
        ws.selection.set_tool(tool)
        assert [name for name, option in options.items() if option.isVisible()] == expected
        every = [b for b in tools.findChildren(ToolButton) if b.isVisible()]
        places = [b.mapTo(tools, b.rect().topRight()).x() for b in every]
        assert max(places) <= tools.width(), "the bar fits a small screen"
        QTest.mouseClick(options["smart"], Qt.LeftButton) if options["smart"].isVisible() else None
    assert ws.selection.brush_is_smart


def test_limits_take_effect_at_once_and_the_button_names_them(tools, ws, tmp_path):
    open_case(ws, tmp_path)
    ws.selection.set_tool("tool.brush")
    limits = button(tools, "brush.limits")
    assert limits.caption == "No limits"
    QTest.mouseClick(limits, Qt.LeftButton)
    popup = tools.findChild(LimitsPopup)
    popup.findChild(QCheckBox, "onlyInside").setChecked(True)
    assert ws.selection.limits == EditLimits(inside=LIVER)
    label = popup.findChild(QComboBox, "insideLabel")
    label.setCurrentIndex(label.findData(LESION))
    label.activated.emit(label.currentIndex())
    assert limits.caption == "in HCC"
    assert limits.isChecked()
    popup.findChild(QCheckBox, "onlyHu").setChecked(True)
    popup.findChild(QSpinBox, "lowestHu").setValue(150)
    popup.findChild(QSpinBox, "highestHu").setValue(90)
    assert ws.selection.limits.hu[1:] == (90.0, 150.0)
    popup.findChild(QCheckBox, "onlyInside").setChecked(False)
    popup.findChild(QCheckBox, "onlyHu").setChecked(False)
    assert ws.selection.limits == EditLimits()
    assert not limits.isChecked()
    popup.close()


def test_a_tool_behind_more_is_named_on_the_button(tools, ws, commands):
    for name in (*TOOLS, *MORE_TOOLS):
        commands.bind(name, lambda checked, name=name: ws.selection.set_tool(name))
    more = tools.findChild(ToolButton, "moreTools")
    assert more.caption == "More"
    QTest.mouseClick(more, Qt.LeftButton)
    choose(open_menu(), "Split")
    assert ws.selection.tool == "tool.split"
    assert (more.caption, more.hint) == ("Split", "0")
    assert more.isChecked()
    ws.selection.set_tool("tool.brush")
    assert more.caption == "More"
    assert not more.isChecked()


# --- status bar


def test_saved_state_in_words(status, ws, tmp_path):
    assert text(status, "savedState") == ""
    open_case(ws, tmp_path)
    assert text(status, "savedState") == "No changes"
    ws.session.apply(edit(ws, "Draw"))
    assert text(status, "savedState") == "Edited"
    status.show_saving()
    assert text(status, "savedState").startswith("Saving")
    mask = ws.session.masks["draft"].mask
    ws.session.set_mask_saved("draft", None, mask.revision)
    status.show_saved(QTime(10, 42, 7))
    assert text(status, "savedState") == "Saved 10:42:07"
    ws.session.apply(edit(ws, "Draw again"))
    assert text(status, "savedState") == "Edited"
    status.show_saving()
    status.show_save_error("The disk is full.")
    assert text(status, "savedState") == "Edited"
    assert text(status, "statusMessage") == "The disk is full."


def test_the_cursor_is_shown_in_mm_and_in_all_phases(status, ws, tmp_path):
    open_case(ws, tmp_path)
    ws.views.hovered.emit(np.array([15.0, 0.0, 0.0]))
    assert text(status, "cursorPlace") == "15.0 R  0.0 A  0.0 S mm"
    assert text(status, "cursorValues") == "NC 40 \u00b7 ART 40 \u00b7 PV 40 HU"
    ws.views.hovered.emit(np.array([0.0, 0.0, 60.8]))
    # the voxels of PV end at 60 mm, those of ART at 60.5, those of NC at 61.2
    assert text(status, "cursorValues") == "NC \u22121,000 \u00b7 ART \u2013 \u00b7 PV \u2013 HU"
    ws.views.set_crosshair(np.array([0.0, 0.0, 0.0]))
    ws.views.hovered.emit(None)
    assert text(status, "cursorValues") == "NC 100 \u00b7 ART 100 \u00b7 PV 100 HU"


def test_messages_pass_and_errors_wait_for_a_click(status):
    message = status.findChild(QLabel, "statusMessage")
    status.show_message("This is the last case.")
    assert message._timer.isActive()
    assert message._timer.interval() == MESSAGE_MS
    message._timer.timeout.emit()
    assert message.text() == ""
    status.show_error("First fault.")
    status.show_error("Second fault.")
    assert message.sentence == "Second fault."
    assert "+1 more" in message.text()
    status.show_message("Why something is not done.")
    assert message.text() == "Why something is not done."
    message._timer.timeout.emit()
    assert message.sentence == "Second fault."
    QTest.mouseClick(message, Qt.LeftButton)
    assert message.text() == "First fault."
    status.show_message("passing")
    QTest.mouseClick(message, Qt.LeftButton)
    assert message.text() == "First fault."
    QTest.mouseClick(message, Qt.LeftButton)
    assert message.text() == ""


def test_a_case_without_masks_says_that_it_is_read_only(status, ws, tmp_path):
    open_case(ws, tmp_path)
    ws.session.begin(ws.session.case, None, "Nothing can be saved in masks.")
    assert text(status, "savedState") == "Read-only"


def test_a_save_that_failed_is_no_news_once_everything_is_saved(status, ws):
    message = status.findChild(QLabel, "statusMessage")
    status.show_error("Something else.")
    status.show_save_error("draft.nii.gz was not saved: the disk is full.")
    assert message.sentence == "draft.nii.gz was not saved: the disk is full."
    status.show_saved()
    assert message.text() == "Something else."
    status.show_save_error("draft.nii.gz was not saved: the disk is full.")
    ws.session.begin(None)
    assert message.text() == "Something else."


def test_a_long_message_is_shortened_and_whole_in_the_tooltip(qtbot, status):
    sentence = "A sentence that goes on and on. " * 20
    status.show_error(sentence)
    message = status.findChild(QLabel, "statusMessage")
    assert message.text().endswith("\u2026")
    assert sentence in message.toolTip()
    assert status.width() == 1300


def test_progress_comes_and_goes(status):
    bar = status.findChild(QProgressBar)
    status.show_progress("Loading LV-1", 0.25)
    assert bar.isVisible()
    assert bar.value() == bar.maximum() / 4
    status.show_progress("Counting")
    assert bar.maximum() == 0
    status.hide_progress()
    assert not bar.isVisible()


# --- region panel


@pytest.fixture
def region(qtbot, ws, commands, tmp_path) -> RegionPanel:
    panel = RegionPanel(ws, commands)
    qtbot.addWidget(panel)
    panel.resize(320, 220)
    panel.show()
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    return panel


def colours(widget, colour: str) -> int:
    """Number of pixels that have a colour, more or less."""
    image = widget.grab().toImage()
    wanted = np.array(QColor(colour).getRgb()[:3])
    pixels = np.array(
        [
            image.pixelColor(x, y).getRgb()[:3]
            for x in range(image.width())
            for y in range(image.height())
        ]
    )
    return int((np.abs(pixels - wanted).max(axis=1) < 30).sum())


def test_the_selected_region_is_named_and_put_into_words(region, ws):
    ws.selection.select_region(region_of(ws, "draft", LESION))
    assert region.header._title.text() == "HCC"
    assert region.header.note.endswith(" mm")
    wash_in, below = region.findings.splitlines()
    assert wash_in.startswith("No wash-in")
    assert below.startswith("Below the liver in ART by ")
    assert below.endswith(" and PV by 60 HU")


def test_the_curve_is_drawn_in_the_colour_of_the_label_over_the_liver(region, ws):
    plot = region.findChild(EnhancementPlot)
    ws.selection.select_region(region_of(ws, "draft", LESION))
    assert colours(plot, "#ff2020") > 100
    assert colours(plot, "#3cb44b") > 20
    ws.selection.select_region(region_of(ws, "draft", LIVER))
    assert colours(plot, "#ff2020") == 0
    assert colours(plot, "#3cb44b") > 100


def test_without_a_region_the_panel_says_what_to_do(qtbot, region, ws, commands):
    assert "Click one" in region._empty.text
    ws.selection.select_region(region_of(ws, "draft", LESION))
    ws.selection.select_region(None)
    assert region._stack.currentIndex() == 1
    with qtbot.waitSignal(commands.action("region.next").triggered):
        button = region._empty._button
        QTest.mouseClick(button, Qt.LeftButton, Qt.NoModifier, QPoint(5, 5))


# --- keys


def test_a_key_that_is_none_is_reported_and_the_standard_one_stays(qtbot):
    commands = Commands({"case.next": "NotAKey+Q", "region.next": "Ctrl+J", "case.flag": ""})
    assert commands.problems == ["keys.case.next = 'NotAKey+Q' is not a key and is ignored"]
    keys = {name: commands.action(name).shortcut().toString() for name in
            ("case.next", "region.next", "case.flag")}  # fmt: skip
    assert keys == {"case.next": "Ctrl+PgDown", "region.next": "Ctrl+J", "case.flag": ""}


def test_a_key_belongs_to_one_command_the_users_choice_first(qtbot):
    commands = Commands({"region.next": "T", "region.previous": "t"})
    assert commands.problems == ["keys.region.previous = 't' is the key of region.next"]
    keys = [commands.action(f"region.{name}").shortcut().toString()
            for name in ("next", "previous", "tick")]  # fmt: skip
    assert keys == ["T", "", ""]
