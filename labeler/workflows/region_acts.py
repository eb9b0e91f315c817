"""Acts on whole regions of a mask, one or several of them in one step: delete, relabel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labeler.core.edits import Edit
from labeler.core.mask import Mask, Patch
from labeler.core.region_edits import RegionVoxels
from labeler.core.region_edits import relabel_region as relabel_patch
from labeler.core.regions import Region
from labeler.state.selection import RegionRef
from labeler.state.session import Session
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

    def deleted(mask: Mask, voxels: RegionVoxels) -> Patch | None:
        return relabel_patch(mask, voxels, 0, lock_of(ws, mask.name))

    _apply(ws, f"Delete {region_names(ws.session, refs, 'region ')}", refs, deleted)


def relabel_region(ws: Workspace, label: int, *refs: RegionRef) -> None:
    """Give regions another label.

    Raises
    ------
    EditRefused
        When a region is gone or one of the labels is locked, or the case is read-only.
    """

    def relabelled(mask: Mask, voxels: RegionVoxels) -> Patch | None:
        refuse_locked(ws, mask.name, label)
        return relabel_patch(mask, voxels, label, lock_of(ws, mask.name))

    new = label_name(ws.session, label)
    _apply(ws, f"Relabel {region_names(ws.session, refs)} as {new}", refs, relabelled)


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
    box, crop = ws.session.regions[ref.mask].component_crop(ref.region_id)
    return mask, RegionVoxels(box, crop, region.label)


def region_names(session: Session, refs: Sequence[RegionRef], what: str = "") -> str:
    """Name regions in an edit: ``HCC`` (after ``what``), ``3 HCC regions``, ``3 regions``."""
    regions = [session.region(ref.mask, ref.region_id) for ref in refs]
    names = {label_name(session, region.label) for region in regions if region is not None}
    name = names.pop() if len(names) == 1 else ""
    if len(refs) == 1:
        return f"{what}{name}".strip()
    return f"{len(refs)} {name} regions" if name else f"{len(refs)} regions"


def _apply(
    ws: Workspace,
    name: str,
    refs: Sequence[RegionRef],
    act: Callable[[Mask, RegionVoxels], Patch | None],
) -> None:
    """Change regions in one step; they share no voxel, so the order does not matter."""
    patches = [act(*region_voxels(ws, ref)) for ref in refs]
    steps = tuple(patch for patch in patches if patch is not None)
    if not steps:
        raise EditRefused(f"{name}: nothing would change")
    ws.session.apply(Edit(name, steps))
