"""Centroids of real spines through the session: opened, made of masks, saved, opened again.

VerSe: Loeffler et al. 2020, Sekuboyina et al. 2021, CC BY-SA 4.0. VID: ImFusion GmbH, CC BY-SA 4.0.
"""

from __future__ import annotations

import json
import shutil
import tarfile

import numpy as np
import pytest

from labeler.core.landmark_checks import check
from labeler.core.landmarks import from_above
from labeler.storage.landmarks import StoredGrid, read_centroids, write_slicer
from labeler.storage.masks import read_mask
from labeler.workflows.correct_landmarks import shift_levels
from labeler.workflows.spine_worklist import spine_row
from labeler.workflows.vertebra_mask_acts import centroids_from_mask, relabel_mask
from tests.unit.test_centroids_of_cases import CentroidBench

pytestmark = pytest.mark.real


@pytest.fixture
def bench(qapp, tmp_path):
    bench = CentroidBench(tmp_path / "config")
    yield bench
    bench.opener.close()
    bench.ws.tasks.shutdown()


def wait(bench, qtbot):
    qtbot.waitUntil(lambda: bench.ws.tasks.pending_count == 0, timeout=60_000)


def levels(bench):
    return [bench.centroids[key].level for key in from_above(bench.centroids)]


def test_verse_004_opens_and_is_written_back_to_a_tenth_of_a_voxel(
    bench, qtbot, tmp_path, real_data
):
    source, case_id = real_data / "vertebra", "sub-verse004"
    images, masks = tmp_path / "images" / case_id, tmp_path / "masks" / case_id
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    # its CT cannot be had: the mask stands for it
    shutil.copy(source / f"{case_id}_seg-vert_msk.nii.gz", images / f"{case_id}_ct.nii.gz")
    shutil.copy(source / f"{case_id}_seg-vert_msk.nii.gz", masks)
    file = masks / f"{case_id}_seg-subreg_ctd.json"
    shutil.copy(source / file.name, file)
    published = {entry["label"]: entry for entry in json.loads(file.read_text())[1:]}
    bench.scan(tmp_path, qtbot)
    bench.open(case_id, qtbot)
    assert levels(bench) == ["T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    assert spine_row(bench.worklist.case(case_id)).summary.levels == "T9\u2013L5"
    shift_levels(bench.ws, None, "all", -1)
    assert bench.save(qtbot)
    content = json.loads(file.read_text())
    assert content[0] == {"direction": ["P", "I", "R"]}
    assert [entry["label"] for entry in content[1:]] == list(range(15, 24))
    for entry in content[1:]:
        for axis in "XYZ":
            assert entry[axis] == pytest.approx(published[entry["label"] + 1][axis], abs=0.1)


@pytest.mark.parametrize(
    ("case_id", "expected"),
    [
        ("sub-verse005", ["L1", "L2", "L3", "L4", "L5"]),
        ("sub-verse007", ["T9", "T10", "T11", "T12", "L1", "L2", "L3"]),
    ],
)
def test_masks_of_verse_become_centroids_and_follow_a_shift(
    bench, qtbot, tmp_path, real_data, case_id, expected
):
    source = real_data / "vertebra"
    images, masks = tmp_path / "images" / case_id, tmp_path / "masks" / case_id
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    shutil.copy(source / f"{case_id}_ct.nii.gz", images)
    shutil.copy(source / f"{case_id}_seg-vert_msk.nii.gz", masks)
    bench.scan(tmp_path, qtbot)
    bench.open(case_id, qtbot)
    said = []
    centroids_from_mask(bench.ws, said.append)
    wait(bench, qtbot)
    assert (levels(bench), said) == (expected, [])
    assert bench.save(qtbot)
    file = masks / f"{case_id}_ctd.json"
    assert json.loads(file.read_text())[0] == {"direction": ["P", "I", "R"]}
    before = bench.centroids
    bench.open(case_id, qtbot)
    assert bench.centroids == before
    name = bench.ws.selection.mask
    values = set(np.unique(bench.ws.session.masks[name].mask.array)) - {0}
    shift_levels(bench.ws, None, "all", -1)
    relabel_mask(bench.ws, said.append)
    wait(bench, qtbot)
    assert said == []
    assert bench.save(qtbot)
    (mask_path,) = masks.glob("*_msk.nii.gz")
    after = set(np.unique(read_mask(mask_path).mask.array)) - {0}
    assert after == {value - 1 for value in values}


def test_all_key_points_of_vid_open(tmp_path, real_data):
    anywhere = StoredGrid((1, 1, 1), np.eye(4))
    archive = real_data / "vertebra" / "vid_keypoints_validation.tar.xz"
    count = quiet = 0
    with tarfile.open(archive) as files:
        for member in sorted(files.getnames()):
            if not member.endswith(".json"):
                continue
            count += 1
            path = tmp_path / "points.json"
            path.write_bytes(files.extractfile(member).read())
            read = read_centroids(path, anywhere)
            assert read.centroids
            assert not read.problems
            doubts = check(read.centroids)
            assert not {doubt.kind for doubt in doubts} & {"order", "duplicate", "swapped"}
            quiet += not doubts
            again = tmp_path / "points.mrk.json"
            write_slicer(again, read.centroids)
            back = {
                c.level: c.position_ras for c in read_centroids(again, anywhere).centroids.values()
            }
            for centroid in read.centroids.values():
                assert back[centroid.level] == pytest.approx(centroid.position_ras, abs=0.001)
    assert count == 169
    assert quiet > 0.5 * count, f"{quiet} of {count} spines without a doubt"
