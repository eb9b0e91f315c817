"""Choosing a label: type a few letters, arrow keys, Enter."""

from __future__ import annotations

from PyQt5.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from labeler.core.labels import MAX_LABEL, Label, LabelTable
from labeler.ui import style
from labeler.ui.badges import swatch_icon

_VALUE = int(Qt.UserRole)


class LabelPicker(QWidget):
    """Search field over a list of labels.

    A number that no label has is offered as a new label.

    Parameters
    ----------
    labels
        What can be chosen.
    current
        Value the cursor starts on.
    parent
        Owner.
    choose_on_click
        Whether one click chooses (a list that drops down) or only moves the cursor (a dialog).

    Signals
    -------
    chosen
        Value of the label that was entered, or clicked.
    current_changed
        Value under the cursor, 0 when there is none.
    """

    chosen = pyqtSignal(int)
    current_changed = pyqtSignal(int)

    def __init__(
        self,
        labels: LabelTable,
        current: int,
        parent: QWidget | None = None,
        *,
        choose_on_click: bool = False,
    ) -> None:
        super().__init__(parent)
        self._labels = labels
        self._search = QLineEdit(self)
        self._search.setObjectName("labelSearch")
        self._search.setAccessibleName("Search labels")
        self._search.setToolTip("Type part of a name, a value, or the value of a new label")
        self._search.setPlaceholderText("Name or value \u2026")
        self._search.setClearButtonEnabled(True)
        self._list = QListWidget(self)
        self._list.setObjectName("labelChoices")
        self._list.setAccessibleName("Labels")
        self._list.setToolTip("Enter or click takes the label")
        self._list.setUniformItemSizes(True)
        self._list.setIconSize(QSize(style.scaled(10), style.scaled(10)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.scaled(6))
        layout.addWidget(self._search)
        layout.addWidget(self._list)
        self.setFocusProxy(self._search)
        self._search.installEventFilter(self)
        self._search.textChanged.connect(self._fill)
        if choose_on_click:
            self._list.itemClicked.connect(lambda item: self.chosen.emit(item.data(_VALUE)))
        self._list.itemActivated.connect(lambda item: self.chosen.emit(item.data(_VALUE)))
        self._list.currentItemChanged.connect(lambda: self.current_changed.emit(self.value))
        self._fill("")
        self.set_value(current)

    @property
    def value(self) -> int:
        """Value under the cursor, 0 when nothing fits the search."""
        item = self._list.currentItem()
        return item.data(_VALUE) if item is not None else 0

    def set_value(self, value: int) -> None:
        """Put the cursor on a label of the list."""
        for row in range(self._list.count()):
            if self._list.item(row).data(_VALUE) == value:
                self._list.setCurrentRow(row)
                self._list.scrollToItem(self._list.item(row))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrow keys and Enter in the search field work on the list."""
        if watched is self._search and event.type() == QEvent.KeyPress:
            assert isinstance(event, QKeyEvent)
            if event.key() in (Qt.Key_Up, Qt.Key_Down, Qt.Key_PageUp, Qt.Key_PageDown):
                QApplication.sendEvent(self._list, event)
                return True
            if event.key() in (Qt.Key_Return, Qt.Key_Enter) and self.value:
                self.chosen.emit(self.value)
                return True
        return super().eventFilter(watched, event)

    def _fill(self, text: str) -> None:
        self._list.clear()
        for label in matching_labels(self._labels, text):
            item = QListWidgetItem(swatch_icon(label.colour), label.name, self._list)
            item.setData(_VALUE, label.value)
            is_new = label.value not in self._labels
            item.setToolTip(f"{'New label' if is_new else 'Label'} {label.value}")
            if is_new:
                item.setIcon(style.icon("mdi6.plus", label.colour))
        if self._list.count():
            self._list.setCurrentRow(0)
        self.current_changed.emit(self.value)


def matching_labels(labels: LabelTable, text: str) -> list[Label]:
    """Return the labels whose name or value holds ``text``, and one that is new.

    Names that begin with the text come first. The new one has the value that was typed, or the
    next one after all others.
    """
    needle = text.strip().casefold()
    found = [
        label for label in labels if needle in label.name.casefold() or needle == str(label.value)
    ]
    found.sort(key=lambda label: not label.name.casefold().startswith(needle))
    if not needle:
        new = max((label.value for label in labels), default=0) + 1
    else:
        new = int(needle) if needle.isdecimal() else 0
    if 1 <= new <= MAX_LABEL and new not in labels:
        found.append(labels[new])
    return found


class LabelPopup(QFrame):
    """The picker as a list that drops down from a button and closes at a choice.

    Signals
    -------
    chosen
        Value of the chosen label.
    """

    chosen = pyqtSignal(int)

    def __init__(self, labels: LabelTable, current: int, parent: QWidget) -> None:
        super().__init__(parent, Qt.Popup)
        self.setObjectName("labelPopup")
        self.setProperty("popup", True)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self._picker = LabelPicker(labels, current, self, choose_on_click=True)
        self._picker.chosen.connect(self._take)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(8),) * 4)
        layout.addWidget(self._picker)

    def open_at(self, point: QPoint) -> None:
        """Show the list with its corner at a point of the screen, moved to fit."""
        size = QSize(style.scaled(250), style.scaled(330))
        screen = QApplication.screenAt(point) or QApplication.primaryScreen()
        box = QRect(point, size)
        if screen is not None:
            room = screen.availableGeometry()
            box.moveRight(min(box.right(), room.right()))
            box.moveBottom(min(box.bottom(), room.bottom()))
        self.setGeometry(box)
        self.show()
        self._picker.setFocus()

    def _take(self, value: int) -> None:
        self.chosen.emit(value)
        self.close()
