"""The labels of one mask: colour, name, number of regions, visibility, lock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from PyQt5.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PyQt5.QtGui import QColor, QFontMetrics, QPainter
from PyQt5.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from labeler.core.labels import Label
from labeler.ui import formats, style
from labeler.ui.badges import paint_swatch
from labeler.ui.row_view import dress_rows, dress_tree
from labeler.workflows.workspace import Workspace

NAME, COUNT, EYE, LOCK = range(4)
ROW_ROLE = int(Qt.UserRole)


@dataclass(frozen=True)
class LabelRow:
    """What is shown of a label; ``count`` is ``None`` while regions are being counted."""

    label: Label
    count: int | None
    is_visible: bool
    is_locked: bool
    is_active: bool


class LabelRowsTable(QAbstractTableModel):
    """Labels found in a mask, and those that are active, hidden or locked there."""

    def __init__(self, ws: Workspace, mask: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._mask = mask
        self.rows: list[LabelRow] = []
        self.refresh()

    def refresh(self) -> None:
        """Compare with the state and follow it."""
        fresh = self._wanted()
        same = [row.label.value for row in fresh] == [row.label.value for row in self.rows]
        if same:
            self.rows = fresh
            if fresh:
                self.dataChanged.emit(self.index(0, 0), self.index(len(fresh) - 1, LOCK))
        else:
            self.beginResetModel()
            self.rows = fresh
            self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 (Qt signature)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 (Qt signature)
        return 4

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == ROW_ROLE:
            return row
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return self._text(row, index.column())
        if role == Qt.ToolTipRole:
            return self._tip(row, index.column())
        return None

    def _text(self, row: LabelRow, column: int) -> str:
        if column == NAME:
            return row.label.name
        if column == COUNT:
            return formats.UNKNOWN if row.count is None else f"{row.count:,}"
        if column == EYE:
            return "shown" if row.is_visible else "hidden"
        return "locked" if row.is_locked else "free"

    def _tip(self, row: LabelRow, column: int) -> str:
        name = row.label.name
        if column == EYE:
            return f"{'Hide' if row.is_visible else 'Show'} {name} in {self._mask}"
        if column == LOCK:
            if row.is_locked:
                return f"{name} is protected from every change; click to free it"
            return f"Protect {name} in {self._mask} from every change  (K)"
        if row.is_active:
            return f"Edits write {name} (label {row.label.value})"
        return f"Let edits write {name} (label {row.label.value})"

    def _wanted(self) -> list[LabelRow]:
        session, selection = self._ws.session, self._ws.selection
        index = session.regions.get(self._mask)
        counts = Counter(r.label for r in index.regions.values()) if index is not None else None
        hidden = self._ws.views.style(self._mask).hidden_labels
        locked = selection.locked.get(self._mask, frozenset())
        active = selection.label if selection.mask == self._mask else None
        values = {*(counts or ()), *hidden, *locked, *({active} - {None})}
        return [
            LabelRow(
                session.labels[value],
                None if counts is None else counts[value],
                value not in hidden,
                value in locked,
                value == active,
            )
            for value in sorted(values)
        ]


class LabelRows(QTreeView):
    """List of a mask's labels, as high as its rows; the panel around it scrolls."""

    def __init__(self, ws: Workspace, mask: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tip = f"A click lets edits write a label into {mask}"
        dress_rows(self, f"labels.{mask}", f"Labels of {mask}", tip)
        dress_tree(self)
        self._ws = ws
        self._mask = mask
        self._table = LabelRowsTable(ws, mask, self)
        self.setModel(self._table)
        self.setItemDelegate(_LabelDelegate(self))
        self.setHeaderHidden(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        header = self.header()
        header.setMinimumSectionSize(style.scaled(16))
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.Stretch)
        for column, width in ((COUNT, 38), (EYE, 24), (LOCK, 24)):
            header.setSectionResizeMode(column, QHeaderView.Fixed)
            header.resizeSection(column, style.scaled(width))
        self._table.modelReset.connect(self._fit)
        self.clicked.connect(self._clicked)
        self.activated.connect(lambda index: self._choose(index.row()))
        self._fit()

    @property
    def table(self) -> LabelRowsTable:
        return self._table

    def refresh(self) -> None:
        """Follow the state."""
        self._table.refresh()

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(240), self._height())

    def label_at(self, pos: QPoint) -> tuple[int, QRect] | None:
        """Label of the row at a point, and where the row is; ``None`` beside the rows."""
        index = self.indexAt(pos)
        if not index.isValid():
            return None
        row = self.visualRect(index.siblingAtColumn(NAME))
        rect = QRect(0, row.y(), self.width(), row.height())
        return self._table.rows[index.row()].label.value, rect

    def _height(self) -> int:
        row = self.fontMetrics().height() + style.scaled(7)
        return max(1, row * self._table.rowCount())

    def _fit(self) -> None:
        self.setFixedHeight(self._height())

    def _clicked(self, index: QModelIndex) -> None:
        row = self._table.rows[index.row()]
        if index.column() == EYE:
            self._set_visible(row.label.value, not row.is_visible)
        elif index.column() == LOCK:
            self._ws.selection.set_locked(self._mask, row.label.value, not row.is_locked)
        else:
            self._choose(index.row())

    def _choose(self, row: int) -> None:
        self._ws.selection.set_mask(self._mask)
        self._ws.selection.set_label(self._table.rows[row].label.value)

    def _set_visible(self, value: int, visible: bool) -> None:
        now = self._ws.views.style(self._mask)
        hidden = now.hidden_labels - {value} if visible else now.hidden_labels | {value}
        self._ws.views.set_style(self._mask, replace(now, hidden_labels=hidden))


