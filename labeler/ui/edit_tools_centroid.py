"""Centroids in the slice views: drag them, add them with a click."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QPointF, Qt

from labeler.core.geometry import FloatArray
from labeler.ui.spine_marks import shown_centroids
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_tools import Tool
from labeler.workflows.edit_rules import refuse_read_only

#: A press this near to a centroid takes it.
GRAB_PX = 14.0

#: Moves of the pointer below this are the shaking of a hand that clicks.
STILL_PX = 3.0


class CentroidTool(Tool):
    """Press on a centroid selects it, drag moves it; elsewhere the crosshair follows."""

    cursor = Qt.ArrowCursor

    def __init__(self, canvas: Canvas, *, adds: bool = False) -> None:
        super().__init__(canvas)
        self._adds = adds
        self._held: str | None = None
        self._start = QPointF()
        self._start_ras: FloatArray = np.zeros(3)
        if adds:
            self.cursor = Qt.CrossCursor

    @property
    def is_busy(self) -> bool:
        return self.canvas.scene.spine.is_dragging

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        layer = self.canvas.scene.spine
        places = {key: self._place(key) for key in shown_centroids(self.canvas)}
        self._held = layer.nearest(places, (pos.x(), pos.y()), GRAB_PX)
        if self._held is not None:
            self._start, self._start_ras = pos, layer.ras(self._held)
            layer.take(self._held)
        elif self._adds:
            self.try_edit(lambda: self._add(pos))
        else:
            self.move(pos)

    def move(self, pos: QPointF) -> None:
        self.hover_pos = pos
        layer = self.canvas.scene.spine
        if self._held is None:
            if not self._adds:
                self.canvas.ws.views.set_crosshair(self.canvas.ras_at(pos))
            return
        way = pos - self._start
        if layer.is_dragging or max(abs(way.x()), abs(way.y())) > STILL_PX:
            if not layer.is_dragging and not self.try_edit(
                lambda: refuse_read_only(self.canvas.ws)
            ):
                self._held = None
                return
            vector = self.canvas.vector_ras(way.x(), way.y())
            layer.drag(self._held, self._start_ras + vector)

    def release(self, pos: QPointF) -> None:
        self._held = None
        self.try_edit(self.canvas.scene.spine.drop)

    def cancel(self) -> None:
        self._held = None
        self.canvas.scene.spine.give_up()

    def _add(self, pos: QPointF) -> None:
        layer, place = self.canvas.scene.spine, self.canvas.ras_at(pos)
        layer.take(layer.add(place))
        self.canvas.ws.views.set_crosshair(place)

    def _place(self, key: str) -> tuple[float, float]:
        at = self.canvas.pos_of(self.canvas.scene.spine.ras(key))
        return at.x(), at.y()
