"""Parts of the region list: its rows, and the field that filters them."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QResizeEvent
from PyQt5.QtWidgets import QLineEdit, QTreeView

_MOVES = (Qt.Key_Up, Qt.Key_Down, Qt.Key_PageUp, Qt.Key_PageDown, Qt.Key_Home, Qt.Key_End)


class RegionRows(QTreeView):
    """The tree; tells which row the user walked to by keys.

    Signals
    -------
    walked
        Index that a key moved the cursor to.
    resized
        The width of the rows changed.
    """

    walked = pyqtSignal(QModelIndex)
    resized = pyqtSignal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        before = self.currentIndex()
        super().keyPressEvent(event)
        now = self.currentIndex()
        if event.key() in _MOVES and (now.row(), now.parent()) != (before.row(), before.parent()):
            self.walked.emit(now)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


class FilterField(QLineEdit):
    """Field whose Esc shows all and leaves it, and whose Enter and arrow down lead to the rows.

    Signals
    -------
    entered
        The user wants to go on in the rows.
    """

    entered = pyqtSignal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key_Escape:
            self.clear()
            self.clearFocus()
        elif event.key() in (Qt.Key_Down, Qt.Key_Return, Qt.Key_Enter):
            self.entered.emit()
        else:
            super().keyPressEvent(event)
