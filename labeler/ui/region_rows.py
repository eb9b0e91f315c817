"""Parts of the region list: its rows, and the field that filters them."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QPoint, Qt, pyqtSignal
from PyQt5.QtGui import (
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QResizeEvent,
)
from PyQt5.QtWidgets import QAbstractItemView, QLineEdit, QTreeView, QWidget

from labeler.ui import style
from labeler.ui.region_drag import RegionDrop, drag_picture
from labeler.ui.region_table import RegionTable
from labeler.workflows.region_acts import region_names

_MOVES = (Qt.Key_Up, Qt.Key_Down, Qt.Key_PageUp, Qt.Key_PageDown, Qt.Key_Home, Qt.Key_End)


class RegionRows(QTreeView):
    """The tree; tells which row the user walked to by keys, and lets regions be dragged.

    Signals
    -------
    walked
        Index that a key moved the cursor to.
    resized
        The width of the rows changed.
    dragged
        A drag that began here has ended, wherever.
    """

    walked = pyqtSignal(QModelIndex)
    resized = pyqtSignal()
    dragged = pyqtSignal()

    def __init__(self, table: RegionTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = table
        #: What is done with regions that are dropped here.
        self.drop: RegionDrop | None = None
        self.setModel(table)
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setDragDropMode(QAbstractItemView.DragDrop)
        self.setDropIndicatorShown(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        before = self.currentIndex()
        super().keyPressEvent(event)
        now = self.currentIndex()
        if event.key() in _MOVES and (now.row(), now.parent()) != (before.row(), before.parent()):
            self.walked.emit(now)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def startDrag(self, actions: Qt.DropActions) -> None:
        """Carry the selected regions until they are dropped somewhere."""
        refs = self._table.sorted_refs(self.selectedIndexes())
        if not refs:
            return
        drag = QDrag(self)
        drag.setMimeData(self._table.mimeData(self.selectedIndexes()))
        picture = drag_picture(region_names(self._table.session, refs), self.devicePixelRatioF())
        drag.setPixmap(picture)
        # above the cursor: what will be done is said below it
        drag.setHotSpot(QPoint(-style.scaled(10), style.scaled(30)))
        drag.exec_(Qt.CopyAction | Qt.MoveAction, Qt.MoveAction)
        self.dragged.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        super().dragEnterEvent(event)
        if self.drop is not None:
            self.drop.drag(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        super().dragMoveEvent(event)  # scrolls near the edges
        if self.drop is not None:
            self.drop.drag(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        if self.drop is not None:
            self.drop.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        super().dragLeaveEvent(QDragLeaveEvent())  # ends the scrolling; the rows stay as they are
        if self.drop is not None:
            self.drop.drop(event)


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