class _LabelDelegate(QStyledItemDelegate):
    """Swatch and name, count, eye, lock; marks that say "normal" stay in the background."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(style.scaled(20), QFontMetrics(option.font).height() + style.scaled(7))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        row: LabelRow = index.data(ROW_ROLE)
        is_hovered = bool(option.state & QStyle.State_MouseOver)
        painter.save()
        if row.is_active:
            painter.fillRect(option.rect, QColor(style.SELECTED))
        painter.setFont(option.font)
        if index.column() == NAME:
            self._paint_name(painter, option, row)
        elif index.column() == COUNT:
            painter.setPen(QColor(style.DIM if row.count else style.FAINT))
            box = option.rect.adjusted(0, 0, -style.scaled(6), 0)
            painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignRight), index.data())
        elif index.column() == EYE:
            name = "mdi6.eye-outline" if row.is_visible else "mdi6.eye-off-outline"
            self._paint_icon(painter, option, name, style.FAINT if row.is_visible else style.TEXT)
        elif row.is_locked:
            self._paint_icon(painter, option, "mdi6.lock", style.AMBER)
        elif is_hovered:
            self._paint_icon(painter, option, "mdi6.lock-open-outline", style.FAINT)
        painter.restore()

    def _paint_name(self, painter: QPainter, option: QStyleOptionViewItem, row: LabelRow) -> None:
        box = option.rect.adjusted(style.scaled(36), 0, 0, 0)
        side = style.scaled(9)
        swatch = QRectF(box.left(), box.center().y() - side / 2 + 0.5, side, side)
        paint_swatch(painter, swatch, row.label.colour, hollow=not row.is_visible)
        box.setLeft(box.left() + side + style.scaled(7))
        colour = style.BRIGHT if row.is_active else style.TEXT
        painter.setPen(QColor(colour if row.is_visible else style.FAINT))
        name = painter.fontMetrics().elidedText(row.label.name, Qt.ElideRight, box.width())
        painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), name)

    def _paint_icon(
        self, painter: QPainter, option: QStyleOptionViewItem, name: str, colour: str
    ) -> None:
        side = style.scaled(14)
        center = option.rect.center()
        box = QRect(center.x() - side // 2, center.y() - side // 2 + 1, side, side)
        style.icon(name, colour).paint(painter, box)
