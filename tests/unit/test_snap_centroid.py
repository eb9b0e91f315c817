"""A centroid snaps to the model's centre where there is one, and to the bone otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from labeler.core.bone_centre import seen_centre
from labeler.core.landmarks import Centroid
from labeler.core.spine_signals import Seen, SpineSignals
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.place_centroids import snap_centroid
from labeler.workflows.shift_phase import shift_phase
from labeler.workflows.spine_findings import centroids_of
from tests.case_world import make_workspace, open_case
from tests.model_world import settle
from tests.unit.test_review_proposal import make_proposal

CENTRES = np.array([[0.0, 0.0, 4.0], [1.0, -3.0, 30.0], [40.0, 0.0, 0.0]])
LIKELY = np.array([0.9, 0.6, 0.95])


def near(start, likely=LIKELY, gap_mm=30.0):
    return seen_centre(CENTRES, likely, start, gap_mm=gap_mm)


def test_the_centre_around_a_point_is_found_and_no_other():
    assert near((2.0, 1.0, 0.0)) == (0.0, 0.0, 4.0)
    assert near((0.0, 0.0, 27.0)) == (1.0, -3.0, 30.0)
    assert near((0.0, 0.0, 17.0)) is None  # half way to the next lies a disc
    assert near((0.0, 0.0, -40.0)) is None
    assert near((0.0, 0.0, 4.0), likely=np.array([0.1, 0.9, 0.9])) is None
    assert seen_centre(np.zeros((0, 3)), np.zeros(0), (0, 0, 0), gap_mm=30.0) is None


def test_a_much_surer_centre_wins_over_a_slightly_nearer_one():
    centres = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, -4.0]])
    assert seen_centre(centres, np.array([0.25, 0.9]), (0, 0, 0), gap_mm=30.0) == (0, 0, -4.0)
    assert seen_centre(centres, np.array([0.88, 0.9]), (0, 0, 0), gap_mm=30.0) == (0, 0, 3.0)


@pytest.fixture
def ws(qtbot, tmp_path):
    made = make_workspace(tmp_path)
    open_case(made, tmp_path)
    replace_centroids(made, "Read", {"1": Centroid("L1", (2.0, 1.0, 0.0))})
    yield made
    made.tasks.shutdown()


def show_signals(ws):
    """A proposal of a model that sees two bodies and one far away."""
    line = np.stack([np.zeros(60), np.zeros(60), -np.arange(60.0)], axis=1)
    signals = SpineSignals(
        ("L1",), line, np.zeros((1, 60), np.uint8), (Seen("L1", 3),), (), 0.0, CENTRES, LIKELY
    )
    ws.session.proposals.show(replace(make_proposal(), signals=signals), {})


def place(ws):
    return centroids_of(ws.session)["1"].position_ras


def test_the_model_comes_first_and_the_bone_at_the_second_press(ws, qtbot):
    show_signals(ws)
    said = []
    snap_centroid(ws, "1", said.append)
    assert place(ws) == (0.0, 0.0, 4.0)
    assert said == ["L1 is at the model's centre; once more for the middle of the bone"]
    snap_centroid(ws, "1", said.append)
    settle(ws=ws, qtbot=qtbot)
    assert "model" not in said[-1]
    assert ws.session.undo().name.startswith("Snap L1 to")


def test_a_shift_of_the_phase_changes_no_place(ws):
    """Centroids and centres lie where the scanner saw them; both are shown with the phase."""
    show_signals(ws)
    shift_phase(ws, "PV", (0.0, 0.0, 2.0))
    snap_centroid(ws, "1", [].append)
    assert place(ws) == (0.0, 0.0, 4.0)


def test_without_a_model_the_bone_is_looked_for(ws, qtbot):
    said = []
    snap_centroid(ws, "1", said.append)
    settle(ws=ws, qtbot=qtbot)
    assert len(said) == 1
    assert "model" not in said[0]
    with pytest.raises(EditRefused, match="Select a vertebra"):
        snap_centroid(ws, "9", said.append)
