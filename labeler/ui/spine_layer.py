"""The centroids of the case as they are drawn everywhere: colours, doubts, a move on its way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import FloatArray
from labeler.core.landmark_checks import Doubt
from labeler.core.landmarks import Centroid, from_above
from labeler.state.perspective import SPINE
from labeler.state.session import Change
from labeler.ui.style import ACCENT, AMBER, RED
from labeler.workflows.correct_landmarks import (
    FIELD,
    centroids_of,
    doubts_of,
    levels_in_mask,
    move_centroid,
)
from labeler.workflows.workspace import Workspace

#: Doubts at least this severe are red, others amber.
SEVERE = 1.5


class SpineLayer(QObject):
    """Follows centroids and selection; knows what is dragged.

    Signals
    -------
    changed
        Other centroids, names or doubts are to be shown.
    moved
        A centroid is shown elsewhere while it is dragged, or another one is selected.
    """

    changed = pyqtSignal()
    moved = pyqtSignal()

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._centroids: dict[str, Centroid] = {}
        self._doubts: list[Doubt] = []
        self._dragged: str | None = None
        self._jumps = True
        session = ws.session
        session.case_opened.connect(self._case_opened)
        session.changed.connect(self._content_changed)
        session.volume_loaded.connect(self._refresh)
        session.regions_changed.connect(self._refresh)
        session.mask_removed.connect(self._refresh)
        ws.spine.selected.connect(self._selected)
        ws.perspective.changed.connect(lambda _: self.changed.emit())
        self._refresh()

    @property
    def is_shown(self) -> bool:
        """Whether centroids are drawn: in the perspective of the spine."""
        return self._ws.perspective.name == SPINE

    @property
    def centroids(self) -> dict[str, Centroid]:
        """As shown now, a drag included."""
        return self._centroids

    @property
    def doubts(self) -> list[Doubt]:
        """Worst first; those before the drag while there is one."""
        return self._doubts

    @property
    def is_dragging(self) -> bool:
        """Whether a centroid is being moved."""
        return self._dragged is not None

    def from_above(self) -> list[str]:
        """Keys from the head down."""
        return from_above(self._centroids)

    @property
    def has_mask(self) -> bool:
        """Whether a vertebra mask is there to compare with."""
        return levels_in_mask(self._ws.session, {}) is not None

    def ras(self, key: str) -> FloatArray:
        """Where a centroid is shown, RAS mm."""
        return np.array(self._centroids[key].position_ras)

    def name(self, key: str) -> str:
        """The level of a centroid."""
        return self._centroids[key].level

    def doubt_of(self, key: str) -> Doubt | None:
        """The worst doubt about a centroid."""
        return next((doubt for doubt in self._doubts if key in doubt.keys), None)

    def colour(self, key: str) -> str:
        """Red for what is almost surely wrong, amber for what needs a look, else the accent."""
        doubt = self.doubt_of(key)
        if doubt is None:
            return ACCENT
        return RED if doubt.severity >= SEVERE else AMBER

    def nearest(self, places_px: dict[str, tuple[float, float]], at: tuple[float, float],
                reach_px: float) -> str | None:  # fmt: skip
        """The centroid whose place on the screen is nearest to a point, within reach."""
        away = {key: float(np.hypot(x - at[0], y - at[1])) for key, (x, y) in places_px.items()}
        key = min(away, key=away.__getitem__, default=None)
        return key if key is not None and away[key] <= reach_px else None

    def take(self, key: str) -> None:
        """Select a centroid where it is seen: the views stay where they are."""
        self._jumps = False
        self._ws.spine.select(key)
        self._jumps = True

    def drag(self, key: str, position_ras: FloatArray) -> None:
        """Show a centroid elsewhere."""
        x, y, z = (float(v) for v in position_ras)
        self._dragged = key
        self._centroids = dict(self._centroids)
        self._centroids[key] = replace(self._centroids[key], position_ras=(x, y, z))
        self.moved.emit()

    def drop(self) -> None:
        """Make the drag an edit.

        Raises
        ------
        EditRefused
            When the case may not be changed; the centroid is where it was then.
        """
        key, self._dragged = self._dragged, None
        if key is None:
            return
        place = self._centroids[key].position_ras
        self._centroids = centroids_of(self._ws.session)
        self.moved.emit()
        move_centroid(self._ws, key, place)
        self._ws.views.set_crosshair(np.array(place))

    def give_up(self) -> None:
        """End the drag; nothing has changed."""
        if self._dragged is not None:
            self._dragged = None
            self._centroids = centroids_of(self._ws.session)
            self.moved.emit()

    def _selected(self, key: str | None) -> None:
        if key in self._centroids and self._jumps and self.is_shown:
            place = np.array(self._centroids[key].position_ras)
            self._ws.views.set_frame(crosshair_ras=place, center_ras=place)
        self.moved.emit()

    def _case_opened(self, _case: object) -> None:
        self.give_up()
        self._ws.spine.select(None)
        self._refresh()

    def _content_changed(self, change: Change) -> None:
        values = [value for value in change.values if value.field == FIELD]
        if values:
            self._refresh()
            if change.origin in ("undo", "redo"):
                self._show_place(values[0].key)
        elif change.boxes and change.origin != "stroke":
            self._refresh()

    def _show_place(self, key: str) -> None:
        """After undo or redo select what changed, so that it is seen."""
        if key in self._centroids:
            self._ws.spine.select(key)

    def _refresh(self, *_: object) -> None:
        centroids = centroids_of(self._ws.session)
        doubts = doubts_of(self._ws.session) if centroids else []
        if (centroids, doubts) == (self._centroids, self._doubts):
            return
        self._dragged = None
        self._centroids, self._doubts = centroids, doubts
        if self._ws.spine.key not in centroids:
            self._ws.spine.select(None)
        self.changed.emit()
