"""The fused kernels against a picture drawn pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeler.core.geometry import Plane
from labeler.core.labels import Label, LabelTable
from labeler.core.regions import RegionIndex
from labeler.core.rendering import MaskLayer, colour_table, highlight_layer, render
from labeler.core.views import ViewTransform
from tests.unit.core_strategies import make_grid, planes, random_labels, seeds

SHAPE = (9, 14, 17)
GRID = make_grid(SHAPE, (0.8, 0.9, 1.5), (5.0, 6.0, 7.0))
COLOURS = colour_table(LabelTable())
BLACK = 0xFF000000

views = st.builds(
    lambda plane, ijk, mm_per_px, size: ViewTransform.through(
        GRID.to_ras(ijk),
        grid=GRID,
        plane=plane,
        center_ras=GRID.to_ras(ijk) + np.array([0.31, 0.17, 0.23]),
        mm_per_px=mm_per_px,
        size_px=size,
    ),
    planes,
    st.tuples(st.integers(0, 16), st.integers(0, 13), st.integers(0, 8)),
    st.floats(0.1, 2.0),
    st.tuples(st.integers(1, 60), st.integers(1, 50)),
)


def drawn(values, view, window_hu=(200.0, 50.0), layers=(), **options):
    width, height = view.size_px
    out = np.full((height, width), 0x12345678, np.uint32)
    render(out, values, view, window_hu, layers, **options)
    assert (out >> 24 == 0xFF).all()
    return out


def ijk_of_pixels(view, grid=None, margin=0):
    """ijk of every pixel's centre, ``(height, width, 3)``."""
    width, height = view.size_px
    x = np.arange(-margin, width + margin) + 0.5
    y = np.arange(-margin, height + margin) + 0.5
    points = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)))], axis=-1)
    return points @ view.to_ijk_of(grid or view.grid).T


@given(views, st.sampled_from([np.int16, np.float32]), st.booleans())
def test_grey_values_are_interpolated_in_the_slice(view, dtype, smooth):
    values = np.random.default_rng(3).normal(50, 80, SHAPE).astype(dtype)
    grey = drawn(values, view, (200.0, 50.0), smooth=smooth) & 0xFF
    ijk = ijk_of_pixels(view)
    inside = ((ijk >= -0.5) & (ijk < np.array(SHAPE[::-1]) - 0.5)).all(axis=-1)
    at = np.clip(ijk, 0, np.array(SHAPE[::-1]) - 1)
    if not smooth:
        at = np.floor(at + 0.5)
    hu = ndimage.map_coordinates(values.astype(float), np.moveaxis(at, -1, 0)[::-1], order=1)
    expected = np.where(inside, np.clip((hu - -50.0) * 255 / 200, 0, 255), 0)
    # A value that is exactly between two grey values may go either way.
    assert np.abs(grey - expected).max() <= 0.51


def test_grey_pixels_are_grey():
    values = np.random.default_rng(3).normal(50, 80, SHAPE).astype(np.int16)
    view = middle_view()
    out = drawn(values, view)
    assert np.array_equal(out & 0xFF, out >> 8 & 0xFF)
    assert np.array_equal(out & 0xFF, out >> 16 & 0xFF)


def middle_view(plane=Plane.AXIAL, mm_per_px=0.2, size_px=(60, 50), ijk=(8, 7, 4)):
    ras = GRID.to_ras(ijk)
    return ViewTransform.through(
        ras, grid=GRID, plane=plane, center_ras=ras, mm_per_px=mm_per_px, size_px=size_px
    )


@pytest.mark.parametrize("plane", list(Plane))
def test_what_is_not_there_is_black(plane):
    values = np.full(SHAPE, 500, np.int16)
    beside = middle_view(plane, ijk=(100, 100, 100))
    assert (drawn(values, beside) == BLACK).all()
    assert (drawn(None, middle_view(plane)) == BLACK).all()
    assert (drawn(np.full(SHAPE, np.nan, np.float32), middle_view(plane)) == BLACK).all()


