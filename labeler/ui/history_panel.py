"""The history as a list: what was done, where one stands, and a way back and forth."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QSize, Qt
from PyQt5.QtGui import QColor, QShowEvent
from PyQt5.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from labeler.ui import formats, style
from labeler.ui.commands import Commands
from labeler.ui.panel_header import PanelHeader
from labeler.workflows.step_history import go_to_step, step_names
from labeler.workflows.workspace import Workspace

#: What the list says of the case before the first step that is remembered.
START = "Before these steps"

#: Steps listed at most, the newest: nobody reads thousands.
MAX_ROWS = 500

#: Room for about six steps, for 13 px text.
MIN_LIST_PX = 132


class HistoryPanel(QWidget):
    """Steps from the oldest to the newest; a click goes to the state after that step.

    Steps that were undone stand dimmed below the present one until a new edit replaces them.
    """

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("historyPanel")
        self.setAccessibleName("History")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._commands = commands
        self._first = 0
        self.header = PanelHeader("History", self)
        close = commands.action("edit.history")
        key = formats.key(close.shortcut())
        self.header.add_button(
            "closeHistory", f"Close the history  ({key})", close.trigger, icon="mdi6.close"
        )
        self._list = QListWidget(self)
        self._list.setObjectName("historySteps")
        self._list.setAccessibleName("Steps")
        self._list.setToolTip("A click goes back or forth to the state after a step")
        self._list.setUniformItemSizes(True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.ElideRight)
        self._list.setMinimumHeight(style.scaled(MIN_LIST_PX))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        rows = QVBoxLayout()
        rows.setContentsMargins(*(style.scaled(px) for px in (6, 0, 6, 4)))
        rows.addWidget(self._list)
        layout.addLayout(rows, 1)
        self._list.clicked.connect(self._go)
        self._list.activated.connect(self._go)
        ws.session.history_changed.connect(self._show_steps)

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(220))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_steps()

    def _go(self, index: QModelIndex) -> None:
        go_to_step(self._ws, self._first + index.row())

    def _show_steps(self) -> None:
        if not self.isVisible():
            return  # filled when it is opened
        names, done = step_names(self._ws)
        self._first = max(0, min(done, len(names) - MAX_ROWS))
        states = [START, *names][self._first :]
        here = done - self._first
        self._list.clear()
        for row, name in enumerate(states):
            item = QListWidgetItem(name, self._list)
            colour = style.TEXT if row <= here else style.FAINT
            item.setForeground(QColor(colour))
        self._list.setCurrentRow(here)
        self._show_size(f"{done:,} of {len(names):,}" if names else "")

    def _show_size(self, steps: str) -> None:
        history = self._ws.session.history
        used, bound = (formats.measure(n / 2**20) for n in (history.nbytes, history.max_bytes))
        size = f"{used} of {bound} MB"
        key = formats.key(self._commands.action("file.settings").shortcut())
        self.header.set_note(
            f"{steps}   {size}" if steps else "",
            f"The steps take {size}; the oldest are forgotten first.\n"
            f"They are kept when the case is left. Settings ({key}) change both bounds.",
        )
