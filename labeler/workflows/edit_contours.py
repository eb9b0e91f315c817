"""Bending the outline of a label on a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

from labeler.core.edits import Edit
from labeler.core.geometry import FloatArray, Plane
from labeler.core.mask import Mask, Patch
from labeler.core.outlines import Outline, outline_at, replace_by_polygon, replace_outline
from labeler.core.rings import smoothed as smoothed_ring
from labeler.workflows.edit_rules import (
    EditRefused,
    drawing_target,
    ink_of,
    label_name,
    refuse_locked,
)
from labeler.workflows.mask_places import points_as_shown, points_on_mask
from labeler.workflows.workspace import Workspace


@dataclass(frozen=True, eq=False)
class EditableContour:
    """The outline of one part of a label on a slice, as shown.

    Attributes
    ----------
    mask
        The mask.
    outline
        The outline in it.
    rings_ras
        The exact outline, along the edges of voxels: the outer ring, then those around holes.
        RAS mm ``(n, 3)`` each, as shown.
    handles_ras
        The same with few corners, which can be dragged: they give exactly the same voxels.
    offset_mm
        RAS vector from where the mask lies to where it is shown.
    """

    mask: Mask
    outline: Outline
    rings_ras: tuple[FloatArray, ...]
    handles_ras: tuple[FloatArray, ...]
    offset_mm: FloatArray

    def holds(self, ras: FloatArray) -> bool:
        """Whether a point, RAS mm as shown, lies in a voxel of the part and on its slice."""
        return self.outline.holds(ras - self.offset_mm)

    def is_on_slice(self, ras: FloatArray) -> bool:
        """Whether a point, RAS mm as shown, lies on the slice of the contour.

        Slices of a mask and of the phase that is shown need not be the same.
        """
        return self.outline.at.holds(ras - self.offset_mm)


def contour_at(ws: Workspace, plane: Plane, ras: npt.ArrayLike) -> EditableContour | None:
    """The contour of the active mask under a point, of whatever label is there.

    Returns
    -------
    EditableContour or None
        ``None`` where nothing is drawn.

    Raises
    ------
    EditRefused
        When the mask cannot be drawn on, or the label there is locked.
    """
    mask = drawing_target(ws)
    outline = outline_at(mask, plane, points_on_mask(ws, mask, ras))
    if outline is None:
        return None
    refuse_locked(ws, mask.name, outline.label)
    rings, handles = (
        tuple(points_as_shown(ws, mask, ring) for ring in outline.to_ras(rings))
        for rings in (outline.rings, outline.handles)
    )
    return EditableContour(
        mask, outline, rings, handles, points_as_shown(ws, mask, (0.0, 0.0, 0.0))
    )


def replace_contour(
    ws: Workspace, contour: EditableContour, rings_ras: Sequence[npt.ArrayLike]
) -> None:
    """Give a part the form of other rings: its own, bent; one edit.

    Parameters
    ----------
    rings_ras
        RAS mm ``(n, 3)`` each, as shown; what is inside an odd number of them is inside.

    Raises
    ------
    EditRefused
        When the mask was closed, the label is locked, or nothing would change.
    """
    mask, label = contour.mask, contour.outline.label
    if drawing_target(ws) is not mask:
        raise EditRefused(f"{mask.name} is no longer the mask that is drawn on")
    refuse_locked(ws, mask.name, label)
    ink = ink_of(ws, mask, label=label)
    rings = [points_on_mask(ws, mask, ring) for ring in rings_ras]
    patch = replace_outline(
        mask, contour.outline, rings, ground=ink.ground, constraint=ink.constraint
    )  # fmt: skip
    _apply(ws, f"Change contour {label_name(ws.session, label)}", patch)


def smooth_contour(ws: Workspace, contour: EditableContour, sigma_mm: float) -> None:
    """Smooth a contour along its length; one edit.

    Raises
    ------
    EditRefused
        See :func:`replace_contour`.
    """
    replace_contour(ws, contour, [smoothed_ring(ring, sigma_mm) for ring in contour.handles_ras])


def replace_with_polygon(ws: Workspace, plane: Plane, points_ras: Sequence[FloatArray]) -> None:
    """Let an outline take the place of the parts of the active label that it touches; one edit.

    Parameters
    ----------
    plane
        Plane the outline was drawn in.
    points_ras
        At least three corners on one slice, RAS mm as shown.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when nothing would change.
    """
    mask = drawing_target(ws)
    ink = ink_of(ws, mask)
    patch = replace_by_polygon(
        mask, plane, points_on_mask(ws, mask, points_ras), ink.label,
        ground=ink.ground, constraint=ink.constraint,
    )  # fmt: skip
    _apply(ws, f"Replace contour {label_name(ws.session, ink.label)}", patch)


def _apply(ws: Workspace, name: str, patch: Patch | None) -> None:
    if patch is None:
        raise EditRefused(f"{name}: nothing would change")
    ws.session.apply(Edit(name, (patch,)))
