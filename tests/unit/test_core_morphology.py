"""Shapes in mm, against scipy's slow and general answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.distance import PART_VOXELS, squared_distance
from labeler.core.mask import Box
from labeler.core.morphology import (
    closed,
    filled,
    filled_on_slices,
    grown,
    hollowed,
    margins,
    shrunk,
    smoothed,
)
from labeler.core.voxel_set import VoxelSet
from tests.unit.core_strategies import random_labels, seeds

sizes = st.tuples(st.integers(1, 8), st.integers(1, 12), st.integers(1, 12))
spacings = st.tuples(*[st.floats(0.3, 4.0)] * 3)
radii = st.floats(0.2, 9.0)


@st.composite
def shapes(draw):
    return random_labels(draw(sizes), draw(seeds), density=draw(st.floats(0.01, 1.0))) > 0


def distance_mm(inside, spacing):
    """Distance to the nearest voxel of a set, as scipy finds it."""
    if not inside.any():
        return np.full(inside.shape, np.inf)
    return ndimage.distance_transform_edt(~inside, sampling=spacing[::-1])


@given(shapes(), spacings)
def test_distances_are_those_to_the_nearest_voxel(inside, spacing):
    found = np.sqrt(squared_distance(inside, spacing))
    assert np.allclose(found, distance_mm(inside, spacing), rtol=1e-4)


def test_distances_of_a_box_worked_on_in_parts():
    inside = np.random.default_rng(0).random((5, 600, 700)) < 0.001
    assert inside.size > PART_VOXELS
    spacing = (0.7, 0.8, 2.5)
    expected = ndimage.distance_transform_edt(~inside, sampling=spacing[::-1])
    assert np.allclose(np.sqrt(squared_distance(inside, spacing)), expected, rtol=1e-4)


def test_a_stop_is_heard():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    with pytest.raises(StoppedError):
        squared_distance(np.ones((2, 3, 4), bool), (1.0, 1.0, 1.0), stop)


@given(shapes(), spacings, radii)
def test_growing_and_shrinking_by_mm(inside, spacing, radius_mm):
    away, deep = (distance_mm(part, spacing) for part in (inside, ~inside))
    wide, narrow = grown(inside, spacing, radius_mm), shrunk(inside, spacing, radius_mm)
    near_a_tie = np.isclose(away, radius_mm, rtol=1e-4) | np.isclose(deep, radius_mm, rtol=1e-4)
    assert np.array_equal(wide[~near_a_tie], (away <= radius_mm)[~near_a_tie])
    assert np.array_equal(narrow[~near_a_tie], (deep > radius_mm)[~near_a_tie])
    assert (wide | inside).sum() == wide.sum()
    assert not (narrow & ~inside).any()


def test_a_radius_reaches_the_voxel_at_just_that_distance():
    inside = np.zeros((1, 9, 9), bool)
    inside[0, 4, 4] = True
    for spacing in (0.7, 0.3, 1.1):
        wide = grown(inside, (spacing, spacing, 1.0), 3 * spacing)
        assert wide[0, 4].tolist() == [abs(i - 4) <= 3 for i in range(9)]


@given(shapes(), spacings, radii)
def test_closing_bridges_gaps_and_takes_nothing(inside, spacing, radius_mm):
    room = margins(spacing, radius_mm)
    wide = VoxelSet(Box(room, tuple(np.add(room, inside.shape))), inside)
    wide = wide.padded(room, tuple(np.add(inside.shape, np.multiply(room, 2))))
    result = closed(wide.inside, spacing, radius_mm)
    assert result[wide.inside].all()
    # Every voxel that is added is farther than the radius from all that is far from the shape.
    far = distance_mm(wide.inside, spacing) > radius_mm * 1.001
    if (result & ~wide.inside).any() and far.any():
        assert distance_mm(far, spacing)[result].min() > radius_mm * 0.999


def test_closing_joins_two_blocks():
    inside = np.zeros((11, 20, 20), bool)
    inside[4:7, 5:15, 3:8] = inside[4:7, 5:15, 11:16] = True
    result = closed(inside, (1.0, 1.0, 1.0), 2.5)
    assert result[5, 10].tolist() == [3 <= i < 16 for i in range(20)]
    assert np.array_equal(closed(inside, (1.0, 1.0, 1.0), 1.0), inside)


@given(shapes(), spacings, radii)
def test_a_hollow_shape_has_walls(inside, spacing, wall_mm):
    walls = hollowed(inside, spacing, wall_mm)
    deep = distance_mm(~inside, spacing)
    wall_mm = max(wall_mm, *spacing)
    near_a_tie = np.isclose(deep, wall_mm, rtol=1e-4)
    assert np.array_equal(walls[~near_a_tie], (inside & (deep <= wall_mm))[~near_a_tie])


@given(shapes())
def test_holes_are_filled_in_3d(inside):
    assert np.array_equal(filled(inside), ndimage.binary_fill_holes(inside))


@given(shapes(), st.integers(0, 2))
def test_holes_are_filled_slice_by_slice(inside, axis):
    full = filled_on_slices(inside, axis)
    for n in range(inside.shape[axis]):
        expected = ndimage.binary_fill_holes(np.take(inside, n, axis=axis))
        assert np.array_equal(np.take(full, n, axis=axis), expected)


def ball(spacing, radius_mm, noise=0.0):
    half = [int(radius_mm / s) + 8 for s in spacing[::-1]]
    k, j, i = np.indices([2 * n + 1 for n in half])
    away = np.sqrt(
        sum(((x - n) * s) ** 2 for x, n, s in zip((k, j, i), half, spacing[::-1], strict=True))
    )
    rough = np.random.default_rng(0).normal(0, noise, away.shape) if noise else 0
    return away + rough <= radius_mm, away


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 0.8), (0.7, 0.7, 3.0)])
def test_smoothing_takes_the_roughness_and_keeps_the_volume(spacing):
    rough, away = ball(spacing, 15.0, noise=1.5)
    smooth = smoothed(rough, spacing, 2.0)
    even = away <= 15.0
    assert abs(smooth.sum() / rough.sum() - 1) < 0.01
    assert (smooth ^ even).sum() < 0.35 * (rough ^ even).sum()


def surface_steps(inside):
    return sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in range(3))


@given(seeds, st.floats(0.3, 3.0))
def test_smoothing_never_makes_a_surface_rougher(seed, sigma_mm):
    inside = np.zeros((14, 22, 22), bool)
    inside[4:10, 6:16, 6:16] = random_labels((6, 10, 10), seed, density=0.8) > 0
    smooth = smoothed(inside, (1.0, 1.0, 1.5), sigma_mm)
    assert surface_steps(smooth) <= surface_steps(inside)
    assert smooth.sum() >= inside.sum()


def test_a_plain_wall_stays_where_it_is():
    inside = np.zeros((6, 20, 20), bool)
    inside[:, :, :9] = True
    assert np.array_equal(smoothed(inside, (0.7, 0.7, 2.0), 3.0), inside)
    assert np.array_equal(shrunk(inside, (1.0, 1.0, 1.0), 2.0)[3, 10], np.arange(20) < 7)
    everything = np.ones((3, 4, 5), bool)
    assert smoothed(everything, (1.0, 1.0, 1.0), 1.0).all()
    assert shrunk(everything, (1.0, 1.0, 1.0), 9.0).all(), "the edge of a scan is not a surface"
