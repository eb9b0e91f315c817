"""Choosing which columns of the reports are shown, and in what order."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QPoint, QSize, Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import style
from labeler.ui.panel_header import quiet_button

_NAME = int(Qt.UserRole)


class ColumnsPopup(QFrame):
    """List of column names with check marks; dragging or Alt+arrows change the order.

    Parameters
    ----------
    columns
        All columns there are.
    shown
        Those that are shown, in their order.

    Signals
    -------
    changed
        List of the columns to show; empty for the standard choice.
    """

    changed = pyqtSignal(list)

    def __init__(self, columns: Sequence[str], shown: Sequence[str], parent: QWidget) -> None:
        super().__init__(parent, Qt.Popup)
        self.setObjectName("columnsPopup")
        self.setProperty("popup", True)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self._list = QListWidget(self)
        self._list.setObjectName("columnChoices")
        self._list.setAccessibleName("Columns of the reports")
        self._list.setToolTip("Ticked columns are shown, in this order; drag to reorder")
        self._list.setDragDropMode(QAbstractItemView.InternalMove)
        self._list.setDefaultDropAction(Qt.MoveAction)
        for name in [*shown, *(name for name in columns if name not in shown)]:
            item = QListWidgetItem(name, self._list)
            item.setData(_NAME, name)
            item.setFlags((item.flags() | Qt.ItemIsUserCheckable) & ~Qt.ItemIsDropEnabled)
            item.setCheckState(Qt.Checked if name in shown else Qt.Unchecked)
        self._list.setCurrentRow(0)
        self._lay_out()
        self._list.itemChanged.connect(lambda item: self.changed.emit(self.shown()))
        self._list.model().rowsMoved.connect(lambda *where: self.changed.emit(self.shown()))

    def shown(self) -> list[str]:
        """Ticked columns, in the order of the list."""
        items = [self._list.item(row) for row in range(self._list.count())]
        return [item.data(_NAME) for item in items if item.checkState() == Qt.Checked]

    def open_below(self, widget: QWidget) -> None:
        """Show the list under a button, right edges together."""
        size = QSize(style.scaled(250), style.scaled(300))
        corner = widget.mapToGlobal(QPoint(widget.width() - size.width(), widget.height()))
        self.setGeometry(corner.x(), corner.y(), size.width(), size.height())
        self.show()
        self._list.setFocus()

    def _lay_out(self) -> None:
        hint = QLabel("Columns to show, in this order", self)
        hint.setProperty("dim", True)
        up = quiet_button(self, "columnUp", "Move the column up", icon="mdi6.arrow-up")
        down = quiet_button(self, "columnDown", "Move the column down", icon="mdi6.arrow-down")
        up.clicked.connect(lambda checked=False: self._move(-1))
        down.clicked.connect(lambda checked=False: self._move(1))
        standard = QPushButton("Standard", self)
        standard.setObjectName("columnsStandard")
        standard.setToolTip("Show what config/report.toml says")
        standard.clicked.connect(self._reset)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(hint, 1)
        top.addWidget(up)
        top.addWidget(down)
        bottom.addStretch(1)
        bottom.addWidget(standard)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(8),) * 4)
        layout.setSpacing(style.scaled(6))
        layout.addLayout(top)
        layout.addWidget(self._list, 1)
        layout.addLayout(bottom)

    def _move(self, step: int) -> None:
        row = self._list.currentRow()
        if row >= 0 and 0 <= row + step < self._list.count():
            item = self._list.takeItem(row)
            self._list.insertItem(row + step, item)
            self._list.setCurrentRow(row + step)
            self.changed.emit(self.shown())

    def _reset(self) -> None:
        self.changed.emit([])
        self.close()
