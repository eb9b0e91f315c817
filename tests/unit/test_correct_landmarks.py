"""Corrections of centroids as edits: one undo step each, in order with all others."""

import pytest

from labeler.core.landmarks import Centroid, from_above
from labeler.core.vertebrae import GAPS_MM, LEVELS, RARE
from labeler.workflows.correct_landmarks import (
    add_centroid,
    count_as_extra,
    move_centroid,
    next_doubt,
    remove_centroid,
    rename_centroid,
    renumber_from,
    replace_centroids,
    shift_levels,
    swap_with_next,
)
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.spine_findings import FIELD, centroids_of
from tests.case_world import make_workspace, open_case

USUAL = [name for name in LEVELS if name not in RARE]


def spine(first, last):
    centroids, height = {}, 0.0
    names = USUAL[USUAL.index(first) : USUAL.index(last) + 1]
    for n, name in enumerate(names):
        centroids[str(n)] = Centroid(name, (0.0, 0.0, height), 0.9)
        height -= GAPS_MM.get((name, USUAL[USUAL.index(name) + 1]), (30.0, 2.0))[0]
    return centroids


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    replace_centroids(ws, "Read centroids", spine("T8", "L2"))
    yield ws
    ws.tasks.shutdown()


def names(ws):
    centroids = centroids_of(ws.session)
    return [centroids[key].level for key in from_above(centroids)]


ACTS = {
    "Move T9": lambda ws: move_centroid(ws, "1", (1.0, 2.0, -25.0)),
    "Add T11": lambda ws: add_centroid(ws, (0.0, 0.0, -60.0)),
    "Delete T9": lambda ws: remove_centroid(ws, "1"),
    "Rename T9 to L5": lambda ws: rename_centroid(ws, "1", "l5"),
    "Shift 7 levels down by 1": lambda ws: shift_levels(ws, None, "all", 1),
    "Shift 2 levels up by 1": lambda ws: shift_levels(ws, "1", "above", -1),
    "Shift 6 levels down by 2": lambda ws: shift_levels(ws, "1", "below", 2),
    "Renumber from T4": lambda ws: renumber_from(ws, "2", "t4"),
    "Swap T9 and T10": lambda ws: swap_with_next(ws, "1"),
    "Count L1 as T13": lambda ws: count_as_extra(ws, "5", "T13"),
}


@pytest.mark.parametrize("name", ACTS)
def test_each_act_is_one_named_step_that_undo_takes_back(ws, name):
    before = centroids_of(ws.session)
    ACTS[name](ws)
    after = centroids_of(ws.session)
    assert after != before
    assert ws.session.history.undo_name == name
    ws.session.undo()
    assert centroids_of(ws.session) == before
    ws.session.redo()
    assert centroids_of(ws.session) == after


def test_a_shifted_sequence_is_right_after_one_act(ws):
    shift_levels(ws, None, "all", 1)
    assert names(ws) == ["T9", "T10", "T11", "T12", "L1", "L2", "L3"]


def test_the_right_neighbours_are_named(ws):
    swap_with_next(ws, "1")
    assert names(ws)[:3] == ["T8", "T10", "T9"]
    with pytest.raises(EditRefused, match="no centroid below"):
        swap_with_next(ws, "6")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda ws: rename_centroid(ws, "1", "x9"), "no level"),
        (lambda ws: move_centroid(ws, "77", (0, 0, 0)), "Select a vertebra"),
        (lambda ws: shift_levels(ws, None, "below", 1), "Select a vertebra"),
        (lambda ws: shift_levels(ws, None, "all", 20), "There is no level"),
        (lambda ws: count_as_extra(ws, "1", "L3"), "usual level"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(ws, act, words):
    before = centroids_of(ws.session)
    with pytest.raises(EditRefused, match=words):
        act(ws)
    assert centroids_of(ws.session) == before


def test_a_case_that_is_read_only_is_not_changed(ws):
    ws.session.read_only_reason = "Somebody else has it"
    with pytest.raises(EditRefused, match="Somebody else"):
        shift_levels(ws, None, "all", 1)


def test_nothing_to_do_is_no_edit(ws):
    assert rename_centroid(ws, "1", "T9") is None
    assert ws.session.history.undo_name == "Read centroids"


def test_doubts_are_walked_from_above_and_round(ws):
    assert next_doubt(ws.spine, None) is not None or not ws.spine.doubts
    replace_centroids(ws, "Read centroids", spine("T8", "L2"))
    rename_centroid(ws, "1", "T8")
    rename_centroid(ws, "4", "L1")
    doubted = [d.keys[0] for d in ws.spine.doubts if d.kind != "outside"]
    assert {"0", "4"} <= set(doubted)
    first = next_doubt(ws.spine, None)
    second = next_doubt(ws.spine, first)
    assert second != first
    walked = {first}
    while second not in walked:
        walked.add(second)
        second = next_doubt(ws.spine, second)
    assert walked == {d.keys[0] for d in ws.spine.doubts}


def test_entries_that_cannot_be_read_are_left_out(ws):
    ws.session.annotations.amend(FIELD, "9", {"level": "X3"})
    assert "9" not in centroids_of(ws.session)
