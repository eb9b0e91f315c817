"""The spine perspective: the strip beside the views, its panels and its commands."""

from __future__ import annotations

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QSplitter, QVBoxLayout, QWidget

from labeler.state.perspective import SPINE
from labeler.storage.cases import Case
from labeler.ui.commands import Commands
from labeler.ui.level_list import LevelList
from labeler.ui.main_window import Panel
from labeler.ui.panel_header import PanelHeader
from labeler.ui.spacing_plot import SpacingPlot
from labeler.ui.spine_actions import SpineActions
from labeler.ui.spine_checks import SpineChecks
from labeler.ui.spine_strip import SpineStrip
from labeler.ui.style import scaled
from labeler.ui.view_grid import GAP_PX, ViewGrid
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.workspace import Workspace

#: Shares of the width that strip and views get at first.
STRIP_SHARE, VIEWS_SHARE = 680, 320


class Stage(QSplitter):
    """What is in the middle of the window: the views, and beside them the strip of the spine."""

    def __init__(self, ws: Workspace, strip: SpineStrip, views: ViewGrid) -> None:
        super().__init__(Qt.Horizontal)
        self.setObjectName("stage")
        self.setHandleWidth(scaled(GAP_PX))
        self.setChildrenCollapsible(False)
        self._ws = ws
        self._strip = strip
        self.addWidget(strip)
        self.addWidget(views)
        self.setSizes([STRIP_SHARE, VIEWS_SHARE])
        self.setStretchFactor(0, STRIP_SHARE)
        self.setStretchFactor(1, VIEWS_SHARE)
        ws.perspective.changed.connect(self._show_strip)
        ws.session.case_opened.connect(self._show_strip)
        self._show_strip()

    def _show_strip(self, *_: object) -> None:
        has_case = self._ws.session.case is not None
        self._strip.setVisible(has_case and self._ws.perspective.name == SPINE)


class SpacingPanel(QWidget):
    """The curve of the distances with its title."""

    def __init__(self, plot: SpacingPlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spacingPanel")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self.header = PanelHeader("Spacing", self)
        self.header.set_note("found · expected ± 2 SD")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(plot, 1)


class SpineWorkbench(QObject):
    """Makes what only the spine perspective has.

    Attributes
    ----------
    stage
        Goes into the middle of the window.
    panels
        Go into its docks.
    strip
        The pictures along the spine.

    Signals
    -------
    said
        Sentence for the status bar.
    """

    said = pyqtSignal(str)

    def __init__(
        self, ws: Workspace, commands: Commands, views: ViewGrid, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._ws = ws
        self._commands = commands
        layer = views.spine
        self._layer = layer
        self.strip = SpineStrip(ws, layer)
        self.stage = Stage(ws, self.strip, views)
        self.levels = LevelList(ws, layer)
        self.checks = SpineChecks(ws, commands, layer)
        plot = SpacingPlot(ws, layer)
        plot.chosen.connect(ws.spine.select)
        spacing = SpacingPanel(plot)
        left, right = Qt.LeftDockWidgetArea, Qt.RightDockWidgetArea
        self.panels = (
            Panel("levels", "Levels", self.levels, left, 60, self.levels.header, only=SPINE),
            Panel("spacing", "Spacing", spacing, right, 42, spacing.header, only=SPINE),
            Panel("checks", "Checks", self.checks, right, 46, self.checks.header, only=SPINE),
        )
        self.strip.refused.connect(self.said)
        ws.session.case_opened.connect(self._case_opened)

    def bind(self, window: QWidget) -> None:
        """Let the commands act; `window` is the parent of their questions."""
        acts = SpineActions(self._ws, self._commands, self._layer, self.strip, self.stage, window)
        acts.refused.connect(self.said)

    def _case_opened(self, case: Case | None) -> None:
        """A case that has centroids and no masks is one for this perspective."""
        if case is not None and not case.masks and centroids_of(self._ws.session):
            self._ws.perspective.choose(SPINE)
