"""Centroids keep their places to a tenth of a voxel, whatever the geometry of the image."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from labeler.core.landmarks import Centroid
from labeler.storage.landmarks import StoredGrid, write_slicer, write_verse
from labeler.workflows.correct_landmarks import move_centroid, rename_centroid
from tests.cases_on_disk import write_image
from tests.unit.test_centroids_of_cases import CentroidBench, points
from tests.unit.test_landmark_files import DIRECTIONS

SHAPE = (9, 11, 14)
VOXELS = {"1": (2.0, 3.0, 11.0), "2": (4.25, 5.5, 7.125), "3": (6.9, 8.2, 2.6)}
LEVELS = {"1": "T12", "2": "L1", "3": "L2"}


@st.composite
def affines(draw) -> np.ndarray:
    """Axes in any order and sense, any usual spacing, tilted by up to 25 degrees, anywhere."""
    order = draw(st.permutations(range(3)))
    senses = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 6.0)] * 3))
    tilt = draw(st.tuples(*[st.floats(-25.0, 25.0)] * 3))
    affine = np.eye(4)
    axes = np.eye(3)[:, order] * senses
    affine[:3, :3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ axes * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-900.0, 900.0)] * 3))
    return affine


def in_voxels(affine: np.ndarray, ras) -> np.ndarray:
    return np.linalg.inv(affine[:3, :3]) @ (np.array(ras) - affine[:3, 3])


@pytest.fixture
def bench_at(qapp, qtbot):
    """Opens the case of a folder in a session of its own."""
    numbers = itertools.count()

    def open_case(root: Path) -> CentroidBench:
        bench = CentroidBench(root / f"config{next(numbers)}")
        bench.scan(root, qtbot)
        bench.open("a", qtbot)
        return bench

    return open_case


def close(bench: CentroidBench) -> None:
    bench.opener.close()
    bench.ws.tasks.shutdown()


@given(
    affine=affines(),
    direction=st.sampled_from(DIRECTIONS),
    is_slicer=st.booleans(),
    way=st.tuples(*[st.floats(-2.0, 2.0)] * 3),
)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_place_survives_open_edit_save_open(bench_at, qtbot, affine, direction, is_slicer, way):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_image(root / "images" / "a" / "ct.nii.gz", np.zeros(SHAPE, np.int16), affine)
        spine = {
            key: Centroid(LEVELS[key], tuple((affine @ (*ijk, 1.0))[:3].tolist()))
            for key, ijk in VOXELS.items()
        }
        path = root / "masks" / "a" / ("a.mrk.json" if is_slicer else "a_ctd.json")
        path.parent.mkdir(parents=True)
        if is_slicer:
            write_slicer(path, spine)
        else:
            write_verse(path, spine, StoredGrid(SHAPE, affine), direction=direction)

        bench = bench_at(root)
        there = {c.level: key for key, c in bench.centroids.items()}
        moved = np.array(VOXELS["2"]) + way
        x, y, z = (affine @ (*moved, 1.0))[:3].tolist()
        move_centroid(bench.ws, there["L1"], (x, y, z))
        rename_centroid(bench.ws, there["L2"], "L4")
        assert bench.save(qtbot), bench.said
        close(bench)

        again = bench_at(root)
        expected = {"T12": VOXELS["1"], "L1": tuple(moved), "L4": VOXELS["3"]}
        found = points(again.centroids)
        close(again)
        assert found.keys() == expected.keys()
        for level, ijk in expected.items():
            np.testing.assert_allclose(in_voxels(affine, found[level]), ijk, atol=0.1)
        if not is_slicer:  # written in the orientation that it was read in
            assert json.loads(path.read_text("utf-8"))[0]["direction"] == list(direction)
