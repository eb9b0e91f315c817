"""Binds the commands of menus "View", "Grey scale" and "Tools" to the views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QAction

from labeler.core.contrast import WINDOW_PRESETS_HU
from labeler.core.geometry import FloatArray, Plane
from labeler.state.perspective import PERSPECTIVES
from labeler.ui.command_table import COMMANDS
from labeler.ui.commands import Commands
from labeler.ui.difference_actions import bind_difference
from labeler.ui.preview_actions import bind_preview_commands
from labeler.ui.view_grid import ViewGrid
from labeler.ui.view_tools import next_brush_mm
from labeler.workflows.adjust_windows import auto_windows, preset_hu, preset_window
from labeler.workflows.choose_label import next_unused_label, pick_label
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace

FILL_STEP = 0.1

TOOL_IDS = tuple(c.id for c in COMMANDS if c.id.startswith("tool.") and c.checkable)


def bind_view_commands(ws: Workspace, commands: Commands, grid: ViewGrid) -> None:
    """Bind every ``view.*``, ``window.*``, ``tool.*``, ``label.*`` and ``preview.*`` command.

    Checkable actions follow the state, whoever changed it. The arrow keys act only while the
    views have the focus, so that lists keep theirs.
    """
    _bind_view(ws, commands, grid)
    _bind_perspectives(ws, commands)
    _bind_windows(ws, commands)
    _bind_tools(ws, commands)
    _bind_labels(ws, commands, grid)
    bind_preview_commands(ws, commands, grid.preview, grid.refused.emit)
    bind_difference(ws, commands, grid.difference, grid.refused.emit, grid)


def step_fill(ws: Workspace, step: float) -> None:
    """Make the fill of the active mask (of every mask while none is active) more opaque."""
    active = ws.selection.mask
    names = [active] if active in ws.session.masks else list(ws.session.masks)
    for name in filter(None, names):
        style = ws.views.style(name)
        opacity = round(min(1.0, max(0.0, style.fill_opacity + step)), 2)
        ws.views.set_style(name, replace(style, fill_opacity=opacity))


def _bind_view(ws: Workspace, commands: Commands, grid: ViewGrid) -> None:
    views = ws.views
    commands.bind("view.fit", grid.fit)
    commands.bind("view.maximize", grid.toggle_maximized)
    commands.bind("view.axes", grid.axes.set_on)
    commands.bind("view.fill_less", partial(step_fill, ws, -FILL_STEP))
    commands.bind("view.fill_more", partial(step_fill, ws, FILL_STEP))
    for command_id, step in (("view.slice_up", 1), ("view.slice_down", -1)):
        commands.bind(command_id, partial(grid.step, step))
        action = commands.action(command_id)
        action.setShortcutContext(Qt.WidgetWithChildrenShortcut)
        grid.addAction(action)
    for plane in Plane:
        commands.bind(f"view.{plane.value}", partial(_set_plane, ws, plane))
    options = {
        "view.crosshair": "crosshair_visible",
        "view.masks": "masks_visible",
        "view.link_windows": "windows_linked",
    }
    actions: dict[str, QAction] = {}
    for command_id, option in options.items():
        commands.bind(command_id, _option_setter(ws, option))
        actions[option] = commands.action(command_id)

    def follow() -> None:
        for option, action in actions.items():
            action.setChecked(getattr(views, option))

    views.options_changed.connect(follow)
    follow()


def _bind_perspectives(ws: Workspace, commands: Commands) -> None:
    perspective = ws.perspective

    def follow(_: str = "") -> None:
        for name in PERSPECTIVES:
            commands.action(f"view.{name}").setChecked(name == perspective.name)

    def choose(name: str) -> None:
        perspective.choose(name)
        follow()  # the action of the one that is shown, triggered again, has unchecked itself

    for name in PERSPECTIVES:
        commands.bind(f"view.{name}", lambda _, name=name: choose(name))
    perspective.changed.connect(commands.show_perspective)
    perspective.changed.connect(follow)
    follow()


def _option_setter(ws: Workspace, option: str) -> Callable[[bool], None]:
    return lambda checked: ws.views.set_options(**{option: checked})


def _set_plane(ws: Workspace, plane: Plane) -> None:
    ws.views.set_pane(ws.views.active, plane=plane)


def _bind_windows(ws: Workspace, commands: Commands) -> None:
    for preset in WINDOW_PRESETS_HU:
        commands.bind(f"window.{preset}", partial(_preset_active, ws, preset))
        action = commands.action(f"window.{preset}")
        width_hu, level_hu = preset_hu(ws, preset)
        action.setText(f"{action.text()} {width_hu:g}/{level_hu:g}")
    commands.bind("window.auto", partial(auto_windows, ws))


def _preset_active(ws: Workspace, preset: str) -> None:
    preset_window(ws, ws.views.panes[ws.views.active].phase, preset)


def _bind_tools(ws: Workspace, commands: Commands) -> None:
    selection = ws.selection
    for command_id, step in (("tool.smaller", -1), ("tool.larger", 1)):
        commands.bind(command_id, partial(_step_brush, ws, step))

    def follow() -> None:
        for command_id in TOOL_IDS:
            commands.action(command_id).setChecked(command_id == selection.tool)

    def choose(tool: str) -> None:
        selection.set_tool(tool)
        follow()  # the active tool's action, triggered again, has unchecked itself

    for command_id in TOOL_IDS:
        commands.bind(command_id, lambda _, tool=command_id: choose(tool))
    selection.tool_changed.connect(lambda _: follow())
    follow()


def _step_brush(ws: Workspace, step: int) -> None:
    ws.selection.set_brush_mm(next_brush_mm(ws.selection.brush_mm, step))


def _bind_labels(ws: Workspace, commands: Commands, grid: ViewGrid) -> None:
    """Bind the choice of the active label; "under the cursor" is where a view last saw it."""
    hovered: list[FloatArray] = []

    def remember(ras: FloatArray | None) -> None:
        hovered[:] = [] if ras is None else [ras]

    def attempt(choose: Callable[[], int]) -> None:
        try:
            choose()
        except EditRefused as refusal:
            grid.refused.emit(str(refusal))

    def pick() -> int:
        if not hovered:
            raise EditRefused("Point at a label in a view first")
        return pick_label(ws, hovered[0])

    ws.views.hovered.connect(remember)
    commands.bind("label.pick", partial(attempt, pick))
    commands.bind("label.unused", partial(attempt, partial(next_unused_label, ws)))
