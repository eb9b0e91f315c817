"""Changing masks: each act of the user is one function and one named, undoable edit.

Points come in RAS mm as the views show them. A mask that moves with a shifted phase is changed
where it is seen: its own grid stays, the points are moved back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from labeler.core.brushes import BallBrush, Brush, DiscBrush, SmartBrush
from labeler.core.edits import Edit
from labeler.core.geometry import FloatArray, Plane
from labeler.core.mask import Mask, Patch
from labeler.core.painting import PaintingError, StrokeBuilder, fill_area
from labeler.core.painting import paint_polygon as polygon_patch
from labeler.core.region_edits import RegionVoxels, copy_region, move_region
from labeler.core.region_edits import relabel_region as relabel_patch
from labeler.state.placement import placed_mask_grid
from labeler.state.selection import RegionRef
from labeler.workflows.add_mask import copy_mask, new_mask
from labeler.workflows.edit_rules import (
    EditRefused,
    drawing_target,
    ink_of,
    label_name,
    lock_of,
    refuse_locked,
    refuse_read_only,
)
from labeler.workflows.mask_places import points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace

__all__ = [
    "BrushStroke",
    "EditRefused",
    "copy_mask",
    "delete_region",
    "fill_at",
    "new_mask",
    "paint_polygon",
    "redo",
    "relabel_region",
    "transfer_region",
    "undo",
]


def paint_polygon(
    ws: Workspace, plane: Plane, points_ras: Sequence[FloatArray], *, erase: bool = False
) -> None:
    """Give the inside of a closed outline the active label, or erase the label there.

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
    ink = ink_of(ws, mask, erase=erase)
    points = points_on_mask(ws, mask, points_ras)
    patch = polygon_patch(mask, plane, points, ink.label, ink.constraint)
    name = label_name(ws.session, ws.selection.label)
    if patch is None:
        raise EditRefused(f"Nothing to {'erase' if erase else 'add to'} {name} in this outline")
    ws.session.apply(Edit(f"{'Erase' if erase else 'Draw'} contour {name}", (patch,)))


def fill_at(ws: Workspace, plane: Plane, ras: npt.ArrayLike, *, erase: bool = False) -> None:
    """Fill the enclosed area under a point with the active label, or erase that area of it.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the area is not
        closed or is what it should become already.
    """
    mask = drawing_target(ws)
    ink, at = ink_of(ws, mask, erase=erase), points_on_mask(ws, mask, ras)
    try:
        patch = fill_area(mask, plane, at, ink.label, ink.constraint)
    except PaintingError as error:
        raise EditRefused(str(error)) from error
    name = label_name(ws.session, ws.selection.label)
    if patch is None:
        raise EditRefused(f"Nothing to {'erase' if erase else 'fill'} here with {name}")
    ws.session.apply(Edit(f"{'Erase area' if erase else 'Fill'} {name}", (patch,)))


class BrushStroke:
    """A stroke of the brush: the mask changes at each point, the whole is one edit.

    Parameters
    ----------
    plane
        Plane that is painted in; the first point chooses the slice.
    erase
        Take the active label away instead of adding it.
    ball
        Paint a ball, on all slices it reaches, instead of a disc.
    similar_phase
        Paint only what looks in this phase like the place where the stroke began.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the phase is not read.
    """

    def __init__(
        self,
        ws: Workspace,
        plane: Plane,
        erase: bool = False,
        *,
        ball: bool = False,
        similar_phase: str | None = None,
    ) -> None:
        self._ws = ws
        self._mask = drawing_target(ws)
        verb = "Erase" if erase else "Brush"
        self._name = f"{verb} {label_name(ws.session, ws.selection.label)}"
        ink = ink_of(ws, self._mask, erase=erase)
        grid, radius_mm = self._mask.grid, ws.selection.brush_mm / 2
        brush: Brush = BallBrush(grid, radius_mm) if ball else DiscBrush(grid, plane, radius_mm)
        if similar_phase is not None:
            values = values_on_mask(ws, self._mask, similar_phase)
            if values is None:
                raise EditRefused(f"{similar_phase} is not read yet")
            brush = SmartBrush(brush, grid, values)
        self._builder = StrokeBuilder(self._mask, brush, ink.label, ink.constraint)

    def move_to(self, ras: npt.ArrayLike) -> None:
        """Paint from the last point to this one, RAS mm as shown."""
        if self._is_orphan:
            return
        patch = self._builder.move_to(points_on_mask(self._ws, self._mask, ras))
        if patch is not None:
            self._ws.session.apply_live(patch)

    def finish(self) -> None:
        """Make the stroke one edit."""
        patch = self._builder.finish()
        if patch is not None and not self._is_orphan:
            self._ws.session.commit_live(Edit(self._name, (patch,)))

    def cancel(self) -> None:
        """Take everything painted since the first point back."""
        patch = self._builder.finish()
        if patch is not None and not self._is_orphan:
            self._ws.session.apply_live(patch)

    @property
    def _is_orphan(self) -> bool:
        """Whether the mask was closed under the brush."""
        entry = self._ws.session.masks.get(self._mask.name)
        return entry is None or entry.mask is not self._mask


