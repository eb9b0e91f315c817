"""A small open case for tests of the views: phases on different grids, two masks, regions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QMouseEvent, QWheelEvent
from PyQt5.QtWidgets import QApplication, QWidget

from labeler.core.geometry import CANONICAL_RAS, AxisOrder, Grid, Plane
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import Mask
from labeler.core.regions import RegionIndex
from labeler.core.statistics import PlacedVolume
from labeler.core.volume import Volume
from labeler.state.selection import Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_state import Pane, ViewState
from labeler.storage.cases import Case, PhaseSource
from labeler.ui.commands import Commands
from labeler.ui.view_actions import bind_view_commands
from labeler.ui.view_grid import ViewGrid
from labeler.workflows.workspace import Workspace

LIVER, LESION = 1, 9

LABELS = LabelTable([Label(LIVER, "Liver", "#3cb44b"), Label(LESION, "HCC", "#ff2020")])


def make_grid(shape_kji, spacing_mm, center_ras=(0.0, 0.0, 0.0)) -> Grid:
    """A canonical grid around a point."""
    affine = np.eye(4)
    affine[:3, :3] = CANONICAL_RAS.T * np.array(spacing_mm)
    affine[:3, 3] = center_ras - affine[:3, :3] @ ((np.array(shape_kji[::-1]) - 1) / 2)
    return Grid(shape_kji, affine)


def plain_order(grid: Grid) -> AxisOrder:
    return AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk)


def sphere(grid: Grid, center_ras, radius_mm: float) -> np.ndarray:
    """Voxels whose centres lie inside a ball, bool ``[k, j, i]``."""
    k, j, i = np.indices(grid.shape_kji)
    ras = grid.to_ras(np.stack((i, j, k), axis=-1))
    return np.linalg.norm(ras - np.asarray(center_ras), axis=-1) <= radius_mm


def make_volume(grid: Grid, liver_hu: int, lesion_hu: int) -> Volume:
    """A ball of liver with a lesion in it, in air."""
    array = np.full(grid.shape_kji, -1000, np.int16)
    array[sphere(grid, (0, 0, 0), 45)] = liver_hu
    array[sphere(grid, (15, 0, 0), 10)] = lesion_hu
    return Volume(array, grid, plain_order(grid))


def make_mask(name: str, grid: Grid) -> Mask:
    array = np.zeros(grid.shape_kji, np.uint8)
    array[sphere(grid, (0, 0, 0), 45)] = LIVER
    array[sphere(grid, (15, 0, 0), 10)] = LESION
    return Mask(name, array, grid, plain_order(grid))


#: PV is the grid of the masks; ART has thicker slices, NC another spacing and place.
GRIDS = {
    "NC": make_grid((40, 50, 50), (2.0, 2.0, 3.0), (1.0, -2.0, 1.2)),
    "ART": make_grid((24, 60, 60), (2.0, 2.0, 5.0)),
    "PV": make_grid((48, 60, 60), (2.0, 2.0, 2.5)),
}


@dataclass
class World:
    """Workspace, commands and views of one test."""

    ws: Workspace
    commands: Commands
    grid: ViewGrid

    @property
    def session(self) -> Session:
        return self.ws.session

    def view(self, index: int):
        return self.grid.views[index]

    def count_regions(self, name: str) -> None:
        """Do what the background task does after a change."""
        mask = self.session.masks[name].mask
        phases = {
            phase: PlacedVolume(volume.array, self.session.grid_of(phase))
            for phase, volume in self.session.volumes.items()
        }
        index = RegionIndex.build(name, mask.array, mask.grid, phases)
        self.session.set_regions(name, index)

    def region_id(self, name: str, label: int) -> int:
        regions = self.session.regions[name].regions.values()
        return next(region.id for region in regions if region.label == label)


def make_workspace(folder: Path, phases=("NC", "ART", "PV", "DL")) -> Workspace:
    panes = tuple(Pane(phase, Plane.AXIAL) for phase in phases)
    return Workspace(
        session=Session(LABELS, 2**26),
        selection=Selection(8.0),
        views=ViewState(panes),
        settings=Settings(folder / "settings.toml", folder / "no-defaults.toml"),
        tasks=TaskRunner(),
    )


def open_case(ws: Workspace, folder: Path, *, phases=("NC", "ART", "PV")) -> None:
    """Open a case whose phases are there at once, with a mask on PV's grid."""
    sources = {phase: PhaseSource(phase, folder / f"{phase}.nii.gz", phase) for phase in phases}
    ws.session.begin(Case("case-1", "case-folders", folder, folder, folder, sources))
    for phase in phases:
        ws.session.add_volume(phase, make_volume(GRIDS[phase], 100, 40))
    if "PV" in phases:
        ws.session.add_mask(make_mask("draft", GRIDS["PV"]), None)
        ws.selection.set_mask("draft")


