"""Bending outlines: the contour under the cursor with handles to drag, add and remove."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from labeler.core.geometry import FloatArray
from labeler.core.rings import dragged
from labeler.ui.style import ACCENT, scaled
from labeler.ui.view_gestures import Canvas, polygon, positions
from labeler.ui.view_tools import MIN_POINTS, Tool, halo_pens
from labeler.workflows.edit_contours import (
    EditableContour,
    contour_at,
    replace_contour,
    smooth_contour,
)
from labeler.workflows.edit_rules import EditRefused

#: A point that comes back this near to where it was has not been moved.
SAME_MM = 1e-6

#: A press this near to a handle, or to the line between two, takes it.
GRAB_PX = 9.0


class OutlineTool(Tool):
    """Drag a handle or the line between handles; the right button takes a handle away.

    The pull fades away over the brush size along the contour, and a double click inside smooths
    it by a quarter of that size. Each is one edit.
    """

    cursor = Qt.CrossCursor
    paints = True

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._contour: EditableContour | None = None
        self._rings: list[FloatArray] = []
        self._held: tuple[int, int] | None = None
        self._before: list[FloatArray] = []
        self._grip_mm = np.zeros(3)
        canvas.ws.session.changed.connect(self._forget)
        canvas.ws.session.case_opened.connect(self._forget)

    @property
    def is_busy(self) -> bool:
        return self._held is not None

    def hover(self, pos: QPointF | None) -> None:
        super().hover(pos)
        if pos is None or self.is_busy:
            return
        contour = self._contour
        if contour is None or not (contour.holds(self.canvas.ras_at(pos)) or self._nearest(pos)):
            try:
                self._take(pos)
            except EditRefused:
                self._show(None)  # said when somebody presses
        self.canvas.update()

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        is_new = self._contour is None or self._nearest(pos) is None
        if is_new and not self.try_edit(lambda: self._take(pos)):
            return
        place = self._nearest(pos)
        if place is None:
            return
        ring, index, is_corner = place
        if erase:
            if is_corner and len(self._rings[ring]) > MIN_POINTS:
                self._rings[ring] = np.delete(self._rings[ring], index, axis=0)
                self._commit()
            return
        if not is_corner:
            points = self._rings[ring]
            ends = points[index], points[(index + 1) % len(points)]
            index += 1
            new = _nearest_between(*ends, self.canvas.ras_at(pos))
            self._rings[ring] = np.insert(points, index, new, axis=0)
        self._before = [points.copy() for points in self._rings]
        # what is taken a little beside its middle does not jump to the pointer
        self._grip_mm = self.canvas.ras_at(pos) - self._before[ring][index]
        self._held = ring, index

    def move(self, pos: QPointF) -> None:
        self.hover_pos = pos
        if self._held is not None:
            ring, index = self._held
            to = self.canvas.ras_at(pos) - self._grip_mm
            self._rings[ring] = dragged(self._before[ring], index, to, self._reach_mm)
            self.canvas.update()

    def release(self, pos: QPointF) -> None:
        if self._held is None:
            return
        ring, _ = self._held
        self._held = None
        if np.allclose(self._rings[ring], self._before[ring], atol=SAME_MM, rtol=0.0):
            self._show(self._contour)
        else:
            self._commit()

    def double_click(self, pos: QPointF) -> bool:
        if self._contour is None:
            self.try_edit(lambda: self._take(pos))
        contour = self._contour
        if contour is not None:
            sigma_mm = self.canvas.ws.selection.brush_mm / 4
            self._finish(lambda: smooth_contour(self.canvas.ws, contour, sigma_mm))
        return True

    def cancel(self) -> None:
        self._held = None
        self._show(None)

    def paint(self, painter: QPainter) -> None:
        contour = self._contour
        if contour is None or not contour.is_on_slice(self.canvas.ras_at(QPointF(0.0, 0.0))):
            return
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(Qt.NoBrush)
        polygons = [polygon(positions(self.canvas, ring)) for ring in self._rings]
        colour = QColor(self.canvas.ws.session.labels[contour.outline.label].colour)
        for pen in halo_pens(colour):
            painter.setPen(pen)
            for ring in polygons:
                painter.drawPolygon(ring)
        near = None if self.hover_pos is None else self._nearest(self.hover_pos)
        half = scaled(6) / 2
        painter.setPen(QPen(QColor(0, 0, 0, 160), 1.0))
        painter.setBrush(colour)
        for ring in polygons:
            painter.drawRects(*(_box(at, half) for at in ring))
        taken = self._held or (near[:2] if near is not None and near[2] else None)
        if taken is not None:
            painter.setBrush(QColor(ACCENT))
            painter.drawRect(_box(polygons[taken[0]].value(taken[1]), half))

    @property
    def _reach_mm(self) -> float:
        """How far along the contour a pull reaches: the brush size."""
        return self.canvas.ws.selection.brush_mm

    def _take(self, pos: QPointF) -> None:
        """Show the outline of what is under the pointer."""
        contour = contour_at(self.canvas.ws, self.canvas.plane, self.canvas.ras_at(pos))
        if contour is not None or self._contour is not None:
            self._show(contour)

    def _show(self, contour: EditableContour | None) -> None:
        self._contour = contour
        self._rings = [] if contour is None else [ring.copy() for ring in contour.handles_ras]
        self.canvas.update()

    def _commit(self) -> None:
        contour, rings = self._contour, self._rings
        if contour is not None:
            self._finish(lambda: replace_contour(self.canvas.ws, contour, rings))

    def _finish(self, edit: Callable[[], None]) -> None:
        """Carry the change out and show the contour that has come of it."""
        at = self.hover_pos
        self._show(None)
        self.try_edit(edit)
        if at is not None:
            self.hover(at)

    def _forget(self, *_: object) -> None:
        if self._contour is not None:
            self.cancel()

    def _nearest(self, pos: QPointF) -> tuple[int, int, bool] | None:
        """Ring, number of the handle (or of the one before the line) and whether it is a handle."""
        place = np.array((pos.x(), pos.y()))
        best: tuple[float, tuple[int, int, bool]] | None = None
        for number, ring in enumerate(self._rings):
            points = positions(self.canvas, ring)
            away = np.linalg.norm(points - place, axis=1)
            index = int(away.argmin())
            if away[index] <= GRAB_PX and (best is None or away[index] < best[0]):
                best = float(away[index]), (number, index, True)
        if best is not None:
            return best[1]
        for number, ring in enumerate(self._rings):
            points = positions(self.canvas, ring)
            away = _distances_to_sides(points, place)
            index = int(away.argmin())
            if away[index] <= GRAB_PX and (best is None or away[index] < best[0]):
                best = float(away[index]), (number, index, False)
        return None if best is None else best[1]


def _nearest_between(first: FloatArray, second: FloatArray, point: FloatArray) -> FloatArray:
    """Point of the line between two that is nearest to a third one."""
    along = second - first
    length = max(float(along @ along), 1e-12)
    return np.asarray(first + min(max(float((point - first) @ along) / length, 0.0), 1.0) * along)


def _box(middle: QPointF, half_px: float) -> QRectF:
    return QRectF(middle.x() - half_px, middle.y() - half_px, 2 * half_px, 2 * half_px)


def _distances_to_sides(points: FloatArray, place: FloatArray) -> FloatArray:
    """Distances from a place to the sides of a polygon, side n from point n to the next."""
    along = np.roll(points, -1, axis=0) - points
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    t = np.clip(((place - points) * along).sum(axis=1) / lengths, 0.0, 1.0)
    return np.asarray(np.linalg.norm(points + t[:, np.newaxis] * along - place, axis=1))
