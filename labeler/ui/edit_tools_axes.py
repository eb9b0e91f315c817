"""Long and short axis of the selected region in the views: drawn, and moved by their ends."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QLineF, QPointF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from labeler.core.axes import Axes, Point
from labeler.ui import formats
from labeler.ui.style import ACCENT, AMBER, BRIGHT, TEXT_PX, scaled
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_text import draw_texts, place_text
from labeler.ui.view_texts import readable_colour
from labeler.ui.view_tools import Tool, halo_pens
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.measure_axes import RegionAxes, reset_axes, set_axes

#: A press this near to an end takes it.
GRAB_PX = 10.0

#: Half the length of the stroke across an end.
END_PX = 4.0


class AxesTool(Tool):
    """Drag an end of the long or the short axis; the right button has them measured again."""

    cursor = Qt.CrossCursor
    paints = True

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._held: int | None = None
        self._before: RegionAxes | None = None

    @property
    def is_busy(self) -> bool:
        return self._held is not None

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        self.try_edit(lambda: self._begin(pos, erase))

    def move(self, pos: QPointF) -> None:
        self.hover_pos = pos
        if self._held is None or self._before is None:
            return
        ends = list(_ends(self._before.axes))
        old = ends[self._held]
        way = pos - self.canvas.pos_of(np.array(old))
        x, y, z = (np.array(old) + self.canvas.vector_ras(way.x(), way.y())).tolist()
        ends[self._held] = (x, y, z)
        self.canvas.scene.axes.preview(Axes((ends[0], ends[1]), (ends[2], ends[3])))

    def release(self, pos: QPointF) -> None:
        layer, before = self.canvas.scene.axes, self._before
        self._held, self._before = None, None
        ref, found = layer.ref, layer.found
        if ref is None or found is None or before is None or found.axes == before.axes:
            return
        if not self.try_edit(lambda: set_axes(self.canvas.ws, ref, found.axes)):
            layer.preview(before.axes)

    def cancel(self) -> None:
        if self._before is not None:
            self.canvas.scene.axes.preview(self._before.axes)
        self._held, self._before = None, None

    def double_click(self, pos: QPointF) -> bool:
        return True

    def hover(self, pos: QPointF | None) -> None:
        super().hover(pos)
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        """Mark the end that a press would take."""
        found = self.canvas.scene.axes.found
        near = self._held if self.is_busy else self._near(self.hover_pos)
        if found is None or near is None:
            return
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 160), 1.0))
        painter.setBrush(QColor(ACCENT))
        half = scaled(3)
        painter.drawEllipse(self.canvas.pos_of(np.array(_ends(found.axes)[near])), half, half)

    def _begin(self, pos: QPointF, erase: bool) -> None:
        ws, layer = self.canvas.ws, self.canvas.scene.axes
        refuse_read_only(ws)
        if layer.ref is None:
            raise EditRefused("Select a region first (N goes to the next one)")
        if erase:
            reset_axes(ws, layer.ref)
            return
        self._held = self._near(pos)
        self._before = layer.found if self._held is not None else None

    def _near(self, pos: QPointF | None) -> int | None:
        """Number of the end under the pointer: two of the long axis, then two of the short."""
        found = self.canvas.scene.axes.found
        if found is None or pos is None or not _shows(self.canvas, found.axes):
            return None
        ends = [self.canvas.pos_of(np.array(end)) for end in _ends(found.axes)]
        away = [QLineF(end, pos).length() for end in ends]
        nearest = int(np.argmin(away))
        return nearest if away[nearest] <= GRAB_PX else None


def paint_axes(painter: QPainter, canvas: Canvas) -> None:
    """Draw the axes of the selected region, if they lie on the slice that a view shows."""
    layer = canvas.scene.axes
    found, ref = layer.found, layer.ref
    if found is None or ref is None or not _shows(canvas, found.axes):
        return
    region = canvas.ws.session.region(ref.mask, ref.region_id)
    if region is None:
        return
    colour = readable_colour(canvas.ws.session.labels[region.label].colour)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setBrush(Qt.NoBrush)
    lines = []
    for first, second in (found.axes.long_ras, found.axes.short_ras):
        line = QLineF(canvas.pos_of(np.array(first)), canvas.pos_of(np.array(second)))
        lines += [line, *_strokes_across(line)]
    for pen in halo_pens(QColor(colour)):
        painter.setPen(pen)
        painter.drawLines(lines)
    long_mm, short_mm = found.axes.long_mm, found.axes.short_mm
    text = f"{formats.measure(long_mm)} \u00d7 {formats.measure(short_mm)} mm"
    if found.is_adjusted:
        text += ", set by hand" if found.is_current else ", the region has changed since"
    lowest = max((lines[0].p1(), lines[0].p2()), key=lambda end: end.y())
    placed = place_text(
        lowest + QPointF(scaled(8), scaled(4)), text, painter.device().devicePixelRatioF(),
        colour=BRIGHT if found.is_current else AMBER, size_px=TEXT_PX, bold=True,
    )  # fmt: skip
    draw_texts(painter, [placed])


def _ends(axes: Axes) -> tuple[Point, Point, Point, Point]:
    return (*axes.long_ras, *axes.short_ras)


def _shows(canvas: Canvas, axes: Axes) -> bool:
    """Whether a view shows the slice that the axes lie on, all of them."""
    return all(canvas.shows(np.array(end)) for end in _ends(axes))


def _strokes_across(line: QLineF) -> list[QLineF]:
    """Short lines across both ends."""
    across = line.normalVector().unitVector()
    half = QPointF(across.dx(), across.dy()) * scaled(END_PX)
    return [QLineF(end - half, end + half) for end in (line.p1(), line.p2())]
