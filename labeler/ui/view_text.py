"""Short texts over the image: drawn once with a soft shadow, then kept as pictures.

A view repaints at every wheel step, and most of its texts stay the same. The shadow is a blurred
copy in black, which keeps letters readable on white bone and on grey liver alike without a box
over the anatomy.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from PyQt5.QtCore import QPointF, QSizeF
from PyQt5.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPixmap

from labeler.ui.style import TEXT, TEXT_PX, text_font

#: Room for the shadow around a text, in pixels of the text's own coordinates.
PAD = 6
SHADOW_SIGMA = 2.0
SHADOW_STRENGTH = 3.4
SHADOW_OPACITY = 0.8


class PlacedText(NamedTuple):
    """A text as it is drawn: its picture and where the picture's corner goes."""

    corner: QPointF
    pixmap: QPixmap


def place_text(
    anchor: QPointF,
    text: str,
    ratio: float,
    *,
    align: tuple[float, float] = (0.0, 0.0),
    colour: str = TEXT,
    size_px: float = TEXT_PX,
    bold: bool = False,
) -> PlacedText:
    """Lay out one line of text with its shadow.

    Parameters
    ----------
    anchor
        Point of the text's box given by ``align``.
    ratio
        Device pixels per pixel of the widget.
    align
        Fractions of the box: ``(0, 0)`` its top left corner, ``(1, 1)`` bottom right.
    """
    size = text_size(text, size_px, bold=bold)
    x = anchor.x() - align[0] * size.width() - PAD
    y = anchor.y() - align[1] * size.height() - PAD
    # on whole device pixels, or the letters are resampled and lose their edges
    corner = QPointF(round(x * ratio) / ratio, round(y * ratio) / ratio)
    return PlacedText(corner, text_pixmap(text, colour, size_px, bold, ratio))


def draw_texts(painter: QPainter, texts: Iterable[PlacedText]) -> None:
    """Draw texts that were laid out before."""
    for corner, pixmap in texts:
        painter.drawPixmap(corner, pixmap)


@lru_cache(maxsize=512)
def text_size(text: str, size_px: float = TEXT_PX, *, bold: bool = False) -> QSizeF:
    """Size of the box in which :func:`place_text` puts a text."""
    metrics = QFontMetricsF(text_font(size_px, bold=bold))
    return QSizeF(float(np.ceil(metrics.horizontalAdvance(text))), float(np.ceil(metrics.height())))


@lru_cache(maxsize=512)
def text_pixmap(text: str, colour: str, size_px: float, bold: bool, ratio: float) -> QPixmap:
    """Draw a text and its shadow into a transparent picture, :data:`PAD` wider on each side."""
    size = text_size(text, size_px, bold=bold)
    width = int(np.ceil((size.width() + 2 * PAD) * ratio))
    height = int(np.ceil((size.height() + 2 * PAD) * ratio))
    letters = _letters(text, colour, size_px, bold, (width, height), ratio)
    image = _shadow(letters, ratio)
    painter = QPainter(image)
    painter.drawImage(QPointF(0.0, 0.0), letters)
    painter.end()
    pixmap = QPixmap.fromImage(image)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _letters(
    text: str, colour: str, size_px: float, bold: bool, size: tuple[int, int], ratio: float
) -> QImage:
    image = QImage(*size, QImage.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    font = text_font(size_px, bold=bold)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.TextAntialiasing)
    painter.setFont(font)
    painter.setPen(QColor(colour))
    painter.drawText(QPointF(PAD, PAD + QFontMetricsF(font).ascent()), text)
    painter.end()
    return image


def _shadow(letters: QImage, ratio: float) -> QImage:
    """Blur the letters' opacity into a black picture of the same size."""
    width, height = letters.width(), letters.height()
    bits = letters.constBits()
    bits.setsize(letters.bytesPerLine() * height)
    bgra = np.frombuffer(bits, np.uint8).reshape(height, letters.bytesPerLine() // 4, 4)
    alpha = bgra[:, :width, 3].astype(np.float32)
    blurred = cv2.GaussianBlur(alpha, (0, 0), SHADOW_SIGMA * ratio) * SHADOW_STRENGTH
    shadow = np.zeros((height, width, 4), np.uint8)
    shadow[..., 3] = np.minimum(blurred, 255 * SHADOW_OPACITY)
    image = QImage(shadow.data, width, height, 4 * width, QImage.Format_ARGB32_Premultiplied)
    image = image.copy()  # the array goes away with this call
    image.setDevicePixelRatio(ratio)
    return image
