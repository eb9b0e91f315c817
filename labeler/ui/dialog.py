"""What all dialogs share: margins, a sentence at the top, buttons at the bottom."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPushButton, QVBoxLayout, QWidget

from labeler.ui import style


class Dialog(QDialog):
    """Modal dialog with an OK and a Cancel button.

    Parameters
    ----------
    name
        ``objectName``.
    title
        Title of the window.
    ok
        Words on the button that accepts; "" for a dialog that is only closed.
    parent
        Window it belongs to.
    """

    def __init__(self, name: str, title: str, ok: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setWindowFlag(Qt.WindowContextHelpButtonHint, False)
        #: Content goes here.
        self.content = QVBoxLayout()
        self.content.setSpacing(style.scaled(8))
        self._buttons = QDialogButtonBox(self)
        self.ok: QPushButton | None = None
        if ok:
            self.ok = self._buttons.addButton(ok, QDialogButtonBox.AcceptRole)
            self.ok.setObjectName(f"{name}.ok")
            self.ok.setDefault(True)
            self.ok.setToolTip(f"{ok}  (Enter)")
            self._buttons.accepted.connect(self.accept)
        no = self._buttons.addButton("Cancel" if ok else "Close", QDialogButtonBox.RejectRole)
        no.setObjectName(f"{name}.cancel")
        no.setAutoDefault(False)  # else it looks like the default while OK is disabled
        no.setToolTip("Close without changing anything  (Esc)" if ok else "Close  (Esc)")
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(14),) * 4)
        layout.setSpacing(style.scaled(12))
        layout.addLayout(self.content, 1)
        layout.addWidget(self._buttons)

    def showEvent(self, event: QShowEvent) -> None:
        """Begin with what is to be filled in, not with the buttons, which were made first."""
        super().showEvent(event)
        if self.focusWidget() is None:
            self._buttons.buttons()[-1].setFocus()
            self.focusNextChild()

    def add_text(self, text: str, *, role: str = "dim") -> QLabel:
        """Add a sentence; ``role`` is a colour property of the style sheet."""
        label = QLabel(text, self)
        label.setTextFormat(Qt.PlainText)
        label.setProperty(role, True)
        label.setWordWrap(True)
        self.content.addWidget(label)
        return label
