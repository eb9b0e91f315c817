"""Detailed information: report rows, comments, problems."""

from dataclasses import replace

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QLabel, QListWidget, QPlainTextEdit, QPushButton, QToolButton

from labeler.ui.cards import CommentCard
from labeler.ui.columns_popup import ColumnsPopup
from labeler.ui.report_panel import ReportPanel
from labeler.workflows.open_folder import Worklist
from tests.case_world import LESION, count_regions, open_case, region_of
from tests.gui.panel_kit import commands, make_cases, open_worklist, ws

__all__ = ["commands", "ws"]

LONG = "A 3.4 cm nodule in segment 8. " * 20

REPORTS = (
    "case_id,date,stage,findings,ward\n"
    f"case-1,2021-03-02,T1,{LONG},A4\n"
    "case-1,2021-03-16,T2,Second look,A5\n"
    "other,2020-01-01,T3,Not this one,A6\n"
)


@pytest.fixture
def reports(qtbot, ws, commands, tmp_path) -> ReportPanel:
    """Panel over the open case "case-1", which has two rows in a table."""
    roots = make_cases(tmp_path / "set", ["case-1", "other"], reports=REPORTS)
    panel = ReportPanel(ws, commands, open_worklist(qtbot, ws, roots))
    qtbot.addWidget(panel)
    panel.resize(320, 500)
    panel.show()
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    settle(qtbot, panel)
    return panel


def settle(qtbot, panel: ReportPanel) -> None:
    """Wait until the cards are those of the state."""
    qtbot.waitUntil(lambda: not panel._later.isActive())


def cards(panel: ReportPanel, name: str) -> list:
    return [card for card in panel.cards if card.objectName().startswith(name)]


def plain(card) -> str:
    return " ".join(label.text() for label in card.findChildren(QLabel))


def write(panel: ReportPanel, text: str) -> None:
    field = panel.findChild(QPlainTextEdit, "commentField")
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key_Return)


def test_rows_of_the_case_are_shown_with_source_and_date(reports):
    first, second = cards(reports, "reportCard")
    assert first.accessibleName() == "Radiology \u00b7 2021-03-02"
    assert second.accessibleName() == "Radiology \u00b7 2021-03-16"
    assert "Second look" in plain(second)
    assert "case-1" not in plain(second)
    assert "2021-03-16</" not in second.body.text()


def test_long_text_wraps_into_the_panel(reports):
    card = cards(reports, "reportCard")[0]
    assert card.width() <= reports.width()
    needed = card.body.heightForWidth(card.body.width())
    assert needed > 10 * card.fontMetrics().height()
    assert needed <= card.body.height() <= needed + 4


def test_text_can_be_selected_with_the_mouse(reports):
    body = cards(reports, "reportCard")[1].body
    QTest.mouseDClick(body, Qt.LeftButton, Qt.NoModifier, body.rect().center())
    assert body.textInteractionFlags() & Qt.TextSelectableByMouse
    assert body.hasSelectedText()


def test_columns_are_chosen_ordered_and_remembered(qtbot, reports, ws):
    QTest.mouseClick(reports.findChild(QToolButton, "reportColumns"), Qt.LeftButton)
    popup = reports.findChild(ColumnsPopup)
    choices = popup.findChild(QListWidget, "columnChoices")
    names = [choices.item(row).text() for row in range(choices.count())]
    assert set(names) == {"case_id", "date", "stage", "findings", "ward"}
    choices.item(names.index("ward")).setCheckState(Qt.Unchecked)
    choices.setCurrentRow(names.index("stage"))
    while choices.currentRow() > 0:
        QTest.mouseClick(popup.findChild(QToolButton, "columnUp"), Qt.LeftButton)
    popup.close()
    settle(qtbot, reports)
    shown = ws.settings.data.columns.report
    assert shown[0] == "stage"
    assert "ward" not in shown
    body = cards(reports, "reportCard")[1].body.text()
    assert "A5" not in body
    assert body.index("T2") < body.index("Second look")


def test_the_standard_columns_come_back(qtbot, reports, ws):
    ws.settings.update("columns", report=["stage"])
    settle(qtbot, reports)
    assert "Second look" not in plain(cards(reports, "reportCard")[1])
    QTest.mouseClick(reports.findChild(QToolButton, "reportColumns"), Qt.LeftButton)
    popup = reports.findChild(ColumnsPopup)
    QTest.mouseClick(popup.findChild(QPushButton, "columnsStandard"), Qt.LeftButton)
    settle(qtbot, reports)
    assert ws.settings.data.columns.report == []
    assert "Second look" in plain(cards(reports, "reportCard")[1])


def test_a_comment_is_added_changed_and_deleted_and_all_can_be_undone(qtbot, reports, ws):
    write(reports, "Thin capsule")
    settle(qtbot, reports)
    (card,) = cards(reports, "comment.")
    assert "Thin capsule" in plain(card)
    assert ws.session.history.undo_name == "Add comment"
    key = card.objectName().removeprefix("comment.")
    QTest.mouseClick(card.findChild(QToolButton, f"edit.{key}"), Qt.LeftButton)
    field = reports.findChild(QPlainTextEdit, "commentField")
    assert field.toPlainText() == "Thin capsule"
    write(reports, "?")
    settle(qtbot, reports)
    (card,) = cards(reports, "comment.")
    assert "Thin capsule?" in plain(card)
    QTest.mouseClick(card.findChild(QToolButton, f"delete.{key}"), Qt.LeftButton)
    settle(qtbot, reports)
    assert cards(reports, "comment.") == []
    ws.session.undo()
    ws.session.undo()
    settle(qtbot, reports)
    assert "Thin capsule?" not in plain(cards(reports, "comment.")[0])


