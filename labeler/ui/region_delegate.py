"""Draws the rows of the region list: masks as quiet headings, regions as lines of figures."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QObject, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QFont, QFontMetrics, QPainter
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from labeler.ui import formats, style
from labeler.ui.badges import paint_swatch
from labeler.ui.region_cells import CONFIDENCE, LABEL, REVIEWED, is_text
from labeler.ui.region_table import (
    COLOUR_ROLE,
    GROUP_ROLE,
    ORIGIN_ROLE,
    REVIEWED_ROLE,
    Group,
    RegionTable,
)
from labeler.workflows.region_origins import RegionOrigin


def figure_font() -> QFont:
    """Font of the figures: a little smaller, so that four phases fit into a narrow dock."""
    return style.text_font(style.TEXT_PX - 1)


class RegionDelegate(QStyledItemDelegate):
    """Whole rows are selected; figures are right-aligned; the last column holds the tick."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._figure_font = figure_font()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(style.scaled(20), QFontMetrics(option.font).height() + style.scaled(8))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        painter.save()
        group: Group | None = index.data(GROUP_ROLE)
        if group is not None:
            self._paint_group(painter, option, index, group)
        else:
            self._paint_region(painter, option, index)
        painter.restore()

    def _paint_group(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex, group: Group
    ) -> None:
        view = option.widget
        painter.fillRect(option.rect, QColor(style.BACKGROUND))
        box = option.rect.adjusted(style.scaled(6), 0, -style.scaled(10), 0)
        is_open = isinstance(view, QTreeView) and view.isExpanded(index)
        side = style.scaled(12)
        arrow = QRect(box.left(), box.center().y() - side // 2, side, side)
        name = "mdi6.chevron-down" if is_open else "mdi6.chevron-right"
        style.icon(name, style.DIM).paint(painter, arrow)
        box.setLeft(box.left() + side + style.scaled(4))
        note = _group_note(group)
        painter.setFont(style.text_font(style.SMALL_PX))
        width = painter.fontMetrics().horizontalAdvance(note)
        painter.setPen(QColor(style.FAINT))
        painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignRight), note)
        box.setRight(box.right() - width - style.scaled(8))
        painter.setPen(QColor(style.DIM))
        name = painter.fontMetrics().elidedText(group.mask, Qt.ElideMiddle, box.width())
        painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), name)

    def _paint_region(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        table = index.model()
        assert isinstance(table, RegionTable)
        is_selected = bool(option.state & QStyle.State_Selected)
        if is_selected:
            painter.fillRect(option.rect, QColor(style.SELECTED))
        column = table.columns[index.column()]
        colour = QColor(style.BRIGHT if is_selected else style.TEXT)
        painter.setFont(option.font)
        if column == LABEL:
            self._paint_label(painter, option, index, colour)
        elif column == REVIEWED:
            self._paint_tick(painter, option, bool(index.data(REVIEWED_ROLE)))
        else:
            if column == CONFIDENCE and _is_doubted(index.data(ORIGIN_ROLE)):
                colour = QColor(style.AMBER)
            self._paint_cell(painter, option, index.data(Qt.DisplayRole), colour, is_text(column))

    def _paint_cell(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        text: str,
        colour: QColor,
        is_words: bool,
    ) -> None:
        """Draw a figure at the right, or words at the left."""
        painter.setFont(self._figure_font)
        painter.setPen(QColor(style.FAINT) if text == formats.UNKNOWN else colour)
        if is_words:
            box = option.rect.adjusted(style.scaled(8), 0, -style.scaled(2), 0)
            text = painter.fontMetrics().elidedText(text, Qt.ElideRight, box.width())
            painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), text)
        else:
            box = option.rect.adjusted(0, 0, -style.scaled(3), 0)
            painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignRight), text)

    def _paint_label(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex, colour: QColor
    ) -> None:
        box = option.rect.adjusted(style.scaled(12), 0, 0, 0)
        side = style.scaled(9)
        swatch = QRectF(box.left(), box.center().y() - side / 2 + 0.5, side, side)
        paint_swatch(painter, swatch, index.data(COLOUR_ROLE))
        box.setLeft(box.left() + side + style.scaled(6))
        painter.setPen(colour)
        text = painter.fontMetrics().elidedText(
            index.data(Qt.DisplayRole), Qt.ElideRight, box.width()
        )
        painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), text)

    def _paint_tick(
        self, painter: QPainter, option: QStyleOptionViewItem, is_reviewed: bool
    ) -> None:
        is_hovered = bool(option.state & QStyle.State_MouseOver)
        if not is_reviewed and not is_hovered:
            return
        side = style.scaled(14)
        center = option.rect.center()
        box = QRect(center.x() - side // 2, center.y() - side // 2 + 1, side, side)
        style.icon("mdi6.check", style.GREEN if is_reviewed else style.FAINT).paint(painter, box)


def _is_doubted(origin: RegionOrigin | None) -> bool:
    return origin is not None and origin.opinion is not None and bool(origin.opinion.flags)


def _group_note(group: Group) -> str:
    """What stands at the right of a mask's heading."""
    if group.total is None:
        return "counting \u2026"
    if not group.total:
        return "no regions"
    if group.is_cut:
        return f"{len(group.regions):,} largest of {group.total:,}"
    if len(group.regions) < group.total:
        return f"{len(group.regions):,} of {group.total:,}"
    return f"{group.total:,}"
