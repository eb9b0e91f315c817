"""Regions against cc3d, numpy and themselves: whatever the edits, an index equals a new one."""

from __future__ import annotations

from dataclasses import replace

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.components import Components
from labeler.core.geometry import Grid
from labeler.core.mask import Box
from labeler.core.regions import RegionDelta, RegionIndex
from labeler.core.runs import Runs
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import boxes_in, label_maps, make_grid, random_labels, seeds


def components_of(array):
    """Label, voxel mask of every component, by cc3d."""
    labelled, count = cc3d.connected_components(
        array.astype(np.uint16), connectivity=26, return_N=True
    )
    voxels = [labelled == n for n in range(1, count + 1)]
    return [(int(array[v][0]), v) for v in voxels]


def volume_like(shape, seed=0, dtype=np.int16):
    values = np.random.default_rng(seed).normal(40, 300, shape)
    return values.astype(dtype)


def contents(index):
    """What the index says about the regions, whatever their ids."""
    return sorted((replace(r, id=0) for r in index.regions.values()), key=lambda r: r.fingerprint)


@given(label_maps())
def test_runs_draw_the_label_map_they_were_made_of(array):
    runs = Runs.of(array)
    drawn = np.zeros_like(array)
    n_j = array.shape[1]
    for row, start, stop, label in zip(runs.row, runs.start, runs.stop, runs.label, strict=True):
        assert not drawn[row // n_j, row % n_j, start:stop].any()
        drawn[row // n_j, row % n_j, start:stop] = label
    assert np.array_equal(drawn, array)


@given(st.data(), label_maps(), seeds)
def test_a_splice_equals_a_new_scan(data, array, seed):
    box = data.draw(boxes_in(array.shape))
    after = array.copy()
    after[box.slices] = random_labels(box.shape_kji, seed, array.dtype)
    old = Runs.of(array)
    splice = old.spliced(box, after[box.slices])
    fresh = Runs.of(after)
    for field in ("row_ptr", "row", "start", "stop", "label"):
        assert np.array_equal(getattr(splice.runs, field), getattr(fresh, field)), field
    for offset, source in enumerate(splice.source):
        if source >= 0:
            new = splice.lo + offset
            assert (old.row[source], old.start[source]) == (fresh.row[new], fresh.start[new])
            assert (old.stop[source], old.label[source]) == (fresh.stop[new], fresh.label[new])


@given(label_maps())
def test_components_are_those_of_cc3d(array):
    runs = Runs.of(array)
    components = Components.of(runs)
    drawn = np.zeros(array.shape, np.int64)
    n_j = array.shape[1]
    for n, (row, start, stop) in enumerate(zip(runs.row, runs.start, runs.stop, strict=True)):
        drawn[row // n_j, row % n_j, start:stop] = components.of_run[n] + 1
    expected = cc3d.connected_components(array.astype(np.uint16), connectivity=26)
    pairs = set(zip(drawn.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@given(label_maps(), st.sampled_from([np.int16, np.float32]))
def test_regions_have_the_figures_numpy_finds(array, dtype):
    grid = make_grid(array.shape, origin_mm=(10.0, -20.0, 30.0), degrees=3.0)
    phase = PlacedVolume(volume_like(array.shape, dtype=dtype), grid)
    index = RegionIndex.build("draft", array, grid, {"PV": phase})
    expected = components_of(array)
    assert len(index.regions) == len(expected)
    for label, voxels in expected:
        kji = np.argwhere(voxels)
        region_id = index.region_at(tuple(kji[0]))
        assert region_id is not None
        region = index.regions[region_id]
        assert (region.label, region.voxels, region.mask) == (label, len(kji), "draft")
        assert region.volume_ml == pytest.approx(len(kji) * 0.8 * 0.9 * 2.5 / 1000)
        assert region.box == Box(
            tuple(kji.min(axis=0).tolist()), tuple((kji.max(axis=0) + 1).tolist())
        )
        assert region.centroid_ras == pytest.approx(grid.to_ras(kji.mean(axis=0)[::-1]), abs=1e-6)
        values = phase.array[voxels].astype(float)
        assert region.hu["PV"] == pytest.approx((values.mean(), values.std()), rel=1e-4, abs=1e-2)
        assert region.diameter_mm == pytest.approx(diameter_mm(kji, grid.spacing_mm))
        box, crop = index.component_crop(region_id)
        assert np.array_equal(crop, voxels[box.slices])


def diameter_mm(kji, spacing_mm):
    """Longest axial diameter by trying all pairs of voxels."""
    si, sj, _ = spacing_mm
    longest, voxel = 0.0, max(si, sj)
    for k in set(kji[:, 0].tolist()):
        points = kji[kji[:, 0] == k][:, 1:]
        delta = (points[:, np.newaxis] - points[np.newaxis]).reshape(-1, 2) * (sj, si)
        lengths = np.hypot(*delta.T)
        if lengths.max() > longest + 1e-9:
            longest = lengths.max()
            far = delta[lengths.argmax()]
            voxel = np.hypot(*(far * (sj, si))) / longest
    return longest + voxel


@given(label_maps())
def test_jump_points_lie_in_the_region_on_the_slice_they_name(array):
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    for region in index.regions.values():
        box, crop = index.component_crop(region.id)
        areas = crop.sum(axis=(1, 2))
        assert region.first_kji[0] == region.first_k == box.lo_kji[0]
        assert region.middle_kji[0] == (region.first_k + region.last_k) // 2
        assert areas[region.anchor_kji[0] - region.first_k] == areas.max()
        for point in (region.first_kji, region.middle_kji, region.anchor_kji):
            assert index.region_at(point) == region.id


def test_a_jump_point_is_near_the_middle_of_the_largest_slice():
    array = np.zeros((5, 40, 40), np.uint8)
    array[1:4, 8:12, 8:12] = 1
    array[2, 4:15, 6:17] = 1
    (region,) = RegionIndex.build("draft", array, make_grid(array.shape)).regions.values()
    assert region.anchor_kji == (2, 9, 11)
    assert region.first_kji[0] == 1


@settings(deadline=None, max_examples=60)
@given(st.data(), label_maps(), st.integers(1, 4))
def test_updates_equal_a_new_index(data, array, steps):
    """Splits, merges, growth, loss: figures as if built anew, ids one to one."""
    grid = make_grid(array.shape)
    phases = {
        "PV": PlacedVolume(volume_like(array.shape), grid),
        "NC": PlacedVolume(volume_like((3, 6, 9), 1), make_grid((3, 6, 9), (1.0, 1.0, 2.0))),
    }
    index = RegionIndex.build("draft", array, grid, phases)
    for _ in range(steps):
        box = data.draw(boxes_in(array.shape))
        array = array.copy()
        density = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
        array[box.slices] = random_labels(box.shape_kji, data.draw(seeds), array.dtype, density)
        before, (index, delta) = index, index.updated(box, array[box.slices].copy())
        fresh = RegionIndex.build("draft", array, grid, phases)
        assert contents(index) == contents(fresh)
        assert list(index.regions) == sorted(index.regions)
        check_delta(before, index, delta)
        for region in fresh.regions.values():
            found = index.region_at(region.anchor_kji)
            assert found is not None
            assert index.regions[found].fingerprint == region.fingerprint
            assert np.array_equal(
                index.component_crop(found)[1], fresh.component_crop(region.id)[1]
            )


def check_delta(before, after, delta):
    old, new = before.regions, after.regions
    assert set(delta.added) == new.keys() - old.keys()
    assert set(delta.removed) == old.keys() - new.keys()
    both = new.keys() & old.keys()
    assert set(delta.changed) == {i for i in both if new[i] != old[i]}


@settings(deadline=None)
@given(st.data(), label_maps(), seeds)
def test_undo_and_redo_bring_every_id_back(data, array, seed):
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    states = [(array, index)]
    for step in range(3):
        box = data.draw(boxes_in(array.shape))
        array = array.copy()
        array[box.slices] = random_labels(box.shape_kji, seed + step, array.dtype)
        index, _ = index.updated(box, array[box.slices])
        states.append((array, index))
    whole = Box.whole(array.shape)
    order = [2, 1, 0, 1, 2, 3, 0]  # the last one: several undos seen at once
    for n in order:
        array, expected = states[n]
        index, _ = index.updated(whole, array)
        assert index.regions == expected.regions


def ball(array, center, radius, label):
    k, j, i = np.ogrid[tuple(slice(0, n) for n in array.shape)]
    inside = (k - center[0]) ** 2 + (j - center[1]) ** 2 + (i - center[2]) ** 2 <= radius**2
    array[inside] = label
    return array


def change(index, array, box, value):
    after = array.copy()
    after[box.slices] = value
    index, delta = index.updated(box, after[box.slices])
    return after, index, delta


def test_a_split_keeps_the_id_with_the_larger_part_and_a_merge_with_the_larger_region():
    array = np.zeros((3, 9, 30), np.uint8)
    array[1, 4, 2:25] = 1
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    array, index, delta = change(index, array, Box((1, 4, 8), (2, 5, 9)), 0)
    assert delta == RegionDelta(added=(2,), changed=(1,))
    assert index.region_at((1, 4, 20)) == 1
    assert index.region_at((1, 4, 3)) == 2
    array, index, delta = change(index, array, Box((1, 4, 8), (2, 5, 9)), 1)
    assert delta == RegionDelta(removed=(2,), changed=(1,))


def test_a_relabelled_region_keeps_its_id_and_counts_as_changed():
    array = ball(np.zeros((9, 20, 20), np.uint8), (4, 8, 8), 3, 2)
    array = ball(array, (4, 15, 15), 2, 1)
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    region_id = index.region_at((4, 8, 8))
    after = np.where(array == 2, 5, array).astype(np.uint8)
    index, delta = index.updated(Box.whole(array.shape), after)
    assert delta == RegionDelta(changed=(region_id,))
    assert index.regions[region_id].label == 5


def test_ids_start_at_one_by_label_from_below():
    array = np.zeros((6, 8, 8), np.uint8)
    array[0, 1, 1], array[2, 1, 1], array[4, 1, 1] = 7, 3, 3
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    assert [(r.id, r.label, r.first_k) for r in index.regions.values()] == [
        (1, 3, 2), (2, 3, 4), (3, 7, 0),
    ]  # fmt: skip


@settings(deadline=None)
@given(
    label_maps(),
    st.tuples(*[st.floats(-4, 4)] * 3),
    st.sampled_from([(0.8, 0.9, 2.5), (1.1, 0.7, 1.9)]),
    st.sampled_from([0.0, 1.5, 25.0]),
)
def test_a_phase_on_another_grid_is_sampled_at_the_nearest_voxel(array, shift, spacing, degrees):
    grid = make_grid(array.shape)
    phase_grid = make_grid((4, 8, 12), spacing, shift, degrees)
    phase = PlacedVolume(volume_like((4, 8, 12)), phase_grid)
    index = RegionIndex.build("draft", array, grid).with_phase("ART", phase)
    for region in index.regions.values():
        box, crop = index.component_crop(region.id)
        kji = np.argwhere(crop) + box.lo_kji
        values = []
        for voxel in kji:
            i, j, k = phase_grid.nearest_ijk(grid.to_ras(voxel[::-1]))
            if phase_grid.contains((i, j, k)):
                values.append(float(phase.array[k, j, i]))
        if values:
            assert region.hu["ART"] == pytest.approx((np.mean(values), np.std(values)), abs=1e-6)
        else:
            assert region.hu["ART"] is None


def test_a_run_that_enters_a_tilted_phase_on_its_way_is_counted_from_there():
    array = np.zeros((3, 40, 60), np.uint8)
    array[1] = 1
    grid = make_grid(array.shape, (1.0, 1.0, 1.0))
    turned = grid.affine.copy()
    tilt = np.deg2rad(20)
    turned[:2, :2] = [[-np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), -np.cos(tilt)]]
    turned[:2, 3] = (-20.0, -5.0)
    phase = PlacedVolume(volume_like((3, 25, 25)), Grid((3, 25, 25), turned))
    (region,) = RegionIndex.build("draft", array, grid, {"PV": phase}).regions.values()
    values = []
    for j, i in np.ndindex(40, 60):
        a, b, c = phase.grid.nearest_ijk(grid.to_ras((i, j, 1)))
        if phase.grid.contains((a, b, c)):
            values.append(float(phase.array[c, b, a]))
    assert region.hu["PV"] == pytest.approx((np.mean(values), np.std(values)))


def test_phases_come_and_go_in_any_order():
    array = random_labels((4, 9, 12), 5)
    grid = make_grid(array.shape)
    phases = {n: PlacedVolume(volume_like(array.shape, s), grid) for s, n in enumerate("ABC")}
    index = RegionIndex.build("draft", array, grid, {"A": phases["A"]})
    index = index.with_phase("C", phases["C"]).with_phase("B", phases["B"]).without_phase("A")
    box = Box((1, 2, 3), (3, 6, 9))
    array[box.slices] = 1
    index, _ = index.updated(box, array[box.slices])
    expected = RegionIndex.build("draft", array, grid, {"B": phases["B"], "C": phases["C"]})
    assert contents(index) == contents(expected)


def test_the_old_index_is_untouched_by_an_update():
    array = random_labels((4, 9, 12), 8)
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    before = dict(index.regions)
    index.updated(Box.whole(array.shape), np.zeros_like(array))
    assert dict(index.regions) == before
    assert contents(index) == contents(RegionIndex.build("draft", array, make_grid(array.shape)))


def test_content_of_the_wrong_size_is_refused():
    array = np.zeros((3, 5, 7), np.uint8)
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    with pytest.raises(ValueError, match="does not fit"):
        index.updated(Box((0, 0, 0), (1, 2, 3)), np.zeros((1, 2, 4), np.uint8))
    with pytest.raises(ValueError, match="outside"):
        index.updated(Box((2, 4, 6), (4, 5, 7)), np.zeros((2, 1, 1), np.uint8))


def test_nothing_is_found_outside_the_mask():
    array = np.ones((2, 3, 4), np.uint8)
    index = RegionIndex.build("draft", array, make_grid(array.shape))
    assert index.region_at((0, 0, 0)) == 1
    assert index.region_at((-1, 0, 0)) is None
    assert index.region_at((0, 0, 4)) is None
