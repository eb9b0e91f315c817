"""What the values of a mask stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.phantom.labels import LABEL_NAMES
from labeler.core.labels import Label
from labeler.storage.label_files import load_label_table, read_labels

GOOD = '[[label]]\nvalue = 1\nname = "Liver"\ncolour = "#3cba7a"\ngroup = "organ"\n'


def rgb_distance(one: Label, other: Label) -> float:
    return sum((a - b) ** 2 for a, b in zip(one.rgb, other.rgb, strict=True)) ** 0.5


def test_shipped_labels_are_those_of_the_phantom() -> None:
    table, problems = load_label_table()
    assert problems == []
    assert {label.value: label.name for label in table} == dict(LABEL_NAMES)


def test_shipped_colours_are_distinct_and_bright_enough() -> None:
    labels = list(load_label_table()[0])
    for place, label in enumerate(labels):
        assert max(label.rgb) >= 140, label.name  # seen on a dark grey image
        for other in labels[:place]:
            assert rgb_distance(label, other) >= 45, (label.name, other.name)
    lesions = [label for label in labels if label.group == "lesion"]
    assert len(lesions) == 6
    for place, label in enumerate(lesions):
        assert all(rgb_distance(label, other) >= 70 for other in lesions[:place]), label.name


def test_a_file_in_the_mask_folder_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "labels.toml").write_text('[[label]]\nvalue = 1\nname = "Tumour"\n')
    table, problems = load_label_table(tmp_path)
    assert problems == []
    assert [(label.value, label.name) for label in table] == [(1, "Tumour")]
    assert table[11].name == "Label 11"


def test_a_useless_file_in_the_mask_folder_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "labels.toml").write_text("[[label]")
    table, problems = load_label_table(tmp_path)
    assert table[1].name == "Liver"
    assert len(problems) == 1


def test_bad_entries_are_reported_one_by_one(tmp_path: Path) -> None:
    entries = [
        'name = "no value"',
        "value = 2",
        'value = 0\nname = "zero"',
        'value = 70000\nname = "large"',
        'value = 1.5\nname = "half"',
        'value = true\nname = "yes"',
        'value = 3\nname = "red"\ncolour = "red"',
        'value = 4\nname = "short"\ncolour = "#12"',
        'value = 5\nname = "signed"\ncolour = "#+12345"',
        'value = 6\nname = "list"\ncolour = [1, 2, 3]',
        'value = 1\nname = "again"',
    ]
    path = tmp_path / "labels.toml"
    path.write_text(GOOD + "".join(f"[[label]]\n{entry}\n" for entry in entries) + "[other]\n")
    table, problems = read_labels(path)
    assert [label.name for label in table] == ["Liver"]
    assert len(problems) == len(entries) + 1
    for number in range(2, len(entries) + 2):
        assert any(f"label entry {number} is ignored" in text for text in problems), number


@pytest.mark.parametrize(
    "text", ["label = 3", "label = [1]", "[label]\nvalue = 1", "\ufeff" + GOOD]
)
def test_odd_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(text)
    table, problems = read_labels(path)
    assert len(table) == (1 if "Liver" in text else 0)
    assert bool(problems) == ("Liver" not in text)


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    assert "cannot be read" in read_labels(path)[1][0]
    path.write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in read_labels(path)[1][0]


def test_a_colour_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text('[[label]]\nvalue = 7\nname = " Left   lobe "\n')
    (label,) = read_labels(path)[0]
    assert label.name == "Left lobe"
    assert label.rgb
