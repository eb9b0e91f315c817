"""Distances between neighbours against what is usual: found, expected, two standard deviations."""

from __future__ import annotations

import math

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt5.QtWidgets import QSizePolicy, QWidget

from labeler.core.landmark_checks import UNUSUAL_SD, Gap
from labeler.state.strip_view import StripView
from labeler.ui import formats, style
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.style import scaled
from labeler.workflows.workspace import Workspace

#: Least range of the axis, mm, and how much room there is beside it.
MIN_RANGE_MM = 12.0

#: What is further is drawn here: a wrong file may have a centroid kilometres away.
MOST_MM = 200.0

ROW_PX = 17

#: Room for one mark of the scale.
MARK_PX = 46

#: Below this width the scale does not say that it is in mm; the tooltip does.
WIDE_PX = 110


class SpacingPlot(QWidget):
    """One row a gap from the head down; the band is expected, the dot was found.

    Signals
    -------
    chosen
        Key of the lower vertebra of a gap that was clicked.
    """

    chosen = pyqtSignal(str)

    def __init__(self, ws: Workspace, layer: SpineLayer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spacingPlot")
        self.setAccessibleName("Spacing of the vertebrae")
        self.setToolTip(
            "Distance of each vertebra from the next one, in mm; green is what is usual "
            "at the size of this patient, plus and minus two standard deviations"
        )
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self._ws = ws
        self._layer = layer
        layer.changed.connect(self.update)
        layer.moved.connect(self.update)
        layer.dragged.connect(lambda _: self.update())

    @property
    def gaps(self) -> list[Gap]:
        """What is drawn, from the head down."""
        return self._layer.gaps

    def sizeHint(self) -> QSize:
        return QSize(scaled(280), scaled(ROW_PX) * 17)

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(120), scaled(90))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint_ground(painter)
        painter.setRenderHint(QPainter.Antialiasing)
        if not self.gaps:
            self._paint_hint(painter)
            return
        area = self._area()
        low, high = self._range_mm()

        left, scale = area.left(), area.width() / (high - low)

        def x(mm: float) -> float:
            return left + (mm - low) * scale

        rows = self._rows()
        self._paint_scale(painter, area, low, high)
        self._paint_usual(painter, x, rows)
        self._paint_found(painter, x, rows)
        self._paint_names(painter, area, rows)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        rows = self._rows()
        nearest = min(range(len(rows)), key=lambda n: abs(rows[n] - event.y()), default=None)
        if nearest is not None:
            self.chosen.emit(self.gaps[nearest].lower)

    def _rows(self) -> list[float]:
        """Height on the screen of each gap."""
        area = self._area()
        step = min(area.height() / max(1, len(self.gaps)), scaled(ROW_PX))
        return [area.top() + (n + 0.5) * step for n in range(len(self.gaps))]

    def _area(self) -> QRectF:
        """Where the curve is; names stand at its right."""
        return QRectF(self.rect()).adjusted(scaled(10), scaled(6), -scaled(64), -scaled(20))

    def _range_mm(self) -> tuple[float, float]:
        values = [min(gap.distance_mm, MOST_MM) for gap in self.gaps]
        for gap in self.gaps:
            if math.isfinite(gap.usual_mm):
                values += [gap.usual_mm - 2 * gap.sd_mm, gap.usual_mm + 2 * gap.sd_mm]
        low, high = min(values), max(values)
        spare = max(0.0, MIN_RANGE_MM - (high - low)) / 2 + 1.0
        return low - spare, high + spare

    def _paint_ground(self, painter: QPainter) -> None:
        """Nothing: the panel is below."""

    def _paint_hint(self, painter: QPainter) -> None:
        painter.setFont(style.text_font(style.SMALL_PX + 1))
        painter.setPen(QColor(style.DIM))
        room = self.rect().adjusted(scaled(12), scaled(6), -scaled(12), 0)
        text = "Two centroids make the first distance."
        painter.drawText(room, int(Qt.AlignLeft | Qt.AlignTop | Qt.TextWordWrap), text)

    def _paint_scale(self, painter: QPainter, area: QRectF, low: float, high: float) -> None:
        painter.setFont(style.text_font(style.SMALL_PX - 1))
        for mm in marks_mm(low, high, scaled(MARK_PX) / area.width()):
            at = area.left() + (mm - low) / (high - low) * area.width()
            painter.setPen(QColor(style.LINE))
            painter.drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()))
            painter.setPen(QColor(style.DIM))
            box = QRectF(at - 30, area.bottom() + scaled(3), 60, scaled(16))
            text = f"{mm} mm" if area.width() > scaled(WIDE_PX) else f"{mm}"
            painter.drawText(box, int(Qt.AlignHCenter | Qt.AlignTop), text)

    def _paint_usual(self, painter: QPainter, x, rows: list[float]) -> None:  # type: ignore[no-untyped-def]
        """The band and its middle, interrupted where the names are no neighbours."""
        band = QColor(style.GREEN)
        band.setAlpha(46)
        middle = QPen(QColor(style.GREEN), scaled(1.2))
        middle.setDashPattern([3, 3])
        half = (rows[1] - rows[0]) / 2 if len(rows) > 1 else scaled(8)
        parts: list[list[tuple[Gap, float]]] = [[]]
        for gap, y in zip(self.gaps, rows, strict=True):
            if math.isfinite(gap.usual_mm):
                parts[-1].append((gap, y))
            elif parts[-1]:
                parts.append([])
        for part in (p for p in parts if p):
            (first, top), (last, bottom) = part[0], part[-1]
            ends = [(first, top - half * 0.6), *part, (last, bottom + half * 0.6)]
            left = [QPointF(x(g.usual_mm - 2 * g.sd_mm), y) for g, y in ends]
            right = [QPointF(x(g.usual_mm + 2 * g.sd_mm), y) for g, y in ends]
            painter.setPen(Qt.NoPen)
            painter.setBrush(band)
            painter.drawPolygon(QPolygonF([*left, *reversed(right)]))
            painter.setPen(middle)
            painter.drawPolyline(QPolygonF([QPointF(x(g.usual_mm), y) for g, y in ends]))

    def _paint_found(self, painter: QPainter, x, rows: list[float]) -> None:  # type: ignore[no-untyped-def]
        points = [
            QPointF(x(min(g.distance_mm, MOST_MM)), y) for g, y in zip(self.gaps, rows, strict=True)
        ]
        painter.setBrush(Qt.NoBrush)
        painter.setPen(QPen(QColor(style.ACCENT), scaled(1.6)))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.NoPen)
        size, last = scaled(3), ""
        for gap, point in zip(self.gaps, points, strict=True):
            colour = gap_colour(gap)
            if colour != last:
                painter.setBrush(QColor(colour))
                last = colour
            painter.drawEllipse(point, size, size)

    def _paint_names(self, painter: QPainter, area: QRectF, rows: list[float]) -> None:
        painter.setFont(style.text_font(style.SMALL_PX))
        height, last = painter.fontMetrics().height(), -1e9
        selected = self._ws.spine.key
        for gap, y in zip(self.gaps, rows, strict=True):
            if y - last < height * 0.86:
                continue  # no room: one that is cut through is worse than none
            last = y
            names = [self._layer.name(key) for key in (gap.upper, gap.lower)]
            is_selected = selected in (gap.upper, gap.lower)
            colour = gap_colour(gap)
            if colour == style.ACCENT:
                colour = style.BRIGHT if is_selected else style.DIM
            painter.setPen(QColor(colour))
            box = QRectF(area.right() + scaled(8), y - height / 2, scaled(60), height)
            painter.drawText(box, int(Qt.AlignLeft | Qt.AlignVCenter), formats.UNKNOWN.join(names))


