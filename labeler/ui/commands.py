"""Qt actions of the command table, with icons, keys and tooltips.

Widgets show actions, ``app.py`` binds them to what they do. Keys can be changed in the settings
file (``[keys]``: command id = "key").
"""

from __future__ import annotations

from collections.abc import Callable

import qtawesome
from PyQt5.QtCore import QObject
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction

from labeler.ui.command_table import COMMANDS, Command

ICON_COLOUR = "#d7dce2"
ICON_DISABLED_COLOUR = "#5e6873"
ICON_ACTIVE_COLOUR = "#ffffff"


class Commands(QObject):
    """The actions of the table, by id.

    Parameters
    ----------
    keys
        Key per command id, over the table's defaults ("" takes a key away).
    """

    def __init__(self, keys: dict[str, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.problems: list[str] = []
        self._actions = {command.id: self._make(command) for command in COMMANDS}
        self.set_keys(keys)

    def action(self, command_id: str) -> QAction:
        return self._actions[command_id]

    def bind(self, command_id: str, function: Callable[..., object]) -> None:
        """Call ``function`` when the command is triggered (with ``checked`` when checkable)."""
        action = self._actions[command_id]
        if action.isCheckable():
            action.triggered.connect(lambda checked: function(checked))
        else:
            action.triggered.connect(lambda checked: function())

    def set_keys(self, keys: dict[str, str]) -> None:
        """Give every action its key; unknown ids and unreadable keys are noted in ``problems``."""
        unknown = [name for name in keys if name not in self._actions]
        self.problems = [f"keys.{name} is unknown and ignored" for name in unknown]
        owners: dict[str, str] = {}  # Qt answers a key of two actions with neither
        for command in sorted(COMMANDS, key=lambda command: command.id not in keys):
            chosen = self._chosen_keys(command, keys.get(command.id))
            for key in [key for key in chosen if _plain(key) in owners]:
                chosen = tuple(other for other in chosen if other != key)
                if command.id in keys:
                    owner = owners[_plain(key)]
                    self.problems.append(f"keys.{command.id} = {key!r} is the key of {owner}")
            owners.update({_plain(key): command.id for key in chosen})
            action = self._actions[command.id]
            action.setShortcuts([QKeySequence(key) for key in chosen])
            action.setToolTip(f"{command.tip}{_in_brackets(chosen)}")
            action.setStatusTip(command.tip)

    def _chosen_keys(self, command: Command, key: str | None) -> tuple[str, ...]:
        if key is None:
            return command.keys
        if key and not _plain(key):
            self.problems.append(f"keys.{command.id} = {key!r} is not a key and is ignored")
            return command.keys
        return (key,) if key else ()

    def _make(self, command: Command) -> QAction:
        action = QAction(command.text, self)
        action.setObjectName(command.id)
        action.setCheckable(command.checkable)
        action.setEnabled(not command.asleep)
        if command.icon:
            action.setIcon(
                qtawesome.icon(
                    command.icon,
                    color=ICON_COLOUR,
                    color_disabled=ICON_DISABLED_COLOUR,
                    color_active=ICON_ACTIVE_COLOUR,
                )
            )
        return action


def _plain(key: str) -> str:
    """One spelling of a key; "" for what is none."""
    return str(QKeySequence(key).toString())


def _in_brackets(keys: tuple[str, ...]) -> str:
    return f"  ({QKeySequence(keys[0]).toString(QKeySequence.NativeText)})" if keys else ""
