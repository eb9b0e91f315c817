"""What the user makes of a proposal: takes regions into a mask, puts them away, looks at them.

Each act of taking is one edit, in which the mask's own grid, locked labels and the limits of
drawing are kept, and which notes where the regions came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from labeler.core.distance import Check
from labeler.core.edits import Edit, ValueChange
from labeler.core.geometry import Grid
from labeler.core.mask import LabelArray, Mask, Patch
from labeler.core.mask_operations import difference
from labeler.core.painting import Constraint
from labeler.core.proposals import Taken, take_regions
from labeler.core.remnants import Joined, join_remnants
from labeler.state.placement import placed_mask_grid, placed_volume_grid
from labeler.state.proposals import PROVENANCE, REJECTED, Proposal, noted_numbers
from labeler.storage.masks import new_mask as empty_mask_file
from labeler.workflows.add_mask import checked_name
from labeler.workflows.background_edit import (
    Draft,
    Refused,
    draft_in_background,
    find_in_background,
)
from labeler.workflows.edit_rules import (
    EditRefused,
    ink_of,
    label_name,
    refuse_locked,
    refuse_read_only,
)
from labeler.workflows.mask_operations import Difference
from labeler.workflows.mask_places import grid_on_mask, points_on_mask
from labeler.workflows.proposal_notes import accepted_note, rejected_note
from labeler.workflows.review_case import box_center_ras, fitting_zoom
from labeler.workflows.workspace import Workspace

#: Name of the proposal among masks that are compared; no file of a mask can be called so.
PROPOSED = "/proposal"


def accept_regions(ws: Workspace, numbers: Iterable[int], said: Refused) -> None:
    """Draw regions of the proposal into the active mask; one edit, worked out in the background.

    Parameters
    ----------
    numbers
        Regions that are wanted; those decided on already are passed over.
    said
        Gets a sentence when less than that is done.

    Raises
    ------
    EditRefused
        When there is no proposal, nothing open in it, no mask to draw on, or nobody knows which
        label a region is to get.
    """
    refuse_read_only(ws)
    proposal, wanted = _wanted(ws, numbers)
    entry = ws.session.masks.get(ws.selection.mask or "")
    if entry is None:
        raise EditRefused("Choose the mask that takes the regions, or make a new one of them")
    mask = entry.mask
    if not (ws.views.masks_visible and ws.views.style(mask.name).visible):
        raise EditRefused(f"Mask {mask.name} is hidden: show it before you add to it")
    labels = _labels(ws, wanted)
    if len(set(labels.values())) == 1:
        refuse_locked(ws, mask.name, next(iter(labels.values())))
    constraints = {label: ink_of(ws, mask, label=label).constraint for label in {*labels.values()}}
    _take(ws, proposal, mask, labels, constraints, said)


def accept_into_new_mask(ws: Workspace, name: str, said: Refused) -> None:
    """Make a mask on the proposal's grid of everything that is open in it.

    The mask is there at once and filled by one edit. What the user draws stays in the limits of
    drawing, but these are about a mask that has something in it: a new one takes all.

    Raises
    ------
    EditRefused
        As :func:`accept_regions`; also when the name cannot be used.
    """
    refuse_read_only(ws)
    proposal, wanted = _wanted(ws, ws.session.proposals.open_numbers())
    labels = _labels(ws, wanted)
    volume = ws.session.volumes[proposal.phase]
    file = empty_mask_file(checked_name(ws, name), volume.grid, volume.axis_order, volume)
    ws.session.add_mask(file.mask, file)
    ws.selection.set_mask(file.mask.name)
    _take(ws, proposal, file.mask, labels, {}, said)


def reject_regions(ws: Workspace, numbers: Iterable[int]) -> int:
    """Put open regions away, by one edit that changes no mask; returns how many.

    They stay in the list and can be brought back.

    Raises
    ------
    EditRefused
        When the case may not be changed, there is no proposal, or nothing open in it.
    """
    refuse_read_only(ws)
    proposal, wanted = _wanted(ws, numbers)
    notes = [rejected_note(ws, proposal, number) for number in wanted]
    changes = [ValueChange(REJECTED, note["id"], None, note) for note in notes]
    ws.session.apply(Edit(f"Reject {_proposed_names(ws, wanted)}", tuple(changes)))
    return len(wanted)


def bring_back_regions(ws: Workspace, numbers: Iterable[int]) -> None:
    """Open regions again that were rejected; one edit.

    Raises
    ------
    EditRefused
        When the case may not be changed, or none of them was rejected.
    """
    refuse_read_only(ws)
    proposals = ws.session.proposals
    proposal, decisions = proposals.current, proposals.decisions()
    wanted = [number for number in numbers if decisions.get(number) == "rejected"]
    if proposal is None or not wanted:
        raise EditRefused("None of these regions was rejected")
    changes = [
        ValueChange(REJECTED, key, note, None)
        for key, note in ws.session.annotations.entries(REJECTED).items()
        if noted_numbers({key: note}, proposal) & set(wanted)
    ]
    ws.session.apply(Edit(f"Bring back {_proposed_names(ws, wanted)}", tuple(changes)))


def numbers_of_label(ws: Workspace, number: int) -> list[int]:
    """Open regions that the model gave the same label as a region."""
    proposals = ws.session.proposals
    if proposals.current is None:
        return []
    regions = proposals.current.regions
    label = regions[number].label
    return [n for n in proposals.open_numbers() if regions[n].label == label]


def go_to_proposed(ws: Workspace, number: int) -> None:
    """Select a region of the proposal and bring every view to where it is largest."""
    proposals = ws.session.proposals
    if proposals.current is None:
        return
    region = proposals.current.regions[number]
    grid = placed_proposal_grid(ws, proposals.current)
    proposals.select(number)
    proposals.set_shown(True)
    ws.views.set_frame(
        crosshair_ras=grid.to_ras(region.anchor_kji[::-1]),
        center_ras=box_center_ras(region, grid),
        mm_per_px=fitting_zoom(region, grid, ws),
    )


def placed_proposal_grid(ws: Workspace, proposal: Proposal) -> Grid:
    """Where a proposal is shown: it moves with its phase."""
    return placed_volume_grid(ws.session, proposal.phase) or proposal.grid


def choose_labels(ws: Workspace, labels: Mapping[str, int]) -> None:
    """Say which labels the model's names mean, now and in later runs of the model.

    Parameters
    ----------
    labels
        Label by the model's name.
    """
    proposals = ws.session.proposals
    proposal = proposals.current
    if proposal is None:
        return
    kept = ws.settings.data.models.labels
    of_model = {**kept.get(proposal.run.model, {}), **labels}
    ws.settings.update("models", labels={**kept, proposal.run.model: of_model})
    values = {region.label for region in proposal.regions.values()}
    names = {value: proposals.model_name(value) for value in values}
    chosen = {value: labels[name] for value, name in names.items() if name in labels}
    proposals.set_labels({**proposals.labels, **chosen})


def compare_with_proposal(
    ws: Workspace, name: str, shown: Callable[[Difference], None], refused: Refused
) -> None:
    """Work out in the background where a mask differs from what is proposed and not rejected.

    Parameters
    ----------
    name
        Name of the mask.
    shown
        Gets the result in the main thread.

    Raises
    ------
    EditRefused
        When there is no such mask, or no proposal.
    """
    entry, proposals = ws.session.masks.get(name), ws.session.proposals
    proposal = proposals.current
    if entry is None:
        raise EditRefused("Choose a mask to compare the proposal with")
    if proposal is None:
        raise EditRefused("There is no proposal to compare with: run a model first")
    mask = entry.mask
    table = np.zeros(len(proposal.regions) + 1, np.uint16)
    for number, decision in proposals.decisions().items():
        if decision != "rejected":
            table[number] = proposals.look_of(number, ws.session.labels).value
    grid = grid_on_mask(ws, mask, placed_proposal_grid(ws, proposal))

    def find(copy: Mask, check: Check) -> np.ndarray[Any, np.dtype[np.uint8]]:
        labels: LabelArray = table[proposal.numbers]
        check()
        other = Mask(PROPOSED, labels, grid, copy.axis_order)
        return difference(copy, other, check=check)

    def found(classes: np.ndarray[Any, np.dtype[np.uint8]], revision: int) -> None:
        where = placed_mask_grid(ws.session, name)
        shown(Difference(name, PROPOSED, where, classes, (revision, 0)))

    find_in_background(ws, "compare", mask, find, found, refused)


def _wanted(ws: Workspace, numbers: Iterable[int]) -> tuple[Proposal, list[int]]:
    proposal = ws.session.proposals.current
    if proposal is None:
        raise EditRefused("There is no proposal: run a model first (Ctrl+R)")
    asked, is_open = list(numbers), set(ws.session.proposals.open_numbers())
    wanted = [number for number in asked if number in is_open]
    if not wanted:
        one = "This region is" if len(asked) == 1 else "All regions of the proposal are"
        raise EditRefused(f"{one} decided on already")
    return proposal, wanted


def _labels(ws: Workspace, numbers: Sequence[int]) -> dict[int, int]:
    """The label that each region gets; those that nobody knows are left out."""
    proposals = ws.session.proposals
    found = {number: proposals.label_of(number) for number in numbers}
    known = {number: label for number, label in found.items() if label is not None}
    if not known:
        name = proposals.look_of(numbers[0], ws.session.labels).name
        raise EditRefused(f"Say first which label {name} is (Labels… in the model panel)")
    return known


def _take(
    ws: Workspace,
    proposal: Proposal,
    mask: Mask,
    labels: Mapping[int, int],
    constraints: Mapping[int, Constraint],
    said: Refused,
) -> None:
    """Write regions into a mask, and note where they came from."""
    grid = grid_on_mask(ws, mask, placed_proposal_grid(ws, proposal))
    boxes = {number: proposal.regions[number].box for number in labels}
    results: list[Taken] = []
    joined: list[Joined] = []
    lesions = frozenset(x.value for x in ws.session.labels if x.group == "lesion")

    def work(copies: Sequence[Mask], check: Check) -> list[Patch | None]:
        results[:] = take_regions(
            proposal.numbers, grid, boxes, labels, copies[0], constraints, check
        )
        written = [(r.patch, labels[r.number]) for r in results if r.patch is not None]
        joined[:] = join_remnants(copies[0], written, lesions, constraints, check)
        return [*(patch for patch, _ in written), *(rest.patch for rest in joined)]

    def done(draft: Draft) -> None:
        rims = _rims(ws, mask, joined)
        draft = replace(draft, name=f"{draft.name}{rims}")
        notes = [
            ValueChange(PROVENANCE, note["id"], None, note)
            for note in (
                _note(ws, proposal, mask, result.number, labels[result.number])
                for result in results
                if result.is_taken
            )
        ]
        try:
            if draft.patches:
                draft.commit(ws, notes)
            elif notes:  # the mask has them already
                ws.session.apply(Edit(draft.name, tuple(notes)))
            else:
                raise EditRefused(f"{draft.name}: nothing was taken")
        except EditRefused as refusal:
            said(f"{refusal}{_why(ws, results, labels)}")
            return
        if len(notes) < len(results) or any(result.n_kept_out for result in results):
            said(f"{len(notes)} of {len(results)} taken{rims}{_why(ws, results, labels)}")
        elif rims:
            said(draft.name)

    name = f"Accept {_proposed_names(ws, list(labels))}"
    draft_in_background(ws, "accept", name, [mask], work, done, said)


def _proposed_names(ws: Workspace, numbers: Sequence[int]) -> str:
    """``HCC of Demo``, ``3 HCC of Demo``, ``12 regions of Demo``."""
    proposals = ws.session.proposals
    assert proposals.current is not None
    names = {proposals.look_of(number, ws.session.labels).name for number in numbers}
    name = names.pop() if len(names) == 1 else "regions"
    what = name if len(numbers) == 1 else f"{len(numbers)} {name}"
    return f"{what} of {proposals.current.run.title}"


def _rims(ws: Workspace, mask: Mask, joined: Sequence[Joined]) -> str:
    """Say what was left of older lesions: ``, with 2 remnants of Cyst (0.01 ml)``."""
    if not joined:
        return ""
    parts = sum(rest.parts for rest in joined)
    ml = sum(rest.voxels for rest in joined) * mask.grid.voxel_ml
    values = frozenset[int]().union(*(rest.labels for rest in joined))
    names = ", ".join(label_name(ws.session, value) for value in sorted(values))
    return f", with {parts} remnant{'' if parts == 1 else 's'} of {names} ({ml:.2f} ml)"


def _why(ws: Workspace, results: Iterable[Taken], labels: Mapping[int, int]) -> str:
    """Say what locks, limits and the edge of the mask have kept out."""
    outside = sum(1 for result in results if not result.n_inside)
    kept = Counter(labels[result.number] for result in results if result.n_kept_out)
    reasons = []
    if kept:
        names = ", ".join(label_name(ws.session, label) for label in sorted(kept))
        reasons.append(f"locks or limits keep out {names}")
    if outside:
        reasons.append(f"{outside} outside of the mask")
    return f": {'; '.join(reasons)}" if reasons else ""


def _note(ws: Workspace, proposal: Proposal, mask: Mask, number: int, label: int) -> dict[str, Any]:
    """The entry of the case's notes about a region that a mask has now."""
    anchor_kji = proposal.regions[number].anchor_kji
    shown_ras = placed_proposal_grid(ws, proposal).to_ras(anchor_kji[::-1])
    point = points_on_mask(ws, mask, shown_ras)
    return accepted_note(ws, proposal, number, mask.name, label, point)
