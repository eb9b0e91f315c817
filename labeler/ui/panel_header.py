"""The first line of a panel: its title in small capitals, a note and quiet buttons at the right."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from labeler.ui import style


class PanelHeader(QWidget):
    """Title line; also fit to be a dock's title bar, which the user drags.

    Parameters
    ----------
    title
        Shown in small capitals.
    parent
        The panel.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("header", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._title = QLabel(title, self)
        self._title.setProperty("heading", True)
        self._title.setFont(style.heading_font())
        self._note = QLabel(self)
        self._note.setProperty("faint", True)
        self._note.setFont(style.text_font(style.SMALL_PX))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(px) for px in (12, 7, 8, 5)))
        layout.setSpacing(style.scaled(6))
        layout.addWidget(self._title)
        layout.addStretch(1)
        layout.addWidget(self._note)

    def set_title(self, title: str) -> None:
        self._title.setText(title)

    def set_note(self, text: str, tip: str = "") -> None:
        """Show a short remark at the right."""
        self._note.setText(text)
        self._note.setToolTip(tip)

    @property
    def note(self) -> str:
        return self._note.text()

    def add_button(
        self,
        name: str,
        tip: str,
        clicked: Callable[[], None] | None = None,
        *,
        icon: str = "",
        text: str = "",
        menu: QMenu | None = None,
    ) -> QToolButton:
        """Add a quiet button with an icon or a word; ``menu`` opens at a click."""
        button = quiet_button(self, name, tip, icon=icon, text=text)
        if menu is not None:
            button.setMenu(menu)
            button.setPopupMode(QToolButton.InstantPopup)
        if clicked is not None:
            button.clicked.connect(lambda checked=False: clicked())
        self.layout().addWidget(button)
        return button


def quiet_button(
    parent: QWidget, name: str, tip: str, *, icon: str = "", text: str = ""
) -> QToolButton:
    """Make a small flat button for panel headers and rows."""
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setProperty("quiet", True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.TabFocus)
    if icon:
        button.setIcon(style.icon(icon, style.DIM))
        button.setIconSize(QSize(style.scaled(15), style.scaled(15)))
    if text:
        button.setText(text)
        button.setFont(style.text_font(style.SMALL_PX))
    return button
