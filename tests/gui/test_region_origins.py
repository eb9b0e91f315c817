"""What a model said of a region stays with it: list, tip, region panel, detailed information."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QLabel

from labeler.core.edits import Edit
from labeler.core.geometry import Plane
from labeler.state.proposals import PROVENANCE
from labeler.state.selection import RegionRef
from labeler.storage.sidecar import Sidecar
from labeler.ui.region_cells import CONFIDENCE, PATTERN, STAGE
from labeler.ui.region_list import RegionList
from labeler.ui.region_panel import RegionPanel
from labeler.ui.report_panel import ReportPanel
from labeler.workflows.edit_mask import BrushStroke
from labeler.workflows.open_folder import Worklist
from labeler.workflows.region_acts import delete_region, relabel_region
from labeler.workflows.region_origins import origins_of, read_origin
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.step_history import redo, undo
from tests.case_world import LESION, LIVER, open_case, region_of
from tests.gui.panel_kit import commands, ws
from tests.model_world import settle

__all__ = ["commands", "ws"]

NOTE = {
    "id": "p-2",
    "proposal": "p",
    "region": 2,
    "model": "liver",
    "title": "Liver",
    "version": "1.0",
    "model_label": "HCC",
    "mask": "draft",
    "label": LESION,
    "taken_as": LESION,
    "anchor_ras": [15.0, 0.0, 0.0],
    "accepted": "2026-01-02T03:04:05+00:00",
    "by": "anna",
    "confidence": 0.82,
    "opinions": {
        "stage 1": {"hcc": 0.9, "cyst": 0.06, "FNH": 0.001},
        "stage 2": {"HCC": 0.74, "metastasis": 0.2},
    },
    "measures": {"HU ART": 88.0, "wash-in": True, "pattern": "wash-in and wash-out"},
    "flags": ["stages disagree"],
    "warnings": ["The liver reaches the edge of the scan."],
}


@pytest.fixture
def desk(qtbot, ws, commands, tmp_path):
    """The panels over an open case whose lesion came from a model."""

    class Desk:
        def __init__(self) -> None:
            self.updater = RegionUpdater(ws.session, ws.tasks)
            self.list = RegionList(ws, commands)
            self.region = RegionPanel(ws, commands)
            self.reports = ReportPanel(ws, commands, Worklist(ws.tasks))
            for panel in (self.list, self.region, self.reports):
                qtbot.addWidget(panel)
                panel.resize(600, 600)
                panel.show()

        def settle(self) -> None:
            settle(qtbot, ws)
            qtbot.waitUntil(lambda: not self.reports._later.isActive())

        def note(self, **changes) -> None:
            note = {**NOTE, **changes}
            change = ws.session.annotations.change(PROVENANCE, note["id"], note)
            ws.session.apply(Edit("Accept HCC", (change,)))
            self.settle()

        def cell(self, column: str, role=Qt.DisplayRole):
            table = self.list.table
            index = table.index_of(self.lesion)
            return index.siblingAtColumn(table.columns.index(column)).data(role)

        @property
        def lesion(self) -> RegionRef:
            return region_of(ws, "draft", LESION)

        def cards(self) -> list:
            return [c for c in self.reports.cards if c.objectName() == "modelCard"]

        def origin_text(self) -> str:
            label = self.region.findChild(QLabel, "regionOrigin")
            return label.text() if label.isVisibleTo(self.region) else ""

    made = Desk()
    open_case(ws, tmp_path)
    made.settle()
    return made


def test_without_a_model_nothing_is_said(desk):
    assert not {CONFIDENCE, PATTERN, STAGE + "stage 1"} & set(desk.list.table.columns)
    assert desk.cards() == []
    assert desk.origin_text() == ""


def test_list_tip_region_and_details_tell_what_the_model_said(desk, ws):
    desk.note()
    assert desk.cell(CONFIDENCE) == "82"
    assert desk.cell(PATTERN) == "in + out"
    assert desk.cell(STAGE + "stage 1") == "HCC 90"
    assert desk.cell(STAGE + "stage 2") == "HCC 74"
    liver = desk.list.table.index_of(region_of(ws, "draft", LIVER))
    place = desk.list.table.columns.index(CONFIDENCE)
    assert liver.siblingAtColumn(place).data() == ""
    tip = desk.cell("label", Qt.ToolTipRole)
    for words in ("From Liver 1.0: HCC, 82 %", "stage 1: HCC 90 %, cyst 6 %", "stages disagree"):
        assert words in tip
    assert "FNH" not in tip
    ws.selection.select_region(desk.lesion)
    for words in ("Liver 1.0: HCC 82 %", "wash-in and wash-out", "stages disagree"):
        assert words in desk.origin_text()
    ws.selection.select_region(region_of(ws, "draft", LIVER))
    assert desk.origin_text() == ""
    (card,) = desk.cards()
    for words in ("reaches the edge", "HCC 82 %", "stage 2 HCC 74", "wash-in and wash-out"):
        assert words in card.body.text()


def test_types_are_written_as_labels_are(desk, ws):
    desk.note(opinions={"first": {"hcc": 0.6, "not a lesion": 0.4}})
    opinion = origins_of(ws.session, "draft")[desk.lesion.region_id].opinion
    assert opinion.opinions == {"first": {"HCC": 0.6, "not a lesion": 0.4}}


def test_a_click_in_the_details_goes_to_the_region(desk, ws):
    desk.note()
    (card,) = desk.cards()
    link = card.body.text().partition('href="')[2].partition('"')[0]
    card.body.linkActivated.emit(link)
    assert ws.selection.region == desk.lesion


def test_undo_takes_the_words_away_and_redo_brings_them_back(desk, ws):
    desk.note()
    undo(ws)
    desk.settle()
    assert CONFIDENCE not in desk.list.table.columns
    assert desk.cards() == []
    redo(ws)
    desk.settle()
    assert desk.cell(CONFIDENCE) == "82"
    assert len(desk.cards()) == 1


def test_a_relabelled_region_keeps_the_words_but_not_the_confidence(desk, ws):
    desk.note()
    ref = desk.lesion
    relabel_region(ws, 5, ref)
    desk.settle()
    assert ws.session.region("draft", ref.region_id).label == 5
    origin = origins_of(ws.session, "draft")[ref.region_id]
    assert origin.is_relabelled
    ws.selection.select_region(ref)
    assert "has another label now" in desk.origin_text()
    table = desk.list.table
    place = table.columns.index(CONFIDENCE)
    assert table.index_of(ref).siblingAtColumn(place).data() == ""
    undo(ws)
    desk.settle()
    assert desk.cell(CONFIDENCE) == "82"
    assert not origins_of(ws.session, "draft")[ref.region_id].is_relabelled


def test_words_follow_a_region_whose_point_is_painted_over(desk, ws):
    desk.note()
    ws.selection.set_label(LIVER)
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to(np.array(NOTE["anchor_ras"]))
    stroke.finish()
    desk.settle()
    assert desk.cell(CONFIDENCE) == "82"


def test_a_deleted_region_has_no_words(desk, ws):
    desk.note()
    delete_region(ws, desk.lesion)
    desk.settle()
    assert origins_of(ws.session, "draft") == {}
    assert desk.cards() == []
    undo(ws)
    desk.settle()
    assert desk.cell(CONFIDENCE) == "82"


def test_the_newest_of_two_models_is_told(desk):
    desk.note()
    desk.note(id="q-1", title="Other", confidence=0.5, flags=[])
    assert desk.cell(CONFIDENCE) == "50"


def test_words_survive_a_restart(desk, ws, tmp_path):
    desk.note()
    notes = Sidecar(case="case-1").with_annotations(ws.session.annotations.as_dict())
    again = Sidecar.model_validate_json(notes.model_dump_json()).annotations()
    open_case_again(ws, again, tmp_path)
    desk.settle()
    assert desk.cell(CONFIDENCE) == "82"
    assert len(desk.cards()) == 1


def open_case_again(ws, annotations, folder) -> None:
    """As :func:`open_case`, with notes that were read."""
    open_case(ws, folder)
    for key, value in annotations.entries(PROVENANCE).items():
        ws.session.annotations.amend(PROVENANCE, key, value)


@pytest.mark.parametrize(
    "damage",
    [
        {"confidence": "high"},
        {"confidence": True},
        {"opinions": 3, "measures": [], "flags": "no list"},
        {"opinions": {"stage 1": None, "stage 2": {"HCC": "?"}}},
        {"warnings": {"a": 1}, "title": None, "version": None, "model_label": None},
    ],
)
def test_damaged_notes_are_read_as_far_as_they_go(desk, ws, damage):
    desk.note(**damage)
    origin = read_origin("p-2", {**NOTE, **damage})
    assert (origin.opinion is None) == (not isinstance(damage.get("confidence", 0.5), float))
    ws.selection.select_region(desk.lesion)
    assert "From" in desk.cell("label", Qt.ToolTipRole)
    assert desk.origin_text() != ""


def test_a_narrow_list_drops_what_stages_say_first(desk):
    desk.note()
    header, columns = desk.list.view.header(), desk.list.table.columns
    shown = {name for n, name in enumerate(columns) if not header.isSectionHidden(n)}
    assert {CONFIDENCE, PATTERN, STAGE + "stage 1", STAGE + "stage 2"} <= shown
    desk.list.resize(300, 600)
    shown = {name for n, name in enumerate(columns) if not header.isSectionHidden(n)}
    assert CONFIDENCE in shown
    assert not any(name.startswith(STAGE) for name in shown)
    menu = desk.list._columns.menu()
    assert [a.objectName() for a in menu.actions()][-2:] == [
        "column.stage:stage 1", "column.stage:stage 2",
    ]  # fmt: skip
    menu.deleteLater()
