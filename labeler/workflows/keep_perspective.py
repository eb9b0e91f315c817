"""Each perspective has its own views, grey scale and tool; going there and back changes none."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QObject

from labeler.core.geometry import Plane
from labeler.state.pane_choice import panes_for_case, remembered_panes, spine_phase
from labeler.state.perspective import LIVER, SPINE
from labeler.state.view_memory import ViewMemory
from labeler.state.view_state import Pane, Window
from labeler.storage.cases import Case
from labeler.workflows.adjust_windows import preset_hu
from labeler.workflows.workspace import Workspace

#: Planes of the views in the spine perspective; the first two are shown beside the strip.
SPINE_PLANES = (Plane.AXIAL, Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)

FIRST_TOOLS = {LIVER: "tool.navigate", SPINE: "tool.centroid"}


class PerspectiveKeeper(QObject):
    """Puts the views as the perspective has them, and back.

    Parameters
    ----------
    memory
        Notes in the settings how the liver perspective is; paused in the others.
    """

    def __init__(self, ws: Workspace, memory: ViewMemory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._memory = memory
        self._shown = ws.perspective.name
        self._tools = dict(FIRST_TOOLS)
        self._liver_panes: Sequence[Pane] = tuple(ws.views.panes)
        self._liver_windows: dict[str, Window] = {}
        self._spine_window = Window(*preset_hu(ws, "bone"))
        ws.perspective.changed.connect(self._change)
        ws.session.case_opened.connect(self._case_opened)

    def _case_opened(self, case: Case | None) -> None:
        if case is None:
            return
        data = self._ws.settings.data.views
        self._liver_panes = panes_for_case(case.phases, remembered_panes(data.phases, data.planes))
        if self._shown == SPINE:
            self._keep_liver_windows()
        self._show_panes()

    def _change(self, name: str) -> None:
        views, selection = self._ws.views, self._ws.selection
        self._tools[self._shown] = selection.tool
        if self._shown == LIVER:
            self._liver_panes = tuple(views.panes)
        else:
            self._spine_window = views.window(views.panes[0].phase)
        self._shown = name
        self._memory.paused = True
        views.set_options(maximized=None, active=min(views.active, 1))
        if name == SPINE:
            self._liver_windows.clear()
            self._keep_liver_windows()
        else:
            for phase, window in self._liver_windows.items():
                views.set_phase_window(phase, window)
        self._show_panes()
        self._memory.paused = name != LIVER
        selection.set_tool(self._tools[name])

    def _keep_liver_windows(self) -> None:
        """Show bone, and note the grey scale that phases have without it."""
        case, views = self._ws.session.case, self._ws.views
        phases = {pane.phase for pane in self._liver_panes} | set(case.phases if case else ())
        for phase in phases:
            self._liver_windows.setdefault(phase, views.window(phase))
            views.set_phase_window(phase, self._spine_window)

    def _show_panes(self) -> None:
        case, views = self._ws.session.case, self._ws.views
        panes = self._liver_panes
        if self._shown == SPINE and case is not None:
            phase = spine_phase(case.phases)
            panes = tuple(Pane(phase, plane) for plane in SPINE_PLANES)
        for index, pane in enumerate(panes):
            views.set_pane(index, phase=pane.phase, plane=pane.plane)