class GapColumn(SpacingPlot):
    """The same beside the pictures: each gap at its height in them."""

    def __init__(
        self, ws: Workspace, layer: SpineLayer, view: StripView, parent: QWidget | None = None
    ) -> None:
        super().__init__(ws, layer, parent)
        self.setObjectName("gapColumn")
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Expanding)
        self._view = view
        view.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(scaled(96), scaled(700))

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(96), scaled(200))

    def _rows(self) -> list[float]:
        mm, middle = self._view.mm_per_px, self.height() / 2
        z = self._layer.points_ras[:, 2]  # one gap between each two, from the head down
        heights = (z[:-1] + z[1:]) / 2
        return [middle + (self._view.height_mm - height) / mm for height in heights.tolist()]

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(scaled(10), 0, -scaled(10), -scaled(20))

    def _paint_names(self, painter: QPainter, area: QRectF, rows: list[float]) -> None:
        """The names stand in the pictures; here only what is unusual is said, in mm."""
        painter.setFont(style.text_font(style.SMALL_PX))
        height = painter.fontMetrics().height()
        for gap, y in zip(self.gaps, rows, strict=True):
            colour = gap_colour(gap)
            if colour != style.ACCENT:
                painter.setPen(QColor(colour))
                box = QRectF(area.left(), y + scaled(4), area.width(), height)
                painter.drawText(box, int(Qt.AlignHCenter), f"{gap.distance_mm:.1f} mm")

    def _paint_ground(self, painter: QPainter) -> None:
        painter.fillRect(self.rect(), QColor(style.BACKGROUND))

    def _paint_hint(self, painter: QPainter) -> None:
        """Nothing: the strip says what to do."""


def marks_mm(low: float, high: float, room: float) -> range:
    """Return where a scale from `low` to `high` mm has marks; `room` is the least share for one."""
    least = (high - low) * room
    step = next((step for step in (10, 20, 50) if step >= least), 100)
    return range(math.ceil(low / step) * step, math.floor(high) + 1, step)


def gap_colour(gap: Gap) -> str:
    """Red far from what is usual, amber a little, else the accent; grey where nothing is known."""
    if not math.isfinite(gap.usual_mm):
        return style.FAINT
    if abs(gap.z) > 2 * UNUSUAL_SD:
        return style.RED
    return style.AMBER if abs(gap.z) > UNUSUAL_SD else style.ACCENT
