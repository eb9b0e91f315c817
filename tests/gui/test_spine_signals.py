"""The signals of a vertebra model beside the pictures along the spine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor
from PyQt5.QtTest import QTest

from labeler.core.body_probe import ball_hu
from labeler.core.landmarks import Centroid
from labeler.core.spine_signals import SpineSignals
from labeler.state.strip_view import StripView
from labeler.ui.commands import Commands
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_probe import Probe
from labeler.ui.spine_signals_pane import SignalPane
from labeler.ui.spine_strip import NO_SIGNALS, SIGNALS_FROM_PX, SpineStrip
from labeler.ui.style import ACCENT, scaled
from labeler.workflows.correct_landmarks import rename_centroid, replace_centroids
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import make_workspace, open_case
from tests.unit.test_core_spine_signals import AT, LINE, OTHERS, SEEN, bumps
from tests.unit.test_review_proposal import RUN, make_proposal

#: The spine runs through the middle of the image.
SIGNALS = SpineSignals(tuple(AT), LINE, bumps(AT), SEEN, OTHERS, 0.94)


@pytest.fixture
def ws(tmp_path, qtbot):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    ws.perspective.choose("spine")
    found = {
        level: Centroid(level, tuple(LINE[AT[level]].tolist()), 0.9) for level in ("T11", "T12")
    }
    replace_centroids(ws, "Take centroids", found)
    yield ws
    ws.tasks.shutdown()


def propose(ws, signals=SIGNALS, family="vertebra") -> None:
    run = replace(RUN, family=family)
    ws.session.proposals.show(replace(make_proposal(), run=run, signals=signals), {})


@pytest.fixture
def pane(ws, qtbot):
    view = StripView()
    view.height_mm, view.mm_per_px = 0.0, 0.25
    pane = SignalPane(ws, SpineLayer(ws), view)
    pane.view = view
    qtbot.addWidget(pane)
    pane.resize(pane.sizeHint().width(), 600)
    pane.show()
    return pane


def click(pane, point: int) -> None:
    at = pane.place_of(SIGNALS, point, 0.5)
    QTest.mouseClick(pane, Qt.LeftButton, Qt.NoModifier, at.toPoint())


def test_a_click_on_a_peak_selects_the_vertebra_there(ws, pane):
    propose(ws)
    click(pane, AT["T12"])
    assert ws.spine.key == "T12"
    click(pane, AT["T11"] + 3)
    assert ws.spine.key == "T11"


def test_a_click_on_a_peak_without_a_centroid_shows_the_place(ws, pane):
    propose(ws)
    ws.spine.select("T11")
    click(pane, AT["L1"])
    assert ws.spine.key == "T11"
    np.testing.assert_allclose(ws.views.crosshair_ras, LINE[AT["L1"]])


def test_a_click_far_from_all_peaks_does_nothing(ws, pane):
    propose(ws)
    before = ws.views.crosshair_ras
    click(pane, 119)
    assert ws.spine.key is None
    np.testing.assert_array_equal(ws.views.crosshair_ras, before)


def test_peaks_stand_at_the_heights_of_the_pictures(ws, pane):
    propose(ws)
    for point in AT.values():
        height = pane.height() / 2 + (0.0 - LINE[point, 2]) / 0.25
        assert pane.place_of(SIGNALS, point, 1.0).y() == pytest.approx(height)
        image = pane.grab().toImage()
        at = pane.place_of(SIGNALS, point, 1.0).toPoint()
        mark = np.array(image.pixelColor(at).getRgb()[:3])  # of what was chosen
        assert np.abs(mark - QColor(ACCENT).getRgb()[:3]).max() < 20


def test_what_was_seen_moves_with_its_phase(ws, pane):
    propose(ws)
    before = pane.place_of(SIGNALS, AT["L1"], 1.0).y()
    shift_phase(ws, "PV", (0.0, 3.0, 5.0))
    assert pane.place_of(SIGNALS, AT["L1"], 1.0).y() == pytest.approx(before - 5.0 / 0.25)
    click(pane, AT["L1"])
    assert ws.views.crosshair_ras == pytest.approx(LINE[AT["L1"]] + (0.0, 3.0, 5.0))
    click(pane, AT["T12"])
    assert ws.spine.key == "T12", "the centroid has moved as well"
    ws.session.undo()
    assert pane.place_of(SIGNALS, AT["L1"], 1.0).y() == pytest.approx(before)


def test_the_runner_up_is_named_only_where_it_is_close(ws, pane):
    propose(ws)
    amber = count_amber(pane)
    assert amber > 0
    propose(ws, replace(SIGNALS, runner_up=(), runner_up_share=0.0))
    assert count_amber(pane) == 0
    propose(ws, replace(SIGNALS, runner_up_share=0.4))
    assert 0 < count_amber(pane) < amber  # ticks, no names


def count_amber(pane) -> int:
    """Pixels that are more red than blue: nothing else in the pane is."""
    image = pane.grab().toImage()
    colours = (image.pixelColor(x, y) for y in range(image.height()) for x in range(image.width()))
    return sum(colour.red() - colour.blue() > 60 for colour in colours)


# --- when it is shown


@pytest.fixture
def strip(ws, qtbot):
    strip = SpineStrip(ws, SpineLayer(ws))
    qtbot.addWidget(strip)
    strip.resize(scaled(SIGNALS_FROM_PX) + 40, 500)
    strip.show()
    return strip


def test_it_is_there_with_signals_and_room(ws, strip):
    assert not strip.shows_signals
    propose(ws)
    assert strip.shows_signals
    strip.resize(scaled(SIGNALS_FROM_PX) - 40, 500)
    assert not strip.shows_signals
    strip.toggle_signals()  # asked for, it is shown in a narrow window, too
    assert strip.shows_signals
    strip.toggle_signals()
    assert not strip.shows_signals
    ws.session.proposals.clear()
    assert not strip.shows_signals


def test_without_signals_it_says_how_to_get_them(ws, strip):
    with pytest.raises(EditRefused, match="run the vertebra model"):
        strip.toggle_signals()
    propose(ws, family="liver")
    with pytest.raises(EditRefused) as refused:
        strip.toggle_signals()
    assert str(refused.value) == NO_SIGNALS
    assert not strip.shows_signals
    assert Commands({}).keys("spine.signals") == ("G",)


# --- what is measured at the selected vertebra


def test_the_selected_vertebra_is_measured(ws):
    probe = Probe(ws, SpineLayer(ws))
    assert probe.lines() == ()
    ws.spine.select("T12")
    name, distances, hu = probe.lines()
    assert name == "T12 · 0.90"
    assert distances == "to T11 28.0 mm"
    assert hu == "10 mm ball 100 ± 0 HU"


def test_distances_follow_a_drag(ws):
    layer = SpineLayer(ws)
    probe = Probe(ws, layer)
    ws.spine.select("T12")
    layer.drag("T12", layer.ras("T12") - (0, 0, 2))
    assert probe.lines()[1] == "to T11 30.0 mm"
    layer.drag("T12", np.array((900.0, 0.0, 0.0)))
    assert len(probe.lines()) == 2  # no voxel there


def test_hu_are_measured_once_for_each_place(ws, monkeypatch):
    measured = []

    def ball(*args):
        measured.append(args)
        return ball_hu(*args)

    monkeypatch.setattr("labeler.ui.spine_probe.ball_hu", ball)
    layer = SpineLayer(ws)
    probe = Probe(ws, layer)
    ws.spine.select("T12")
    before = probe.lines()
    rename_centroid(ws, "T12", "l2")
    assert probe.lines()[0] == "L2"
    assert probe.lines()[2] == before[2]
    assert len(measured) == 1
    layer.drag("T12", layer.ras("T12") - (0, 0, 2))
    probe.lines()
    assert len(measured) == 2
