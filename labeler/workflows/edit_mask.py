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
from labeler.core.mask import Patch
from labeler.core.painting import PaintingError, StrokeBuilder, fill_area
from labeler.core.painting import paint_polygon as polygon_patch
from labeler.workflows.add_mask import copy_mask, new_mask
from labeler.workflows.edit_rules import (
    EditRefused,
    drawing_target,
    ink_of,
    label_name,
)
from labeler.workflows.mask_places import points_on_mask, values_on_mask
from labeler.workflows.step_history import redo, undo
from labeler.workflows.workspace import Workspace

__all__ = [
    "BrushStroke",
    "EditRefused",
    "copy_mask",
    "fill_at",
    "new_mask",
    "paint_polygon",
    "redo",
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

    def dab(self, ras: npt.ArrayLike) -> Patch | None:
        """What the first point would change, RAS mm as shown; nothing is changed."""
        return self._builder.move_to(points_on_mask(self._ws, self._mask, ras))

    def move_to(self, ras: npt.ArrayLike) -> None:
        """Paint from the last point to this one, RAS mm as shown."""
        if self._is_orphan:
            return
        patch = self._builder.move_to(points_on_mask(self._ws, self._mask, ras))
        if patch is not None:
            self._ws.session.is_drawing = True
            self._ws.session.apply_live(patch)

    def finish(self) -> None:
        """Make the stroke one edit."""
        patch = self._end()
        if patch is not None:
            self._ws.session.commit_live(Edit(self._name, (patch,)))

    def cancel(self) -> None:
        """Take everything painted since the first point back."""
        patch = self._end()
        if patch is not None:
            self._ws.session.apply_live(patch)

    def _end(self) -> Patch | None:
        """What was painted; ``None`` when that is nothing, or the mask was closed."""
        patch = self._builder.finish()
        if self._is_orphan:
            return None
        self._ws.session.is_drawing = False
        return patch

    @property
    def _is_orphan(self) -> bool:
        """Whether the mask was closed under the brush."""
        entry = self._ws.session.masks.get(self._mask.name)
        return entry is None or entry.mask is not self._mask
