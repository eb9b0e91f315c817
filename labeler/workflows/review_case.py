"""Going through a case: jumping to regions, ticking them, comments and status.

Ticks and comments find their regions again as :mod:`~labeler.workflows.region_notes` says.
"""

from __future__ import annotations

import datetime
import getpass
import secrets
from typing import Any

import numpy as np

from labeler.core.edits import Edit
from labeler.core.geometry import Grid, Plane
from labeler.core.regions import Region
from labeler.state.placement import placed_mask_grid, placed_volume_grid
from labeler.state.selection import RegionRef
from labeler.state.session import Session, note_edit
from labeler.workflows.edit_rules import refuse_read_only
from labeler.workflows.region_notes import note_key, noted_regions, place_of
from labeler.workflows.workspace import Workspace

#: Smallest field shown when a view jumps to a region, so that a small lesion keeps its context.
MIN_FIELD_MM = 90.0

#: Room around a region, as a factor of its size.
MARGIN = 1.35


def jump_to_region(ws: Workspace, ref: RegionRef) -> None:
    """Select a region and bring every view to it, at a zoom that fits it.

    The slice is the region's first, largest or middle one, by ``settings.views.region_jump``.
    """
    region = ws.session.region(ref.mask, ref.region_id)
    if region is None:
        return
    grid = placed_mask_grid(ws.session, ref.mask)
    jump = ws.settings.data.views.region_jump
    if jump == "first":
        point = first_seen_kji(ws, region)
    else:
        point = region.anchor_kji if jump == "largest" else region.middle_kji
    ws.selection.select_region(ref)
    ws.views.set_frame(
        crosshair_ras=grid.to_ras(point[::-1]),
        center_ras=box_center_ras(region, grid),
        mm_per_px=fitting_zoom(region, grid, ws),
    )


def first_seen_kji(ws: Workspace, region: Region) -> tuple[int, int, int]:
    """A voxel of the first slice of a region that every axial view shows a part of it at.

    The slices of other phases lie between those of the mask: at the region's very first slice,
    the nearest one of a phase may miss it. Phases that miss it everywhere do not count.
    """
    grid = placed_mask_grid(ws.session, region.mask)
    lo, hi = region.box.lo_kji[0], region.box.hi_kji[0]
    _, j, i = region.first_kji
    slices = np.arange(lo, hi)
    ras = grid.to_ras(np.stack(np.broadcast_arrays(i, j, slices), axis=-1))
    is_seen = np.ones(hi - lo, dtype=bool)
    for phase in {pane.phase for pane in ws.views.panes if pane.plane is Plane.AXIAL}:
        other = placed_volume_grid(ws.session, phase)
        if other is None:
            continue
        ijk = other.to_ijk(ras)
        ijk[:, 2] = np.floor(ijk[:, 2] + 0.5)  # the slice that the view shows
        k = np.floor(grid.to_ijk(other.to_ras(ijk))[:, 2] + 0.5)  # and what it shows of the mask
        is_inside = (k >= lo) & (k < hi) & (ijk[:, 2] >= 0) & (ijk[:, 2] < other.shape_ijk[2])
        if is_inside.any():
            is_seen &= is_inside
    first = int(np.argmax(is_seen))
    if first == 0:  # or nowhere
        return region.first_kji
    _, crop = ws.session.regions[region.mask].component_crop(region.id)
    voxels = np.argwhere(crop[first])
    j, i = voxels[np.argmin(((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1))]
    return lo + first, region.box.lo_kji[1] + int(j), region.box.lo_kji[2] + int(i)


def box_center_ras(region: Region, grid: Grid) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Centre of a region's box."""
    lo, hi = np.array(region.box.lo_kji), np.array(region.box.hi_kji)
    return grid.to_ras(((lo + hi - 1) / 2)[::-1])


def fitting_zoom(region: Region, grid: Grid, ws: Workspace) -> float:
    """mm per pixel at which a region fits into the views, with some of what is around it."""
    size_ijk = np.array(region.box.shape_kji[::-1]) * np.array(grid.spacing_mm)
    planes = {pane.plane for pane in ws.views.panes} or {Plane.AXIAL}
    fields_mm = np.maximum(size_ijk * MARGIN, MIN_FIELD_MM)
    size_px = np.maximum(ws.views.view_size_px, 1)
    return max(
        float(max(fields_mm[[plane.column_axis, plane.row_axis]] / size_px)) for plane in planes
    )


def tick_region(ws: Workspace, *refs: RegionRef) -> None:
    """Tick regions as reviewed, or take the ticks back when all have one; one undoable edit.

    Raises
    ------
    EditRefused
        When the case is read-only; so do all functions here that change notes.
    """
    session = ws.session
    regions = [(ref, session.region(ref.mask, ref.region_id)) for ref in refs]
    there = [(ref, region) for ref, region in regions if region is not None]
    keys = {ref: note_key(session, "tick", ref) for ref, _ in there}
    is_untick = all(keys.values())
    changes = []
    for ref, region in there:
        key, value = keys[ref], None
        if key is None:
            key, value = place_of(region, session.masks[ref.mask].mask.grid)
        elif not is_untick:
            continue
        changes.append(session.annotations.change("tick", key, value))
    steps = tuple(change for change in changes if change is not None)
    if steps:
        refuse_read_only(ws)
        name = session.labels[there[0][1].label].name
        what = name if len(there) == 1 else f"{len(there)} regions"
        session.apply(Edit(f"{'Untick' if is_untick else 'Tick'} {what}", steps))


def ticked_ids(session: Session, mask: str) -> set[int]:
    """Ids of the reviewed regions of a mask."""
    index = session.regions.get(mask)
    if index is None:
        return set()
    return {i for _, i in noted_regions(session.annotations, "tick", mask, index)}


def set_status(ws: Workspace, status: str) -> None:
    """Set the case's status; one undoable edit."""
    _note(ws, f"Mark {status}", "status", "", status)


def add_comment(ws: Workspace, text: str, ref: RegionRef | None = None) -> None:
    """Add a comment to the case, or to one region."""
    now = datetime.datetime.now().astimezone()
    region = ws.session.region(ref.mask, ref.region_id) if ref is not None else None
    value: dict[str, Any] = {
        "time": now.isoformat(timespec="seconds"),
        "author": ws.settings.data.person.name or user_name(),
        "text": text.strip(),
        "region": None,
    }
    if region is not None:
        _, value["region"] = place_of(region, ws.session.masks[region.mask].mask.grid)
    key = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    if value["text"]:
        _note(ws, "Add comment", "comment", key, value)


def edit_comment(ws: Workspace, key: str, text: str) -> None:
    """Change the text of a comment."""
    value = ws.session.annotations.get("comment", key)
    if value is not None:
        _note(ws, "Edit comment", "comment", key, {**value, "text": text.strip()})


def delete_comment(ws: Workspace, key: str) -> None:
    """Delete a comment."""
    _note(ws, "Delete comment", "comment", key, None)


def _note(ws: Workspace, name: str, field: str, key: str, value: object) -> None:
    edit = note_edit(ws.session, name, field, key, value)
    if edit is not None:
        refuse_read_only(ws)
        ws.session.apply(edit)


def user_name() -> str:
    """Login name, or a neutral word where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "user"
