"""The window: menus, docks and bars around the views. Makes them and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PyQt5.QtCore import QByteArray, Qt
from PyQt5.QtGui import QCloseEvent
from PyQt5.QtWidgets import QDockWidget, QMainWindow, QMenu, QStatusBar, QToolBar, QWidget

from labeler.state.perspective import LIVER
from labeler.ui.command_table import COMMANDS
from labeler.ui.commands import Commands

#: Widths of the docks on a wide and on a narrow screen.
DOCK_PX, NARROW_DOCK_PX, NARROW_SCREEN_PX = 320, 264, 1500

MENUS = (
    "File", "Case", "Edit", "View", "Grey scale", "Masks", "Regions", "Spine", "Models", "Tools",
    "Help",
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A widget that goes into a dock.

    ``share`` is its part of the dock area's height; ``title_bar`` the widget the user drags.
    A panel with a ``command`` is closed until that is triggered. Where it would be lower than it
    wants to be then, those in ``instead_of`` are closed, one after the other, until it is not;
    they come back when it is closed.
    One that is ``only`` of a perspective is closed in the others.
    """

    name: str
    title: str
    widget: QWidget
    area: Qt.DockWidgetArea
    share: int
    title_bar: QWidget
    command: str = ""
    instead_of: tuple[str, ...] = ()
    only: str = ""


