"""Edits change what they should, nothing else, and undo exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.brushes import DiscBrush
from labeler.core.geometry import Plane
from labeler.core.mask import Box, Patch
from labeler.core.painting import (
    Constraint,
    PaintingError,
    StrokeBuilder,
    fill_area,
    merge_patches,
    paint_polygon,
    write,
)
from tests.unit.core_strategies import (
    boxes_in,
    label_maps,
    make_grid,
    make_mask,
    planes,
    random_labels,
    seeds,
)

SHAPE = (7, 16, 18)


def applied(mask, patch):
    """Array after a patch; the mask itself stays as it is. Taking it back must restore it."""
    before, revision = mask.array.copy(), mask.revision
    if patch is None:
        return before
    mask.apply(patch)
    after = mask.array.copy()
    mask.apply(patch)
    assert np.array_equal(mask.array, before)
    assert mask.revision == revision
    return after


constraints = st.builds(
    Constraint,
    locked=st.frozensets(st.integers(0, 4), max_size=2),
    only=st.none() | st.frozensets(st.integers(0, 4), max_size=3),
)


@given(st.data(), label_maps(), seeds, st.sampled_from([0, 1, 2, 300]), constraints)
def test_writing_respects_locks_in_both_directions(data, array, seed, label, constraint):
    mask = make_mask(array)
    box = data.draw(boxes_in(array.shape))
    inside = np.random.default_rng(seed).random(box.shape_kji) < 0.5
    after = applied(mask, write(mask, box, inside, label, constraint))
    whole = np.zeros(array.shape, bool)
    whole[box.slices] = inside
    may = ~np.isin(array, list(constraint.locked))
    if constraint.only is not None:
        may &= np.isin(array, list(constraint.only))
    if label in constraint.locked:
        may[:] = False
    assert np.array_equal(after, np.where(whole & may, label, array.astype(int)))
    for locked in constraint.locked:
        assert np.array_equal(after == locked, array == locked)


def test_a_large_label_widens_the_mask():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    patch = write(mask, Box((1, 1, 1), (2, 2, 3)), np.ones((1, 1, 2), bool), 700)
    mask.apply(patch)
    assert mask.array.dtype == np.uint16
    assert mask.array[1, 1, 1] == 700
    assert np.count_nonzero(mask.array) == 2


def test_nothing_to_change_is_no_patch():
    mask = make_mask(np.full(SHAPE, 3, np.uint8))
    assert write(mask, Box.whole(SHAPE), np.ones(SHAPE, bool), 3) is None


@pytest.mark.parametrize("plane", list(Plane))
def test_a_polygon_is_filled_on_the_nearest_slice_of_its_plane(plane):
    mask = make_mask(np.zeros(SHAPE, np.uint8), make_grid(SHAPE, degrees=3.0))
    corners = np.full((4, 3), 3.3)
    corners[:, plane.column_axis] = (1.5, 5.5, 5.5, 1.5)
    corners[:, plane.row_axis] = (0.5, 0.5, 4.5, 4.5)
    after = applied(mask, paint_polygon(mask, plane, mask.grid.to_ras(corners), 5))
    expected = np.zeros(SHAPE, np.uint8)
    at = [0, 0, 0]
    at[plane.column_axis], at[plane.row_axis] = slice(2, 6), slice(1, 5)
    at[plane.normal_axis] = 3
    expected[tuple(at[::-1])] = 5
    assert np.array_equal(after, expected)


def test_a_polygon_beside_the_mask_is_no_patch():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    corners = mask.grid.to_ras([(1, 1, 9), (5, 1, 9), (5, 5, 9)])
    assert paint_polygon(mask, Plane.AXIAL, corners, 5) is None


def test_erasing_by_polygon_takes_labels_out():
    mask = make_mask(np.full(SHAPE, 4, np.uint8))
    corners = mask.grid.to_ras([(0.5, 0.5, 2), (5.5, 0.5, 2), (5.5, 3.5, 2), (0.5, 3.5, 2)])
    after = applied(mask, paint_polygon(mask, Plane.AXIAL, corners, 0))
    assert np.argwhere(after == 0).tolist() == [[2, j, i] for j in (1, 2, 3) for i in range(1, 6)]


moves = st.lists(
    st.tuples(st.floats(-3, 20), st.floats(-3, 18), st.floats(2.6, 3.4)), min_size=1, max_size=8
)


@given(planes, moves, seeds, st.floats(0.3, 4.0), constraints)
def test_a_stroke_is_the_union_of_its_moves_and_undoes_as_one(plane, way, seed, radius, constraint):
    array = random_labels(SHAPE, seed)
    mask = make_mask(array)
    builder = StrokeBuilder(mask, DiscBrush(mask.grid, plane, radius), 2, constraint)
    parts = []
    for ijk in way:
        patch = builder.move_to(mask.grid.to_ras(ijk))
        if patch is not None:
            mask.apply(patch)
            parts.append(patch)
    whole = builder.finish()
    painted = mask.array.copy()
    assert (whole is None) == (not parts)
    if whole is None:
        assert np.array_equal(painted, array)
        return
    assert set(np.unique(painted[painted != array])) <= {2}
    mask.apply(whole)
    assert np.array_equal(mask.array, array)
    assert mask.revision == 0
    mask.apply(whole)
    assert np.array_equal(mask.array, painted)
    joined = merge_patches(parts)
    assert (joined.box, joined.token) == (whole.box, whole.token)
    assert np.array_equal(joined.difference(), whole.difference())


def test_a_stroke_stays_on_the_slice_of_its_first_point():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    builder = StrokeBuilder(mask, DiscBrush(mask.grid, Plane.AXIAL, 2.0), 1)
    for ijk in ((5, 5, 2.2), (9, 9, 4.9)):
        mask.apply(builder.move_to(mask.grid.to_ras(ijk)))
    assert np.flatnonzero(mask.array.any(axis=(1, 2))).tolist() == [2]
    assert mask.array[2, 9, 9] == 1


def test_a_brush_is_round_in_millimetres():
    grid = make_grid((5, 40, 60), (0.5, 1.0, 2.0))
    mask = make_mask(np.zeros((5, 40, 60), np.uint8), grid)
    mask.apply(
        StrokeBuilder(mask, DiscBrush(mask.grid, Plane.AXIAL, 8.0), 1).move_to(
            grid.to_ras((30, 20, 2))
        )
    )
    _, j, i = np.nonzero(mask.array)
    assert np.ptp(j) * 1.0 == np.ptp(i) * 0.5 == 16.0


def test_a_stroke_that_begins_beside_the_mask_paints_once_it_comes_in():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    builder = StrokeBuilder(mask, DiscBrush(mask.grid, Plane.AXIAL, 1.0), 1)
    assert builder.move_to(mask.grid.to_ras((-9, 5, 3))) is None
    assert builder.move_to(mask.grid.to_ras((5, 5, 3))) is not None


def test_the_size_of_a_stroke_does_not_depend_on_the_slices():
    mask = make_mask(np.zeros((200, 40, 40), np.uint8))
    builder = StrokeBuilder(mask, DiscBrush(mask.grid, Plane.AXIAL, 5.0), 1)
    mask.apply(builder.move_to(mask.grid.to_ras((20, 20, 100))))
    patch = builder.finish()
    assert patch.box.shape_kji[0] == 1
    assert patch.nbytes < 400


@given(st.data(), label_maps(), st.lists(seeds, min_size=1, max_size=4))
def test_merged_patches_do_what_they_do_one_by_one(data, array, patch_seeds):
    mask = make_mask(array)
    parts = []
    for seed in patch_seeds:
        box = data.draw(boxes_in(array.shape))
        after = random_labels(box.shape_kji, seed, np.uint16)
        patch = Patch.between("draft", box, mask.array[box.slices], after)
        if patch is not None:
            mask.apply(patch)
            parts.append(patch)
    merged = merge_patches(parts)
    if merged is not None:
        mask.apply(merged)
        assert mask.revision == 0
    assert np.array_equal(mask.array, array)


def test_patches_that_cancel_are_nothing_and_masks_are_not_mixed():
    mask, other = make_mask(np.zeros(SHAPE, np.uint8)), make_mask(np.zeros(SHAPE, np.uint8))
    other.name = "other"
    box, inside = Box((1, 1, 1), (2, 3, 3)), np.ones((1, 2, 2), bool)
    patch = write(mask, box, inside, 1)
    assert merge_patches([]) is None
    assert merge_patches([patch, patch]) is None
    with pytest.raises(ValueError, match="cannot be joined"):
        merge_patches([patch, write(other, box, inside, 1)])


@given(planes, seeds, st.tuples(*[st.integers(0, n - 1) for n in SHAPE]))
def test_the_bucket_fills_the_edge_connected_area(plane, seed, kji):
    array = random_labels(SHAPE, seed, density=0.7)
    mask = make_mask(array)
    axis = 2 - plane.normal_axis
    part = np.take(array, kji[axis], axis)
    at = tuple(v for a, v in enumerate(kji) if a != axis)
    areas, _ = ndimage.label(part == part[at])
    area = areas == areas[at]
    border = np.ones_like(area)
    border[1:-1, 1:-1] = False
    ras = mask.grid.to_ras(kji[::-1])
    if part[at] == 0 and (area & border).any():
        with pytest.raises(PaintingError, match="not closed"):
            fill_area(mask, plane, ras, 9)
        return
    expected = array.copy()
    np.moveaxis(expected, axis, 0)[kji[axis]][area] = 9
    assert np.array_equal(applied(mask, fill_area(mask, plane, ras, 9)), expected)


def test_the_bucket_beside_the_mask_does_nothing():
    mask = make_mask(np.ones(SHAPE, np.uint8))
    assert fill_area(mask, Plane.AXIAL, mask.grid.to_ras((50, 5, 3)), 9) is None
    assert fill_area(mask, Plane.AXIAL, mask.grid.to_ras((5, 5, 30)), 9) is None
