"""The search for the sequence of vertebrae: optimal, anatomical, honest about doubt."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.vertebra.levels import (
    INDEX,
    LEVEL_OF_VERSE,
    LEVELS,
    STEPS,
    VERSE_NUMBER,
    step_between,
)
from inference.vertebra.optimization import Chain, Settings, find_chain
from inference.vertebra.simulation import Faults, simulated_signals

FAULTLESS = Faults(
    confusion=0.0, jitter_mm=0.0, dropout=0.0, false_peaks=0.0, noise=0.0, amplitude=(0.9, 0.9)
)


def spine(names, *, scale=1.0, lead_mm=10.0, skip=()):
    """Centres of consecutive levels at their usual distances."""
    centres, position, above = {}, lead_mm, None
    for name in names:
        if above is not None:
            position += scale * step_between(INDEX[above], INDEX[name]).gap_mm
        centres[name] = position
        above = name
    return {name: place for name, place in centres.items() if name not in skip}, position


def levels(first, last):
    usual = [name for name in LEVELS if name not in {"T13", "L6"}]
    return usual[usual.index(first) : usual.index(last) + 1]


def signals_of(names, faults=FAULTLESS, seed=0, **how):
    centres, end = spine(names, **how)
    return centres, simulated_signals(centres, end + 10.0, np.random.default_rng(seed), faults)


def test_numbers_are_those_of_verse():
    assert [VERSE_NUMBER[n] for n in ("C1", "C7", "T1", "T12", "L1", "L6", "T13")] == [
        1, 7, 8, 19, 20, 25, 28,
    ]  # fmt: skip
    assert {LEVEL_OF_VERSE[VERSE_NUMBER[name]] for name in LEVELS} == set(LEVELS)


def test_steps_go_down():
    assert all(step.upper < step.lower for step in STEPS)


@pytest.mark.parametrize(
    ("first", "last"), [("C1", "S1"), ("T3", "T9"), ("L1", "L5"), ("C7", "C7")]
)
def test_finds_what_is_there(first, last):
    names = levels(first, last)
    centres, signals = signals_of(names)
    chain = find_chain(signals)
    assert [v.name for v in chain.vertebrae] == names
    assert max(abs(v.position_mm - centres[v.name]) for v in chain.vertebrae) <= 1.0
    assert not chain.doubtful


@pytest.mark.parametrize("scale", [0.85, 1.15])
def test_measures_the_size_of_the_patient(scale):
    names = levels("T5", "L4")
    _, signals = signals_of(names, scale=scale)
    chain = find_chain(signals)
    assert chain.scale == pytest.approx(scale, abs=0.03)
    assert [v.name for v in chain.vertebrae] == names


def test_inserts_a_missed_level_and_says_so():
    names = levels("T8", "L3")
    centres, end = spine(names, skip={"T11"})
    signals = simulated_signals(centres, end + 10.0, np.random.default_rng(0), FAULTLESS)
    chain = find_chain(signals)
    assert [v.name for v in chain.vertebrae] == names
    assert {v.name for v in chain.vertebrae if "weak signal" in v.flags} == {"T11"}


def test_ends_are_filled_only_as_far_as_the_column_is_seen():
    centres, end = spine(levels("T8", "L3"), lead_mm=70.0, skip={"T8", "L3"})
    signals = simulated_signals(centres, end + 10.0, np.random.default_rng(0), FAULTLESS)
    chain = find_chain(signals, extent_mm=(60.0, end - 5.0))
    assert [v.name for v in chain.vertebrae] == levels("T8", "L2")
    assert chain.vertebrae[0].flags == ("no signal: placed by the usual distance",)


def test_the_sacrum_is_never_inferred():
    _, signals = signals_of(levels("L2", "L5"))
    chain = find_chain(signals, extent_mm=(-100.0, signals.shape[1] + 200.0))
    assert chain.vertebrae[-1].name == "L5"


@pytest.mark.parametrize(
    "names",
    [
        [*levels("T8", "T12"), "T13", *levels("L1", "L4")],
        [*levels("T8", "T11"), *levels("L1", "L4")],
        [*levels("T10", "L5"), "L6"],
        [*levels("C3", "C6"), *levels("T1", "T5")],
    ],
)
def test_unusual_numbers_of_vertebrae_are_found_and_flagged(names):
    _, signals = signals_of(names)
    chain = find_chain(signals)
    assert [v.name for v in chain.vertebrae] == names
    assert any("an unusual number" in flag for v in chain.vertebrae for flag in v.flags)


def test_a_compressed_vertebra_does_not_break_the_chain():
    names = levels("T6", "L2")
    centres, end = spine(names)
    moved = {n: p - (11.0 if INDEX[n] >= INDEX["T12"] else 0.0) for n, p in centres.items()}
    signals = simulated_signals(moved, end, np.random.default_rng(0), FAULTLESS)
    chain = find_chain(signals)
    assert [v.name for v in chain.vertebrae] == names
    (doubted,) = [v for v in chain.vertebrae if v.flags]
    assert doubted.name == "T12"
    assert "below T11" in doubted.flags[0]
    # the prior has not drawn it away from where it is
    assert doubted.position_mm == pytest.approx(moved["T12"], abs=1.0)


def test_equal_evidence_for_two_numberings_is_flagged():
    centres, end = spine(levels("T4", "T8"))
    below = {LEVELS[INDEX[name] + 1]: place for name, place in centres.items()}
    chain = find_chain(either(centres, below, end))
    assert abs(chain.rival_shift) == 1
    # told vertebra by vertebra: the same places, other names
    assert [level - chain.rival_shift for level, _ in chain.rival] == [
        vertebra.level for vertebra in chain.vertebrae
    ]
    for (level, position), vertebra in zip(chain.rival, chain.vertebrae, strict=True):
        assert position == pytest.approx(vertebra.position_mm, abs=2.0)
        assert vertebra.flags == (
            f"numbering with {LEVELS[level]} for {vertebra.name} fits nearly as well",
        )


def test_only_vertebrae_that_may_have_another_name_are_flagged():
    # the thorax is clear; below it the people with and without a T13 look alike
    centres, end = spine(levels("T5", "L4"))
    lower = {name: place for name, place in centres.items() if name[0] == "L"}
    names = ("T13", "L1", "L2", "L3")
    extra = dict(zip(names, lower.values(), strict=True))
    chain = find_chain(either(centres, extra, end), settings=Settings(variant_cost=0.3))
    assert [v.name for v in chain.vertebrae] == levels("T5", "L4")
    assert doubts(chain) == {"L1": "T13", "L2": "L1", "L3": "L2", "L4": "L3"}
    # the runner-up differs in this part alone, and is a whole chain
    assert [LEVELS[level] for level, _ in chain.rival] == [*levels("T5", "T12"), *names]
    assert chain.renamed == tuple(zip(lower, names, strict=True))
    assert chain.rival_score == pytest.approx(chain.score - 0.3, abs=0.25)


@pytest.mark.parametrize(
    ("seen", "other", "doubted"),
    [
        # the same last name: what lies above the missing vertebra is called one level lower
        (levels("T7", "L3"), [*levels("T6", "T11"), *levels("L1", "L3")], levels("T7", "T12")),
        # the same first name: what lies below the extra one is called one level higher
        (
            levels("T9", "L5"),
            [*levels("T9", "T12"), "T13", *levels("L1", "L4")],
            levels("L1", "L5"),
        ),
        (levels("L1", "S1"), [*levels("L1", "L5"), "L6"], ["S1"]),
    ],
)
def test_unusual_numbers_that_fit_nearly_as_well_are_told(seen, other, doubted):
    centres, end = spine(seen)
    names = dict(zip(other, centres.values(), strict=True))
    chain = find_chain(either(centres, names, end))
    assert [v.name for v in chain.vertebrae] == seen
    told = dict(zip(seen, other, strict=True))
    assert doubts(chain) == {name: told[name] for name in doubted}
    assert [LEVELS[level] for level, _ in chain.rival] == other


def test_an_extra_vertebra_that_the_network_never_says_is_thought_of():
    # counted from the sacrum alone, and L2 to L5 fit a little worse one place higher up: what would
    # follow them is an L6, for which no signal speaks
    centres, end = spine(levels("L1", "S1"))
    signals = simulated_signals(centres, end + 10.0, np.random.default_rng(0), FAULTLESS)
    usual = levels("L1", "L5")
    for upper, lower in itertools.pairwise(usual):
        signals[INDEX[lower]] = np.maximum(signals[INDEX[lower]], 0.9 * signals[INDEX[upper]])
    assert not signals[INDEX["L6"]].any()
    chain = find_chain(signals)
    assert [v.name for v in chain.vertebrae] == levels("L1", "S1")
    assert doubts(chain) == dict(zip(usual, [*usual[1:], "L6"], strict=True))
    assert doubts(find_chain(signals, settings=Settings(extra=0.0))) == {}


def test_a_rival_that_scores_much_less_is_told_but_flags_nothing():
    faults = Faults(confusion=0.3, noise=0.0, dropout=0.0, false_peaks=0.0, amplitude=(0.9, 0.9))
    _, signals = signals_of(levels("T3", "L3"), faults, 3)
    chain = find_chain(signals)
    assert chain.rival
    assert 0.0 < chain.rival_score < chain.score - Settings().rival
    assert doubts(chain) == {}


def either(first, second, end):
    """Evidence of two numberings at once."""
    rng = np.random.default_rng(0)
    signals = [simulated_signals(c, end + 10.0, rng, FAULTLESS) for c in (first, second)]
    return np.maximum(*signals)


def doubts(chain):
    """The name that fits nearly as well by name, where one does."""
    said = re.compile(r"numbering with (\w+) for (\w+) fits nearly as well")
    found = [match for v in chain.vertebrae for flag in v.flags if (match := said.match(flag))]
    return {match[2]: match[1] for match in found}


def test_nothing_is_found_where_nothing_is():
    assert find_chain(np.zeros((len(LEVELS), 300), np.float32)) == Chain((), 0.0, 1.0)
    assert find_chain(np.zeros((len(LEVELS), 0), np.float32)).vertebrae == ()


@pytest.mark.parametrize("signals", [np.zeros((3, 50)), np.full((len(LEVELS), 9), np.nan)])
def test_wrong_signals_are_refused(signals):
    with pytest.raises(ValueError, match="signals"):
        find_chain(signals)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.6, 0.9]))
def test_chains_are_anatomical_whatever_the_evidence(seed, confusion):
    rng = np.random.default_rng(seed)
    first = int(rng.integers(0, 18))
    names = levels("C1", "S1")[first : first + int(rng.integers(1, 8))]
    _, signals = signals_of(names, Faults(confusion=confusion, noise=0.2), seed)
    found = find_chain(signals).vertebrae
    for upper, lower in itertools.pairwise(found):
        assert step_between(upper.level, lower.level) is not None
        assert upper.position_mm < lower.position_mm


def test_identifies_what_the_maximum_of_each_signal_does_not():
    rng = np.random.default_rng(1)
    right = {"chain": 0, "maximum": 0}
    count = 0
    for _ in range(40):
        first = int(rng.integers(7, 12))
        names = levels("C1", "L5")[first : first + int(rng.integers(6, 12))]
        centres, end = spine(names, scale=rng.uniform(0.9, 1.1), lead_mm=12.0)
        signals = simulated_signals(centres, end + 12.0, rng, Faults(confusion=0.9))
        found = {v.name: v.position_mm for v in find_chain(signals).vertebrae}
        for name, place in centres.items():
            count += 1
            right["chain"] += abs(found.get(name, np.inf) - place) < 10.0
            right["maximum"] += abs(int(signals[INDEX[name]].argmax()) - place) < 10.0
    assert right["chain"] > right["maximum"] + 0.1 * count
