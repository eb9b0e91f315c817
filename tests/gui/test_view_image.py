"""The image of a view is the buffer that the kernel writes, at any density of the screen."""

import numpy as np
import pytest
from PyQt5.QtCore import QRect

from labeler.core.geometry import Plane
from labeler.core.mask import Box
from labeler.core.rendering import MAX_CONTOUR_PX, MaskLayer, colour_table, render
from labeler.core.views import ViewTransform
from labeler.ui.view_image import Picture, ViewImage, covered_rect
from tests.case_world import GRIDS, LABELS, make_mask, make_volume


def make_picture(z_mm=0.0, size_px=(151, 97), mm_per_px=0.7) -> Picture:
    grid = GRIDS["PV"]
    transform = ViewTransform.through(
        (0.0, 0.0, z_mm), grid=grid, plane=Plane.AXIAL, center_ras=(3.0, 1.0, 0.0),
        mm_per_px=mm_per_px, size_px=size_px,
    )  # fmt: skip
    layer = MaskLayer(make_mask("draft", grid).array, grid, colour_table(LABELS), dashed=True)
    return Picture(make_volume(grid, 100, 40).array, transform, (400.0, 0.0), [layer], True)


def expected(picture: Picture) -> np.ndarray:
    width, height = picture.transform.size_px
    out = np.zeros((height, width), np.uint32)
    render(
        out, picture.values, picture.transform, picture.window_hu, picture.layers,
        smooth=picture.smooth,
    )  # fmt: skip
    return out


def pixels(image: ViewImage) -> np.ndarray:
    """Pixels as Qt sees them."""
    picture = image.image
    size = (picture.height(), picture.width())
    bits = picture.constBits()
    bits.setsize(picture.sizeInBytes())
    return np.frombuffer(bits, np.uint32).reshape(size).copy()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_qt_shows_what_the_kernel_draws(qapp, ratio):
    image = ViewImage()
    for z_mm in (0.0, 20.0, 30.0):
        picture = make_picture(z_mm)
        image.draw(picture, ratio)
        assert np.array_equal(pixels(image), expected(picture))
    assert image.image.devicePixelRatioF() == ratio


def test_another_size_makes_another_image(qapp):
    image = ViewImage()
    for size_px in ((151, 97), (80, 200)):
        picture = make_picture(size_px=size_px)
        image.draw(picture, 1.0)
        assert np.array_equal(pixels(image), expected(picture))


@pytest.mark.parametrize(
    "rect", [QRect(20, 11, 37, 23), QRect(-9, -9, 40, 40), QRect(120, 80, 90, 90)]
)
def test_a_part_is_drawn_as_a_full_drawing_would_and_nothing_else(qapp, rect):
    image = ViewImage()
    first, second = make_picture(0.0), make_picture(15.0)
    image.draw(first, 1.0)
    image.draw_part(second, rect)
    drawn, before, after = pixels(image), expected(first), expected(second)
    y, x = np.indices(drawn.shape)
    inside = (x >= rect.left()) & (x <= rect.right()) & (y >= rect.top()) & (y <= rect.bottom())
    assert np.array_equal(drawn[inside], after[inside])
    assert (before != after).any()
    far = (x < rect.left() - 8) | (x > rect.right()) | (y < rect.top() - 8) | (y > rect.bottom())
    assert np.array_equal(drawn[far], before[far])


def test_a_part_outside_of_the_image_is_nothing(qapp):
    image = ViewImage()
    image.draw(make_picture(), 1.0)
    before = pixels(image)
    image.draw_part(make_picture(20.0), QRect(500, 500, 10, 10))
    assert np.array_equal(pixels(image), before)


def test_the_pixels_of_a_box(qapp):
    transform = make_picture().transform
    grid = transform.grid
    k = transform.slice_index
    box = Box((k - 1, 20, 20), (k + 1, 24, 26))
    rect = covered_rect(transform, grid, box)
    left, top = transform.ras_to_screen(grid.to_ras((19.5, 19.5, k)))
    right, bottom = transform.ras_to_screen(grid.to_ras((25.5, 23.5, k)))
    assert rect.left() <= left - MAX_CONTOUR_PX
    assert rect.top() <= top - MAX_CONTOUR_PX
    assert rect.right() >= right + MAX_CONTOUR_PX
    assert rect.bottom() >= bottom + MAX_CONTOUR_PX
    assert rect.width() < right - left + 2 * MAX_CONTOUR_PX + 4
    assert covered_rect(transform, grid, Box((k + 2, 20, 20), (k + 4, 24, 26))).isEmpty()
