"""Brush, eraser and fill: what a press would change is shown where the pointer is."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRect, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPainterPath, QPen

from labeler.core.geometry import FloatArray
from labeler.core.rings import Rings
from labeler.ui.style import BRIGHT
from labeler.ui.view_gestures import Canvas, polygon, positions
from labeler.ui.view_tools import HALO_PX, Tool, halo_pens
from labeler.workflows.edit_mask import BrushStroke, fill_at
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.limit_preview import dab_rings, fill_rings

#: Fill of what a press would change, and width of the line around it.
PREVIEW_OPACITY, PREVIEW_PX = 0.30, 1.2

#: Height of the equator that tells a ball from a disc, of the diameter.
EQUATOR = 0.35


class ShowingTool(Tool):
    """A tool that shows at the pointer what a press would change there."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._rings: Rings = ()
        canvas.ws.session.changed.connect(self._forget_rings)

    def rings_at(self, ras: FloatArray) -> Rings:
        """Rings around what would change, RAS mm.

        Raises
        ------
        EditRefused
            When nothing can be changed, which is said when somebody presses.
        """
        return ()

    def hover(self, pos: QPointF | None) -> None:
        super().hover(pos)
        rings: Rings = ()
        if pos is not None and not self.is_busy:
            try:
                rings = self.rings_at(self.canvas.ras_at(pos))
            except EditRefused:
                pass
        if rings or self._rings:
            self._rings = rings
            self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        if self._rings:
            paint_rings(painter, self.canvas, self._rings, self.colour())

    def _forget_rings(self, *_: object) -> None:
        if self._rings:
            self._rings = ()
            self.canvas.update()


class BrushTool(ShowingTool):
    """A round brush, flat or a ball; the mask changes while the button is down.

    Smart, or within a range of HU, it shows what of its circle a dab would paint.
    """

    cursor = Qt.CrossCursor
    paints = True

    def __init__(self, canvas: Canvas, *, erases: bool = False) -> None:
        super().__init__(canvas)
        self._always_erases = erases
        self._stroke: BrushStroke | None = None

    @property
    def is_busy(self) -> bool:
        return self._stroke is not None

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        if self._stroke is None:
            self.try_edit(lambda: self._start(erase or self._always_erases))
        self.move(pos)

    def _start(self, erase: bool) -> None:
        canvas, is_ball = self.canvas, self.canvas.ws.selection.brush_is_ball
        self._stroke = BrushStroke(
            canvas.ws, canvas.plane, erase, ball=is_ball, similar_phase=self._similar_phase(erase)
        )

    def _similar_phase(self, erase: bool) -> str | None:
        """Phase that a smart brush looks at; what has run over is erased wholly."""
        is_smart = self.canvas.ws.selection.brush_is_smart and not erase
        return self.canvas.phase if is_smart else None

    def rings_at(self, ras: FloatArray) -> Rings:
        canvas, selection = self.canvas, self.canvas.ws.selection
        phase = self._similar_phase(self._always_erases)
        if phase is None and selection.limits.hu is None:
            return ()  # it paints its whole circle
        return dab_rings(
            canvas.ws, canvas.plane, ras, erase=self._always_erases,
            ball=selection.brush_is_ball, similar_phase=phase,
        )  # fmt: skip

    def move(self, pos: QPointF) -> None:
        self.hover(pos)
        if self._stroke is not None:
            self._stroke.move_to(self.canvas.ras_at(pos))

    def release(self, pos: QPointF) -> None:
        if self._stroke is not None:
            stroke, self._stroke = self._stroke, None
            stroke.finish()

    def double_click(self, pos: QPointF) -> bool:
        self.begin(pos, erase=False)
        return True

    def cancel(self) -> None:
        if self._stroke is not None:
            stroke, self._stroke = self._stroke, None
            stroke.cancel()

    def hover(self, pos: QPointF | None) -> None:
        self.canvas.update(self._circle())
        super().hover(pos)
        self.canvas.update(self._circle())

    def _circle(self) -> QRect:
        """Pixels of the circle around the pointer, with its line."""
        if self.hover_pos is None:
            return QRect()
        reach = self._radius_px + HALO_PX
        box = QRectF(-reach, -reach, 2 * reach, 2 * reach).translated(self.hover_pos)
        return box.toAlignedRect()

    @property
    def _radius_px(self) -> float:
        return self.canvas.ws.selection.brush_mm / self.canvas.ws.views.mm_per_px / 2

    def paint(self, painter: QPainter) -> None:
        if self.hover_pos is None:
            return
        super().paint(painter)
        radius_px = self._radius_px
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(Qt.NoBrush)
        for pen in halo_pens(QColor(BRIGHT) if self._always_erases else self.colour()):
            painter.setPen(pen)
            painter.drawEllipse(self.hover_pos, radius_px, radius_px)
            if self.canvas.ws.selection.brush_is_ball:
                painter.drawEllipse(self.hover_pos, radius_px, radius_px * EQUATOR)


class FillTool(ShowingTool):
    """A click fills the enclosed area under it, the right button empties it."""

    cursor = Qt.CrossCursor
    paints = True

    def rings_at(self, ras: FloatArray) -> Rings:
        return fill_rings(self.canvas.ws, self.canvas.plane, ras)

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        ws, plane, ras = self.canvas.ws, self.canvas.plane, self.canvas.ras_at(pos)
        self.try_edit(lambda: fill_at(ws, plane, ras, erase=erase))

    def double_click(self, pos: QPointF) -> bool:
        return True


def paint_rings(painter: QPainter, canvas: Canvas, rings: Rings, colour: QColor) -> None:
    """Draw what is not done yet: filled faintly (even-odd), with a dashed line around."""
    path = QPainterPath()
    for ring in rings:
        path.addPolygon(polygon(positions(canvas, ring)))
        path.closeSubpath()
    fill = QColor(colour)
    fill.setAlphaF(PREVIEW_OPACITY)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.fillPath(path, fill)
    painter.setBrush(Qt.NoBrush)
    # thin, as noise makes many small rings
    painter.setPen(QPen(colour, PREVIEW_PX, Qt.DashLine))
    painter.drawPath(path)
