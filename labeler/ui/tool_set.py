"""The tools of a view, one of each."""

from __future__ import annotations

from labeler.ui.edit_tools_axes import AxesTool
from labeler.ui.edit_tools_brush import BrushTool, FillTool
from labeler.ui.edit_tools_centroid import CentroidTool
from labeler.ui.edit_tools_grow import GrowTool
from labeler.ui.edit_tools_livewire import LivewireTool
from labeler.ui.edit_tools_outline import OutlineTool
from labeler.ui.edit_tools_scribble import ScribbleTool
from labeler.ui.edit_tools_split import SplitTool
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_tools import ContourTool, NavigateTool, Tool


def make_tools(canvas: Canvas) -> dict[str, Tool]:
    """Make one of each tool for a view, by command id."""
    return {
        "tool.navigate": NavigateTool(canvas),
        "tool.contour": ContourTool(canvas),
        "tool.contour_erase": ContourTool(canvas, erases=True),
        "tool.brush": BrushTool(canvas),
        "tool.eraser": BrushTool(canvas, erases=True),
        "tool.fill": FillTool(canvas),
        "tool.outline": OutlineTool(canvas),
        "tool.livewire": LivewireTool(canvas),
        "tool.grow": GrowTool(canvas),
        "tool.scribble": ScribbleTool(canvas),
        "tool.axes": AxesTool(canvas),
        "tool.split": SplitTool(canvas),
        "tool.centroid": CentroidTool(canvas),
        "tool.centroid_add": CentroidTool(canvas, adds=True),
    }
