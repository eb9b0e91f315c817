"""Changing the shape of regions: of one, of all of a label, or of all labels of a mask.

Each act is a plan: worked out in the background on a copy, looked at before it is done if wanted,
one named edit in the end. Locked labels stay, and the limits of drawing hold: inside a label, what
a region gains is taken from that label only and what it loses becomes it again. Without that limit
a region gains background only, and lesions and vessels also what belongs to an organ: an organ
that grows does not eat its lesions. With several labels they are taken in the order of their
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labeler.core import morphology, region_shapes
from labeler.core.distance import Check
from labeler.core.geometry import FloatArray, Plane
from labeler.core.mask import Box, Mask, Patch
from labeler.core.raster import BoolArray
from labeler.core.region_edits import RegionVoxels, Rules, relabel_region
from labeler.core.regions import Region
from labeler.state.selection import RegionRef
from labeler.workflows.background_edit import Plan
from labeler.workflows.edit_rules import (
    EditRefused,
    ink_of,
    label_name,
    refuse_locked,
    refuse_read_only,
)
from labeler.workflows.mask_places import points_on_mask
from labeler.workflows.region_acts import region_to_change, voxels_of
from labeler.workflows.workspace import Workspace

#: A region, a label of the active mask, or all of its labels that are not locked.
Scope = RegionRef | int | None

#: Groups of labels that lie inside of organs.
INSIDE_ORGANS = ("lesion", "vessel")

#: A new form for a shape: takes the shape, the distances of voxels along i, j, k and a check.
Form = Callable[[BoolArray, morphology.Spacing, Check], BoolArray]


def keep_largest(ws: Workspace, scope: Scope) -> Plan:
    """Plan to delete all regions of each label but the largest.

    Raises
    ------
    EditRefused
        When the label is locked, or the case is read-only, or nothing would change. So do all
        functions of this module.
    """
    mask, labels = _labels(ws, scope)
    doomed: list[Region] = []
    for label in labels:
        regions = [r for r in _regions(ws, mask) if r.label == label]
        doomed += sorted(regions, key=lambda region: -region.voxels)[1:]
    return _deletion(ws, mask, doomed, f"Keep largest of {_named(ws, scope, labels)}")


def remove_small(ws: Workspace, scope: Scope, volume_ml: float) -> Plan:
    """Plan to delete regions smaller than a volume."""
    mask, labels = _labels(ws, scope)
    doomed = [r for r in _regions(ws, mask) if r.label in labels and r.volume_ml < volume_ml]
    name = f"Remove {_named(ws, scope, labels)} below {volume_ml:g} ml"
    return _deletion(ws, mask, doomed, name)


def fill_holes(ws: Workspace, scope: Scope, plane: Plane | None) -> Plan:
    """Plan to fill what a shape encloses, in space or (with a plane) slice by slice."""

    def form(inside: BoolArray, spacing_mm: morphology.Spacing, check: Check) -> BoolArray:
        if plane is None:
            return morphology.filled(inside)
        return morphology.filled_on_slices(inside, 2 - plane.normal_axis)

    return _reform(ws, scope, "Fill holes of", form)


def smooth(ws: Workspace, scope: Scope, sigma_mm: float) -> Plan:
    """Plan to smooth the surface; the volume stays."""

    def form(inside: BoolArray, spacing_mm: morphology.Spacing, check: Check) -> BoolArray:
        return morphology.smoothed(inside, spacing_mm, sigma_mm, check)

    return _reform(ws, scope, "Smooth", form, morphology.TRUNCATE * sigma_mm)


def grow(ws: Workspace, scope: Scope, mm: float) -> Plan:
    """Plan to move the surface outwards."""

    def form(inside: BoolArray, spacing_mm: morphology.Spacing, check: Check) -> BoolArray:
        return morphology.grown(inside, spacing_mm, mm, check)

    return _reform(ws, scope, "Grow", form, mm)


def shrink(ws: Workspace, scope: Scope, mm: float) -> Plan:
    """Plan to move the surface inwards."""

    def form(inside: BoolArray, spacing_mm: morphology.Spacing, check: Check) -> BoolArray:
        return morphology.shrunk(inside, spacing_mm, mm, check)

    return _reform(ws, scope, "Shrink", form)


def hollow(ws: Workspace, scope: Scope, wall_mm: float) -> Plan:
    """Plan to keep the outermost ``wall_mm`` of a shape."""

    def form(inside: BoolArray, spacing_mm: morphology.Spacing, check: Check) -> BoolArray:
        return morphology.hollowed(inside, spacing_mm, wall_mm, check)

    return _reform(ws, scope, "Hollow", form)


def split_by_line(
    ws: Workspace,
    ref: RegionRef,
    plane: Plane,
    points_ras: Sequence[FloatArray] | npt.NDArray[np.float64],
) -> Plan:
    """Plan to cut a region along a line drawn in a view, straight through all of its slices.

    Parameters
    ----------
    points_ras
        ``(n, 3)`` RAS mm as shown, n >= 2.
    """
    mask, _ = region_to_change(ws, ref)
    points = points_on_mask(ws, mask, points_ras)

    def cut(copy: Mask, voxels: RegionVoxels, rules: Rules, check: Check) -> Patch | None:
        return region_shapes.split_by_line(copy, voxels, plane, points, rules=rules)

    return _split(ws, ref, "along a line", cut)


def split_at_necks(ws: Workspace, ref: RegionRef, neck_mm: float) -> Plan:
    """Plan to cut a region where both sides are thicker than it by more than ``neck_mm``."""

    def cut(copy: Mask, voxels: RegionVoxels, rules: Rules, check: Check) -> Patch | None:
        return region_shapes.split_by_watershed(copy, voxels, neck_mm, rules=rules, check=check)

    return _split(ws, ref, "at necks", cut)


def merge_regions(ws: Workspace, ref: RegionRef, other: RegionRef, gap_mm: float) -> Plan:
    """Plan to give a second region the label of the first and bridge the gap between them."""
    if ref.mask != other.mask:
        raise EditRefused(f"Choose a region of {ref.mask} too: only those of one mask can merge")
    if ref == other:
        raise EditRefused("Choose another region to merge with")
    mask, first = region_to_change(ws, ref)
    _, second = region_to_change(ws, other)
    rules, index = _rules(ws, mask, first.label), ws.session.regions[mask.name]

    def work(copy: Mask, check: Check) -> Iterable[Patch | None]:
        both = voxels_of(index, first), voxels_of(index, second)
        yield region_shapes.merge_regions(copy, *both, gap_mm, rules, check)

    names = [label_name(ws.session, region.label) for region in (first, second)]
    return Plan(f"Merge {names[0]} with {names[1]}", mask, work, frozenset({first.label}))


def _split(
    ws: Workspace,
    ref: RegionRef,
    where: str,
    cut: Callable[[Mask, RegionVoxels, Rules, Check], Patch | None],
) -> Plan:
    mask, region = region_to_change(ws, ref)
    index = ws.session.regions[mask.name]
    ink = ink_of(ws, mask, label=region.label)
    rules = Rules(ink.ground, ink.constraint)

    def work(copy: Mask, check: Check) -> Iterable[Patch | None]:
        yield cut(copy, voxels_of(index, region), rules, check)

    name = f"Split {label_name(ws.session, region.label)} {where}"
    return Plan(name, mask, work, frozenset({region.label}))


def _reform(ws: Workspace, scope: Scope, verb: str, form: Form, room_mm: float = 0.0) -> Plan:
    """Plan to give shapes a new form: a region its own, a label that of its voxels together."""
    if isinstance(scope, RegionRef):
        mask, known = region_to_change(ws, scope)
        labels, index = [known.label], ws.session.regions[mask.name]
    else:
        (mask, labels), known, index = _labels(ws, scope), None, None
    rules = {label: _rules(ws, mask, label) for label in labels}

    def work(copy: Mask, check: Check) -> Iterator[Patch | None]:
        for label in labels:
            if known is not None and index is not None:
                shape: RegionVoxels | None = voxels_of(index, known)
            else:
                shape = _all_of(copy, label)
            if shape is not None:
                patch = _reformed(copy, shape, form, room_mm, rules[label], check)
                if patch is not None and len(labels) > 1:
                    copy.apply(patch)  # the next label meets what this one has become
                yield patch

    return Plan(f"{verb} {_named(ws, scope, labels)}", mask, work, frozenset(labels))


def _rules(ws: Workspace, mask: Mask, label: int) -> Rules:
    """What a region whose form changes may overwrite, and what it leaves behind."""
    ink = ink_of(ws, mask, label=label)
    if ink.constraint.only is not None:
        return Rules(ink.ground, ink.constraint)
    labels = ws.session.labels
    gained = {0}
    if labels[label].group in INSIDE_ORGANS:
        gained |= {other.value for other in labels if other.group == "organ"}
    return Rules(ink.ground, replace(ink.constraint, only=frozenset(gained)))


def _reformed(
    mask: Mask, shape: RegionVoxels, form: Form, room_mm: float, rules: Rules, check: Check
) -> Patch | None:
    spacing_mm = mask.grid.spacing_mm
    check()
    return region_shapes.reform(
        mask, shape, lambda inside: form(inside, spacing_mm, check), room_mm, rules
    )


def _all_of(mask: Mask, label: int) -> RegionVoxels | None:
    """All voxels of a label as one shape."""
    inside = mask.array == label
    box = Box.around(inside)
    return None if box is None else RegionVoxels(box, inside[box.slices], label)


def _deletion(ws: Workspace, mask: Mask, doomed: Sequence[Region], name: str) -> Plan:
    if not doomed:
        raise EditRefused(f"{name}: nothing would change")
    index = ws.session.regions[mask.name]
    inks = {region.label: ink_of(ws, mask, label=region.label) for region in doomed}

    def work(copy: Mask, check: Check) -> Iterator[Patch | None]:
        for region in doomed:
            check()
            ink = inks[region.label]
            # what goes need not be in the label that drawing is limited to
            constraint = replace(ink.constraint, only=None)
            yield relabel_region(copy, voxels_of(index, region), ink.ground, constraint)

    return Plan(name, mask, work, frozenset(inks))


def _labels(ws: Workspace, scope: Scope) -> tuple[Mask, list[int]]:
    """Mask and labels of a scope that is not a region."""
    refuse_read_only(ws)
    name = ws.selection.mask
    entry = ws.session.masks.get(name) if name is not None else None
    if entry is None or name is None:
        raise EditRefused("Choose or create a mask first (Ctrl+N)")
    if isinstance(scope, int):
        refuse_locked(ws, name, scope)
        return entry.mask, [scope]
    found = {region.label for region in _regions(ws, entry.mask)}
    labels = sorted(label for label in found if not ws.selection.is_locked(name, label))
    if not labels:
        raise EditRefused(f"There is no label in {name} that is not locked")
    return entry.mask, labels


def _regions(ws: Workspace, mask: Mask) -> list[Region]:
    index = ws.session.regions.get(mask.name)
    if index is None:
        raise EditRefused(f"The regions of {mask.name} are still being counted")
    return list(index.regions.values())


def _named(ws: Workspace, scope: Scope, labels: Sequence[int]) -> str:
    if len(labels) == 1:
        return label_name(ws.session, labels[0])
    return f"{len(labels)} labels" if scope is None else "regions"
