"""Figures of the liver evaluation, from results whose answers are counted by hand."""

import csv
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from inference.evaluation.liver import FULL, CaseResult, FindingRow, LesionRow
from inference.evaluation.report import NOTICE, confusion_svg, froc_svg, report_html
from inference.evaluation.store import read_results, write_results
from inference.evaluation.summary import (
    cases_csv,
    confusion,
    figures,
    figures_csv,
    froc_curve,
    sensitivity_at,
    size_name,
)
from inference.liver import classes
from inference.liver.patient import Decision


def case(seed, lesions, findings, malignant, decided, variant=FULL):
    decision = Decision("diagnosis", decided, 0.9 if decided else 0.1, "")
    return CaseResult(
        seed,
        "four phases",
        variant,
        tuple(lesions),
        tuple(findings),
        {"liver": 0.9 + 0.02 * seed, "spleen": float("nan")},
        malignant,
        decision,
        1.0,
    )


# one large HCC found as ICC, one small cyst missed, two false findings; and a healthy patient
RESULTS = [
    case(
        1,
        [
            LesionRow(classes.HCC, 25.0, classes.ICC, 0.8),
            LesionRow(classes.CYST, 8.0, 0, 0.0),
        ],
        [FindingRow(0.9, 0, 24.0), FindingRow(0.6, None, 12.0), FindingRow(0.3, None, 6.0)],
        True,
        True,
    ),
    case(2, [LesionRow(classes.HCC, 15.0, classes.HCC, 0.7)], [FindingRow(0.5, 0, 15.0)], 1, 0),
    case(3, [], [], False, False),
]


@pytest.fixture(scope="module")
def values():
    return {f.measure: f.interval for f in figures(RESULTS) if f.variant == FULL}


@pytest.mark.parametrize(
    ("measure", "value", "count"),
    [
        ("lesion sensitivity", 2 / 3, 3),
        ("lesion sensitivity >= 10 mm", 1.0, 2),
        ("lesion sensitivity 0-10 mm", 0.0, 1),
        ("lesion sensitivity 20-40 mm", 1.0, 1),
        ("false positives per case", 2 / 3, 3),
        ("false positives per case 10-20 mm", 1 / 3, 3),
        ("false negatives per case", 1 / 3, 3),
        ("right type of found lesions", 0.5, 2),
        ("Dice of found lesions", 0.75, 2),
        ("patient sensitivity", 0.5, 2),
        ("patient specificity", 1.0, 1),
        ("patient accuracy", 2 / 3, 3),
        ("Dice liver", 0.94, 3),
    ],
)
def test_figures(values, measure, value, count):
    found = values[measure]
    assert found.value == pytest.approx(value)
    assert found.count == count
    assert found.low <= found.value <= found.high


def test_organs_nobody_has_are_not_measured(values):
    assert values["Dice spleen"].count == 0
    assert np.isnan(values["Dice spleen"].value)


def test_froc_counts_lesions_of_all_cases():
    curve = froc_curve(RESULTS)
    assert [(round(t, 2), round(fp, 3), round(s, 3)) for t, fp, s in curve] == [
        (0.9, 0.0, 0.333),
        (0.6, 0.333, 0.333),
        (0.5, 0.333, 0.667),
        (0.3, 0.667, 0.667),
    ]
    assert sensitivity_at(curve, 0.4) == pytest.approx(2 / 3)
    assert sensitivity_at(curve, 0.1) == pytest.approx(1 / 3)
    assert froc_curve([]) == []


def test_confusion_has_a_column_for_missed():
    table = confusion(RESULTS)
    assert table.shape == (6, 7)
    assert table[0].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert table[5].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert table.sum() == 3


def test_tables_can_be_read_back():
    rows = list(csv.DictReader(io.StringIO(figures_csv(figures(RESULTS)))))
    assert {r["variant"] for r in rows} == {FULL}
    (accuracy,) = (r for r in rows if r["measure"] == "patient accuracy")
    assert float(accuracy["value"]) == pytest.approx(0.6667)
    cases = list(csv.DictReader(io.StringIO(cases_csv(RESULTS))))
    assert [r["missed"] for r in cases] == ["1", "0", "0"]
    assert [r["false positives"] for r in cases] == ["2", "0", "0"]


def test_plots_are_svg():
    froc = ET.fromstring(froc_svg({"a < b": froc_curve(RESULTS)}))
    assert froc.tag == "svg"
    assert "a < b" in [t.text for t in froc.iter("text")]
    matrix = ET.fromstring(confusion_svg(confusion(RESULTS), list("abcdef"), list("abcdefg")))
    assert len(list(matrix.iter("rect"))) == 42


def test_report_says_what_it_is():
    html = report_html(RESULTS, "Liver & lesions")
    assert NOTICE in html
    assert "Liver &amp; lesions" in html
    assert "3 synthetic patients" in html
    assert html.count("<svg") == 2
    assert "0.667" in html


def test_size_classes_have_names():
    assert size_name(10.0, 20.0) == "10-20 mm"
    assert size_name(40.0, float("inf")) == ">= 40 mm"


def test_results_survive_a_file(tmp_path):
    path = tmp_path / "1.json"
    assert read_results(path, "weights") is None
    write_results(path, RESULTS[:1], "weights")
    (again,) = read_results(path, "weights")
    assert again.lesions == RESULTS[0].lesions
    assert again.findings == RESULTS[0].findings
    assert again.decision == RESULTS[0].decision
    assert again.organ_dice["liver"] == RESULTS[0].organ_dice["liver"]
    assert np.isnan(again.organ_dice["spleen"])
    assert read_results(path, "other weights") is None


def test_more_variants_get_their_own_columns():
    other = case(1, [LesionRow(classes.HCC, 25.0, 0, 0.0)], [], True, False, "another stage 2")
    html = report_html([*RESULTS, other], "Liver")
    assert "<th>another stage 2</th>" in html
    assert {f.variant for f in figures([*RESULTS, other])} == {FULL, "another stage 2"}
