"""Drags that change how the views look: pan, zoom, grey scale, breathing shift.

A gesture lives from the press of a button to its release. It talks to its view through
:class:`Canvas`, so that the tools and the viewing drags share one small surface.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QPointF, QRect, Qt
from PyQt5.QtGui import QPainter, QPolygonF

from labeler.core.geometry import FloatArray, Plane
from labeler.core.views import ViewTransform
from labeler.state.view_state import Window
from labeler.ui.view_scene import ViewScene
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.shift_phase import shift_phase
from labeler.workflows.workspace import Workspace

#: Share of the present width (and a floor in HU) that one pixel of a grey scale drag changes.
WINDOW_SHARE_PER_PX = 1 / 250
MIN_WINDOW_HU_PER_PX = 0.2

#: Pixels of a zoom drag that double the size.
ZOOM_DOUBLING_PX = 150.0


class Canvas(Protocol):
    """What a gesture may know of the view it happens in."""

    @property
    def ws(self) -> Workspace: ...
    @property
    def scene(self) -> ViewScene: ...
    @property
    def phase(self) -> str: ...
    @property
    def plane(self) -> Plane: ...
    @property
    def transform(self) -> ViewTransform | None: ...
    def ras_at(self, pos: QPointF) -> FloatArray:
        """Point of the shown slice under a widget position, RAS mm."""

    def pos_of(self, ras: FloatArray) -> QPointF:
        """Widget position of a RAS point, seen along the view's normal."""

    def vector_ras(self, dx_px: float, dy_px: float) -> FloatArray:
        """In-plane RAS vector in mm of a movement on the screen."""

    def shows(self, ras: FloatArray) -> bool:
        """Whether a point lies in the slice that is shown."""

    def step(self, steps: int) -> None:
        """Move by slices of the view's phase; positive is towards head, front or right."""

    def refuse(self, sentence: str) -> None:
        """Tell the user why something is not done."""

    def update(self, rect: QRect = ...) -> None:
        """Ask for a repaint of a part, or of everything."""


def positions(canvas: Canvas, points_ras: npt.ArrayLike) -> FloatArray:
    """Widget positions ``(n, 2)`` of RAS points ``(n, 3)``: of many at once."""
    transform = canvas.transform
    if transform is None:
        return np.zeros((len(np.asarray(points_ras)), 2))
    return transform.ras_to_screen(points_ras)


def polygon(positions_px: FloatArray) -> QPolygonF:
    """Points ``(n, 2)`` as Qt draws them."""
    return QPolygonF([QPointF(x, y) for x, y in positions_px.tolist()])


class Gesture:
    """Base of all gestures; does nothing."""

    cursor: Qt.CursorShape | None = None

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def press(self, pos: QPointF) -> None:
        """Start at a widget position."""

    def move(self, pos: QPointF) -> None:
        """Follow the pointer."""

    def release(self, pos: QPointF) -> None:
        """End; the change stays."""

    def cancel(self) -> None:
        """End; nothing stays."""

    def paint(self, painter: QPainter) -> None:
        """Draw a preview over the view."""


class PanDrag(Gesture):
    """Moves all views so that the anatomy under the pointer follows it."""

    cursor = Qt.ClosedHandCursor

    def press(self, pos: QPointF) -> None:
        self._start = pos
        self._center_ras = self.canvas.ws.views.center_ras.copy()

    def move(self, pos: QPointF) -> None:
        moved = pos - self._start
        vector = self.canvas.vector_ras(moved.x(), moved.y())
        self.canvas.ws.views.set_frame(center_ras=self._center_ras - vector)

    def cancel(self) -> None:
        self.canvas.ws.views.set_frame(center_ras=self._center_ras)


class ZoomDrag(Gesture):
    """Up enlarges, down reduces, around the point where the drag began."""

    cursor = Qt.SizeVerCursor

    def press(self, pos: QPointF) -> None:
        views = self.canvas.ws.views
        self._last = pos
        self._anchor_ras = self.canvas.ras_at(pos)
        self._before = views.center_ras.copy(), views.mm_per_px

    def move(self, pos: QPointF) -> None:
        factor = 2.0 ** ((self._last.y() - pos.y()) / ZOOM_DOUBLING_PX)
        self._last = pos
        self.canvas.ws.views.zoom(factor, self._anchor_ras)

    def cancel(self) -> None:
        center_ras, mm_per_px = self._before
        self.canvas.ws.views.set_frame(center_ras=center_ras, mm_per_px=mm_per_px)


class WindowDrag(Gesture):
    """Right widens the grey scale, up makes the image brighter."""

    cursor = Qt.SizeAllCursor

    def press(self, pos: QPointF) -> None:
        self._start = pos
        self._window = self.canvas.ws.views.window(self.canvas.phase)

    def move(self, pos: QPointF) -> None:
        step = max(MIN_WINDOW_HU_PER_PX, self._window.width_hu * WINDOW_SHARE_PER_PX)
        width = round(self._window.width_hu + (pos.x() - self._start.x()) * step)
        level = round(self._window.level_hu + (pos.y() - self._start.y()) * step)
        self.canvas.ws.views.set_window(self.canvas.phase, Window(width, level))

    def cancel(self) -> None:
        self.canvas.ws.views.set_window(self.canvas.phase, self._window)


class ShiftDrag(Gesture):
    """Moves one phase against the others; the release makes it one undoable change."""

    cursor = Qt.SizeAllCursor

    def press(self, pos: QPointF) -> None:
        self._start = pos
        self._phase = self.canvas.phase
        self._before = np.array(self.canvas.scene.shift_mm(self._phase))
        self._shift_mm = self._before

    def move(self, pos: QPointF) -> None:
        moved = pos - self._start
        vector = self.canvas.vector_ras(moved.x(), moved.y())
        self._shift_mm = np.round(self._before + vector, 1)
        self.canvas.scene.preview_shift(self._phase, self._shift_mm)

    def release(self, pos: QPointF) -> None:
        self.canvas.scene.end_shift_preview()
        try:
            shift_phase(self.canvas.ws, self._phase, self._shift_mm)
        except EditRefused as refusal:
            self.canvas.refuse(str(refusal))

    def cancel(self) -> None:
        self.canvas.scene.end_shift_preview()
