"""Draws a row of the case list: status, id, problem, and phases and regions, or the spine."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from labeler.core.volume import PHASES
from labeler.storage.cases import Case
from labeler.ui import formats, style
from labeler.ui.badges import PHASE_LETTERS, STATUS_COLOURS, paint_dot
from labeler.ui.case_table import CASE_ROLE, COUNT_ROLE, CURRENT_ROLE, SPINE_ROLE, WAITING_ROLE
from labeler.workflows.spine_worklist import SpineRow

#: Severity of a doubt that is almost surely an error.
SURELY_WRONG = 2.0


class CaseDelegate(QStyledItemDelegate):
    """One line a case; columns line up from row to row."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(style.scaled(200), QFontMetrics(option.font).height() + style.scaled(9))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        case: Case = index.data(CASE_ROLE)
        is_current = bool(index.data(CURRENT_ROLE))
        painter.save()
        self._paint_ground(painter, option, is_current)
        box = option.rect.adjusted(style.scaled(12), 0, -style.scaled(10), 0)
        center = QPointF(box.left() + style.scaled(3), box.center().y() + 1)
        spine: SpineRow | None = index.data(SPINE_ROLE)
        paint_dot(painter, center, dot_colour(case, spine), style.scaled(7))
        box.setLeft(box.left() + style.scaled(18))
        small = QFont(option.font)
        small.setPixelSize(style.scaled(style.SMALL_PX))
        if spine is not None:
            right = self._paint_spine(painter, option.font, small, box, spine, is_current)
        else:
            right = self._paint_count(painter, option, box, index.data(COUNT_ROLE), is_current)
            right = self._paint_phases(painter, small, box, right, case, is_current)
        if case.problems:
            right = self._paint_mark(painter, box, right, "mdi6.alert", style.AMBER)
        waiting = index.data(WAITING_ROLE)
        if waiting is not None:  # amber: the model doubts its own result
            colour = style.AMBER if waiting.warnings else style.ACCENT
            right = self._paint_mark(painter, box, right, "mdi6.creation-outline", colour)
        box.setRight(right - style.scaled(4))
        painter.setFont(option.font)
        painter.setPen(QColor(style.BRIGHT if is_current else style.TEXT))
        text = painter.fontMetrics().elidedText(case.id, Qt.ElideMiddle, box.width())
        painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), text)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, is_current: bool
    ) -> None:
        if is_current:
            painter.fillRect(option.rect, QColor(style.SELECTED))
        elif option.state & QStyle.State_MouseOver:
            painter.fillRect(option.rect, QColor(style.RAISED))
        if option.state & QStyle.State_HasFocus:
            painter.setPen(QColor(style.ACCENT))
            painter.drawRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_count(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        box: QRect,
        count: int | None,
        is_current: bool,
    ) -> int:
        """Draw the number of regions; return where the next column ends."""
        painter.setFont(option.font)
        width = painter.fontMetrics().horizontalAdvance("888")
        text = formats.UNKNOWN if count is None else f"{count:,}"
        dim = style.FAINT if count is None else style.TEXT
        painter.setPen(QColor(style.BRIGHT if is_current and count is not None else dim))
        place = QRect(box.right() - width, box.top(), width + 1, box.height())
        painter.drawText(place, int(Qt.AlignVCenter | Qt.AlignRight), text)
        return box.right() - width - style.scaled(10)

    def _paint_spine(
        self,
        painter: QPainter,
        font: QFont,
        small: QFont,
        box: QRect,
        spine: SpineRow,
        is_current: bool,
    ) -> int:
        """Draw why the spine is doubtful and its levels; return where the next column ends."""
        summary, right = spine.summary, box.right()
        texts = (
            (font, summary.reason, style.BRIGHT if is_current else style.TEXT),
            (small, summary.levels or "no centroids", style.DIM if is_current else style.FAINT),
        )
        for text_font, text, colour in texts:
            if not text:
                continue
            painter.setFont(text_font)
            painter.setPen(QColor(colour))
            width = painter.fontMetrics().horizontalAdvance(text)
            place = QRect(right - width, box.top(), width + 1, box.height())
            painter.drawText(place, int(Qt.AlignVCenter | Qt.AlignRight), text)
            right -= width + style.scaled(8)
        return right

    def _paint_phases(
        self, painter: QPainter, font: QFont, box: QRect, right: int, case: Case, is_current: bool
    ) -> int:
        """Draw the letters of the phases, a dash for each that is missing."""
        painter.setFont(font)
        metrics = painter.fontMetrics()
        letters = [(PHASE_LETTERS[phase], phase in case.phases) for phase in PHASES]
        others = [name for name in case.phases if name not in PHASES]
        if others and not any(present for _, present in letters):
            letters = [(name[:8], True) for name in others[:2]]
        if not case.phases and not case.is_inspected:
            letters = [("\u2026", True)]
        for text, present in reversed(letters):
            width = metrics.horizontalAdvance(text)
            shown = text if present else formats.UNKNOWN
            painter.setPen(
                QColor((style.TEXT if is_current else style.DIM) if present else style.FAINT)
            )
            place = QRect(right - width, box.top(), width + 1, box.height())
            painter.drawText(place, int(Qt.AlignVCenter | Qt.AlignHCenter), shown)
            right -= width + style.scaled(5)
        return right - style.scaled(2)

    def _paint_mark(self, painter: QPainter, box: QRect, right: int, name: str, colour: str) -> int:
        """Draw an icon; return where the next column ends."""
        side = style.scaled(14)
        place = QRect(right - side, box.center().y() - side // 2, side, side)
        icon: QIcon = style.icon(name, colour)
        icon.paint(painter, place)
        return right - side - style.scaled(4)


def dot_colour(case: Case, spine: SpineRow | None) -> str:
    """Colour of the dot: that of the status, or of the doubts while the spine is not done."""
    if spine is not None and spine.summary.n_doubts and case.status in ("todo", "in progress"):
        return style.RED if spine.summary.severity >= SURELY_WRONG else style.AMBER
    return STATUS_COLOURS.get(case.status, style.FAINT)
