"""What the left button does: what every tool has, navigating and drawing outlines.

Every tool keeps its points in RAS mm, so that a zoom or a pan in the middle of an outline moves
the preview with the anatomy. The mask is changed by workflow functions only.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen, QPolygonF

from labeler.core.geometry import FloatArray
from labeler.ui.style import BRIGHT, scaled
from labeler.ui.view_gestures import Canvas, Gesture, polygon, positions
from labeler.workflows.edit_contours import replace_with_polygon
from labeler.workflows.edit_mask import paint_polygon
from labeler.workflows.edit_rules import EditRefused, drawing_target

#: Below this way a press and release is a click, not a drag.
CLICK_PX = 5.0

#: Distance between the points that a freehand outline keeps.
STEP_PX = 2.0

#: A click this near to the first corner closes a polygon.
SNAP_PX = 8.0

MIN_POINTS = 3

#: Widths of an outline and of the dark line below it.
LINE_PX, HALO_PX = 1.8, 3.6

#: Diameters that "smaller" and "larger" step through.
BRUSH_SIZES_MM = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200)


def next_brush_mm(diameter_mm: float, step: int) -> float:
    """The next larger (``step`` > 0) or smaller round diameter."""
    if step > 0:
        return float(next((s for s in BRUSH_SIZES_MM if s > diameter_mm), BRUSH_SIZES_MM[-1]))
    return float(next((s for s in BRUSH_SIZES_MM[::-1] if s < diameter_mm), BRUSH_SIZES_MM[0]))


class Tool(Gesture):
    """A gesture that is always there and waits for the button.

    Attributes
    ----------
    paints
        Whether the right button erases with it instead of changing the grey scale.
    """

    paints = False

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self.hover_pos: QPointF | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something was begun that is neither finished nor cancelled."""
        return False

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        """Press of the left button (``erase`` false) or of the right one."""

    def double_click(self, pos: QPointF) -> bool:
        """Second press of a double click; true when the tool has taken it."""
        return False

    def key(self, key: int) -> bool:
        """A key was pressed in the view; true when the tool has taken it."""
        if self.is_busy and key == Qt.Key_Escape:
            self.cancel()
            return True
        return False

    def hover(self, pos: QPointF | None) -> None:
        """The pointer moved without a button (``None``: it left)."""
        self.hover_pos = pos

    def try_edit(self, edit: Callable[[], object]) -> bool:
        """Run an edit; a refusal is told to the user."""
        try:
            edit()
        except EditRefused as refusal:
            self.canvas.refuse(str(refusal))
            return False
        return True

    def colour(self) -> QColor:
        """Colour of the label that is painted."""
        return QColor(self.canvas.ws.session.labels[self.canvas.ws.selection.label].colour)


class NavigateTool(Tool):
    """Click and drag move the crosshair."""

    cursor = Qt.ArrowCursor

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        self.move(pos)

    def move(self, pos: QPointF) -> None:
        self.canvas.ws.views.set_crosshair(self.canvas.ras_at(pos))


