"""The case list in the perspective of the spine: sorted by doubt, with words for it."""

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor
from PyQt5.QtTest import QAbstractItemModelTester

from labeler.core.spine_summary import SpineSummary
from labeler.state.perspective import LIVER, SPINE
from labeler.storage.cases import Case
from labeler.ui import style
from labeler.ui.case_delegate import dot_colour
from labeler.ui.case_list import CaseList
from labeler.workflows import spine_worklist
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_worklist import SpineRow, SpineWorklist
from tests.gui.panel_kit import click, commands, make_cases, open_worklist, ws
from tests.gui.test_panel_case_list import chip, ids, show

__all__ = ["commands", "ws"]

SUMMARIES = {
    "a1": SpineSummary("T12-L2", 3),
    "b2": SpineSummary("T1-L5", 17, 1, "spacing", 1.2),
    "c3": SpineSummary(),
    "d4": SpineSummary("C6-L3", 16, 2, "order +1", 2.0),
    "e5": SpineSummary("T8-S1", 11, 1, "L6?", 1.0),
}


@pytest.fixture
def spines(monkeypatch):
    rows = {name: SpineRow(summary, 24.3, 3) for name, summary in SUMMARIES.items()}
    monkeypatch.setattr(spine_worklist, "spine_row", lambda case: rows[case.id])


@pytest.fixture
def cases(qtbot, ws, commands, tmp_path, spines) -> CaseList:
    worklist = open_worklist(qtbot, ws, make_cases(tmp_path / "set", list(SUMMARIES)))
    panel = CaseList(ws, commands, worklist, spines=SpineWorklist(ws, worklist))
    panel.tester = QAbstractItemModelTester(panel.table)
    return show(qtbot, panel)


def show_spines(qtbot, ws, panel):
    ws.perspective.choose(SPINE)
    qtbot.waitUntil(lambda: panel.table.spine("a1") is not None)


def test_the_most_doubtful_stands_first(qtbot, ws, cases):
    assert ids(cases) == list(SUMMARIES)
    show_spines(qtbot, ws, cases)
    assert ids(cases) == ["d4", "b2", "e5", "a1", "c3"]
    qtbot.waitUntil(lambda: "by doubt" in cases.header.note)
    ws.perspective.choose(LIVER)
    assert ids(cases) == list(SUMMARIES)
    qtbot.waitUntil(lambda: "by doubt" not in cases.header.note)


def test_neighbours_are_those_of_the_sorted_list(qtbot, ws, cases):
    show_spines(qtbot, ws, cases)
    assert cases.neighbour("b2", 1) == "e5"
    with qtbot.waitSignal(cases.open_requested) as signal:
        click(cases.view, cases.table.index(0))
    assert signal.args == ["d4"]


def test_the_next_open_case_passes_over_those_that_are_done(qtbot, ws, cases):
    show_spines(qtbot, ws, cases)
    worklist = cases._worklist
    worklist.set_status("e5", "done")
    assert cases.next_open("b2") == "a1"
    assert cases.next_open("c3") == "d4"
    assert cases.next_open(None) == "d4"
    for name in ("a1", "c3", "d4"):
        worklist.set_status(name, "done")
    assert cases.next_open("b2") is None
    assert cases.next_open("e5") == "b2"


def test_done_cases_keep_their_place_until_the_list_is_filtered(qtbot, ws, cases):
    show_spines(qtbot, ws, cases)
    chip(cases, "doubtful").click()
    assert ids(cases) == ["d4", "b2", "e5"]
    cases._worklist.set_status("d4", "done")
    assert ids(cases) == ["d4", "b2", "e5"]
    qtbot.waitUntil(lambda: chip(cases, "doubtful").text() == "Doubtful 2")
    chip(cases, "doubtful").click()
    assert ids(cases) == ["b2", "e5"]


def test_the_doubtful_chip_is_there_for_spines_only(qtbot, ws, cases):
    qtbot.waitUntil(lambda: chip(cases, "all").isVisible())
    assert not chip(cases, "doubtful").isVisible()
    show_spines(qtbot, ws, cases)
    qtbot.waitUntil(lambda: chip(cases, "doubtful").isVisible())
    assert chip(cases, "doubtful").accessibleName() == "Doubtful 3"
    chip(cases, "doubtful").click()
    ws.perspective.choose(LIVER)
    assert ids(cases) == list(SUMMARIES)
    assert chip(cases, "all").isChecked()


def test_cases_found_later_are_sorted_in(qtbot, ws, commands, tmp_path, spines):
    worklist = Worklist(ws.tasks)
    panel = show(qtbot, CaseList(ws, commands, worklist, spines=SpineWorklist(ws, worklist)))
    ws.perspective.choose(SPINE)
    worklist.open_roots(make_cases(tmp_path / "set", list(SUMMARIES)))
    qtbot.waitUntil(lambda: ids(panel) == ["d4", "b2", "e5", "a1", "c3"])


def test_tips_tell_levels_doubts_and_effort(qtbot, ws, cases):
    show_spines(qtbot, ws, cases)

    def tip(name):
        return cases.table.index(cases.table.row_of(name)).data(Qt.ToolTipRole)

    assert "C6-L3: 16 centroids, 2 doubts" in tip("d4")
    assert "3 edits, 24 s active" in tip("d4")
    assert "no doubt" in tip("a1")
    assert "No centroids" in tip("c3")


def test_rows_show_words_and_colours(qtbot, ws, cases, tmp_path):
    show_spines(qtbot, ws, cases)
    picture = cases.view.viewport().grab().toImage()
    colours = []
    for row in range(5):
        rect = cases.view.visualRect(cases.table.index(row))
        centre = rect.left() + style.scaled(15), rect.center().y() + 1
        colours.append(picture.pixelColor(*centre).name())
    assert colours[:3] == [QColor(c).name() for c in (style.RED, style.AMBER, style.AMBER)]
    assert colours[3:] == [QColor(style.FAINT).name()] * 2
    done = Case("d4", "flat", tmp_path, tmp_path, tmp_path, status="done")
    assert dot_colour(done, SpineRow(SUMMARIES["d4"])) == style.GREEN
