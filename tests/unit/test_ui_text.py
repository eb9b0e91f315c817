"""What the panels write and understand: numbers, places, keys, filters, report text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt5.QtGui import QKeySequence

from labeler.core.labels import Label, LabelTable
from labeler.core.report import ReportRow
from labeler.ui import formats
from labeler.ui.enhancement_plot import nice_range
from labeler.ui.label_picker import matching_labels
from labeler.ui.region_filter import RegionFilter, parse_filter
from labeler.ui.region_panel import findings
from labeler.ui.report_text import card_body, card_title, date_of, notable, rich


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1486.2, "1,486"),
        (20.43, "20.4"),
        (99.94, "99.9"),
        (99.96, "100"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (0.071, "0.07"),
        (0.005, "0.01"),
        (0.003, "<0.01"),
        (0.0, "0.00"),
        (-0.001, "0.00"),
        (-12.34, "\u221212.3"),
        (None, "\u2013"),
    ],
)
def test_amounts_have_about_three_figures(value, text):
    assert formats.measure(value) == text


@given(st.floats(0.01, 1e6))
def test_amounts_are_never_off_by_more_than_the_last_figure(value):
    shown = float(formats.measure(value).replace(",", ""))
    assert abs(shown - value) <= max(0.005, 0.006 * value) + 1e-9


def test_places_name_their_axes():
    assert formats.place(np.array([-41.23, 88.5, -0.01])) == "\u221241.2 R  88.5 A  0.0 S mm"


def test_counts_agree_with_their_noun():
    assert formats.count(1, "case") == "1 case"
    assert formats.count(1633, "case") == "1,633 cases"


def test_keys_are_written_as_on_keyboards():
    assert formats.key(QKeySequence("Ctrl+Return")) == "Ctrl+Enter"


def test_filter_understands_words_and_bounds():
    assert parse_filter("HCC draft > 2 ml") == RegionFilter(
        ("hcc", "draft"), pytest.approx(2), float("inf")
    )
    assert parse_filter("<=0,5").max_ml == 0.5
    assert parse_filter(">1 >=3 <9").min_ml == 3
    assert parse_filter("  ").is_open


@pytest.mark.parametrize(
    ("text", "label", "volume_ml", "reviewed", "fits"),
    [
        ("hc", "HCC", 1, False, True),
        ("draft", "HCC", 1, False, True),
        ("cyst", "HCC", 1, False, False),
        ("> 1", "HCC", 1, False, False),
        (">= 1", "HCC", 1, False, True),
        ("< 1", "HCC", 1, False, False),
        ("", "HCC", 1, True, False),
    ],
)
def test_filter_lets_through_what_fits(text, label, volume_ml, reviewed, fits):
    wanted = parse_filter(text, only_unreviewed=True)
    assert wanted.fits(label, "draft", volume_ml, is_reviewed=reviewed) is fits


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A 3.4 cm nodule in segment 8.", ["3.4 cm", "segment 8"]),
        ("2.0 x 1.8 cm, S6; segments IVa/b", ["2.0 x 1.8 cm", "S6", "segments IVa"]),
        ("12x8x5 mm in seg. 4/5", ["12x8x5 mm", "seg. 4/5"]),
        ("\u809d\u81df S8 \u8655 3.2\u516c\u5206 \u8178\u7624", ["S8", "3.2\u516c\u5206"]),
        ("T1 1.5 T, S1P3 trial, 10 cmH2O, HS3", []),
    ],
)
def test_sizes_and_segments_are_found_in_reports(text, found):
    assert [item[: len(want)] for item, want in zip(notable(text), found, strict=True)] == found


def test_report_text_is_escaped_and_keeps_its_lines():
    text = rich("<b>1 cm</b> & more\nnext")
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    assert "&amp; more<br>next" in text
    assert "background-color" in text


def test_long_words_may_wrap():
    assert "\u200b" in rich("x" * 40)
    assert "\u200b" not in rich("hepatocellular carcinoma")


def test_cards_are_titled_by_source_and_date():
    row = ReportRow("radiology_2.csv", 3, "LV-1", {"id": "LV-1", "when": "20210302", "text": "x"})
    assert card_title(row) == "Radiology 2 \u00b7 2021-03-02"
    assert card_title(ReportRow("a.csv", 1, "20210302", {"id": "20210302"})) == "A"
    assert date_of("in the year 2021-03-02 a long sentence") is None


def test_a_single_column_needs_no_title():
    assert card_body([("Findings", "text")]) == "text"
    assert "Findings" in card_body([("Findings", "text"), ("Stage", "T1")])


def test_labels_are_found_by_name_and_value_and_new_ones_offered():
    labels = LabelTable([Label(1, "Liver", "#000000"), Label(11, "HCC", "#000000")])
    assert [label.value for label in matching_labels(labels, "")] == [1, 11, 12]
    assert [label.value for label in matching_labels(labels, "c")] == [11]
    assert [label.value for label in matching_labels(labels, "11")] == [11]
    assert [label.value for label in matching_labels(labels, "40")] == [40]
    assert matching_labels(labels, "70000") == []


def test_curves_are_put_into_words():
    hcc = {"NC": 47.0, "ART": 117.0, "PV": 99.0, "DL": 74.0}
    liver = {"NC": 55.0, "ART": 78.0, "PV": 112.0, "DL": 90.0}
    texts = [finding.text for finding in findings(hcc, liver)]
    assert texts == [
        "Wash-in +70 HU, NC to ART",
        "Wash-out \u221225 HU, PV to DL",
        "Below the liver in PV by 13 and DL by 16 HU",
    ]
    cyst = {"NC": 8.0, "ART": 9.0, "PV": 7.0, "DL": 8.0}
    assert [f.text for f in findings(cyst, {})] == [
        "No wash-in: +1 HU, NC to ART",
        "No wash-out: +1 HU, PV to DL",
    ]
    assert findings({"PV": 100.0}, {}) == []


@given(st.lists(st.floats(-1100, 3000), max_size=8))
def test_the_axis_of_the_curve_holds_every_value(values):
    low, high, step = nice_range(values)
    assert low < high
    assert all(low <= value <= high for value in values)
    assert 1 <= (high - low) / step <= 5
