"""A small field over the views in which a level is typed."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFocusEvent, QKeyEvent
from PyQt5.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from labeler.core.vertebrae import LEVELS, typed_level
from labeler.ui import style


def may_become(text: str) -> bool:
    """Whether some level begins with what was typed."""
    return any(level.lower().startswith(text.lower()) for level in LEVELS)


def is_final(text: str) -> bool:
    """Whether what was typed is a level, and no other one begins with it."""
    fitting = [level for level in LEVELS if level.lower().startswith(text.lower())]
    return len(fitting) == 1 and typed_level(text) == fitting[0]


class LevelEntry(QFrame):
    """Shows what is typed; done at once when it is clear, with Enter or an arrow when it is not.

    While it is open it has the keyboard, so that no letter is taken for a command.

    Signals
    -------
    left
        -1 or 1 when an arrow key ended it: go on with the level above or below.
    """

    left = pyqtSignal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("levelEntry")
        self.setProperty("popup", True)
        self._is_open = False
        self._take: Callable[[str], None] | None = None
        self._had_focus: QWidget | None = None
        self._prompt = QLabel(self)
        self._field = QLineEdit(self)
        self._field.setObjectName("levelField")
        self._field.setAccessibleName("Level")
        self._field.setToolTip("A level such as t12  (Enter takes it, Esc gives up)")
        self._field.setMaxLength(3)
        self._field.setFixedWidth(style.scaled(64))
        self._field.setFont(style.text_font(style.TEXT_PX + 3, bold=True))
        self._keys = QLabel("Enter takes it · Esc", self)
        self._keys.setProperty("faint", True)
        self._keys.setFont(style.text_font(style.SMALL_PX))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(px) for px in (12, 8, 12, 8)))
        layout.setSpacing(style.scaled(8))
        for widget in (self._prompt, self._field, self._keys):
            layout.addWidget(widget)
        self._field.installEventFilter(self)
        self._field.textEdited.connect(self._edited)
        self.hide()

    @property
    def text(self) -> str:
        """What is typed so far."""
        return self._field.text()

    def begin(self, prompt: str, text: str, take: Callable[[str], None]) -> None:
        """Ask for a level.

        Parameters
        ----------
        prompt
            What it is for.
        text
            Typed already: the letter that opened the field.
        take
            Gets what was typed.
        """
        self._take = take
        self._is_open = True
        self._had_focus = QApplication.focusWidget()
        self._prompt.setText(prompt)
        self._field.setText(text)
        self.adjustSize()
        parent = self.parentWidget()
        self.move((parent.width() - self.width()) // 2, style.scaled(40))
        self.show()
        self.raise_()
        self._field.setFocus(Qt.ShortcutFocusReason)
        self._field.end(False)

    def eventFilter(self, field: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            return self._key(event)
        if isinstance(event, QFocusEvent) and event.lostFocus() and self._is_open:
            self._had_focus = None  # it was clicked elsewhere
            self._close()
        return False

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key_Up: -1, Qt.Key_Down: 1}
        taken = event.key() in (Qt.Key_Return, Qt.Key_Enter, Qt.Key_Escape, *steps)
        if event.type() == QEvent.ShortcutOverride:
            event.accept()  # none of them is a command while somebody types
            return taken
        if event.type() != QEvent.KeyPress or not taken:
            return False
        if event.key() == Qt.Key_Escape:
            self._close()
        else:
            self._finish()
            if event.key() in steps:
                self.left.emit(steps[event.key()])
        return True

    def _edited(self, text: str) -> None:
        if not may_become(text):
            self._field.setText(text[:-1])
        elif is_final(text):
            self._finish()

    def _finish(self) -> None:
        take, text = self._take, self._field.text()
        self._close()
        if take is not None and text:
            take(text)

    def _close(self) -> None:
        self._take, self._is_open = None, False
        back, self._had_focus = self._had_focus, None
        self.hide()
        if back is not None:
            back.setFocus(Qt.OtherFocusReason)
