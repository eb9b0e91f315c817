"""Acts on whole masks: begin one from a threshold or another mask, make one of two, compare.

Each act is one named edit of the active mask, worked out in the background. Locked labels stay;
what draws keeps to the limits of drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeler.core import mask_operations
from labeler.core.distance import Check
from labeler.core.edits import Edit
from labeler.core.geometry import Grid, Plane
from labeler.core.mask import Mask, Patch
from labeler.core.mask_operations import Combination
from labeler.core.painting import HuLimit
from labeler.core.raster import GridSlice
from labeler.state.placement import placed_mask_grid
from labeler.workflows.background_edit import Refused, edit_in_background, find_in_background
from labeler.workflows.edit_rules import (
    EditRefused,
    drawing_target,
    ink_of,
    label_name,
    lock_of,
    refuse_read_only,
)
from labeler.workflows.mask_places import grid_on_mask, points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Difference:
    """Where two masks differ.

    Attributes
    ----------
    first, second
        Names of the masks.
    grid
        Grid of the first mask, where it is shown.
    classes
        uint8 ``[k, j, i]``; see :func:`labeler.core.mask_operations.difference`.
    revisions
        Revisions of both masks when they were compared.
    """

    first: str
    second: str
    grid: Grid
    classes: npt.NDArray[np.uint8]
    revisions: tuple[int, int]


def label_by_threshold(
    ws: Workspace, phase: str, low_hu: float, high_hu: float, refused: Refused
) -> None:
    """Give everything of a phase within a range of HU the active label.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the phase is not read.
    """
    mask = drawing_target(ws)
    ink = ink_of(ws, mask)
    values = values_on_mask(ws, mask, phase)
    if values is None:
        raise EditRefused(f"{phase} is not read yet")
    limit = HuLimit(values, low_hu, high_hu)

    def work(copy: Mask, check: Check) -> Iterable[Patch | None]:
        return mask_operations.label_by_threshold(copy, limit, ink.label, ink.constraint, check)

    name = f"Draw {label_name(ws.session, ink.label)} from {low_hu:g} to {high_hu:g} HU"
    edit_in_background(ws, "threshold", name, mask, work, refused)


def copy_labels(
    ws: Workspace, source: str, labels: Collection[int] | None, refused: Refused
) -> None:
    """Draw what another mask has, all labels or some, into the active mask.

    For one region see :func:`~labeler.workflows.edit_mask.transfer_region`.

    Parameters
    ----------
    source
        Name of the other mask, on whatever grid.
    labels
        Labels wanted; ``None`` for all.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when there is no such mask.
    """
    mask = drawing_target(ws)
    # A limit to be inside a label, or a range of HU, holds for every label that is copied.
    constraint = ink_of(ws, mask).constraint
    other = _other(ws, source, mask)

    def work(copy: Mask, check: Check) -> Iterable[Patch | None]:
        there, _ = _copied(other)
        return mask_operations.copy_labels(there, copy, labels, constraint, check)

    what = "all labels" if labels is None else _named(ws, labels)
    edit_in_background(ws, "copy labels", f"Copy {what} of {source}", mask, work, refused)


def copy_from_slice(ws: Workspace, plane: Plane, ras: npt.ArrayLike, step: int) -> None:
    """Draw the active label as it is on a neighbouring slice; one edit.

    Parameters
    ----------
    plane
        Plane of the slices.
    ras
        On the slice that is drawn on, RAS mm as shown.
    step
        Slices from there to the one that is copied: -1 or 1 for the neighbours.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when nothing would change.
    """
    mask = drawing_target(ws)
    ink = ink_of(ws, mask)
    at = GridSlice.near(mask.grid, plane, points_on_mask(ws, mask, ras))
    name = f"Copy {label_name(ws.session, ink.label)} from {plane.value} slice"
    patch = None
    if at is not None:
        patch = mask_operations.copy_from_slice(
            mask, plane, at.index, step, ink.label, ink.constraint
        )
    if patch is None:
        raise EditRefused(f"{name}: nothing would change")
    ws.session.apply(Edit(name, (patch,)))


def combine_masks(
    ws: Workspace,
    first: str,
    second: str,
    how: Combination,
    refused: Refused,
    *,
    labels: Collection[int] | None = None,
) -> None:
    """Combine a mask with another one; the first is changed.

    Parameters
    ----------
    first, second
        Names of the masks, on whatever grids.
    how
        See :func:`labeler.core.mask_operations.combine`.
    labels
        Label by label, these only; ``None`` for all of them as one.

    Raises
    ------
    EditRefused
        When a mask is missing or the case is read-only.
    """
    refuse_read_only(ws)
    entry = ws.session.masks.get(first)
    if entry is None:
        raise EditRefused(f"There is no mask {first}")
    mask, lock = entry.mask, lock_of(ws, first)
    other = _other(ws, second, mask)

    def work(copy: Mask, check: Check) -> Iterable[Patch | None]:
        there, _ = _copied(other)
        return mask_operations.combine(copy, there, how, labels, lock, check)

    verb = {
        Combination.UNION: "Add {} to {}",
        Combination.INTERSECTION: "Keep what {1} shares with {0}",
        Combination.MINUS: "Take {} from {}",
        Combination.XOR: "Keep what either {} or {} has",
    }[how]
    edit_in_background(ws, "combine", verb.format(second, first), mask, work, refused)


def compare_masks(
    ws: Workspace,
    first: str,
    second: str,
    shown: Callable[[Difference], None],
    refused: Refused,
) -> None:
    """Work out in the background where two masks differ.

    Parameters
    ----------
    first, second
        Names of the masks, on whatever grids.
    shown
        Gets the result in the main thread.

    Raises
    ------
    EditRefused
        When a mask is missing.
    """
    entry = ws.session.masks.get(first)
    if entry is None:
        raise EditRefused(f"There is no mask {first}")
    other = _other(ws, second, entry.mask)

    def find(copy: Mask, check: Check) -> tuple[npt.NDArray[np.uint8], int]:
        there, revision = _copied(other)
        return mask_operations.difference(copy, there, check=check), revision

    def found(result: tuple[npt.NDArray[np.uint8], int], revision: int) -> None:
        classes, other_revision = result
        grid = placed_mask_grid(ws.session, first)
        shown(Difference(first, second, grid, classes, (revision, other_revision)))

    find_in_background(ws, "compare", entry.mask, find, found, refused)


def _other(ws: Workspace, name: str, mask: Mask) -> tuple[Mask, Grid]:
    """Another mask, and its grid in the coordinates of this mask's own."""
    entry = ws.session.masks.get(name)
    if entry is None or name == mask.name:
        raise EditRefused(f"Choose another mask than {mask.name}")
    return entry.mask, grid_on_mask(ws, mask, placed_mask_grid(ws.session, name))


def _copied(source: tuple[Mask, Grid]) -> tuple[Mask, int]:
    """A copy of a mask, placed at a grid, and its revision; for any thread."""
    mask, grid = source
    array, revision = mask.snapshot()
    return Mask(mask.name, array, grid, mask.axis_order), revision


def _named(ws: Workspace, labels: Collection[int]) -> str:
    if len(labels) == 1:
        return label_name(ws.session, next(iter(labels)))
    return f"{len(labels)} labels"
