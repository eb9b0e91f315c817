"""Long and short axis of the selected region: which they are now, and whether they are shown."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.axes import Axes
from labeler.state.selection import RegionRef
from labeler.state.session import Change
from labeler.workflows.measure_axes import FIELD, RegionAxes, find_axes
from labeler.workflows.workspace import Workspace

TOOL = "tool.axes"


class AxesLayer(QObject):
    """Follows the selected region while its axes are wanted.

    They are wanted while they are switched on, and with the tool that moves their ends; with the
    tool the views go to their slice.

    Signals
    -------
    changed
        Other axes, or none, are to be shown.
    """

    changed = pyqtSignal()

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._is_on = False
        self._ref: RegionRef | None = None
        self._found: RegionAxes | None = None
        self._goes_there = False
        ws.selection.region_selected.connect(self._region_selected)
        ws.selection.tool_changed.connect(self._tool_changed)
        ws.session.regions_changed.connect(self._regions_changed)
        ws.session.changed.connect(self._content_changed)

    @property
    def ref(self) -> RegionRef | None:
        """Region whose axes are shown."""
        return self._ref

    @property
    def found(self) -> RegionAxes | None:
        """What is shown."""
        return self._found

    @property
    def is_on(self) -> bool:
        """Whether the axes are shown with any tool."""
        return self._is_on

    def set_on(self, shown: bool) -> None:
        """Show the axes with any tool, or with their own only."""
        self._is_on = shown
        self._refresh()

    def preview(self, axes: Axes) -> None:
        """Show axes that are being moved."""
        self._found = RegionAxes(axes, True, True)
        self.changed.emit()

    def _refresh(self, *, go: bool = False) -> None:
        ref = self._ws.selection.region
        has_tool = self._ws.selection.tool == TOOL
        self._goes_there = go and has_tool
        if ref is not None and (self._is_on or has_tool):
            if ref != self._ref:
                self._set(ref, None)
            find_axes(self._ws, ref, self._set)
        else:
            # What is still being measured is not wanted any more.
            self._ws.tasks.cancel((FIELD,))
            self._set(None, None)

    def _set(self, ref: RegionRef | None, found: RegionAxes | None) -> None:
        self._ref, self._found = ref, found
        self.changed.emit()
        if found is not None and self._goes_there:
            self._goes_there = False
            views = self._ws.views
            middle = np.mean(found.axes.long_ras, axis=0)
            views.set_frame(crosshair_ras=middle, center_ras=middle)

    def _region_selected(self, _ref: RegionRef | None) -> None:
        self._refresh(go=True)

    def _tool_changed(self, _tool: str) -> None:
        self._refresh(go=True)

    def _regions_changed(self, mask: str) -> None:
        ref = self._ws.selection.region
        if ref is not None and ref.mask == mask:
            self._refresh()

    def _content_changed(self, change: Change) -> None:
        if any(value.field in (FIELD, "shift") for value in change.values):
            self._refresh()
