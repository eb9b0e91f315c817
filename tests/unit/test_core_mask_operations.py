"""Acts on whole masks, against plain array expressions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core import mask_operations
from labeler.core.geometry import Plane
from labeler.core.mask import Box
from labeler.core.mask_operations import (
    Combination,
    combine,
    copy_from_slice,
    copy_labels,
    difference,
    label_by_threshold,
)
from labeler.core.painting import Constraint, HuLimit
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import boxes_in, make_grid, make_mask, planes, random_labels, seeds

SHAPE = (7, 9, 11)

locks = st.frozensets(st.integers(0, 3), max_size=2)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Cut even small masks into parts."""
    monkeypatch.setattr(mask_operations, "PART_VOXELS", 2 * SHAPE[1] * SHAPE[2])


def masks(seed, dtype=np.uint8, turned=False):
    first = make_mask(random_labels(SHAPE, seed, dtype), name="first")
    grid = make_grid(SHAPE, origin_mm=(1.1, -2.0, 3.0), degrees=5.0) if turned else first.grid
    return first, make_mask(random_labels(SHAPE, seed + 1, dtype), grid, name="second")


def applied(mask, patches):
    before = mask.array.copy()
    made = list(patches)
    for patch in made:
        mask.apply(patch)
    after = mask.array.copy()
    for patch in reversed(made):
        mask.apply(patch)
    assert np.array_equal(mask.array, before)
    return after


def sampled(source, target):
    """Labels of a mask at the voxels of another, one by one."""
    found = np.zeros(SHAPE, source.array.dtype)
    for k, j, i in np.ndindex(SHAPE):
        ijk = source.grid.nearest_ijk(target.grid.to_ras((i, j, k)))
        if source.grid.contains(ijk):
            found[k, j, i] = source.array[ijk[::-1]]
    return found


def limited(before, wanted, locked):
    """What becomes of a change that must not touch locked labels."""
    may = ~np.isin(before, list(locked)) & ~np.isin(wanted, list(locked))
    return np.where(may, wanted, before)


@given(seeds, st.floats(-100, 100), st.floats(0, 150), locks)
def test_a_threshold_labels_a_range(seed, low, width, locked):
    mask, _ = masks(seed)
    values = np.random.default_rng(seed).normal(0, 80, SHAPE).astype(np.int16)
    limit = HuLimit(PlacedVolume(values, mask.grid), low, low + width)
    after = applied(mask, label_by_threshold(mask, limit, 300, Constraint(locked)))
    within = (values >= low) & (values <= low + width)
    assert np.array_equal(after, limited(mask.array, np.where(within, 300, mask.array), locked))


@given(
    seeds, st.booleans(), st.none() | st.frozensets(st.integers(1, 3)), locks,
    st.sampled_from([np.uint8, np.uint16]),
)  # fmt: skip
def test_labels_are_copied_over(seed, turned, labels, locked, dtype):
    target, source = masks(seed, dtype, turned)
    scale = 300 if dtype == np.uint16 else 1
    labels = None if labels is None else {label * scale for label in labels}
    locked = frozenset(label * scale for label in locked)
    after = applied(target, copy_labels(source, target, labels, Constraint(locked)))
    found = sampled(source, target)
    wanted = (found > 0) if labels is None else np.isin(found, list(labels))
    expected = limited(target.array, np.where(wanted, found, target.array), locked)
    assert np.array_equal(after, expected)


@given(seeds, st.integers(0, 6), st.integers(-2, 2), planes)
def test_a_slice_is_drawn_as_its_neighbour(seed, index, step, plane):
    mask, _ = masks(seed)
    patch = copy_from_slice(mask, plane, index, step, 2)
    expected = np.moveaxis(mask.array.copy(), 2 - plane.normal_axis, 0)
    if 0 <= index + step < len(expected):
        expected[index][expected[index + step] == 2] = 2
    else:
        assert patch is None
    after = applied(mask, [patch] if patch else [])
    assert np.array_equal(np.moveaxis(after, 2 - plane.normal_axis, 0), expected)


WHOLE = {
    Combination.UNION: lambda a, b: a if a else b,
    Combination.INTERSECTION: lambda a, b: a if a and b else 0,
    Combination.MINUS: lambda a, b: a if a and not b else 0,
    Combination.XOR: lambda a, b: 0 if a and b else (a or b),
}

ADDS = (Combination.UNION, Combination.XOR)


def combined_by_label(a, b, how, labels):
    for label in labels:
        own, new = a == label, b == label
        if own or (new and how in ADDS):
            is_in = {
                Combination.UNION: own or new,
                Combination.INTERSECTION: own and new,
                Combination.MINUS: own and not new,
                Combination.XOR: own != new,
            }[how]
            return label if is_in else 0
    return a


@given(seeds, st.booleans(), st.sampled_from(Combination), locks)
def test_masks_are_combined_as_wholes(seed, turned, how, locked):
    first, second = masks(seed, turned=turned)
    after = applied(first, combine(first, second, how, constraint=Constraint(locked)))
    other = sampled(second, first)
    wanted = np.vectorize(WHOLE[how], otypes=[int])(first.array, other)
    assert np.array_equal(after, limited(first.array, wanted, locked))


@given(seeds, st.sampled_from(Combination), st.integers(1, 3), locks)
def test_masks_are_combined_label_by_label(seed, how, label, locked):
    first, second = masks(seed)
    after = applied(first, combine(first, second, how, [label], Constraint(locked)))
    wanted = np.array(
        [
            combined_by_label(a, b, how, [label])
            for a, b in zip(first.array.flat, second.array.flat, strict=True)
        ]
    ).reshape(SHAPE)
    assert np.array_equal(after, limited(first.array, wanted, locked))


@given(st.data(), seeds, st.booleans(), st.sampled_from([np.uint8, np.uint16]))
def test_differences_have_five_classes(data, seed, turned, dtype):
    first, second = masks(seed, dtype, turned)
    box = data.draw(st.none() | boxes_in(SHAPE))
    a, b = first.array.astype(int), sampled(second, first).astype(int)
    expected = np.select([(a == 0) & (b == 0), b == 0, a == 0, a == b], [0, 1, 2, 3], default=4)
    found = difference(first, second, box)
    assert np.array_equal(found, expected[(box or Box.whole(SHAPE)).slices])


def test_masks_of_both_types_are_compared():
    first, _ = masks(1)
    second = make_mask(first.array.astype(np.uint16), first.grid)
    assert set(np.unique(difference(first, second))) == {0, 3}


def test_each_act_stops_when_it_should():
    def stop():
        raise RuntimeError("stopped")

    first, second = masks(3)
    limit = HuLimit(PlacedVolume(np.zeros(SHAPE, np.int16), first.grid), -1, 1)
    for act in (
        lambda: list(label_by_threshold(first, limit, 1, check=stop)),
        lambda: list(copy_labels(second, first, check=stop)),
        lambda: list(combine(first, second, Combination.UNION, check=stop)),
        lambda: difference(first, second, check=stop),
    ):
        with pytest.raises(RuntimeError, match="stopped"):
            act()


def test_a_plane_has_its_own_neighbours():
    array = np.zeros(SHAPE, np.uint8)
    array[:, 4, 5] = 1
    mask = make_mask(array)
    mask.apply(copy_from_slice(mask, Plane.CORONAL, 5, -1, 1))
    assert (mask.array[:, 5, 5] == 1).all()
    assert mask.array.sum() == 14