def make_world(qtbot, folder: Path, *, size=(640, 480), opened: bool = True) -> World:
    """Make a window with four views; ``opened``: with a case in it."""
    ws = make_workspace(folder)
    commands = Commands({})
    grid = ViewGrid(ws, commands)
    grid.setObjectName("viewGrid")
    qtbot.addWidget(grid)
    bind_view_commands(ws, commands, grid)
    grid.resize(*size)
    grid.show()
    world = World(ws, commands, grid)
    if opened:
        open_case(ws, folder)
        ws.views.fit(GRIDS["PV"], ws.views.view_size_px)
        world.count_regions("draft")
    return world


def mouse(
    widget: QWidget,
    kind: QEvent.Type,
    pos,
    *,
    button=Qt.NoButton,
    buttons=Qt.NoButton,
    modifiers=Qt.NoModifier,
) -> None:
    """Send one mouse event with the buttons that are held, which QTest leaves out of moves."""
    pos = QPointF(pos)
    at = QPointF(widget.mapToGlobal(pos.toPoint()))
    QApplication.sendEvent(widget, QMouseEvent(kind, pos, at, button, buttons, modifiers))


def drag(widget: QWidget, *points, button=Qt.LeftButton, modifiers=Qt.NoModifier) -> None:
    """Press at the first point, move through the others, release at the last."""
    press(widget, points[0], button=button, modifiers=modifiers)
    for point in points[1:]:
        move(widget, point, buttons=button, modifiers=modifiers)
    release(widget, points[-1], button=button, modifiers=modifiers)


def press(widget: QWidget, pos, *, button=Qt.LeftButton, modifiers=Qt.NoModifier) -> None:
    mouse(
        widget, QEvent.MouseButtonPress, pos, button=button, buttons=button, modifiers=modifiers
    )


def move(widget: QWidget, pos, *, buttons=Qt.NoButton, modifiers=Qt.NoModifier) -> None:
    mouse(widget, QEvent.MouseMove, pos, buttons=buttons, modifiers=modifiers)


def release(widget: QWidget, pos, *, button=Qt.LeftButton, modifiers=Qt.NoModifier) -> None:
    mouse(widget, QEvent.MouseButtonRelease, pos, button=button, modifiers=modifiers)


def double_click(widget: QWidget, pos, *, button=Qt.LeftButton) -> None:
    """All four events of a double click."""
    press(widget, pos, button=button)
    release(widget, pos, button=button)
    mouse(widget, QEvent.MouseButtonDblClick, pos, button=button, buttons=button)
    release(widget, pos, button=button)


def wheel(widget: QWidget, units: int, *, pos=None, modifiers=Qt.NoModifier) -> None:
    """Turn the wheel by eighths of a degree (120 is a notch); positive is away from the user."""
    at = QPointF(widget.rect().center() if pos is None else pos)
    event = QWheelEvent(
        at, QPointF(widget.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, units),
        Qt.NoButton, modifiers, Qt.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