def test_a_comment_is_attached_to_the_selected_region_and_leads_back(qtbot, reports, ws):
    hcc = region_of(ws, "draft", LESION)
    ws.selection.select_region(hcc)
    assert "about HCC" in reports.findChild(QPushButton, "commentAboutRegion").text()
    write(reports, "Check")
    ws.selection.select_region(None)
    settle(qtbot, reports)
    card = next(card for card in reports.cards if isinstance(card, CommentCard))
    button = next(b for b in card.findChildren(QToolButton) if b.objectName().startswith("about."))
    assert button.text() == "HCC in draft"
    QTest.mouseClick(button, Qt.LeftButton)
    assert ws.selection.region == hcc


def test_a_comment_may_be_about_the_case_although_a_region_is_selected(qtbot, reports, ws):
    ws.selection.select_region(region_of(ws, "draft", LESION))
    QTest.mouseClick(reports.findChild(QPushButton, "commentAboutRegion"), Qt.LeftButton)
    write(reports, "Whole case")
    (value,) = ws.session.annotations.entries("comment").values()
    assert value["region"] is None


def test_shift_enter_begins_a_line_and_empty_comments_are_not_added(reports, ws):
    field = reports.findChild(QPlainTextEdit, "commentField")
    height = field.height()
    write(reports, "   ")
    assert ws.session.annotations.entries("comment") == {}
    QTest.keyClick(field, Qt.Key_Escape)
    QTest.keyClicks(field, "one")
    QTest.keyClick(field, Qt.Key_Return, Qt.ShiftModifier)
    QTest.keyClicks(field, "two")
    assert field.toPlainText() == "one\ntwo"
    assert field.height() > height


def test_an_unfinished_comment_waits_for_its_case(qtbot, reports, ws, tmp_path):
    field = reports.findChild(QPlainTextEdit, "commentField")
    QTest.keyClicks(field, "unfinished")
    case = ws.session.case
    ws.session.begin(None)
    settle(qtbot, reports)
    assert field.toPlainText() == ""
    ws.session.begin(case)
    settle(qtbot, reports)
    assert field.toPlainText() == "unfinished"


def test_problems_stand_first_and_name_their_place(qtbot, reports, ws):
    ws.session.add_problem("phase:PV", "The file is cut off.")
    ws.session.add_problem("mask:draft", "draft lies on no phase.")
    ws.session.add_problem("app", "not of this case")
    settle(qtbot, reports)
    texts = [plain(card) for card in reports.cards[:2]]
    assert texts == ["Phase PV: The file is cut off.", "draft lies on no phase."]
    assert len(cards(reports, "problemCard")) == 2


def test_a_problem_that_header_and_file_show_is_told_once(qtbot, reports, ws):
    headers = ("PV: PV.nii.gz is empty.", "Mask draft: draft.nii.gz is refused.", "No ART.")
    ws.session.begin(replace(ws.session.case, problems=headers))
    ws.session.add_problem("phase:PV", "PV.nii.gz is empty.")
    ws.session.add_problem("mask:draft", "draft.nii.gz is refused: its grid is that of no phase.")
    settle(qtbot, reports)
    texts = [plain(card) for card in cards(reports, "problemCard")]
    assert texts == [
        "No ART.",
        "PV.nii.gz is empty.",
        "draft.nii.gz is refused: its grid is that of no phase.",
    ]


def test_empty_panels_say_where_reports_come_from(qtbot, ws, commands, tmp_path, reports):
    panel = ReportPanel(ws, commands, Worklist(ws.tasks))
    qtbot.addWidget(panel)
    settle(qtbot, panel)
    assert "CSV files: Ctrl+O" in panel.findChild(QLabel, "reportEmpty").text()
    ws.session.begin(None)
    settle(qtbot, panel)
    qtbot.waitUntil(lambda: len(panel.findChildren(QLabel, "reportEmpty")) == 1)
    assert "Open a case" in panel.findChild(QLabel, "reportEmpty").text()
    assert not panel.comment_box.isVisibleTo(panel)


def test_a_new_comment_is_shown_and_gives_the_keys_back(qtbot, reports, ws):
    reports.resize(300, 180)
    write(reports, "Look at this one.")
    settle(qtbot, reports)
    qtbot.waitUntil(lambda: not reports._show_last.isActive())
    (card,) = cards(reports, "comment.")
    assert not card.visibleRegion().isEmpty()
    assert not reports.findChild(QPlainTextEdit, "commentField").hasFocus()


def test_a_read_only_case_takes_no_comments(qtbot, reports, ws):
    field = reports.findChild(QPlainTextEdit, "commentField")
    QTest.keyClicks(field, "first")
    QTest.keyClick(field, Qt.Key_Return)
    ws.session.read_only_reason = "Somebody has this case open."
    settle(qtbot, reports)
    assert not field.isEnabled()
    said = []
    reports.refused.connect(said.append)
    card = cards(reports, "comment")[0]
    QTest.mouseClick(card.findChild(QToolButton, f"delete.{card.objectName()[8:]}"), Qt.LeftButton)
    assert said == ["Somebody has this case open."]
    assert len(ws.session.annotations.entries("comment")) == 1
