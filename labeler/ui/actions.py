"""What the groups of commands share: they act on one workspace, ask, and say why they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QDialog, QWidget

from labeler.ui.commands import Commands
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace


class Actions(QObject):
    """A group of commands; lives as long as the window.

    Parameters
    ----------
    ws
        What is acted on.
    commands
        The actions that are bound.
    window
        Parent of the questions.
    bindings
        What each command does; gets whether it is checked when it can be. ``EditRefused`` is said.

    Signals
    -------
    refused
        Why something was not done, or what is needed for it.
    """

    refused = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        window: QWidget,
        bindings: Mapping[str, Callable[..., object]],
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._commands = commands
        self._window = window
        for command, act in bindings.items():
            commands.bind(command, partial(self._try, act))

    def _try(self, act: Callable[..., object], *args: object) -> None:
        try:
            act(*args)
        except EditRefused as refusal:
            self.refused.emit(str(refusal))


def is_accepted(dialog: QDialog) -> bool:
    """Ask a question; its answers can be read until the handler ends."""
    try:
        return bool(dialog.exec_() == QDialog.Accepted)
    finally:
        dialog.deleteLater()
