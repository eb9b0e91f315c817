"""Options of the painting tools, in the bar beside the label: size, form, limits."""

from __future__ import annotations

from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtWidgets import QDoubleSpinBox, QHBoxLayout, QWidget

from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.ui.limits_popup import LimitsPopup, limits_text
from labeler.ui.tool_button import ToolButton
from labeler.workflows.workspace import Workspace

#: Tools that have each of the options.
BRUSHES = ("tool.brush", "tool.eraser")
CONTOURS = ("tool.contour", "tool.livewire")
LIMITED = (
    *BRUSHES, *CONTOURS, "tool.contour_erase", "tool.fill", "tool.outline", "tool.grow",
    "tool.scribble", "tool.split",
)  # fmt: skip


class ToolOptions(QWidget):
    """Shows what the active tool can be told, and nothing else."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolOptions")
        self.setAccessibleName("Options of the tool")
        self._ws = ws
        self._size = _size_box(self)
        self._ball = _action_button(commands, "brush.ball", self)
        self._smart = _action_button(commands, "brush.smart", self)
        self._replace = _action_button(commands, "contour.replace", self)
        self._limits = _action_button(commands, "brush.limits", self)
        self._limits.set_has_menu(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.scaled(2))
        for widget in (self._size, self._ball, self._smart, self._replace, self._limits):
            layout.addWidget(widget)
        self._size.valueChanged.connect(ws.selection.set_brush_mm)
        commands.bind("brush.ball", lambda checked: ws.selection.set_brush_form(ball=checked))
        commands.bind("brush.smart", lambda checked: ws.selection.set_brush_form(smart=checked))
        commands.bind("contour.replace", ws.selection.set_contour_replaces)
        commands.bind("brush.limits", self.open_limits)
        self._commands = commands
        ws.selection.changed.connect(self._show_selection)
        ws.selection.tool_changed.connect(self._show_tool)
        self._show_selection()
        self._show_tool(ws.selection.tool)

    def set_shows_words(self, shown: bool) -> None:
        """Show the words of the options, or icon and key only."""
        for button in (self._ball, self._smart, self._replace, self._limits):
            button.set_shows_words(shown)

    def open_limits(self, *_: object) -> None:
        """Open the list of limits below its button."""
        self._show_selection()  # the action shows whether there is a limit, not a click
        popup = LimitsPopup(self._ws, self)
        at = self._limits if self._limits.isVisible() else self
        popup.open_at(at.mapToGlobal(QPoint(0, at.height())))

    def _show_selection(self) -> None:
        selection = self._ws.selection
        self._size.blockSignals(True)
        self._size.setValue(selection.brush_mm)
        self._size.blockSignals(False)
        self._commands.action("brush.ball").setChecked(selection.brush_is_ball)
        self._commands.action("brush.smart").setChecked(selection.brush_is_smart)
        self._commands.action("contour.replace").setChecked(selection.contour_replaces)
        text = limits_text(self._ws)
        self._commands.action("brush.limits").setChecked(bool(text))
        self._limits.set_caption(text or "No limits", None)

    def _show_tool(self, tool: str) -> None:
        self._ball.setVisible(tool in BRUSHES)
        self._smart.setVisible(tool in BRUSHES)
        self._replace.setVisible(tool in CONTOURS)
        self._limits.setVisible(tool in LIMITED)


def _action_button(commands: Commands, command_id: str, parent: QWidget) -> ToolButton:
    button = ToolButton(parent)
    button.setDefaultAction(commands.action(command_id))
    button.setObjectName(f"button.{command_id}")
    return button


def _size_box(parent: QWidget) -> QDoubleSpinBox:
    box = QDoubleSpinBox(parent)
    box.setObjectName("brushSize")
    box.setAccessibleName("Brush diameter in mm")
    box.setToolTip("Diameter of brush and eraser in mm  ([ smaller, ] larger)")
    box.setRange(0.5, 200.0)
    box.setDecimals(1)
    box.setSuffix(" mm")
    box.setKeyboardTracking(False)
    box.setFocusPolicy(Qt.ClickFocus)
    box.setFixedWidth(style.scaled(94))
    box.editingFinished.connect(box.clearFocus)  # the next key is one of the window's again
    return box
