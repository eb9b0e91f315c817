"""The pixels of a view: one buffer that the kernel writes and Qt shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QSize
from PyQt5.QtGui import QImage

from labeler.core.rendering import MaskLayer, Pixels, render
from labeler.core.views import ViewTransform


class ViewImage:
    """A ``QImage`` over a numpy buffer, made anew only when the size changes."""

    def __init__(self) -> None:
        self._pixels: Pixels = np.zeros((1, 1), np.uint32)
        self._image = QImage()

    def draw(
        self,
        values: npt.NDArray[Any],
        transform: ViewTransform,
        window_hu: tuple[float, float],
        layers: Sequence[MaskLayer],
        *,
        smooth: bool,
        pixel_ratio: float,
    ) -> QImage:
        """Draw a view in device pixels.

        Parameters
        ----------
        transform
            Placement in device pixels.
        pixel_ratio
            Device pixels per widget pixel.

        Returns
        -------
        QImage
            Valid until the next call.
        """
        width, height = transform.size_px
        if self._image.size() != QSize(width, height):
            self._pixels = np.zeros((height, width), np.uint32)
            self._image = QImage(
                self._pixels.data, width, height, 4 * width, QImage.Format_RGB32
            )  # fmt: skip
        self._image.setDevicePixelRatio(pixel_ratio)
        render(self._pixels, values, transform, window_hu, layers, smooth=smooth)
        return self._image

    @property
    def image(self) -> QImage:
        """What was drawn last."""
        return self._image
