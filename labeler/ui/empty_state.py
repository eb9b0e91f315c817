"""What a panel shows when it has nothing to show: why, and what to do next."""

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtWidgets import QAction, QLabel, QPushButton, QVBoxLayout, QWidget

from labeler.ui import style


class EmptyState(QWidget):
    """A sentence, with a button for the action that ends the emptiness."""

    def __init__(self, action: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel(self)
        self._label.setObjectName("emptyText")
        self._label.setProperty("dim", True)
        self._label.setWordWrap(True)
        self._label.setAlignment(Qt.AlignHCenter | Qt.AlignTop)
        self._button = QPushButton(self)
        self._button.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(px) for px in (20, 16, 20, 16)))
        layout.setSpacing(style.scaled(10))
        layout.addWidget(self._label)
        layout.addWidget(self._button, 0, Qt.AlignHCenter)
        layout.addStretch(1)
        self._button.setText(action.text())
        self._button.setIcon(action.icon())
        self._button.setIconSize(QSize(style.scaled(16), style.scaled(16)))
        self._button.setToolTip(action.toolTip())
        self._button.setAccessibleName(action.text())
        self._button.setObjectName(f"empty.{action.objectName()}")
        self._button.clicked.connect(lambda checked=False: action.trigger())

    @property
    def text(self) -> str:
        return self._label.text()

    def set_text(self, text: str, *, with_action: bool = True) -> None:
        self._label.setText(text)
        self._button.setVisible(with_action)