class MainWindow(QMainWindow):
    """Frame of the program.

    Parameters
    ----------
    commands
        Fill the menus; those whose keys do not belong to one widget alone work everywhere.
    views
        Central widget.
    tools
        Bar at the top.
    status
        Bar at the bottom.
    panels
        Docks, from top to bottom.
    """

    def __init__(
        self,
        commands: Commands,
        views: QWidget,
        tools: QWidget,
        status: QStatusBar,
        panels: tuple[Panel, ...],
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle("CT Labeler")
        self.setDockOptions(QMainWindow.AnimatedDocks | QMainWindow.AllowNestedDocks)
        #: Asked before the window closes; the program sets it.
        self.may_close: Callable[[], bool] = lambda: True
        self._panels = panels
        self._gave_way: dict[str, list[str]] = {}
        self._perspective = LIVER
        self._arrangements: dict[str, QByteArray] = {}
        self._menus: dict[str, QMenu] = {}
        self._docks = {panel.name: self._dock(panel) for panel in panels}
        self._bind_closed_panels(commands)
        self._fill_menus(commands)
        bar = QToolBar("Tools", self)
        bar.setObjectName("toolBar")
        bar.setMovable(False)
        bar.addWidget(tools)
        self.addToolBar(bar)
        self.setCentralWidget(views)
        self.setStatusBar(status)
        self.setContextMenuPolicy(Qt.NoContextMenu)
        self._show_panels()

    def arrange(self, geometry: str, docks: Mapping[str, str]) -> None:
        """Restore remembered arrangements (base64), or make the standard ones.

        Parameters
        ----------
        docks
            By perspective.
        """
        self._arrangements = {
            name: QByteArray.fromBase64(state.encode()) for name, state in docks.items() if state
        }
        if not (geometry and self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))):
            self.setGeometry(self.screen().availableGeometry())
            self.setWindowState(Qt.WindowMaximized)
        state = self._arrangements.get(self._perspective)
        if state is None or not self.restoreState(state):
            self.arrange_docks()

    def show_perspective(self, name: str) -> None:
        """Show the panels and menus of a perspective, arranged as they were there."""
        self._arrangements[self._perspective] = self.saveState()
        self._perspective = name
        state = self._arrangements.get(name)
        if state is None or not self.restoreState(state):
            self._show_panels()
            self.arrange_docks()
        self._show_menus()

    def arrange_docks(self) -> None:
        """Give the docks their standard sizes for the present window."""
        width = DOCK_PX if self.width() >= NARROW_SCREEN_PX else NARROW_DOCK_PX
        for area in (Qt.LeftDockWidgetArea, Qt.RightDockWidgetArea):
            panels = [p for p in self._panels if p.area == area and self._is_here(p)]
            docks = [self._docks[panel.name] for panel in panels]
            self.resizeDocks(docks, [width] * len(docks), Qt.Horizontal)
            self.resizeDocks(docks, [panel.share for panel in panels], Qt.Vertical)

    def arrangement(self) -> tuple[str, dict[str, str]]:
        """Geometry and dock states by perspective, base64, for :meth:`arrange`."""
        states = {**self._arrangements, self._perspective: self.saveState()}
        return (
            bytes(self.saveGeometry().toBase64()).decode(),
            {name: bytes(state.toBase64()).decode() for name, state in states.items()},
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        event.setAccepted(self.may_close())

    def _dock(self, panel: Panel) -> QDockWidget:
        dock = QDockWidget(panel.title, self)
        dock.setObjectName(f"{panel.name}Dock")
        dock.setTitleBarWidget(panel.title_bar)
        dock.setWidget(panel.widget)
        self.addDockWidget(panel.area, dock)
        return dock

    def _is_here(self, panel: Panel) -> bool:
        return panel.only in ("", self._perspective)

    def _show_panels(self) -> None:
        """Open what belongs to the perspective, but for panels that open by their command."""
        for panel in self._panels:
            is_open = self._is_here(panel) and not panel.command
            self._docks[panel.name].setVisible(is_open)

    def _show_menus(self) -> None:
        """Hide the menus that have nothing in this perspective."""
        titles = {c.menu for c in COMMANDS if c.perspective in ("", self._perspective)}
        for title, menu in self._menus.items():
            menu.menuAction().setVisible(title in titles)

    def _bind_closed_panels(self, commands: Commands) -> None:
        for panel in self._panels:
            if panel.command:
                dock = self._docks[panel.name]
                dock.hide()
                commands.bind(panel.command, partial(self._show_dock, panel))
                shown = commands.action(panel.command).setChecked
                dock.toggleViewAction().toggled.connect(shown)

    def _show_dock(self, panel: Panel, is_shown: bool) -> None:
        """Open or close a panel; the others of its side make room for it, or come back."""
        dock = self._docks[panel.name]
        dock.setVisible(is_shown)
        if not is_shown:
            for name in self._gave_way.pop(panel.name, ()):
                self._docks[name].setVisible(True)
            return
        gone = self._gave_way.setdefault(panel.name, [])
        wanted = panel.widget.sizeHint().height()
        for name in panel.instead_of:
            if self._heights(panel.area)[panel.name] < wanted and not self._docks[name].isHidden():
                self._docks[name].setVisible(False)
                gone.append(name)
        heights = self._heights(panel.area)
        heights[panel.name] = max(wanted, heights[panel.name])
        docks = [self._docks[name] for name in heights]
        self.resizeDocks(docks, list(heights.values()), Qt.Vertical)

    def _heights(self, area: Qt.DockWidgetArea) -> dict[str, int]:
        """What the shares of the panels come to that are shown at one side."""
        beside = [panel for panel in self._panels if panel.area == area]
        shares = {p.name: p.share for p in beside if not self._docks[p.name].isHidden()}
        height = self.centralWidget().height()
        return {
            name: round(share / sum(shares.values()) * height) for name, share in shares.items()
        }

    def _fill_menus(self, commands: Commands) -> None:
        menus = self._menus = {title: self.menuBar().addMenu(title) for title in MENUS}
        for command in COMMANDS:
            action = commands.action(command.id)
            menus[command.menu].addAction(action)
            if action.shortcutContext() == Qt.WindowShortcut:
                self.addAction(action)
        docks = menus["View"].addMenu("Panels")
        for dock in self._docks.values():
            docks.addAction(dock.toggleViewAction())
        self._show_menus()
