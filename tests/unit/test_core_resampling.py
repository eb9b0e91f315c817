"""Nearest voxels of another grid, against every voxel looked up on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.mask import Box
from labeler.core.painting import Constraint, HuLimit, write
from labeler.core.resampling import in_range, resampled, values_in
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import boxes_in, make_grid, make_mask, random_labels, seeds

SHAPE = (5, 9, 11)


def looked_up(source, array, grid, box):
    """Value at each voxel of a box of ``grid``; NaN outside of the source."""
    found = np.full(box.shape_kji, np.nan)
    for k, j, i in np.ndindex(box.shape_kji):
        here = np.add(box.lo_kji, (k, j, i))
        ijk = source.nearest_ijk(grid.to_ras(here[::-1]))
        if source.contains(ijk):
            found[k, j, i] = array[ijk[::-1]]
    return found


grids = st.builds(
    lambda origin, degrees, spacing: make_grid(SHAPE, spacing, origin, degrees),
    st.tuples(*[st.floats(-3.3, 3.3)] * 3),
    st.sampled_from([0.0, 7.0]),
    st.sampled_from([(0.8, 0.9, 2.5), (1.3, 0.7, 1.9)]),
)


@given(st.data(), grids, seeds, st.sampled_from([np.int16, np.float32]))
def test_values_are_those_of_the_nearest_voxels(data, other, seed, dtype):
    grid = make_grid(SHAPE)
    array = np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(dtype)
    box = data.draw(boxes_in(SHAPE))
    values = values_in(PlacedVolume(array, other), grid, box)
    assert np.array_equal(values, looked_up(other, array, grid, box), equal_nan=True)


@given(st.data(), grids, seeds)
def test_a_crop_on_another_grid_keeps_nothing_back(data, other, seed):
    grid = make_grid(SHAPE)
    box = data.draw(boxes_in(SHAPE))
    crop = random_labels(box.shape_kji, seed, density=1.0)
    whole = np.zeros(SHAPE, crop.dtype)
    whole[box.slices] = crop
    found = np.zeros(SHAPE, crop.dtype)
    there, sampled = resampled(crop, box, grid, other)
    if not there.is_empty:
        found[there.slices] = sampled
    expected = np.nan_to_num(looked_up(grid, whole, other, Box.whole(SHAPE)))
    assert np.array_equal(found, expected)


def test_the_phase_itself_is_looked_at_where_grids_match():
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    values = values_in(PlacedVolume(array, make_grid(SHAPE)), make_grid(SHAPE), Box.whole(SHAPE))
    assert np.shares_memory(values, array)


@given(
    st.lists(st.integers(-32768, 32767), min_size=1),
    st.floats(-40000, 40000),
    st.floats(-40000, 40000),
)
def test_ends_belong_to_a_range(numbers, low, high):
    expected = [low <= number <= high for number in numbers]
    assert in_range(np.array(numbers, np.int16), low, high).tolist() == expected
    assert in_range(np.array(numbers, np.float32), low, high).tolist() == [
        bool(np.float32(low) <= number <= np.float32(high)) for number in numbers
    ]


def test_nothing_is_in_range_where_there_is_no_value():
    assert not in_range(np.array([np.nan], np.float32), -np.inf, np.inf).any()


@pytest.mark.parametrize("shift_mm", [0.0, 1.7])
def test_an_edit_is_kept_to_a_range_of_values(shift_mm):
    grid = make_grid(SHAPE)
    array = np.random.default_rng(1).integers(0, 200, SHAPE).astype(np.int16)
    phase = PlacedVolume(array, grid.shifted((shift_mm, 0.0, 0.0)))
    mask = make_mask(random_labels(SHAPE, 3))
    before = mask.array.copy()
    box = Box((1, 2, 3), (4, 8, 10))
    constraint = Constraint(locked=frozenset({2}), hu=HuLimit(phase, 50, 120))
    mask.apply(write(mask, box, np.ones(box.shape_kji, bool), 7, constraint))
    values = looked_up(phase.grid, array, grid, box)
    expected = before.copy()
    within = (values >= 50) & (values <= 120) & (before[box.slices] != 2)
    expected[box.slices][within] = 7
    assert within.any()
    assert np.array_equal(mask.array, expected)
