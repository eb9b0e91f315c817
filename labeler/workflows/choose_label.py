"""Choosing the label that is drawn, from what is there already."""

from __future__ import annotations

import numpy.typing as npt

from labeler.core.labels import MAX_LABEL
from labeler.state.placement import placed_mask_grid
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace


def pick_label(ws: Workspace, ras: npt.ArrayLike) -> int:
    """Make the label at a point the active one; returns it.

    The active mask is asked first, then the other visible ones; a mask that has a label there
    becomes the active one.

    Parameters
    ----------
    ras
        RAS mm as shown.

    Raises
    ------
    EditRefused
        When no visible mask has a label there.
    """
    active = ws.selection.mask
    names = sorted(ws.session.masks, key=lambda name: name != active)
    for name in names if ws.views.masks_visible else []:
        style, label = ws.views.style(name), _label_at(ws, name, ras)
        if label and style.visible and label not in style.hidden_labels:
            ws.selection.set_mask(name)
            ws.selection.set_label(label)
            return label
    raise EditRefused("There is no label under the cursor")


def next_unused_label(ws: Workspace) -> int:
    """Make the next label that the active mask does not hold the active one; returns it.

    Looks through the label table from the active label on and around; when all of it is in use,
    a new value behind the table is taken.

    Raises
    ------
    EditRefused
        When there is no mask, its regions are not counted yet, or no value is left.
    """
    mask = ws.selection.mask
    if mask is None:
        raise EditRefused("Choose or create a mask first (Ctrl+N)")
    index = ws.session.regions.get(mask)
    if index is None:
        raise EditRefused(f"The regions of {mask} are still being counted")
    used = {region.label for region in index.regions.values()}
    active, known = ws.selection.label, [label.value for label in ws.session.labels]
    ahead = sorted(known, key=lambda value: (value <= active, value))
    free = (value for value in ahead if value not in used and value != active)
    beyond = max([*known, *used, active], default=0) + 1
    label = next(free, beyond)
    if label > MAX_LABEL:
        raise EditRefused("No label value is left")
    ws.selection.set_label(label)
    return label


def _label_at(ws: Workspace, name: str, ras: npt.ArrayLike) -> int:
    i, j, k = ijk = placed_mask_grid(ws.session, name).nearest_ijk(ras)
    mask = ws.session.masks[name].mask
    return int(mask.array[k, j, i]) if mask.grid.contains(ijk) else 0
