"""The middle of the bone, on spines whose truth is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from inference.phantom.spine.scene import attenuation, make_spine_scene
from labeler.core.bone_centre import body_centre
from labeler.core.geometry import Grid
from labeler.core.vertebrae import GAPS_MM
from tests.case_world import make_grid

#: Of the phantom: voxels, and what is painted around the spine.
SPACING_MM, REACH_MM = 2.0, (60.0, 80.0, 80.0)


def gap_mm(level: str) -> float:
    return float(np.mean([mean for pair, (mean, _) in GAPS_MM.items() if level in pair]))


@pytest.fixture(scope="module")
def phantom():
    scene = make_spine_scene(1000, SPACING_MM, REACH_MM)
    values = attenuation(scene.scene, np.random.default_rng(5)).astype(np.int16)
    return scene.spine, values, Grid(values.shape, scene.scene.grid.affine_ras)


def test_centres_of_a_phantom_are_found_from_beside_them(phantom):
    spine, values, grid = phantom
    centres, rng, errors, starts = spine.centres_ras, np.random.default_rng(3), [], []
    for n, level in enumerate(spine.names[1:-1], start=1):
        way = rng.normal(size=3)
        start = 0.2 * gap_mm(level) * way / np.linalg.norm(way)
        found = body_centre(
            values, grid, centres[n] + start, gap_mm=gap_mm(level) * spine.scale,
            up_ras=centres[n - 1] - centres[n + 1],
        )  # fmt: skip
        assert found is not None, level
        errors.append(float(np.linalg.norm(np.array(found) - centres[n])))
        starts.append(float(np.linalg.norm(start)))
    assert np.mean(starts) > 4.5
    assert np.mean(errors) < 2.5
    assert np.median(errors) < 1.7


def body(values, grid, centre, radius_mm, half_mm):
    """Spongy bone between two dense plates."""
    k, j, i = np.indices(grid.shape_kji)
    away = grid.to_ras(np.stack((i, j, k), axis=-1)) - np.asarray(centre)
    inside = (np.hypot(away[..., 0], away[..., 1]) < radius_mm) & (abs(away[..., 2]) < half_mm)
    values[inside] = 130
    values[inside & (abs(away[..., 2]) > 0.75 * half_mm)] = 400


@pytest.mark.parametrize("level", ["C5", "T6", "L3"])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.0)])
def test_a_body_is_found_to_a_millimetre(level, spacing_mm):
    gap = gap_mm(level)
    shape = tuple(int(3.2 * gap / s) for s in spacing_mm[::-1])
    grid = make_grid(shape, spacing_mm)
    values = np.full(shape, 40, np.int16)
    for height in (-gap, 0.0, gap):
        body(values, grid, (1.0, -2.0, height), 0.55 * gap, 0.38 * gap)
    found = body_centre(values, grid, (1 + 0.15 * gap, -2 - 0.1 * gap, 0.2 * gap), gap_mm=gap)
    assert found == pytest.approx((1.0, -2.0, 0.0), abs=1.0)


def test_there_is_nothing_in_soft_tissue():
    grid = make_grid((60, 60, 60), (1.5, 1.5, 1.5))
    values = np.full(grid.shape_kji, 50, np.int16)
    assert body_centre(values, grid, (0, 0, 0), gap_mm=30.0) is None
    assert body_centre(values, grid, (900, 0, 0), gap_mm=30.0) is None


def test_a_dense_volume_is_no_vertebra():
    grid = make_grid((60, 60, 60), (1.5, 1.5, 1.5))
    values = np.full(grid.shape_kji, 900, np.int16)
    assert body_centre(values, grid, (0, 0, 0), gap_mm=20.0) is None
