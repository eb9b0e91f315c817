"""Cards of the report panel: a report row, a comment, a problem."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from labeler.ui import style
from labeler.ui.panel_header import quiet_button
from labeler.ui.report_text import rich


class Card(QFrame):
    """A rounded box with a dim title and selectable text that wraps.

    Parameters
    ----------
    title
        First line; "" for none.
    body
        Rich text.
    kind
        ``true`` (plain), ``look`` (amber edge), ``wrong`` (red) or ``fine`` (green).
    """

    def __init__(
        self, title: str, body: str, parent: QWidget | None = None, *, kind: str = "true"
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", kind)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(*(style.scaled(px) for px in (10, 6, 10, 7)))
        self._layout.setSpacing(style.scaled(3))
        self._line = QHBoxLayout()
        self._line.setSpacing(style.scaled(2))
        if title:
            label = QLabel(title, self)
            label.setTextFormat(Qt.PlainText)
            label.setProperty("dim", True)
            label.setFont(style.text_font(style.SMALL_PX + 1))
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextSelectableByMouse)
            self._line.addWidget(label, 1)
            self._layout.addLayout(self._line)
        self._text = QLabel(self)
        self._text.setTextFormat(Qt.RichText)
        self._text.setWordWrap(True)
        self._text.setText(body)
        self._text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        # a word that cannot wrap must not widen the panel
        policy = QSizePolicy(QSizePolicy.Ignored, QSizePolicy.Minimum)
        policy.setHeightForWidth(True)
        self._text.setSizePolicy(policy)
        self._layout.addWidget(self._text)

    @property
    def body(self) -> QLabel:
        """The text."""
        return self._text


class CommentCard(Card):
    """A comment with its author, time and what it is about.

    Signals
    -------
    edit_requested, delete_requested
        Key of the comment.
    region_clicked
        The stored place of the region the comment is about (see ``review_case``).
    """

    edit_requested = pyqtSignal(str)
    delete_requested = pyqtSignal(str)
    region_clicked = pyqtSignal(object)

    def __init__(
        self, key: str, value: dict[str, Any], about: str, parent: QWidget | None = None
    ) -> None:
        author = str(value.get("author") or "Somebody")
        super().__init__(
            f"{author} \u00b7 {moment(value.get('time'))}", rich(str(value.get("text", ""))), parent
        )
        self.setObjectName(f"comment.{key}")
        self.setAccessibleName(f"Comment by {author}")
        place = value.get("region")
        if place is not None:
            button = quiet_button(self, f"about.{key}", f"Go to {about}", text=about)
            button.clicked.connect(lambda checked=False: self.region_clicked.emit(place))
            self._line.addWidget(button)
        edit = quiet_button(self, f"edit.{key}", "Edit comment", icon="mdi6.pencil-outline")
        edit.clicked.connect(lambda checked=False: self.edit_requested.emit(key))
        delete = quiet_button(
            self, f"delete.{key}", "Delete comment (Ctrl+Z brings it back)", icon="mdi6.close"
        )
        delete.clicked.connect(lambda checked=False: self.delete_requested.emit(key))
        self._line.addWidget(edit)
        self._line.addWidget(delete)


def problem_card(sentence: str, parent: QWidget | None = None) -> Card:
    """Make the amber card of something that needs a look."""
    card = Card("", rich(sentence), parent, kind="look")
    card.setObjectName("problemCard")
    card.setAccessibleName(sentence)
    return card


def moment(time: object) -> str:
    """Write an ISO time as ``2021-03-02 10:42``; what is no time stays as it is."""
    try:
        return f"{datetime.fromisoformat(str(time)):%Y-%m-%d %H:%M}"
    except ValueError:
        return str(time or "")
