"""The levels from the head down: name, confidence of the model, what is doubted."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QModelIndex, QRect, QSize, Qt
from PyQt5.QtGui import QColor, QKeyEvent, QPainter
from PyQt5.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from labeler.core.spine_summary import reason_for
from labeler.ui import formats, style
from labeler.ui.panel_header import PanelHeader
from labeler.ui.row_view import dress_rows
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.style import scaled
from labeler.workflows.workspace import Workspace

KEY = int(Qt.UserRole)

ROW_PX = 24

#: Below this a confidence is written in amber.
LOW_CONFIDENCE = 0.5

EMPTY = "No centroids yet.\nAdd (2) puts them where you click."


class LevelList(QWidget):
    """Follows centroids and selection; a click, or the arrow keys, select."""

    def __init__(self, ws: Workspace, layer: SpineLayer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("levelList")
        self.setAccessibleName("Levels")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._layer = layer
        self.header = PanelHeader("Levels", self)
        self._rows = _Rows(self)
        dress_rows(
            self._rows, "levelRows", "Levels",
            "A click goes to a vertebra; typing a name such as t12 renames the selected one",
        )  # fmt: skip
        self._rows.setItemDelegate(_RowDelegate(layer, self._rows))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self._rows, 1)
        self._rows.currentItemChanged.connect(self._choose)
        layer.changed.connect(self._fill)
        ws.spine.selected.connect(self._follow)
        self._fill()

    def sizeHint(self) -> QSize:
        return QSize(scaled(320), scaled(ROW_PX) * 16)

    def texts(self) -> list[str]:
        """Levels as they stand in the list."""
        return [self._layer.name(key) for key in self._keys()]

    def _keys(self) -> list[str]:
        return [self._rows.item(row).data(KEY) for row in range(self._rows.count())]

    def _fill(self) -> None:
        keys = list(self._layer.from_above())
        self._rows.blockSignals(True)
        if keys != self._keys():
            self._rows.clear()
            for key in keys:
                self._rows.addItem(_Row(self._layer, key))
        self._rows.blockSignals(False)
        self._follow(self._ws.spine.key)
        count = len({key for doubt in self._layer.doubts for key in doubt.keys[:1]})
        note = "type a name to rename" if not count else formats.count(count, "doubt")
        self.header.set_note(note if keys else "", "Type a name such as t12 to rename")
        self._rows.viewport().update()

    def _follow(self, key: str | None) -> None:
        keys = self._keys()
        self._rows.blockSignals(True)
        self._rows.setCurrentRow(keys.index(key) if key in keys else -1)
        self._rows.blockSignals(False)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._ws.spine.select(item.data(KEY))


class _Row(QListWidgetItem):
    """One level; asks what there is to tell, so that a new name needs no new layout."""

    def __init__(self, layer: SpineLayer, key: str) -> None:
        super().__init__()
        self._layer = layer
        self._key = key

    def data(self, role: int) -> Any:
        if role == KEY:
            return self._key
        if self._key not in self._layer.centroids:
            return None
        if role == Qt.AccessibleTextRole:
            return self._layer.name(self._key)
        if role == Qt.ToolTipRole:
            doubt = self._layer.doubt_of(self._key)
            return None if doubt is None else doubt.text
        return None


class _Rows(QListWidget):
    """Leaves letters to the commands, which rename; says what to do while there is nothing."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text().isalnum():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(QColor(style.DIM))
            room = self.viewport().rect().adjusted(scaled(12), scaled(8), -scaled(12), 0)
            painter.drawText(room, int(Qt.AlignLeft | Qt.AlignTop | Qt.TextWordWrap), EMPTY)


class _RowDelegate(QStyledItemDelegate):
    def __init__(self, layer: SpineLayer, parent: QWidget) -> None:
        super().__init__(parent)
        self._layer = layer
        self._fonts = {is_bold: style.text_font(bold=is_bold) for is_bold in (False, True)}

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(scaled(200), scaled(ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        key = index.data(KEY)
        centroid = self._layer.centroids.get(key)
        if centroid is None:
            return
        rect, is_selected = option.rect, bool(option.state & QStyle.State_Selected)
        if is_selected:
            painter.fillRect(rect, QColor(style.SELECTED))
        elif option.state & QStyle.State_MouseOver:
            painter.fillRect(rect, QColor(style.RAISED))
        side = scaled(8)
        swatch = QRect(rect.left() + scaled(12), rect.center().y() - side // 2, side, side)
        painter.fillRect(swatch, QColor(self._layer.colour(key)))
        painter.setFont(self._fonts[is_selected])
        level = centroid.level
        self._text(painter, rect, scaled(28), scaled(60), level, style.BRIGHT, Qt.AlignLeft)
        painter.setFont(self._fonts[False])
        confidence = centroid.confidence
        words, colour = (formats.UNKNOWN, style.FAINT) if confidence is None else (
            f"{confidence:.2f}", style.AMBER if confidence < LOW_CONFIDENCE else style.DIM
        )  # fmt: skip
        self._text(painter, rect, scaled(76), scaled(64), words, colour, Qt.AlignRight)
        doubt = self._layer.doubt_of(key)
        if doubt is not None:
            room = rect.width() - scaled(160)
            colour = self._layer.colour(key)
            words = reason_for(doubt, self._layer.centroids)
            words = painter.fontMetrics().elidedText(words, Qt.ElideRight, room)
            self._text(painter, rect, scaled(148), room, words, colour, Qt.AlignRight)

    def _text(
        self, painter: QPainter, rect: QRect, left: int, width: int, text: str, colour: str,
        align: Qt.AlignmentFlag,
    ) -> None:  # fmt: skip
        painter.setPen(QColor(colour))
        box = QRect(rect.left() + left, rect.top(), width, rect.height())
        painter.drawText(box, int(align | Qt.AlignVCenter), text)
