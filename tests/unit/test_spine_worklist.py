"""Spines of listed cases: the most doubtful first, read from small files only."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.landmark_checks import Doubt, check
from labeler.core.landmarks import Centroid
from labeler.core.spine_summary import SpineSummary, summarize
from labeler.core.vertebrae import GAPS_MM, LEVELS, RARE
from labeler.state.perspective import LIVER, SPINE
from labeler.storage.landmarks import write_verse
from labeler.workflows.correct_landmarks import rename_centroid, shift_levels
from labeler.workflows.spine_worklist import SpineWorklist, spine_row
from tests.cases_on_disk import write_image
from tests.unit.test_centroids_of_cases import AFFINE, IMAGE, SHAPE, CentroidBench

USUAL = [name for name in LEVELS if name not in RARE]


def spine(*levels, bottom=-95.0):
    """Levels with the usual distances between those that follow each other."""
    centroids, height = {}, bottom
    for n, level in reversed(list(enumerate(levels))):
        centroids[str(n)] = Centroid(level, (0.0, 10.0, height))
        height += GAPS_MM.get((levels[n - 1], level), (30.0, 2.0))[0] if n else 0
    return centroids


def summary(centroids):
    return summarize(centroids, check(centroids))


def test_words_for_the_worst_doubt():
    assert summary({}) == SpineSummary()
    assert summary(spine("L1")) == SpineSummary("L1", 1)
    fine = summary(spine("T12", "L1", "L2"))
    assert (fine.levels, fine.n_centroids, fine.n_doubts, fine.reason) == ("T12\u2013L2", 3, 0, "")
    assert summary(spine("T11", "L1", "T12", "L2")).reason == "swapped?"
    assert summary(spine("L1", "T3", "L4")).reason == "order +1"
    assert summary(spine("T12", "L1", "L1", "L2")).reason == "twice"
    assert summary(spine("T10", "L1", "L2")).reason == "gap"
    assert summary(spine("L4", "L5", "L6")).reason == "L6?"
    flagged = {
        "1": Centroid("L1", (0, 0, 0), 0.4, ("numbering with L2 for L1 fits nearly as well",))
    }
    assert summary(flagged).reason == "shift?"
    assert summary({"1": Centroid("L1", (0, 0, 0), 0.4, ("low signal",))}).reason == "model"


@given(st.lists(st.sampled_from(USUAL), max_size=6))
def test_every_spine_has_words_and_a_rank(levels):
    centroids = spine(*levels)
    doubts = check(centroids)
    found = summarize(centroids, doubts)
    assert found.n_centroids == len(levels)
    assert bool(found.reason) == bool(doubts)
    assert found.severity == max((d.severity for d in doubts), default=0.0)
    assert (found.rank < SpineSummary("T1", 1).rank) == bool(doubts)
    assert found.rank <= SpineSummary().rank


def test_rank_is_severity_then_number():
    def rank(*severities):
        doubts = [Doubt("distance", ("0",), "", severity) for severity in severities]
        return summarize(spine("L1"), doubts).rank

    order = [rank(2.0, 1.0), rank(2.0), rank(1.5), rank(1.0, 1.0), rank(1.0), rank()]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


CASES = {
    "fine": spine("T12", "L1", "L2"),
    "gap": spine("T10", "L1", "L2"),
    "none": {},
    "order": spine("L1", "T3", "L4"),
}


@pytest.fixture
def bench(qapp, tmp_path, qtbot):
    for case_id, centroids in CASES.items():
        image = np.zeros(SHAPE, np.int16)
        path = write_image(tmp_path / "images" / case_id / "ct.nii.gz", image, AFFINE)
        if centroids:
            mask_folder = tmp_path / "masks" / case_id
            mask_folder.mkdir(parents=True)
            write_verse(mask_folder / f"{case_id}_ctd.json", centroids, IMAGE)
        assert path.exists()
    bench = CentroidBench(tmp_path / "config")
    bench.spines = SpineWorklist(bench.ws, bench.worklist)
    yield bench
    bench.opener.close()
    bench.ws.tasks.shutdown()


def wait(bench, qtbot):
    qtbot.waitUntil(lambda: bench.ws.tasks.pending_count == 0, timeout=30_000)


def reasons(bench):
    return {name: row.summary.reason for name, row in bench.spines.rows.items()}


def test_nothing_is_read_before_the_perspective_is_shown(bench, qtbot, tmp_path):
    bench.scan(tmp_path, qtbot)
    wait(bench, qtbot)
    assert not bench.spines.rows
    bench.ws.perspective.choose(SPINE)
    wait(bench, qtbot)
    assert reasons(bench) == {"fine": "", "gap": "gap", "none": "", "order": "order +1"}
    told = []
    bench.spines.changed.connect(lambda: told.append(1))
    bench.ws.perspective.choose(LIVER)
    bench.ws.perspective.choose(SPINE)
    wait(bench, qtbot)
    assert not told  # it is known
    bench.scan(tmp_path, qtbot)
    wait(bench, qtbot)
    assert len(bench.spines.rows) == 4


def test_voxels_are_not_read(bench, qtbot, tmp_path):
    path = tmp_path / "images" / "gap" / "ct.nii.gz"
    header = gzip.decompress(path.read_bytes())[:352]
    path.write_bytes(gzip.compress(header))
    bench.ws.perspective.choose(SPINE)
    bench.scan(tmp_path, qtbot)
    wait(bench, qtbot)
    assert reasons(bench)["gap"] == "gap"


def test_what_cannot_be_read_counts_as_no_centroids(bench, qtbot, tmp_path):
    (tmp_path / "masks" / "gap" / "gap_ctd.json").write_text("{")
    os.remove(tmp_path / "images" / "order" / "ct.nii.gz")
    bench.scan(tmp_path, qtbot)
    case = bench.worklist.case("gap")
    assert spine_row(case).summary == SpineSummary()


def test_the_open_case_is_followed(bench, qtbot, tmp_path):
    bench.ws.perspective.choose(SPINE)
    bench.scan(tmp_path, qtbot)
    wait(bench, qtbot)
    bench.open("fine", qtbot)
    told = []
    bench.spines.row_changed.connect(told.append)
    key = next(k for k, c in bench.centroids.items() if c.level == "L2")
    rename_centroid(bench.ws, key, "l3")
    assert told == ["fine"]
    assert reasons(bench)["fine"] == "gap"
    bench.ws.session.undo()
    assert reasons(bench)["fine"] == ""
    shift_levels(bench.ws, None, "all", 1)
    assert bench.spines.rows["fine"].summary.levels == "L1\u2013L3"
    assert bench.save(qtbot)
    assert spine_row(bench.worklist.case("fine")).summary.levels == "L1\u2013L3"
