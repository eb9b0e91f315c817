"""The case list by mouse and keys."""

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor
from PyQt5.QtTest import QAbstractItemModelTester, QTest
from PyQt5.QtWidgets import QApplication, QLineEdit, QPushButton

from labeler.storage.proposal_files import Waiting
from labeler.ui import style
from labeler.ui.case_list import CaseList
from labeler.workflows.open_folder import Worklist
from tests.gui.panel_kit import (
    choose,
    click,
    commands,
    make_cases,
    open_worklist,
    right_click_menu,
    ws,
)

__all__ = ["commands", "ws"]

REPORTS = "case_id,findings\nb2,Large hepatoma in segment 8\nc3,No lesion\n"


@pytest.fixture
def cases(qtbot, ws, commands, tmp_path) -> CaseList:
    roots = make_cases(tmp_path / "set", ["a1", "b2", "c3", "d4"], reports=REPORTS)
    worklist = open_worklist(qtbot, ws, roots)
    return show(qtbot, CaseList(ws, commands, worklist))


def show(qtbot, panel: CaseList) -> CaseList:
    qtbot.addWidget(panel)
    panel.resize(320, 400)
    panel.show()
    qtbot.waitUntil(lambda: panel.view.isVisible() or panel.table.rowCount() == 0)
    return panel


def ids(panel: CaseList) -> list[str]:
    return [panel.table.case(row).id for row in range(panel.table.rowCount())]


def type_search(panel: CaseList, text: str) -> None:
    field = panel.findChild(QLineEdit, "caseSearch")
    field.clear()
    QTest.keyClicks(field, text)


def chip(panel: CaseList, status: str) -> QPushButton:
    return panel.findChild(QPushButton, f"chip.{status}")


def test_a_click_asks_to_open_the_case(qtbot, cases):
    with qtbot.waitSignal(cases.open_requested) as signal:
        click(cases.view, cases.table.index(2))
    assert signal.args == ["c3"]


def test_arrow_and_enter_lead_from_the_search_field_into_the_list(qtbot, cases):
    field = cases.findChild(QLineEdit, "caseSearch")
    cases.focus_search()
    QTest.keyClick(field, Qt.Key_Down)
    QTest.keyClick(cases.view, Qt.Key_Down)
    with qtbot.waitSignal(cases.open_requested) as signal:
        QTest.keyClick(cases.view, Qt.Key_Return)
    assert signal.args == ["b2"]


def test_enter_in_the_search_field_opens_the_first_that_fits(qtbot, cases):
    type_search(cases, "d")
    with qtbot.waitSignal(cases.open_requested) as signal:
        QTest.keyClick(cases.findChild(QLineEdit, "caseSearch"), Qt.Key_Return)
    assert signal.args == ["d4"]


def test_search_finds_ids_status_and_report_text(qtbot, cases):
    type_search(cases, "C3")
    assert ids(cases) == ["c3"]
    type_search(cases, "segment HEPATOMA")
    qtbot.waitUntil(lambda: ids(cases) == ["b2"])
    type_search(cases, "to do")
    assert ids(cases) == ["a1", "b2", "c3", "d4"]
    QTest.keyClicks(cases.findChild(QLineEdit, "caseSearch"), " d4")
    assert ids(cases) == ["d4"]
    QTest.keyClick(cases.findChild(QLineEdit, "caseSearch"), Qt.Key_Escape)
    assert len(ids(cases)) == 4


def test_chips_count_and_filter_by_status(qtbot, cases):
    worklist = cases._worklist
    worklist.set_status("b2", "done")
    worklist.set_status("d4", "flagged")
    qtbot.waitUntil(lambda: cases.header.note == "1 of 4 done")
    assert chip(cases, "todo").text() == "To do 2"
    assert chip(cases, "done").text() == "Done 1"
    assert not chip(cases, "in progress").isVisible()
    QTest.mouseClick(chip(cases, "flagged"), Qt.LeftButton)
    assert ids(cases) == ["d4"]
    QTest.mouseClick(chip(cases, "all"), Qt.LeftButton)
    assert len(ids(cases)) == 4


def test_a_case_that_is_marked_done_stays_under_the_cursor(cases):
    QTest.mouseClick(chip(cases, "todo"), Qt.LeftButton)
    cases._worklist.set_status("b2", "done")
    assert ids(cases) == ["a1", "b2", "c3", "d4"]
    QTest.mouseClick(chip(cases, "todo"), Qt.LeftButton)
    assert ids(cases) == ["a1", "c3", "d4"]


def test_neighbours_are_those_of_the_shown_list(cases):
    cases._worklist.set_status("b2", "done")
    QTest.mouseClick(chip(cases, "todo"), Qt.LeftButton)
    assert cases.neighbour("a1", 1) == "c3"
    assert cases.neighbour("c3", -1) == "a1"
    assert cases.neighbour("d4", 1) is None
    assert cases.neighbour(None, 1) == "a1"
    assert cases.neighbour(None, -1) == "d4"


