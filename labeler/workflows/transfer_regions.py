"""Copying and moving regions to other masks, with or without another label, whatever the grids.

One act is one named edit, also over several masks. A moved region takes its notes along: tick,
comments and axes. The tick stays behind when part of the region does, and is dropped when the
region joins another one, as nobody has reviewed what they are together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labeler.core.distance import Check
from labeler.core.edits import ValueChange
from labeler.core.geometry import Grid
from labeler.core.mask import Mask, Patch
from labeler.core.painting import Constraint
from labeler.core.region_edits import (
    Rules,
    inner_voxel,
    touches_more,
    transfer_region,
)
from labeler.core.regions import Region, RegionIndex
from labeler.core.voxel_set import VoxelSet
from labeler.state.placement import placed_mask_grid
from labeler.state.selection import RegionRef
from labeler.workflows.background_edit import Draft, Refused, draft_in_background
from labeler.workflows.edit_rules import (
    EditRefused,
    ink_of,
    label_name,
    lock_of,
    refuse_locked,
    refuse_read_only,
)
from labeler.workflows.mask_places import grid_on_mask
from labeler.workflows.region_acts import region_names, region_to_change, voxels_of
from labeler.workflows.region_notes import moved_notes, place_at
from labeler.workflows.workspace import Workspace


@dataclass(frozen=True)
class Transfer:
    """Regions that are to go to a mask.

    Attributes
    ----------
    refs
        The regions, none of them of the target.
    target
        Name of the mask that gets them.
    move
        Take them out of their own masks; what the target cannot take stays.
    label
        Label they get there; ``None`` for their own.
    """

    refs: tuple[RegionRef, ...]
    target: str
    move: bool
    label: int | None = None


@dataclass(eq=False)
class _Journey:
    """One region on its way; the lower half is known when it has arrived."""

    ref: RegionRef
    index: RegionIndex
    grid: Grid  # where its mask lies as the target sees it
    label: int
    constraint: Constraint
    leaving: Rules | None
    arrived: VoxelSet | None = None
    missing: int = 0
    joins: bool = False
    place_kji: tuple[int, int, int] = field(default=(0, 0, 0))

    @property
    def region(self) -> Region:
        return self.index.regions[self.ref.region_id]


def transfer_name(ws: Workspace, transfer: Transfer) -> str:
    """Name of the edit: ``Move HCC to prediction as Cyst``."""
    verb = "Move" if transfer.move else "Copy"
    name = f"{verb} {region_names(ws.session, transfer.refs)} to {transfer.target}"
    return name if transfer.label is None else f"{name} as {label_name(ws.session, transfer.label)}"


def check_transfer(ws: Workspace, transfer: Transfer) -> None:
    """Refuse what could not be done, before it is begun.

    Raises
    ------
    EditRefused
        When regions or target are gone, a label is locked, or the case is read-only.
    """
    refuse_read_only(ws)
    if transfer.target not in ws.session.masks:
        raise EditRefused(f"There is no mask {transfer.target}")
    if not transfer.refs or any(ref.mask == transfer.target for ref in transfer.refs):
        raise EditRefused("Choose another mask to put the region into")
    for ref in transfer.refs:
        _, region = region_to_change(ws, ref, may_be_locked=True)
        label = region.label if transfer.label is None else transfer.label
        refuse_locked(ws, transfer.target, label)
        if transfer.move and ws.selection.is_locked(ref.mask, region.label):
            name = label_name(ws.session, region.label)
            raise EditRefused(f"{name} is locked in {ref.mask}: it can be copied, not moved")


def transfer_regions(ws: Workspace, transfer: Transfer, said: Refused) -> None:
    """Copy or move regions in the background, then select the first of them in the target.

    No view moves. The limits of drawing hold in the target; locked labels stay in all masks.

    Parameters
    ----------
    said
        Gets sentences for the user: why nothing was done, or what did not go along.

    Raises
    ------
    EditRefused
        See :func:`check_transfer`.
    """
    check_transfer(ws, transfer)
    name = transfer_name(ws, transfer)
    target = ws.session.masks[transfer.target].mask
    journeys = [_journey(ws, transfer, target, ref) for ref in transfer.refs]
    names = [transfer.target, *dict.fromkeys(ref.mask for ref in transfer.refs)]

    def work(copies: Sequence[Mask], check: Check) -> Iterator[Patch]:
        by_name = {copy.name: copy for copy in copies}
        yield from _carry(journeys, by_name, by_name[transfer.target], check)

    def done(draft: Draft) -> None:
        try:
            if not draft.patches and all(j.missing for j in journeys):
                raise EditRefused(f"{name}: nothing of it lies where {target.name} may be changed")
            draft.commit(ws, _notes(ws, journeys, target) if transfer.move else ())
        except EditRefused as refusal:
            said(str(refusal))
            return
        arrived = next(j for j in journeys if j.arrived is not None)
        _select_when_counted(ws, target.name, arrived.place_kji, arrived.label)
        said(_told(ws, name, journeys, target))

    masks = [ws.session.masks[mask].mask for mask in names]
    draft_in_background(ws, "transfer", name, masks, work, done, said)


def _journey(ws: Workspace, transfer: Transfer, target: Mask, ref: RegionRef) -> _Journey:
    mask, region = region_to_change(ws, ref, may_be_locked=not transfer.move)
    label = region.label if transfer.label is None else transfer.label
    leaving = None
    if transfer.move:
        leaving = Rules(ink_of(ws, mask, label=region.label).ground, lock_of(ws, ref.mask))
    return _Journey(
        ref,
        ws.session.regions[ref.mask],
        grid_on_mask(ws, target, placed_mask_grid(ws.session, ref.mask)),
        label,
        ink_of(ws, target, label=label).constraint,
        leaving,
    )


def _carry(
    journeys: Sequence[_Journey], masks: dict[str, Mask], target: Mask, check: Check
) -> Iterator[Patch]:
    """Transfer one region after the other; each meets what the ones before have become."""
    for journey in journeys:
        check()
        source = masks[journey.ref.mask]
        transfer = transfer_region(
            source, voxels_of(journey.index, journey.region), target, journey.label,
            journey.constraint, source_grid=journey.grid, leaving=journey.leaving,
        )  # fmt: skip
        journey.missing = transfer.missing
        if not transfer.arrived.is_empty:
            journey.arrived = transfer.arrived
            journey.place_kji = inner_voxel(transfer.arrived)
        for patch in transfer.patches:
            masks[patch.mask].apply(patch)
            yield patch
    for journey in journeys:
        check()
        if journey.arrived is not None:
            journey.joins = touches_more(target, journey.arrived, journey.label)


def _notes(ws: Workspace, journeys: Sequence[_Journey], target: Mask) -> Iterator[ValueChange]:
    """What becomes of the notes on regions that have left their masks altogether."""
    for journey in journeys:
        if journey.arrived is None or journey.missing:
            continue
        place = place_at(target.name, journey.label, journey.place_kji, target.grid)
        offset = journey.grid.affine[:3, 3] - journey.index.grid.affine[:3, 3]
        yield from moved_notes(
            ws.session, journey.ref, place, offset.tolist(), keeps_tick=not journey.joins
        )


def _told(ws: Workspace, name: str, journeys: Sequence[_Journey], target: Mask) -> str:
    """What the user should know of it."""
    sentences = [name]
    missing_ml = sum(j.missing * j.index.grid.voxel_ml for j in journeys)
    if missing_ml:
        stays = "stay where they are" if journeys[0].leaving is not None else "are left out"
        sentences.append(f"{missing_ml:.2g} ml that {target.name} cannot take {stays}")
    if any(j.joins for j in journeys):
        joined = f"it joins another region of {target.name}"
        is_move = journeys[0].leaving is not None
        sentences.append(f"{joined}, its review tick is dropped" if is_move else joined)
    return "; ".join(sentences)


def _select_when_counted(ws: Workspace, mask: str, kji: tuple[int, int, int], label: int) -> None:
    """Select the region at a voxel as soon as it is counted, unless the user goes on before."""
    session, selection = ws.session, ws.selection

    def counted(name: str) -> None:
        index = session.regions[name]
        region_id = index.region_at(kji) if name == mask else None
        if region_id is not None and index.regions[region_id].label == label:
            stop()
            selection.select_region(RegionRef(mask, region_id))

    def stop(*_: object) -> None:
        session.regions_changed.disconnect(counted)
        session.case_opened.disconnect(stop)
        selection.region_selected.disconnect(stop)

    session.regions_changed.connect(counted)
    session.case_opened.connect(stop)
    selection.region_selected.connect(stop)
