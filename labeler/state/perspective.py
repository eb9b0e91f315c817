"""What the window is arranged for: which docks, tools and keys are there."""

from __future__ import annotations

from typing import Final

from PyQt5.QtCore import QObject, pyqtSignal

LIVER: Final = "liver"
SPINE: Final = "spine"

PERSPECTIVES: Final = (LIVER, SPINE)
"""In the order of the switch in the tool bar."""


class Perspective(QObject):
    """The perspective that is shown; main thread only. Changing it changes no data.

    Signals
    -------
    changed
        Name of the perspective that is shown now.
    """

    changed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name: str = LIVER

    @property
    def name(self) -> str:
        """One of :data:`PERSPECTIVES`."""
        return self._name

    def choose(self, name: str) -> None:
        """Show a perspective.

        Raises
        ------
        ValueError
            When there is none of this name.
        """
        if name not in PERSPECTIVES:
            raise ValueError(f"There is no perspective {name!r}")
        if name != self._name:
            self._name = name
            self.changed.emit(name)
