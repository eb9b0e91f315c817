"""Centroid files of cases: opened, corrected, saved, and never lost to anybody else's change."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from inference.contract import Image, Landmark, Result
from inference.results import write_results
from inference.volumes import Source
from inference.worker import RunResult
from labeler.core.edits import Edit
from labeler.core.landmarks import Centroid
from labeler.storage.cases import scan
from labeler.storage.landmarks import StoredGrid, read_centroids, write_slicer, write_verse
from labeler.storage.sidecar import load_sidecar, sidecar_path
from labeler.storage.unsaved import journal_path
from labeler.workflows.check_cases import check_case
from labeler.workflows.correct_landmarks import (
    add_centroid,
    move_centroid,
    remove_centroid,
    rename_centroid,
)
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.review_case import set_status
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.settle_centroids import CentroidSettler
from labeler.workflows.settle_notes import NotesSettler
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.spine_worklist import spine_row
from tests.cases_on_disk import write_image
from tests.unit.test_landmark_files import DIRECTIONS
from tests.unit.test_open_case import PATIENCE_MS, Bench

SHAPE = (12, 10, 30)
AFFINE = np.array([[2.0, 0.1, 0, -10], [-0.1, 1.5, 0, 5], [0, 0, 3.0, -100], [0, 0, 0, 1]])
IMAGE = StoredGrid(SHAPE, AFFINE)
SPINE = {
    "1": Centroid("T12", (0.0, 10.0, -30.0)),
    "2": Centroid("L1", (1.0, 11.5, -62.0)),
    "3": Centroid("L2", (0.5, 12.0, -95.4)),
}


class CentroidBench(Bench):
    """With a journal and saving."""

    def __init__(self, folder):
        super().__init__(folder)
        self.journal = JournalKeeper(self.ws)
        self.saver = CaseSaver(self.ws, self.opener, self.journal)
        self.settler = CentroidSettler(self.ws, self.opener, self.saver)
        self.opener.loaded.connect(self.journal.begin)
        self.said = []
        self.saver.failed.connect(self.said.append)
        self.saver.centroid_conflict.connect(self.said.append)
        self.saver.notes_conflict.connect(self.said.append)

    def save(self, qtbot):
        """Whether everything was saved."""
        answers = []
        self.saver.save(answers.append)
        qtbot.waitUntil(lambda: bool(answers), timeout=PATIENCE_MS)
        return answers[0]

    def settle(self, act, qtbot):
        act()
        qtbot.waitUntil(lambda: self.ws.tasks.pending_count == 0, timeout=PATIENCE_MS)

    @property
    def centroids(self):
        return centroids_of(self.ws.session)


@pytest.fixture
def bench(qapp, tmp_path):
    bench = CentroidBench(tmp_path / "config")
    yield bench
    bench.opener.close()
    bench.ws.tasks.shutdown()


def write_spine(root, case_id="a", where="masks/a/a_seg-subreg_ctd.json", direction="PIR"):
    image = np.zeros(SHAPE, np.int16)
    write_image(root / "images" / case_id / "ct.nii.gz", image, AFFINE)
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".mrk.json"):
        write_slicer(path, SPINE)
    else:
        write_verse(path, SPINE, IMAGE, direction=direction)
    return path


def points(centroids):
    return {c.level: c.position_ras for c in centroids.values()}


def assert_near(found, expected, mm=0.01):
    found, expected = points(found), points(expected)
    assert set(found) == set(expected)
    for level, position in expected.items():
        assert found[level] == pytest.approx(position, abs=mm)


def test_centroids_are_there_when_the_case_opens(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    before = path.read_bytes()
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    session = bench.ws.session
    assert_near(bench.centroids, SPINE)
    assert not session.is_dirty
    assert not session.history.done
    assert not session.problems
    assert bench.save(qtbot)
    assert path.read_bytes() == before
    assert not sidecar_path(tmp_path / "masks", "a").exists()


@pytest.mark.parametrize("name", ["a_ctd.json", "a.mrk.json"])
def test_corrections_are_saved_in_the_same_file(bench, qtbot, tmp_path, name):
    path = write_spine(tmp_path, where=f"masks/a/{name}", direction="LAS")
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    rename_centroid(bench.ws, "3", "L3")
    assert bench.save(qtbot)
    assert not bench.ws.session.is_dirty
    read = read_centroids(path, IMAGE)
    assert read.direction == (None if "mrk" in name else ("L", "A", "S"))
    expected = {"T12": (0.0, 10.0, -30.0), "L1": (2.0, 13.0, -60.0), "L3": (0.5, 12.0, -95.4)}
    assert points(read.centroids).keys() == expected.keys()
    for level, position in points(read.centroids).items():
        assert position == pytest.approx(expected[level], abs=0.01)
    assert list((path.parent / "backups").iterdir())
    bench.ws.session.undo()
    bench.ws.session.undo()
    assert bench.save(qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, SPINE)


def test_every_direction_survives_the_session(bench, qtbot, tmp_path):
    for direction in DIRECTIONS:
        where = f"masks/{direction}/{direction}_ctd.json"
        write_spine(tmp_path, case_id=direction, where=where, direction=direction)
    bench.scan(tmp_path, qtbot)
    to_voxel = np.linalg.inv(AFFINE)
    for direction in DIRECTIONS:
        bench.open(direction, qtbot)
        assert_near(bench.centroids, SPINE)
        add_centroid(bench.ws, (0.25, 12.0, -99.9))
        assert bench.save(qtbot)
        path = tmp_path / "masks" / direction / f"{direction}_ctd.json"
        assert json.loads(path.read_text())[0] == {"direction": list(direction)}
        read = read_centroids(path, IMAGE)
        for level, position in points(bench.centroids).items():
            away = to_voxel[:3, :3] @ np.subtract(points(read.centroids)[level], position)
            assert np.abs(away).max() < 0.1


def test_confidence_and_doubts_are_kept_in_the_notes(bench, qtbot, tmp_path):
    write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    doubted = Centroid("L3", (0.0, 12.0, -128.0), 0.41, ("cut by the field of view",))
    session = bench.ws.session
    change = session.annotations.change("centroid", "9", doubted.to_value())
    session.apply(Edit("Add L3", (change,)))
    assert bench.save(qtbot)
    before = bench.centroids
    bench.open("a", qtbot)
    assert bench.centroids == before
    assert bench.centroids["9"] == doubted


def test_new_centroids_get_a_verse_file_in_the_mask_folder(bench, qtbot, tmp_path):
    write_image(tmp_path / "images" / "a" / "ct.nii.gz", np.zeros(SHAPE, np.int16), AFFINE)
    (tmp_path / "masks").mkdir()
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    add_centroid(bench.ws, (0.0, 10.0, -30.0))
    assert bench.save(qtbot)
    path = tmp_path / "masks" / "a" / "a_ctd.json"
    assert read_centroids(path, IMAGE).direction == IMAGE.direction
    assert [case.landmarks for case in scan(tmp_path).cases] == [(path,)]
    remove_centroid(bench.ws, "1")
    assert bench.save(qtbot)
    assert not read_centroids(path, IMAGE).centroids


def test_a_note_alone_leaves_the_file_as_it_is(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    set_status(bench.ws, "done")
    assert bench.save(qtbot)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert load_sidecar(tmp_path / "masks", "a").sidecar.centroid_file.path == (
        "a/a_seg-subreg_ctd.json"
    )


def corrected(bench, qtbot, tmp_path):
    """A case whose L1 was moved and saved, and whose file somebody else has changed since."""
    path = write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    assert bench.save(qtbot)
    bench.opener.close()
    theirs = {**SPINE, "2": Centroid("L1", (3.0, 14.0, -61.0))}
    write_verse(path, theirs, IMAGE, direction="PIR")
    return path, theirs


def test_the_file_is_the_truth_and_what_was_noted_comes_back_on_wish(bench, qtbot, tmp_path):
    _, theirs = corrected(bench, qtbot, tmp_path)
    bench.open("a", qtbot)
    session = bench.ws.session
    assert_near(bench.centroids, theirs)
    assert "changed outside" in session.problems["case"]
    assert not session.is_dirty
    set_status(bench.ws, "done")
    assert bench.save(qtbot)
    bench.open("a", qtbot)
    assert not session.problems  # said once: the notes agree with the file now
    bench.settler.take_noted()
    assert points(bench.centroids)["L1"] == pytest.approx((2.0, 13.0, -60.0), abs=0.01)
    session.undo()
    assert_near(bench.centroids, theirs)


def test_the_same_content_written_by_others_is_no_change(bench, qtbot, tmp_path):
    path, _ = corrected(bench, qtbot, tmp_path)
    mine = load_sidecar(tmp_path / "masks", "a").sidecar.centroids
    centroids = {key: Centroid.from_value(value) for key, value in mine.items()}
    write_verse(path, centroids, IMAGE, direction="SRA")
    bench.open("a", qtbot)
    assert not bench.ws.session.problems
    assert {key: c.to_value() for key, c in bench.centroids.items()}.keys() == mine.keys()
    move_centroid(bench.ws, "2", (2.5, 13.0, -60.0))
    assert bench.save(qtbot)
    assert read_centroids(path, IMAGE).direction == ("S", "R", "A")


def in_conflict(bench, qtbot, tmp_path, where="masks/a/a_ctd.json"):
    """A case that is open, with a correction, whose file was changed meanwhile."""
    path = write_spine(tmp_path, where=where)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    theirs = {**SPINE, "3": Centroid("L2", (4.0, 12.0, -94.0))}
    write_verse(path, theirs, IMAGE, direction="PIR")
    before = path.read_bytes()
    assert not bench.save(qtbot)
    assert "changed by somebody else" in bench.said.pop()
    assert path.read_bytes() == before
    assert bench.ws.session.is_dirty
    assert not sidecar_path(tmp_path / "masks", "a").exists()
    return path, theirs


def test_mine_instead_of_theirs(bench, qtbot, tmp_path):
    path, theirs = in_conflict(bench, qtbot, tmp_path)
    bench.settle(bench.settler.keep_mine, qtbot)
    assert not bench.ws.session.is_dirty
    assert_near(read_centroids(path, IMAGE).centroids, bench.centroids)
    (aside,) = path.parent.glob("*.theirs-*")
    assert_near(read_centroids(aside, IMAGE).centroids, theirs)


def test_theirs_instead_of_mine_can_be_undone(bench, qtbot, tmp_path):
    path, theirs = in_conflict(bench, qtbot, tmp_path)
    mine = bench.centroids
    bench.settle(bench.settler.take_theirs, qtbot)
    assert_near(bench.centroids, theirs)
    assert bench.save(qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, theirs)
    bench.ws.session.undo()
    assert bench.centroids == mine
    assert bench.save(qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, mine)


def test_a_copy_of_mine_beside_theirs(bench, qtbot, tmp_path):
    path, theirs = in_conflict(bench, qtbot, tmp_path)
    mine = bench.centroids
    bench.settle(bench.settler.keep_copy_of_mine, qtbot)
    assert_near(bench.centroids, theirs)
    (copy,) = path.parent.glob("*.mine-*")
    assert_near(read_centroids(copy, IMAGE).centroids, mine)
    assert [case.landmarks for case in scan(tmp_path).cases] == [(path,)]


def test_a_damaged_file_of_somebody_else_is_put_aside_too(bench, qtbot, tmp_path):
    path, _ = in_conflict(bench, qtbot, tmp_path)
    path.write_text("{")
    bench.settle(bench.settler.take_theirs, qtbot)
    assert "not valid JSON" in bench.said.pop()
    bench.settle(bench.settler.keep_mine, qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, bench.centroids)
    assert [aside.read_text() for aside in path.parent.glob("*.theirs-*")] == ["{"]


def test_a_file_made_meanwhile_is_not_replaced(bench, qtbot, tmp_path):
    write_image(tmp_path / "images" / "a" / "ct.nii.gz", np.zeros(SHAPE, np.int16), AFFINE)
    (tmp_path / "masks" / "a").mkdir(parents=True)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    add_centroid(bench.ws, (0.0, 10.0, -30.0))
    path = tmp_path / "masks" / "a" / "a_ctd.json"
    write_verse(path, SPINE, IMAGE)
    assert not bench.save(qtbot)
    bench.settle(bench.settler.take_theirs, qtbot)
    assert_near(bench.centroids, SPINE)
    assert bench.save(qtbot)


def test_notes_that_fail_behind_the_file_do_not_make_it_a_stranger(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    notes = sidecar_path(tmp_path / "masks", "a")
    notes.parent.mkdir(exist_ok=True)
    notes.write_text('{"case": "a", "status": "flagged"}')  # somebody else's
    assert not bench.save(qtbot)
    assert "notes" in bench.said.pop()
    assert points(read_centroids(path, IMAGE).centroids)["L1"] == pytest.approx(
        (2, 13, -60), abs=0.01
    )
    notes.unlink()
    assert bench.save(qtbot), bench.said


def test_a_file_that_is_gone_is_written_anew(bench, qtbot, tmp_path):
    path, _ = corrected(bench, qtbot, tmp_path)
    os.remove(path)
    bench.open("a", qtbot)
    assert "gone" in bench.ws.session.problems["case"]
    assert points(bench.centroids)["L1"] == pytest.approx((2.0, 13.0, -60.0))
    set_status(bench.ws, "done")
    assert bench.save(qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, bench.centroids)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not valid JSON"), ("[]", "names no direction"), ('[{"direction": "XYZ"}]', "letters")],
)
def test_a_bad_file_is_a_sentence(bench, qtbot, tmp_path, content, words):
    path = write_spine(tmp_path)
    path.write_text(content)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    assert words in bench.ws.session.problems["case"]
    assert not bench.centroids
    assert set(bench.ws.session.volumes) == {"NC"}


def test_a_read_only_case_is_left_alone(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    bench.ws.session.read_only_reason = "Somebody else has it open."
    before = path.read_bytes()
    bench.save(qtbot)
    assert path.read_bytes() == before


def test_notes_of_others_without_centroids_take_none_away(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    set_status(bench.ws, "done")
    notes = sidecar_path(tmp_path / "masks", "a")
    notes.parent.mkdir(exist_ok=True)
    notes.write_text('{"case": "a", "status": "flagged"}')
    assert not bench.save(qtbot)
    settler = NotesSettler(bench.ws, bench.opener, bench.saver, bench.journal)
    bench.settle(settler.take_theirs, qtbot)
    assert bench.ws.session.annotations.get("status", "") == "flagged"
    assert_near(bench.centroids, SPINE)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    assert bench.save(qtbot)
    assert_near(read_centroids(path, IMAGE).centroids, bench.centroids)


def test_a_save_that_ends_between_file_and_notes_is_offered_again(bench, qtbot, tmp_path):
    path = write_spine(tmp_path)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    assert bench.save(qtbot)
    sidecar = sidecar_path(tmp_path / "masks", "a")
    before = sidecar.read_bytes()
    move_centroid(bench.ws, "2", (3.0, 14.0, -61.0))
    assert bench.save(qtbot)
    mine = bench.centroids
    journal = journal_path(tmp_path / "masks", "a").read_bytes()
    bench.opener.close()
    qtbot.waitUntil(lambda: bench.ws.tasks.pending_count == 0, timeout=PATIENCE_MS)
    # as if the process had died: the file is new, the notes are old, the journal is there
    sidecar.write_bytes(before)
    journal_path(tmp_path / "masks", "a").write_bytes(journal)
    bench.open("a", qtbot)
    assert_near(bench.centroids, mine)
    assert points(read_centroids(path, IMAGE).centroids)["L1"] == pytest.approx(
        (3, 14, -61), abs=0.01
    )


def test_check_tells_of_a_bad_centroid_file(tmp_path):
    path = write_spine(tmp_path)
    (case,) = scan(tmp_path).cases
    assert check_case(case) == []
    path.write_text("{")
    (finding,) = check_case(case)
    assert "not valid JSON" in finding.sentence


def test_doubts_of_a_model_that_wrote_the_file_come_along(bench, qtbot, tmp_path):
    image = np.zeros(SHAPE, np.int16)
    write_image(tmp_path / "images" / "a" / "ct.nii.gz", image, AFFINE)
    folder = tmp_path / "masks" / "a"
    marks = (
        Landmark(19, (0.0, 10.0, -30.0), 0.9),
        Landmark(20, (1.0, 11.5, -62.0), 0.4, ("numbering with L2 for L1 fits nearly as well",)),
    )
    ran = RunResult(Result(landmarks=marks), "cpu", 1.0, 1.0, "")
    voxels = np.zeros(SHAPE[::-1], np.int16)
    source = Source(Image(voxels, AFFINE), None, tmp_path / "ct.nii.gz")
    write_results(folder, "vertebra", ran, {"NC": source})
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    found = {c.level: (c.confidence, c.flags) for c in bench.centroids.values()}
    assert found == {"T12": (0.9, ()), "L1": (0.4, marks[1].flags)}
    assert spine_row(bench.worklist.case("a")).summary.reason == "shift?"
    key = next(key for key, c in bench.centroids.items() if c.level == "L1")
    move_centroid(bench.ws, key, (2.0, 11.5, -62.0))
    assert bench.save(qtbot)
    bench.open("a", qtbot)
    assert {c.level: c.confidence for c in bench.centroids.values()} == {"T12": 0.9, "L1": None}
    assert spine_row(bench.worklist.case("a")).summary.reason == ""


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"points": 3}', '{"points": [3, {"label": 19}]}',
     '{"points": [{"label": 19, "position_ras": [0]}]}',
     '{"points": [{"label": 19, "position_ras": [0, 10, -30], "confidence": "x", "flags": 3}]}'],
)  # fmt: skip
def test_a_damaged_document_beside_the_file_does_no_harm(bench, qtbot, tmp_path, content):
    write_spine(tmp_path, where="masks/a/model_ctd.json")
    (tmp_path / "masks" / "a" / "model.json").write_text(content)
    bench.scan(tmp_path, qtbot)
    bench.open("a", qtbot)
    assert_near(bench.centroids, SPINE)
    assert {c.confidence for c in bench.centroids.values()} == {None}


def test_data_that_were_moved_as_a_whole_go_on(bench, qtbot, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    write_spine(old, where="images/a/a_ctd.json")
    (old / "masks").mkdir()
    bench.scan(old, qtbot)
    bench.open("a", qtbot)
    move_centroid(bench.ws, "2", (2.0, 13.0, -60.0))
    assert bench.save(qtbot)
    mine = bench.centroids
    bench.opener.close()
    qtbot.waitUntil(lambda: bench.ws.tasks.pending_count == 0, timeout=PATIENCE_MS)
    old.rename(new)
    bench.scan(new, qtbot)
    bench.open("a", qtbot)
    assert not bench.ws.session.problems
    assert bench.centroids == mine
    move_centroid(bench.ws, "2", (2.0, 13.0, -61.0))
    assert bench.save(qtbot)
    assert not old.exists()
    assert_near(
        read_centroids(new / "images" / "a" / "a_ctd.json", IMAGE).centroids, bench.centroids
    )