class ContourTool(Tool):
    """Freehand (press, drag, release) or corner by corner (clicks) closed outline."""

    cursor = Qt.CrossCursor
    paints = True
    #: Whether a drag draws; corner by corner it always goes.
    draws_freehand = True

    def __init__(self, canvas: Canvas, *, erases: bool = False) -> None:
        super().__init__(canvas)
        self._always_erases = erases
        self._erase = erases
        self._points_ras: list[FloatArray] = []
        #: Numbers of the points that are corners, and of the first on the way to each.
        self._corners: list[int] = []
        self._starts: list[int] = []
        self._press_pos: QPointF | None = None
        self._is_freehand = False

    @property
    def is_busy(self) -> bool:
        return bool(self._points_ras)

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        if self.is_busy:
            if erase or self._is_near_start(pos):
                self._close()
                return
        elif self.try_edit(lambda: self.check_start(pos)):
            self._erase = erase or self._always_erases
        else:
            return  # said before the work of drawing, not after it
        self._press_pos = pos
        self._is_freehand = False
        way = self.way_to(self.canvas.ras_at(pos))
        self._starts.append(len(self._points_ras))
        self._corners.append(len(self._points_ras) + len(way) - 1)
        self._points_ras += way
        self.corner_set()
        self.canvas.update()

    def move(self, pos: QPointF) -> None:
        self.hover_pos = pos
        if self._press_pos is None or not self.is_busy:
            return
        if self.draws_freehand and QLineF(self._press_pos, pos).length() > CLICK_PX:
            self._is_freehand = True
        if self._is_freehand and self._distance_px(self._points_ras[-1], pos) >= STEP_PX:
            self._points_ras.append(self.canvas.ras_at(pos))
        self.canvas.update()

    def release(self, pos: QPointF) -> None:
        started_here = len(self._corners) == 1
        if self._press_pos is not None and self._is_freehand and started_here:
            self._close()
        self._press_pos = None

    def hover(self, pos: QPointF | None) -> None:
        super().hover(pos)
        if self.is_busy:
            self.canvas.update()

    def double_click(self, pos: QPointF) -> bool:
        if self.is_busy:
            self._close()
        return True

    def key(self, key: int) -> bool:
        if self.is_busy and key in (Qt.Key_Return, Qt.Key_Enter):
            self._close()
            return True
        if self.is_busy and key == Qt.Key_Backspace:
            self._corners.pop()
            del self._points_ras[self._starts.pop() :]
            self.corner_set()
            self.canvas.update()
            return True
        return super().key(key)

    def cancel(self) -> None:
        self._points_ras, self._corners, self._starts = [], [], []
        self._press_pos = None
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        if not self.is_busy or not self.canvas.shows(self._points_ras[0]):
            return
        points = polygon(positions(self.canvas, self._points_ras))
        closing = QPolygonF([points.last(), points.first()])
        if self._press_pos is None and self.hover_pos is not None:
            way = polygon(positions(self.canvas, self.way_to(self.canvas.ras_at(self.hover_pos))))
            closing = QPolygonF([points.last(), *way, points.first()])
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(Qt.NoBrush)
        colour = QColor(BRIGHT) if self._erase else self.colour()
        for pen in halo_pens(colour):
            painter.setPen(pen)
            painter.drawPolyline(points)
        for pen in halo_pens(colour):
            pen.setStyle(Qt.DashLine)
            painter.setPen(pen)
            painter.drawPolyline(closing)
        painter.setPen(QPen(QColor(0, 0, 0, 160), 1.0))
        painter.setBrush(colour)
        half = scaled(5) / 2
        for index in self._corners:
            corner = points.value(index)
            painter.drawRect(QRectF(corner.x() - half, corner.y() - half, 2 * half, 2 * half))

    def check_start(self, pos: QPointF) -> None:
        """Get ready for a new outline.

        Raises
        ------
        EditRefused
            When nothing can be drawn.
        """
        drawing_target(self.canvas.ws)

    def way_to(self, ras: FloatArray) -> list[FloatArray]:
        """Points from the last corner, which is left out, to a new one at ``ras``."""
        return [ras]

    def corner_set(self) -> None:
        """A corner was added, or the last one taken back."""

    @property
    def last_corner_ras(self) -> FloatArray | None:
        """RAS mm of the corner that the next way begins at."""
        return self._points_ras[-1] if self._points_ras else None

    def _close(self) -> None:
        points_ras, erase = self._points_ras, self._erase
        if len(points_ras) >= MIN_POINTS:
            points_ras = [*points_ras, *self.way_to(points_ras[0])[:-1]]
        self.cancel()
        if len(points_ras) >= MIN_POINTS:
            ws, plane = self.canvas.ws, self.canvas.plane
            if ws.selection.contour_replaces and not erase:
                self.try_edit(lambda: replace_with_polygon(ws, plane, points_ras))
            else:
                self.try_edit(lambda: paint_polygon(ws, plane, points_ras, erase=erase))

    def _is_near_start(self, pos: QPointF) -> bool:
        if len(self._points_ras) < MIN_POINTS:
            return False
        return self._distance_px(self._points_ras[0], pos) < SNAP_PX

    def _distance_px(self, ras: FloatArray, pos: QPointF) -> float:
        return QLineF(self.canvas.pos_of(ras), pos).length()


def halo_pens(colour: QColor) -> tuple[QPen, QPen]:
    """A dark line below a coloured one: visible on white bone and on black air."""
    return QPen(QColor(0, 0, 0, 130), HALO_PX), QPen(colour, LINE_PX)
