"""Corrections of vertebra centroids, and what looks wrong about them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inference.vertebra import levels as model_levels
from labeler.core import vertebrae
from labeler.core.geometry import Grid
from labeler.core.landmark_checks import check, gaps
from labeler.core.landmarks import (
    Centroid,
    LandmarkError,
    applied,
    at_and_above,
    at_and_below,
    counted_as_extra,
    free_key,
    from_above,
    inserted,
    kept,
    moved,
    removed,
    renamed,
    renumbered,
    shifted,
    swapped,
)
from labeler.core.vertebrae import GAPS_MM, LEVELS, RARE, next_level, place, typed_level

USUAL = [name for name in LEVELS if name not in RARE]


def spine(*names, skip=()):
    """Centroids one above the other at their usual distances; the key is the place from above."""
    centroids, height = {}, 0.0
    for n, name in enumerate(names):
        if name not in skip:
            centroids[str(n)] = Centroid(name, (1.0, 2.0, height), 0.9, ())
        if n + 1 < len(names):
            height -= GAPS_MM.get((name, names[n + 1]), (30.0, 2.0))[0]
    return centroids


def levels(first, last):
    return USUAL[USUAL.index(first) : USUAL.index(last) + 1]


def names(centroids):
    return [centroids[key].level for key in from_above(centroids)]


@pytest.mark.parametrize(
    ("text", "level"),
    [("t12", "T12"), (" L 1 ", "L1"), ("c7", "C7"), ("T13", "T13"), ("l6", "L6"), ("s", "S1"),
     ("s1", "S1"), ("S2", None), ("t14", None), ("C0", None), ("x1", None), ("", None), ("t", None),
     ("co", "Co")],
)  # fmt: skip
def test_levels_are_typed(text, level):
    assert typed_level(text) == level


def test_tables_agree_with_those_of_the_models():
    shared = set(model_levels.LEVELS)
    assert {n: vertebrae.NUMBERS[n] for n in shared} == dict(model_levels.VERSE_NUMBER)
    for step in model_levels.STEPS:
        pair = model_levels.LEVELS[step.upper], model_levels.LEVELS[step.lower]
        if pair in GAPS_MM:
            assert GAPS_MM[pair][0] == step.gap_mm


def test_totalsegmentator_counts_upwards():
    numbers = vertebrae.TOTALSEGMENTATOR_NUMBERS
    assert [numbers[n] for n in ("S1", "L5", "L1", "T12", "T1", "C7", "C1")] == [
        26, 27, 31, 32, 43, 44, 50,
    ]  # fmt: skip


def test_a_sequence_off_by_one_is_put_right_at_once():
    wrong = spine(*levels("T4", "L3"))
    assert names(applied(wrong, shifted(wrong, wrong, 1))) == levels("T5", "L4")


def test_only_a_part_is_shifted():
    centroids = spine(*levels("T4", "T8"))
    assert names(applied(centroids, shifted(centroids, at_and_below(centroids, "2"), 1))) == [
        "T4", "T5", "T7", "T8", "T9",
    ]  # fmt: skip
    assert names(applied(centroids, shifted(centroids, at_and_above(centroids, "1"), -1))) == [
        "T3", "T4", "T6", "T7", "T8",
    ]  # fmt: skip


def test_nothing_is_shifted_off_the_ends():
    centroids = spine(*levels("C1", "C4"))
    with pytest.raises(LandmarkError, match="above C1"):
        shifted(centroids, centroids, -1)


def test_counts_from_an_anchor():
    centroids = spine("T4", "T9", "T4", "L5", "C2")
    assert names(applied(centroids, renumbered(centroids, "2", "T12"))) == levels("T10", "L2")
    with pytest.raises(LandmarkError, match="do not fit above"):
        renumbered(centroids, "2", "C1")


def test_a_missed_one_is_inserted_where_a_name_is_free():
    centroids = spine(*levels("T8", "L1"), skip={"T11"})
    changes = inserted(centroids, "9", (0.0, 0.0, -80.0))
    assert names(applied(centroids, changes)) == levels("T8", "L1")
    assert set(changes) == {"9"}


def test_inserting_where_no_name_is_free_counts_on():
    centroids = spine(*levels("T8", "T11"))
    height = centroids["1"].position_ras[2] - 10.0
    changes = inserted(centroids, "9", (0.0, 0.0, height))
    assert names(applied(centroids, changes)) == levels("T8", "T12")


@pytest.mark.parametrize(("z", "level"), [(50.0, "T7"), (-500.0, "T12")])
def test_inserting_at_the_ends_extends_the_names(z, level):
    centroids = spine(*levels("T8", "T11"))
    assert inserted(centroids, "9", (0.0, 0.0, z))["9"].level == level


def test_an_extra_vertebra_moves_the_names_below_up():
    centroids = spine(*levels("T11", "L4"))
    assert names(applied(centroids, counted_as_extra(centroids, "2", "T13"))) == [
        "T11", "T12", "T13", "L1", "L2", "L3",
    ]  # fmt: skip


def test_swaps_and_renames_touch_nothing_else():
    centroids = spine(*levels("T8", "T11"))
    assert names(applied(centroids, swapped(centroids, "1", "2"))) == ["T8", "T10", "T9", "T11"]
    assert set(renamed(centroids, "1", "L1")) == {"1"}
    assert renamed(centroids, "1", "T9") == {}
    assert removed(centroids, ["1", "77"]) == {"1": None}


def test_a_correction_by_hand_settles_the_models_doubts():
    doubted = {"1": Centroid("T9", (0.0, 0.0, 0.0), 0.2, ("weak signal",))}
    after = moved(doubted, "1", (1.0, 0.0, 0.0))["1"]
    assert (after.confidence, after.flags) == (None, ())


def test_values_survive_json():
    centroid = Centroid("T9", (0.5, 1.0, -2.0), 0.5, ("weak signal",))
    assert Centroid.from_value(centroid.to_value()) == centroid
    with pytest.raises(KeyError):
        Centroid.from_value({**centroid.to_value(), "level": "X1"})


@pytest.mark.parametrize(
    "damage",
    [
        {"position_ras": [float("nan"), 0.0, 0.0]},
        {"position_ras": [0.0, float("inf"), 0.0]},
        {"position_ras": [0.0, 1e9, 0.0]},
        {"position_ras": [0.0, 0.0, int("9" * 400)]},
        {"confidence": float("nan")},
    ],
)
def test_damaged_notes_are_no_centroid(damage):
    with pytest.raises(ValueError, match=r".+"):
        Centroid.from_value({**Centroid("L1", (1.0, 2.0, 3.0)).to_value(), **damage})


def test_keys_are_never_used_twice_at_once():
    assert free_key({}) == "1"
    assert free_key(dict.fromkeys(["1", "7", "x"])) == "8"


@given(st.data())
def test_shifting_there_and_back_changes_nothing(data):
    first = data.draw(st.integers(1, 20))
    count = data.draw(st.integers(1, 24 - first))
    centroids = spine(*USUAL[first : first + count])
    there = applied(centroids, shifted(centroids, centroids, 1))
    assert names(applied(there, shifted(there, there, -1))) == names(centroids)


@given(st.sampled_from(LEVELS), st.integers(-30, 30))
def test_the_next_level_lies_where_it_should(level, steps):
    there = next_level(level, steps)
    assume(there is not None and steps)
    assert (place(there) > place(level)) == (steps > 0)


def test_a_usual_spine_raises_no_doubt():
    centroids = spine(*levels("C1", "L5"))
    grid = Grid((300, 40, 40), np.diag([-2.0, -2.0, 2.0, 1.0]) + np.array(
        [[0, 0, 0, 40.0], [0, 0, 0, 40.0], [0, 0, 0, -595.0], [0, 0, 0, 0]]))  # fmt: skip
    assert check(centroids, grid) == []
    assert all(abs(gap.z) < 1e-6 for gap in gaps(centroids))


def kinds(centroids, grid=None):
    return {(doubt.kind, tuple(centroids[k].level for k in doubt.keys)) for doubt in
            check(centroids, grid)}  # fmt: skip


def test_wrong_names_are_found():
    assert ("duplicate", ("T9", "T9")) in kinds(spine("T8", "T9", "T9", "T10"))
    assert ("order", ("T10", "T8")) in kinds(spine("T7", "T10", "T8", "T11"))
    assert ("missing", ("T9", "T12")) in kinds(spine("T8", "T9", "T12", "L1"))
    assert ("rare", ("T13",)) in kinds(spine("T12", "T13", "L1"))
    (doubt,) = [d for d in check(spine("T8", "T12")) if d.kind == "missing"]
    assert doubt.text == "3 levels between T8 and T12 missing"


def test_wrong_places_are_found():
    centroids = spine(*levels("T5", "L4"))
    short = applied(centroids, {"3": Centroid("T8", (1.0, 2.0, -78.0))})
    assert {levels for kind, levels in kinds(short) if kind == "distance"} == {
        ("T7", "T8"),
        ("T8", "T9"),
    }
    aside = applied(centroids, {"3": Centroid("T8", (30.0, 2.0, centroids["3"].position_ras[2]))})
    assert ("drift", ("T8",)) in kinds(aside)


def test_places_outside_of_the_image_are_found():
    grid = Grid((10, 10, 10), np.eye(4))
    inside = {"1": Centroid("T12", (5.0, 5.0, 9.0)), "2": Centroid("L1", (5.0, 5.0, -24.0))}
    assert kinds(inside, grid) & {("outside", ("L1",)), ("outside", ("T12",))} == {
        ("outside", ("L1",))
    }
    far = {key: Centroid(c.level, (500.0, 0.0, c.position_ras[2])) for key, c in inside.items()}
    (doubt,) = [d for d in check(far, grid) if d.kind == "outside"]
    assert doubt.keys == ("1", "2")
    assert "All 2 centroids lie outside" in doubt.text


def test_distances_are_judged_at_the_size_of_the_patient():
    small = {
        key: Centroid(c.level, tuple(0.82 * v for v in c.position_ras))
        for key, c in spine(*levels("T3", "L4")).items()
    }
    assert check(small) == []


def test_what_the_model_doubted_is_passed_on_and_worse_comes_first():
    centroids = spine("T8", "T9", "T9", "T10")
    centroids["0"] = Centroid("T8", centroids["0"].position_ras, 0.3, ("weak signal",))
    found = check(centroids)
    assert [d.severity for d in found] == sorted((d.severity for d in found), reverse=True)
    assert ("model", ("0",), "T8: weak signal") in [(d.kind, d.keys, d.text) for d in found]


def test_pairs_of_the_table_are_neighbours():
    assert set(itertools.pairwise(USUAL[:24])) <= set(GAPS_MM)


@pytest.mark.parametrize(
    "names",
    [("T8", "T10", "T9", "T11"), ("T10", "T9", "T11", "T12"), ("T7", "T8", "T10", "T9")],
)
def test_two_that_were_swapped_are_one_doubt(names):
    found = check(spine(*names))
    assert [doubt.kind for doubt in found] == ["swapped"]
    assert found[0].text == "T10 and T9 look swapped"


def test_a_centroid_in_the_mask_of_another_level_is_doubted():
    centroids = spine("T8", "T9", "T10")
    there = {"0": "T8", "1": "T10", "2": None}
    assert [(d.kind, d.keys, d.text) for d in check(centroids, None, there)] == [
        ("mask", ("1",), "T9 lies in T10 of the mask")
    ]
    assert check(centroids, None, {}) == []
    there = {"0": "T7", "1": "T8", "2": "T9"}
    assert [(d.keys, d.text) for d in check(centroids, None, there)] == [
        (("0", "1", "2"), "T8 lies in T7 of the mask, and so on to T10")
    ]


def test_levels_of_which_a_model_said_the_same_are_one_doubt_and_kept_together():
    centroids = {
        key: replace(c, flags=("runner-up is near",) if c.level in ("T9", "T10") else ())
        for key, c in spine(*levels("T8", "L1")).items()
    }
    assert [(d.kind, d.keys, d.text) for d in check(centroids)] == [
        ("model", ("1", "2"), "T9, T10: runner-up is near")
    ]
    settled = applied(centroids, kept(centroids, "2"))
    assert check(settled) == []
    assert settled["0"].confidence == 0.9, "of the others the model was sure"
    assert kept(centroids, "0") == {}
    many = {key: replace(c, flags=("all",)) for key, c in centroids.items()}
    assert check(many)[0].text == "T8 to L1: all"
