"""Splitting the selected region along a line that is drawn across it."""

from __future__ import annotations

from PyQt5.QtCore import QLineF, QPointF, Qt
from PyQt5.QtGui import QColor, QPainter, QPainterPath

from labeler.core.geometry import FloatArray
from labeler.ui.style import BRIGHT
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_tools import CLICK_PX, STEP_PX, Tool, halo_pens
from labeler.workflows.background_edit import edit_in_background
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.region_operations import split_by_line


class SplitTool(Tool):
    """Press, drag across the region, release: what lies on one side becomes a region of its own."""

    cursor = Qt.CrossCursor

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._points_ras: list[FloatArray] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._points_ras)

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        if self.try_edit(self._check_start):
            self._points_ras = [self.canvas.ras_at(pos)]

    def move(self, pos: QPointF) -> None:
        if self._points_ras and self._distance_px(self._points_ras[-1], pos) >= STEP_PX:
            self._points_ras.append(self.canvas.ras_at(pos))
            self.canvas.update()

    def release(self, pos: QPointF) -> None:
        points_ras = self._points_ras
        self.cancel()
        ws, canvas = self.canvas.ws, self.canvas
        ref = ws.selection.region
        if len(points_ras) < 2 or ref is None or self._distance_px(points_ras[0], pos) < CLICK_PX:
            return

        def split() -> None:
            plan = split_by_line(ws, ref, canvas.plane, points_ras)
            edit_in_background(ws, "split", plan.name, plan.mask, plan.work, canvas.refuse)

        self.try_edit(split)

    def cancel(self) -> None:
        self._points_ras = []
        self.canvas.update()

    def double_click(self, pos: QPointF) -> bool:
        return True

    def paint(self, painter: QPainter) -> None:
        if len(self._points_ras) < 2 or not self.canvas.shows(self._points_ras[0]):
            return
        points = [self.canvas.pos_of(ras) for ras in self._points_ras]
        path = QPainterPath(points[0])
        for point in points[1:]:
            path.lineTo(point)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(Qt.NoBrush)
        for pen in halo_pens(QColor(BRIGHT)):
            painter.setPen(pen)
            painter.drawPath(path)

    def _check_start(self) -> None:
        ws = self.canvas.ws
        refuse_read_only(ws)
        ref = ws.selection.region
        if ref is None or ws.session.region(ref.mask, ref.region_id) is None:
            raise EditRefused("Select the region to split first (N goes to the next one)")

    def _distance_px(self, ras: FloatArray, pos: QPointF) -> float:
        return QLineF(self.canvas.pos_of(ras), pos).length()
