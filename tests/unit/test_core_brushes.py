"""Balls and smart brushes, against every voxel judged on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.brushes import (
    MIN_TOLERANCE_HU,
    SAMPLE_MM,
    BallBrush,
    DiscBrush,
    SmartBrush,
    similar_range_hu,
)
from labeler.core.geometry import Plane
from labeler.core.painting import Constraint, HuLimit, StrokeBuilder
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import make_grid, make_mask

SHAPE = (9, 16, 18)

places = st.tuples(st.floats(-2, 20), st.floats(-2, 18), st.floats(-2, 10))


def distances_mm(grid, start, end):
    """Distance of every voxel centre from a line between two RAS points."""
    k, j, i = np.indices(grid.shape_kji)
    points = grid.to_ras(np.stack((i, j, k), axis=-1))
    along = end - start
    length = along @ along
    t = np.clip((points - start) @ along / length, 0, 1) if length > 0 else np.zeros(k.shape)
    return np.linalg.norm(points - start - t[..., None] * along, axis=-1)


def whole(shape, covered):
    array = np.zeros(shape, bool)
    if covered is not None:
        box, inside = covered
        array[box.slices] = inside
    return array


@given(places, places, st.floats(0.0, 6.0), st.sampled_from([0.0, 5.0]))
def test_a_ball_covers_what_is_near_its_way(start_ijk, end_ijk, radius_mm, degrees):
    grid = make_grid(SHAPE, degrees=degrees)
    start, end = grid.to_ras(start_ijk), grid.to_ras(end_ijk)
    covered = whole(SHAPE, BallBrush(grid, radius_mm).sweep(start, end))
    distance = distances_mm(grid, start, end)
    assert covered[distance < radius_mm - 1e-6].all()
    half_voxel = np.linalg.norm(grid.spacing_mm) / 2
    assert not covered[distance > max(radius_mm, half_voxel) + 1e-6].any()
    for t in np.linspace(0, 1, 5) if radius_mm > 0 else (0, 1):
        point = start + t * (end - start)
        if np.abs(grid.to_ijk(point) % 1 - 0.5).min() < 1e-6:
            continue  # half way between two voxels: rounding decides
        ijk = grid.nearest_ijk(point)
        assert not grid.contains(ijk) or covered[ijk[::-1]]


def test_a_flat_brush_stays_on_its_first_slice():
    grid = make_grid(SHAPE)
    brush = DiscBrush(grid, Plane.AXIAL, 2.0)
    for k in (3, 5, 8):
        box, _ = brush.sweep(grid.to_ras((5, 5, k)), grid.to_ras((6, 6, k)))
        assert (box.lo_kji[0], box.hi_kji[0]) == (3, 4)


def scene(seed, noise_hu):
    """A bright ball next to an equally bright block, on dark ground."""
    grid = make_grid((12, 40, 40), (1.0, 1.0, 1.0))
    k, j, i = np.indices(grid.shape_kji)
    ball = (k - 6) ** 2 + (j - 20) ** 2 + (i - 14) ** 2 <= 5**2
    block = (i > 24) & (i < 30)
    values = np.where(ball | block, 100, 0).astype(np.float64)
    values += np.random.default_rng(seed).normal(0, noise_hu, values.shape)
    return grid, PlacedVolume(values.round().astype(np.int16), grid), ball


@pytest.mark.parametrize("noise_hu", [0.0, 12.0])
@pytest.mark.parametrize("flat", [True, False])
def test_a_smart_brush_keeps_to_what_it_began_on(noise_hu, flat):
    grid, phase, ball = scene(4, noise_hu)
    centre = grid.to_ras((14, 20, 6))
    # Wide enough to reach the block, which looks the same but does not hang together with it.
    plain = DiscBrush(grid, Plane.AXIAL, 15.0) if flat else BallBrush(grid, 15.0)
    found = whole(grid.shape_kji, SmartBrush(plain, grid, phase, 40.0).sweep(centre, centre))
    expected = ball & (np.indices(ball.shape)[0] == 6) if flat else ball
    dice = 2 * (found & expected).sum() / (found.sum() + expected.sum())
    assert dice > 0.9
    assert not found[..., 25:30].any()


def test_a_smart_brush_goes_on_looking_for_what_it_began_on():
    grid, phase, ball = scene(5, 0.0)
    brush = SmartBrush(BallBrush(grid, 3.0), grid, phase)
    first, dark = grid.to_ras((14, 20, 6)), grid.to_ras((20.5, 20, 6))
    assert whole(grid.shape_kji, brush.sweep(first, first)).any()
    swept = whole(grid.shape_kji, brush.sweep(first, dark))
    assert swept.any()
    assert not (swept & ~ball).any()
    assert brush.sweep(dark, dark) is None, "there is nothing like the ball out there"


def test_a_smart_brush_finds_nothing_outside_of_the_phase():
    grid, phase, _ = scene(6, 0.0)
    far = PlacedVolume(phase.array, grid.shifted((500.0, 0.0, 0.0)))
    centre = grid.to_ras((14, 20, 6))
    assert SmartBrush(BallBrush(grid, 3.0), grid, far).sweep(centre, centre) is None


@given(st.integers(0, 99), st.floats(0.0, 60.0))
def test_the_range_is_that_of_a_small_ball(seed, noise_hu):
    grid, phase, _ = scene(seed, noise_hu)
    at = grid.to_ras((14.3, 19.8, 6.1))
    sample = phase.array[distances_mm(grid, at, at) <= SAMPLE_MM].astype(float)
    low, high = similar_range_hu(phase, grid, at)
    deviation = max(2 * sample.std(), MIN_TOLERANCE_HU)
    assert np.allclose((low, high), (sample.mean() - deviation, sample.mean() + deviation))
    low, high = similar_range_hu(phase, grid, at, 17.0)
    assert np.allclose((low, high), (sample.mean() - 17.0, sample.mean() + 17.0))


@pytest.mark.parametrize("radius_mm", [1.0, 4.0])
def test_a_threshold_brush_is_a_brush_with_a_limit(radius_mm):
    grid, phase, _ = scene(7, 15.0)
    mask = make_mask(np.zeros(grid.shape_kji, np.uint8), grid)
    limit = Constraint(hu=HuLimit(phase, 60.0, 300.0))
    stroke = StrokeBuilder(mask, BallBrush(grid, radius_mm), 3, limit)
    way = [grid.to_ras(point) for point in [(10, 20, 6), (20, 22, 5), (30, 15, 7)]]
    for point in way:
        patch = stroke.move_to(point)
        if patch is not None:
            mask.apply(patch)
    covered = np.zeros(grid.shape_kji, bool)
    for start, end in zip([way[0], *way[:-1]], way, strict=True):
        covered |= whole(grid.shape_kji, BallBrush(grid, radius_mm).sweep(start, end))
    assert np.array_equal(mask.array == 3, covered & (phase.array >= 60))
    mask.apply(stroke.finish())
    assert not mask.array.any()
