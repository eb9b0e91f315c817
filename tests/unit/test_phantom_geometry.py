"""Grids, distance fields and painting: the ground the phantom stands on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.phantom.fields import (
    Field,
    ellipsoid,
    on_box,
    rotation_ras,
    smooth_max,
    smooth_min,
    tube,
    union,
    upsample,
)
from inference.phantom.grids import Grid
from inference.phantom.noise import scanner_noise, smooth_noise
from inference.phantom.scene import Scene

GRID = Grid((20, 24, 28), (1.5, 1.2, 2.0), (21.0, 14.0, -19.0))


def points_of(grid, box=None):
    z, y, x = np.meshgrid(*grid.axes(box), indexing="ij")
    return np.stack([x, y, z], axis=-1)


def test_axes_agree_with_the_affine():
    k, j, i = 3, 5, 7
    expected = GRID.affine_ras @ [i, j, k, 1]
    assert points_of(GRID)[k, j, i] == pytest.approx(expected[:3], abs=1e-4)


def test_rows_run_to_the_left_the_back_and_up():
    assert np.sign(np.diag(GRID.affine_ras)).tolist() == [-1, -1, 1, 1]


@given(st.tuples(*[st.floats(-300, 300)] * 3))
def test_points_and_indices_are_inverse(point):
    assert GRID.to_ras(GRID.to_kji(point)) == pytest.approx(point, abs=1e-9)


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, np.nan)])
def test_grid_refuses_voxels_without_size(spacing):
    with pytest.raises(ValueError, match="positive"):
        Grid((2, 2, 2), spacing, (0.0, 0.0, 0.0))


def test_crop_keeps_places():
    box = (slice(2, 6), slice(3, 9), slice(1, 4))
    assert np.allclose(points_of(GRID.crop(box)), points_of(GRID)[box])


def test_box_around_holds_exactly_the_voxels_in_reach():
    box = GRID.box_around([(1.0, 2.0, 0.0)], 5.0)
    inside = np.abs(points_of(GRID) - (1.0, 2.0, 0.0)).max(axis=-1) <= 5.0
    found = np.zeros_like(inside)
    found[box] = True
    assert np.array_equal(found, inside)


def test_box_beyond_the_grid_is_empty():
    box = GRID.box_around([(500.0, 0.0, 0.0)], 5.0)
    assert points_of(GRID, box).size == 0


def test_sphere_field_is_the_distance():
    field = ellipsoid(GRID, (2.0, 1.0, -3.0), (7.0, 7.0, 7.0))
    distance = np.linalg.norm(points_of(GRID, field.box) - (2.0, 1.0, -3.0), axis=-1) - 7.0
    # beside the centre, where the direction to the surface is not defined
    clear = distance > -6.0
    assert np.allclose(field.values[clear], distance[clear], atol=1e-3)


def test_ellipsoid_turns_with_its_rotation():
    turn = rotation_ras(z_deg=90.0)
    turned = ellipsoid(GRID, (0, 0, 0), (12.0, 4.0, 5.0), turn)
    plain = ellipsoid(GRID, (0, 0, 0), (4.0, 12.0, 5.0))
    assert np.allclose(on_box(turned, plain.box), plain.values, atol=1e-3)


def test_tube_is_the_distance_to_its_line():
    a, b, radius = np.array([-8.0, 0.0, 0.0]), np.array([8.0, 4.0, 3.0]), 3.0
    field = tube(GRID, [a, b], radius, margin_mm=4.0)
    points = points_of(GRID, field.box)
    t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    distance = np.linalg.norm(points - a - t[..., None] * (b - a), axis=-1) - radius
    near = distance < 3.0
    assert near.any()
    assert np.allclose(field.values[near], distance[near], atol=1e-3)
    assert (field.values[~near] > 2.9).all()


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.5, 10))
def test_rounded_union_only_adds_near_the_seam(a, b, rounding):
    a, b = np.float32([a]), np.float32([b])
    low = smooth_min(a, b, rounding)
    assert low <= np.minimum(a, b)
    assert low >= np.minimum(a, b) - rounding / 4 - 1e-4
    assert np.allclose(smooth_max(-a, -b, rounding), -low)
    if abs(a - b) > rounding:
        assert low == np.minimum(a, b)


def test_union_holds_both_shapes():
    left = ellipsoid(GRID, (-8, 0, 0), (4, 4, 4))
    right = ellipsoid(GRID, (8, 0, 0), (4, 4, 4))
    both = union(GRID, [left, right])
    inside = on_box(both, (slice(0, 20), slice(0, 24), slice(0, 28))) < 0
    alone = [on_box(f, (slice(0, 20), slice(0, 24), slice(0, 28))) < 0 for f in (left, right)]
    assert np.array_equal(inside, alone[0] | alone[1])


def test_upsampling_is_exact_for_what_is_linear():
    coarse = GRID.coarse(5.0)
    plane = points_of(coarse) @ np.array([1.0, -2.0, 0.5])
    fine = upsample(plane.astype(np.float32), coarse, GRID)
    assert np.allclose(fine, points_of(GRID) @ np.array([1.0, -2.0, 0.5]), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.floats(-9, 9), st.floats(1.0, 12.0), st.floats(0.2, 1.0)),
        min_size=1,
        max_size=6,
    )
)
def test_painting_keeps_mixtures_valid(shapes):
    scene = Scene(Grid((6, 10, 10), (2.0, 2.0, 3.0), (9.0, 9.0, -8.0)))
    for material, x, radius, limit in shapes:
        field = ellipsoid(scene.grid, (x, 0.0, 0.0), (radius, radius, radius))
        scene.paint(field, material, limit=limit)
    assert (scene.share >= 127).all()
    painted = {material for material, *_ in shapes} | {0}
    assert set(np.unique(scene.front)) <= painted
    assert set(np.unique(scene.back)) <= painted


def volume_mm3(scene, material):
    part = np.where(scene.front == material, scene.share / 255.0, 0.0)
    part += np.where((scene.back == material) & (scene.front != material), 1 - scene.share / 255, 0)
    return part.sum() * np.prod(scene.grid.spacing_mm)


def test_edges_are_shared_so_that_volumes_are_right():
    scene = Scene(Grid((30, 30, 30), (1.0, 1.0, 1.0), (14.6, 14.8, -14.3)))
    scene.paint(ellipsoid(scene.grid, (0, 0, 0), (8.0, 8.0, 8.0)), 3)
    assert volume_mm3(scene, 3) == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.01)


def test_later_paint_covers_earlier_paint():
    scene = Scene(GRID)
    shape = ellipsoid(GRID, (0, 0, 0), (8.0, 8.0, 8.0))
    scene.paint(shape, 1)
    scene.paint(shape, 2)
    assert volume_mm3(scene, 1) < 0.1 * volume_mm3(scene, 2)


def test_shapes_fitted_keep_their_gap():
    scene = Scene(GRID)
    scene.claim(ellipsoid(GRID, (-6, 0, 0), (8.0, 8.0, 8.0)))
    fitted = scene.fit(ellipsoid(GRID, (6, 0, 0), (8.0, 8.0, 8.0)), gap_mm=3.0)
    inside = points_of(GRID, fitted.box)[fitted.values < 0]
    assert len(inside)
    assert np.linalg.norm(inside - (-6, 0, 0), axis=1).min() >= 8.0 + 3.0 - 0.05


def test_empty_shapes_paint_nothing():
    scene = Scene(GRID)
    scene.paint(Field((slice(0, 0),) * 3, np.empty((0, 0, 0), np.float32)), 1)
    assert not scene.front.any()


def test_noise_has_the_deviation_asked_for():
    rng = np.random.default_rng(0)
    noise = scanner_noise(rng, (12, 96, 96), (0.8, 0.8, 2.0), 14.0)
    assert noise.std() == pytest.approx(14.0, rel=0.02)
    assert abs(noise.mean()) < 0.5
    # streaks: neighbours along x are more alike than neighbours along y
    along_x = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    along_y = (noise[:, 1:] * noise[:, :-1]).mean()
    assert along_x > along_y + 5.0


def test_smooth_noise_varies_over_its_scale():
    grid = Grid((30, 60, 60), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    noise = smooth_noise(np.random.default_rng(0), grid, 12.0)
    assert 0.7 < noise.std() < 1.2
    near = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    far = (noise[:, :, 30:] * noise[:, :, :-30]).mean()
    assert near > 0.9 * noise.var()
    assert abs(far) < 0.4 * noise.var()
