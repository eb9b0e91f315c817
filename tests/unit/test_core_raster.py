"""Shapes on voxels against definitions checked voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.geometry import Plane
from labeler.core.raster import GridSlice, capsule_stamp, polygon_stamp
from tests.unit.core_strategies import make_grid, planes

SHAPE = (14, 19)
coordinates = st.floats(-6, 25, allow_nan=False)
corners = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)
whole_corners = st.lists(
    st.tuples(st.integers(-3, 21), st.integers(-3, 17)), min_size=3, max_size=9
)


def drawn(stamp, shape=SHAPE):
    out = np.zeros(shape, bool)
    if stamp is not None:
        rows, columns = stamp.inside.shape
        assert stamp.inside.any()
        out[stamp.lo[0] : stamp.lo[0] + rows, stamp.lo[1] : stamp.lo[1] + columns] = stamp.inside
    return out


def is_inside(points, x, y):
    """Even-odd rule: edges crossed by the ray from the centre to the left, including the centre."""
    inside = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            inside = not inside
    return inside


@given(st.one_of(corners, whole_corners))
def test_a_voxel_is_in_a_polygon_when_its_centre_is(points):
    expected = [[is_inside(points, x, y) for x in range(SHAPE[1])] for y in range(SHAPE[0])]
    assert np.array_equal(drawn(polygon_stamp(points, SHAPE)), expected)


@given(st.integers(1, 17), st.integers(1, 12))
def test_polygons_that_share_edges_share_no_voxel_and_leave_none_out(x, y):
    parts = [
        polygon_stamp([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], SHAPE)
        for x0, x1 in ((0, x), (x, 18))
        for y0, y1 in ((0, y), (y, 13))
    ]
    total = sum(drawn(part).astype(int) for part in parts)
    assert total[:13, :18].min() == total[:13, :18].max() == 1


@pytest.mark.parametrize(
    "points",
    [
        [(1, 1), (5, 5)],
        [(2.2, 2.2), (2.8, 2.2), (2.5, 2.8)],
        [(1, 1), (float("nan"), 2), (3, 3)],
        [(-9, -9), (-5, -9), (-5, -5)],
        [(3, 3), (3, 3), (3, 3)],
    ],
)
def test_a_polygon_around_no_centre_is_nothing(points):
    assert polygon_stamp(points, SHAPE) is None


@given(
    st.tuples(coordinates, coordinates),
    st.tuples(coordinates, coordinates),
    st.floats(0.1, 9),
    st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)),
)
def test_a_brush_covers_what_is_within_its_radius_of_the_way(start, end, radius_mm, spacing):
    stamp = drawn(capsule_stamp(start, end, radius_mm, spacing, SHAPE))
    a, b = np.multiply(start, spacing), np.multiply(end, spacing)
    rows, columns = np.indices(SHAPE)
    points = np.stack([columns * spacing[0], rows * spacing[1]], axis=-1)
    along = np.sum((points - a) * (b - a), axis=-1) / max(np.sum((b - a) ** 2), 1e-12)
    nearest = a + np.clip(along, 0, 1)[..., np.newaxis] * (b - a)
    distance = np.linalg.norm(points - nearest, axis=-1)
    assert stamp[distance <= radius_mm - 1e-6].all()
    # Voxels on the line itself are painted however thin the brush; their centres are near.
    assert (distance[stamp] <= max(radius_mm, np.hypot(*spacing) / 2) + 1e-6).all()
    for x, y in np.floor(np.array([start, end]) + 0.5).astype(int):
        assert not (0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]) or stamp[y, x]


def test_the_smallest_brush_paints_the_voxel_under_the_cursor():
    stamp = capsule_stamp((4.4, 7.4), (4.4, 7.4), 0.01, (1, 1), SHAPE)
    assert np.argwhere(drawn(stamp)).tolist() == [[7, 4]]


def test_a_quick_stroke_leaves_no_gap():
    stamp = drawn(capsule_stamp((1, 1), (17, 11), 0.6, (1, 1), SHAPE))
    assert stamp.any(axis=0)[1:18].all()
    assert stamp.any(axis=1)[1:12].all()


def test_a_brush_beside_the_slice_is_nothing():
    assert capsule_stamp((-9, -9), (-5, -9), 2.0, (1, 1), SHAPE) is None


GRID = make_grid((6, 14, 19), (0.7, 0.8, 2.0), (3.0, 4.0, 5.0), degrees=5.0)


@given(planes, st.tuples(st.floats(0, 18), st.floats(0, 13), st.floats(-0.4, 5.4)))
def test_a_slice_knows_its_place(plane, ijk):
    ras = GRID.to_ras(ijk)
    at = GridSlice.near(GRID, plane, ras)
    assert at.index == np.floor(ijk[plane.normal_axis] + 0.5)
    column, row = at.from_ras(ras)
    back = GRID.to_ijk(at.to_ras((column, row)))
    expected = list(ijk)
    expected[plane.normal_axis] = at.index
    assert back == pytest.approx(expected, abs=1e-9)


@given(planes, st.integers(0, 5))
def test_the_box_of_a_slice_selects_its_rows_and_columns(plane, index):
    array = np.random.default_rng(0).integers(0, 250, GRID.shape_kji).astype(np.uint8)
    at = GridSlice(GRID, plane, index)
    part = at.of(array)
    assert part.shape == at.shape
    box = at.box((1, 2), (3, 4))
    assert np.array_equal(array[box.slices].reshape(3, 4), part[1:4, 2:6])


def test_there_is_no_slice_beside_the_grid():
    assert GridSlice.near(GRID, Plane.AXIAL, GRID.to_ras((3, 3, 5.6))) is None
    assert GridSlice.near(GRID, Plane.SAGITTAL, GRID.to_ras((-0.6, 3, 3))) is None
