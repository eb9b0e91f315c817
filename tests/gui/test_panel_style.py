"""The look, and what every control must have."""

import re

import pytest
from PyQt5.QtCore import QPoint
from PyQt5.QtGui import QColor, QFontMetrics
from PyQt5.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

from labeler.storage.locations import bundled_folder
from labeler.ui import style
from labeler.ui.case_list import CaseList
from labeler.ui.choose_dialogs import LabelDialog, MaskDialog, MaskNameDialog, unsaved_question
from labeler.ui.columns_popup import ColumnsPopup
from labeler.ui.keys_dialog import KeysDialog
from labeler.ui.mask_panel import MaskPanel
from labeler.ui.open_dialog import OpenDialog
from labeler.ui.phases_dialog import PhasesDialog
from labeler.ui.region_list import RegionList
from labeler.ui.region_panel import RegionPanel
from labeler.ui.report_panel import ReportPanel
from labeler.ui.settings_dialog import SettingsDialog
from labeler.ui.status_bar import StatusBar
from labeler.ui.tool_panel import ToolPanel
from labeler.workflows.open_folder import Worklist
from labeler.workflows.review_case import add_comment
from tests.case_world import LABELS, count_regions, open_case
from tests.gui.panel_kit import commands, make_cases, open_worklist, ws

__all__ = ["commands", "ws"]

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
)


@pytest.fixture
def styled(qapp):
    """The application in its own look, as it was afterwards."""
    before = qapp.font(), qapp.palette(), qapp.style().objectName()
    style.apply_style(qapp)
    yield qapp
    qapp.setStyleSheet("")
    qapp.setStyle(before[2])
    qapp.setPalette(before[1])
    qapp.setFont(before[0])


def everything(qtbot, ws, commands, folder) -> list[QWidget]:
    """Every panel and dialog, over an open case with a comment."""
    worklist: Worklist = open_worklist(
        qtbot, ws, make_cases(folder / "set", ["case-1"], reports="case_id,text\ncase-1,x\n")
    )
    open_case(ws, folder)
    count_regions(ws, "draft")
    add_comment(ws, "A comment")
    case = ws.session.case
    widgets = [
        CaseList(ws, commands, worklist),
        RegionList(ws, commands),
        MaskPanel(ws, commands),
        RegionPanel(ws, commands),
        ReportPanel(ws, commands, worklist),
        ToolPanel(ws, commands),
        StatusBar(ws),
        OpenDialog(ws, None),
        SettingsDialog(ws, commands),
        KeysDialog(commands, "PACS"),
        PhasesDialog(case),
        LabelDialog("Relabel", LABELS, 1),
        MaskDialog("Copy to", ["draft"]),
        MaskNameDialog(ws, "New mask", "On the grid of PV.", "draft"),
        unsaved_question(None, "case-1"),
    ]
    widgets.append(ColumnsPopup(["a", "b"], ["a"], widgets[0]))
    for widget in widgets:
        qtbot.addWidget(widget)
    return widgets


def controls(widget: QWidget) -> list[QWidget]:
    """Controls a user meets; not the parts that Qt puts into its own widgets."""
    found = []
    for child in widget.findChildren(QWidget):
        parts_of = child.parent()
        if not isinstance(child, CONTROLS) or isinstance(child, QScrollBar):
            continue
        if child.objectName().startswith("qt_") or type(child).__name__ in ("QHeaderView",):
            continue
        # by Qt's own name: Python sees private classes as the public ones they derive from
        if isinstance(parts_of, (QAbstractSpinBox, QComboBox, QLineEdit)) or (
            parts_of.metaObject().className()
            in ("QKeySequenceEdit", "QTabBar", "QComboBoxPrivateContainer", "QTabWidget")
        ):
            continue
        found.append(child)
    return found


def test_every_control_has_a_name_a_tooltip_and_words_for_screen_readers(
    qtbot, ws, commands, tmp_path
):
    poor = []
    for widget in everything(qtbot, ws, commands, tmp_path):
        if not widget.objectName():
            poor.append(f"{type(widget).__name__}: no objectName")
        for control in controls(widget):
            name = f"{type(widget).__name__} > {type(control).__name__} {control.objectName()!r}"
            words = control.accessibleName()
            if isinstance(control, QAbstractButton):
                words = words or control.text()
            if not control.objectName():
                poor.append(f"{name}: no objectName")
            if not control.toolTip():
                poor.append(f"{name}: no tooltip")
            if not words:
                poor.append(f"{name}: no accessibleName")
    assert not poor, "\n".join(poor)


def test_the_sheet_is_complete_and_holds_no_path(styled):
    sheet = style.style_sheet()
    assert "@" not in sheet
    urls = re.findall(r"url\(([^)]*)\)", sheet)
    assert urls
    icons = bundled_folder("resources") / "icons"
    for url in urls:
        assert url.startswith("icons:")
        assert (icons / url.removeprefix("icons:")).is_file()
    used = {url.removeprefix("icons:") for url in urls}
    assert {path.name for path in icons.iterdir()} == used


def test_an_unknown_colour_in_the_sheet_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "style.qss").write_text("QWidget { color: @purple; }")
    monkeypatch.setattr(style, "bundled_folder", lambda name: tmp_path)
    with pytest.raises(KeyError):
        style.style_sheet()


def luminance(colour: str) -> float:
    parts = [channel / 255 for channel in QColor(colour).getRgb()[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", [style.BACKGROUND, style.PANEL, style.RAISED, style.SELECTED])
@pytest.mark.parametrize(
    ("colour", "least"),
    [(style.TEXT, 7), (style.BRIGHT, 7), (style.DIM, 3.4), (style.AMBER, 4.5), (style.RED, 3)],
)
def test_text_stands_out_from_its_ground(colour, ground, least):
    high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= least


def test_figures_are_equally_wide(styled):
    metrics = QFontMetrics(style.text_font())
    assert len({metrics.horizontalAdvance(digit) for digit in "0123456789"}) == 1
    assert style.text_font().pixelSize() == style.scaled(13)


def test_sizes_grow_with_the_screen(qapp, monkeypatch):
    class Screen:
        def logicalDotsPerInch(self):
            return 192.0

    style.forget_screen()
    monkeypatch.setattr(QApplication, "primaryScreen", staticmethod(Screen))
    try:
        assert style.scaled(13) == 26
        assert style.text_font().pixelSize() == 26
    finally:
        style.forget_screen()


def test_nothing_is_cut_off_in_narrow_docks(qtbot, styled, ws, commands, tmp_path):
    """Panels of 260 px hold their controls; dialogs fit into a 1366x768 screen."""
    for widget in everything(qtbot, ws, commands, tmp_path):
        if isinstance(widget, QDialog):
            assert widget.sizeHint().width() < 1200, type(widget).__name__
            assert widget.minimumSizeHint().height() < 700, type(widget).__name__
        elif not isinstance(widget, (StatusBar, ToolPanel, ColumnsPopup)):
            assert widget.minimumSizeHint().width() <= style.scaled(260), type(widget).__name__


def test_menus_show_what_is_switched_on(qtbot, styled):
    menu = QMenu()
    qtbot.addWidget(menu)
    action = menu.addAction(style.icon("mdi6.crosshairs"), "Crosshair")
    action.setCheckable(True)
    menu.popup(QPoint(0, 0))
    off = menu.grab().toImage()
    action.setChecked(True)
    assert menu.grab().toImage() != off
    menu.close()