def test_a_film_has_one_slice():
    grid = make_grid((1, 14, 17))
    view = ViewTransform.through(
        grid.center_ras,
        grid=grid,
        plane=Plane.AXIAL,
        center_ras=grid.center_ras,
        mm_per_px=0.5,
        size_px=(20, 20),
    )
    film = np.linspace(0, 1, 14 * 17, dtype=np.float32).reshape(1, 14, 17)
    assert len(np.unique(drawn(film, view, (1.0, 0.5)))) > 50


def sampled_labels(array, view, grid, margin):
    """Label under each pixel's centre, with a frame of ``margin`` pixels around the screen."""
    ijk = np.floor(ijk_of_pixels(view, grid, margin) + 0.5 + 1e-6).astype(int)
    inside = ((ijk >= 0) & (ijk < array.shape[::-1])).all(axis=-1)
    i, j, k = np.moveaxis(np.where(inside[..., np.newaxis], ijk, 0), -1, 0)
    return np.where(inside, array[k, j, i], 0)


def contour_of(labels, contour_px, margin):
    """Pixels whose distance to a pixel of another label is at most ``contour_px``."""
    contour = np.zeros(labels.shape, bool)
    for label in np.unique(labels[labels > 0]):
        distance = ndimage.distance_transform_edt(np.pad(labels == label, 1, mode="edge"))
        contour |= (labels == label) & (distance[1:-1, 1:-1] <= contour_px + 1e-9)
    return contour[margin:-margin, margin:-margin]


def channels(pixels):
    return np.stack([pixels >> shift & 0xFF for shift in (16, 8, 0)], axis=-1).astype(int)


def expected_picture(background, labels, contour, layer):
    opacity = np.where(
        contour,
        layer.fill_opacity + (1 - layer.fill_opacity) * layer.contour_opacity,
        layer.fill_opacity,
    )
    opacity = np.where(layer.colours[labels] > 0, opacity, 0.0)[..., np.newaxis]
    return channels(background) * (1 - opacity) + channels(layer.colours[labels]) * opacity


@given(
    views,
    seeds,
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([(0.8, 0.9, 1.5, 0.0), (1.1, 0.7, 2.0, 0.0), (0.9, 0.9, 1.4, 9.0)]),
    st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.7, 6.0]),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_fill_and_contour_are_where_the_labels_are(view, seed, dtype, place, contour_px, opacity):
    *spacing, degrees = place
    grid = make_grid((8, 15, 18), spacing, (5.3, 6.2, 6.6), degrees)
    if place[0] == 0.8:
        grid = make_grid(SHAPE, spacing, (5.0, 6.0, 7.0))
    array = random_labels(grid.shape_kji, seed, dtype, density=0.8)
    layer = MaskLayer(
        array, grid, colour_table(LabelTable(), dtype=dtype), *opacity, contour_px=contour_px
    )
    values = np.full(SHAPE, 50, np.int16)
    background = drawn(values, view)
    margin = 8
    labels = sampled_labels(array, view, grid, margin)
    contour = contour_of(labels, contour_px, margin)
    if contour_px < 1 or round(opacity[1] * 256) == 0:
        contour[:] = False
    labels = labels[margin:-margin, margin:-margin]
    expected = expected_picture(background, labels, contour, layer)
    assert np.abs(channels(drawn(values, view, layers=[layer])) - expected).max() <= 2.5


def test_hidden_labels_leave_the_picture_as_it_is():
    array = random_labels(SHAPE, 4)
    view = middle_view()
    shown = MaskLayer(array, GRID, colour_table(LabelTable()), 0.5)
    hidden = replace(shown, colours=colour_table(LabelTable(), hidden={1, 2}))
    labels = sampled_labels(array, view, GRID, 0)
    out = drawn(None, view, layers=[hidden])
    assert (out[labels != 3] == BLACK).all()
    same = labels == 3
    assert np.array_equal(out[same], drawn(None, view, layers=[shown])[same])


