"""Binds the commands that fill a mask: from a range of HU, another mask, the slice beside."""

from __future__ import annotations

from functools import partial

from PyQt5.QtWidgets import QWidget

from labeler.core.geometry import Plane
from labeler.ui.actions import Actions, is_accepted
from labeler.ui.commands import Commands
from labeler.ui.mask_dialogs import CombineDialog, SourceDialog, ThresholdDialog
from labeler.workflows.edit_rules import EditRefused, drawing_target, label_name
from labeler.workflows.mask_operations import (
    combine_masks,
    copy_from_slice,
    copy_labels,
    label_by_threshold,
)
from labeler.workflows.workspace import Workspace

#: Range that is proposed the first time, HU: soft tissue with contrast.
PROPOSED_HU = (40, 200)


class MaskOperationActions(Actions):
    """Acts on the active mask."""

    def __init__(self, ws: Workspace, commands: Commands, window: QWidget) -> None:
        super().__init__(
            ws,
            commands,
            window,
            {
                "mask.threshold": self._threshold,
                "mask.take_labels": self._take_labels,
                "mask.combine": self._combine,
                "mask.slice_below": partial(self._copy_slice, -1),
                "mask.slice_above": partial(self._copy_slice, 1),
            },
        )
        self._range_hu = PROPOSED_HU

    def _threshold(self) -> None:
        ws = self._ws
        mask = drawing_target(ws)
        label = label_name(ws.session, ws.selection.label)
        phase = ws.views.panes[ws.views.active].phase
        text = f"Every voxel of {mask.name} within the range becomes {label}."
        dialog = ThresholdDialog(
            text, list(ws.session.volumes), phase, self._range_hu, self._window
        )  # fmt: skip
        if is_accepted(dialog):
            self._range_hu = dialog.range_hu
            label_by_threshold(ws, dialog.phase, *dialog.range_hu, self.refused.emit)

    def _take_labels(self) -> None:
        ws = self._ws
        mask = drawing_target(ws)
        label = ws.selection.label
        dialog = SourceDialog(
            self._others(mask.name), mask.name, label_name(ws.session, label), self._window
        )
        if is_accepted(dialog):
            labels = [label] if dialog.only_active_label else None
            copy_labels(ws, dialog.source, labels, self.refused.emit)

    def _combine(self) -> None:
        ws = self._ws
        active = ws.selection.mask
        if active is None:
            raise EditRefused("Choose a mask first")
        self._others(active)
        label = ws.selection.label
        dialog = CombineDialog(
            list(ws.session.masks), active, label_name(ws.session, label), self._window
        )
        if is_accepted(dialog):
            combine_masks(
                ws, dialog.first, dialog.second, dialog.how, self.refused.emit,
                labels=[label] if dialog.only_active_label else None,
            )  # fmt: skip

    def _copy_slice(self, up: int) -> None:
        views = self._ws.views
        plane = views.panes[views.active].plane
        # "above" is towards the head (axial), front or right, as everywhere
        step = up if plane is Plane.AXIAL else -up
        copy_from_slice(self._ws, plane, views.crosshair_ras, step)

    def _others(self, mask: str) -> list[str]:
        others = [name for name in self._ws.session.masks if name != mask]
        if not others:
            raise EditRefused("There is no other mask in this case")
        return others
