"""Curve of a region's mean HU over the phases, with a reference beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QWidget

from labeler.ui import formats, style

#: Distances of grid lines that are tried, in HU.
STEPS_HU = (10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)


class EnhancementPlot(QWidget):
    """Small line plot; draws only what it was given last."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("enhancementPlot")
        self.setAccessibleName("Enhancement curve")
        self.setToolTip("Mean HU of the region in each phase; bars show one standard deviation")
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self._phases: tuple[str, ...] = ()
        self._means: Mapping[str, tuple[float, float]] = {}
        self._reference: Mapping[str, float] = {}
        self._colour = style.ACCENT
        self._reference_colour = style.GREEN
        self._reference_name = ""

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(260), style.scaled(110))

    def minimumSizeHint(self) -> QSize:
        return QSize(style.scaled(160), style.scaled(70))

    def set_curve(
        self, phases: tuple[str, ...], means: Mapping[str, tuple[float, float]], colour: str
    ) -> None:
        """Show mean and SD in HU by phase; a phase without values leaves a gap."""
        self._phases, self._means, self._colour = phases, dict(means), colour
        self.update()

    def set_reference(self, means: Mapping[str, float], colour: str, name: str) -> None:
        """Show a dashed curve with a name beside it; empty: none."""
        self._reference, self._reference_colour = dict(means), colour
        self._reference_name = name
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._phases:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setFont(style.text_font(style.SMALL_PX))
        metrics = painter.fontMetrics()
        low, high, step = nice_range(
            [
                *(mean + sd for mean, sd in self._means.values()),
                *(mean - sd for mean, sd in self._means.values()),
                *self._reference.values(),
            ]
        )
        left = metrics.horizontalAdvance("\u2212888") + style.scaled(6)
        bottom = metrics.height() + style.scaled(3)
        top = metrics.height() + style.scaled(2)
        area = QRectF(self.rect()).adjusted(left, top, -style.scaled(14), -bottom)
        self._paint_grid(painter, area, low, high, step)
        xs = self._places(area)

        def point(phase: str, value: float) -> QPointF:
            share = (value - low) / (high - low)
            return QPointF(xs[phase], area.bottom() - share * area.height())

        reference = [point(p, self._reference[p]) for p in self._phases if p in self._reference]
        pen = QPen(QColor(self._reference_colour), style.scaled(1.2))
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        if len(reference) > 1:
            painter.drawPolyline(*reference)
            self._paint_legend(painter, area)
        self._paint_curve(painter, point)

    def _paint_grid(
        self, painter: QPainter, area: QRectF, low: float, high: float, step: float
    ) -> None:
        metrics = painter.fontMetrics()
        value = low
        while value <= high + 1e-6:
            y = area.bottom() - (value - low) / (high - low) * area.height()
            painter.setPen(QColor(style.LINE))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right() + style.scaled(8), y))
            painter.setPen(QColor(style.FAINT))
            width, height = area.left() - style.scaled(5), metrics.height()
            box = QRectF(0, y - height / 2, width, height)
            painter.drawText(box, int(Qt.AlignRight | Qt.AlignVCenter), formats.whole(value))
            value += step
        for phase, x in self._places(area).items():
            painter.setPen(QColor(style.DIM if phase in self._means else style.FAINT))
            box = QRectF(x - 40, area.bottom() + style.scaled(3), 80, metrics.height())
            painter.drawText(box, int(Qt.AlignHCenter | Qt.AlignTop), phase)

    def _paint_legend(self, painter: QPainter, area: QRectF) -> None:
        """Name the dashed curve in the upper right corner, with the pen it was drawn with."""
        metrics = painter.fontMetrics()
        width, dash = metrics.horizontalAdvance(self._reference_name), style.scaled(16)
        right = area.right() + style.scaled(8)
        box = QRectF(right - width, 0, width + 1, metrics.height())
        left = box.left() - style.scaled(4)
        painter.drawLine(QPointF(left - dash, box.center().y()), QPointF(left, box.center().y()))
        painter.setPen(QColor(style.DIM))
        painter.drawText(box, int(Qt.AlignRight | Qt.AlignVCenter), self._reference_name)

    def _paint_curve(self, painter: QPainter, point) -> None:  # type: ignore[no-untyped-def]
        colour = QColor(self._colour)
        points = []
        for phase in self._phases:
            if phase not in self._means:
                continue
            mean, sd = self._means[phase]
            points.append(point(phase, mean))
            faint = QColor(colour)
            faint.setAlpha(90)
            painter.setPen(QPen(faint, style.scaled(1)))
            painter.drawLine(point(phase, mean - sd), point(phase, mean + sd))
        painter.setPen(QPen(colour, style.scaled(2)))
        if len(points) > 1:
            painter.drawPolyline(*points)
        painter.setPen(Qt.NoPen)
        painter.setBrush(colour)
        for place in points:
            painter.drawEllipse(place, style.scaled(3), style.scaled(3))

    def _places(self, area: QRectF) -> dict[str, float]:
        """Horizontal place of each phase."""
        inset = style.scaled(12)
        room = area.width() - inset
        gaps = max(1, len(self._phases) - 1)
        return {p: area.left() + inset + room * n / gaps for n, p in enumerate(self._phases)}


def nice_range(values: list[float]) -> tuple[float, float, float]:
    """Range around values that ends on grid lines, and the distance of two to four of them.

    Returns
    -------
    low, high, step
        In HU; ``low < high`` for any input.
    """
    low, high = (min(values), max(values)) if values else (0.0, 100.0)
    low, high = min(low, 0.0) if low < 40 else low, max(high, low + 10)
    step = next((s for s in STEPS_HU if (high - low) / s <= 3), STEPS_HU[-1])
    return math.floor(low / step) * step, math.ceil(high / step) * step, float(step)
