"""The centroids of the case as they are drawn everywhere: colours, doubts, a move on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.curved_planes import SpineCurve
from labeler.core.geometry import FloatArray
from labeler.core.landmark_checks import Doubt, Gap, gaps
from labeler.core.landmarks import Centroid, Point, from_above
from labeler.state.perspective import SPINE
from labeler.state.placement import spine_shift_mm
from labeler.state.session import Change
from labeler.ui.style import ACCENT, AMBER, RED
from labeler.workflows.correct_landmarks import add_centroid, move_centroid
from labeler.workflows.spine_findings import FIELD
from labeler.workflows.workspace import Workspace

#: Doubts at least this severe are red, others amber.
SEVERE = 1.5


@dataclass(frozen=True, eq=False)
class _Shown:
    """Centroids where they are shown, with what several painters need of them, worked out once."""

    centroids: Mapping[str, Centroid]

    @staticmethod
    def shifted(centroids: Mapping[str, Centroid], shift_mm: FloatArray) -> _Shown:
        """Centroids moved by RAS mm."""
        if not shift_mm.any():
            return _Shown(centroids)
        moved = {
            key: replace(centroid, position_ras=_point(centroid.position_ras + shift_mm))
            for key, centroid in centroids.items()
        }
        return _Shown(moved)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """From the head down."""
        return tuple(from_above(self.centroids))

    @cached_property
    def points_ras(self) -> FloatArray:
        """RAS mm ``(n, 3)`` in the order of the keys."""
        places = [self.centroids[key].position_ras for key in self.keys]
        return np.array(places, dtype=np.float64).reshape(-1, 3)

    @cached_property
    def gaps(self) -> list[Gap]:
        """The distances from the head down."""
        return gaps(self.centroids)


class SpineLayer(QObject):
    """Follows centroids and selection; knows what is dragged.

    All places are those where centroids are seen: with the phase in which the spine is looked at,
    wherever that is shifted. What becomes an edit is turned back.

    Signals
    -------
    changed
        Other centroids, names or doubts are to be shown.
    moved
        Another one is selected, or a drag has begun or ended.
    dragged
        Key of a centroid that is shown elsewhere while it is dragged; all else stays as it was.
    """

    changed = pyqtSignal()
    moved = pyqtSignal()
    dragged = pyqtSignal(str)

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._shift_mm = np.array(spine_shift_mm(ws.session))
        self._shown = _Shown.shifted(ws.spine.centroids, self._shift_mm)
        self._dragged: str | None = None
        self._jumps = True
        self._curve: tuple[FloatArray, SpineCurve] | None = None
        self._doubts: Sequence[Doubt] = ()
        self._worst: dict[str, Doubt] = {}
        ws.session.case_opened.connect(self._case_opened)
        ws.session.changed.connect(self._content_changed)
        ws.spine.found.connect(self._refresh)
        ws.spine.selected.connect(self._selected)
        ws.perspective.changed.connect(lambda _: self.changed.emit())

    @property
    def is_shown(self) -> bool:
        """Whether centroids are drawn: in the perspective of the spine."""
        return self._ws.perspective.name == SPINE

    @property
    def centroids(self) -> Mapping[str, Centroid]:
        """As shown now, a drag included."""
        return self._shown.centroids

    @property
    def shift_mm(self) -> FloatArray:
        """From where the scanner saw something of the spine to where it is shown, RAS mm."""
        return self._shift_mm

    @property
    def points_ras(self) -> FloatArray:
        """RAS mm ``(n, 3)`` as shown now, from the head down."""
        return self._shown.points_ras

    @property
    def curve(self) -> SpineCurve:
        """The line through all centroids as shown now, the same while only names change.

        Raises
        ------
        ValueError
            Without a centroid.
        """
        points = self.points_ras
        if self._curve is None or not np.array_equal(points, self._curve[0]):
            self._curve = (points, SpineCurve.through(points))
        return self._curve[1]

    @property
    def gaps(self) -> list[Gap]:
        """The distances as shown now, from the head down."""
        return self._shown.gaps

    @property
    def doubts(self) -> Sequence[Doubt]:
        """Worst first; those before the drag while there is one."""
        return self._ws.spine.doubts

    @property
    def is_dragging(self) -> bool:
        """Whether a centroid is being moved."""
        return self._dragged is not None

    def from_above(self) -> tuple[str, ...]:
        """Keys from the head down."""
        return self._shown.keys

    @property
    def has_mask(self) -> bool:
        """Whether a vertebra mask is there to compare with."""
        return self._ws.spine.has_mask

    def ras(self, key: str) -> FloatArray:
        """Where a centroid is shown, RAS mm."""
        return np.array(self.centroids[key].position_ras)

    def name(self, key: str) -> str:
        """The level of a centroid."""
        return self.centroids[key].level

    def doubt_of(self, key: str) -> Doubt | None:
        """The worst doubt about a centroid."""
        if self.doubts is not self._doubts:
            self._doubts = self.doubts
            self._worst = {k: doubt for doubt in reversed(self._doubts) for k in doubt.keys}
        return self._worst.get(key)

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
        """Show a centroid elsewhere; nothing happens when it is gone."""
        if key not in self.centroids:
            return
        is_first = self._dragged is None
        self._dragged = key
        there = replace(self.centroids[key], position_ras=_point(position_ras))
        self._shown = _Shown({**self.centroids, key: there})
        if is_first:
            self.moved.emit()
        else:
            self.dragged.emit(key)

    def drop(self) -> None:
        """Make the drag an edit.

        Raises
        ------
        EditRefused
            When the case may not be changed; the centroid is where it was then.
        """
        key = self._dragged
        if key is None:
            return
        place = self.ras(key)
        self.give_up()
        move_centroid(self._ws, key, _point(place - self._shift_mm))
        self._ws.views.set_crosshair(place)

    def add(self, position_ras: FloatArray) -> str:
        """Add a centroid where it is seen, RAS mm, and return its key.

        Raises
        ------
        EditRefused
            When the case may not be changed, or no level is left.
        """
        return add_centroid(self._ws, _point(position_ras - self._shift_mm))

    def give_up(self) -> None:
        """End the drag; nothing has changed."""
        if self._dragged is not None:
            self._dragged = None
            self._shown = _Shown.shifted(self._ws.spine.centroids, self._shift_mm)
            self.moved.emit()

    def _case_opened(self, _case: object) -> None:
        self.give_up()
        self._follow_phase()

    def _follow_phase(self) -> None:
        """Go where the phase is shown now."""
        shift_mm = np.array(spine_shift_mm(self._ws.session))
        if not np.array_equal(shift_mm, self._shift_mm):
            self._shift_mm = shift_mm
            self._refresh()

    def _selected(self, key: str | None) -> None:
        if key is not None and key in self.centroids and self._jumps and self.is_shown:
            place = self.ras(key)
            self._ws.views.set_frame(crosshair_ras=place, center_ras=place)
        self.moved.emit()

    def _content_changed(self, change: Change) -> None:
        """After undo or redo select what changed, so that it is seen."""
        if any(value.field == "shift" for value in change.values):
            self._follow_phase()
        values = [value for value in change.values if value.field == FIELD]
        if values and change.origin in ("undo", "redo") and values[0].key in self.centroids:
            self._ws.spine.select(values[0].key)

    def _refresh(self) -> None:
        """Show what was found; ends a drag, whose centroid may be gone."""
        self._dragged = None
        self._shown = _Shown.shifted(self._ws.spine.centroids, self._shift_mm)
        if self._ws.spine.key not in self.centroids:
            self._ws.spine.select(None)
        self.changed.emit()


def _point(ras: FloatArray) -> Point:
    x, y, z = (float(v) for v in ras)
    return x, y, z
