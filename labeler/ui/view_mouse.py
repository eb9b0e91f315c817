"""Which hand does what: turns mouse and keys of a view into gestures and tools."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)

from labeler.ui.tool_set import make_tools
from labeler.ui.view_gestures import Canvas, Gesture, PanDrag, ShiftDrag, WindowDrag, ZoomDrag
from labeler.ui.view_tools import Tool, next_brush_mm

#: Wheel units (eighths of a degree) of one notch.
NOTCH = 120

#: Notches of Ctrl+wheel that double the size.
ZOOM_DOUBLING_NOTCHES = 4.0

FAST_SLICES = 5

#: Widgets in which somebody may be typing: a view does not take the keys away from them.
_TYPING = (QLineEdit, QTextEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox)


class ViewMouse:
    """Mouse and keys of one view.

    ====================  =============================================================
    wheel                 slice; Shift: five slices; Ctrl: zoom; Ctrl+Shift: brush size
    left                  the tool; with Space: pan; with Alt: shift of the phase
    middle                pan
    right                 erases with a painting tool, else (or with Ctrl) grey scale,
                          or zoom in the profile "ITK-SNAP"
    double click          maximizes, with the navigating tool
    ====================  =============================================================
    """

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._tools = make_tools(canvas)
        self._tool = self._tools["tool.navigate"]
        self._gesture: Gesture | None = None
        self._button = Qt.NoButton
        self._dragged_to = QPointF()
        self._has_space = False
        self._wheel_units = 0
        #: Where the pointer is, in pixels of the view; ``None`` while it is elsewhere.
        self.hovered_at: QPointF | None = None
        self.choose_tool(canvas.ws.selection.tool)

    @property
    def cursor(self) -> Qt.CursorShape:
        """Shape of the pointer for what a press would do."""
        if self._gesture is not None and self._gesture.cursor is not None:
            return self._gesture.cursor
        return Qt.OpenHandCursor if self._has_space else self._tool.cursor or Qt.ArrowCursor

    @property
    def is_busy(self) -> bool:
        """Whether a drag is on its way or an outline is not closed."""
        return self._gesture is not None or self._tool.is_busy

    def choose_tool(self, tool: str) -> None:
        """Take another tool; what the former one had begun is given up."""
        self.cancel()
        self._tool.hover(None)
        self._tool = self._tools.get(tool, self._tools["tool.navigate"])

    def cancel(self) -> None:
        """Give up whatever is on its way."""
        if self._gesture is not None and self._gesture is not self._tool:
            self._gesture.cancel()
        self._gesture = None
        self._button = Qt.NoButton
        if self._tool.is_busy:
            self._tool.cancel()

    def press(self, event: QMouseEvent) -> None:
        if self._gesture is not None:
            return  # another button in the middle of a drag
        pos = QPointF(event.localPos())
        gesture = self._gesture_for(event)
        if gesture is None:
            return
        self._gesture, self._button, self._dragged_to = gesture, event.button(), pos
        if isinstance(gesture, Tool):
            gesture.begin(pos, erase=event.button() == Qt.RightButton)
        else:
            gesture.press(pos)

    def move(self, event: QMouseEvent) -> None:
        pos = self.hovered_at = QPointF(event.localPos())
        if not event.buttons() & self._button:
            self._finish()  # a dialog took the release away
        if self._gesture is not None:
            self._dragged_to = pos
            self._gesture.move(pos)
        else:
            self._tool.hover(pos)

    def release(self, event: QMouseEvent) -> None:
        if self._gesture is not None and event.button() == self._button:
            self._dragged_to = QPointF(event.localPos())
            self._finish()

    def _finish(self) -> None:
        """End the drag, if there is one, where it came to."""
        gesture, self._gesture = self._gesture, None
        self._button = Qt.NoButton
        if gesture is not None:
            gesture.release(self._dragged_to)

    def double_click(self, event: QMouseEvent) -> bool:
        """Second press of a double click; true when the view should maximize."""
        plain_left = event.button() == Qt.LeftButton and not self._modifier_gesture(event)
        if not plain_left:
            self.press(event)
            return False
        if not self._tool.paints:
            return True
        self._dragged_to = QPointF(event.localPos())
        self._gesture, self._button = self._tool, event.button()
        self._tool.double_click(self._dragged_to)
        return False

    def leave(self) -> None:
        """The pointer left the view."""
        self.hovered_at = None
        self._tool.hover(None)
        self._canvas.update()

    def wheel(self, event: QWheelEvent) -> None:
        delta = event.angleDelta().y() or event.angleDelta().x()
        control = bool(event.modifiers() & Qt.ControlModifier)
        shift = bool(event.modifiers() & Qt.ShiftModifier)
        if control and not shift:
            factor = 2.0 ** (delta / NOTCH / ZOOM_DOUBLING_NOTCHES)
            self._canvas.ws.views.zoom(factor, self._canvas.ras_at(QPointF(event.posF())))
            return
        notches = self._whole_notches(delta)
        if not notches:
            return
        if control:
            selection = self._canvas.ws.selection
            selection.set_brush_mm(next_brush_mm(selection.brush_mm, notches))
        elif self.is_busy:
            self._refuse_to_scroll()
        else:
            self._canvas.step(notches * (FAST_SLICES if shift else 1))

    def key_press(self, event: QKeyEvent) -> bool:
        """A key was pressed; true when it is used up."""
        if event.key() == Qt.Key_Space:
            self._has_space = True
            return True
        if event.key() == Qt.Key_Escape and self._gesture is not None:
            self.cancel()
            return True
        return self._tool.key(event.key())

    def key_release(self, event: QKeyEvent) -> bool:
        """A key was released; true when it is used up."""
        if event.key() == Qt.Key_Space and not event.isAutoRepeat():
            self._has_space = False
            return True
        return False

    def focus_lost(self) -> None:
        """Keys and buttons are no longer heard, so none counts as held."""
        self._has_space = False
        self._finish()

    def paint(self, painter: QPainter) -> None:
        """Draw what the tool previews."""
        self._tool.paint(painter)

    def _gesture_for(self, event: QMouseEvent) -> Gesture | None:
        special = self._modifier_gesture(event)
        if special is not None:
            return special
        if event.button() == Qt.LeftButton:
            return self._tool
        if event.button() == Qt.RightButton:
            if self._tool.paints:
                return self._tool
            profile = self._canvas.ws.settings.data.mouse.profile
            return (ZoomDrag if profile == "ITK-SNAP" else WindowDrag)(self._canvas)
        return None

    def _modifier_gesture(self, event: QMouseEvent) -> Gesture | None:
        """The drags that a held key or the middle button ask for, whatever the tool."""
        left = event.button() == Qt.LeftButton
        if event.button() == Qt.MiddleButton or (left and self._has_space):
            return PanDrag(self._canvas)
        if left and event.modifiers() & Qt.AltModifier:
            return ShiftDrag(self._canvas)
        if event.button() == Qt.RightButton and event.modifiers() & Qt.ControlModifier:
            return WindowDrag(self._canvas)
        return None

    def _whole_notches(self, delta: int) -> int:
        """Add up the small steps of touch pads and fine wheels until they make a notch."""
        if delta * self._wheel_units < 0:
            self._wheel_units = 0  # the direction has changed
        self._wheel_units += delta
        notches = int(self._wheel_units / NOTCH)
        self._wheel_units -= notches * NOTCH
        return notches

    def _refuse_to_scroll(self) -> None:
        if self._gesture is None:
            self._canvas.refuse("Close the outline first (Enter), or give it up (Esc)")


def is_typing() -> bool:
    """Whether the keys go to a field of text or numbers."""
    return isinstance(QApplication.focusWidget(), _TYPING)
