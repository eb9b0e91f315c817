"""Acts on whole regions, within a mask and between masks on different grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.mask import Box
from labeler.core.painting import Constraint, PaintingError, write
from labeler.core.region_edits import (
    RegionVoxels,
    Rules,
    inner_voxel,
    relabel_region,
    touches_more,
    transfer_region,
)
from labeler.core.regions import RegionIndex
from labeler.core.voxel_set import VoxelSet
from tests.unit.core_strategies import (
    label_maps,
    make_grid,
    make_mask,
    random_labels,
    seeds,
)
from tests.unit.test_core_painting import applied

SHAPE = (8, 14, 17)


def region_of(mask, n=0):
    """Voxels of the n-th region of a mask, and where they are in the whole array."""
    index = RegionIndex.build(mask.name, mask.array, mask.grid)
    region = list(index.regions.values())[n % len(index.regions)]
    box, crop = index.component_crop(region.id)
    whole = np.zeros(mask.array.shape, bool)
    whole[box.slices] = crop
    return RegionVoxels(box, crop, region.label), whole


def copied(target, source, region, label, **more):
    """The target with a copy of the region."""
    patches = transfer_region(source, region, target, label, **more).patches
    return applied(target, patches[0] if patches else None)


def with_something(array):
    array = array.copy()
    array[0, 0, 0] = 1
    return array


@given(label_maps(), st.integers(0, 9), st.sampled_from([0, 1, 7]))
def test_relabelling_changes_the_region_and_nothing_else(array, n, label):
    mask = make_mask(with_something(array))
    region, whole = region_of(mask, n)
    after = applied(mask, relabel_region(mask, region, label))
    assert np.array_equal(after, np.where(whole, label, mask.array))


def test_a_locked_region_is_neither_deleted_nor_relabelled_nor_written():
    mask = make_mask(with_something(np.zeros(SHAPE, np.uint8)))
    region, _ = region_of(mask)
    locked = Constraint(locked=frozenset({1}))
    assert relabel_region(mask, region, 0, locked) is None
    assert relabel_region(mask, region, 2, locked) is None
    assert relabel_region(mask, region, 2, Constraint(locked=frozenset({2}))) is None
    assert relabel_region(mask, region, 2, Constraint(only=frozenset({0}))) is None


def test_an_index_behind_the_mask_does_not_take_what_was_painted_since():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    mask.apply(write(mask, Box((2, 2, 2), (5, 9, 9)), np.ones((3, 7, 7), bool), 1))
    region, _ = region_of(mask)
    mask.apply(write(mask, Box((3, 3, 3), (4, 5, 5)), np.ones((1, 2, 2), bool), 2))
    after = applied(mask, relabel_region(mask, region, 0))
    assert np.array_equal(after, np.where(mask.array == 2, 2, 0))


@given(label_maps(), st.integers(0, 9))
def test_a_copy_on_the_same_grid_is_exact(array, n):
    source = make_mask(with_something(array))
    target = make_mask(random_labels(array.shape, 5), name="other")
    region, whole = region_of(source, n)
    after = copied(target, source, region, 6)
    assert np.array_equal(after, np.where(whole, 6, target.array))


@given(
    seeds,
    st.tuples(*[st.floats(-4, 4)] * 3),
    st.sampled_from([(0.8, 0.9, 2.5), (1.3, 1.1, 1.7)]),
    st.sampled_from([0.0, 6.0]),
)
def test_a_copy_on_another_grid_takes_the_nearest_voxel(seed, origin, spacing, degrees):
    source = make_mask(with_something(random_labels(SHAPE, seed)))
    grid = make_grid((9, 11, 13), spacing, origin, degrees)
    target = make_mask(np.zeros(grid.shape_kji, np.uint8), grid, name="other")
    region, whole = region_of(source, seed)
    expected = np.zeros(grid.shape_kji, np.uint8)
    for k, j, i in np.ndindex(grid.shape_kji):
        near = source.grid.nearest_ijk(grid.to_ras((i, j, k)))
        if source.grid.contains(near) and whole[near[::-1]]:
            expected[k, j, i] = 6
    assert np.array_equal(copied(target, source, region, 6), expected)


def test_a_copy_out_of_reach_is_no_patch():
    source = make_mask(with_something(np.zeros(SHAPE, np.uint8)))
    far = make_mask(np.zeros(SHAPE, np.uint8), make_grid(SHAPE, origin_mm=(500, 0, 0)), "far")
    region, _ = region_of(source)
    for leaving in (None, Rules()):
        transfer = transfer_region(source, region, far, 6, leaving=leaving)
        assert transfer.patches == ()
        assert transfer.missing == np.count_nonzero(region.crop)


@given(label_maps(), st.integers(0, 9), seeds)
def test_what_a_move_cannot_write_stays_where_it_is(array, n, seed):
    source = make_mask(with_something(array))
    target = make_mask(random_labels(array.shape, seed), name="other")
    region, whole = region_of(source, n)
    constraint = Constraint(locked=frozenset({1, 2}))
    transfer = transfer_region(source, region, target, 6, constraint, leaving=Rules())
    free = whole & ~np.isin(target.array, (1, 2))
    before = source.array.copy(), target.array.copy()
    assert transfer.missing == np.count_nonzero(whole & ~free)
    for patch in transfer.patches:
        (source if patch.mask == "draft" else target).apply(patch)
    assert np.array_equal(source.array, np.where(free, 0, before[0]))
    assert np.array_equal(target.array, np.where(free, 6, before[1]))


def test_a_move_to_another_grid_leaves_no_crumbs():
    array = np.zeros(SHAPE, np.uint8)
    array[2:7, 3:11, 4:13] = 1
    source = make_mask(array)
    grid = make_grid((6, 9, 10), (1.4, 1.6, 4.0), (0.3, 0.4, 0.5))
    target = make_mask(np.zeros(grid.shape_kji, np.uint8), grid, "other")
    region, _ = region_of(source)
    there, gone = transfer_region(source, region, target, 3, leaving=Rules()).patches
    source.apply(gone)
    target.apply(there)
    assert not source.array.any()
    volume = np.count_nonzero(target.array) * grid.voxel_ml
    assert volume == pytest.approx(np.count_nonzero(array) * source.grid.voxel_ml, rel=0.25)


def test_the_part_of_a_move_outside_of_the_target_stays():
    array = np.zeros(SHAPE, np.uint8)
    array[2:7, 3:11, 4:13] = 1
    source = make_mask(array)
    target = make_mask(np.zeros((4, 14, 17), np.uint8), make_grid((4, 14, 17)), "lower")
    region, _ = region_of(source)
    there, gone = transfer_region(source, region, target, 3, leaving=Rules()).patches
    source.apply(gone)
    target.apply(there)
    assert np.array_equal(target.array > 0, array[:4] > 0)
    assert np.array_equal(source.array[4:], array[4:])
    assert not source.array[:4].any()


def test_a_region_that_may_not_leave_its_mask_is_not_copied_either():
    source = make_mask(with_something(np.zeros(SHAPE, np.uint8)))
    target = make_mask(np.zeros(SHAPE, np.uint8), name="other")
    region, _ = region_of(source)
    leaving = Rules(constraint=Constraint(locked=frozenset({1})))
    with pytest.raises(PaintingError, match="locked"):
        transfer_region(source, region, target, 6, leaving=leaving)
    full = make_mask(np.full(SHAPE, 2, np.uint8), name="full")
    locked = Constraint(locked=frozenset({2}))
    assert transfer_region(source, region, full, 6, locked, leaving=Rules()).patches == ()


def test_what_moves_out_leaves_the_ground_behind():
    source = make_mask(with_something(np.zeros(SHAPE, np.uint8)))
    target = make_mask(np.zeros(SHAPE, np.uint8), name="other")
    region, whole = region_of(source)
    _, gone = transfer_region(source, region, target, 1, leaving=Rules(5)).patches
    source.apply(gone)
    assert np.array_equal(source.array, np.where(whole, 5, 0))


def test_a_source_that_is_seen_elsewhere_is_written_where_it_is_seen():
    array = np.zeros(SHAPE, np.uint8)
    array[2:4, 3:6, 4:8] = 1
    source = make_mask(array)
    target = make_mask(np.zeros(SHAPE, np.uint8), name="other")
    region, _ = region_of(source)
    sx = source.grid.affine[:3, 0]
    seen = source.grid.shifted(tuple(2 * sx))
    after = copied(target, source, region, 6, source_grid=seen)
    assert np.array_equal(after, 6 * np.roll(array, 2, axis=2))


@given(label_maps(), st.integers(0, 9))
def test_a_region_touches_no_more_of_its_label_but_a_part_of_it_does(array, n):
    mask = make_mask(with_something(array))
    region, whole = region_of(mask, n)
    voxels = VoxelSet(region.box, region.crop)
    assert not touches_more(mask, voxels, region.label)
    k, j, i = inner_voxel(voxels)
    assert whole[k, j, i]
    part = region.crop.copy()
    part[tuple(np.subtract((k, j, i), region.box.lo_kji))] = False
    if part.any():
        assert touches_more(mask, VoxelSet(region.box, part), region.label)
