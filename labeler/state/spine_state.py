"""What is known about the spine of the open case, worked out once; which vertebra is selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.landmark_checks import Doubt
from labeler.core.landmarks import Centroid

_NONE: Mapping[str, Centroid] = MappingProxyType({})


class SpineState(QObject):
    """Centroids and doubts of the open case, and the selected vertebra; main thread only.

    ``workflows/spine_findings.py`` keeps it up to date; who shows something reads it here.

    Signals
    -------
    selected
        Key of the centroid; ``None`` for none.
    found
        Centroids or doubts are others now.
    """

    selected = pyqtSignal(object)
    found = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._key: str | None = None
        self._centroids = _NONE
        self._doubts: tuple[Doubt, ...] = ()
        self._has_mask = False

    @property
    def key(self) -> str | None:
        """Key of the selected centroid."""
        return self._key

    @property
    def centroids(self) -> Mapping[str, Centroid]:
        """By key, as the case has them."""
        return self._centroids

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What looks wrong about them, worst first."""
        return self._doubts

    @property
    def has_mask(self) -> bool:
        """Whether they were compared with a mask of vertebrae."""
        return self._has_mask

    def select(self, key: str | None) -> None:
        """Select a centroid, or none."""
        if key != self._key:
            self._key = key
            self.selected.emit(key)

    def set_found(
        self, centroids: Mapping[str, Centroid], doubts: Sequence[Doubt], *, has_mask: bool
    ) -> None:
        """Take what was found; nothing is told when it is the same as before."""
        found = (MappingProxyType(dict(centroids)), tuple(doubts), has_mask)
        if found != (self._centroids, self._doubts, self._has_mask):
            self._centroids, self._doubts, self._has_mask = found
            self.found.emit()