def test_labels_beyond_the_table_are_not_drawn():
    array = np.full(SHAPE, 9, np.uint8)
    layer = MaskLayer(array, GRID, COLOURS[:5], 1.0)
    assert (drawn(None, middle_view(), layers=[layer]) == BLACK).all()


def test_colours_come_from_the_table():
    labels = LabelTable([Label(1, "Liver", "#102030"), Label(300, "Other", "#405060")])
    assert colour_table(labels)[1] == 0xFF102030
    wide = colour_table(labels, hidden={1}, dtype=np.uint16)
    assert (wide[0], wide[1], wide[300]) == (0, 0, 0xFF405060)
    assert wide[77] == 0xFF000000 | int(labels[77].colour[1:], 16)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("mm_per_px", [0.05, 0.6])
def test_the_screen_edge_is_no_contour(plane, mm_per_px):
    layer = MaskLayer(np.ones(SHAPE, np.uint8), GRID, COLOURS, 0.0, contour_px=6.0)
    inside = middle_view(plane, mm_per_px=mm_per_px, size_px=(4, 3))
    assert (drawn(None, inside, layers=[layer]) == BLACK).all()


def test_the_edge_of_the_mask_is_a_contour():
    layer = MaskLayer(np.ones(SHAPE, np.uint8), GRID, COLOURS, 0.0, contour_px=1.0)
    view = middle_view(mm_per_px=0.5)
    out = drawn(None, view, layers=[layer]) == COLOURS[1]
    labels = sampled_labels(layer.array, view, GRID, 0)
    assert np.array_equal(out, (labels > 0) & ~ndimage.binary_erosion(labels > 0))


def test_a_dashed_contour_has_gaps_filled_like_the_inside():
    array = np.zeros(SHAPE, np.uint8)
    array[4, 3:11, 3:14] = 1
    layer = MaskLayer(array, GRID, COLOURS, 0.25, contour_px=2.0)
    view = middle_view()
    solid = drawn(None, view, layers=[layer])
    dashed = drawn(None, view, layers=[replace(layer, dashed=True)])
    flat = drawn(None, view, layers=[replace(layer, contour_px=0.0)])
    contour = solid != flat
    kept = dashed[contour] == solid[contour]
    assert 0.3 < kept.mean() < 0.7
    assert np.array_equal(np.where(contour & (dashed != solid), flat, solid), dashed)


def test_the_last_layer_is_on_top():
    below = MaskLayer(np.full(SHAPE, 1, np.uint8), GRID, COLOURS, 1.0)
    above = MaskLayer(np.full(SHAPE, 2, np.uint8), GRID, COLOURS, 1.0)
    view = middle_view(mm_per_px=0.05)
    assert (drawn(None, view, layers=[below, above]) == COLOURS[2]).all()


@pytest.mark.parametrize("plane", list(Plane))
def test_the_highlight_outlines_one_region(plane):
    array = np.zeros(SHAPE, np.uint8)
    array[2:7, 4:10, 5:12] = 1
    array[3, 12, 15] = 1
    index = RegionIndex.build("draft", array, GRID)
    region_id = index.region_at((4, 7, 8))
    layer = highlight_layer(*index.component_crop(region_id), GRID, contour_px=1.0)
    view = middle_view(plane)
    out = drawn(None, view, layers=[layer])
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:7, 4:10, 5:12] = 1
    inside = sampled_labels(labels, view, GRID, 0) > 0
    assert np.array_equal(out == 0xFFFFFFFF, inside & ~ndimage.binary_erosion(inside))


def test_sizes_that_do_not_agree_are_refused():
    view = middle_view(size_px=(60, 50))
    with pytest.raises(ValueError, match="an image of"):
        render(np.zeros((60, 50), np.uint32), None, view, (1.0, 0.0))
    with pytest.raises(ValueError, match="values of shape"):
        render(np.zeros((50, 60), np.uint32), np.zeros((1, 2, 3), np.int16), view, (1.0, 0.0))
