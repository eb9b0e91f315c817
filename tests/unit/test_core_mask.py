"""Masks change by patches, and a patch applied twice changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.mask import LOGGED_BOXES, Box, Mask, Patch
from tests.unit.core_strategies import (
    boxes_in,
    label_maps,
    make_grid,
    make_mask,
    random_labels,
    seeds,
)

SHAPE = (5, 9, 12)


@st.composite
def changes(draw):
    """A mask's array, a box in it, and what the box shall hold."""
    array = draw(label_maps())
    box = draw(boxes_in(array.shape))
    after = random_labels(box.shape_kji, draw(seeds), draw(st.sampled_from([np.uint8, np.uint16])))
    return array, box, after


@given(changes())
def test_a_patch_brings_about_the_change_and_takes_it_back(change):
    array, box, after = change
    mask = make_mask(array)
    patch = Patch.between("draft", box, mask.array[box.slices], after)
    if np.array_equal(array[box.slices], after):
        assert patch is None
        return
    assert mask.apply(patch) == patch.box
    expected = array.astype(np.uint16)
    expected[box.slices] = after
    assert np.array_equal(mask.array, expected)
    assert mask.revision != 0
    assert mask.is_dirty
    mask.apply(patch)
    assert np.array_equal(mask.array, array)
    assert mask.revision == 0
    assert not mask.is_dirty


@given(changes())
def test_a_patch_is_as_small_as_the_change(change):
    array, box, after = change
    patch = Patch.between("draft", box, array[box.slices], after)
    if patch is None:
        return
    differs = np.zeros(array.shape, bool)
    differs[box.slices] = array[box.slices] != after
    kji = np.argwhere(differs)
    assert patch.box.lo_kji == tuple(kji.min(axis=0))
    assert patch.box.hi_kji == tuple(kji.max(axis=0) + 1)


INNER = Box((1, 2, 3), (2, 4, 6))


def patch_of(value=1, box=INNER, name="draft"):
    before = np.zeros(box.shape_kji, np.uint8)
    return Patch.between(name, box, before, before + np.uint8(value))


def test_revisions_name_contents():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    first, second = patch_of(1), patch_of(2, Box((0, 0, 0), (1, 1, 1)))
    mask.apply(first)
    after_first = mask.revision
    mask.apply(second)
    mask.mark_saved(mask.revision)
    assert not mask.is_dirty
    mask.apply(second)
    assert mask.revision == after_first
    assert mask.is_dirty
    mask.apply(second)
    assert not mask.is_dirty


def test_a_stroke_on_a_slice_costs_hundreds_of_bytes():
    j, i = np.ogrid[:60, :60]
    disc = ((j - 30) ** 2 + (i - 30) ** 2 < 700)[np.newaxis].astype(np.uint8)
    patch = Patch.between("draft", Box((0, 0, 0), (1, 60, 60)), np.zeros_like(disc), disc)
    assert patch.nbytes < 500


def test_a_snapshot_is_a_copy_with_its_revision():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    copied, revision = mask.snapshot()
    mask.apply(patch_of())
    assert not copied.any()
    assert revision == 0
    copied, revision = mask.snapshot()
    assert copied.any()
    assert revision == mask.revision


def test_the_array_is_not_to_be_written():
    mask = make_mask(np.zeros(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        mask.array[0, 0, 0] = 1


def test_a_mask_leaves_a_read_only_array_alone():
    array = np.zeros(SHAPE, np.uint8)
    array.setflags(write=False)
    grid = make_grid(SHAPE)
    mask = Mask("draft", array, grid, make_mask(array).axis_order)
    mask.apply(patch_of())
    assert not array.any()


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (patch_of(name="other"), "given to mask"),
        (patch_of(box=Box((4, 8, 11), (6, 9, 12))), "outside"),
        (replace(patch_of(), box=Box((-1, 0, 0), (1, 2, 3))), "outside"),
        (replace(patch_of(), box=Box((1, 2, 3), (1, 4, 6))), "outside"),
        (replace(patch_of(), payload=b"nonsense"), "damaged"),
        (replace(patch_of(), payload=zstandard.compress(bytes(3))), "does not fit"),
        (replace(patch_of(), payload=zstandard.compress(bytes(10**6))), "damaged|does not fit"),
    ],
)
def test_a_patch_that_cannot_be_right_leaves_the_mask_as_it_is(patch, reason):
    mask = make_mask(random_labels(SHAPE, 1))
    before = mask.array.copy()
    with pytest.raises(ValueError, match=reason):
        mask.apply(patch)
    assert np.array_equal(mask.array, before)
    assert mask.revision == 0


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(SHAPE, np.int16), "uint8 or uint16"),
        (np.zeros(SHAPE, np.uint8, order="F"), "C-contiguous"),
        (np.zeros((2, 2, 2), np.uint8), "does not fit grid"),
    ],
)
def test_arrays_that_are_no_label_maps_are_refused(array, reason):
    grid = make_grid(SHAPE)
    with pytest.raises(ValueError, match=reason):
        Mask("draft", array, grid, make_mask(np.zeros(SHAPE, np.uint8)).axis_order)


@given(st.data())
def test_boxes_unite_and_clip_as_sets_of_voxels(data):
    def voxels(box):
        drawn = np.zeros((11, 11, 11), bool)
        drawn[box.slices] = True
        return drawn

    a, b = data.draw(boxes_in((11, 11, 11))), data.draw(boxes_in((11, 11, 11)))
    union = a.union(b)
    assert (voxels(union) >= (voxels(a) | voxels(b))).all()
    assert union.lo_kji == tuple(np.argwhere(voxels(a) | voxels(b)).min(axis=0))
    clipped = a.clipped((5, 6, 7))
    inside = voxels(a) & voxels(Box.whole((5, 6, 7)))
    assert clipped.is_empty == (not inside.any())
    if not clipped.is_empty:
        assert np.array_equal(voxels(clipped), inside)


class _Busy(np.ndarray):
    """An array that somebody changes whenever it is copied."""

    def copy(self, *args):
        copied = np.array(self)
        self.meanwhile()
        return copied


@pytest.mark.parametrize("n_changes", [1, 3, LOGGED_BOXES + 1])
def test_who_goes_on_painting_does_not_hold_a_copy_up(n_changes):
    """Changes come in with every copy of the array; the copy has them, and names them."""
    mask = make_mask(random_labels((4, 6, 7), 1))
    busy = mask._array.view(_Busy)
    box = Box((1, 2, 3), (2, 4, 6))

    def paint() -> None:
        _Busy.meanwhile = lambda self: None
        for _ in range(n_changes):
            before = np.array(mask.array[box.slices])
            mask.apply(Patch.between(mask.name, box, before, before ^ np.uint8(1)))

    _Busy.meanwhile = lambda self: paint()
    mask._array = busy
    copied, revision = mask.snapshot()
    assert revision == mask.revision != 0
    np.testing.assert_array_equal(copied, np.array(mask.array))
    _Busy.meanwhile = lambda self: paint()
    part, _ = mask.snapshot(Box((0, 2, 4), (2, 6, 7)))
    np.testing.assert_array_equal(part, np.array(mask.array)[0:2, 2:6, 4:7])
