"""What the hand does in a picture along the spine.

====================  =============================================================
left on a centroid    selects it; a drag moves it, Esc puts it back
left elsewhere        the crosshair follows; with the tool "Add" a new centroid
wheel                 along the spine; Ctrl: zoom
middle                moves the picture
right                 grey scale
double click          the whole spine
====================  =============================================================
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PyQt5.QtCore import QEvent, QObject, QPointF, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from labeler.core.geometry import FloatArray
from labeler.state.view_state import Window
from labeler.ui.edit_tools_centroid import GRAB_PX, STILL_PX
from labeler.ui.spine_pane import SpinePane
from labeler.ui.view_gestures import MIN_WINDOW_HU_PER_PX, WINDOW_SHARE_PER_PX
from labeler.ui.view_mouse import NOTCH, ZOOM_DOUBLING_NOTCHES, is_typing
from labeler.workflows.edit_rules import EditRefused, refuse_read_only

#: Share of the height of the picture that a notch of the wheel moves.
SCROLL_SHARE = 0.08

Doing = Literal["", "centroid", "crosshair", "pan", "window"]


class SpineHand(QObject):
    """Mouse and keys of one pane; hears its events.

    Signals
    -------
    refused
        Why something is not done.
    fit_requested
        The whole spine is wanted.
    """

    refused = pyqtSignal(str)
    fit_requested = pyqtSignal()

    def __init__(self, pane: SpinePane) -> None:
        super().__init__(pane)
        self._pane = pane
        self._doing: Doing = ""
        self._held: str | None = None
        self._start = QPointF()
        self._start_ras: FloatArray = np.zeros(3)
        self._window = Window(1.0, 0.0)
        pane.installEventFilter(self)

    def eventFilter(self, pane: QObject, event: QEvent) -> bool:
        if isinstance(event, QMouseEvent):
            return self._mouse(event)
        if isinstance(event, QWheelEvent):
            self._wheel(event)
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.KeyPress:
            return self._key(event)
        if event.type() == QEvent.Enter and not is_typing():
            self._pane.setFocus(Qt.MouseFocusReason)
        elif event.type() == QEvent.Leave:
            self._pane.ws.views.hovered.emit(None)
        return False

    def _mouse(self, event: QMouseEvent) -> bool:
        if event.type() == QEvent.MouseButtonPress:
            self._press(event)
        elif event.type() == QEvent.MouseMove:
            self._move(event)
        elif event.type() == QEvent.MouseButtonRelease:
            self._end()
        elif event.type() == QEvent.MouseButtonDblClick:
            self._double_click(event)
        else:
            return False
        return True

    def _press(self, event: QMouseEvent) -> None:
        """A button goes down."""
        if self._doing:
            return
        pane, pos = self._pane, QPointF(event.localPos())
        self._start = pos
        if event.button() == Qt.MiddleButton:
            self._doing = "pan"
        elif event.button() == Qt.RightButton:
            self._doing, self._window = "window", pane.ws.views.window(pane.phase)
        elif event.button() == Qt.LeftButton and pane.picture is not None:
            self._press_left(pos)

    def _move(self, event: QMouseEvent) -> None:
        """The pointer moves, with or without a button."""
        pane, pos = self._pane, QPointF(event.localPos())
        if self._doing and not event.buttons():
            self._end()  # a dialog took the release away
        if self._doing == "centroid":
            self._drag(pos)
        elif self._doing == "crosshair":
            self._set_crosshair(pos)
        elif self._doing == "pan":
            way, mm = pos - self._start, pane.view.mm_per_px
            self._start = pos
            pane.view.move(pane.plane, way.x() * mm, way.y() * mm)
        elif self._doing == "window":
            self._drag_window(pos - self._start)
        ras = pane.ras_at(pos)
        if ras is not None:
            pane.ws.views.hovered.emit(ras)

    def _wheel(self, event: QWheelEvent) -> None:
        """Along the spine, or zoom."""
        pane = self._pane
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.ControlModifier:
            factor = 2.0 ** (delta / NOTCH / ZOOM_DOUBLING_NOTCHES)
            side, height = pane.side_and_height(QPointF(event.posF()))
            pane.view.zoom(factor, pane.plane, side, height)
        else:
            way = delta / NOTCH * SCROLL_SHARE * pane.height() * pane.view.mm_per_px
            pane.view.move(pane.plane, 0.0, way)

    def _key(self, event: QKeyEvent) -> bool:
        """Whether a key was used up: Esc gives a drag up."""
        if event.key() == Qt.Key_Escape and self._doing == "centroid":
            self._doing, self._held = "", None
            self._pane.layer.give_up()
            return True
        return False

    def _double_click(self, event: QMouseEvent) -> None:
        """The whole spine, but not while adding, where clicks come fast."""
        if event.button() == Qt.LeftButton and not self._adds and not self._near(event):
            self.fit_requested.emit()
        else:
            self._press(event)

    @property
    def _adds(self) -> bool:
        return self._pane.ws.selection.tool == "tool.centroid_add"

    def _near(self, event: QMouseEvent) -> str | None:
        at = (event.localPos().x(), event.localPos().y())
        return self._pane.layer.nearest(self._pane.places(), at, GRAB_PX)

    def _press_left(self, pos: QPointF) -> None:
        pane = self._pane
        self._held = pane.layer.nearest(pane.places(), (pos.x(), pos.y()), GRAB_PX)
        if self._held is not None:
            self._doing, self._start_ras = "centroid", pane.layer.ras(self._held)
            pane.ws.spine.select(self._held)
        elif self._adds:
            self._try_add(pos)
        else:
            self._doing = "crosshair"
            self._set_crosshair(pos)

    def _try_add(self, pos: QPointF) -> None:
        pane, ras = self._pane, self._pane.ras_at(pos)
        if ras is None:
            return
        try:
            pane.ws.spine.select(pane.layer.add(ras))
        except EditRefused as refusal:
            self.refused.emit(str(refusal))

    def _drag(self, pos: QPointF) -> None:
        pane, way = self._pane, pos - self._start
        layer, picture = pane.layer, pane.picture
        if picture is None or self._held is None:
            return
        if not layer.is_dragging:
            if max(abs(way.x()), abs(way.y())) <= STILL_PX:
                return
            try:
                refuse_read_only(pane.ws)
            except EditRefused as refusal:
                self._doing = ""
                self.refused.emit(str(refusal))
                return
        scale = pane.view.mm_per_px / picture.plane.mm_per_px
        moved = picture.plane.moved(self._start_ras, way.y() * scale, way.x() * scale)
        layer.drag(self._held, moved)

    def _drag_window(self, way: QPointF) -> None:
        step = max(MIN_WINDOW_HU_PER_PX, self._window.width_hu * WINDOW_SHARE_PER_PX)
        width = round(self._window.width_hu + way.x() * step)
        level = round(self._window.level_hu + way.y() * step)
        self._pane.ws.views.set_window(self._pane.phase, Window(width, level))

    def _set_crosshair(self, pos: QPointF) -> None:
        ras = self._pane.ras_at(pos)
        if ras is not None:
            self._pane.ws.views.set_frame(crosshair_ras=ras, center_ras=ras)

    def _end(self) -> None:
        doing, self._doing = self._doing, ""
        self._held = None
        if doing == "centroid":
            try:
                self._pane.layer.drop()
            except EditRefused as refusal:
                self.refused.emit(str(refusal))
