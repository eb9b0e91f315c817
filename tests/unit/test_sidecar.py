"""Notes of a case: written so that nothing is lost, read whatever happened to them."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.storage.case_names import case_file_name, case_id_of
from labeler.storage.errors import SaveError
from labeler.storage.sidecar import (
    Sidecar,
    SidecarConflict,
    list_sidecars,
    load_sidecar,
    put_sidecar_aside,
    read_sidecar,
    read_summary,
    save_sidecar,
    save_sidecar_copy,
    sidecar_path,
)

FIELDS = {
    "status": {"": "flagged"},
    "comment": {
        "c1": {"time": "2024-01-01T10:00:00", "author": "A", "text": "囊腫?", "region": None},
        "c2": {"time": "", "author": "", "text": "x", "region": {"mask": "draft", "label": 11}},
    },
    "tick": {"draft:11:0": {"point_ras": [1.0, 2.0, 3.0]}},
    "shift": {"ART": [0.0, 1.5, -2.0]},
}


def write(mask_root: Path, content: Any, case_id: str = "P1") -> Path:
    path = sidecar_path(mask_root, case_id)
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


# Names

ID_CHARACTERS = st.text(
    st.sampled_from(
        string.ascii_letters + string.digits + " ._-%~/\\:*?\"<>|'()[]肝癌é\x01\n\udcff"
    ),
    max_size=40,
)


@given(ID_CHARACTERS)
def test_names_lead_back_to_their_case(case_id: str) -> None:
    name = case_file_name(case_id)
    assert case_id_of(name) == case_id
    assert not set(name) & set('/\\:*?"<>|\x01\n')
    assert name
    assert name.strip(". ") == name
    assert len(os.fsencode(name)) <= 200


@given(ID_CHARACTERS, ID_CHARACTERS)
def test_two_cases_never_share_a_name(one: str, other: str) -> None:
    assert (case_file_name(one) == case_file_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("case_id", "name"),
    [
        ("LV-00417", "LV-00417"),
        ("肝癌 01", "肝癌 01"),
        ("batch/P1", "batch%2FP1"),
        ("100%", "100%25"),
        ("..", "%2E%2E"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("P1 ", "P1%20"),
    ],
)
def test_names_stay_readable(case_id: str, name: str) -> None:
    assert case_file_name(case_id) == name


def test_long_ids_get_names_that_fit() -> None:
    names = {case_file_name("肝" * 300), case_file_name("肝" * 301), case_file_name("a" * 1000)}
    assert len(names) == 3
    assert all(len(os.fsencode(name)) <= 200 for name in names)
    assert all(case_id_of(name) is None for name in names)


@pytest.mark.parametrize("name", ["%zz", "a%2", "%41", "a%2f", "a/b", "%FF%"])
def test_foreign_names_lead_nowhere(name: str) -> None:
    assert case_id_of(name) is None


# Round trips


def test_annotations_come_back(tmp_path: Path) -> None:
    loaded = load_sidecar(tmp_path, "P1")
    assert loaded.version is None
    assert loaded.sidecar.annotations().get("status", "") == "todo"
    version = save_sidecar(tmp_path, loaded.sidecar.with_annotations(FIELDS), None)
    again = load_sidecar(tmp_path, "P1")
    assert again.version == version
    assert not again.problems
    assert again.sidecar.annotations().as_dict() == FIELDS
    assert again.sidecar.times["created"] == again.sidecar.times["changed"]
    assert sorted(again.sidecar.with_annotations({}).annotations().as_dict()) == ["status"]


def test_a_case_in_a_deeper_folder_has_its_notes_in_the_same_place(tmp_path: Path) -> None:
    save_sidecar(tmp_path, Sidecar(case="batch/P1", status="done"), None)
    assert sidecar_path(tmp_path, "batch/P1") == tmp_path / "_labeling" / "batch%2FP1.json"
    assert load_sidecar(tmp_path, "batch/P1").sidecar.status == "done"


def test_names_of_files_that_are_no_text_can_be_noted(tmp_path: Path) -> None:
    case_id = os.fsdecode(b"P\xff")
    save_sidecar(tmp_path, Sidecar(case=case_id, status="done"), None)
    loaded = load_sidecar(tmp_path, case_id)
    assert loaded.sidecar.status == "done"
    assert not loaded.problems


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    content = {
        "case": "P1",
        "future": {"a": [1]},
        "comments": [{"id": "c1", "text": "x", "mood": "good"}],
    }
    write(tmp_path, content)
    loaded = load_sidecar(tmp_path, "P1")
    assert not loaded.problems
    changed = loaded.sidecar.with_annotations(
        {**loaded.sidecar.annotations().as_dict(), "status": {"": "done"}}
    )
    path = sidecar_path(tmp_path, "P1")
    save_sidecar(tmp_path, changed, loaded.version)
    written = json.loads(path.read_text())
    assert written["future"] == {"a": [1]}
    assert written["comments"][0]["mood"] == "good"
    assert written["status"] == "done"


@given(
    st.dictionaries(st.text(max_size=10), st.none() | st.integers() | st.text(max_size=10)),
    st.sampled_from(["todo", "in progress", "done", "flagged"]),
)
def test_any_tick_survives_json(ticks: dict[str, Any], status: str) -> None:
    sidecar = Sidecar(case="P1", status=status, ticks=ticks)  # type: ignore[arg-type]
    again = Sidecar.model_validate_json(json.dumps(sidecar.model_dump(mode="json")))
    assert again == sidecar


# Damage


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "\x00" * 100,
        "[" * 100_000,
        '{"case": "P1", "status"',
        "{'a': 1}",
    ],
)
def test_damaged_notes_are_reported_and_put_aside(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, content)
    loaded = load_sidecar(tmp_path, "P1")
    assert loaded.sidecar.status == "todo"
    assert loaded.problems == (
        "The notes P1.json are damaged; the file will be put aside when you save.",
    )
    assert path.read_text() == content
    version = save_sidecar(tmp_path, loaded.sidecar, loaded.version)
    (aside,) = path.parent.glob("P1.json.corrupt-*")
    assert aside.read_text() == content
    assert load_sidecar(tmp_path, "P1").problems == ()
    save_sidecar(tmp_path, loaded.sidecar, version)
    assert len(list(path.parent.glob("*.corrupt-*"))) == 1
    assert list(list_sidecars(tmp_path)) == ["P1"]


def test_bad_entries_are_left_out_one_by_one(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "case": "P1",
            "status": "finished",
            "comments": [{"id": "a", "text": "kept"}, {"id": "b"}, 7, {"id": "c", "text": "too"}],
            "shifts_mm": {"ART": [1, 2], "PV": [1, 2, 3]},
            "ticks": [],
            "times": {"opened": "x"},
        },
    )
    before = path.read_text()
    loaded = load_sidecar(tmp_path, "P1")
    assert [comment.id for comment in loaded.sidecar.comments] == ["a", "c"]
    assert loaded.sidecar.shifts_mm == {"PV": (1, 2, 3)}
    assert loaded.sidecar.status == "todo"
    assert len(loaded.problems) == 5
    assert all(text.startswith("The notes P1.json: ") for text in loaded.problems)
    save_sidecar(tmp_path, loaded.sidecar, loaded.version)
    (aside,) = path.parent.glob("P1.json.corrupt-*")
    assert aside.read_text() == before


def test_notes_that_are_a_folder(tmp_path: Path) -> None:
    sidecar_path(tmp_path, "P1").mkdir(parents=True)
    loaded = load_sidecar(tmp_path, "P1")
    assert loaded.problems == ("The notes P1.json cannot be read (is a directory).",)
    assert read_summary(sidecar_path(tmp_path, "P1")).problem == loaded.problems[0]


def test_a_summary_takes_what_it_can(tmp_path: Path) -> None:
    path = write(tmp_path, {"case": "P1", "status": "done", "phases": {"a": "PV", "b": 3}})
    assert read_summary(path).status == "done"
    assert read_summary(path).phases == {"a": "PV"}
    assert read_summary(write(tmp_path, {"status": ["done"], "phases": 1})).status == "todo"


# Other people


def test_notes_changed_by_somebody_else_are_not_overwritten(tmp_path: Path) -> None:
    mine, theirs = load_sidecar(tmp_path, "P1"), load_sidecar(tmp_path, "P1")
    save_sidecar(tmp_path, theirs.sidecar.model_copy(update={"status": "done"}), theirs.version)
    with pytest.raises(SidecarConflict, match="changed by somebody else"):
        save_sidecar(tmp_path, mine.sidecar, mine.version)
    assert load_sidecar(tmp_path, "P1").sidecar.status == "done"
    mine = load_sidecar(tmp_path, "P1")
    theirs = load_sidecar(tmp_path, "P1")
    save_sidecar(tmp_path, theirs.sidecar.model_copy(update={"status": "flagged"}), theirs.version)
    with pytest.raises(SidecarConflict):
        save_sidecar(tmp_path, mine.sidecar, mine.version)
    assert load_sidecar(tmp_path, "P1").sidecar.status == "flagged"


def test_notes_removed_by_somebody_else_are_a_conflict(tmp_path: Path) -> None:
    version = save_sidecar(tmp_path, Sidecar(case="P1"), None)
    sidecar_path(tmp_path, "P1").unlink()
    with pytest.raises(SidecarConflict):
        save_sidecar(tmp_path, Sidecar(case="P1"), version)


def test_two_versions_can_be_kept(tmp_path: Path) -> None:
    assert put_sidecar_aside(tmp_path, "P1") is None
    theirs = Sidecar(case="P1", status="done")
    save_sidecar(tmp_path, theirs, None)
    copy = save_sidecar_copy(tmp_path, Sidecar(case="P1", status="flagged"))
    assert read_sidecar(copy, "P1").sidecar.status == "flagged"
    assert load_sidecar(tmp_path, "P1").sidecar.status == "done"
    version = put_sidecar_aside(tmp_path, "P1")
    save_sidecar(tmp_path, Sidecar(case="P1", status="flagged"), version)
    (aside,) = sidecar_path(tmp_path, "P1").parent.glob("*.theirs-*")
    assert read_sidecar(aside, "P1").sidecar.status == "done"
    assert list(list_sidecars(tmp_path)) == ["P1"], "copies are no notes of a case"


def test_notes_of_another_case_are_neither_shown_nor_replaced(tmp_path: Path) -> None:
    """As on a file system that takes P1 and p1 for one name."""
    path = write(tmp_path, {"case": "p1", "status": "done"})
    loaded = load_sidecar(tmp_path, "P1")
    assert loaded.is_foreign
    assert loaded.sidecar.status == "todo"
    before = path.read_text()
    with pytest.raises(SaveError, match="another case"):
        save_sidecar(tmp_path, loaded.sidecar, loaded.version)
    assert path.read_text() == before


def test_centroids_are_kept_with_the_case(tmp_path):
    centroid = {"level": "T12", "position_ras": [1.0, 2.0, 3.0], "confidence": None, "flags": []}
    notes = Sidecar(case="P1").with_annotations({"centroid": {"7": centroid}})
    save_sidecar(tmp_path, notes, None)
    read = load_sidecar(tmp_path, "P1").sidecar
    assert read.annotations().entries("centroid") == {"7": centroid}
