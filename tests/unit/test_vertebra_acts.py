"""Centroids from masks, files and models; masks renamed after centroids: one undo step each."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labeler.core.landmarks import Centroid, from_above
from labeler.core.mask import Mask
from labeler.core.vertebra_masks import relabelling
from labeler.core.vertebrae import NUMBERS, TOTALSEGMENTATOR_NUMBERS
from labeler.state.proposals import PROVENANCE, ModelRun, Proposal, ProposedPoint
from labeler.storage.landmarks import StoredGrid, read_centroids, write_slicer
from labeler.workflows.accept_landmarks import take_landmarks
from labeler.workflows.centroid_files import export_centroids, open_centroids
from labeler.workflows.correct_landmarks import replace_centroids, shift_levels
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.vertebra_mask_acts import centroids_from_mask, relabel_mask
from tests.case_world import make_grid, make_workspace, open_case, plain_order, sphere
from tests.cases_on_disk import write_image

GRID = make_grid((70, 24, 24), (2.0, 2.0, 2.0))
HEIGHTS = {"T11": 50.0, "T12": 20.0, "L1": -12.0, "L2": -45.0}
PLACES = {level: (2.0, -3.0, z) for level, z in HEIGHTS.items()}


class Said(list):
    def __call__(self, sentence):
        self.append(sentence)


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    yield ws
    ws.tasks.shutdown()


def add_mask(ws, numbers, extra=(), levels=HEIGHTS):
    array = np.zeros(GRID.shape_kji, np.uint8)
    for level in levels:
        array[sphere(GRID, PLACES[level], 10.0)] = numbers[level]
    for value, place in extra:
        array[sphere(GRID, place, 8.0)] = value
    ws.session.add_mask(Mask("vert", array, GRID, plain_order(GRID)), None)
    ws.selection.set_mask("vert")
    return ws.session.masks["vert"].mask


def settle(ws, qtbot):
    qtbot.waitUntil(lambda: ws.tasks.pending_count == 0, timeout=30_000)


def spine(names=tuple(HEIGHTS)):
    places = zip(names, PLACES.values(), strict=True)
    return {str(n): Centroid(name, place) for n, (name, place) in enumerate(places)}


def levels(ws):
    centroids = centroids_of(ws.session)
    return [centroids[key].level for key in from_above(centroids)]


@pytest.mark.parametrize(
    ("numbers", "extra"),
    [
        (NUMBERS, []),
        (TOTALSEGMENTATOR_NUMBERS, []),
        # the map of all structures: liver 5, a rib 92
        (TOTALSEGMENTATOR_NUMBERS, [(5, (18.0, 18.0, 0.0)), (92, (-18.0, 18.0, 0.0))]),
    ],
)
def test_centroids_from_a_mask(ws, qtbot, numbers, extra):
    add_mask(ws, numbers, extra)
    said = Said()
    centroids_from_mask(ws, said)
    settle(ws, qtbot)
    assert not said
    assert levels(ws) == list(HEIGHTS)
    for centroid in centroids_of(ws.session).values():
        assert centroid.position_ras == pytest.approx(PLACES[centroid.level], abs=1.0)
        assert centroid.confidence is None
    assert ws.session.undo().name == "Centroids from vert"
    assert not levels(ws)


def test_a_mask_without_vertebrae_is_refused(ws, qtbot):
    add_mask(ws, {"T11": 90, "T12": 91, "L1": 92, "L2": 93})
    said = Said()
    centroids_from_mask(ws, said)
    settle(ws, qtbot)
    assert said == ["The labels of vert are no vertebrae"]
    ws.selection.set_mask(None)
    with pytest.raises(EditRefused, match="mask of the vertebrae"):
        centroids_from_mask(ws, said)


@pytest.mark.parametrize(
    ("name", "numbers", "is_spine"),
    [
        ("draft", {"T12": 1, "L1": 11}, False),  # liver and a lesion
        ("spine", {"T12": 1, "L1": 11}, True),
        ("draft", {"T12": 19, "L1": 20}, True),
        ("draft", {"T12": 20, "L1": 19}, False),
    ],
)
def test_organs_with_the_numbers_of_vertebrae_are_refused(ws, qtbot, name, numbers, is_spine):
    vertebrae = add_mask(ws, numbers, levels=numbers)
    ws.session.add_mask(Mask(name, vertebrae.array, GRID, plain_order(GRID)), None)
    ws.selection.set_mask(name)
    said = Said()
    centroids_from_mask(ws, said)
    settle(ws, qtbot)
    assert bool(levels(ws)) == is_spine
    assert bool(said) != is_spine


@pytest.mark.parametrize("numbers", [NUMBERS, TOTALSEGMENTATOR_NUMBERS])
def test_a_mask_follows_a_shift_of_its_centroids_in_one_step(ws, qtbot, numbers):
    mask = add_mask(ws, numbers)
    before = mask.array.copy()
    replace_centroids(ws, "Read", spine())
    shift_levels(ws, None, "all", 1)
    said = Said()
    relabel_mask(ws, said)
    settle(ws, qtbot)
    assert not said
    for old, new in zip(HEIGHTS, ["T12", "L1", "L2", "L3"], strict=True):
        assert np.array_equal(mask.array == numbers[new], before == numbers[old])
    assert ws.session.undo().name == "Relabel vert to match centroids"
    assert np.array_equal(mask.array, before)


def test_swapped_labels_change_places(ws, qtbot):
    mask = add_mask(ws, NUMBERS)
    before = mask.array.copy()
    replace_centroids(ws, "Read", spine(("T11", "L1", "T12", "L2")))
    relabel_mask(ws, Said())
    settle(ws, qtbot)
    assert np.array_equal(mask.array == NUMBERS["L1"], before == NUMBERS["T12"])
    assert np.array_equal(mask.array == NUMBERS["T12"], before == NUMBERS["L1"])


def test_locked_labels_stay_and_nothing_runs_into_them(ws, qtbot):
    mask = add_mask(ws, NUMBERS)
    before = mask.array.copy()
    replace_centroids(ws, "Read", spine(("T12", "L1", "L2", "L3")))
    ws.selection.set_locked("vert", NUMBERS["L1"], True)
    said = Said()
    relabel_mask(ws, said)
    settle(ws, qtbot)
    # L1 is locked, so T12 cannot become L1, and T11 cannot become T12; L2 is free to become L3
    for level in ("T11", "T12", "L1"):
        assert np.array_equal(mask.array == NUMBERS[level], before == NUMBERS[level])
    assert np.array_equal(mask.array == NUMBERS["L3"], before == NUMBERS["L2"])
    assert "L1 is locked: T12 is left as it is" in said[0]
    assert "T12 is taken by a label that stays: T11 is left as it is" in said[0]


def test_a_locked_label_that_disagrees_is_told(ws, qtbot):
    mask = add_mask(ws, NUMBERS)
    before = mask.array.copy()
    replace_centroids(ws, "Read", spine(("T11", "T12", "L1", "L3")))
    ws.selection.set_locked("vert", NUMBERS["L2"], True)
    said = Said()
    relabel_mask(ws, said)
    settle(ws, qtbot)
    assert said == ["L2 is locked and is left as it is"]
    assert np.array_equal(mask.array, before)
    assert ws.session.history.undo_name == "Read"


def test_labels_far_from_every_centroid_stay_and_are_told(ws, qtbot):
    add_mask(ws, NUMBERS)
    replace_centroids(ws, "Read", {"1": Centroid("T12", PLACES["T11"])})
    said = Said()
    relabel_mask(ws, said)
    settle(ws, qtbot)
    assert "No centroid within 25 mm of label T12" in said[0]
    ws.session.undo()
    with pytest.raises(EditRefused, match="no centroids"):
        relabel_mask(ws, said)


def test_agreeing_labels_are_no_edit(ws, qtbot):
    add_mask(ws, NUMBERS)
    replace_centroids(ws, "Read", spine())
    said = Said()
    relabel_mask(ws, said)
    settle(ws, qtbot)
    assert said == ["The labels of vert agree with the centroids"]
    assert ws.session.history.undo_name == "Read"


def test_a_chain_that_ends_at_a_label_without_a_centroid_stays_whole():
    centres = {20: (0, 0, 100), 21: (0, 0, 70), 22: (0, 0, 40), 23: (0, 0, -90)}
    centroids = {
        "a": Centroid("L2", (0, 0, 100)),
        "b": Centroid("L3", (0, 0, 70)),
        "c": Centroid("L4", (0, 0, 40)),
    }
    values, problems = relabelling(centres, centroids, NUMBERS)
    assert values == {}
    assert len(problems) == 4


# Files


def stored(ws, tmp_path):
    """Write the first phase, whose header VerSe files need."""
    path = write_image(
        tmp_path / "NC.nii.gz", np.zeros((50, 50, 40), np.int16), np.diag((2, 2, 3, 1))
    )
    assert ws.session.case.phases["NC"].path == path
    return StoredGrid((50, 50, 40), np.diag((2.0, 2, 3, 1)))


@pytest.mark.parametrize("name", ["out_ctd.json", "out.mrk.json"])
def test_exported_centroids_come_back(ws, qtbot, tmp_path, name):
    image = stored(ws, tmp_path)
    replace_centroids(ws, "Read", spine())
    said, path = Said(), tmp_path / name
    export_centroids(ws, path, said)
    settle(ws, qtbot)
    assert said == [f"4 centroids are in {name}"]
    assert (read_centroids(path, image).direction is None) == ("mrk" in name)
    shift_levels(ws, None, "all", 1)
    open_centroids(ws, path, said)
    settle(ws, qtbot)
    assert levels(ws) == list(HEIGHTS)
    assert ws.session.undo().name == f"Open {name}"
    assert levels(ws) == ["T12", "L1", "L2", "L3"]


def test_what_cannot_be_opened_or_exported_is_a_sentence(ws, qtbot, tmp_path):
    stored(ws, tmp_path)
    said, path = Said(), tmp_path / "a.json"
    path.write_text("{")
    open_centroids(ws, path, said)
    settle(ws, qtbot)
    assert "not valid JSON" in said.pop()
    path.write_text(json.dumps({"markups": []}))
    open_centroids(ws, path, said)
    settle(ws, qtbot)
    assert said.pop() == "a.json holds no centroid"
    with pytest.raises(EditRefused, match="no centroids to export"):
        export_centroids(ws, path, said)
    replace_centroids(ws, "Read", spine())
    export_centroids(ws, tmp_path / "a.json" / "b_ctd.json", said)
    settle(ws, qtbot)
    assert "not saved" in said.pop()
    write_slicer(path, spine())
    ws.session.read_only_reason = "Somebody else has it open."
    with pytest.raises(EditRefused, match="Somebody"):
        open_centroids(ws, path, said)


# Models


def propose(ws, family="vertebra", landmarks=None):
    points = landmarks or (
        ProposedPoint(20, (1.0, 2.0, -3.0), 0.9),
        ProposedPoint(19, (1.0, 2.0, 29.0), 0.4, ("another start comes within 4 %",)),
        ProposedPoint(99, (0.0, 0.0, 0.0), 0.9),
    )
    run = ModelRun("vertebra-ct", "Vertebrae", "1.0", family=family, weights="ab")
    numbers = np.zeros((1, 1, 1), np.uint8)
    proposal = Proposal(
        "run-1", "case-1", "NC", make_grid((1, 1, 1), (1.0, 1.0, 1.0)), numbers, {}, {}, run,
        landmarks=points, has_mask=False,
    )  # fmt: skip
    ws.session.proposals.show(proposal, {})


def test_landmarks_of_a_model_become_centroids_in_one_step(ws):
    replace_centroids(ws, "Read", spine())
    propose(ws)
    take_landmarks(ws)
    found = centroids_of(ws.session)
    assert levels(ws) == ["T12", "L1"]
    assert {c.confidence for c in found.values()} == {0.4, 0.9}
    assert found["1"].flags == ("another start comes within 4 %",)
    (note,) = ws.session.annotations.entries(PROVENANCE).values()
    assert note["model"] == "vertebra-ct"
    assert note["landmarks"] == 2
    assert ws.session.proposals.is_settled
    with pytest.raises(EditRefused, match="already"):
        take_landmarks(ws)
    assert ws.session.undo().name == "Take 2 centroids of Vertebrae"
    assert levels(ws) == list(HEIGHTS)
    assert not ws.session.proposals.is_settled


def test_landmarks_of_other_models_are_no_centroids(ws):
    propose(ws, family="bmd")
    with pytest.raises(EditRefused, match="run a vertebra model"):
        take_landmarks(ws)
    propose(ws, landmarks=(ProposedPoint(99, (0.0, 0.0, 0.0), 0.9),))
    with pytest.raises(EditRefused, match="run a vertebra model"):
        take_landmarks(ws)
