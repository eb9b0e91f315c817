"""The button that takes proposed centroids."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QSizePolicy, QToolButton, QWidget

from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.workflows.accept_landmarks import proposed_centroids
from labeler.workflows.workspace import Workspace


class TakeLandmarks(QToolButton):
    """Follows the proposal; hidden while no centroids are in it."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        action = commands.action("proposal.take_landmarks")
        self.setDefaultAction(action)
        self.setObjectName("button.proposal.take_landmarks")
        self.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setFont(style.text_font(style.SMALL_PX + 1))
        self.setFocusPolicy(Qt.TabFocus)
        self._proposals = ws.session.proposals
        self._proposals.changed.connect(self._show)
        action.changed.connect(self._name)
        self._show()
        self._name()

    def _show(self) -> None:
        self.setVisible(bool(proposed_centroids(self._proposals.current)))

    def _name(self) -> None:
        self.setAccessibleName(self.defaultAction().text())
