"""Long and short axis of a region: measured, or set by hand and kept with the case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from labeler.core.axes import Axes, measure_axes
from labeler.core.mask import Mask
from labeler.core.regions import Region, RegionIndex
from labeler.state.selection import RegionRef
from labeler.state.session import note_edit
from labeler.state.tasks import TaskContext
from labeler.workflows.edit_rules import EditRefused, label_name, refuse_read_only
from labeler.workflows.mask_places import points_as_shown, points_on_mask
from labeler.workflows.region_notes import note_key, place_of
from labeler.workflows.workspace import Workspace

FIELD = "axes"


@dataclass(frozen=True)
class RegionAxes:
    """Axes of a region, as shown.

    Attributes
    ----------
    axes
        The lines, RAS mm where the views show them.
    is_adjusted
        Whether somebody has set them by hand.
    is_current
        Whether the region is still as it was then; always true for measured ones.
    """

    axes: Axes
    is_adjusted: bool
    is_current: bool


def find_axes(
    ws: Workspace, ref: RegionRef, shown: Callable[[RegionRef, RegionAxes], None]
) -> None:
    """Show the axes of a region: at once those set by hand, else measured in the background.

    Asked for another region, the former answer never comes. Nothing is shown when the region is
    no longer there.
    """
    entry, region = ws.session.masks.get(ref.mask), ws.session.region(ref.mask, ref.region_id)
    if entry is None or region is None:
        return
    adjusted = _adjusted(ws, ref, region, entry.mask)
    if adjusted is not None:
        ws.tasks.cancel((FIELD,))
        shown(ref, adjusted)
        return

    def done(axes: Axes | None) -> None:
        now = ws.session.masks.get(ref.mask)
        if axes is not None and now is not None and now.mask is entry.mask:
            shown(ref, RegionAxes(_as_shown(ws, now.mask, axes), False, True))

    index = ws.session.regions[ref.mask]
    ws.tasks.submit("compute", (FIELD,), _measure, index, ref.region_id, done=done)


def set_axes(ws: Workspace, ref: RegionRef, axes: Axes) -> None:
    """Keep axes that were set by hand; one edit.

    Parameters
    ----------
    axes
        RAS mm as shown.

    Raises
    ------
    EditRefused
        When the region is no longer there or the case is read-only.
    """
    refuse_read_only(ws)
    entry, region = ws.session.masks.get(ref.mask), ws.session.region(ref.mask, ref.region_id)
    if entry is None or region is None:
        raise EditRefused("The region is no longer there")
    own = _moved(axes, partial(points_on_mask, ws, entry.mask))
    new_key, place = place_of(region, entry.mask.grid)
    value = {
        **place,
        "long_ras": [[round(v, 3) for v in point] for point in own.long_ras],
        "short_ras": [[round(v, 3) for v in point] for point in own.short_ras],
        "fingerprint": f"{region.fingerprint:x}",
    }
    key = note_key(ws.session, FIELD, ref) or new_key
    name = f"Adjust axes of {label_name(ws.session, region.label)}"
    edit = note_edit(ws.session, name, FIELD, key, value)
    if edit is not None:
        ws.session.apply(edit)


def reset_axes(ws: Workspace, ref: RegionRef) -> None:
    """Forget axes that were set by hand, so that they are measured again; one edit.

    Raises
    ------
    EditRefused
        When there are none, or the case is read-only.
    """
    refuse_read_only(ws)
    region = ws.session.region(ref.mask, ref.region_id)
    key = note_key(ws.session, FIELD, ref) if region is not None else None
    if region is None or key is None:
        raise EditRefused("The axes of this region are measured, not set by hand")
    name = f"Measure axes of {label_name(ws.session, region.label)}"
    edit = note_edit(ws.session, name, FIELD, key, None)
    if edit is not None:
        ws.session.apply(edit)


def _measure(context: TaskContext, index: RegionIndex, region_id: int) -> Axes | None:
    box, crop = index.component_crop(region_id)
    context.check()
    return measure_axes(index.grid, box, crop)


def _adjusted(ws: Workspace, ref: RegionRef, region: Region, mask: Mask) -> RegionAxes | None:
    """Axes set by hand; ``None`` when there are none, or they cannot be read."""
    key = note_key(ws.session, FIELD, ref)
    value = ws.session.annotations.get(FIELD, key) if key is not None else None
    axes = None if value is None else _read(value)
    if value is None or axes is None:
        return None
    is_current = value.get("fingerprint") == f"{region.fingerprint:x}"
    return RegionAxes(_as_shown(ws, mask, axes), True, is_current)


def _read(value: dict[str, Any]) -> Axes | None:
    """Axes from a file, which may be damaged."""
    try:
        points = np.array([*value["long_ras"], *value["short_ras"]], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return None
    if points.shape != (4, 3) or not np.isfinite(points).all():
        return None
    a, b, c, d = ((x, y, z) for x, y, z in points.tolist())
    return Axes((a, b), (c, d))


def _as_shown(ws: Workspace, mask: Mask, axes: Axes) -> Axes:
    return _moved(axes, partial(points_as_shown, ws, mask))


def _moved(axes: Axes, move: Callable[[Any], Any]) -> Axes:
    return axes.moved(np.asarray(move((0.0, 0.0, 0.0))))
