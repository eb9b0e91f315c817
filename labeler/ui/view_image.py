"""The pixels of a view: one buffer that the kernel writes and Qt shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PyQt5 import sip
from PyQt5.QtCore import QPoint, QRect, QSize
from PyQt5.QtGui import QImage

from labeler.core.geometry import Grid
from labeler.core.mask import Box
from labeler.core.rendering import MAX_CONTOUR_PX, MaskLayer, Pixels, render
from labeler.core.slices import SliceCache
from labeler.core.views import ViewTransform


@dataclass(frozen=True)
class Picture:
    """What an image is drawn from.

    Attributes
    ----------
    values
        Voxels of the phase, ``[k, j, i]``.
    transform
        Placement of the slice, in device pixels.
    window_hu
        Width and level.
    layers
        Masks, the last one on top.
    smooth
        Interpolate within the slice.
    """

    values: npt.NDArray[Any]
    transform: ViewTransform
    window_hu: tuple[float, float]
    layers: Sequence[MaskLayer]
    smooth: bool


class ViewImage:
    """A ``QImage`` over a numpy buffer, made anew only when the size changes."""

    def __init__(self) -> None:
        self._pixels: Pixels = np.zeros((1, 1), np.uint32)
        self._image = QImage()
        self._slices = SliceCache()

    @property
    def image(self) -> QImage:
        """What was drawn last; valid until the next drawing."""
        return self._image

    def draw(self, picture: Picture, pixel_ratio: float) -> None:
        """Draw everything; ``pixel_ratio`` is device pixels per widget pixel."""
        width, height = picture.transform.size_px
        if self._image.size() != QSize(width, height):
            self._pixels = np.zeros((height, width), np.uint32)
            # a plain pointer: over a Python buffer Qt would copy the image when its ratio is set
            data = sip.voidptr(self._pixels.ctypes.data)
            self._image = QImage(data, width, height, 4 * width, QImage.Format_RGB32)
        self._image.setDevicePixelRatio(pixel_ratio)
        _render(self._pixels, picture, picture.transform, self._slices)

    def draw_part(self, picture: Picture, rect: QRect) -> None:
        """Draw the pixels inside ``rect`` (device pixels) anew: they equal those of a full draw.

        A brush stroke changes some hundred pixels; drawing no others keeps it immediate in
        however large a window.
        """
        # dashes start anew every eight pixels
        aligned = QRect(QPoint(rect.left() // 8 * 8, rect.top() // 8 * 8), rect.bottomRight())
        rect = aligned & self._image.rect()
        if rect.isEmpty():
            return
        center_ras = picture.transform.screen_to_ras(
            rect.left() + rect.width() / 2, rect.top() + rect.height() / 2
        )
        size_px = rect.width(), rect.height()
        part = np.zeros(size_px[::-1], np.uint32)
        # without the cache: it would fetch whole slices anew for the few voxels of a stroke
        transform = replace(picture.transform, center_ras=center_ras, size_px=size_px)
        _render(part, picture, transform, None)
        rows = slice(rect.top(), rect.bottom() + 1)
        self._pixels[rows, rect.left() : rect.right() + 1] = part


def _render(
    out: Pixels, picture: Picture, transform: ViewTransform, slices: SliceCache | None
) -> None:
    render(
        out,
        picture.values,
        transform,
        picture.window_hu,
        picture.layers,
        smooth=picture.smooth,
        cache=slices,
    )


def covered_rect(transform: ViewTransform, grid: Grid, box: Box) -> QRect:
    """Pixels that a box of voxels may change, contours included; empty when it is not cut."""
    if not transform.shows(box, grid):
        return QRect()
    ends = np.array((box.lo_kji[::-1], box.hi_kji[::-1])) - 0.5
    corners = np.array(np.meshgrid(*ends.T)).reshape(3, -1).T
    points = transform.ras_to_screen(grid.to_ras(corners))
    left, top = (int(n) for n in np.floor(points.min(axis=0)) - MAX_CONTOUR_PX)
    right, bottom = (int(n) for n in np.ceil(points.max(axis=0)) + MAX_CONTOUR_PX)
    return QRect(QPoint(left, top), QPoint(right, bottom))
