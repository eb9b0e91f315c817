"""Outlines as polygons: exact there and back, few corners, bent without harm to the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.geometry import Plane
from labeler.core.outlines import outline_at, replace_by_polygon, replace_outline
from labeler.core.painting import Constraint
from labeler.core.raster import GridSlice, Stamp
from labeler.core.rings import crack_rings, dragged, rings_stamp, smoothed
from tests.unit.core_strategies import make_grid, make_mask, planes, random_labels, seeds

SHAPE = (9, 15, 17)
EIGHT = np.ones((3, 3), int)


def drawn(stamp, shape):
    inside = np.zeros(shape, bool)
    if stamp is not None:
        rows, columns = stamp.inside.shape
        inside[stamp.lo[0] : stamp.lo[0] + rows, stamp.lo[1] : stamp.lo[1] + columns] = stamp.inside
    return inside


def blob(shape, seed):
    """One 8-connected part, with holes now and then."""
    parts, _ = ndimage.label(random_labels((1, *shape), seed, density=0.7)[0] > 0, EIGHT)
    counts = np.bincount(parts.ravel())[1:]
    return parts == 1 + np.argmax(counts) if counts.size else np.zeros(shape, bool)


@given(st.tuples(st.integers(1, 12), st.integers(1, 12)), seeds)
def test_rings_run_along_every_crack_once_and_give_the_voxels_back(shape, seed):
    inside = blob(shape, seed)
    rings = crack_rings(Stamp((2, 3), inside))
    slice_shape = (shape[0] + 5, shape[1] + 4)
    expected = drawn(Stamp((2, 3), inside), slice_shape)
    assert np.array_equal(drawn(rings_stamp(rings, slice_shape), slice_shape), expected)
    length = sum(np.abs(np.roll(ring, -1, axis=0) - ring).sum() for ring in rings)
    framed = np.pad(inside, 1).astype(int)
    assert length == sum(np.abs(np.diff(framed, axis=axis)).sum() for axis in (0, 1))
    # One ring around the whole, one around each hole (holes do not leak through corners).
    if inside.any():
        assert len(rings) == ndimage.label(~np.pad(inside, 1))[1]


@given(seeds, planes, st.sampled_from([0.0, 4.0]))
def test_few_corners_hold_the_same_voxels(seed, plane, degrees):
    mask = make_mask(random_labels(SHAPE, seed, density=0.8), make_grid(SHAPE, degrees=degrees))
    at = GridSlice(mask.grid, plane, 4)
    labels = at.of(mask.array)
    for row, column in np.argwhere(labels > 0)[::7]:
        outline = outline_at(mask, plane, at.to_ras((column, row)))
        assert outline.label == labels[row, column]
        parts, _ = ndimage.label(labels == outline.label, EIGHT)
        part = parts == parts[row, column]
        assert np.array_equal(drawn(outline.part, at.shape), part)
        assert np.array_equal(drawn(rings_stamp(outline.handles, at.shape), at.shape), part)
        assert sum(map(len, outline.handles)) <= 2 * sum(map(len, outline.rings))
        # What is drawn is the outline itself: putting it back changes nothing.
        for rings in (outline.rings, outline.handles):
            assert replace_outline(mask, outline, outline.to_ras(rings)) is None


def disc(radius_mm=30.0, grid=None):
    grid = grid or make_grid((3, 120, 120), (0.7, 0.7, 2.0))
    k, j, i = np.indices(grid.shape_kji)
    ras = grid.to_ras(np.stack((i, j, k), axis=-1))
    away = np.linalg.norm((ras - grid.to_ras((60, 60, 1)))[..., :2], axis=-1)
    return make_mask(((away <= radius_mm) & (k == 1)).astype(np.uint8), grid)


def test_a_disc_needs_few_corners():
    mask = disc()
    outline = outline_at(mask, Plane.AXIAL, mask.grid.to_ras((60, 60, 1)))
    assert len(outline.rings) == 1
    assert len(outline.handles[0]) < len(outline.rings[0]) / 3


def test_there_is_no_outline_of_nothing():
    mask = disc()
    assert outline_at(mask, Plane.AXIAL, mask.grid.to_ras((2, 2, 1))) is None
    assert outline_at(mask, Plane.AXIAL, mask.grid.to_ras((200, 60, 1))) is None
    assert outline_at(mask, Plane.AXIAL, mask.grid.to_ras((60, 60, 9))) is None


def test_a_dragged_point_changes_its_surroundings_only():
    mask = disc()
    before = mask.array.copy()
    outline = outline_at(mask, Plane.AXIAL, mask.grid.to_ras((60, 60, 1)))
    ring = outline.to_ras(outline.handles)[0]
    index = int(np.argmin(ring[:, 0]))
    to = ring[index] + (-8.0, 0.0, 0.0)
    new = dragged(ring, index, to, reach_mm=12.0)
    assert np.allclose(new[index], to)
    mask.apply(replace_outline(mask, outline, [new]))
    changed = np.argwhere(mask.array != before)
    assert len(changed) > 20
    assert (mask.array[tuple(changed.T)] == 1).all(), "pulled outwards, it only grows"
    away = mask.grid.to_ras(changed[:, ::-1]) - ring[index]
    assert np.linalg.norm(away, axis=1).max() < 16.0


@given(st.integers(3, 30), st.integers(0, 100), st.floats(0.0, 50.0), seeds)
def test_dragging_fades_with_the_way_along_the_ring(count, index, reach_mm, seed):
    rng = np.random.default_rng(seed)
    ring = rng.normal(size=(count, 3)) * 10
    index %= count
    pull = np.array([3.0, -4.0, 0.0])
    moved = dragged(ring, index, ring[index] + pull, reach_mm) - ring
    steps = [np.linalg.norm(ring[(n + 1) % count] - ring[n]) for n in range(count)]
    for n in range(count):
        ahead = sum(steps[(index + m) % count] for m in range((n - index) % count))
        way = min(ahead, sum(steps) - ahead)
        share = moved[n] @ pull / 25
        assert np.allclose(moved[n], share * pull)
        if n == index:
            assert np.isclose(share, 1.0)
        elif way >= reach_mm:
            assert np.isclose(share, 0.0, atol=1e-6)
        else:
            assert np.isclose(share, np.sin(np.pi / 2 * (1 - way / reach_mm)) ** 2, atol=1e-6)


def area_and_length(ring):
    x, y = ring[:, 0], ring[:, 1]
    area = abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
    return area, np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1).sum()


@pytest.mark.parametrize(("sigma_mm", "excess"), [(1.0, 0.12), (3.0, 0.02), (6.0, 0.01)])
def test_smoothing_takes_the_jags_and_leaves_the_size(sigma_mm, excess):
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 30 + np.random.default_rng(0).normal(0, 0.5, 400)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle + 5], axis=1)
    area, length = area_and_length(ring)
    smooth_area, smooth_length = area_and_length(smoothed(ring, sigma_mm))
    assert abs(smooth_area / area - 1) < 0.005
    assert length > 1.4 * 2 * np.pi * 30
    assert smooth_length < (1 + excess) * 2 * np.pi * 30
    assert np.allclose(smoothed(ring, sigma_mm)[:, 2], 5.0)


def test_a_tiny_ring_survives_smoothing():
    ring = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    area, _ = area_and_length(smoothed(ring, 50.0))
    assert area > 0.5
    assert np.array_equal(smoothed(ring, 0.0), ring)


def square(mask, lo, hi, k=1):
    corners = [(lo, lo, k), (hi, lo, k), (hi, hi, k), (lo, hi, k)]
    return mask.grid.to_ras(corners)


def test_a_polygon_takes_the_place_of_what_it_touches():
    mask = disc(12.0)
    other = mask.array.copy()
    other[1, 5:15, 5:15] = 1
    other[1, 50:60, 62:70] = 2
    mask = make_mask(other, mask.grid)
    polygon = square(mask, 39.5, 65.5)
    mask.apply(replace_by_polygon(mask, Plane.AXIAL, polygon, 1, constraint=Constraint(only={0})))
    inside = np.zeros(mask.grid.shape_kji, bool)
    inside[1, 40:66, 40:66] = True
    away = np.zeros_like(inside)
    away[1, 5:15, 5:15] = True
    expected = np.where(other == 2, 2, (inside | away).astype(int))
    assert np.array_equal(mask.array, expected), "the other part and the other label stay"


def test_what_a_polygon_uncovers_becomes_the_ground():
    mask = disc(12.0)
    before = mask.array.copy()
    polygon = square(mask, 50.5, 60.5)
    mask.apply(replace_by_polygon(mask, Plane.AXIAL, polygon, 1, ground=4))
    assert (mask.array[1, 51:61, 51:61] == 1).all()
    assert (mask.array == 1).sum() == 100
    assert np.array_equal(mask.array > 0, before > 0)


def test_a_polygon_on_empty_ground_is_drawn():
    mask = disc(2.0)
    mask.apply(replace_by_polygon(mask, Plane.AXIAL, square(mask, 9.5, 14.5), 3))
    assert (mask.array == 3).sum() == 25


def test_voxels_that_have_changed_since_are_left_alone():
    mask = disc(12.0)
    outline = outline_at(mask, Plane.AXIAL, mask.grid.to_ras((60, 60, 1)))
    changed = mask.array.copy()
    changed[1, 55:65, 60:] *= 5
    mask = make_mask(changed, mask.grid)
    mask.apply(replace_outline(mask, outline, []))
    assert np.array_equal(mask.array == 5, changed == 5)
    assert not (mask.array == 1).any()
