"""Small marks that several widgets share: status dots, label swatches, phase letters."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt5.QtWidgets import QApplication

from labeler.core.volume import PHASE_TITLES
from labeler.ui import style

#: Status of a case: words for the user and colour of its dot.
STATUS_TEXTS: Final = {
    "todo": "To do",
    "in progress": "In progress",
    "done": "Done",
    "flagged": "Flagged",
}
STATUS_COLOURS: Final = {
    "todo": style.FAINT,
    "in progress": style.ACCENT,
    "done": style.GREEN,
    "flagged": style.RED,
}

#: Letters of the phases in narrow places.
PHASE_LETTERS: Final = {"NC": "NC", "ART": "A", "PV": "P", "DL": "D"}


def phase_title(phase: str) -> str:
    """``PV`` -> ``Portal venous``; a name of the user's own stays as it is."""
    return PHASE_TITLES.get(phase, phase)


def paint_dot(painter: QPainter, center: QPointF, colour: str, diameter_px: float) -> None:
    """Draw a filled dot."""
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(center, diameter_px / 2, diameter_px / 2)
    painter.restore()


def paint_swatch(painter: QPainter, box: QRectF, colour: str, *, hollow: bool = False) -> None:
    """Draw the colour of a label as a small rounded square; hollow when it is hidden."""
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(QColor(colour) if hollow else Qt.NoPen)
    painter.setBrush(Qt.NoBrush if hollow else QColor(colour))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5) if hollow else box, 2, 2)
    painter.restore()


@lru_cache(maxsize=512)
def swatch_icon(colour: str, side_px: int = 10) -> QIcon:
    """Return the colour of a label as an icon."""
    return _icon(side_px, lambda p, box: paint_swatch(p, box, colour))


@lru_cache(maxsize=16)
def dot_icon(colour: str, side_px: int = 8) -> QIcon:
    """Return a filled dot as an icon."""
    return _icon(side_px, lambda p, box: paint_dot(p, box.center(), colour, box.width()))


def _icon(side_px: int, paint: Callable[[QPainter, QRectF], None]) -> QIcon:
    """Return a square icon, sharp on the densest screen, drawn by ``paint(painter, box)``."""
    ratio = QApplication.instance().devicePixelRatio()
    side = style.scaled(side_px)
    pixmap = QPixmap(QSize(side, side) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    paint(painter, QRectF(0, 0, side, side))
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Selected)  # Qt would tint it: colours here have a meaning
    return icon
