"""A flat button that shows icon, name and, dimmed, its key: hands learn the keys by looking."""

from __future__ import annotations

from PyQt5.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QFontMetrics, QIcon, QPainter, QPaintEvent
from PyQt5.QtWidgets import QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

from labeler.ui import formats, style
from labeler.ui.badges import paint_swatch


class ToolButton(QToolButton):
    """Tool bar button; with a default action it follows the action's text, key and state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption: str | None = None
        self._hint: str | None = None
        self._shows_words = True
        self._swatch: str | None = None
        self._mark: QIcon | None = None
        self._has_menu = False
        self.setFocusPolicy(Qt.TabFocus)
        self.setIconSize(QSize(style.scaled(17), style.scaled(17)))

    @property
    def shows_words(self) -> bool:
        return self._shows_words

    @property
    def caption(self) -> str:
        """The words on the button."""
        if self._caption is not None:
            return self._caption
        action = self.defaultAction()
        return action.text().rstrip("\u2026") if action is not None else self.text()

    @property
    def hint(self) -> str:
        """The dim text after the words: the key, unless something else was set."""
        if self._hint is not None:
            return self._hint
        action = self.defaultAction()
        return "" if action is None else formats.key(action.shortcut())

    def set_caption(self, caption: str | None, hint: str | None = None) -> None:
        """Show other words than the action's."""
        if (caption, hint) != (self._caption, self._hint):
            self._caption, self._hint = caption, hint
            self.setAccessibleName(self.caption)
            self._resized()

    def set_shows_words(self, shown: bool) -> None:
        """Show the words, or icon and key only."""
        if shown != self._shows_words:
            self._shows_words = shown
            self._resized()

    def set_swatch(self, colour: str | None) -> None:
        """Show a label's colour in place of an icon."""
        if colour != self._swatch:
            self._swatch = colour
            self._resized()

    def set_mark(self, mark: QIcon | None) -> None:
        """Show a small mark (a dot) at the corner of the icon."""
        self._mark = mark
        self.update()

    @property
    def has_mark(self) -> bool:
        return self._mark is not None

    def set_has_menu(self, has_menu: bool) -> None:
        """Show the arrow of a button that opens a list."""
        self._has_menu = has_menu
        self._resized()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.ActionChanged:
            self.setAccessibleName(self.caption)
            self.updateGeometry()
        return super().event(event)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        pad, gap = style.scaled(7), style.scaled(5)
        width = pad * 2 + self._icon_width()
        for text in self._texts():
            width += metrics.horizontalAdvance(text) + gap
        if self._has_menu:
            width += style.scaled(14)
        if not self._icon_width() and self._texts():
            width -= gap
        return QSize(width, max(metrics.height(), self.iconSize().height()) + style.scaled(10))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text, option.icon = "", QIcon()
        option.features &= ~(QStyleOptionToolButton.HasMenu | QStyleOptionToolButton.Arrow)
        painter.drawComplexControl(QStyle.CC_ToolButton, option)
        left = self._paint_icon(painter, style.scaled(7))
        self._paint_texts(painter, left)
        if self._has_menu:
            side = style.scaled(14)
            box = QRect(self.width() - side - style.scaled(3), 0, side, self.height())
            style.icon("mdi6.chevron-down", style.DIM).paint(painter, box)

    def _texts(self) -> tuple[str, ...]:
        words = (self.caption,) if self._shows_words else ()
        return tuple(text for text in (*words, self.hint) if text)

    def _icon_width(self) -> int:
        if self._swatch is not None:
            return style.scaled(10)
        return 0 if self.icon().isNull() else self.iconSize().width()

    def _paint_icon(self, painter: QPainter, left: int) -> int:
        width = self._icon_width()
        box = QRect(left, (self.height() - width) // 2, width, width)
        if self._swatch is not None:
            paint_swatch(painter, QRectF(box), self._swatch)
        elif width:
            mode = QIcon.Normal if self.isEnabled() else QIcon.Disabled
            self.icon().paint(painter, box, Qt.AlignCenter, mode)
        if self._mark is not None:
            side = style.scaled(7)
            corner = QRect(box.right() - side // 2, box.top() - side // 3, side, side)
            self._mark.paint(painter, corner)
        return left + width + style.scaled(5) if width else left

    def _paint_texts(self, painter: QPainter, left: int) -> None:
        metrics: QFontMetrics = self.fontMetrics()
        enabled, words = self.isEnabled(), self._texts()
        for index, text in enumerate(words):
            is_hint = text == self.hint and index == len(words) - 1
            if not enabled:
                colour = style.FAINT
            elif is_hint:
                colour = style.DIM
            else:
                colour = style.BRIGHT if self.underMouse() or self.isChecked() else style.TEXT
            painter.setPen(QColor(colour))
            width = metrics.horizontalAdvance(text)
            box = QRect(left, 0, width + 2, self.height())
            painter.drawText(box, int(Qt.AlignVCenter | Qt.AlignLeft), text)
            left += width + style.scaled(5)

    def _resized(self) -> None:
        self.updateGeometry()
        self.update()
