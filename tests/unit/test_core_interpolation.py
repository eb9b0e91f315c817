"""Shapes drawn on some slices come back on the slices in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.geometry import Plane
from labeler.core.interpolation import fill_between
from tests.unit.core_strategies import planes, random_labels, seeds

SPACING = {
    Plane.AXIAL: (0.7, 0.8, 2.5),
    Plane.CORONAL: (0.7, 2.5, 0.8),
    Plane.SAGITTAL: (2.5, 0.7, 0.8),
}


def turned(array, plane):
    """Array whose slices across the plane's normal are those of ``array[n]``."""
    return np.ascontiguousarray(np.moveaxis(array, 0, 2 - plane.normal_axis))


def back(found, shape, plane):
    """The result as bool ``[n, row, column]``."""
    whole = np.zeros([shape[a] for a in range(3)], bool)
    whole = turned(whole, plane)
    for index, voxels in found.items():
        assert voxels.box.lo_kji[2 - plane.normal_axis] == index
        whole[voxels.box.slices] |= voxels.inside
    return np.moveaxis(whole, 2 - plane.normal_axis, 0)


def sparse(solid, every):
    kept = solid.copy()
    kept[[n for n in range(len(solid)) if n % every]] = 0
    return kept


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def solids():
    n, row, column = np.indices((31, 70, 80))
    t = n / 30
    ellipsoid = ((n - 15) / 15.5) ** 2 + ((row - 35) / 25) ** 2 + ((column - 40) / 30) ** 2 <= 1
    oblique = (row - 20 - 28 * t) ** 2 + (column - 18 - 40 * t) ** 2 <= 6**2
    left = (row - 35) ** 2 + (column - 40 + 22 * t) ** 2 <= 9**2
    fork = left | ((row - 35) ** 2 + (column - 40 - 22 * t) ** 2 <= 9**2)
    ring = ((row - 35) ** 2 + (column - 40) ** 2 <= 25**2) & (
        (row - 35) ** 2 + (column - 40) ** 2 >= (8 + 8 * t) ** 2
    )
    return {"ellipsoid": ellipsoid, "oblique": oblique, "fork": fork, "ring": ring}


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize(
    ("name", "least"), [("ellipsoid", 0.96), ("oblique", 0.95), ("fork", 0.9), ("ring", 0.97)]
)
def test_what_was_left_out_comes_back(plane, name, least):
    solid = solids()[name]
    drawn = sparse(solid, 5).astype(np.uint8) * 3
    found = fill_between(turned(drawn, plane), 3, plane, SPACING[plane])
    assert list(found) == [n for n in range(31) if n % 5]
    missing = solid.copy()
    missing[::5] = False
    assert dice(back(found, solid.shape, plane), missing) > least


@given(seeds, planes, st.integers(2, 6))
def test_equal_slices_give_the_same_in_between(seed, plane, gap):
    shape = random_labels((1, 12, 14), seed, density=0.6)[0] == 1
    drawn = np.zeros((gap + 1, 12, 14), np.uint8)
    drawn[0] = drawn[gap] = shape
    found = back(fill_between(turned(drawn, plane), 1, plane, SPACING[plane]), drawn.shape, plane)
    for n in range(1, gap):
        assert np.array_equal(found[n], shape)


@given(seeds, planes)
def test_in_between_lies_between(seed, plane):
    """A smaller shape inside a larger one: everything between is between, and falls."""
    large = ndimage.binary_dilation(random_labels((1, 16, 18), seed)[0] == 1, iterations=2)
    large = ndimage.binary_fill_holes(large)
    small = ndimage.binary_erosion(large)
    if not small.any() or ndimage.label(large, np.ones((3, 3)))[1] != 1:
        return
    if ndimage.label(small, np.ones((3, 3)))[1] == 1:
        return  # one goes on as one: moved to its centre, see the oblique vessel
    drawn = np.zeros((5, 16, 18), np.uint8)
    drawn[0], drawn[4] = large, small
    found = back(fill_between(turned(drawn, plane), 1, plane, SPACING[plane]), drawn.shape, plane)
    previous = large
    for n in (1, 2, 3):
        assert not (found[n] & ~previous).any()
        assert not (small & ~found[n]).any()
        previous = found[n]


def test_two_lesions_are_filled_each_on_its_own():
    n, row, column = np.indices((20, 60, 60))
    drawn_thick = (row - 15) ** 2 + (column - 15) ** 2 <= 7**2
    other = ((row - 42) ** 2 + (column - 42) ** 2 <= 7**2) & np.isin(n, (2, 6, 13))
    array = (drawn_thick | other).astype(np.uint8)
    found = back(fill_between(array, 1, Plane.AXIAL, (1, 1, 1)), array.shape, Plane.AXIAL)
    assert sorted(set(np.argwhere(found)[:, 0])) == [3, 4, 5, *range(7, 13)]
    assert not (found & drawn_thick).any(), "a lesion drawn on all slices does not hinder"
    assert found[4].sum() == other[2].sum()


def test_slices_that_are_too_far_apart_are_not_joined():
    array = np.zeros((30, 20, 20), np.uint8)
    array[[2, 25], 5:12, 5:12] = 1
    assert fill_between(array, 1, Plane.AXIAL, (1, 1, 1), max_gap_mm=20) == {}
    assert len(fill_between(array, 1, Plane.AXIAL, (1, 1, 1), max_gap_mm=23)) == 22
    array[2] = 0
    assert fill_between(array, 1, Plane.AXIAL, (1, 1, 1)) == {}


def test_a_part_that_goes_on_from_elsewhere_does_not_continue_another():
    """A vessel comes in sideways above a lesion that ends: they are not joined."""
    array = np.zeros((8, 20, 60), np.uint8)
    array[0, 5:15, 5:15] = 1
    for k in range(1, 8):
        array[k, 5:15, 40 - 9 * k : 60 - 9 * k] = 1
    assert fill_between(array, 1, Plane.AXIAL, (1, 1, 1)) == {}


def test_what_has_drifted_too_far_is_something_else():
    array = np.zeros((6, 60, 60), np.uint8)
    array[0, 5:12, 5:12] = array[5, 45:52, 45:52] = 1
    assert fill_between(array, 1, Plane.AXIAL, (1, 1, 1)) == {}


def test_a_box_of_the_mask_knows_its_place():
    array = np.zeros((12, 20, 20), np.uint8)
    array[[4, 8], 6:12, 7:13] = 2
    whole = fill_between(array, 2, Plane.AXIAL, (1, 1, 1))
    part = fill_between(array[3:10, 5:14, 6:16], 2, Plane.AXIAL, (1, 1, 1), origin_kji=(3, 5, 6))
    assert list(whole) == list(part) == [5, 6, 7]
    for index in whole:
        assert whole[index].box == part[index].box


def test_a_stop_is_heard():
    def stop():
        raise RuntimeError("stopped")

    array = np.zeros((5, 9, 9), np.uint8)
    array[[0, 4], 2:6, 2:6] = 1
    with pytest.raises(RuntimeError, match="stopped"):
        fill_between(array, 1, Plane.AXIAL, (1, 1, 1), check=stop)
