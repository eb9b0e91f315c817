"""Acts on whole regions of a mask, one or several of them in one step: delete, relabel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from labeler.core.distance import Check
from labeler.core.mask import Mask, Patch
from labeler.core.region_edits import RegionVoxels
from labeler.core.region_edits import relabel_region as relabel_patch
from labeler.core.regions import Region, RegionIndex
from labeler.state.selection import RegionRef
from labeler.state.session import Session
from labeler.workflows.background_edit import edit_now_or_later
from labeler.workflows.edit_rules import (
    EditRefused,
    label_name,
    lock_of,
    refuse_locked,
    refuse_read_only,
)
from labeler.workflows.workspace import Workspace


def delete_region(ws: Workspace, *refs: RegionRef) -> None:
    """Delete regions from their masks.

    Raises
    ------
    EditRefused
        When a region is gone or its label locked, or the case is read-only.
    """

    _relabel(ws, f"Delete {region_names(ws.session, refs, 'region ')}", refs, 0)


def relabel_region(ws: Workspace, label: int, *refs: RegionRef) -> None:
    """Give regions another label.

    Raises
    ------
    EditRefused
        When a region is gone or one of the labels is locked, or the case is read-only.
    """
    for name in dict.fromkeys(ref.mask for ref in refs):
        refuse_locked(ws, name, label)
    new = label_name(ws.session, label)
    _relabel(ws, f"Relabel {region_names(ws.session, refs)} as {new}", refs, label)


def region_to_change(
    ws: Workspace, ref: RegionRef, *, may_be_locked: bool = False
) -> tuple[Mask, Region]:
    """Look up a region that is to be changed.

    Raises
    ------
    EditRefused
        When the case is read-only, the region no longer there or its label locked.
    """
    refuse_read_only(ws)
    entry, region = ws.session.masks.get(ref.mask), ws.session.region(ref.mask, ref.region_id)
    if entry is None or region is None:
        raise EditRefused("The region is no longer there")
    if not may_be_locked:
        refuse_locked(ws, ref.mask, region.label)
    return entry.mask, region


def region_voxels(ws: Workspace, ref: RegionRef) -> tuple[Mask, RegionVoxels]:
    """Look up the voxels of a region that is to be changed.

    Raises
    ------
    EditRefused
        See :func:`region_to_change`.
    """
    mask, region = region_to_change(ws, ref)
    return mask, voxels_of(ws.session.regions[ref.mask], region)


def voxels_of(index: RegionIndex, region: Region) -> RegionVoxels:
    """Voxels of a region as it was when they were counted; for any thread."""
    box, crop = index.component_crop(region.id)
    return RegionVoxels(box, crop, region.label)


def region_names(session: Session, refs: Sequence[RegionRef], what: str = "") -> str:
    """Name regions in an edit: ``HCC`` (after ``what``), ``3 HCC regions``, ``3 regions``."""
    regions = [session.region(ref.mask, ref.region_id) for ref in refs]
    names = {label_name(session, region.label) for region in regions if region is not None}
    name = names.pop() if len(names) == 1 else ""
    if len(refs) == 1:
        return f"{what}{name}".strip()
    return f"{len(refs)} {name} regions" if name else f"{len(refs)} regions"


def _relabel(ws: Workspace, name: str, refs: Sequence[RegionRef], label: int) -> None:
    """Change regions in one step; they share no voxel, so the order does not matter."""
    regions = [region_to_change(ws, ref) for ref in refs]
    masks = list({mask.name: mask for mask, _ in regions}.values())
    locks = {mask.name: lock_of(ws, mask.name) for mask in masks}
    indexes = {mask.name: ws.session.regions[mask.name] for mask in masks}

    def work(masks: Sequence[Mask], check: Check) -> Iterator[Patch | None]:
        by_name = {mask.name: mask for mask in masks}
        for _, region in regions:
            check()
            voxels = voxels_of(indexes[region.mask], region)
            yield relabel_patch(by_name[region.mask], voxels, label, locks[region.mask])

    size = sum(math.prod(region.box.shape_kji) for _, region in regions)
    edit_now_or_later(ws, "relabel", name, masks, work, size)
