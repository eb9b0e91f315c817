"""Binds the commands that change the shape of regions: asks on what and how much, then acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QDialog, QWidget

from labeler.state.selection import RegionRef
from labeler.ui import formats
from labeler.ui.commands import Commands
from labeler.ui.region_operation_dialog import Amount, RegionOperationDialog
from labeler.workflows.background_edit import Refused
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

#: Two regions that stand further apart than this are not merged: the bridge would be invented.
MERGE_GAP_MM = 10.0


@dataclass(frozen=True)
class Operation:
    """An operation of the menu.

    Attributes
    ----------
    title
        Button and title of the question.
    text
        What it does, in a sentence.
    run
        ``run(ws, scope, amount, manner, refused)``.
    amount
        Number to ask for, if any.
    manners
        Ways to do it, if there are several.
    on_region
        Whether a single region can be its scope.
    """

    title: str
    text: str
    run: Callable[[Workspace, Scope, float, int, Refused], None]
    amount: Amount | None = None
    manners: tuple[str, ...] = ()
    on_region: bool = True


def _mm(caption: str, default: float, low: float = 0.5, high: float = 50.0) -> Amount:
    return Amount(caption, "mm", low, high, default, 0.5)


def _fill_holes(ws: Workspace, scope: Scope, _amount: float, manner: int, refused: Refused) -> None:
    plane = ws.views.panes[ws.views.active].plane
    fill_holes(ws, scope, plane if manner == 1 else None, refused)


OPERATIONS: dict[str, Operation] = {
    "region.keep_largest": Operation(
        "Keep largest",
        "Of each label, all regions but the largest are deleted.",
        lambda ws, scope, amount, manner, refused: keep_largest(ws, scope, refused),
        on_region=False,
    ),
    "region.remove_small": Operation(
        "Remove small",
        "Regions smaller than this are deleted.",
        lambda ws, scope, amount, manner, refused: remove_small(ws, scope, amount, refused),
        Amount("Smaller than", "ml", 0.01, 100.0, 0.1, 0.05),
        on_region=False,
    ),
    "region.fill_holes": Operation(
        "Fill holes",
        "What is enclosed on all sides gets the label around it.",
        _fill_holes,
        manners=("Enclosed in space", "Enclosed in slices of the active view's plane"),
    ),
    "region.smooth": Operation(
        "Smooth",
        "Rounds off corners and steps that are finer than this.",
        lambda ws, scope, amount, manner, refused: smooth(ws, scope, amount, refused),
        _mm("Finer than", 1.5),
    ),
    "region.grow": Operation(
        "Grow",
        "Moves the surface outwards. Locked labels are not overwritten.",
        lambda ws, scope, amount, manner, refused: grow(ws, scope, amount, refused),
        _mm("By", 2.0),
    ),
    "region.shrink": Operation(
        "Shrink",
        "Moves the surface inwards.",
        lambda ws, scope, amount, manner, refused: shrink(ws, scope, amount, refused),
        _mm("By", 2.0),
    ),
    "region.hollow": Operation(
        "Hollow",
        "Keeps a wall below the surface and takes the inside out.",
        lambda ws, scope, amount, manner, refused: hollow(ws, scope, amount, refused),
        _mm("Thickness of the wall", 3.0),
    ),
}  # fmt: skip


class OperationActions(QObject):
    """Operations on the selected region, the active label or all labels of the active mask.

    Signals
    -------
    refused
        Why something was not done, or what is needed for it.
    """

    refused = pyqtSignal(str)

    def __init__(self, ws: Workspace, commands: Commands, window: QWidget) -> None:
        super().__init__(window)
        self._ws = ws
        self._window = window
        self._amounts: dict[str, float] = {}
        self._merging: RegionRef | None = None
        for command in OPERATIONS:
            commands.bind(command, lambda command=command: self._ask(command))
        commands.bind("region.split", self._split)
        commands.bind("region.merge", self._begin_merge)
        ws.selection.region_selected.connect(self._merge_with)
        ws.session.case_opened.connect(self._forget_merge)

    def _ask(self, command: str) -> None:
        operation = OPERATIONS[command]
        scopes = self._scopes(operation)
        if not scopes:
            self.refused.emit("Choose a mask first.")
            return
        amount = operation.amount
        if amount is not None:
            amount = replace(amount, default=self._amounts.get(command, amount.default))
        names = [name for name, _ in scopes]
        dialog = RegionOperationDialog(
            operation.title, operation.text, names, amount, operation.manners, self._window
        )
        try:
            if dialog.exec_() == QDialog.Accepted:
                self._amounts[command] = dialog.amount
                scope = scopes[dialog.scope][1]
                self._try(
                    lambda: operation.run(
                        self._ws, scope, dialog.amount, dialog.manner, self.refused.emit
                    )
                )
        finally:
            dialog.deleteLater()

    def _scopes(self, operation: Operation) -> list[tuple[str, Scope]]:
        """What an operation can be done on now, with its name."""
        ws = self._ws
        mask, ref = ws.selection.mask, ws.selection.region
        if mask is None:
            return []
        scopes: list[tuple[str, Scope]] = []
        region = None if ref is None else ws.session.region(ref.mask, ref.region_id)
        if operation.on_region and ref is not None and region is not None:
            scopes.append((self._region_name(ref), ref))
        label = ws.selection.label if region is None else region.label
        scopes.append((f"Every {label_name(ws.session, label)} region of {mask}", label))
        scopes.append((f"All labels of {mask}", None))
        return scopes

    def _region_name(self, ref: RegionRef) -> str:
        region = self._ws.session.region(ref.mask, ref.region_id)
        assert region is not None
        name, size = self._ws.session.labels[region.label].name, formats.measure(region.volume_ml)
        return f"This region: {name}, {size} ml"

    def _split(self) -> None:
        ref = self._selected()
        if ref is None:
            return
        amount = _mm("Thinner by", self._amounts.get("region.split", 3.0))
        text = "Cuts the region at necks: where its radius is smaller by this than on both sides."
        dialog = RegionOperationDialog(
            "Split at necks", text, [self._region_name(ref)], amount, parent=self._window
        )
        try:
            if dialog.exec_() == QDialog.Accepted:
                self._amounts["region.split"] = dialog.amount
                self._try(lambda: split_at_necks(self._ws, ref, dialog.amount, self.refused.emit))
        finally:
            dialog.deleteLater()

    def _begin_merge(self) -> None:
        self._merging = self._selected()
        if self._merging is not None:
            self.refused.emit("Now select the region that it is merged with")

    def _merge_with(self, other: RegionRef | None) -> None:
        ref, self._merging = self._merging, None
        if ref is not None and other is not None:
            self._try(lambda: merge_regions(self._ws, ref, other, MERGE_GAP_MM, self.refused.emit))

    def _forget_merge(self) -> None:
        self._merging = None

    def _selected(self) -> RegionRef | None:
        ref = self._ws.selection.region
        if ref is None or self._ws.session.region(ref.mask, ref.region_id) is None:
            self.refused.emit("Select a region first (N goes to the next one).")
            return None
        return ref

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except EditRefused as refusal:
            self.refused.emit(str(refusal))
