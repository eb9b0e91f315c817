"""The program's own views: from a mouse event to painted pixels."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QMouseEvent, QWheelEvent
from PyQt5.QtWidgets import QApplication

from benchmarks import _scene
from benchmarks.registry import Pair, row
from benchmarks.scroll_kernel import SIZE_PX, SLICES
from labeler.core.geometry import Grid, Plane
from labeler.core.labels import LabelTable
from labeler.core.mask import Mask
from labeler.core.regions import RegionIndex
from labeler.core.volume import PHASES, Volume
from labeler.state.selection import RegionRef, Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_state import Pane, ViewState
from labeler.storage.cases import Case, PhaseSource
from labeler.ui.commands import Commands
from labeler.ui.slice_view import SliceView
from labeler.ui.view_grid import ViewGrid
from labeler.workflows.workspace import Workspace

#: Width of the lines between the views.
GAP_PX = 3

BRUSH_MM = 20.0
STEP_PX = 6

#: A long trunk: what a stroke costs must not depend on the number of slices.
MANY_SLICES_KJI = (800, 512, 512)


@dataclass(frozen=True)
class _Window:
    ws: Workspace
    grid: ViewGrid

    @property
    def view(self) -> SliceView:
        return self.grid.views[2]

    def close(self) -> None:
        self.grid.close()
        self.grid.deleteLater()
        self.ws.tasks.shutdown()


@row("scroll", baseline="pyqtgraph ImageItem + contours", reach_ratio=0.25, reach_p95=12.0)
def scroll() -> Pair:
    """Wheel to four painted views: CT and two masks with fill and contour, 700 px views."""
    from benchmarks._pyqtgraph import PyqtgraphView

    window = _open(_scene.phases(), [_scene.mask("draft"), _second_mask()])
    app = _app()
    theirs = [
        PyqtgraphView(volume.array, [_scene.labels(), _scene.second_labels()])
        for volume in _scene.phases().values()
    ]
    for widget in theirs:
        widget.resize(SIZE_PX, SIZE_PX)
        widget.show()
    turns = itertools.cycle([120] * len(SLICES) + [-120] * len(SLICES))
    slices = itertools.cycle([*SLICES, *reversed(SLICES)])

    def ours() -> None:
        _wheel(window.view, next(turns))
        app.processEvents()

    def baseline() -> None:
        k = next(slices)
        for widget in theirs:
            widget.show_slice(k)
        app.processEvents()

    def close() -> None:
        window.close()
        for widget in theirs:
            widget.close()
            widget.deleteLater()

    return Pair(ours, baseline, close)


@row("stroke", reach=8.0, reach_p95=16.0)
def stroke() -> Pair:
    """Mouse event to painted: brush of 20 mm, four phases and two masks in 700 px views."""
    return _stroke(_open(_scene.phases(), [_scene.mask("draft"), _second_mask()]))


@row("stroke-800", reach=8.0, reach_p95=16.0)
def stroke_many_slices() -> Pair:
    """The same in a case of 800 slices."""
    grid = Grid(MANY_SLICES_KJI, _scene.grid().affine)
    order = _scene.axis_order()
    array = np.zeros(MANY_SLICES_KJI, np.int16)  # pages nobody writes to take no memory
    phases = {name: Volume(array, grid, order) for name in PHASES}
    masks = [
        Mask(name, np.zeros(MANY_SLICES_KJI, np.uint8), grid, order) for name in ("draft", "other")
    ]
    return _stroke(_open(phases, masks))


def _stroke(window: _Window) -> Pair:
    app = _app()
    window.ws.selection.set_tool("tool.brush")
    points = _serpentine(window.view)
    _mouse(window.view, QEvent.MouseButtonPress, next(points))

    def ours() -> None:
        _mouse(window.view, QEvent.MouseMove, next(points))
        app.processEvents()

    return Pair(ours, None, window.close)


def _serpentine(view: SliceView) -> Iterator[QPointF]:
    """A path over the whole view that never crosses itself, so that every step paints."""
    width_px = BRUSH_MM / view.ws.views.mm_per_px
    columns = np.arange(width_px, view.width() - width_px, STEP_PX)
    rows = np.arange(width_px, view.height() - width_px, width_px * 1.1)
    for number, y in enumerate(rows):
        for x in columns if number % 2 == 0 else columns[::-1]:
            yield QPointF(float(x), float(y))


@cache  # an application nobody refers to is deleted, with all its widgets
def _app() -> QApplication:
    return QApplication.instance() or QApplication([])


def _second_mask() -> Mask:
    array = _scene.second_labels().copy()
    return Mask("other", array, _scene.grid(), _scene.axis_order())


def _open(phases: Mapping[str, Volume], masks: Sequence[Mask]) -> _Window:
    """Make the four views on a case that is open already, one region selected."""
    app = _app()
    folder = Path(tempfile.gettempdir())
    panes = [Pane(phase, Plane.AXIAL) for phase in PHASES]
    ws = Workspace(
        session=Session(LabelTable(), 2**28),
        selection=Selection(BRUSH_MM),
        views=ViewState((panes[0], panes[1], panes[2], panes[3])),
        settings=Settings(folder / "no-settings.toml", folder / "no-defaults.toml"),
        tasks=TaskRunner(),
    )
    sources = {phase: PhaseSource(phase, folder, phase) for phase in phases}
    ws.session.begin(Case("bench", "case-folders", folder, folder, folder, sources))
    grid = ViewGrid(ws, Commands({}))
    grid.resize(2 * SIZE_PX + GAP_PX, 2 * SIZE_PX + GAP_PX)
    grid.show()
    for phase, volume in phases.items():
        ws.session.add_volume(phase, volume)
    for mask in masks:
        ws.session.add_mask(mask, None)
        index = RegionIndex.build(mask.name, mask.array, mask.grid)
        ws.session.set_regions(mask.name, index)
        if index.regions:
            ws.selection.select_region(RegionRef(mask.name, max(index.regions)))
    ws.selection.set_mask(masks[0].name)
    ws.selection.set_label(12)
    first = next(iter(phases.values())).grid
    ws.views.fit(first, (SIZE_PX, SIZE_PX))
    middle = first.to_ras((first.shape_ijk[0] / 2, first.shape_ijk[1] / 2, SLICES[0]))
    ws.views.set_crosshair(middle)
    app.processEvents()
    return _Window(ws, grid)


def _wheel(view: SliceView, units: int) -> None:
    at = QPointF(view.rect().center())
    event = QWheelEvent(
        at, QPointF(view.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, units),
        Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def _mouse(view: SliceView, kind: QEvent.Type, pos: QPointF) -> None:
    button = Qt.LeftButton if kind == QEvent.MouseButtonPress else Qt.NoButton
    at = QPointF(view.mapToGlobal(pos.toPoint()))
    event = QMouseEvent(kind, pos, at, button, Qt.LeftButton, Qt.NoModifier)
    QApplication.sendEvent(view, event)
