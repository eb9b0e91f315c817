"""Regions dragged from the region list: what is carried, and what a place does with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt5.QtCore import QEvent, QMimeData, QObject, QPoint, QRect, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QDropEvent, QFontMetrics, QPainter, QPaintEvent, QPen, QPixmap
from PyQt5.QtWidgets import QWidget

from labeler.state.selection import RegionRef
from labeler.state.session import Session
from labeler.ui import style
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.transfer_regions import (
    Transfer,
    check_transfer,
    transfer_name,
    transfer_regions,
)
from labeler.workflows.workspace import Workspace

REGIONS_MIME = "application/x-ct-labeler-regions"

_TEXT_FLAGS = int(Qt.AlignLeft | Qt.AlignVCenter | Qt.TextWordWrap)


@dataclass(frozen=True)
class DropTarget:
    """What regions can be dropped on.

    Attributes
    ----------
    mask
        Name of the mask that would get them.
    label
        Label they would get; ``None`` for their own.
    rects
        Where that is on the widget.
    """

    mask: str
    label: int | None
    rects: tuple[QRect, ...]


def carried(session: Session, refs: Sequence[RegionRef]) -> QMimeData:
    """Make what a drag of regions carries; it means something to this window and case only."""
    data = QMimeData()
    content = [_origin(session), [[ref.mask, ref.region_id] for ref in refs]]
    data.setData(REGIONS_MIME, json.dumps(content).encode())
    return data


def carried_refs(session: Session, data: QMimeData | None) -> tuple[RegionRef, ...]:
    """Regions that a drag carries; none when it comes from elsewhere."""
    if data is None or not data.hasFormat(REGIONS_MIME):
        return ()
    origin, refs = json.loads(bytes(data.data(REGIONS_MIME)))
    if origin != _origin(session):
        return ()
    return tuple(RegionRef(mask, region_id) for mask, region_id in refs)


def _origin(session: Session) -> list[object]:
    return [os.getpid(), None if session.case is None else session.case.id]


def drag_picture(text: str, device_ratio: float) -> QPixmap:
    """What hangs on the cursor during a drag."""
    font = style.text_font(style.TEXT_PX)
    metrics = QFontMetrics(font)
    width = metrics.horizontalAdvance(text) + style.scaled(16)
    height = metrics.height() + style.scaled(8)
    picture = QPixmap(round(width * device_ratio), round(height * device_ratio))
    picture.setDevicePixelRatio(device_ratio)
    picture.fill(QColor(style.RAISED))
    painter = QPainter(picture)
    painter.setFont(font)
    painter.setPen(QColor(style.ACCENT))
    painter.drawRect(0, 0, width - 1, height - 1)
    painter.setPen(QColor(style.BRIGHT))
    painter.drawText(QRect(0, 0, width, height), int(Qt.AlignCenter), text)
    painter.end()
    return picture


class DropMark(QWidget):
    """Outlines what regions would be dropped on and says what would be done; lets the mouse by."""

    def __init__(self, area: QWidget) -> None:
        super().__init__(area)
        self.setObjectName("dropMark")
        self.setAttribute(Qt.WA_TransparentForMouseEvents)
        self.text = ""
        self._rects: tuple[QRect, ...] = ()
        self._is_possible = True
        self.hide()

    def mark(self, rects: tuple[QRect, ...], text: str, *, is_possible: bool) -> None:
        """Show it."""
        self.text, self._rects, self._is_possible = text, rects, is_possible
        self.setAccessibleName(text)
        area = self.parentWidget()
        self.setGeometry(area.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colour = QColor(style.ACCENT if self._is_possible else style.RED)
        painter.setPen(QPen(colour, style.scaled(1)))
        tint = QColor(colour)
        tint.setAlpha(40)
        painter.setBrush(tint)
        for rect in self._rects:
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        bubble = self._bubble(painter.fontMetrics())
        painter.setBrush(QColor(style.RAISED))
        painter.drawRect(bubble)
        painter.setPen(QColor(style.BRIGHT if self._is_possible else style.AMBER))
        pad = style.scaled(6)
        painter.drawText(bubble.adjusted(pad, 0, -pad, 0), _TEXT_FLAGS, self.text)

    def _bubble(self, metrics: QFontMetrics) -> QRect:
        """Below the target, or above it where there is no room."""
        edge, pad = style.scaled(4), style.scaled(6)
        width = self.width() - 2 * edge
        room = QRect(0, 0, max(1, width - 2 * pad), 10_000)
        height = metrics.boundingRect(room, _TEXT_FLAGS, self.text).height() + pad
        lowest = max((rect.bottom() for rect in self._rects), default=0)
        top = lowest + edge
        if top + height > self.height():
            top = min((rect.top() for rect in self._rects), default=0) - edge - height
        return QRect(edge, max(0, top), width, height)


class RegionDrop(QObject):
    """Lets regions be dropped on a widget: without a key they move, with Ctrl they are copied.

    Parameters
    ----------
    area
        Widget that gets the events, or that hands them to :meth:`drag` and :meth:`drop`.
    target_at
        What is at a point of it.

    Signals
    -------
    said
        What was done, or why not.
    """

    said = pyqtSignal(str)

    def __init__(
        self, ws: Workspace, area: QWidget, target_at: Callable[[QPoint], DropTarget | None]
    ) -> None:
        super().__init__(area)
        self._ws = ws
        self._target_at = target_at
        self._mark = DropMark(area)
        area.setAcceptDrops(True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the drags of a widget that has no handlers of its own."""
        kind = event.type()
        if kind in (QEvent.DragEnter, QEvent.DragMove):
            assert isinstance(event, QDropEvent)
            self.drag(event)
        elif kind == QEvent.DragLeave:
            self.leave()
        elif kind == QEvent.Drop:
            assert isinstance(event, QDropEvent)
            self.drop(event)
        else:
            return False
        return True

    def drag(self, event: QDropEvent) -> None:
        """Tell what a drop here would do."""
        found = self._found(event)
        if found is None:
            self.leave()
            self._turn_away(event)
            return
        transfer, target = found
        try:
            check_transfer(self._ws, transfer)
        except EditRefused as refusal:
            self._mark.mark(target.rects, str(refusal), is_possible=False)
            self._turn_away(event)
            return
        hint = "  (Ctrl copies)" if transfer.move else ""
        text = transfer_name(self._ws, transfer) + hint
        self._mark.mark(target.rects, text, is_possible=True)
        event.setDropAction(Qt.MoveAction if transfer.move else Qt.CopyAction)
        event.accept()

    def leave(self) -> None:
        """Show nothing."""
        self._mark.hide()

    def drop(self, event: QDropEvent) -> None:
        """Copy or move what is dropped."""
        self._mark.hide()
        found = self._found(event)
        if found is None:
            event.ignore()
            return
        event.setDropAction(Qt.MoveAction if found[0].move else Qt.CopyAction)
        event.accept()
        try:
            transfer_regions(self._ws, found[0], self.said.emit)
        except EditRefused as refusal:
            self.said.emit(str(refusal))

    def _turn_away(self, event: QDropEvent) -> None:
        """Refuse a drop here; a drag of regions is let in all the same, to go on elsewhere."""
        is_let_in = event.type() == QEvent.DragEnter
        if is_let_in and carried_refs(self._ws.session, event.mimeData()):
            event.accept()
        else:
            event.ignore()

    def _found(self, event: QDropEvent) -> tuple[Transfer, DropTarget] | None:
        target = self._target_at(event.pos())
        refs = carried_refs(self._ws.session, event.mimeData())
        if target is None:
            return None
        refs = tuple(ref for ref in refs if ref.mask != target.mask)
        if not refs:
            return None
        regions = [self._ws.session.region(ref.mask, ref.region_id) for ref in refs]
        labels = {region.label for region in regions if region is not None}
        label = None if labels == {target.label} else target.label
        move = not event.keyboardModifiers() & Qt.ControlModifier
        return Transfer(refs, target.mask, bool(move), label), target
