"""The memory of sagittal slices: quick, never wrong, never in the way."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from labeler.core import slices
from labeler.core.geometry import Plane
from labeler.core.labels import LabelTable
from labeler.core.mask import Box
from labeler.core.painting import write
from labeler.core.rendering import MaskLayer, colour_table, render
from labeler.core.slices import SliceCache
from labeler.core.views import ViewTransform
from tests.unit.core_strategies import make_grid, make_mask, random_labels

SHAPE = (7, 9, 11)
GRID = make_grid(SHAPE)


@pytest.fixture
def fetched(monkeypatch):
    """Slices fetched from volumes, by index."""
    indices = []
    gather = slices.gather

    def counting(array, index, *rest):
        indices.append(index)
        return gather(array, index, *rest)

    monkeypatch.setattr(slices, "gather", counting)
    return indices


def test_a_slice_is_fetched_once(fetched):
    array = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)
    cache = SliceCache(size=2)
    for index in (3, 3, 4, 3, 4):
        part = cache.gathered(array, index, 0)
        assert np.array_equal(part.reshape(SHAPE[:2]), array[:, :, index])
    assert fetched == [3, 4]
    cache.gathered(array, 5, 0)
    cache.gathered(array, 4, 0)
    cache.gathered(array, 3, 0)
    assert fetched == [3, 4, 5, 3]


def test_views_of_one_memory_are_one_array_and_parts_of_it_are_not(fetched):
    stack = np.arange(2 * np.prod(SHAPE), dtype=np.int16).reshape(2, *SHAPE)
    cache = SliceCache()
    first, second = stack
    assert np.array_equal(cache.gathered(first, 1, 0), first[:, :, 1].ravel())
    assert np.array_equal(cache.gathered(first.view(), 1, 0), first[:, :, 1].ravel())
    assert np.array_equal(cache.gathered(second, 1, 0), second[:, :, 1].ravel())
    assert fetched == [1, 1]


def test_a_new_array_in_the_place_of_an_old_one_is_another():
    memory = bytearray(b"\1" * int(np.prod(SHAPE)))
    cache = SliceCache()
    for content in (1, 2):
        memory[:] = bytes([content]) * len(memory)
        array = np.frombuffer(memory, np.uint8).reshape(SHAPE)
        assert (cache.gathered(array, 2, 0) == content).all()
        del array


def test_the_cache_keeps_no_array_alive():
    cache = SliceCache()
    array = np.ones(SHAPE, np.int16)
    gone = weakref.ref(array)
    cache.gathered(array, 2, 0)
    del array
    gc.collect()
    assert gone() is None


def test_an_array_over_foreign_memory():
    array = np.frombuffer(bytes(np.prod(SHAPE)), np.uint8).reshape(SHAPE)
    assert not SliceCache().gathered(array, 2, 0).any()


@pytest.mark.parametrize("plane", list(Plane))
def test_a_view_with_a_cache_shows_the_same_after_every_edit(plane):
    values = np.random.default_rng(0).integers(-100, 200, SHAPE).astype(np.int16)
    mask, cache = make_mask(random_labels(SHAPE, 3), GRID), SliceCache()
    colours = colour_table(LabelTable())
    patch = write(mask, Box.whole(SHAPE), np.ones(SHAPE, bool), 9)
    for step in range(6):
        ras = GRID.to_ras((5, 4, 3))
        view = ViewTransform.through(
            ras,
            grid=GRID,
            plane=plane,
            center_ras=ras + np.array([step, step, 0.0]),
            mm_per_px=0.2 + 0.1 * step,
            size_px=(30, 20),
        )
        layer = MaskLayer(mask.array, GRID, colours, revision=mask.revision)
        pictures = np.zeros((2, 20, 30), np.uint32)
        render(pictures[0], values, view, (300, 50), [layer])
        render(pictures[1], values, view, (300, 50), [layer], cache=cache)
        assert np.array_equal(*pictures)
        mask.apply(patch)
