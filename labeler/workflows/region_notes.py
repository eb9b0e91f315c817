"""Notes on regions, and how they find their regions again.

A note (a tick, a comment, axes) is kept by a point inside the region (mask, label, RAS mm), not by
a number, so that it finds its region again when the case is opened next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from labeler.core.annotations import Annotations
from labeler.core.edits import ValueChange
from labeler.core.geometry import Grid
from labeler.core.regions import Region, RegionIndex
from labeler.state.selection import RegionRef
from labeler.state.session import Session

#: Fields of the annotations whose entries are notes on one region each.
FIELDS = ("tick", "axes", "provenance")


#: Entries of notes that are points, RAS mm in the coordinates of the mask's own grid.
POINTS = {"long_ras", "short_ras"}


def place_of(region: Region, grid: Grid) -> tuple[str, dict[str, Any]]:
    """Key of a note on a region, and the place that is kept in it."""
    place = place_at(region.mask, region.label, region.anchor_kji, grid)
    return _key_of(place), place


def place_at(mask: str, label: int, kji: tuple[int, int, int], grid: Grid) -> dict[str, Any]:
    """The place that is kept in a note, at a voxel of a region."""
    point = [round(float(v), 2) for v in grid.to_ras(kji[::-1])]
    return {"mask": mask, "label": label, "anchor_ras": point}


def noted_regions(
    annotations: Annotations, field: str, mask: str, index: RegionIndex
) -> list[tuple[str, int]]:
    """Keys of the notes of a field on a mask, and the ids of the regions they lie in."""
    found = []
    for key, value in annotations.entries(field).items():
        region_id = _region_id_at(mask, index, value)
        if region_id is not None:
            found.append((key, region_id))
    return found


def note_key(session: Session, field: str, ref: RegionRef) -> str | None:
    """Key of the note of a field on a region, if there is one."""
    notes = noted_regions(session.annotations, field, ref.mask, session.regions[ref.mask])
    return next((key for key, region_id in notes if region_id == ref.region_id), None)


def region_at_place(session: Session, place: object) -> RegionRef | None:
    """Region that a note was put on; ``None`` when it is not there any more."""
    for mask, index in session.regions.items():
        region_id = _region_id_at(mask, index, place)
        if region_id is not None:
            return RegionRef(mask, region_id)
    return None


def follow_regions(session: Session, mask: str, fresh: RegionIndex) -> None:
    """Move notes along with regions whose point an edit took away.

    Not an edit of its own: what the user noted stays noted.
    """
    old = session.regions.get(mask)
    if old is None:
        return
    grid = session.masks[mask].mask.grid
    for field in FIELDS:
        kept = {key for key, _ in noted_regions(session.annotations, field, mask, fresh)}
        for key, region_id in noted_regions(session.annotations, field, mask, old):
            region = fresh.regions.get(region_id)
            if key not in kept and region is not None:
                _, place = place_of(region, grid)
                value = {**session.annotations.get(field, key), **place}
                session.annotations.amend(field, key, value)


def moved_notes(
    session: Session,
    ref: RegionRef,
    place: dict[str, Any],
    offset_mm: Sequence[float],
    *,
    keeps_tick: bool,
) -> Iterator[ValueChange]:
    """Tell what becomes of the notes on a region that moves to another mask.

    Parameters
    ----------
    ref
        The region where it is now.
    place
        Where it is going to be (:func:`place_at`).
    offset_mm
        From the coordinates of its mask's grid to those of the other one, RAS.
    keeps_tick
        Whether it is still the region that was reviewed; else the tick goes.
    """
    notes = session.annotations
    for field in FIELDS:
        key = note_key(session, field, ref)
        if key is None:
            continue
        value = {**notes.get(field, key), **place}
        for points in POINTS & value.keys():
            value[points] = [np.add(point, offset_mm).tolist() for point in value[points]]
        new = value if keeps_tick or field != "tick" else None
        changes = (notes.change(field, key, None), notes.change(field, _key_of(place), new))
        yield from (change for change in changes if change is not None)
    index = session.regions[ref.mask]
    for key, comment in notes.entries("comment").items():
        if _region_id_at(ref.mask, index, comment.get("region")) == ref.region_id:
            change = notes.change("comment", key, {**comment, "region": place})
            if change is not None:
                yield change


def _key_of(place: dict[str, Any]) -> str:
    return f"{place['mask']}/{place['label']}@{','.join(map(str, place['anchor_ras']))}"


def _region_id_at(mask: str, index: RegionIndex, place: object) -> int | None:
    """Id of the region of this mask at a stored place (see :func:`place_of`); may be damaged."""
    if not isinstance(place, dict) or place.get("mask") != mask:
        return None
    try:
        point = np.asarray(place.get("anchor_ras", ()), dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if point.shape != (3,) or not np.isfinite(point).all():
        return None
    region_id = index.region_at(index.grid.nearest_ijk(point)[::-1])
    if region_id is None or index.regions[region_id].label != place.get("label"):
        return None
    return region_id
