"""Screen, voxels and patient agree, for every plane, zoom and orientation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.geometry import Plane
from labeler.core.mask import Box
from labeler.core.views import ViewTransform, moved_by_slices, slice_at
from tests.unit.core_strategies import make_grid, planes

GRID = make_grid((12, 20, 30), (0.8, 0.9, 2.5), (100.0, -50.0, 7.0), degrees=4.0)
points = st.tuples(*[st.floats(-300, 300)] * 3)
pixels = st.tuples(st.floats(-50, 450), st.floats(-50, 450))


def view_of(plane=Plane.AXIAL, ras=None, mm_per_px=0.5, size_px=(300, 200), grid=GRID):
    ras = grid.center_ras if ras is None else ras
    return ViewTransform.through(
        ras, grid=grid, plane=plane, center_ras=ras, mm_per_px=mm_per_px, size_px=size_px
    )


@given(planes, points, st.floats(0.05, 4), pixels)
def test_screen_to_patient_and_back(plane, ras, mm_per_px, pixel):
    view = view_of(plane, ras, mm_per_px)
    assert view.ras_to_screen(view.screen_to_ras(*pixel)) == pytest.approx(pixel, abs=1e-6)


@given(planes, points, st.floats(0.05, 4))
def test_the_centre_is_in_the_middle_whatever_its_slice(plane, ras, mm_per_px):
    view = view_of(plane, ras, mm_per_px)
    assert view.ras_to_screen(ras) == pytest.approx((150, 100), abs=1e-6)


@given(planes, pixels)
def test_points_of_the_screen_lie_on_the_slice_shown(plane, pixel):
    view = view_of(plane, GRID.to_ras((7.2, 4.8, 3.4)))
    ijk = GRID.to_ijk(view.screen_to_ras(*pixel))
    assert ijk[plane.normal_axis] == pytest.approx((7, 5, 3)[plane.normal_axis])


@given(planes, pixels, pixels, st.floats(0.1, 3))
def test_distances_on_screen_are_millimetres(plane, a, b, mm_per_px):
    view = view_of(plane, mm_per_px=mm_per_px)
    distance_mm = np.linalg.norm(view.screen_to_ras(*a) - view.screen_to_ras(*b))
    assert distance_mm == pytest.approx(np.hypot(a[0] - b[0], a[1] - b[1]) * mm_per_px)


@pytest.mark.parametrize(
    ("plane", "right", "down"),
    [
        (Plane.AXIAL, (-1, 0, 0), (0, -1, 0)),  # to the Left, to Posterior
        (Plane.CORONAL, (-1, 0, 0), (0, 0, -1)),  # to the Left, to Inferior
        (Plane.SAGITTAL, (0, -1, 0), (0, 0, -1)),  # to Posterior, to Inferior
    ],
)
def test_display_is_radiological(plane, right, down):
    view = view_of(plane, grid=make_grid((12, 20, 30)), mm_per_px=1.0)
    origin = view.screen_to_ras(10, 10)
    assert view.screen_to_ras(11, 10) - origin == pytest.approx(right, abs=1e-9)
    assert view.screen_to_ras(10, 11) - origin == pytest.approx(down, abs=1e-9)


@given(planes, pixels)
def test_the_matrix_to_another_grid_goes_through_the_patient(plane, pixel):
    other = make_grid((8, 9, 10), (1.3, 1.2, 3.0), (90.0, -40.0, 1.0), degrees=-7.0)
    view = view_of(plane)
    ijk = view.to_ijk_of(other) @ (*pixel, 1.0)
    assert ijk == pytest.approx(other.to_ijk(view.screen_to_ras(*pixel)), abs=1e-6)


def test_a_point_outside_of_the_phase_has_no_slice():
    view = view_of(Plane.AXIAL, GRID.to_ras((10, 5, 12)))
    assert (view.slice_index, view.n_slices, view.has_slice) == (12, 12, False)
    assert view_of(Plane.AXIAL, GRID.to_ras((10, 5, 11.4))).has_slice


@given(planes, st.integers(-40, 40))
def test_the_wheel_moves_by_whole_slices_and_stops_at_the_ends(plane, steps):
    start = GRID.to_ras((10.3, 8.4, 5.2))
    index = slice_at(GRID, plane, start)
    moved = moved_by_slices(GRID, plane, start, steps)
    last = GRID.shape_ijk[plane.normal_axis] - 1
    assert slice_at(GRID, plane, moved) == min(max(index + steps, 0), last)
    stays = [axis for axis in range(3) if axis != plane.normal_axis]
    assert GRID.to_ijk(moved)[stays] == pytest.approx(np.array([10.3, 8.4, 5.2])[stays])


@pytest.mark.parametrize(("k", "shown"), [(3, False), (4, True), (6, True), (7, False)])
def test_which_slices_a_change_touches(k, shown):
    box = Box((4, 2, 2), (7, 5, 5))
    assert view_of(Plane.AXIAL, GRID.to_ras((3, 3, k))).shows(box, GRID) is shown


def test_a_change_on_a_turned_grid_touches_every_slice_it_reaches():
    other = make_grid((12, 20, 30), (0.8, 0.9, 2.5), (100.0, -50.0, 7.0), degrees=12.0)
    box = Box((5, 0, 0), (6, 20, 30))
    touched = [
        k for k in range(12) if view_of(Plane.AXIAL, GRID.to_ras((3, 3, k))).shows(box, other)
    ]
    assert len(touched) > 1
    assert touched == list(range(touched[0], touched[-1] + 1))
