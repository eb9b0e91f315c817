"""Correcting centroids by mouse and keys, with every stroke counted."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor, QImage
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget

from labeler.core.landmarks import from_above
from labeler.core.vertebrae import next_level
from labeler.offscreen import snapshot
from labeler.state.perspective import SPINE
from labeler.ui import formats
from labeler.ui.command_table import COMMANDS
from labeler.ui.style import ACCENT
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.shift_phase import shift_phase
from labeler.workflows.spine_findings import centroids_of
from tests.cases_on_disk import write_case
from tests.gui.view_world import drag, move, press, release
from tests.scenarios.conftest import stop
from tests.spine_on_disk import LEVELS, write_spine


class Annotator:
    """Corrects one case; counts presses of keys and clicks."""

    def __init__(self, user) -> None:
        self.user = user
        self.strokes = 0

    @property
    def ws(self):
        return self.user.program.ws

    @property
    def strip(self):
        return self.user.program.spine.strip

    @property
    def centroids(self):
        return centroids_of(self.ws.session)

    @property
    def levels(self) -> list[str]:
        return [self.centroids[key].level for key in from_above(self.centroids)]

    @property
    def selected(self) -> str | None:
        key = self.ws.spine.key
        return None if key is None else self.centroids[key].level

    def key_of(self, level: str) -> str:
        return next(key for key, c in self.centroids.items() if c.level == level)

    def open(self, root, case_id: str) -> None:
        self.user.open(root)
        self.user.click_case(case_id)
        self.settle()

    def settle(self) -> None:
        QApplication.processEvents()
        self.user.wait(lambda: not self.ws.tasks.is_pending_where(_is_spine))
        self.user.wait(lambda: not self.strip.isVisible() or self.strip.is_current)
        QApplication.processEvents()

    def press(self, *keys, modifier=Qt.NoModifier) -> None:
        """Press keys, wherever the keyboard goes."""
        QApplication.setActiveWindow(self.user.program.window)
        for key in keys:
            where = QApplication.focusWidget()
            assert where is not None, "nothing has the keyboard"
            QTest.keyClick(where, key, modifier)
            QApplication.processEvents()
            self.strokes += 1
        self.settle()

    def pane(self, name: str) -> QWidget:
        return self.user.widget(name)

    def click(self, widget: QWidget, pos: QPointF) -> None:
        move(widget, pos)
        press(widget, pos)
        release(widget, pos)
        self.strokes += 1
        self.settle()

    def click_level(self, level: str) -> None:
        """Click a centroid in the sagittal picture."""
        pane = self.pane("spineSagittal")
        self.click(pane, pane.pos_of(np.array(self.centroids[self.key_of(level)].position_ras)))

    def focus(self) -> None:
        """The pointer is over the pictures, as it always is: the keyboard is there."""
        self.pane("spineSagittal").setFocus()


def _is_spine(key) -> bool:
    return isinstance(key, tuple) and key[0] == "spine"


@pytest.fixture
def annotator(user):
    return Annotator(user)


@pytest.fixture
def opened(annotator, tmp_path):
    """A case that is right."""
    annotator.truth = write_spine(tmp_path, "SP-1")
    annotator.open(tmp_path, "SP-1")
    annotator.focus()
    return annotator


def open_wrong(annotator, tmp_path, names) -> None:
    annotator.truth = write_spine(tmp_path, "SP-1", names)
    annotator.open(tmp_path, "SP-1")
    annotator.focus()
    annotator.strokes = 0


# --- the three corrections


def test_a_sequence_off_by_one_takes_one_key(annotator, tmp_path):
    open_wrong(annotator, tmp_path, {level: next_level(level) for level in LEVELS})
    assert annotator.levels == ["T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    annotator.press(Qt.Key_Up, modifier=Qt.AltModifier)
    assert annotator.levels == list(LEVELS)
    assert annotator.strokes <= 2
    assert annotator.ws.session.history.undo_name == "Shift 9 levels up by 1"


def test_one_that_is_missing_takes_a_key_and_a_click(annotator, tmp_path):
    following = {level: next_level(level, -1) for level in LEVELS[5:]}
    open_wrong(annotator, tmp_path, {"T12": None, **following})
    assert annotator.levels == ["T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3"]
    annotator.press(Qt.Key_2)
    pane = annotator.pane("spineSagittal")
    annotator.click(pane, pane.pos_of(annotator.truth["T12"]))
    assert annotator.strokes <= 3
    assert annotator.levels == list(LEVELS), "those below are counted on"
    placed = annotator.centroids[annotator.ws.spine.key]
    assert placed.level == "T12"
    assert math.dist(placed.position_ras, annotator.truth["T12"]) < 2.0
    annotator.press(Qt.Key_Z, modifier=Qt.ControlModifier)
    assert len(annotator.levels) == 8


def test_one_that_is_missing_is_inserted_between_two_by_keys(annotator, tmp_path):
    open_wrong(annotator, tmp_path, {"T12": None})
    assert annotator.selected == "T11", "the case opens at what is doubtful"
    annotator.press(Qt.Key_I, Qt.Key_B)
    assert annotator.strokes <= 3
    assert annotator.levels == list(LEVELS)
    place = annotator.centroids[annotator.key_of("T12")].position_ras
    assert math.dist(place, annotator.truth["T12"]) < 1.5


def test_two_that_were_swapped_take_two_keys(annotator, tmp_path):
    open_wrong(annotator, tmp_path, {"T10": "T11", "T11": "T10"})
    annotator.ws.spine.select(annotator.key_of("L3"))
    annotator.press(Qt.Key_N, Qt.Key_E)
    assert annotator.strokes <= 2
    assert annotator.levels == list(LEVELS)
    assert "fine" in annotator.user.program.spine.checks.sentences()[-1]


# --- names


def test_a_level_is_typed_over_the_selected_vertebra(opened):
    opened.click_level("T11")
    width = opened.strip.width()
    opened.press(Qt.Key_T, Qt.Key_1)
    assert opened.strip.width() == width, "the field lies over the pictures"
    field = opened.user.widget("levelField")
    assert field.isVisible()
    assert field.text() == "t1", "t1 may become t10, t11, t12 or t13: it waits"
    opened.press(Qt.Key_2)
    assert not field.isVisible()
    assert opened.levels.count("T12") == 2
    assert opened.ws.session.history.undo_name == "Rename T11 to T12"
    assert any("T12 is there 2 times" in s for s in opened.user.program.spine.checks.sentences())
    opened.press(Qt.Key_Z, modifier=Qt.ControlModifier)
    assert opened.levels == list(LEVELS)


def test_letters_are_no_commands_while_a_level_is_typed(opened):
    opened.click_level("L2")
    before = opened.ws.views.masks_visible, opened.ws.selection.tool
    opened.press(Qt.Key_L, Qt.Key_4)
    assert opened.levels.count("L4") == 2
    opened.press(Qt.Key_S, Qt.Key_1)
    assert opened.levels.count("S1") == 1
    assert (opened.ws.views.masks_visible, opened.ws.selection.tool) == before
    opened.press(Qt.Key_T, Qt.Key_1, Qt.Key_Escape)
    assert "T1" not in opened.levels
    opened.press(Qt.Key_T, Qt.Key_1, Qt.Key_Down)
    assert "T1" in opened.levels, "an arrow takes what is typed and goes on"
    assert opened.selected == "L3"


def test_only_levels_can_be_typed(opened):
    opened.click_level("L2")
    opened.press(Qt.Key_L, Qt.Key_9, Qt.Key_X)
    assert opened.user.widget("levelField").text() == "l"
    opened.press(Qt.Key_Return)
    assert opened.levels == list(LEVELS)


def test_nothing_is_typed_without_a_vertebra(opened):
    opened.ws.spine.select(None)
    with opened.user.qtbot.waitSignal(opened.user.program.spine.said) as said:
        opened.press(Qt.Key_T)
    assert "Select a vertebra first" in said.args[0]
    assert not opened.user.widget("levelField").isVisible()


def test_all_are_counted_from_one_that_is_known(opened):
    opened.click_level("T12")
    opened.press(Qt.Key_R, Qt.Key_L, Qt.Key_2)
    assert opened.levels == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]


def test_a_level_is_skipped_and_a_rare_one_counted(opened):
    opened.click_level("T12")
    opened.press(Qt.Key_Down, modifier=Qt.AltModifier | Qt.ShiftModifier)
    assert opened.levels == ["T8", "T9", "T10", "T11", "L1", "L2", "L3", "L4", "L5"]
    opened.press(Qt.Key_I, modifier=Qt.ShiftModifier)
    assert opened.levels == ["T8", "T9", "T10", "T11", "T13", "L1", "L2", "L3", "L4"]
    opened.press(Qt.Key_Up, modifier=Qt.ControlModifier | Qt.ShiftModifier)
    assert opened.levels[:5] == ["T7", "T8", "T9", "T10", "T12"]


def test_arrows_go_from_level_to_level_and_delete_deletes(opened):
    opened.click_level("T9")
    opened.press(Qt.Key_Down, Qt.Key_Down)
    assert opened.selected == "T11"
    place = np.array(opened.centroids[opened.ws.spine.key].position_ras)
    assert opened.ws.views.crosshair_ras == pytest.approx(place), "the views follow"
    opened.press(Qt.Key_Delete)
    assert "T11" not in opened.levels
    assert opened.selected == "T12"
    opened.press(Qt.Key_Z, modifier=Qt.ControlModifier)
    assert opened.selected == "T11", "what came back is shown"


# --- places


def test_a_centroid_is_dragged_in_the_strip(opened):
    pane = opened.pane("spineCoronal")
    key = opened.key_of("L1")
    before = np.array(opened.centroids[key].position_ras)
    start = pane.pos_of(before)
    press(pane, start)
    move(pane, start + QPointF(10, 4), buttons=Qt.LeftButton)
    assert opened.centroids[key].position_ras == pytest.approx(tuple(before)), "not yet"
    shown = opened.user.program.views.spine.ras(key)
    mm = opened.strip.view.mm_per_px
    assert shown[0] == pytest.approx(before[0] - 10 * mm, abs=0.05), "left on the screen is Right"
    assert shown[2] == pytest.approx(before[2] - 4 * mm, abs=0.05)
    release(pane, start + QPointF(10, 4))
    opened.settle()
    assert opened.centroids[key].position_ras == pytest.approx(tuple(shown))
    assert opened.ws.session.history.undo_name == "Move L1"
    opened.press(Qt.Key_Z, modifier=Qt.ControlModifier)
    assert opened.centroids[key].position_ras == pytest.approx(tuple(before))


def test_a_centroid_is_dragged_in_a_slice(opened):
    opened.click_level("T12")
    view, key = opened.user.view(0), opened.key_of("T12")
    before = np.array(opened.centroids[key].position_ras)
    start = view.pos_of(before)
    drag(view, start, start + QPointF(12, 0), start + QPointF(20, -8))
    opened.settle()
    mm = opened.ws.views.mm_per_px
    after = np.array(opened.centroids[key].position_ras)
    assert after - before == pytest.approx(np.array((-20 * mm, 8 * mm, 0.0)), abs=0.05)
    assert opened.ws.session.history.undo_name == "Move T12"


def test_centroids_stay_on_the_bone_when_their_phase_is_shifted(opened):
    pane, key = opened.pane("spineSagittal"), opened.key_of("L1")
    stored, shift = np.array(opened.centroids[key].position_ras), np.array((3.0, 6.0, -9.0))
    shift_phase(opened.ws, "PV", shift)
    opened.settle()
    layer = opened.user.program.views.spine
    assert layer.ras(key) == pytest.approx(stored + shift)
    assert opened.centroids[key].position_ras == pytest.approx(tuple(stored)), "files as before"
    at = pane.picture.plane.to_pixels(layer.ras(key))
    body = pane.picture.image_hu[tuple(np.round(at).astype(int))]
    assert body > 200, "the picture was drawn where the phase is now"
    start = pane.pos_of(layer.ras(key))
    drag(pane, start, start + QPointF(0, 4), start + QPointF(0, 8))
    opened.settle()
    down = np.array((0.0, 0.0, -8 * opened.strip.view.mm_per_px))
    moved = np.array(opened.centroids[key].position_ras) - stored
    assert moved[1:] == pytest.approx(down[1:], abs=0.5), "by the drag alone"
    opened.press(Qt.Key_2)
    view, beside = opened.user.view(0), np.array((30.0, 0.0, 0.0))
    opened.click(view, view.pos_of(opened.ws.views.crosshair_ras + beside))
    new = np.array(opened.centroids[opened.ws.spine.key].position_ras)
    assert layer.ras(opened.ws.spine.key) == pytest.approx(new + shift)
    assert opened.ws.views.crosshair_ras == pytest.approx(new + shift)


def test_without_centroids_the_pictures_follow_a_shift_too(annotator, tmp_path):
    open_wrong(annotator, tmp_path, dict.fromkeys(LEVELS))
    annotator.ws.perspective.choose(SPINE)
    annotator.settle()
    top = annotator.strip.panes[0].picture.plane.top_mm
    shift_phase(annotator.ws, "PV", (0.0, 0.0, -20.0))
    annotator.settle()
    assert annotator.strip.panes[0].picture.plane.top_mm == pytest.approx(top - 20.0)


def test_escape_gives_a_drag_up(opened):
    before = dict(opened.centroids)
    pane = opened.pane("spineSagittal")
    start = pane.pos_of(np.array(opened.centroids[opened.key_of("T10")].position_ras))
    press(pane, start)
    move(pane, start + QPointF(15, 0), buttons=Qt.LeftButton)
    opened.press(Qt.Key_Escape)
    release(pane, start + QPointF(15, 0))
    opened.click_level("T10")
    view = opened.user.view(1)
    start = view.pos_of(opened.truth["T10"])
    press(view, start)
    move(view, start + QPointF(25, 0), buttons=Qt.LeftButton)
    view.setFocus()
    opened.press(Qt.Key_Escape)
    release(view, start + QPointF(25, 0))
    assert opened.centroids == before
    assert opened.ws.session.history.undo_name is None


def test_a_centroid_off_the_bone_snaps_into_it(opened):
    opened.click_level("L2")
    view, key = opened.user.view(0), opened.key_of("L2")
    start = view.pos_of(opened.truth["L2"])
    drag(view, start, start + QPointF(12, 3), start + QPointF(12, 9))
    assert math.dist(opened.centroids[key].position_ras, opened.truth["L2"]) > 2.0
    opened.focus()
    opened.press(Qt.Key_B)
    assert math.dist(opened.centroids[key].position_ras, opened.truth["L2"]) < 1.5
    assert opened.ws.session.history.undo_name == "Snap L2 to bone"


def test_a_spine_is_marked_from_nothing(annotator, tmp_path):
    open_wrong(annotator, tmp_path, dict.fromkeys(LEVELS))
    user = annotator.user
    user.key(Qt.Key_F4)
    annotator.settle()
    assert user.widget("spineHint").isVisible()
    assert annotator.pane("spineSagittal").picture.is_projection
    annotator.focus()
    annotator.press(Qt.Key_2)
    for level in ("T12", "L1", "L2"):
        pane = annotator.pane("spineSagittal")
        annotator.click(pane, pane.pos_of(annotator.truth[level]))
        annotator.press(Qt.Key_B)
    annotator.press(Qt.Key_R, Qt.Key_L, Qt.Key_2)
    assert annotator.levels == ["T12", "L1", "L2"]
    assert not user.widget("spineHint").isVisible()
    for level in annotator.levels:
        place = annotator.centroids[annotator.key_of(level)].position_ras
        assert math.dist(place, annotator.truth[level]) < 3.5


# --- doubts


def test_the_next_doubt_is_one_key_away(annotator, tmp_path):
    open_wrong(annotator, tmp_path, {"T9": None, "L2": None})
    assert annotator.selected == "T8"
    annotator.press(Qt.Key_N)
    assert annotator.selected == "L1"
    annotator.press(Qt.Key_N)
    assert annotator.selected == "T8", "and around"
    annotator.press(Qt.Key_N, modifier=Qt.ShiftModifier)
    assert annotator.selected == "L1"


def test_enter_keeps_what_the_model_doubted_and_goes_on(opened):
    doubted = {"T9": ("weak signal",), "T12": ("another chain is near",), "L1": ("weak signal",)}
    flagged = {
        key: replace(c, confidence=0.4, flags=doubted.get(c.level, ()))
        for key, c in opened.centroids.items()
    }
    replace_centroids(opened.ws, "Take centroids", flagged)
    opened.ws.spine.select(opened.key_of("T8"))
    opened.press(Qt.Key_N)
    assert opened.selected == "T9"
    opened.press(Qt.Key_Return)
    assert opened.selected == "T12", "L1, of which the model said the same, is settled with T9"
    assert opened.ws.session.history.undo_name == "Keep T9"
    opened.press(Qt.Key_Return)
    assert [s for s in opened.user.program.spine.checks.sentences() if "fine" not in s] == []
    opened.press(Qt.Key_Z, modifier=Qt.ControlModifier)
    assert opened.centroids[opened.key_of("T12")].flags == ("another chain is near",)


def test_every_key_of_the_perspective_stands_in_the_guide():
    page = Path("docs/centroids.md").read_text("utf-8")
    for command in COMMANDS:
        if command.menu == "Spine" and command.keys:
            assert len(command.tip) > 15, command.id
            assert f"`{formats.key_text(command.keys[0])}`" in page, command.id


def test_read_only_is_said_and_changes_nothing(opened):
    opened.ws.session.read_only_reason = "Somebody else has it open"
    before = dict(opened.centroids)
    said: list[str] = []
    opened.user.program.spine.said.connect(said.append)
    opened.click_level("T10")
    pane = opened.pane("spineSagittal")
    start = pane.pos_of(opened.truth["T10"])
    drag(pane, start, start + QPointF(30, 0), start + QPointF(30, 5))
    opened.press(Qt.Key_Up, modifier=Qt.AltModifier)
    assert opened.centroids == before
    assert len(said) == 2


# --- the perspective


def test_a_case_with_centroids_and_no_masks_opens_in_the_spine_perspective(opened):
    assert opened.ws.perspective.name == "spine"
    assert opened.user.widget("spineStrip").isVisible()
    assert opened.user.widget("levelList").isVisible()
    assert not opened.user.widget("regionList").isVisible()
    assert not opened.user.view(2).isVisible()
    opened.user.key(Qt.Key_F2)
    assert not opened.user.widget("spineStrip").isVisible()
    assert opened.user.widget("regionList").isVisible()
    assert opened.user.view(3).isVisible()


def test_going_there_and_back_leaves_everything_as_it_was(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    ws = user.program.ws
    user.key(Qt.Key_3)
    before = (
        list(ws.views.panes),
        {phase: ws.views.window(phase) for phase in ws.session.volumes},
        {name: entry.mask.revision for name, entry in ws.session.masks.items()},
        ws.selection.tool,
        ws.session.history.undo_name,
        dict(ws.settings.data.windows.phases),
        list(ws.settings.data.views.phases),
    )
    user.key(Qt.Key_F4)
    user.wait(user.program.has_settled)
    assert ws.views.panes[0] != before[0][0]
    assert ws.selection.tool == "tool.centroid"
    assert not user.program.commands.action("region.delete").shortcuts()
    user.key(Qt.Key_F2)
    assert before == (
        list(ws.views.panes),
        {phase: ws.views.window(phase) for phase in ws.session.volumes},
        {name: entry.mask.revision for name, entry in ws.session.masks.items()},
        ws.selection.tool,
        ws.session.history.undo_name,
        dict(ws.settings.data.windows.phases),
        list(ws.settings.data.views.phases),
    )
    assert user.program.commands.action("region.delete").shortcuts()


def test_the_perspective_is_that_of_the_last_time(start, tmp_path):
    write_spine(tmp_path, "SP-1")
    user = start()
    user.program.show()
    user.open(tmp_path)
    user.click_case("SP-1")
    user.key(Qt.Key_F4)
    user.widget("checksDock").hide()
    stop(user.program)
    again = start()
    again.program.show()
    assert again.program.ws.perspective.name == "spine"
    assert again.widget("levelsDock").isVisible()
    assert not again.widget("checksDock").isVisible(), "its panels are as they were left"
    again.key(Qt.Key_F2)
    assert again.widget("regionsDock").isVisible()


def test_the_snapshot_of_the_command_line_shows_the_spine(tmp_path, qapp):
    write_spine(tmp_path, "SP-1")
    pictures = {}
    for perspective in ("spine", "liver"):
        out = tmp_path / f"{perspective}.png"
        snapshot(
            tmp_path / "images", tmp_path / "masks", (), "SP-1", out, (1366, 768),
            perspective=perspective,
        )  # fmt: skip
        pictures[perspective] = QImage(str(out))
    assert pictures["spine"].size() == pictures["liver"].size()
    assert pictures["spine"] != pictures["liver"]
    accent = QColor(ACCENT).rgb()
    image = pictures["spine"]
    found = [
        (x, y) for x in range(270, 770, 2) for y in range(90, 740, 2) if image.pixel(x, y) == accent
    ]
    assert len(found) > 50, "the line and the dots of the centroids"
