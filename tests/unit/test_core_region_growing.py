"""Regions grown from seeds, against scipy's components."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.mask import Box
from labeler.core.painting import Constraint
from labeler.core.region_growing import MAX_VOXELS, GrowingBox, suggested_range_hu
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import make_grid, make_mask, random_labels, seeds

SHAPE = (6, 14, 17)


@given(
    st.data(), seeds, st.floats(-100, 100), st.floats(0, 150), st.frozensets(st.integers(0, 3)),
    st.sampled_from([np.int16, np.float32]), st.floats(3.0, 40.0),
)  # fmt: skip
def test_it_grows_to_what_hangs_together(data, seed, low, width, only, dtype, size_mm):
    rng = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(rng.normal(0, 300, SHAPE), 0.8).astype(dtype)
    mask = make_mask(random_labels(SHAPE, seed))
    points = [
        tuple(data.draw(st.integers(0, n - 1)) for n in SHAPE)
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    phase = PlacedVolume(values, mask.grid)
    constraint = Constraint(only=only or None)
    growing = GrowingBox.around(mask, phase, points, size_mm, 9, constraint)
    assert growing.seeds_kji == tuple(points)
    found = growing.grown(low, low + width)
    free = (values >= low) & (values <= low + width)
    free &= np.isin(mask.array, list(only)) if only else True
    boxed = np.zeros(SHAPE, bool)
    boxed[growing.box.slices] = True
    parts, _ = ndimage.label(free & boxed)
    wanted = {parts[point] for point in points} - {0}
    expected = np.isin(parts, list(wanted))
    grown = np.zeros(SHAPE, bool)
    grown[found.box.slices] = found.inside
    assert np.array_equal(grown, expected)
    if expected.any():
        assert found.box == Box.around(expected)


def test_the_box_is_as_large_as_asked_for():
    grid = make_grid((60, 80, 90), (0.8, 0.8, 2.0))
    mask = make_mask(np.zeros((60, 80, 90), np.uint8), grid)
    phase = PlacedVolume(np.zeros((60, 80, 90), np.int16), grid)
    growing = GrowingBox.around(mask, phase, [(30, 40, 45), (34, 40, 45)], 24.0, 1)
    assert growing.box.shape_kji == (12 + 5, 31, 31)
    corner = GrowingBox.around(mask, phase, [(0, 0, 0)], 24.0, 1)
    assert corner.box.lo_kji == (0, 0, 0)
    assert corner.box.shape_kji == (7, 16, 16)
    assert GrowingBox.around(mask, phase, [(99, 0, 0)], 24.0, 1) is None


def test_a_box_that_would_be_too_large_to_be_quick_is_smaller():
    grid = make_grid((200, 300, 300), (0.7, 0.7, 1.0))
    mask = make_mask(np.zeros((200, 300, 300), np.uint8), grid)
    phase = PlacedVolume(np.zeros((200, 300, 300), np.int16), grid)
    growing = GrowingBox.around(mask, phase, [(100, 150, 150)], 1000.0, 1)
    assert 0.5 * MAX_VOXELS < growing.values.size <= MAX_VOXELS
    assert growing.grown(0, 0).voxels == growing.values.size


def test_a_range_is_suggested_from_the_seed():
    grid = make_grid((9, 20, 20), (1.0, 1.0, 1.0))
    values = np.random.default_rng(2).normal(80, 10, (9, 20, 20)).astype(np.int16)
    mask = make_mask(np.zeros((9, 20, 20), np.uint8), grid)
    low, high = suggested_range_hu(PlacedVolume(values, grid), mask, (4, 10, 10))
    assert 50 < low < 70 < 90 < high < 110
    assert suggested_range_hu(PlacedVolume(values, grid), mask, (99, 10, 10)) is None
