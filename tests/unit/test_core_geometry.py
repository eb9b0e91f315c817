"""Directions, grids and the lossless way between a file's axes and ours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.geometry import (
    AxisOrder,
    GeometryError,
    Grid,
    Plane,
    canonical_axes,
    check_affine,
)
from labeler.core.volume import Volume
from tests.unit.core_strategies import make_grid, rotation

orders = st.permutations([0, 1, 2])
signs = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)
spacings = st.tuples(*[st.floats(0.2, 8.0)] * 3)
origins = st.tuples(*[st.floats(-500, 500)] * 3)
file_shapes = st.tuples(*[st.integers(1, 6)] * 3)


def file_affine(order, sign, spacing, origin, degrees=0.0):
    """A file whose axis ``n`` runs along or against world axis ``order[n]``, turned a little."""
    affine = np.eye(4)
    axes = np.zeros((3, 3))
    for n in range(3):
        axes[order[n], n] = sign[n] * spacing[n]
    affine[:3, :3] = rotation(degrees) @ axes
    affine[:3, 3] = origin
    return affine


@given(orders, signs, spacings, origins, file_shapes, st.sampled_from([0.0, 8.0, -11.0]))
def test_every_orientation_becomes_left_posterior_superior(
    order, sign, spacing, origin, shape, degrees
):
    affine = file_affine(order, sign, spacing, origin, degrees)
    axes = canonical_axes(affine, shape)
    array = np.arange(np.prod(shape)).reshape(shape)
    canonical = axes.to_canonical(array)
    grid = Grid(canonical.shape, axes.canonical_affine(affine))
    towards = np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]) @ grid.affine[:3, :3]
    assert (np.diag(towards) / np.linalg.norm(grid.affine[:3, :3], axis=0) > 0.8).all()
    assert np.array_equal(axes.to_file(canonical), array)
    for k, j, i in np.ndindex(canonical.shape):
        stored = axes.to_file_ijk((i, j, k))
        assert array[stored] == canonical[k, j, i]
        ras = affine[:3, :3] @ stored + affine[:3, 3]
        assert grid.to_ras((i, j, k)) == pytest.approx(ras, abs=1e-6)


@given(orders, signs, spacings, origins, file_shapes)
def test_turning_axes_copies_no_voxels(order, sign, spacing, origin, shape):
    axes = canonical_axes(file_affine(order, sign, spacing, origin), shape)
    array = np.zeros(shape, np.int16)
    canonical = axes.to_canonical(array)
    assert np.shares_memory(canonical, array)
    assert np.shares_memory(axes.to_file(canonical), array)


def test_a_canonical_file_is_taken_as_it_is():
    axes = canonical_axes(np.diag([-1.0, -1.0, 1.0, 1.0]), (2, 3, 4))
    assert axes == AxisOrder((0, 1, 2), (False, False, False), (2, 3, 4))
    assert axes.is_identity
    assert not canonical_axes(np.eye(4), (2, 3, 4)).is_identity


@given(spacings, origins, st.floats(-20, 20), st.tuples(*[st.floats(-50, 50)] * 3))
def test_voxels_to_patient_and_back(spacing, origin, degrees, ijk):
    grid = make_grid((3, 4, 5), spacing, origin, degrees)
    assert grid.to_ijk(grid.to_ras(ijk)) == pytest.approx(ijk, abs=1e-6)
    assert grid.spacing_mm == pytest.approx(spacing)
    assert grid.voxel_ml == pytest.approx(np.prod(spacing) / 1000)


@given(st.tuples(st.integers(-3, 9), st.integers(-3, 9), st.integers(-3, 9)), st.floats(0, 0.49))
def test_the_nearest_voxel(ijk, offset):
    grid = make_grid((4, 5, 6), degrees=7.0)
    assert grid.nearest_ijk(grid.to_ras(np.add(ijk, (offset, -offset, offset)))) == ijk
    inside = all(0 <= v < n for v, n in zip(ijk, (6, 5, 4), strict=True))
    assert grid.contains(ijk) is inside


def test_the_centre_lies_between_the_corners():
    grid = make_grid((4, 5, 6), (1, 1, 3), (10, 20, 30))
    corners = [grid.to_ras(ijk) for ijk in itertools.product((0, 5), (0, 4), (0, 3))]
    assert grid.center_ras == pytest.approx(np.mean(corners, axis=0))
    assert grid.shape_ijk == (6, 5, 4)


@given(st.tuples(*[st.floats(-30, 30)] * 3))
def test_a_shift_moves_points_and_nothing_else(shift):
    grid = make_grid((4, 5, 6), degrees=5.0)
    moved = grid.shifted(shift)
    assert moved.to_ras((1, 2, 3)) == pytest.approx(grid.to_ras((1, 2, 3)) + shift)
    assert moved.shape_kji == grid.shape_kji
    assert moved.spacing_mm == pytest.approx(grid.spacing_mm)


def test_grids_match_within_the_tolerance():
    grid = make_grid((40, 50, 60))
    assert grid.matches(grid.shifted((0.03, 0.0, 0.03)))
    assert not grid.matches(grid.shifted((0.04, 0.0, 0.04)))
    assert grid.matches(grid.shifted((1.0, 0, 0)), tolerance_mm=2.0)
    assert not grid.matches(make_grid((40, 50, 61)))
    assert not grid.matches(make_grid((40, 50, 60), degrees=0.5))


def test_a_grid_cannot_be_changed():
    grid = make_grid((4, 5, 6))
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5.0
    source = np.eye(4)
    fixed = Grid((1, 1, 1), source)
    source[0, 3] = 9.0
    assert fixed.affine[0, 3] == 0.0


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (np.full((4, 4), np.nan), "not numbers"),
        (np.diag([1.0, np.inf, 1.0, 1.0]), "not numbers"),
        (np.eye(3), "not numbers"),
        (np.diag([1.0, 0.0, 1.0, 1.0]), "spacing is zero"),
        (np.diag([1.0, 1.0, 5000.0, 1.0]), "spacing is 5000 mm"),
        (np.eye(4) + np.eye(4, k=2) * 0.2, "sheared by 11"),
    ],
)
def test_affines_that_cannot_be_shown_are_refused_with_the_reason(affine, reason):
    with pytest.raises(GeometryError, match=reason):
        check_affine(affine)
    if affine.shape == (4, 4):
        with pytest.raises(GeometryError, match=reason):
            canonical_axes(affine, (2, 2, 2))


def test_an_empty_volume_is_refused():
    with pytest.raises(GeometryError, match="empty"):
        Grid((0, 4, 4), np.eye(4))


@pytest.mark.parametrize("plane", list(Plane))
def test_a_plane_has_three_different_axes_and_letters_that_fit(plane):
    axes = {plane.normal_axis, plane.column_axis, plane.row_axis}
    assert axes == {0, 1, 2}
    towards = "LPS"  # where i, j, k run
    away = "RAI"
    left, right, top, bottom = plane.edge_letters
    assert (left, right) == (away[plane.column_axis], towards[plane.column_axis])
    ends = away[plane.row_axis], towards[plane.row_axis]
    assert (top, bottom) == (ends if plane.row_sign > 0 else ends[::-1])


def volume(array):
    order = AxisOrder((0, 1, 2), (False, False, False), array.shape[::-1])
    return Volume(array, make_grid(array.shape, (1.0, 1.0, 2.0)), order)


def test_the_value_at_a_point():
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    phase = volume(array)
    assert phase.value_at((-2.2, -0.9, 2.4)) == array[1, 1, 2]
    assert phase.value_at((-2.2, -0.9, 5.0)) is None
    assert phase.value_at((0.6, 0.0, 0.0)) is None


def test_a_volume_cannot_be_changed_and_must_fit():
    phase = volume(np.zeros((2, 3, 4), np.int16))
    with pytest.raises(ValueError, match="read-only"):
        phase.array[0, 0, 0] = 1
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((2, 3, 5), np.int16), phase.grid, phase.axis_order)
    with pytest.raises(ValueError, match="contiguous"):
        Volume(np.zeros((2, 3, 8), np.int16)[:, :, ::2], phase.grid, phase.axis_order)