def test_the_context_menu_sets_status_and_copies_the_folder(qtbot, cases):
    menu = right_click_menu(cases.view, cases.table.index(1))
    assert not any(a.isEnabled() for a in menu.actions() if a.text().startswith("Mark"))
    menu.close()
    cases._ws.session.begin(cases.table.case(1))
    with qtbot.waitSignal(cases.status_requested) as signal:
        choose(right_click_menu(cases.view, cases.table.index(1)), "Mark flagged")
    assert signal.args == ["b2", "flagged"]
    choose(right_click_menu(cases.view, cases.table.index(1)), "Copy folder path")
    assert QApplication.clipboard().text() == str(cases.table.case(1).folder)


def test_only_rows_on_the_screen_are_looked_at(qtbot, ws, commands, tmp_path, monkeypatch):
    names = [f"case-{n:04d}" for n in range(600)]
    worklist = open_worklist(qtbot, ws, make_cases(tmp_path / "set", names, phases=("PV",)))
    asked = []
    monkeypatch.setattr(worklist, "request_cases", lambda wanted: asked.append(list(wanted)))
    panel = show(qtbot, CaseList(ws, commands, worklist))
    qtbot.waitUntil(lambda: bool(asked))
    assert asked[-1][0] == "case-0000"
    assert len(asked[-1]) < 40
    asked.clear()
    panel.view.scrollToBottom()
    qtbot.waitUntil(lambda: bool(asked))
    assert asked[-1][-1] == "case-0599"
    assert len(asked[-1]) < 40
    asked.clear()
    type_search(panel, "case-01 9")
    qtbot.waitUntil(lambda: bool(asked))
    assert all("9" in name for name in asked[-1])


def test_problems_and_counts_appear_as_they_become_known(qtbot, cases):
    qtbot.waitUntil(lambda: bool(cases.table.case(0).problems))  # the images are empty files
    tip = cases.table.index(0).data(Qt.ToolTipRole)
    assert "ART: no arterial phase" in tip
    assert cases.table.case(0).problems[0] in tip
    cases._worklist.set_region_counts("a1", {"draft": 3, "prediction": 4})
    assert cases.table.index(0).data(Qt.UserRole + 1) == 7
    assert "Mask" not in tip


def test_rows_come_and_go_by_the_rules_of_item_models(qtbot, ws, commands, tmp_path):
    worklist = Worklist(ws.tasks)
    panel = show(qtbot, CaseList(ws, commands, worklist))
    tester = QAbstractItemModelTester(
        panel.table, QAbstractItemModelTester.FailureReportingMode.Warning
    )
    with qtbot.waitSignal(worklist.scanned):
        worklist.open_roots(make_cases(tmp_path / "one", ["a", "b"]))
    worklist.set_status("a", "done")
    type_search(panel, "b")
    assert ids(panel) == ["b"]
    with qtbot.waitSignal(worklist.scanned):
        worklist.open_roots(make_cases(tmp_path / "two", ["b1", "c", "b2"]))
    assert ids(panel) == ["b1", "b2"]
    assert panel.table.status_counts == {"todo": 3}
    assert tester is not None


def test_empty_lists_say_what_to_do(qtbot, ws, commands, tmp_path, cases):
    fresh = show(qtbot, CaseList(ws, commands, Worklist(ws.tasks)))
    qtbot.waitUntil(lambda: "Choose the folder" in fresh._empty.text)
    with qtbot.waitSignal(commands.action("file.open").triggered):
        QTest.mouseClick(fresh.findChild(QPushButton, "empty.file.open"), Qt.LeftButton)
    type_search(cases, "zzz")
    qtbot.waitUntil(lambda: "zzz" in cases._empty.text)
    assert "Esc" in cases._empty.text


def test_cases_that_a_proposal_waits_for_are_marked_amber_when_it_is_doubtful(cases):
    waits = {"b2": Waiting("Liver 1.0"), "c3": Waiting("Liver 1.0", ("The scan is cut off.",))}
    cases.table.set_waiting(lambda case: waits.get(case.id))

    def tip(row: int) -> str:
        return cases.table.index(row).data(Qt.ToolTipRole)

    def has(row: int, colour: str) -> bool:
        picture = cases.view.grab(cases.view.visualRect(cases.table.index(row))).toImage()
        wanted = QColor(colour).rgb()
        pixels = (picture.pixel(x, y) for x in range(picture.width()) for y in range(10, 16))
        return any(pixel == wanted for pixel in pixels)

    assert "proposes" not in tip(0)
    assert tip(1).endswith("Liver 1.0 proposes")
    assert tip(2).endswith("Liver 1.0 proposes\nThe scan is cut off.")
    assert [has(row, style.AMBER) for row in range(3)] == [False, False, True]
    assert [has(row, style.ACCENT) for row in range(3)] == [False, True, False]
    waits.clear()
    cases.table.show_waiting()
    assert not has(2, style.AMBER)
