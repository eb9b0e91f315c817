"""Overlap, matching of lesions and intervals, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.metrics import bootstrap, dice, froc, match_lesions, surface_distances, wilson


def boxes(*corners, shape=(12, 12, 12)):
    """A mask with a cube for each (k, j, i, edge)."""
    mask = np.zeros(shape, np.uint8)
    for k, j, i, edge in corners:
        mask[k : k + edge, j : j + edge, i : i + edge] = 1
    return mask


def test_dice_by_hand():
    a, b = boxes((0, 0, 0, 4)), boxes((0, 0, 2, 4))
    assert dice(a, b) == pytest.approx(2 * 32 / 128)
    assert dice(a, a) == 1
    assert dice(a, 0 * a) == 0
    assert math.isnan(dice(0 * a, 0 * a))
    with pytest.raises(ValueError, match="shapes"):
        dice(a, a[1:])


def test_surface_distances_by_hand():
    a, b = boxes((2, 2, 2, 4)), boxes((2, 2, 3, 4))
    distances = surface_distances(a, b, (1, 1, 2.5))
    assert distances.min() == 0
    assert distances.max() == 2.5
    assert surface_distances(a, 0 * a, (1, 1, 1)).size == 0


def test_lesions_are_matched_one_missed_one_invented():
    reference = boxes((0, 0, 0, 3), (8, 8, 8, 3))
    prediction = boxes((1, 0, 0, 3), (0, 8, 8, 2))
    found = match_lesions(reference, prediction, voxel_ml=0.001)
    assert [each.found for each in found.reference] == [True, False]
    assert [each.found for each in found.predicted] == [False, True]
    assert found.reference[0].overlap == pytest.approx(18 / 27)
    assert found.reference[0].volume_ml == pytest.approx(0.027)
    assert found.reference[0].diameter_mm == pytest.approx(2 * (27 * 3 / (4 * math.pi)) ** (1 / 3))
    assert (found.false_negatives(), found.false_positives()) == (1, 1)
    assert found.false_positives(least_mm=3) == 0


def test_a_lesion_in_two_pieces_is_found_and_neither_piece_is_false():
    reference = boxes((2, 2, 2, 6))
    prediction = reference.copy()
    prediction[:, 4:6] = 0
    found = match_lesions(reference, prediction, 1.0)
    assert found.reference[0].matches == (1, 2)
    assert (found.false_negatives(), found.false_positives()) == (0, 0)


def test_a_touch_is_no_find():
    reference, prediction = boxes((0, 0, 0, 5)), boxes((4, 4, 4, 5))
    assert match_lesions(reference, prediction, 1.0).false_negatives() == 1
    assert match_lesions(reference, prediction, 1.0, least_overlap=0.001).false_negatives() == 0


def test_small_components_are_not_looked_at():
    reference = boxes((0, 0, 0, 3), (8, 8, 8, 1))
    found = match_lesions(reference, boxes((0, 0, 8, 1)), 1.0, least_ml=2.0)
    assert len(found.reference) == 1
    assert found.predicted == ()


@given(st.integers(0, 2**31))
def test_matching_is_the_same_from_both_sides(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 6, 6, 6)) > 0.85
    one, other = match_lesions(a, b, 1.0), match_lesions(b, a, 1.0)
    assert one.reference == other.predicted
    assert one.predicted == other.reference
    assert sum(each.volume_ml for each in one.reference) == a.sum()


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (45, 50, 0.7864, 0.9565),
    ],
)
def test_wilson_by_the_book(successes, trials, low, high):
    found = wilson(successes, trials)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)
    assert found.value == successes / trials


def test_nothing_measured_has_no_value():
    assert math.isnan(wilson(0, 0).value)
    assert math.isnan(bootstrap([math.nan]).value)
    with pytest.raises(ValueError, match="no proportion"):
        wilson(3, 2)


def test_bootstrap_covers_the_truth_and_repeats_itself():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        found = bootstrap(rng.normal(5, 1, 40).tolist(), resamples=300)
        covered += found.low <= 5 <= found.high
    assert covered >= 50
    values = [1.0, 2.0, math.nan, 4.0]
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values).count == 3
    assert bootstrap(values, lambda sample: float(np.median(sample))).value == 2.0


def test_froc_counts_a_lesion_once_and_ties_together():
    points = froc([0.9, 0.8, 0.8, 0.7, 0.1], [0, 0, None, 1, None], lesions=2, cases=2)
    assert points == [(0.9, 0.0, 0.5), (0.8, 0.5, 0.5), (0.7, 0.5, 1.0), (0.1, 1.0, 1.0)]
