"""Binds the commands that change the shape of regions: what each asks for and what it does."""

from __future__ import annotations

from functools import partial

from PyQt5.QtWidgets import QWidget

from labeler.state.selection import RegionRef
from labeler.ui import formats
from labeler.ui.actions import Actions
from labeler.ui.commands import Commands
from labeler.ui.operation_preview import Operation, OperationPreview
from labeler.ui.preview_layer import PreviewLayer
from labeler.ui.region_operation_dialog import Amount
from labeler.workflows.background_edit import Plan
from labeler.workflows.edit_rules import EditRefused, label_name
from labeler.workflows.region_operations import (
    Scope,
    fill_holes,
    grow,
    hollow,
    keep_largest,
    merge_regions,
    remove_small,
    shrink,
    smooth,
    split_at_necks,
)
from labeler.workflows.workspace import Workspace


def _mm(caption: str, default: float) -> Amount:
    return Amount(caption, "mm", 0.5, 50.0, default, 0.5)


def _fill_holes(ws: Workspace, scope: Scope, _amount: float, manner: int) -> Plan:
    plane = ws.views.panes[ws.views.active].plane
    return fill_holes(ws, scope, plane if manner == 1 else None)


def _split(ws: Workspace, scope: Scope, amount: float, _manner: int) -> Plan:
    assert isinstance(scope, RegionRef)
    return split_at_necks(ws, scope, amount)


OPERATIONS: dict[str, Operation] = {
    "region.keep_largest": Operation(
        "Keep largest",
        "Of each label, all regions but the largest are deleted.",
        lambda ws, scope, amount, manner: keep_largest(ws, scope),
        on_region=False,
    ),
    "region.remove_small": Operation(
        "Remove small",
        "Regions smaller than this are deleted.",
        lambda ws, scope, amount, manner: remove_small(ws, scope, amount),
        Amount("Smaller than", "ml", 0.01, 100.0, 0.1, 0.05),
        on_region=False,
    ),
    "region.fill_holes": Operation(
        "Fill holes",
        "What is enclosed on all sides gets the label around it.",
        _fill_holes,
        manners=("In space", "On each slice of the active view"),
    ),
    "region.smooth": Operation(
        "Smooth",
        "Rounds off corners and steps that are finer than this.",
        lambda ws, scope, amount, manner: smooth(ws, scope, amount),
        _mm("Finer than", 1.5),
    ),
    "region.grow": Operation(
        "Grow",
        "Moves the surface outwards. Locked labels are not overwritten.",
        lambda ws, scope, amount, manner: grow(ws, scope, amount),
        _mm("By", 2.0),
    ),
    "region.shrink": Operation(
        "Shrink",
        "Moves the surface inwards.",
        lambda ws, scope, amount, manner: shrink(ws, scope, amount),
        _mm("By", 2.0),
    ),
    "region.hollow": Operation(
        "Hollow",
        "Keeps a wall below the surface and takes the inside out.",
        lambda ws, scope, amount, manner: hollow(ws, scope, amount),
        _mm("Thickness of the wall", 3.0),
    ),
    "region.split": Operation(
        "Split at necks",
        "Cuts the region at necks: where its radius is smaller by this than on both sides.",
        _split,
        _mm("Thinner by", 3.0),
        on_labels=False,
    ),
}


def merging(first: RegionRef, second: RegionRef) -> Operation:
    """Make the operation that merges two regions."""
    return Operation(
        "Merge",
        "Gives the second region the label of the first and bridges the gap between them.",
        lambda ws, scope, amount, manner: merge_regions(ws, first, second, amount),
        _mm("Widest gap", 10.0),
    )


class OperationActions(Actions):
    """Operations on the selected region, the active label or all labels of the active mask."""

    def __init__(
        self, ws: Workspace, commands: Commands, preview: PreviewLayer, window: QWidget
    ) -> None:
        bindings = {
            command: partial(self._ask, operation) for command, operation in OPERATIONS.items()
        }
        super().__init__(ws, commands, window, {**bindings, "region.merge": self._begin_merge})
        self._merging: RegionRef | None = None
        self._preview = OperationPreview(ws, preview, window, self.refused.emit)
        ws.selection.region_selected.connect(self._merge_with)
        ws.session.case_opened.connect(self._forget_merge)

    def _ask(self, operation: Operation) -> None:
        if not operation.on_labels:
            self._selected()
        self._preview.begin(operation, lambda: self._scopes(operation))

    def _scopes(self, operation: Operation) -> list[tuple[str, Scope]]:
        """What an operation can be done on now, with its name."""
        ws = self._ws
        mask, ref = ws.selection.mask, ws.selection.region
        if mask is None:
            return []
        scopes: list[tuple[str, Scope]] = []
        region = None if ref is None else ws.session.region(ref.mask, ref.region_id)
        if operation.on_region and ref is not None and region is not None:
            scopes.append((f"This region: {self._region_name(ref)}", ref))
        if operation.on_labels:
            label = ws.selection.label if region is None else region.label
            scopes.append((f"Every {label_name(ws.session, label)} region of {mask}", label))
            scopes.append((f"All labels of {mask}", None))
        return scopes

    def _region_name(self, ref: RegionRef) -> str:
        region = self._ws.session.region(ref.mask, ref.region_id)
        if region is None:
            return ""
        name = self._ws.session.labels[region.label].name
        return f"{name}, {formats.measure(region.volume_ml)} ml"

    def _begin_merge(self) -> None:
        self._merging = self._selected()
        self.refused.emit("Now select the region that it is merged with")

    def _merge_with(self, other: RegionRef | None) -> None:
        ref, self._merging = self._merging, None
        if ref is None or other is None:
            return
        names = f"{self._region_name(ref)} and {self._region_name(other)}"
        scopes: list[tuple[str, Scope]] = [(names, ref)]
        self._try(lambda: self._preview.begin(merging(ref, other), lambda: scopes))

    def _forget_merge(self) -> None:
        self._merging = None

    def _selected(self) -> RegionRef:
        ref = self._ws.selection.region
        if ref is None or self._ws.session.region(ref.mask, ref.region_id) is None:
            raise EditRefused("Select a region first (N goes to the next one).")
        return ref
