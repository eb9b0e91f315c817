"""Which vertebra is selected, and whether names may be typed over it."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal


class SpineState(QObject):
    """The selected vertebra of the open case; main thread only.

    Signals
    -------
    selected
        Key of the centroid; ``None`` for none.
    """

    selected = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._key: str | None = None

    @property
    def key(self) -> str | None:
        """Key of the selected centroid."""
        return self._key

    def select(self, key: str | None) -> None:
        """Select a centroid, or none."""
        if key != self._key:
            self._key = key
            self.selected.emit(key)
