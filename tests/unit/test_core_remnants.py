"""What is left of an older lesion around a new one joins it; nothing else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.mask import Box, Mask
from labeler.core.painting import Constraint, write
from labeler.core.remnants import MAX_ML, join_remnants
from tests.case_world import make_grid, plain_order

GRID = make_grid((16, 16, 16), (1.0, 1.0, 1.0))
LIVER, HCC, CYST, ICC = 1, 11, 16, 12
LESIONS = frozenset({HCC, CYST, ICC})
WHOLE = Box.whole(GRID.shape_kji)
TOUCHING = np.ones((3, 3, 3), bool)


def ball(radius, centre=(8, 8, 8)) -> np.ndarray:
    at = np.indices(GRID.shape_kji) - np.array(centre).reshape(3, 1, 1, 1)
    return (at**2).sum(axis=0) <= radius**2


def mask_of(*regions) -> Mask:
    array = np.full(GRID.shape_kji, LIVER, np.uint8)
    for label, where in regions:
        array[where] = label
    return Mask("draft", array, GRID, plain_order(GRID))


def accept(mask: Mask, *regions, constraints=None, lesions=LESIONS):
    """Write regions; returns what joined them, and the mask."""
    written = []
    for label, where in regions:
        patch = write(mask, WHOLE, where, label, (constraints or {}).get(label, Constraint()))
        if patch is not None:
            written.append((patch, label))
    joined = join_remnants(mask, written, lesions, constraints)
    return joined, mask.array


def bump(*places) -> np.ndarray:
    """Single voxels beside the ball of radius 5."""
    where = np.zeros(GRID.shape_kji, bool)
    for place in places:
        where[place] = True
    return where


BUMPS = bump((8, 8, 14), (8, 9, 14), (14, 8, 8))


def test_bits_of_rim_join_the_new_region():
    older = ball(5) | BUMPS
    joined, after = accept(mask_of((CYST, older)), (HCC, ball(5)))
    (result,) = joined
    assert (result.parts, result.voxels, result.labels) == (2, 3, {CYST})
    np.testing.assert_array_equal(after == HCC, older)
    np.testing.assert_array_equal(after == LIVER, ~older)


def test_what_hangs_together_with_the_rest_of_the_lesion_stays():
    tail = bump(*((8, 8, i) for i in range(14, 16)))
    joined, after = accept(mask_of((CYST, ball(5) | tail)), (HCC, ball(5)))
    assert joined == []
    np.testing.assert_array_equal(after == CYST, tail)


def test_a_neighbour_that_is_only_touched_stays():
    """A small cyst, of which the new region takes a corner, is no remnant."""
    cyst = bump((8, 8, 13), (8, 8, 14), (8, 9, 14), (9, 8, 14))
    joined, after = accept(mask_of((CYST, cyst)), (HCC, ball(5)))
    assert joined == []
    np.testing.assert_array_equal(after == CYST, cyst & ~ball(5))


def test_another_lesion_beside_it_stays():
    joined, after = accept(mask_of((CYST, ball(5)), (ICC, BUMPS)), (HCC, ball(5)))
    assert joined == []
    np.testing.assert_array_equal(after == ICC, BUMPS)


def test_what_is_more_than_a_speck_stays():
    shell = ball(6) & ~ball(5)
    assert shell.sum() * GRID.voxel_ml > MAX_ML
    joined, after = accept(mask_of((CYST, ball(6))), (HCC, ball(5)))
    assert joined == []
    np.testing.assert_array_equal(after == CYST, shell)


@pytest.mark.parametrize(
    "constraint",
    [Constraint(locked=frozenset({CYST})), Constraint(only=frozenset({LIVER}))],
)
def test_locks_and_limits_hold(constraint):
    mask = mask_of((CYST, ball(3) | BUMPS), (LIVER, bump((8, 8, 8))))
    before = mask.array.copy()
    joined, after = accept(mask, (HCC, ball(5)), constraints={HCC: constraint})
    assert joined == []
    np.testing.assert_array_equal(after == CYST, before == CYST)


def test_organs_neither_leave_nor_get_remnants():
    """A liver written over an older lesion leaves its rim; so does a lesion over a liver."""
    joined, after = accept(mask_of((CYST, ball(5) | BUMPS)), (LIVER, ball(5)))
    assert joined == []
    np.testing.assert_array_equal(after == CYST, BUMPS)
    joined, _ = accept(
        mask_of((0, np.ones(GRID.shape_kji, bool)), (LIVER, ball(5) | BUMPS)), (HCC, ball(5))
    )
    assert joined == []


def test_regions_of_the_same_act_do_not_take_from_each_other():
    other = mask_of((CYST, ball(5) | BUMPS))
    more = BUMPS | bump((2, 2, 2))
    joined, after = accept(other, (HCC, ball(5)), (CYST, more))
    assert joined == []
    np.testing.assert_array_equal(after == CYST, more)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_only_specks_of_lesions_change_and_what_is_left_is_more_than_that(seed):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal(GRID.shape_kji), 1.5)
    older = noise > 0.08
    new = ndimage.gaussian_filter(noise + 0.1 * rng.standard_normal(noise.shape), 1.0) > 0.06
    mask = mask_of((CYST, older))
    written = mask_of((CYST, older), (HCC, new)).array
    joined, after = accept(mask, (HCC, new))
    changed = after != written
    assert int(changed.sum()) == sum(rest.voxels for rest in joined)
    assert (written[changed] == CYST).all()
    assert (after[changed] == HCC).all()
    assert ndimage.binary_dilation(new, TOUCHING)[changed].all()
    regions, n = ndimage.label(older, TOUCHING)
    for number in range(1, n + 1):
        part = changed & (regions == number)
        assert part.sum() * GRID.voxel_ml <= MAX_ML
