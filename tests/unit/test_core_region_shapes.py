"""Regions take new forms, split where they should and merge when they are near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.geometry import Plane
from labeler.core.morphology import grown, shrunk
from labeler.core.painting import Constraint, PaintingError
from labeler.core.raster import GridSlice
from labeler.core.region_edits import RegionVoxels, Rules
from labeler.core.region_shapes import (
    _basins,
    _gaps,
    merge_regions,
    reform,
    split_by_line,
    split_by_watershed,
)
from labeler.core.regions import RegionIndex
from tests.unit.core_strategies import make_grid, make_mask, random_labels, seeds

TOUCHING = np.ones((3, 3, 3), int)


def regions_of(mask, label=None):
    index = RegionIndex.build(mask.name, mask.array, mask.grid)
    found = [r for r in index.regions.values() if label in (None, r.label)]
    found.sort(key=lambda region: -region.voxels)
    return [RegionVoxels(*index.component_crop(r.id), r.label) for r in found]


def balls(*places, shape=(30, 60, 80), spacing=(1.0, 1.0, 1.0), ground=0):
    """Balls ``(k, j, i, radius, label)`` in an array."""
    array = np.full(shape, ground, np.uint8)
    k, j, i = np.indices(shape)
    for z, y, x, radius, label in places:
        array[(k - z) ** 2 + (j - y) ** 2 + (i - x) ** 2 <= radius**2] = label
    return make_mask(array, make_grid(shape, spacing))


DUMBBELL = [(15, 30, 25, 11, 1), (15, 30, 44, 10, 1)]


@given(seeds, st.floats(0.5, 4.0))
def test_a_region_takes_its_new_form_and_nothing_else_does(seed, radius_mm):
    array = random_labels((6, 10, 12), seed, density=0.4)
    if not array.any():
        return
    mask = make_mask(array)
    region = regions_of(mask)[-1]
    spacing = mask.grid.spacing_mm
    whole = np.zeros(array.shape, bool)
    whole[region.box.slices] = region.crop
    constraint = Constraint(only=frozenset({0}))
    patch = reform(
        mask, region, lambda inside: grown(inside, spacing, radius_mm), radius_mm,
        Rules(constraint=constraint),
    )  # fmt: skip
    expected = np.where(grown(whole, spacing, radius_mm) & (array == 0), region.label, array)
    if patch is not None:
        mask.apply(patch)
    assert np.array_equal(mask.array, expected)


def test_what_a_region_gives_up_becomes_the_ground():
    mask = balls((15, 30, 40, 12, 2), (15, 30, 40, 8, 1))
    lesion = regions_of(mask, 1)[0]
    patch = reform(mask, lesion, lambda inside: shrunk(inside, (1, 1, 1), 2.0), rules=Rules(2))
    before = mask.array.copy()
    mask.apply(patch)
    assert (mask.array[before == 1] > 0).all()
    assert 0.3 < (mask.array == 1).sum() / (before == 1).sum() < 0.5
    assert np.array_equal(mask.array > 0, before > 0)


@pytest.mark.parametrize("plane", list(Plane))
def test_a_line_cuts_a_region_in_two(plane):
    mask = balls(*DUMBBELL)
    whole = mask.array.copy()
    region = regions_of(mask)[0]
    at = GridSlice(mask.grid, plane, 15)
    ends = {
        Plane.AXIAL: [(35.4, 10.0), (36.2, 50.0)],
        Plane.CORONAL: [(35.4, 0.0), (36.2, 29.0)],
        Plane.SAGITTAL: [(10.0, 14.0), (50.0, 16.0)],
    }[plane]
    mask.apply(split_by_line(mask, region, plane, at.to_ras(ends)))
    parts = regions_of(mask)
    assert len(parts) == 2
    lost = whole.astype(int).sum() - mask.array.astype(int).sum()
    cut = np.argwhere(mask.array != whole)
    assert 0 < lost == len(cut) < 1500
    axis = {Plane.AXIAL: 2, Plane.CORONAL: 2, Plane.SAGITTAL: 0}[plane]
    middle = 15 if plane is Plane.SAGITTAL else 36
    assert np.ptp(cut[:, axis]) <= 4
    assert abs(cut[:, axis] - middle).max() <= 4


@pytest.mark.parametrize("slope", [1.0, -1.0, 0.7])
def test_nothing_gets_through_a_slanting_line(slope):
    array = np.zeros((5, 40, 40), np.uint8)
    array[1:4, 5:35, 5:35] = 1
    mask = make_mask(array, make_grid(array.shape, (1.0, 1.0, 1.0)))
    region = regions_of(mask)[0]
    line = mask.grid.to_ras([(0.0, 20 - 20 * slope, 2), (40.0, 20 + 20 * slope, 2)])
    mask.apply(split_by_line(mask, region, Plane.AXIAL, line))
    assert len(regions_of(mask)) == 2


def test_crumbs_beside_a_cut_go_with_their_neighbours():
    array = np.zeros((3, 40, 40), np.uint8)
    array[1, 5:35, 5:35] = 1
    array[1, 18, 35:38] = 1  # a spur of three voxels, cut off by the way of the line
    mask = make_mask(array, make_grid(array.shape, (1.0, 1.0, 1.0)))
    region = regions_of(mask)[0]
    line = mask.grid.to_ras([(0.0, 25.0, 1), (35.0, 25.0, 1), (35.0, 10.0, 1)])
    mask.apply(split_by_line(mask, region, Plane.AXIAL, line))
    assert len(regions_of(mask)) == 2
    spur = mask.grid.to_ras([(35.0, 10.0, 1), (35.0, 25.0, 1)])
    mask = make_mask(array, mask.grid)
    mask.apply(split_by_line(mask, region, Plane.AXIAL, spur))
    assert len(regions_of(mask)) == 2, "unless the crumb is all that is cut off"


def test_the_smaller_piece_may_get_another_label():
    mask = balls(*DUMBBELL)
    whole = mask.array.copy()
    region = regions_of(mask)[0]
    line = mask.grid.to_ras([(36, 5, 15), (36, 30, 15), (36.4, 55, 15)])
    mask.apply(split_by_line(mask, region, Plane.AXIAL, line, label=7))
    assert np.array_equal(mask.array > 0, whole > 0), "no voxel is lost"
    assert set(np.argwhere(mask.array == 7)[:, 2]) >= set(range(38, 55))
    assert np.argwhere(mask.array == 7)[:, 2].min() in (35, 36, 37)
    assert (mask.array == 1).sum() > (mask.array == 7).sum()


def test_a_line_beside_the_region_is_refused():
    mask = balls(*DUMBBELL)
    region = regions_of(mask)[0]
    for line in ([(2, 2, 15), (60, 3, 15)], [(36, 5, 15), (36, 27, 15)]):
        with pytest.raises(PaintingError, match="does not cut"):
            split_by_line(mask, region, Plane.AXIAL, mask.grid.to_ras(line))


def test_a_locked_label_is_not_cut():
    mask = balls(*DUMBBELL)
    region = regions_of(mask)[0]
    line = mask.grid.to_ras([(36, 5, 15), (36, 55, 15)])
    locked = Constraint(frozenset({1}))
    assert split_by_line(mask, region, Plane.AXIAL, line, rules=Rules(constraint=locked)) is None


def test_a_watershed_cuts_the_neck():
    mask = balls(*DUMBBELL, (15, 30, 60, 8, 1))
    whole = mask.array.copy()
    region = regions_of(mask)[0]
    mask.apply(split_by_watershed(mask, region, 1.5))
    parts = regions_of(mask)
    assert len(parts) == 3
    cut = np.argwhere(mask.array != whole)
    assert set(cut[:, 2]) <= {*range(33, 39), *range(50, 56)}
    for center in (25, 44, 60):
        assert mask.array[15, 30, center] == 1
    mask = make_mask(whole, mask.grid)
    mask.apply(split_by_watershed(mask, region, 1.5, label=5))
    assert len(regions_of(mask, 1)) == 1
    assert len(regions_of(mask, 5)) == 2


def test_a_body_without_neck_is_refused():
    mask = balls((15, 30, 40, 12, 1))
    with pytest.raises(PaintingError, match="no such neck"):
        split_by_watershed(mask, regions_of(mask)[0], 1.0)
    mask = balls(*DUMBBELL)
    with pytest.raises(PaintingError, match="no such neck"):
        split_by_watershed(mask, regions_of(mask)[0], 9.0)


def necks(depth):
    """Number of basins for every neck: peaks and the passes between them, level by level."""
    levels = np.unique(depth[depth > 0])[::-1]
    deaths = []
    for n, level in enumerate(levels):
        now, _ = ndimage.label(depth >= level, TOUCHING)
        before, count = ndimage.label(depth >= levels[n - 1], TOUCHING) if n else (now * 0, 0)
        for part in range(1, now.max() + 1):
            peaks = sorted(
                depth[before == old].max()
                for old in range(1, count + 1)
                if now[before == old][0] == part
            )
            deaths += [peak - level for peak in peaks[:-1]]
    alive = ndimage.label(depth > 0, TOUCHING)[1]
    return lambda neck: alive + sum(death > neck for death in deaths)


@given(seeds, st.tuples(st.integers(1, 4), st.integers(2, 7), st.integers(2, 7)))
def test_basins_are_as_many_as_there_are_deep_enough_necks(seed, shape):
    rng = np.random.default_rng(seed)
    depth = np.pad(rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32), 1)
    depth[depth < np.prod(shape) / 4] = 0
    order = np.argsort(-depth, axis=None, kind="stable")[: np.count_nonzero(depth)]
    count = necks(depth)
    for neck in (0.0, 3.0, 8.0):
        basins = _basins(depth, order, neck)
        assert np.array_equal(basins > 0, depth > 0)
        assert len(np.unique(basins[basins > 0])) == count(neck)
        for basin in np.unique(basins[basins > 0]):
            assert ndimage.label(basins == basin, TOUCHING)[1] == 1


@given(seeds, st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(1, 8)))
def test_gaps_part_all_pieces(seed, shape):
    pieces = random_labels(shape, seed, np.uint8, 0.8, 4).astype(np.int32)
    for first in (1, 2):
        left = np.where(_gaps(pieces, first), 0, pieces)
        for number in range(first, 5):
            near = ndimage.binary_dilation(left == number, TOUCHING)
            others = (left >= first) & (left != number)
            assert not (near & others).any()
        assert np.array_equal(left[pieces < first], pieces[pieces < first])


@pytest.mark.parametrize("labels", [(1, 1), (1, 2)])
def test_merging_bridges_the_gap_only(labels):
    mask = balls((15, 30, 25, 9, labels[0]), (15, 30, 47, 9, labels[1]), (15, 50, 36, 4, 3))
    before = mask.array.copy()
    first, second = sorted(regions_of(mask)[:2], key=lambda region: region.box.lo_kji[2])
    with pytest.raises(PaintingError, match="more than 2 mm apart"):
        merge_regions(mask, first, second, 2.0)
    mask.apply(merge_regions(mask, first, second, 4.0))
    assert len(regions_of(mask, 1)) == 1
    assert not (mask.array == 2).any()
    assert np.array_equal(mask.array == 3, before == 3)
    bridge = np.argwhere((mask.array > 0) & (before == 0))
    assert len(bridge) > 0
    assert bridge[:, 2].min() >= 30
    assert bridge[:, 2].max() <= 42
    assert mask.array[15, 30, 34:39].all()


def test_a_bridge_goes_over_what_it_may():
    mask = balls((15, 30, 25, 9, 1), (15, 30, 45, 9, 2), ground=4)
    first, second = sorted(regions_of(mask)[1:3], key=lambda region: region.box.lo_kji[2])
    ground_only = Constraint(only=frozenset({0}))
    patch = merge_regions(mask, first, second, 6.0, Rules(constraint=ground_only))
    mask.apply(patch)
    assert len(regions_of(mask, 1)) == 2, "label 4 may not be overwritten: the gap stays"
