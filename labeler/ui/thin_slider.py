"""A thin slider that jumps to where it is clicked and leaves the wheel to the panel around it."""

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QMouseEvent, QWheelEvent
from PyQt5.QtWidgets import QSlider, QStyle, QWidget

from labeler.ui import style

#: Width of the handle in the style sheet, for 13 px text.
HANDLE_PX = 10


class ThinSlider(QSlider):
    """Horizontal slider for narrow places."""

    def __init__(self, name: str, steps: int, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Horizontal, parent)
        self.setObjectName(name)
        self.setRange(0, steps)
        self.setSingleStep(1)
        self.setPageStep(max(1, steps // 10))
        self.setFocusPolicy(Qt.StrongFocus)

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(46), style.scaled(16))

    def minimumSizeHint(self) -> QSize:
        return QSize(style.scaled(30), style.scaled(16))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.LeftButton:
            handle = style.scaled(HANDLE_PX)
            place, room = event.x() - handle // 2, max(1, self.width() - handle)
            self.setValue(
                QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), place, room)
            )
        super().mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
