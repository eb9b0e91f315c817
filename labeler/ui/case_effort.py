"""What was done to the open case, and the file its centroids are in."""

from __future__ import annotations

import html

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtWidgets import QToolButton, QVBoxLayout, QWidget

from labeler.storage.centroid_names import SLICER_SUFFIX
from labeler.storage.sidecar import CentroidSource
from labeler.ui import formats, style
from labeler.ui.commands import Commands
from labeler.ui.flow_layout import FlowLayout
from labeler.ui.model_choice import wrapped_label
from labeler.ui.model_progress import duration
from labeler.ui.panel_header import PanelHeader
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.track_effort import EffortTracker
from labeler.workflows.workspace import Workspace

#: Buttons without words beside the title, and those below the text.
TITLE_BUTTONS = ("file.open_centroids", "file.export_centroids")
BUTTONS = ("spine.from_mask", "spine.relabel_mask")


class CaseEffort(QWidget):
    """Edits, active time and file of the open case, and what can be done with files and masks."""

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        opener: CaseOpener,
        effort: EffortTracker,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("caseEffort")
        self.setAccessibleName("This case")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._opener = opener
        self._effort = effort
        self.header = PanelHeader("This case", self)
        self._text = wrapped_label(self, "caseEffortText", "Edits, time and file of this case")
        buttons = QWidget(self)
        flow = FlowLayout(buttons, style.scaled(2))
        for command in BUTTONS:
            flow.addWidget(_button(commands, command, buttons))
        for command in TITLE_BUTTONS:
            action = commands.action(command)
            button = self.header.add_button(f"button.{command}", action.toolTip())
            button.setDefaultAction(action)
            button.setAccessibleName(action.text())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        inner = QVBoxLayout()
        inner.setContentsMargins(*(style.scaled(px) for px in (12, 2, 10, 8)))
        inner.setSpacing(style.scaled(4))
        inner.addWidget(self._text)
        inner.addWidget(buttons)
        layout.addLayout(inner)
        layout.addStretch(1)
        effort.changed.connect(self._show)
        ws.session.history_changed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(148))

    def minimumSizeHint(self) -> QSize:
        # two lines of text and two of buttons: a dock knows nothing of height for width
        return QSize(style.scaled(200), style.scaled(148))

    @property
    def text(self) -> str:
        """What it says."""
        return str(self._text.text())

    def _show(self) -> None:
        loaded = self._opener.sidecar
        if self._ws.session.case is None or loaded is None:
            self._text.setText("No case is open.")
            return
        parts = [
            formats.count(self._effort.centroid_edits, "edit"),
            f"{duration(self._effort.active_s)} active",
            _file_words(loaded.sidecar.centroid_file),
        ]
        self._text.setText(html.escape(" \u00b7 ".join(parts)))


def _file_words(source: CentroidSource | None) -> str:
    """Name and format of a centroid file."""
    if source is None or not source.digest:
        return "no centroid file yet"
    kind = "3D Slicer" if source.path.lower().endswith(SLICER_SUFFIX) else "VerSe"
    return f"file {source.path.rsplit('/', 1)[-1]} ({kind})"


def _button(commands: Commands, command: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setDefaultAction(commands.action(command))
    button.setObjectName(f"button.{command}")
    button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
    button.setAccessibleName(commands.action(command).text())
    button.setFont(style.text_font(style.SMALL_PX + 1))
    button.setFocusPolicy(Qt.TabFocus)
    button.setProperty("compact", True)
    return button
