"""What the vertebra model saw along the spine, beside the pictures and at their heights."""

from __future__ import annotations

import itertools

import numpy as np
from PyQt5.QtCore import QEvent, QPointF, QSize, Qt
from PyQt5.QtGui import (
    QColor,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PyQt5.QtWidgets import QSizePolicy, QToolTip, QWidget

from labeler.core.geometry import FloatArray
from labeler.core.spine_signals import Seen, SpineSignals
from labeler.state.strip_view import StripView
from labeler.ui import style
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_marks import paint_mark
from labeler.ui.style import scaled
from labeler.ui.view_text import draw_texts, place_text
from labeler.workflows.accept_landmarks import FAMILY
from labeler.workflows.workspace import Workspace

WIDTH_PX = 156

#: What is clicked is the nearest peak this near, and the centroid this near to it.
NEAR_PX, NEAR_MM = 24, 15.0

#: Room for names at the right of the curves.
NAMES_PX = 62


def signals_shown(ws: Workspace) -> SpineSignals | None:
    """Signals of what a vertebra model proposes for the open case; None when there are none."""
    proposal = ws.session.proposals.current
    if proposal is None or proposal.run.family != FAMILY:
        return None
    return proposal.signals


class SignalPane(QWidget):
    """Curves from the head down: what speaks for the levels at each height.

    Dim is the strongest of all signals, blue that of each level of the chosen chain around where
    it was found; amber ticks are the next best numbering. A click on a peak goes there.
    """

    def __init__(
        self, ws: Workspace, layer: SpineLayer, view: StripView, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("spineSignals")
        self.setAccessibleName("Signals of the vertebra model along the spine")
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.setCursor(Qt.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Expanding)
        self._ws = ws
        self._layer = layer
        self._view = view
        view.changed.connect(self.update)
        layer.changed.connect(self.update)
        layer.moved.connect(self.update)
        ws.session.proposals.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(scaled(WIDTH_PX), scaled(700))

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(WIDTH_PX), scaled(200))

    def place_of(self, signals: SpineSignals, point: int, signal: float) -> QPointF:
        """Where a signal at a point of the line is drawn."""
        return QPointF(self._x(signal), float(self._heights(signals)[point]))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._tip(event.pos().y()), self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        signals = signals_shown(self._ws)
        if signals is None or event.button() != Qt.LeftButton:
            return
        seen = [each.point for each in signals.chosen]
        point = self._nearest(signals, [*seen, *signals.peaks], event.y())
        if point is not None:
            self._go(signals.line_ras[point] + self._layer.shift_mm)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(style.BACKGROUND))
        painter.setRenderHint(QPainter.Antialiasing)
        signals = signals_shown(self._ws)
        if signals is None:
            return
        y = self._heights(signals)
        self._curve(painter, signals.strongest, y, QColor(style.FAINT), 1.0)
        for first, last, seen in self._parts(signals):
            own = signals.of(seen.level)[first:last]
            self._curve(painter, own, y[first:last], QColor(style.ACCENT), 1.6)
        self._paint_runner_up(painter, signals, y)
        self._paint_chosen(painter, signals, y)
        self._paint_title(painter, signals)

    def _go(self, ras: FloatArray) -> None:
        """Select the vertebra at a peak; where there is none, show the place."""
        keys = self._layer.from_above()
        away = np.linalg.norm(self._layer.points_ras - ras, axis=1)
        nearest = int(away.argmin()) if keys else 0
        if keys and away[nearest] <= NEAR_MM:
            self._ws.spine.select(keys[nearest])
        else:
            self._ws.views.set_frame(crosshair_ras=ras, center_ras=ras)

    def _nearest(self, signals: SpineSignals, points: list[int], y: float) -> int | None:
        """The point that is drawn nearest to a height, within reach."""
        if not points:
            return None
        away = np.abs(self._heights(signals)[points] - y)
        nearest = int(away.argmin())
        return points[nearest] if away[nearest] <= scaled(NEAR_PX) else None

    def _tip(self, y: int) -> str:
        signals = signals_shown(self._ws)
        point = None if signals is None else self._nearest(
            signals, list(range(len(signals.line_ras))), y
        )  # fmt: skip
        if signals is None or point is None:
            return ""
        best = signals.best_at(point)
        words = ", ".join(f"{level} {signal:.2f}" for level, signal in best)
        return f"Here: {words}" if words else "Nothing speaks for a centre here"

    def _x(self, signal: float) -> float:
        left, room = scaled(10), self.width() - scaled(10) - scaled(NAMES_PX)
        return left + signal * room

    def _heights(self, signals: SpineSignals) -> FloatArray:
        """Height on the screen of each point of the line."""
        away_mm = self._view.height_mm - (signals.line_ras[:, 2] + self._layer.shift_mm[2])
        return np.asarray(self.height() / 2 + away_mm / self._view.mm_per_px)

    def _parts(self, signals: SpineSignals) -> list[tuple[int, int, Seen]]:
        """From which point to which the curve of each chosen level is drawn: half way."""
        points = [seen.point for seen in signals.chosen]
        if not points:
            return []
        middles = [(above + below) // 2 for above, below in itertools.pairwise(points)]
        reach = (points[-1] - points[0]) // max(1, 2 * (len(points) - 1)) or len(signals.line_ras)
        starts = [max(0, points[0] - reach), *middles]
        ends = [*(middle + 1 for middle in middles), points[-1] + reach]
        return list(zip(starts, ends, signals.chosen, strict=True))

    def _curve(
        self, painter: QPainter, values: FloatArray, y: FloatArray, colour: QColor, width: float
    ) -> None:
        points = [
            QPointF(self._x(v), at) for v, at in zip(values.tolist(), y.tolist(), strict=True)
        ]
        painter.setPen(QPen(colour, scaled(width)))
        painter.setBrush(Qt.NoBrush)
        painter.drawPolyline(QPolygonF(points))

    def _paint_runner_up(self, painter: QPainter, signals: SpineSignals, y: FloatArray) -> None:
        painter.setPen(QPen(QColor(style.AMBER), scaled(1.4), Qt.DashLine))
        half = scaled(5)
        for seen in signals.runner_up:
            if seen not in signals.chosen:
                x, at = self._x(signals.at(seen)), float(y[seen.point])
                painter.drawLine(QPointF(x, at - half), QPointF(x, at + half))

    def _paint_chosen(self, painter: QPainter, signals: SpineSignals, y: FloatArray) -> None:
        ratio, last = self.devicePixelRatioF(), -1e9
        texts = []
        for seen in signals.chosen:
            at = QPointF(self._x(signals.at(seen)), float(y[seen.point]))
            paint_mark(painter, at, style.ACCENT, is_selected=False)
            if at.y() - last < scaled(style.SMALL_PX):
                continue  # no room: one that is cut through is worse than none
            last = at.y()
            other = signals.other_name(seen) if signals.is_close else ""
            words, colour = (f"{seen.level} · {other}?", style.AMBER) if other else (
                seen.level, style.DIM
            )  # fmt: skip
            right = QPointF(self.width() - scaled(8), at.y())
            texts.append(
                place_text(
                    right, words, ratio, align=(1.0, 0.5), colour=colour, size_px=style.SMALL_PX
                )
            )
        draw_texts(painter, texts)

    def _paint_title(self, painter: QPainter, signals: SpineSignals) -> None:
        ratio, margin = self.devicePixelRatioF(), scaled(8)
        corner = QPointF(margin, margin)
        texts = [place_text(corner, "Signals", ratio, colour=style.BRIGHT, bold=True)]
        if signals.runner_up:
            words = f"runner-up {100 * signals.runner_up_share:.0f} %"
            colour = style.AMBER if signals.is_close else style.DIM
            below = QPointF(margin, margin + scaled(19))
            texts.append(place_text(below, words, ratio, colour=colour, size_px=style.SMALL_PX))
        draw_texts(painter, texts)
