"""Masks and centroids of a vertebra model, proposed together and taken by the user."""

from dataclasses import replace

import numpy as np
import pytest

from inference.contract import Landmark, Result
from inference.registry import ModelEntry
from labeler.core.labels import Label, LabelTable
from labeler.core.vertebra_masks import numbering, with_vertebrae
from labeler.core.vertebrae import NUMBERS, TOTALSEGMENTATOR_NUMBERS
from labeler.workflows.accept_landmarks import take_landmarks
from labeler.workflows.correct_landmarks import shift_levels
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.review_proposal import accept_into_new_mask, accept_regions, reject_regions
from tests.model_world import CARD, World, boxes_answer, ras_of

LEVELS = {"T13": (10, 12), "L1": (6, 8), "L2": (2, 4)}
"""From which slice to which each block reaches."""

SPINE = ModelEntry(
    "vertebra",
    replace(
        CARD, id="vertebra", family="vertebra", needs=(), parameters=(),
        labels={number: name for name, number in NUMBERS.items()},
    ),
    "built in",
    None,
)  # fmt: skip


def answer(request):
    """A block of bone and a centroid in its middle for each level."""
    blocks = {NUMBERS[name]: [np.s_[low:high, 5:10, 5:10]] for name, (low, high) in LEVELS.items()}
    drawn = boxes_answer(blocks)(request)
    marks = tuple(
        Landmark(NUMBERS[name], ras_of(drawn.mask, (low, 7, 7)), 0.8)
        for name, (low, _) in LEVELS.items()
    )
    return Result(mask=drawn.mask, landmarks=marks)


@pytest.fixture
def world(qtbot, tmp_path):
    made = World(qtbot, tmp_path, {"A": ("PV",), "B": ("PV",)}, models=lambda _: (SPINE,))
    made.worker.answer = answer
    yield made
    made.close()


def run(world):
    world.open("A")
    world.runner.run("vertebra", {})
    world.settle()
    return {r.label: n for n, r in world.proposal.regions.items()}


def doubted(world):
    return {doubt.kind for doubt in world.ws.spine.doubts}


def test_masks_become_labels_with_the_names_of_the_levels(world):
    numbers, ws, said = run(world), world.ws, []
    look = {ws.session.proposals.look_of(n, ws.session.labels).name for n in world.proposal.regions}
    assert look == set(LEVELS)
    assert ws.session.labels[1].name == "Liver"  # other labels stay what they are
    reject_regions(ws, [numbers[NUMBERS["L2"]]])
    accept_into_new_mask(ws, "vertebra", said.append)
    world.settle()
    mask = ws.session.masks["vertebra"].mask.array
    assert set(np.unique(mask)) == {0, TOTALSEGMENTATOR_NUMBERS["L1"], 228}
    assert not said
    world.save()
    world.open("B")
    assert 31 not in ws.session.labels
    world.open("A")
    assert ws.session.labels[31].name == "L1"


def test_centroids_that_leave_their_masks_are_doubted(world):
    world.updater = RegionUpdater(world.ws.session, world.ws.tasks)
    numbers, ws = run(world), world.ws
    take_landmarks(ws)
    accept_into_new_mask(ws, "vertebra", [].append)
    world.settle()
    assert "mask" not in doubted(world)
    shift_levels(ws, None, "all", 1)
    assert "mask" in doubted(world)
    ws.session.undo()
    assert len(numbers) == 3


def test_one_vertebra_is_taken_into_a_mask_that_is_there(world):
    numbers, ws = run(world), world.ws
    accept_into_new_mask(ws, "vertebra", [].append)
    world.settle()
    ws.session.undo()
    accept_regions(ws, [numbers[NUMBERS["L1"]]], [].append)
    world.settle()
    assert set(np.unique(ws.session.masks["vertebra"].mask.array)) == {0, 31}


def test_a_table_gets_only_the_vertebrae_that_it_lacks():
    table = LabelTable([Label(20, "L1", "#000000"), Label(30, "Stent", "#ffffff")])
    longer = with_vertebrae(table)
    assert longer[20].name == "L1"
    assert 31 not in longer  # L1 has a value
    assert longer[30].name == "Stent"
    assert longer[32].name == "T12"
    assert with_vertebrae(longer) is longer


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({27, 28}, TOTALSEGMENTATOR_NUMBERS),  # L5 and L4, not the coccyx and T13
        ({19, 28, 20}, NUMBERS),
        ({31, 228}, TOTALSEGMENTATOR_NUMBERS),
        ({1, 31}, None),
        (set(), None),
    ],
)
def test_which_numbers_a_mask_uses(values, names):
    assert numbering(values) is names
