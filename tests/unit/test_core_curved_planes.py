"""Curved planes along the spine: what is a point of the picture and of the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.curved_planes import (
    OUTSIDE_HU,
    CurvedPlane,
    SpineCurve,
    plane_along,
    projection,
    sample,
)
from labeler.core.geometry import Plane
from tests.case_world import make_grid

KINDS = st.sampled_from([Plane.SAGITTAL, Plane.CORONAL])
spines = st.lists(
    st.tuples(st.floats(-40, 40), st.floats(-60, 60), st.floats(-250, 250)), min_size=1, max_size=24
)


@given(points=spines)
def test_the_line_goes_through_points_that_are_apart(points):
    curve = SpineCurve.through(points)
    heights = sorted(z for _, _, z in points)
    apart = [p for p in points if all(abs(p[2] - z) > 30 for z in heights if z != p[2])]
    for x, y, z in apart:
        if heights.count(z) == 1:
            assert curve.at(z) == pytest.approx((x, y), abs=1e-6)


@given(points=spines, order=st.randoms())
def test_the_order_of_points_does_not_matter(points, order):
    shuffled = list(points)
    order.shuffle(shuffled)
    heights = np.linspace(-400, 400, 40)
    first, second = (SpineCurve.through(p).at(heights) for p in (points, shuffled))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_beyond_its_ends_the_line_goes_on_a_way_and_not_for_ever():
    curve = SpineCurve.through([(0, 0, 0), (0, 10, 20), (0, 20, 40)])
    assert curve.at(60.0) == pytest.approx((0, 30))
    assert curve.at(1000.0) == pytest.approx(curve.at(100.0))
    assert SpineCurve.through([(3, 4, 5)]).at([-99.0, 99.0]) == pytest.approx(
        np.array([(3, 4), (3, 4)])
    )


def test_a_line_needs_a_point():
    with pytest.raises(ValueError, match="needs a point"):
        SpineCurve.through([])


@given(
    points=spines,
    kind=KINDS,
    place=st.tuples(st.floats(-50, 900), st.floats(-50, 500)),
    mm=st.floats(0.2, 3.0),
)
def test_pixels_and_points_of_the_patient_are_the_same(points, kind, place, mm):
    plane = CurvedPlane(kind, SpineCurve.through(points), 200.0, 90.0, mm, (400, 300))
    assert plane.to_pixels(plane.to_ras(*place)) == pytest.approx(place, abs=1e-6)


@given(
    points=spines,
    kind=KINDS,
    start=st.tuples(st.floats(-60, 60), st.floats(-60, 60), st.floats(-200, 200)),
    way=st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
)
def test_what_is_moved_follows_the_pointer_and_stays_as_far_off_the_plane(points, kind, start, way):
    plane = CurvedPlane(kind, SpineCurve.through(points), 200.0, 90.0, 0.7, (400, 300))
    moved = plane.moved(start, *way)
    before, after = plane.to_pixels(start), plane.to_pixels(moved)
    assert after - before == pytest.approx(way, abs=1e-6)
    off = [np.array(p) - plane.to_ras(*plane.to_pixels(p)) for p in (start, moved)]
    assert off[1] == pytest.approx(off[0], abs=1e-6)


def ramp(grid):
    """A volume in which each voxel holds 3 x + 5 y + 2 z."""
    k, j, i = np.indices(grid.shape_kji)
    ras = grid.to_ras(np.stack((i, j, k), axis=-1))
    return np.round(ras @ np.array((3.0, 5.0, 2.0))).astype(np.int16)


GRID = make_grid((60, 40, 44), (1.5, 2.0, 2.5), (4.0, -3.0, 10.0))


@settings(max_examples=20)
@given(
    kind=KINDS,
    bend=st.tuples(st.floats(-15, 15), st.floats(-15, 15)),
)
def test_the_picture_holds_the_voxels_that_it_says(kind, bend):
    curve = SpineCurve.through([(0, 0, -50), (*bend, 10), (5, -5, 70)])
    plane = plane_along(kind, curve, GRID, beside_mm=20.0, mm_per_px=1.7)
    image = sample(ramp(GRID), GRID, plane)
    assert image.shape == plane.shape
    rows, columns = np.indices(plane.shape)
    ras = plane.to_ras(rows, columns)
    ijk = GRID.to_ijk(ras)
    inside = np.all((ijk >= 0) & (ijk <= np.array(GRID.shape_ijk) - 1), axis=-1)
    assert inside.any()
    np.testing.assert_allclose(image[inside], (ras @ (3.0, 5.0, 2.0))[inside], atol=2.1)
    outside = np.any((ijk < -1) | (ijk > np.array(GRID.shape_ijk)), axis=-1)
    assert (image[outside] == OUTSIDE_HU).all()


def test_the_plane_shows_the_line_from_top_to_bottom_and_no_more_than_the_volume():
    curve = SpineCurve.through([(0, 0, -50), (20, 0, 70)])
    plane = plane_along(Plane.CORONAL, curve, GRID, beside_mm=15.0, mm_per_px=1.0)
    top, bottom = plane.to_ras(0, 0)[2], plane.to_ras(plane.shape[0] - 1, 0)[2]
    ends = GRID.to_ras(((0, 0, 0), np.array(GRID.shape_ijk) - 1))[:, 2]
    assert top == pytest.approx(ends.max())
    assert bottom == pytest.approx(ends.min(), abs=1.0)
    assert plane.left_mm <= GRID.to_ras((0, 0, 0))[0]


@pytest.mark.parametrize("kind", [Plane.SAGITTAL, Plane.CORONAL])
def test_a_projection_shows_the_brightest_of_its_slab_where_it_is(kind):
    values = np.full(GRID.shape_kji, 30, np.int16)
    bright, far = (20, 18, 30), (20, 18, 30)
    i, j, k = bright
    values[k, j, i] = 900
    far = (43, 18, 10) if kind is Plane.SAGITTAL else (20, 39, 10)
    values[far[::-1]] = 1200
    curve = SpineCurve.through([GRID.to_ras(bright)])
    plane = plane_along(kind, curve, GRID, beside_mm=80.0, mm_per_px=1.0)
    image = projection(values, GRID, plane, 30.0)
    row, column = np.unravel_index(int(image.argmax()), image.shape)
    assert plane.to_ras(row, column)[2] == pytest.approx(GRID.to_ras(bright)[2], abs=1.0)
    axis = plane.axis
    assert plane.to_ras(row, column)[axis] == pytest.approx(GRID.to_ras(bright)[axis], abs=1.0)
    assert image.max() < 1000, "what lies beside the slab is not shown"


def test_a_plane_along_the_spine_is_not_axial():
    with pytest.raises(ValueError, match="sagittal or coronal"):
        CurvedPlane(Plane.AXIAL, SpineCurve.through([(0, 0, 0)]), 0.0, 0.0, 1.0, (2, 2))


def test_sampling_can_be_ended():
    curve = SpineCurve.through([(0, 0, 0)])
    plane = plane_along(Plane.SAGITTAL, curve, GRID, beside_mm=20.0, mm_per_px=1.0)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        sample(ramp(GRID), GRID, plane, stop)
