"""The centroids of the open case and what looks wrong about them, worked out once for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PyQt5.QtCore import QObject

from labeler.core.geometry import Grid
from labeler.core.landmark_checks import check
from labeler.core.landmarks import Centroid, Point
from labeler.core.mask import Mask
from labeler.core.vertebra_masks import numbering
from labeler.state.pane_choice import spine_phase
from labeler.state.session import Change, Session
from labeler.state.spine_state import SpineState

FIELD = "centroid"
"""Field of the annotations that holds them."""

VERTEBRA_WORDS = ("vert", "spine")
"""A mask with one of these in its name may show vertebrae."""


class SpineFollower(QObject):
    """Keeps a :class:`~labeler.state.spine_state.SpineState` as the session is; belongs to it.

    It is made with the workspace, so that it hears of an edit before those who show it.
    """

    def __init__(self, session: Session, spine: SpineState) -> None:
        super().__init__(spine)
        self._session = session
        self._spine = spine
        session.case_opened.connect(self._case_opened)
        session.changed.connect(self._changed)
        session.volume_loaded.connect(self._refresh)
        session.regions_changed.connect(self._refresh_mask)
        session.mask_removed.connect(self._refresh_mask)

    def _case_opened(self, _case: object) -> None:
        self._spine.select(None)
        self._refresh()

    def _changed(self, change: Change) -> None:
        is_of_mask = change.origin != "stroke" and any(map(_may_be_vertebrae, change.boxes))
        if is_of_mask or any(value.field == FIELD for value in change.values):
            self._refresh()

    def _refresh_mask(self, name: str) -> None:
        if _may_be_vertebrae(name):
            self._refresh()

    def _refresh(self, *_: object) -> None:
        session = self._session
        centroids = centroids_of(session)
        levels = levels_in_mask(session, centroids)
        doubts = check(centroids, image_grid(session), levels) if centroids else []
        self._spine.set_found(centroids, doubts, has_mask=levels is not None)


def centroids_of(session: Session) -> dict[str, Centroid]:
    """Return the centroids of the open case by key; what cannot be read is left out."""
    found = {}
    for key, value in session.annotations.entries(FIELD).items():
        centroid = _read(value)
        if centroid is not None:
            found[key] = centroid
    return found


def image_grid(session: Session) -> Grid | None:
    """Return the grid of the phase in which the spine is looked at; None while it is not read."""
    case = session.case
    volume = None if case is None else session.volumes.get(spine_phase(case.phases))
    return None if volume is None else volume.grid


def levels_in_mask(
    session: Session, centroids: Mapping[str, Centroid]
) -> dict[str, str | None] | None:
    """Return the level that a vertebra mask of the case shows where each centroid is.

    A mask is one of vertebrae when its name says so and its values are numbers of levels.

    Returns
    -------
    dict or None
        Level, or None for background, by key; None when there is no such mask or its regions are
        not counted yet.
    """
    for name, index in session.regions.items():
        entry = session.masks.get(name)
        if entry is None or not _may_be_vertebrae(name):
            continue
        levels = numbering({region.label for region in index.regions.values()})
        if levels is not None:
            names = {number: level for level, number in levels.items()}
            return {
                key: names.get(_value_at(entry.mask, centroid.position_ras))
                for key, centroid in centroids.items()
            }
    return None


def _may_be_vertebrae(mask_name: str) -> bool:
    return any(word in mask_name.lower() for word in VERTEBRA_WORDS)


def _read(value: Any) -> Centroid | None:
    try:
        return Centroid.from_value(value)
    except (KeyError, TypeError, ValueError):
        return None


def _value_at(mask: Mask, ras: Point) -> int:
    """Return the label at a point; 0 outside of the mask."""
    ijk = mask.grid.nearest_ijk(ras)
    return int(mask.array[ijk[::-1]]) if mask.grid.contains(ijk) else 0
