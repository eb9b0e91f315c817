"""Long and short axes: of known shapes, and against every pair and every line."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.axes import Axes, measure_axes
from labeler.core.mask import Box
from labeler.core.regions import RegionIndex
from tests.unit.core_strategies import make_grid, random_labels, seeds


def ellipse(long_mm, short_mm, degrees, spacing=(0.7, 0.9, 2.5), shape=(5, 120, 140)):
    """An ellipsoid whose middle slice has the given axes."""
    grid = make_grid(shape, spacing)
    k, j, i = np.indices(shape)
    x = (i - shape[2] / 2) * spacing[0]
    y = (j - shape[1] / 2) * spacing[1]
    a = np.deg2rad(degrees)
    u, v = x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a)
    inside = (u / long_mm) ** 2 + (v / short_mm) ** 2 <= (1 - ((k - 2) / 3) ** 2) / 4
    return grid, inside


def whole(inside):
    return Box((0, 0, 0), inside.shape)


@pytest.mark.parametrize("degrees", [0, 25, 45, 90, 133])
def test_axes_of_an_ellipse(degrees):
    grid, inside = ellipse(60.0, 34.0, degrees)
    axes = measure_axes(grid, whole(inside), inside)
    assert abs(axes.long_mm - 60) < 1.2
    assert abs(axes.short_mm - 34) < 1.2
    ijk = grid.to_ijk([*axes.long_ras, *axes.short_ras])
    assert np.allclose(ijk[:, 2], 2), "the slice of the largest diameter"
    along = np.subtract(axes.long_ras[1], axes.long_ras[0])
    across = np.subtract(axes.short_ras[1], axes.short_ras[0])
    assert abs(along @ across) < 1e-6
    angle = np.rad2deg(np.arctan2(-along[1], -along[0])) % 180
    off = abs(angle - degrees) % 180
    assert min(off, 180 - off) < 7


def test_a_box_inside_the_mask_knows_its_place():
    grid, inside = ellipse(40.0, 20.0, 30)
    cut = Box.around(inside)
    part = measure_axes(grid, cut, inside[cut.slices])
    full = measure_axes(grid, whole(inside), inside)
    assert np.allclose(part.long_ras, full.long_ras)
    assert np.allclose(part.short_ras, full.short_ras)


def test_one_voxel_and_none():
    grid = make_grid((3, 5, 5), (0.8, 1.2, 2.0))
    inside = np.zeros((3, 5, 5), bool)
    assert measure_axes(grid, whole(inside), inside) is None
    inside[1, 2, 3] = True
    axes = measure_axes(grid, whole(inside), inside)
    assert np.isclose(axes.long_mm, 1.2)
    assert abs(axes.short_mm - 0.8) < 0.11
    assert np.allclose(np.mean(axes.long_ras, axis=0), grid.to_ras((3, 2, 1)))


def test_a_short_axis_stays_inside():
    """A horseshoe: the longest line across its long axis would leave it and come back."""
    grid = make_grid((1, 40, 60), (1.0, 1.0, 1.0))
    inside = np.zeros((1, 40, 60), bool)
    inside[0, 5:35, 5:55] = True
    inside[0, 12:40, 10:55] = False
    axes = measure_axes(grid, whole(inside), inside)
    assert axes.short_mm < 33
    points = grid.to_ijk(np.linspace(axes.short_ras[0], axes.short_ras[1], 50)[1:-1])
    rows, columns = np.floor(points[:, [1, 0]] + 0.5).astype(int).T
    assert inside[0, rows, columns].all()


@given(seeds, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
def test_no_pair_is_farther_apart_and_no_line_across_longer(seed, shape):
    inside = random_labels(shape, seed, density=0.6) > 0
    grid = make_grid(shape, (0.7, 1.1, 2.0))
    axes = measure_axes(grid, whole(inside), inside)
    if axes is None:
        assert not inside.any()
        return
    spacing = np.array(grid.spacing_mm[:2])
    best = 0.0
    for part in inside:
        centres = np.argwhere(part)[:, ::-1] * spacing
        for a, b in itertools.combinations(centres, 2):
            best = max(best, np.linalg.norm(a - b))
    ends = grid.to_ijk([*axes.long_ras, *axes.short_ras])
    xy = ends[:, :2] * spacing
    along = (xy[1] - xy[0]) / axes.long_mm
    voxel = np.hypot(*(along * spacing)) if best > 0 else spacing.max()
    assert np.isclose(axes.long_mm, best + voxel)
    # Lines across, sampled anew and at other places.
    part, across = inside[round(ends[0, 2])], np.array([-along[1], along[0]])
    longest = 0.0
    t = np.arange(-axes.long_mm, axes.long_mm, 0.05)
    for s in np.linspace(0, axes.long_mm, 40):
        points = xy[0] + s * along + t[:, np.newaxis] * across
        column, row = np.floor(points / spacing + 0.5).astype(int).T
        valid = (row >= 0) & (row < part.shape[0]) & (column >= 0) & (column < part.shape[1])
        hit = (
            valid & part[np.clip(row, 0, part.shape[0] - 1), np.clip(column, 0, part.shape[1] - 1)]
        )
        for is_in, group in itertools.groupby(hit.tolist()):
            if is_in:
                longest = max(longest, 0.05 * len(list(group)))
    assert axes.short_mm > longest - 0.35


@given(seeds)
def test_the_long_axis_is_the_diameter_of_the_region(seed):
    array = random_labels((3, 12, 14), seed, density=0.5)
    grid = make_grid(array.shape, degrees=4.0)
    index = RegionIndex.build("m", array, grid)
    for region in list(index.regions.values())[:5]:
        axes = measure_axes(grid, *index.component_crop(region.id))
        assert np.isclose(axes.long_mm, region.diameter_mm, rtol=1e-3)


def test_axes_move():
    axes = Axes(((0, 0, 0), (3, 4, 0)), ((1, 1, 0), (1, 2, 0)))
    moved = axes.moved((1, 2, 3))
    assert moved.long_ras == ((1, 2, 3), (4, 6, 3))
    assert (moved.long_mm, moved.short_mm) == (5.0, 1.0)
