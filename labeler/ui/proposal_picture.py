"""The picture that a model drew of how it came to its proposal, and the button that shows it."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QImage, QPixmap
from PyQt5.QtWidgets import QLabel, QScrollArea, QSizePolicy, QToolButton, QWidget

from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.ui.dialog import Dialog
from labeler.workflows.workspace import Workspace

#: Larger pictures are scrolled.
_MOST_PX = (1100, 760)
_BAR_PX = 20


class PictureDialog(Dialog):
    """A picture at its own size.

    Parameters
    ----------
    title
        Of the window.
    image
        Not empty.
    """

    def __init__(self, title: str, image: QImage, parent: QWidget | None = None) -> None:
        super().__init__("proposalPicture", title, "", parent)
        picture = QLabel(self)
        picture.setObjectName("proposalPicture.image")
        picture.setAccessibleName(title)
        picture.setPixmap(QPixmap.fromImage(image))
        area = QScrollArea(self)
        area.setAlignment(Qt.AlignCenter)
        area.setWidget(picture)
        area.setMinimumSize(
            min(image.width(), _MOST_PX[0]) + _BAR_PX, min(image.height(), _MOST_PX[1]) + _BAR_PX
        )
        self.content.addWidget(area)


class PictureButton(QToolButton):
    """Follows the proposal; hidden while it has no picture that can be shown."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._action = commands.action("proposal.picture")
        self.setDefaultAction(self._action)
        self.setObjectName("button.proposal.picture")
        self.setAccessibleName(self._action.text())
        self.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setFont(style.text_font(style.SMALL_PX + 1))
        self.setFocusPolicy(Qt.TabFocus)
        self._proposals = ws.session.proposals
        self._image = QImage()
        commands.bind("proposal.picture", self._open)
        self._proposals.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        proposal = self._proposals.current
        self._image = QImage()
        if proposal is not None and proposal.picture:
            self._image = QImage.fromData(proposal.picture, "PNG")
        self._action.setEnabled(not self._image.isNull())
        self.setVisible(not self._image.isNull())

    def _open(self) -> None:
        proposal = self._proposals.current
        if proposal is not None and not self._image.isNull():
            title = f"How {proposal.run.title} found this"
            dialog = PictureDialog(title, self._image, self.window())
            dialog.setAttribute(Qt.WA_DeleteOnClose)
            dialog.open()
