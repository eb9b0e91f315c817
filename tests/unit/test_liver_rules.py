"""The numbers by which the liver model decides: read from a card, and set on judged patients."""

from dataclasses import replace

import numpy as np
import pytest

from inference.liver.rules import (
    DIAGNOSIS,
    SCREENING,
    OrganLimits,
    QualityLimits,
    Rule,
    Rules,
    default_setting,
    read_rules,
)
from inference.liver.stage2 import NOT_A_LESION
from inference.training.thresholds import (
    Judged,
    area_under_curve,
    best_rule,
    best_threshold,
    figures_of,
    load_rules,
    organ_limits,
    tuned_rule,
    write_rules,
)
from tests.liver_world import examination_of

PLAIN = (True, False, False, False)


def test_rules_survive_a_file(tmp_path):
    rules = Rules(
        Rule(0.3, 0.4, 0.7, 0.2, 0.25, 0.5, 0.55),
        Rule(malignant_from=0.25),
        QualityLimits(0.1, 0.2, 0.3),
        {"right kidney": OrganLimits(0.2, 0.1, 0.05)},
    )
    write_rules(tmp_path / "rules.toml", rules)
    assert load_rules(tmp_path / "rules.toml") == rules


def test_a_card_without_rules_has_the_usual_ones():
    assert read_rules({}) == Rules()
    assert read_rules({"diagnosis": {"dropped_above": 0.4}}).diagnosis == Rule(dropped_above=0.4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("text", "table"),
        ({"diagnosis": {"guess": 0.1}}, "may have"),
        ({"screening": {"malignant_from": 1.5}}, "between 0 and 1"),
        ({"quality": {"outliers": "many"}}, "between 0 and 1"),
        ({"organs": {"spleen": {"unsure": 2.0}}}, "between 0 and 1"),
        ({"organs": {"spleen": {"size": 0.2}}}, "spleen may have"),
        ({"organs": ["spleen"]}, "limits of organs"),
    ],
)
def test_wrong_rules_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        read_rules(table)


def test_phases_choose_the_rule():
    rules = Rules(Rule(dropped_above=0.1), Rule(dropped_above=0.2))
    assert default_setting(PLAIN) == SCREENING
    assert default_setting((False, False, True, False)) == DIAGNOSIS
    assert rules.for_phases(PLAIN).dropped_above == 0.2
    with pytest.raises(ValueError, match="diagnosis or screening"):
        rules.of("guess")


def judged(proposals, lesion_mm, malignant=False):
    """Return a patient; proposals are (multiplier, hit, not a lesion of stage 1, of stage 2)."""
    first, second = (np.zeros((len(proposals), NOT_A_LESION + 1)) for _ in range(2))
    for n, (_, _, one, two) in enumerate(proposals):
        for table, nothing in ((first, one), (second, two)):
            table[n, 0], table[n, NOT_A_LESION] = 1.0 - nothing, nothing
    return Judged(
        first,
        second,
        np.array([p[0] for p in proposals], dtype=float),
        np.array([p[1] for p in proposals], dtype=np.int64),
        np.array(lesion_mm, dtype=float),
        malignant,
    )


def counts(rule, patients):
    found = false = 0
    for patient in patients:
        _, kept = patient.weighed(rule)
        found += len(set(patient.hit[kept & (patient.hit >= 0)].tolist()))
        false += int((kept & (patient.hit < 0)).sum())
    return found, false


def test_the_rule_parts_lesions_from_the_rest_by_the_better_opinion():
    inf = float("inf")
    patients = [
        # stage 1 is misled, stage 2 knows
        judged([(1.0, 0, 0.8, 0.2), (1.0, -1, 0.3, 0.9), (4.0, -1, 0.5, 0.85)], [20.0]),
        judged([(inf, 0, 0.95, 0.3), (inf, -1, 0.9, 0.7), (2.0, 1, 0.7, 0.4)], [15.0, 12.0]),
    ]
    rule = best_rule(patients, most_false=0.4)
    assert counts(rule, patients) == (3, 0)
    assert rule.first_weight == 0.0


def test_the_rule_keeps_within_the_false_positives_that_are_allowed():
    # the small lesion costs two false ones, the large one none
    patients = [
        judged([(2.0, 0, 0.5, 0.1), (2.0, 1, 0.5, 0.6), (2.0, -1, 0.5, 0.5)], [25.0, 6.0]),
        judged([(2.0, -1, 0.5, 0.4), (2.0, -1, 0.5, 0.3)], []),
    ]
    assert counts(best_rule(patients, most_false=0.5), patients) == (1, 0)
    assert counts(best_rule(patients, most_false=2.0), patients)[0] == 2


def test_the_threshold_lies_between_the_ill_and_the_healthy():
    threshold = best_threshold([0.1, 0.2, 0.7, 0.9], [False, False, True, True])
    assert threshold == pytest.approx(0.45)
    # one healthy patient scores high: the other five are judged rightly
    threshold = best_threshold([0.1, 0.2, 0.8, 0.5, 0.6, 0.9], [False, False, False, *[True] * 3])
    assert 0.2 < threshold < 0.5


def test_limits_of_organs_are_what_those_that_are_drawn_well_stay_below():
    def patient(spleen_dice, disagreement):
        seen = examination_of((True,) * 4)
        table = np.full(seen.organs.shape, np.nan)
        table[0] = spleen_dice, disagreement, 0.1, 0.01
        return replace(seen, organs=table)

    well = [patient(0.9, d) for d in np.linspace(0.1, 0.2, 11)]
    badly = [patient(0.3, 0.9) for _ in range(10)]
    limits = organ_limits([*well, *badly])
    assert limits.keys() == {"spleen"}  # nobody has another organ
    assert limits["spleen"].disagreement == pytest.approx(0.195)
    assert limits["spleen"].unsure == pytest.approx(0.1)


def test_patients_without_findings_are_healthy():
    patients = [
        judged([(1.0, 0, 0.1, 0.1)], [20.0], malignant=True),
        judged([(4.0, -1, 0.9, 0.9)], []),
        judged([], []),
    ]
    rule = tuned_rule(patients, 1.0)
    assert counts(rule, patients) == (1, 0)
    assert 0.0 < rule.malignant_from < 0.9
    assert figures_of(patients, rule) == {"sensitivity": 1.0, "false": 0.0, "accuracy": 1.0}


def test_the_score_parts_the_patients_by_the_better_opinion():
    # stage 1 is sure of a malignancy where there is none; stage 2 knows
    patients = [
        judged([(1.0, 0, 0.9, 0.2)], [20.0], malignant=True),
        judged([(1.0, -1, 0.2, 0.9)], []),
        judged([(1.0, 0, 0.6, 0.3)], [20.0], malignant=True),
        judged([(1.0, -1, 0.3, 0.8)], []),
    ]
    rule = tuned_rule(patients, 1.0)
    assert rule.first_malignancy < 0.5
    assert figures_of(patients, rule)["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("scores", "malignant", "area"),
    [
        ([0.9, 0.8, 0.1], [True, True, False], 1.0),
        ([0.1, 0.9], [True, False], 0.0),
        ([0.5, 0.5], [True, False], 0.5),
        ([0.9, 0.2, 0.5], [True, True, False], 0.5),
        ([0.3], [True], 0.5),
    ],
)
def test_area_under_the_curve(scores, malignant, area):
    assert area_under_curve(scores, malignant) == pytest.approx(area)