def delete_region(ws: Workspace, ref: RegionRef) -> None:
    """Delete a region from its mask.

    Raises
    ------
    EditRefused
        When the region is gone or its label locked, or the case is read-only.
    """
    mask, region = _region(ws, ref)
    patch = relabel_patch(mask, region, 0, lock_of(ws, mask.name))
    _apply(ws, f"Delete region {label_name(ws.session, region.label)}", (patch,))


def relabel_region(ws: Workspace, ref: RegionRef, label: int) -> None:
    """Give a region another label.

    Raises
    ------
    EditRefused
        When the region is gone or one of both labels is locked, or the case is read-only.
    """
    mask, region = _region(ws, ref)
    refuse_locked(ws, mask.name, label)
    patch = relabel_patch(mask, region, label, lock_of(ws, mask.name))
    old, new = label_name(ws.session, region.label), label_name(ws.session, label)
    _apply(ws, f"Relabel {old} as {new}", (patch,))


def transfer_region(
    ws: Workspace, ref: RegionRef, target_mask: str, *, move: bool, label: int | None = None
) -> None:
    """Copy or move a region into another mask, whatever grid that has.

    Parameters
    ----------
    target_mask
        Name of the mask that gets the region.
    move
        Take the region out of its own mask; what the target cannot hold stays.
    label
        Label it gets there; its own by default.

    Raises
    ------
    EditRefused
        When region or target are gone, a label is locked, nothing of the region lies inside the
        target, or the case is read-only.
    """
    mask, region = _region(ws, ref, may_be_locked=not move)
    entry = ws.session.masks.get(target_mask)
    if entry is None or target_mask == ref.mask:
        raise EditRefused("Choose another mask to put the region into")
    label = region.label if label is None else label
    refuse_locked(ws, target_mask, label)
    source, target = _placed(ws, mask), _placed(ws, entry.mask)
    lock = lock_of(ws, target_mask)
    if move:
        patches: tuple[Patch | None, ...] = move_region(
            source, region, target, label,
            source_constraint=lock_of(ws, ref.mask), target_constraint=lock,
        )  # fmt: skip
    else:
        patches = (copy_region(source, region, target, label, lock),)
    verb = "Move" if move else "Copy"
    _apply(ws, f"{verb} {label_name(ws.session, region.label)} to {target_mask}", patches)


def undo(ws: Workspace) -> Edit | None:
    """Take the newest edit back; returns it."""
    return ws.session.undo()


def redo(ws: Workspace) -> Edit | None:
    """Bring the last undone edit back; returns it."""
    return ws.session.redo()


def _placed(ws: Workspace, mask: Mask) -> Mask:
    """The mask itself, or while its phase is shifted a copy of it where it is shown."""
    grid = placed_mask_grid(ws.session, mask.name)
    return mask if grid is mask.grid else Mask(mask.name, mask.array, grid, mask.axis_order)


def _region(
    ws: Workspace, ref: RegionRef, *, may_be_locked: bool = False
) -> tuple[Mask, RegionVoxels]:
    """Look up a region that is to be changed."""
    refuse_read_only(ws)
    entry, region = ws.session.masks.get(ref.mask), ws.session.region(ref.mask, ref.region_id)
    if entry is None or region is None:
        raise EditRefused("The region is no longer there")
    if not may_be_locked:
        refuse_locked(ws, ref.mask, region.label)
    box, crop = ws.session.regions[ref.mask].component_crop(ref.region_id)
    return entry.mask, RegionVoxels(box, crop, region.label)


def _apply(ws: Workspace, name: str, patches: Sequence[Patch | None]) -> None:
    steps = tuple(patch for patch in patches if patch is not None)
    if not steps:
        raise EditRefused(f"{name}: nothing would change")
    ws.session.apply(Edit(name, steps))
