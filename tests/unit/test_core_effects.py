"""What an edit does, told before it is done."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.effects import effect_of
from labeler.core.mask import Box, Patch
from labeler.core.mask_operations import ADDED, NOTHING, OTHER_LABEL, REMOVED
from labeler.core.regions import RegionIndex
from tests.unit.core_strategies import make_mask, random_labels, seeds

SHAPE = (6, 10, 12)


def patches_between(before, after, cuts):
    """Patches of some slabs each, one after the other, from one content to the other."""
    patches, ends = [], sorted({0, *cuts, SHAPE[0]})
    for lo, hi in itertools.pairwise(ends):
        box = Box((lo, 0, 0), (hi, *SHAPE[1:]))
        patches.append(Patch.between("draft", box, before[box.slices], after[box.slices]))
    return [patch for patch in patches if patch is not None]


@given(seeds, seeds, st.sets(st.integers(0, SHAPE[0]), max_size=3), st.sets(st.integers(1, 3)))
def test_voxels_are_told_by_what_becomes_of_the_labels(seed, other, cuts, labels):
    before = random_labels(SHAPE, seed, density=0.4)
    after = random_labels(SHAPE, other, density=0.4)
    index = RegionIndex.build("draft", before, make_mask(before).grid)
    effect = effect_of(before, patches_between(before, after, cuts), labels, index)
    was, is_now = np.isin(before, list(labels)), np.isin(after, list(labels))
    expected = np.full(SHAPE, NOTHING)
    expected[is_now & ~was], expected[was & ~is_now] = ADDED, REMOVED
    expected[was & is_now & (before != after)] = OTHER_LABEL
    if effect is None:
        assert (expected == NOTHING).all()
        return
    found = np.full(SHAPE, NOTHING)
    found[effect.box.slices] = effect.classes
    assert np.array_equal(found, expected)
    assert effect.added == (expected == ADDED).sum()
    assert effect.removed == (expected == REMOVED).sum()
    assert effect.relabelled == (expected == OTHER_LABEL).sum()
    fresh = RegionIndex.build("draft", after, make_mask(after).grid)
    assert effect.regions is not None
    came, went = len(effect.regions.added), len(effect.regions.removed)
    assert len(fresh.regions) == len(index.regions) + came - went


def test_patches_over_the_same_voxels_are_seen_as_they_end():
    before = np.zeros(SHAPE, np.uint8)
    mask = make_mask(before.copy())
    box = Box((1, 1, 1), (3, 3, 3))
    ones, twos = np.ones(box.shape_kji, np.uint8), np.full(box.shape_kji, 300, np.uint16)
    patches = [Patch.between("draft", box, mask.array[box.slices], ones)]
    mask.apply(patches[0])
    patches.append(Patch.between("draft", box, mask.array[box.slices], twos))
    effect = effect_of(before, patches, {300})
    assert effect is not None
    assert (effect.added, effect.removed) == (8, 0)
    assert effect.regions is None
    assert effect_of(before, patches, {1}) is None
    assert effect_of(before, [], {1}) is None
