"""Contours give their label back, voxel for voxel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.contours import label_contours
from labeler.core.geometry import Plane
from labeler.core.raster import GridSlice
from tests.unit.core_strategies import label_maps, make_grid, planes, random_labels, seeds


def fill_contours(contours, shape):
    """Voxels of a label from all of its contours: what they have to give back."""
    filled = np.zeros(shape, np.uint8)
    if contours:
        cv2.fillPoly(filled, [contour.points for contour in contours], 1)
    return filled.view(np.bool_)


@given(
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    seeds,
    st.floats(0, 1),
    st.sampled_from([np.uint8, np.uint16]),
)
def test_filling_the_contours_gives_every_label_back(shape, seed, density, dtype):
    labels = random_labels((1, *shape), seed, dtype, density)[0]
    found = label_contours(labels)
    assert list(found) == [v for v in np.unique(labels).tolist() if v]
    for label, contours in found.items():
        assert np.array_equal(fill_contours(contours, shape), labels == label)


@given(planes, label_maps())
def test_contours_of_any_plane_of_a_volume(plane, array):
    at = GridSlice(make_grid(array.shape), plane, 0)
    labels = at.of(array)
    for label, contours in label_contours(labels).items():
        assert np.array_equal(fill_contours(contours, at.shape), labels == label)
        for contour in contours:
            back = at.from_ras(at.to_ras(contour.points))
            assert back == pytest.approx(contour.points.astype(float), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_large_labels_with_rings_in_rings(seed):
    rng = np.random.default_rng(seed)
    y, x = np.indices((200, 220))
    labels = np.zeros((200, 220), np.uint8)
    for radius in range(95, 5, -9):
        wave = radius + 3 * np.sin(7 * np.arctan2(y - 100, x - 110) + radius)
        labels[np.hypot(y - 100, x - 110) < wave] = rng.integers(0, 3)
    for label, contours in label_contours(labels).items():
        assert np.array_equal(fill_contours(contours, labels.shape), labels == label)


def test_holes_are_told_from_outlines():
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 4
    labels[3:6, 3:6] = 0
    labels[4, 4] = 4
    assert sorted(contour.is_hole for contour in label_contours(labels)[4]) == [False, False, True]


def test_a_single_voxel_is_a_contour_of_one_point():
    labels = np.zeros((3, 5), np.uint16)
    labels[2, 4] = 700
    (contour,) = label_contours(labels)[700]
    assert contour.points.tolist() == [[4, 2]]


def test_only_the_labels_asked_for():
    labels = np.array([[1, 2, 3]], np.uint8)
    assert list(label_contours(labels, only={3, 1, 9})) == [1, 3]
    assert label_contours(labels, only=()) == {}
    assert not fill_contours((), (2, 3)).any()


def test_contours_lie_where_the_voxels_are():
    grid = make_grid((5, 8, 9), (0.7, 0.8, 2.0), (1.0, 2.0, 3.0))
    labels = np.zeros((8, 9), np.uint8)
    labels[2:5, 3:7] = 1
    (contour,) = label_contours(labels)[1]
    ras = GridSlice(grid, Plane.AXIAL, 4).to_ras(contour.points)
    expected = {tuple(grid.to_ras(ijk)) for ijk in ((3, 2, 4), (6, 2, 4), (6, 4, 4), (3, 4, 4))}
    assert {tuple(point) for point in ras} == expected
