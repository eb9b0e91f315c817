"""Parts of the spine perspective by themselves: what they say, where they put it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt5.QtCore import QEvent, QObject, QPoint, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QListWidget

from labeler.core import landmark_checks
from labeler.core.geometry import Plane
from labeler.core.landmarks import Centroid
from labeler.core.spine_summary import summarize
from labeler.core.vertebrae import LEVELS, typed_level
from labeler.state.strip_view import StripView
from labeler.state.view_state import Window
from labeler.ui.commands import Commands
from labeler.ui.level_entry import is_final, may_become
from labeler.ui.level_list import LevelList
from labeler.ui.spacing_plot import SpacingPlot, gap_colour, marks_mm
from labeler.ui.spine_checks import DoubtCard, SpineChecks
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_pane import SpinePane, grey_values
from labeler.ui.spine_strip import SpineStrip
from labeler.ui.style import ACCENT, AMBER, FAINT, RED
from labeler.ui.view_grid import ViewGrid
from labeler.workflows import spine_findings
from labeler.workflows.correct_landmarks import (
    remove_centroid,
    replace_centroids,
    shift_levels,
    swap_with_next,
)
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_worklist import SpineRow, SpineWorklist
from tests.case_world import GRIDS, make_volume, make_workspace, open_case


def spine(**changes) -> dict[str, Centroid]:
    """T9 to L1 in a row; ``T11=None`` leaves one out, ``T11=(x, y, z)`` moves it by mm."""
    centroids, z = {}, 50.0
    for n, (level, gap) in enumerate(
        (("T9", 25.68), ("T10", 27.59), ("T11", 29.83), ("T12", 32.04), ("L1", 33.0))
    ):
        change = changes.get(level, (0.0, 0.0, 0.0))
        if change is not None:
            x, y, dz = change
            centroids[str(n)] = Centroid(level, (x, y, z + dz), 0.9)
        z -= gap
    return centroids


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path, phases=())
    ws.perspective.choose("spine")
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def layer(ws):
    return SpineLayer(ws)


@pytest.mark.parametrize(
    ("text", "final"),
    [("t", False), ("t1", False), ("t12", True), ("t2", True), ("l", False), ("l6", True),
     ("c7", True), ("s", True), ("s1", True), ("co", True), ("c", False), ("T13", True)],
)  # fmt: skip
def test_typing_ends_by_itself_when_no_other_level_begins_so(text, final):
    assert may_become(text)
    assert is_final(text) is final


@given(st.text(max_size=4))
def test_what_is_final_is_a_level(text):
    if is_final(text):
        assert typed_level(text) in LEVELS
    if typed_level(text) is not None and text == text.strip() and "0" not in text[:2]:
        assert may_become(text.replace(" ", ""))


def test_levels_are_listed_with_what_is_doubted(ws, layer, qtbot):
    levels = LevelList(ws, layer)
    qtbot.addWidget(levels)
    assert levels.texts() == []
    replace_centroids(ws, "Read", spine())
    assert levels.texts() == ["T9", "T10", "T11", "T12", "L1"]
    assert levels.header.note == "type a name to rename"
    swap_with_next(ws, "2")
    assert levels.texts() == ["T9", "T10", "T12", "T11", "L1"]
    assert levels.header.note == "1 doubt"
    levels.resize(300, 300)
    levels.show()
    rows = levels._rows
    QTest.mouseClick(rows.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(40, 30))
    assert ws.spine.key == "1"
    ws.spine.select("4")
    assert rows.currentRow() == 4


def test_a_card_says_what_is_wrong_and_which_key_settles_it(ws, layer, qtbot):
    checks = SpineChecks(ws, Commands({}), layer)
    qtbot.addWidget(checks)
    assert checks.sentences() == []
    replace_centroids(ws, "Read", spine())
    assert checks.sentences() == ["Order, duplicates, gaps, spacing, drift: fine"], (
        "there is no mask to agree with, and no image to be outside of"
    )
    swap_with_next(ws, "2")
    assert checks.sentences()[0] == "T12 and T11 look swapped"
    card = checks.findChild(DoubtCard)
    assert "<b>E</b> swaps them" in card.body.text()
    assert "Order" not in checks.sentences()[-1]
    checks.show()
    ws.spine.select(None)
    QTest.mouseClick(card, Qt.LeftButton)
    assert ws.spine.key == "2"


def test_what_is_wrong_with_the_files_stands_above_the_checks(ws, layer, qtbot, tmp_path):
    checks = SpineChecks(ws, Commands({}), layer)
    qtbot.addWidget(checks)
    ws.session.add_problem("case", "a_ctd.json is empty.")
    ws.session.add_problem("mask:spine", "spine.nii.gz is refused.")
    replace_centroids(ws, "Read", spine())
    swap_with_next(ws, "2")
    assert checks.sentences()[:3] == [
        "a_ctd.json is empty.", "spine.nii.gz is refused.", "T12 and T11 look swapped",
    ]  # fmt: skip
    open_case(ws, tmp_path, phases=("PV",))
    assert checks.sentences() == [], "the next case has no such files"


def test_nothing_is_said_of_the_field_of_view_before_there_is_an_image(ws, layer, qtbot, tmp_path):
    open_case(ws, tmp_path, phases=())
    checks = SpineChecks(ws, Commands({}), layer)
    qtbot.addWidget(checks)
    replace_centroids(ws, "Read", {"1": Centroid("L1", (0.0, 0.0, 0.0))})
    assert "field of view" not in checks.sentences()[-1]
    ws.session.add_volume("PV", make_volume(GRIDS["PV"], 100, 40))
    assert "field of view" in checks.sentences()[-1]


def test_one_that_is_far_away_does_not_make_a_dot_of_the_others(ws, layer, qtbot, tmp_path):
    open_case(ws, tmp_path, phases=("PV",))
    strip = SpineStrip(ws, layer)
    qtbot.addWidget(strip)
    strip.resize(600, 500)
    near = {"1": Centroid("T12", (0.0, 0.0, 20.0)), "2": Centroid("L1", (0.0, 0.0, -12.0))}
    replace_centroids(ws, "Read", near)
    strip.fit()
    expected = strip.view.mm_per_px, strip.view.height_mm
    replace_centroids(ws, "Read", {**near, "3": Centroid("L2", (0.0, 0.0, -9e4))})
    strip.fit()
    assert (strip.view.mm_per_px, strip.view.height_mm) == expected


@pytest.mark.parametrize("high", [45.0, 90.0, 200.0, 600.0])
def test_marks_of_a_scale_do_not_touch(high):
    marks = marks_mm(20.0, high, 0.2)
    assert 1 <= len(marks) <= 6
    assert all(20.0 <= mm <= high for mm in marks)


def test_keys_that_were_changed_stand_on_the_cards(ws, layer, qtbot):
    checks = SpineChecks(ws, Commands({"spine.swap": "F7"}), layer)
    qtbot.addWidget(checks)
    replace_centroids(ws, "Read", spine())
    swap_with_next(ws, "2")
    assert "<b>F7</b> swaps them" in checks.findChild(DoubtCard).body.text()


def test_gaps_are_coloured_by_how_unusual_they_are(ws, layer, qtbot):
    plot = SpacingPlot(ws, layer)
    qtbot.addWidget(plot)
    replace_centroids(ws, "Read", spine())
    assert {gap_colour(gap) for gap in plot.gaps} == {ACCENT}
    replace_centroids(ws, "Read", spine(T11=(0.0, 0.0, 6.5)))
    assert [gap_colour(gap) for gap in plot.gaps] == [ACCENT, AMBER, AMBER, ACCENT]
    replace_centroids(ws, "Read", spine(T11=(0.0, 0.0, 12.0)))
    assert RED in {gap_colour(gap) for gap in plot.gaps}
    replace_centroids(ws, "Read", spine(T11=None))
    assert gap_colour(plot.gaps[1]) == FAINT, "T10 and T12 are no neighbours"
    plot.resize(280, 300)
    plot.show()
    clicked = []
    plot.chosen.connect(clicked.append)
    QTest.mouseClick(plot, Qt.LeftButton, Qt.NoModifier, QPoint(50, round(plot._rows()[2])))
    assert clicked == ["4"], "the lower vertebra of the gap"
    assert not plot.grab().toImage().isNull()


def test_a_drag_is_shown_before_it_is_an_edit(ws, layer):
    replace_centroids(ws, "Read", spine())
    steps = len(ws.session.history.done)
    layer.drag("1", np.array((5.0, 6.0, 20.0)))
    assert layer.is_dragging
    assert layer.ras("1") == pytest.approx((5.0, 6.0, 20.0))
    assert len(ws.session.history.done) == steps
    layer.give_up()
    assert layer.ras("1") == pytest.approx((0.0, 0.0, 24.32))
    layer.drag("1", np.array((5.0, 6.0, 20.0)))
    layer.drop()
    assert not layer.is_dragging
    assert len(ws.session.history.done) == steps + 1
    assert layer.ras("1") == pytest.approx((5.0, 6.0, 20.0))


def test_a_zoom_keeps_the_point_under_the_pointer(qapp):
    view = StripView()
    view.show_box((0.0, 0.0, -200.0), (40.0, 60.0, 200.0), (300, 800))
    assert view.mm_per_px == pytest.approx(0.5)
    side, height = 12.0, 77.0
    before = [(side - view.sides_mm[Plane.SAGITTAL]) / 0.5, (height - view.height_mm) / 0.5]
    view.zoom(2.0, Plane.SAGITTAL, side, height)
    assert view.mm_per_px == pytest.approx(0.25)
    after = [(side - view.sides_mm[Plane.SAGITTAL]) / 0.25, (height - view.height_mm) / 0.25]
    assert after == pytest.approx(before)
    assert view.sides_mm[Plane.CORONAL] == pytest.approx(20.0), "the other picture stays"


def test_a_picture_is_grey_by_the_window_and_black_outside():
    image = np.tile(np.arange(0, 1000, 10, dtype=np.int16), (50, 1))
    grey = grey_values(image, Window(500.0, 500.0), (0.0, 0.0), 1.0, (120, 60))
    assert grey.shape == (60, 120)
    assert (grey[50:] == 0).all()
    assert (grey[:, 100:] == 0).all()
    expected = np.clip((image[0].astype(float) - 250) / 500 * 255, 0, 255)
    np.testing.assert_allclose(grey[10, :100], expected, atol=1)
    half = grey_values(image, Window(500.0, 500.0), (10.0, 5.0), 0.5, (60, 40))
    assert half[0, 40] == grey[5, 30]


# --- how often things are done: a hand that drags must not wait


def test_doubts_are_worked_out_once_for_everybody(ws, qtbot, tmp_path, monkeypatch):
    """The layer, its panels and the list of cases share what was found."""
    replace_centroids(ws, "Take centroids", spine())
    layer = SpineLayer(ws)
    levels = LevelList(ws, layer)
    checks = SpineChecks(ws, Commands({}), layer)
    worklist = SpineWorklist(ws, Worklist(ws.tasks))
    worklist._rows[ws.session.case.id] = SpineRow(summarize({}, ()))
    for widget in (levels, checks):
        qtbot.addWidget(widget)
    counted = []
    monkeypatch.setattr(
        spine_findings, "check", lambda *args: counted.append(args) or landmark_checks.check(*args)
    )
    shift_levels(ws, None, "all", 1)
    assert len(counted) == 1
    assert levels.texts() == ["T10", "T11", "T12", "L1", "L2"]
    assert worklist.rows[ws.session.case.id].summary.levels == "T10\u2013L2"
    swap_with_next(ws, "1")
    assert len(counted) == 2
    assert "look swapped" in checks.sentences()[0]


def test_a_drag_works_nothing_out_but_the_line(ws, layer, qtbot, monkeypatch):
    replace_centroids(ws, "Take centroids", spine())
    checks = SpineChecks(ws, Commands({}), layer)
    qtbot.addWidget(checks)
    monkeypatch.setattr(spine_findings, "check", lambda *_: pytest.fail("checked in a drag"))
    cards = checks.findChildren(DoubtCard)
    for step in range(5):
        layer.drag("2", np.array((3.0 * step, 0.0, 0.0)))
    assert checks.findChildren(DoubtCard) == cards
    assert layer.curve is layer.curve
    assert layer.curve.at(0.0)[0] == pytest.approx(12.0)


def test_names_change_without_a_new_list(ws, layer, qtbot):
    replace_centroids(ws, "Take centroids", spine())
    levels = LevelList(ws, layer)
    qtbot.addWidget(levels)
    rows = levels.findChild(QListWidget, "levelRows")
    before = [rows.item(n) for n in range(rows.count())]
    with qtbot.assertNotEmitted(rows.model().dataChanged):  # which lays all rows out anew
        shift_levels(ws, None, "all", 1)
    assert [rows.item(n) for n in range(rows.count())] == before
    assert [item.data(Qt.AccessibleTextRole) for item in before] == levels.texts()
    swap_with_next(ws, "1")
    assert "look swapped" in before[1].toolTip()


def test_names_change_without_a_new_line(ws, qtbot, tmp_path, monkeypatch):
    """The curve is worked out and drawn where places change, and only there."""
    open_case(ws, tmp_path, phases=("PV",))
    layer = SpineLayer(ws)
    replace_centroids(ws, "Read", spine())
    strip = SpineStrip(ws, layer)
    qtbot.addWidget(strip)
    strip.resize(600, 500)
    strip.show()
    qtbot.waitUntil(lambda: strip.is_current, timeout=60_000)
    lines = []
    own = SpinePane._line
    monkeypatch.setattr(SpinePane, "_line", lambda pane: lines.append(pane) or own(pane))
    curve, before = layer.curve, strip.grab().toImage()
    lines.clear()
    shift_levels(ws, None, "all", 1)
    assert layer.curve is curve
    assert strip.grab().toImage() != before, "other names"
    ws.session.undo()
    assert strip.grab().toImage() == before
    assert lines == []
    layer.drag("2", layer.ras("2") + np.array((9.0, 9.0, 0.0)))
    assert strip.grab().toImage() != before
    assert len(set(lines)) == 2
    layer.give_up()
    assert strip.grab().toImage() == before


def test_a_view_repaints_only_around_what_is_dragged(ws, qtbot, tmp_path):
    open_case(ws, tmp_path)
    middle = np.array((60.0, 60.0, 60.0))
    places = {"1": Centroid("T9", (60.0, 60.0, 60.0)), "2": Centroid("T10", (60.0, 60.0, 90.0))}
    replace_centroids(ws, "Take centroids", places)
    grid = ViewGrid(ws, Commands({}))
    qtbot.addWidget(grid)
    grid.resize(800, 800)
    grid.show()
    ws.views.set_frame(crosshair_ras=middle, center_ras=middle)
    view = grid.views[0]
    QApplication.processEvents()
    painted = PaintWatch(view)
    grid.spine.drag("1", middle + np.array((1, 0, 0)))
    QApplication.processEvents()
    painted.rects.clear()
    grid.spine.drag("1", middle + np.array((2, 0, 0)))
    QApplication.processEvents()
    grid.spine.drag("1", middle + np.array((20, 0, 0)))
    QApplication.processEvents()
    *_, rect = painted.rects
    assert 0 < rect.width() * rect.height() < view.width() * view.height() / 3
    for away in (2, 20):  # where it was, and where it is
        assert rect.contains(view.pos_of(middle + np.array((away, 0, 0))).toPoint())
    painted.rects.clear()
    grid.spine.drag("2", np.array((62.0, 60.0, 90.0)))  # 30 mm from the slice of the view
    QApplication.processEvents()
    painted.rects.clear()
    grid.spine.drag("2", np.array((64.0, 60.0, 90.0)))
    QApplication.processEvents()
    assert painted.rects == []


def test_a_centroid_that_is_deleted_while_it_is_dragged_is_gone(ws, layer):
    replace_centroids(ws, "Take centroids", spine())
    layer.drag("2", np.array((3.0, 0.0, 0.0)))
    remove_centroid(ws, "2")
    layer.drag("2", np.array((4.0, 0.0, 0.0)))
    layer.drop()
    assert "2" not in layer.centroids
    assert not layer.is_dragging


class PaintWatch(QObject):
    """Notes what a widget paints."""

    def __init__(self, widget) -> None:
        super().__init__(widget)
        self.rects = []
        widget.installEventFilter(self)

    def eventFilter(self, widget, event) -> bool:
        if event.type() == QEvent.Paint:
            self.rects.append(event.rect())
        return False


def test_a_centroid_kilometres_away_costs_no_time(ws, layer, qtbot):
    """Files may hold such; the line is drawn where it is seen."""
    centroids = spine()
    centroids["9"] = Centroid("L2", (0.0, 0.0, -2.0e9))
    replace_centroids(ws, "Take centroids", centroids)
    strip = SpineStrip(ws, layer)
    qtbot.addWidget(strip)
    strip.resize(600, 500)
    pane = strip.panes[0]
    strip.view.height_mm = 0.0
    assert len(pane._line()) < 10_000
    assert strip.grab().width() == 600
