"""Names and colours of label values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.labels import MAX_LABEL, Label, LabelTable, spare_rgb

values = st.integers(1, MAX_LABEL)
colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


@given(values, colours)
def test_a_colour_is_read_as_red_green_blue(value, colour):
    red, green, blue = Label(value, "Liver", colour).rgb
    assert f"#{red:02x}{green:02x}{blue:02x}" == colour


@given(values)
def test_an_unknown_value_has_a_name_and_always_the_same_colour(value):
    label = LabelTable()[value]
    assert label.value == value
    assert label.name == f"Label {value}"
    assert label == LabelTable()[value]
    assert value not in LabelTable()


def test_neighbouring_unknown_values_differ_in_colour():
    table = LabelTable()
    assert len({table[value].colour for value in range(1, 13)}) == 12


def distance(first, second):
    """Largest difference of a channel between two colours, 0..255."""
    return max(abs(a - b) for a, b in zip(first.rgb, second.rgb, strict=True))


@pytest.mark.parametrize("step", [1, 2, 5, 10, 12, 100, 144, 233, 300, 500, 1000, 4096])
def test_unknown_values_differ_in_colour_whatever_lies_between(step):
    table = LabelTable()
    labels = [table[step * number] for number in range(1, 13)]
    closest = min(distance(a, b) for a, b in itertools.combinations(labels, 2))
    assert closest >= 16


def test_unknown_values_are_bright_enough_for_a_dark_image():
    rgb = np.array([LabelTable()[value].rgb for value in range(1, 3000)])
    assert rgb.max(axis=1).min() >= 128


@given(st.lists(values, min_size=1, max_size=20))
def test_colours_in_one_go_are_those_of_the_labels(some):
    together = [f"#{rgb:06x}" for rgb in spare_rgb(some).tolist()]
    assert together == [LabelTable()[value].colour for value in some]


def test_the_table_is_ordered():
    liver, lesion = Label(1, "Liver", "#806040", "organ"), Label(5, "HCC", "#ff0000", "lesion")
    table = LabelTable([lesion, liver])
    assert list(table) == [liver, lesion]
    assert (table[1], len(table), 5 in table) == (liver, 2, True)


@pytest.mark.parametrize(
    ("value", "colour", "reason"),
    [
        (0, "#000000", "not within"),
        (MAX_LABEL + 1, "#000000", "not within"),
        (1, "red", "not #rrggbb"),
        (1, "1234567", "not #rrggbb"),
        (1, "#12345g", "invalid literal"),
    ],
)
def test_labels_that_make_no_sense_are_refused(value, colour, reason):
    with pytest.raises(ValueError, match=reason):
        Label(value, "x", colour)
