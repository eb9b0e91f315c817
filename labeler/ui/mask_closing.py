"""Binds "Close mask": asks about what is not saved, then closes."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labeler.ui.choose_dialogs import ask_about_unsaved_mask
from labeler.ui.commands import Commands
from labeler.workflows.close_mask import close_mask, discard_and_close
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.workspace import Workspace


class MaskClosing(QObject):
    """Takes masks out of the window.

    Signals
    -------
    said
        What was done, or why it was not.
    """

    said = pyqtSignal(str)

    def __init__(
        self, ws: Workspace, commands: Commands, saver: CaseSaver, window: QWidget
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._saver = saver
        self._window = window
        commands.bind("mask.close", self._close_active)

    def close(self, name: str) -> None:
        """Close a mask; what is not saved of it is asked about."""
        entry = self._ws.session.masks.get(name)
        if entry is None:
            return
        if self._saver.is_saving:
            self._saver.when_idle(lambda: self.close(name))
            return
        try:
            if not entry.mask.is_dirty:
                self._close_saved(name)
                return
            answer = ask_about_unsaved_mask(self._window, name)
            if answer == "save":
                self._saver.save(lambda ok: self._close_now(name) if ok else None)
            elif answer == "discard":
                discard_and_close(self._ws, name, self.said.emit)
        except EditRefused as refusal:
            self.said.emit(str(refusal))

    def _close_active(self) -> None:
        name = self._ws.selection.mask
        if name is None:
            self.said.emit("Choose a mask first.")
        else:
            self.close(name)

    def _close_now(self, name: str) -> None:
        try:
            self._close_saved(name)
        except EditRefused as refusal:
            self.said.emit(str(refusal))

    def _close_saved(self, name: str) -> None:
        close_mask(self._ws, name)
        self.said.emit(f"{name} is closed; its file stays. Opening the case again shows it.")
