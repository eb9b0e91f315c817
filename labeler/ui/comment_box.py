"""Where a comment is written: grows with its text, Enter adds it, unfinished ones are kept."""

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from labeler.ui import style

MAX_LINES = 8


class CommentBox(QWidget):
    """Field for one comment, to the case or to the selected region.

    Signals
    -------
    submitted
        ``(text, about_region)`` of a new comment.
    edited
        ``(key, text)`` of a changed one.
    """

    submitted = pyqtSignal(str, bool)
    edited = pyqtSignal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("commentBox")
        self._drafts: dict[str, str] = {}
        self._case_id = ""
        self._region: str | None = None
        self._key: str | None = None
        self._field = _GrowingField(self)
        self._field.setObjectName("commentField")
        self._field.setAccessibleName("Comment")
        self._field.setToolTip("Enter adds the comment, Shift+Enter begins a line, Esc leaves")
        self._about = QPushButton(self)
        self._about.setObjectName("commentAboutRegion")
        self._about.setProperty("chip", True)
        self._about.setCheckable(True)
        self._about.setChecked(True)
        self._about.setFont(style.text_font(style.SMALL_PX))
        self._about.setAccessibleName("Comment is about the selected region")
        self._about.setToolTip("Attach the comment to the selected region, or to the whole case")
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._about)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.scaled(4))
        layout.addWidget(self._field)
        layout.addLayout(line)
        self._field.entered.connect(self._submit)
        self._field.cancelled.connect(self._cancel)
        self._about.toggled.connect(self._show)
        self._show()

    @property
    def text(self) -> str:
        return self._field.toPlainText()

    def set_case(self, case_id: str) -> None:
        """Keep what was being written for one case and show what was for another."""
        if case_id == self._case_id:
            return
        if self._key is None:
            self._drafts[self._case_id] = self.text
        self._case_id, self._key = case_id, None
        self._field.setPlainText(self._drafts.pop(case_id, ""))
        self._show()

    def set_region(self, name: str | None) -> None:
        """Tell which region is selected, ``None`` for none."""
        self._region = name
        self._show()

    def edit(self, key: str, text: str) -> None:
        """Change a comment that is there already."""
        if self._key is None:
            self._drafts[self._case_id] = self.text
        self._key = key
        self._field.setPlainText(text)
        self._field.moveCursor(self._field.textCursor().End)
        self._field.setFocus()
        self._show()

    def _about_region(self) -> bool:
        return self._region is not None and self._about.isChecked()

    def _show(self) -> None:
        self._about.setVisible(self._region is not None and self._key is None)
        if self._region is not None:
            self._about.setText(f"about {self._region}")
        if self._key is not None:
            hint = "Change the comment \u2026"
        elif self._about_region():
            hint = "Add a comment to this region \u2026"
        else:
            hint = "Add a comment to this case \u2026"
        self._field.setPlaceholderText(hint)

    def _submit(self) -> None:
        text, key = self.text.strip(), self._key
        if not text:
            return
        self._cancel()
        if key is not None:
            self.edited.emit(key, text)
        else:
            self.submitted.emit(text, self._about_region())

    def _cancel(self) -> None:
        """Empty the field and leave it; a draft that an edit pushed aside comes back."""
        draft = self._drafts.pop(self._case_id, "") if self._key is not None else ""
        self._key = None
        self._field.setPlainText(draft)
        self._field.clearFocus()  # the next key is one of the window's again
        self._show()


class _GrowingField(QPlainTextEdit):
    """Text field as high as its text, within reason."""

    entered = pyqtSignal()
    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(style.scaled(2))
        self.document().documentLayout().documentSizeChanged.connect(lambda size: self._grow())
        self._grow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key_Return, Qt.Key_Enter)
        if is_enter and not event.modifiers() & Qt.ShiftModifier:
            self.entered.emit()
        elif event.key() == Qt.Key_Escape:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._grow()

    def minimumSizeHint(self) -> QSize:
        return QSize(style.scaled(60), style.scaled(26))

    def _grow(self) -> None:
        # a plain text document measures its height in lines
        needed = max(1, int(self.document().size().height()))
        lines = min(MAX_LINES, needed)
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarAsNeeded if needed > MAX_LINES else Qt.ScrollBarAlwaysOff
        )
        height = lines * self.fontMetrics().lineSpacing() + style.scaled(14)
        if height != self.height():
            self.setFixedHeight(height)
