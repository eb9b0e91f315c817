"""Centroid files in the window: saved, in conflict, restored after a crash, accepted in a row."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFileDialog, QToolButton

from labeler.core.landmarks import Centroid
from labeler.state.perspective import SPINE
from labeler.state.proposals import ModelRun, Proposal, ProposedPoint
from labeler.storage.landmarks import StoredGrid, read_centroids, write_slicer, write_verse
from labeler.storage.sidecar import load_sidecar
from labeler.ui.centroid_actions import SLICER_FILTER, VERSE_FILTER, with_ending
from labeler.workflows.correct_landmarks import move_centroid
from labeler.workflows.spine_findings import centroids_of
from tests.cases_on_disk import SHAPE_IJK, affine, write_case
from tests.scenarios.remote_window import RemoteWindow
from tests.scenarios.test_faults import fill
from tests.unit.storage_faults import make_read_only, make_writable, small_disk

IMAGE = StoredGrid(SHAPE_IJK, affine())
FINE = {
    "1": Centroid("T12", (0.0, 0.0, -42.0)),
    "2": Centroid("L1", (0.0, 0.0, -74.0)),
}
WORDS = {
    "full": "the disk is full",
    "read-only": "the disk is read-only",
    "limit": "larger than allowed",
}
GAP = {**FINE, "2": Centroid("L3", (0.0, 0.0, -74.0))}
SWAPPED = {"1": Centroid("L1", (0.0, 0.0, -42.0)), "2": Centroid("T12", (0.0, 0.0, -74.0))}


def write_spines(root, **cases) -> None:
    for case_id, centroids in cases.items():
        write_case(root, case_id, phases=("PV",))
        write_verse(path_of(root, case_id), centroids, IMAGE)


def path_of(root, case_id) -> Path:
    return root / "masks" / case_id / f"{case_id}_ctd.json"


def places(root, case_id="a"):
    read = read_centroids(path_of(root, case_id), IMAGE)
    return {c.level: c.position_ras for c in read.centroids.values()}


def test_a_move_before_a_crash_is_restored_and_saved(tmp_path):
    write_spines(tmp_path, a=FINE)
    with RemoteWindow(tmp_path / "user") as window:
        window.ask("open", case="a", root=str(tmp_path))
        window.ask("move_centroid", key="2", position_ras=[3.0, 4.0, -75.0])
        window.kill()  # SIGKILL
    assert places(tmp_path)["L1"] == pytest.approx((0.0, 0.0, -74.0), abs=0.01)
    with RemoteWindow(tmp_path / "user") as window:
        found = window.ask("open", case="a", root=str(tmp_path))
        assert found["questions"] == ["recoveryQuestion"]
        assert found["centroids"]["2"]["position_ras"] == [3.0, 4.0, -75.0]
        assert found["undo"] == ["Move L1"]
        assert window.ask("save")["saved"]
    assert places(tmp_path)["L1"] == pytest.approx((3.0, 4.0, -75.0), abs=0.01)


@pytest.mark.parametrize("fault", ["full", "read-only", "limit"])
def test_a_disk_that_takes_no_centroids_loses_none(tmp_path, fault):
    """It is said, the file is as it was, and what was done outlives even a power cut."""
    with small_disk(tmp_path / "data", "600k"):
        root, place = tmp_path / "data", [3.0, 4.0, -75.0]
        write_spines(root, a=FINE)
        with RemoteWindow(tmp_path / "user") as window:
            window.ask("open", case="a", root=str(root))
            window.ask("move_centroid", key="2", position_ras=place)
            before = path_of(root, "a").read_bytes()
            filler = fill(root) if fault == "full" else None
            if fault == "read-only":
                make_read_only(root)
            if fault == "limit":
                window.ask("limit_file_size", size=100)
            tried = window.ask("save")
            assert not tried["saved"]
            assert tried["is_dirty"]
            assert "a_ctd.json" in tried["message"]
            assert WORDS[fault] in tried["message"]
            assert path_of(root, "a").read_bytes() == before
            window.kill()
        if filler is not None:
            filler.unlink()
        make_writable(root)
        with RemoteWindow(tmp_path / "user") as window:
            found = window.ask("open", case="a", root=str(root))
            assert found["centroids"]["2"]["position_ras"] == place
            assert window.ask("save")["saved"]
        assert places(root)["L1"] == pytest.approx(place, abs=0.01)


def test_broken_cases_do_not_stop_the_way_through_the_list(user, tmp_path):
    write_spines(tmp_path, a=FINE, b=FINE, c=FINE, d=FINE)
    path_of(tmp_path, "b").write_text('[{"direction": ["R", "A", "S"]}, {"label": ')
    (tmp_path / "images" / "c" / "PV.nii.gz").write_bytes(b"no image")
    user.open(tmp_path)
    user.program.ws.perspective.choose(SPINE)
    user.click_case("a")
    said = {}
    for command in (*["case.next"] * 3, *["case.previous"] * 3):
        user.program.commands.action(command).trigger()
        user.wait(user.program.has_settled)
        said[user.session.case.id] = user.program.spine.checks.sentences()
    assert list(said) == ["d", "b", "c", "a"], "by doubt: those without centroids come last"
    assert said["b"][0].startswith("b_ctd.json is not valid JSON")
    assert said["c"][0].startswith("c_ctd.json cannot be used without its image: PV.nii.gz")
    assert said["a"] == said["d"]
    assert len(said["a"]) == 1


@pytest.fixture
def moved(user, tmp_path):
    """An open case whose L1 was moved; somebody else has changed T12 in the file since."""
    write_spines(tmp_path, a=FINE)
    user.open(tmp_path)
    user.click_case("a")
    move_centroid(user.program.ws, "2", (3.0, 4.0, -75.0))
    theirs = {**FINE, "1": Centroid("T12", (5.0, 5.0, -40.0))}
    write_verse(path_of(tmp_path, "a"), theirs, IMAGE)
    return tmp_path


def save(user, answer):
    asked = user.answer(answer)
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.wait(lambda: bool(asked))
    user.wait(lambda: not user.program.ws.tasks.pending_count)
    return asked


def test_mine_instead_of_theirs(user, moved):
    assert save(user, "Keep mine") == ["centroidsQuestion"]
    assert not user.session.is_dirty
    assert places(moved)["L1"] == pytest.approx((3.0, 4.0, -75.0), abs=0.01)
    assert list((moved / "masks" / "a").glob("*.theirs-*"))


def test_theirs_instead_of_mine(user, moved):
    save(user, "Take theirs")
    found = {c.level: c.position_ras for c in centroids_of(user.session).values()}
    assert found["T12"] == pytest.approx((5.0, 5.0, -40.0), abs=0.01)
    assert user.session.history.undo_name == "Take centroids of somebody else"


def test_later_changes_nothing(user, moved):
    before = path_of(moved, "a").read_bytes()
    save(user, "Later")
    assert path_of(moved, "a").read_bytes() == before
    assert user.session.is_dirty
    user.session.undo()  # or the end of the test would be asked about it


def test_cases_are_accepted_from_the_most_doubtful_on(user, tmp_path):
    write_spines(tmp_path, a=FINE, b=GAP, c=SWAPPED)
    user.open(tmp_path)
    user.program.ws.perspective.choose(SPINE)
    user.wait(lambda: user.program.cases.table.spine("c") is not None)
    opened = []
    user.session.case_opened.connect(lambda case: opened.append(case and case.id))
    user.click_case("c")
    for following in ("b", "a"):
        user.key(Qt.Key_Return, Qt.ControlModifier)
        user.wait(lambda name=following: user.session.case.id == name)
        user.wait(user.program.has_settled)
    assert opened == ["c", "b", "a"]
    user.key(Qt.Key_Return, Qt.ControlModifier)
    user.wait(lambda: load_sidecar(tmp_path / "masks", "a").sidecar.status == "done")
    user.wait(lambda: "Every case" in user.shown_text("statusBar"))
    assert load_sidecar(tmp_path / "masks", "c").sidecar.status == "done"


def propose(user):
    points = (ProposedPoint(20, (1.0, 2.0, -75.0), 0.9), ProposedPoint(19, (1.0, 2.0, -43.0), 0.4))
    run = ModelRun("vertebra-ct", "Vertebrae", "1.0", family="vertebra")
    volume = user.session.volumes["PV"]
    empty = np.zeros((1, 1, 1), np.uint8)
    proposal = Proposal(
        "run-1", "a", "PV", volume.grid, empty, {}, {}, run, landmarks=points, has_mask=False
    )
    user.session.proposals.show(proposal, {})


def test_proposed_centroids_are_taken_by_a_button(user, tmp_path):
    write_spines(tmp_path, a=FINE)
    user.open(tmp_path)
    user.click_case("a")
    button = user.widget("button.proposal.take_landmarks")
    assert isinstance(button, QToolButton)
    assert not button.isEnabled()
    user.program.commands.action("model.panel").trigger()
    propose(user)
    assert button.isVisible()
    assert button.text() == button.accessibleName() == "Take 2 centroids"
    button.click()
    assert user.session.history.undo_name == "Take 2 centroids of Vertebrae"
    assert {c.confidence for c in centroids_of(user.session).values()} == {0.9, 0.4}
    assert user.program.ws.perspective.name == SPINE
    assert (button.isEnabled(), button.text()) == (False, "Centroids taken")
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert button.isEnabled()


def test_files_are_opened_and_exported(user, tmp_path, monkeypatch):
    write_spines(tmp_path, a=FINE)
    user.open(tmp_path)
    user.click_case("a")
    actions = user.program.commands.action
    target = str(tmp_path / "out")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (target, SLICER_FILTER))
    actions("file.export_centroids").trigger()
    user.wait(lambda: Path(f"{target}.mrk.json").exists())
    write_slicer(tmp_path / "other.mrk.json", {"1": Centroid("L4", (0.0, 0.0, -60.0))})
    other = str(tmp_path / "other.mrk.json")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (other, ""))
    actions("file.open_centroids").trigger()
    user.wait(lambda: [c.level for c in centroids_of(user.session).values()] == ["L4"])
    assert user.session.history.undo_name == "Open other.mrk.json"
    user.session.undo()


@pytest.mark.parametrize(
    ("name", "chosen", "expected"),
    [
        ("a", VERSE_FILTER, "a_ctd.json"),
        ("a.json", SLICER_FILTER, "a.mrk.json"),
        ("a_ctd.json", SLICER_FILTER, "a_ctd.json"),
    ],
)
def test_the_kind_of_file_is_in_its_name(name, chosen, expected):
    assert with_ending(Path(name), chosen).name == expected


def test_the_panel_tells_edits_time_and_file(user, tmp_path):
    write_spines(tmp_path, a=FINE)
    user.open(tmp_path)
    user.click_case("a")
    panel = user.program.window.findChild(object, "caseEffort")
    assert panel.text.startswith("0 edits")
    move_centroid(user.program.ws, "2", (3.0, 4.0, -75.0))
    assert panel.text.startswith("1 edit ")
    assert "file a_ctd.json (VerSe)" in panel.text
    user.session.undo()


def test_the_worklist_is_exported(user, tmp_path, monkeypatch):
    write_spines(tmp_path, a=FINE, b=GAP)
    write_case(tmp_path, "=c", phases=("PV",))
    user.open(tmp_path)
    user.click_case("b")
    move_centroid(user.program.ws, "2", (0.0, 0.0, -75.0))
    user.key(Qt.Key_S, Qt.ControlModifier)
    user.wait(lambda: not user.session.is_dirty and not user.program.saver.is_saving)
    target = tmp_path / "list"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    user.program.commands.action("file.export_worklist").trigger()
    written = target.with_name("list.csv")
    user.wait(written.exists)
    with open(written, encoding="utf-8-sig", newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"a", "b", "'=c"}
    assert rows["b"]["levels"] == "T12\u2013L3"
    assert rows["b"]["worst"].startswith("gap")
    assert (rows["b"]["edits"], rows["a"]["edits"]) == ("1", "0")
    assert float(rows["b"]["active_s"]) >= 0
    assert rows["b"]["file"] == "b/b_ctd.json"
    assert rows["a"]["doubts"] == "0"
    assert rows["'=c"]["centroids"] == "0"
