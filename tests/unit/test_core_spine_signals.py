"""Signals of a model along the spine: what they say, and that they survive being packed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.body_probe import ball_hu, neighbour_distances
from labeler.core.geometry import Grid
from labeler.core.landmarks import Centroid
from labeler.core.spine_signals import Seen, SpineSignals, signals_by_number


def bumps(at: dict[str, int], n: int = 120) -> np.ndarray:
    """A bump of a signal for each level, uint8 ``(levels, n)``."""
    where = np.arange(n)
    rows = [np.exp(-(((where - middle) / 5.0) ** 2)) for middle in at.values()]
    return (255 * np.array(rows)).astype(np.uint8)


AT = {"T11": 20, "T12": 48, "L1": 79}
LINE = np.stack([np.zeros(120), np.zeros(120), 60.0 - np.arange(120)], axis=1)
SEEN = tuple(Seen(level, point) for level, point in AT.items())
OTHERS = (Seen("T11", 49), Seen("T12", 78))


@pytest.fixture
def signals() -> SpineSignals:
    return SpineSignals(tuple(AT), LINE, bumps(AT), SEEN, OTHERS, 0.94)


def test_peaks_are_where_some_level_fits_best(signals):
    assert signals.peaks == (20, 48, 79)
    assert signals.best_at(48)[0] == ("T12", 1.0)
    assert signals.best_at(110) == []
    assert signals.at(SEEN[2]) == 1.0
    assert signals.of("L1").argmax() == 79


def test_a_peak_at_the_end_of_the_line_counts():
    signals = SpineSignals(("T11",), LINE, bumps({"T11": 0}), ())
    assert signals.peaks == (0,)


def test_the_runner_up_names_the_same_vertebrae_otherwise(signals):
    assert [signals.other_name(seen) for seen in SEEN] == ["", "T11", "T12"]
    assert signals.is_close
    assert signals.other_name(Seen("L1", 100)) == ""


def test_signals_survive_being_packed(signals):
    there = SpineSignals.from_value(json.loads(json.dumps(signals.to_value())))
    assert (there.levels, there.chosen, there.runner_up) == (tuple(AT), SEEN, OTHERS)
    assert there.runner_up_share == 0.94
    np.testing.assert_array_equal(there.values, signals.values)
    np.testing.assert_allclose(there.line_ras, signals.line_ras, atol=1e-3)
    assert len(json.dumps(signals.to_value())) < 4000


@pytest.mark.parametrize(
    "change",
    [
        {"levels": ["T11", "T12", "XX"]},
        {"levels": ["T11", "T12"]},
        {"chosen": [["L5", 3]]},
        {"chosen": [["T11", 120]]},
        {"chosen": [["T11", -1]]},
        {"line_ras": ""},
        {"values": "AAAA"},
        {"values": "not base64"},
        {"runner_up": None},
    ],
)
def test_what_is_damaged_is_refused(signals, change):
    with pytest.raises((ValueError, KeyError, TypeError)):
        SpineSignals.from_value({**signals.to_value(), **change})


def test_points_that_are_no_numbers_are_refused(signals):
    line = LINE.copy()
    line[3, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        SpineSignals(tuple(AT), line, bumps(AT), SEEN)


def test_levels_come_by_their_verse_numbers():
    signals = signals_by_number((18, 19, 20), LINE, bumps(AT), [(19, 48)], [], 0.0)
    assert signals.levels == tuple(AT)
    assert signals.chosen == (Seen("T12", 48),)
    with pytest.raises(KeyError):
        signals_by_number((99,), LINE, bumps({"T11": 3}), [], [], 0.0)


# --- what is measured at a centroid


@settings(max_examples=25, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.5, 3.0)] * 3),
    place=st.tuples(*[st.floats(12.0, 25.0)] * 3),
    radius=st.floats(3.5, 8.0),
)
def test_a_ball_holds_the_voxels_within_its_radius(spacing, place, radius):
    shape = tuple(int(40 / s) for s in spacing)
    grid = Grid(shape[::-1], np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))
    values = np.random.default_rng(0).integers(-50, 300, shape[::-1]).astype(np.int16)
    centre = (-place[0], -place[1], place[2])
    ijk = np.stack(np.indices(shape), axis=-1)
    inside = np.linalg.norm(grid.to_ras(ijk) - centre, axis=-1) <= radius
    expected = values.transpose(2, 1, 0)[inside]
    found = ball_hu(values, grid, centre, radius)
    assert found is not None
    assert found.voxels == inside.sum()
    assert found.mean_hu == pytest.approx(expected.mean())
    assert found.sd_hu == pytest.approx(expected.std())


def test_a_ball_beside_the_image_holds_nothing():
    grid = Grid((10, 10, 10), np.diag([-1.0, -1.0, 1.0, 1.0]))
    values = np.zeros((10, 10, 10), np.int16)
    assert ball_hu(values, grid, (200.0, 0.0, 0.0)) is None
    assert ball_hu(values, grid, (5.9, 0.0, 0.0), 5.0) is None


def test_distances_go_to_the_neighbours_only():
    spine = {
        str(n): Centroid(level, (0.0, 3.0 * n, 90.0 - 30.0 * n))
        for n, level in enumerate(("T11", "T12", "L1"))
    }
    expected = pytest.approx(np.hypot(3, 30))
    assert neighbour_distances(spine, "1") == [("T11", expected), ("L1", expected)]
    assert neighbour_distances(spine, "0") == [("T12", expected)]
    assert neighbour_distances({"0": spine["0"]}, "0") == []
