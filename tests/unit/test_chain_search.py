"""Max-marginals over chains of vertebrae: the best chain through each place, against all chains."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.vertebra.chain_search import Settings, marginals, with_extras
from inference.vertebra.levels import EXTRA, INDEX, LEVELS, step_between
from inference.vertebra.optimization import find_chain

HOW = Settings()
SPACING_MM, LENGTH = 8.0, 12


def random_signals(seed, names, length=LENGTH):
    """Evidence for some levels, none for all others."""
    signals = np.zeros((len(LEVELS), length), np.float32)
    rows = [INDEX[name] for name in names]
    signals[rows] = np.random.default_rng(seed).random((len(rows), length)) ** 2
    return signals


def score_of(signals, links, how=HOW, scale=1.0, spacing_mm=SPACING_MM):
    """What a chain is worth, minus infinity where anatomy forbids it."""
    total = 0.0
    for level, position in links:
        total += float(signals[level, position]) * float(how.weights[level]) - how.threshold
        total -= how.variant_cost if level in EXTRA else 0.0
    for (upper, start), (lower, stop) in itertools.pairwise(links):
        step = step_between(upper, lower)
        if step is None:
            return -np.inf
        usual, distance = scale * step.gap_mm, (stop - start) * spacing_mm
        if not how.shortest * usual <= distance <= how.longest * usual:
            return -np.inf
        deviation = (distance - usual) / (how.spread * usual)
        total -= how.distance_weight * min(0.5 * deviation**2, how.distance_cap)
        if step.variant and not {upper, lower} & EXTRA:
            total -= how.variant_cost
    return total


def all_chains(names, length=LENGTH):
    """Every choice of levels at positions that go down."""
    levels = [INDEX[name] for name in names]
    for count in range(1, len(levels) + 1):
        for chosen in itertools.combinations(levels, count):
            for places in itertools.combinations(range(length), count):
                yield list(zip(chosen, places, strict=True))


def through_of(signals, scale=1.0, spacing_mm=SPACING_MM):
    found = marginals(signals, scale, spacing_mm, HOW)
    return found.above, found


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([("T11", "T12", "T13", "L1"), ("L4", "L5", "L6", "S1")]),
    st.sampled_from([0.85, 1.0, 1.2]),
)
def test_the_best_chain_through_each_place_is_the_best_of_all_that_pass_there(seed, names, scale):
    signals = random_signals(seed, names)
    _, found = through_of(signals, scale)
    expected = np.full(signals.shape, -np.inf)
    for links in all_chains(names):
        score = score_of(signals, links, scale=scale)
        for place in links:
            expected[place] = max(expected[place], score)
    rows = [INDEX[name] for name in names]
    assert found.through[rows] == pytest.approx(expected[rows], abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_other_sequence_is_better(seed):
    names = ("T11", "T12", "T13", "L1")
    signals = random_signals(seed, names)
    how = Settings(scale_range=(1.0, 1.0))
    chain = find_chain(signals, spacing_mm=SPACING_MM, settings=how)
    best = max(score_of(signals, links) for links in all_chains(names))
    assert chain.score == pytest.approx(max(best, 0.0), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_chain_is_worth_what_is_told_of_the_places_it_goes_through(seed):
    signals = random_signals(seed, LEVELS, 60)
    rng = np.random.default_rng(seed)
    _, found = through_of(signals)
    for _ in range(20):
        place = int(rng.integers(len(LEVELS))), int(rng.integers(60))
        links = found.chain(place)
        assert place in links
        assert score_of(signals, links) == pytest.approx(float(found.through[place]), abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nothing_goes_beyond_the_best_chain_and_all_of_it_reaches_its_score(seed):
    signals = random_signals(seed, LEVELS, 60)
    above, found = through_of(signals)
    best = float(above.best.max())
    assert float(found.through.max()) == pytest.approx(best, abs=1e-3)
    assert float(found.below.best.max()) == pytest.approx(best, abs=1e-3)
    for place in above.best_chain():
        assert float(found.through[place]) == pytest.approx(best, abs=1e-3)


def test_another_name_is_looked_for_at_the_vertebra_and_not_at_its_neighbours():
    # L2 nearly as likely as L1 where L1 is
    signals = np.zeros((len(LEVELS), 80), np.float32)
    signals[INDEX["T12"], 20] = signals[INDEX["L1"], 52] = 1.0
    signals[INDEX["L2"], 52] = 0.9
    above, found = through_of(signals, spacing_mm=1.0)
    links = above.best_chain()
    assert links == [(INDEX["T12"], 20), (INDEX["L1"], 52)]
    other = found.other(links, 1)
    # above L2 nothing speaks for L1: the chain begins with L2
    assert (LEVELS[other.level], other.position) == ("L2", 52)
    best, second = float(above.best.max()), 0.9 - HOW.threshold
    assert other.behind == pytest.approx(best - second, abs=1e-4)
    # and who calls T12 L1 calls L1 L2
    above_it = found.other(links, 0)
    assert LEVELS[above_it.level] == "L1"
    assert above_it.behind > best - second + HOW.threshold - 1e-4
    assert [LEVELS[level] for level, _ in found.chain(above_it.place)] == ["L1", "L2"]


def test_a_chain_of_one_has_other_names_near_it_only():
    signals = np.zeros((len(LEVELS), 60), np.float32)
    signals[INDEX["T6"], 20] = 1.0
    signals[INDEX["T7"], 24] = 0.5
    signals[INDEX["L3"], 26] = 0.9
    above, found = through_of(signals, spacing_mm=1.0)
    other = found.other(above.best_chain(), 0)
    assert (LEVELS[other.level], other.position) == ("T7", 24)


def test_an_extra_vertebra_costs_once_wherever_the_chain_ends():
    costs = {}
    for names in (("T12", "T13"), ("T12", "T13", "L1"), ("T11", "L1"), ("L5", "L6", "S1")):
        signals = np.zeros((len(LEVELS), 120), np.float32)
        position, links = 5, []
        for upper, name in zip(("", *names), names, strict=False):
            if upper:
                position += round(step_between(INDEX[upper], INDEX[name]).gap_mm)
            signals[INDEX[name], position] = 1.0
            links.append((INDEX[name], position))
        above, _ = through_of(signals, spacing_mm=1.0)
        assert above.best_chain() == links
        earned = sum(float(HOW.weights[level]) - HOW.threshold for level, _ in links)
        costs[names] = earned - float(above.best.max())
    assert list(costs.values()) == pytest.approx([HOW.variant_cost] * 4, abs=0.02)


def test_an_extra_vertebra_counts_as_what_it_looks_like_and_no_less_than_it_is():
    signals = np.zeros((len(LEVELS), 4), np.float32)
    signals[INDEX["T12"], 0] = signals[INDEX["L1"], 1] = signals[INDEX["L5"], 2] = 0.5
    signals[INDEX["T13"], 3] = 0.9
    lenient = with_extras(signals, HOW)
    assert lenient[INDEX["T13"]] == pytest.approx([0.5 * HOW.extra, 0.5 * HOW.extra, 0.0, 0.9])
    assert lenient[INDEX["L6"]] == pytest.approx([0.0, 0.0, 0.5 * HOW.extra, 0.0])
    rest = [n for n in range(len(LEVELS)) if n not in EXTRA]
    assert np.array_equal(lenient[rest], signals[rest])
    assert signals[INDEX["L6"]].max() == 0.0  # a copy
