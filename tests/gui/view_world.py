"""A window with four views on a small case, and the mouse that tests move in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QMouseEvent, QWheelEvent
from PyQt5.QtWidgets import QApplication, QWidget

from labeler.state.session import Session
from labeler.ui.commands import Commands
from labeler.ui.slice_view import SliceView
from labeler.ui.view_actions import bind_view_commands
from labeler.ui.view_grid import ViewGrid
from labeler.workflows.workspace import Workspace
from tests.case_world import GRIDS, count_regions, make_workspace, open_case


@dataclass
class World:
    """Workspace, commands and views of one test."""

    ws: Workspace
    commands: Commands
    grid: ViewGrid

    @property
    def session(self) -> Session:
        return self.ws.session

    def view(self, index: int) -> SliceView:
        return self.grid.views[index]


def make_world(qtbot, folder: Path, *, size=(643, 483), opened: bool = True) -> World:
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
        count_regions(ws, "draft")
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
    mouse(widget, QEvent.MouseButtonPress, pos, button=button, buttons=button, modifiers=modifiers)


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
