"""Sets of voxels, and shapes that change their form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.mask import Box
from labeler.core.painting import Constraint
from labeler.core.voxel_set import VoxelSet, reshape
from tests.unit.core_strategies import boxes_in, label_maps, make_mask, planes, random_labels, seeds


@given(st.data(), label_maps(), st.tuples(*[st.integers(0, 4)] * 3))
def test_room_around_a_set_changes_nothing(data, array, margins):
    box = data.draw(boxes_in(array.shape))
    wide = VoxelSet(box, array[box.slices] > 0).padded(margins, array.shape)
    assert wide.box.clipped(array.shape) == wide.box
    found = np.zeros(array.shape, bool)
    found[wide.box.slices] = wide.inside
    expected = np.zeros(array.shape, bool)
    expected[box.slices] = array[box.slices] > 0
    assert np.array_equal(found, expected)
    for axis in range(3):
        lo = max(0, box.lo_kji[axis] - margins[axis])
        assert wide.box.lo_kji[axis] == lo


@given(st.data(), label_maps(), planes)
def test_a_slice_of_a_set(data, array, plane):
    box = data.draw(boxes_in(array.shape))
    voxels = VoxelSet(box, array[box.slices] == 1)
    axis = 2 - plane.normal_axis
    index = data.draw(st.integers(-1, array.shape[axis]))
    found = np.zeros(array.shape, bool)
    part = voxels.on_slice(plane, index)
    if part is not None:
        assert part.box.shape_kji[axis] == 1
        found[part.box.slices] = part.inside
    expected = np.zeros(array.shape, bool)
    expected[box.slices] = voxels.inside
    expected[np.indices(array.shape)[axis] != index] = False
    assert np.array_equal(found, expected)
    assert (part is None) == (not expected.any())


def test_voxels_must_fit_their_box():
    with pytest.raises(ValueError, match="do not fit"):
        VoxelSet(Box((0, 0, 0), (1, 2, 3)), np.zeros((3, 2, 1), bool))


@given(
    seeds,
    st.sampled_from([0, 2, 300]),
    st.none() | st.frozensets(st.integers(0, 3), max_size=2),
    st.frozensets(st.integers(0, 3), max_size=1),
)
def test_a_new_shape_takes_and_gives_what_it_may(seed, ground, only, locked):
    array = random_labels((3, 6, 11), seed, density=0.8)
    mask, box = make_mask(array), Box((0, 1, 2), (3, 5, 11))
    rng = np.random.default_rng(seed)
    old = (array[box.slices] == 1) & (rng.random(box.shape_kji) < 0.8)
    new = rng.random(box.shape_kji) < 0.5
    constraint = Constraint(locked, only)
    patch = reshape(mask, box, old, new, 1, ground=ground, constraint=constraint)
    expected = array.astype(int)
    for index in np.ndindex(box.shape_kji):
        at = tuple(np.add(index, box.lo_kji))
        before = int(array[at])
        if new[index] and not old[index]:
            if before not in locked and 1 not in locked and (only is None or before in only):
                expected[at] = 1
        elif old[index] and not new[index] and not {1, ground} & locked:
            expected[at] = ground
    if patch is not None:
        mask.apply(patch)
    assert np.array_equal(mask.array, expected)
