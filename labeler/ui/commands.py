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

from labeler.state.perspective import LIVER
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
        self._keys: dict[str, tuple[str, ...]] = {}
        self._perspective = LIVER
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
        """Give every action its key; unknown ids and unreadable keys are noted in ``problems``.

        Two commands may have one key when they belong to different perspectives.
        """
        unknown = [name for name in keys if name not in self._actions]
        self.problems = [f"keys.{name} is unknown and ignored" for name in unknown]
        # Qt answers a key of two actions with neither
        owners: dict[tuple[str, str], str] = {}
        for command in sorted(COMMANDS, key=lambda command: command.id not in keys):
            chosen = self._chosen_keys(command, keys.get(command.id))
            perspective = command.perspective
            for key in [key for key in chosen if (perspective, _plain(key)) in owners]:
                chosen = tuple(other for other in chosen if other != key)
                if command.id in keys:
                    owner = owners[perspective, _plain(key)]
                    self.problems.append(f"keys.{command.id} = {key!r} is the key of {owner}")
            owners.update({(perspective, _plain(key)): command.id for key in chosen})
            action = self._actions[command.id]
            self._keys[command.id] = chosen
            action.setToolTip(f"{command.tip}{_in_brackets(chosen)}")
            action.setStatusTip(command.tip)
        self.show_perspective(self._perspective)

    def keys(self, command_id: str) -> tuple[str, ...]:
        """Keys of a command in the perspective it belongs to."""
        return self._keys[command_id]

    def show_perspective(self, name: str) -> None:
        """Let the keys of one perspective act, and hide the commands of the others."""
        self._perspective = name
        own = {_plain(k) for c in COMMANDS if c.perspective == name for k in self._keys[c.id]}
        for command in COMMANDS:
            action, keys = self._actions[command.id], self._keys[command.id]
            if not command.perspective:
                keys = tuple(key for key in keys if _plain(key) not in own)
            is_here = command.perspective in ("", name)
            action.setShortcuts([QKeySequence(key) for key in keys] if is_here else [])
            action.setVisible(is_here)

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
