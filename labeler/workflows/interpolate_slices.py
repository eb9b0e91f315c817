"""Filling a label between the slices it is drawn on: shown first, then accepted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from labeler.core.distance import Check
from labeler.core.geometry import Plane
from labeler.core.interpolation import fill_between
from labeler.core.mask import Box, Mask
from labeler.core.painting import PaintingError
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.background_edit import Refused, find_in_background
from labeler.workflows.draw_voxels import draw_voxels
from labeler.workflows.edit_rules import drawing_target, ink_of, label_name
from labeler.workflows.workspace import Workspace


@dataclass(frozen=True, eq=False)
class SliceFill:
    """What would fill a label between its slices.

    Attributes
    ----------
    mask
        The mask.
    label
        The label.
    plane
        Plane of the slices.
    slices
        Voxels by index of the slice along the plane's normal, ascending.
    revision
        Revision of the mask it was found in.
    """

    mask: Mask
    label: int
    plane: Plane
    slices: Mapping[int, VoxelSet]
    revision: int

    @property
    def is_current(self) -> bool:
        """Whether the mask is as it was; otherwise it is better to interpolate anew."""
        return self.mask.revision == self.revision


def interpolate_slices(
    ws: Workspace,
    plane: Plane,
    shown: Callable[[SliceFill], None],
    refused: Refused,
    *,
    max_gap_mm: float = 50.0,
) -> None:
    """Work out in the background what fills the active label between its slices.

    Parameters
    ----------
    plane
        Plane of the slices that were drawn on.
    shown
        Gets the result in the main thread.
    refused
        Gets a sentence when there is nothing to fill.
    max_gap_mm
        Slices farther apart are not joined.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`.
    """
    mask, label = drawing_target(ws), ws.selection.label
    find = partial(_find, label=label, plane=plane, max_gap_mm=max_gap_mm)

    def found(slices: dict[int, VoxelSet], revision: int) -> None:
        if slices:
            shown(SliceFill(mask, label, plane, slices, revision))
        else:
            name = label_name(ws.session, label)
            refused(f"{name} has no gap between {plane.value} slices in {mask.name}")

    find_in_background(ws, "interpolate", mask, find, found, refused)


def accept_slices(ws: Workspace, fill: SliceFill, indices: Collection[int] | None = None) -> None:
    """Draw what was shown, on all slices or on some; one edit.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.draw_voxels.draw_voxels`.
    """
    chosen = [v for index, v in fill.slices.items() if indices is None or index in indices]
    name = f"Fill {label_name(ws.session, fill.label)} between slices"
    draw_voxels(ws, fill.mask, chosen, ink_of(ws, fill.mask, label=fill.label), name)


def _find(
    mask: Mask, check: Check, *, label: int, plane: Plane, max_gap_mm: float
) -> dict[int, VoxelSet]:
    box = Box.around(mask.array == label)
    if box is None:
        raise PaintingError("The label is not drawn on any slice yet")
    check()
    return fill_between(
        mask.array[box.slices], label, plane, mask.grid.spacing_mm,
        origin_kji=box.lo_kji, max_gap_mm=max_gap_mm, check=check,
    )  # fmt: skip
