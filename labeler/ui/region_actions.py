"""Binds the commands of menus "Regions", "Masks" and "Edit": asks what must be asked, then acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QWidget

from labeler.state.selection import RegionRef
from labeler.ui.choose_dialogs import ask_mask_name, choose_label, choose_mask
from labeler.ui.commands import Commands
from labeler.ui.mask_operation_actions import MaskOperationActions
from labeler.ui.operation_actions import OperationActions
from labeler.ui.region_list import RegionList
from labeler.workflows.edit_mask import (
    copy_mask,
    delete_region,
    new_mask,
    redo,
    relabel_region,
    transfer_region,
    undo,
)
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.review_case import tick_region
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.workspace import Workspace


class RegionActions(QObject):
    """Acts on the selected region and the active mask.

    Signals
    -------
    refused
        Why something was not done.
    """

    refused = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        regions: RegionList,
        opener: CaseOpener,
        saver: CaseSaver,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._commands = commands
        self._regions = regions
        self._opener = opener
        self._saver = saver
        self._window = window
        bindings: dict[str, Callable[..., object]] = {
            "region.next": lambda: regions.go(1),
            "region.previous": lambda: regions.go(-1),
            "region.tick": lambda: self._on_region(self._tick),
            "region.delete": lambda: self._on_region(self._delete),
            "region.relabel": lambda: self._on_region(self._relabel),
            "region.copy": lambda: self._on_region(lambda ref: self._transfer(ref, move=False)),
            "region.move": lambda: self._on_region(lambda ref: self._transfer(ref, move=True)),
            "mask.new": lambda: self._try(self._new_mask),
            "mask.copy": lambda: self._try(self._copy_mask),
            "mask.lock_label": self._lock_label,
            "edit.undo": lambda: undo(ws),
            "edit.redo": lambda: redo(ws),
            "file.save_copy": self._save_copy,
        }
        for command, function in bindings.items():
            commands.bind(command, function)
        shapes = OperationActions(ws, commands, window)
        shapes.refused.connect(self.refused)
        masks = MaskOperationActions(ws, commands, window)
        masks.refused.connect(self.refused)
        ws.selection.changed.connect(self._show_lock)
        self._show_lock()

    def add_mask_file(self) -> None:
        """Ask for a mask file and add it to the open case."""
        case = self._ws.session.case
        if case is None:
            self.refused.emit("Open a case first.")
            return
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Add mask", str(case.mask_root), "Masks (*.nii *.nii.gz)"
        )
        if path:
            self._opener.add_mask_file(Path(path))

    def _on_region(self, act: Callable[[RegionRef], None]) -> None:
        ref = self._ws.selection.region
        if ref is None or self._ws.session.region(ref.mask, ref.region_id) is None:
            self.refused.emit("Select a region first (N goes to the next one).")
            return
        self._try(lambda: act(ref))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except EditRefused as refusal:
            self.refused.emit(str(refusal))

    def _tick(self, ref: RegionRef) -> None:
        tick_region(self._ws, ref)

    def _delete(self, ref: RegionRef) -> None:
        delete_region(self._ws, ref)

    def _relabel(self, ref: RegionRef) -> None:
        refuse_read_only(self._ws)
        region = self._ws.session.region(ref.mask, ref.region_id)
        assert region is not None
        labels = self._ws.session.labels
        title = f"Relabel {labels[region.label].name}"
        label = choose_label(title, labels, region.label, self._window)
        if label is not None and label != region.label:
            relabel_region(self._ws, ref, label)

    def _transfer(self, ref: RegionRef, *, move: bool) -> None:
        refuse_read_only(self._ws)
        others = [name for name in self._ws.session.masks if name != ref.mask]
        if not others:
            self.refused.emit("There is no other mask; make one first (Ctrl+N).")
            return
        title = f"{'Move' if move else 'Copy'} region to mask"
        target = others[0] if len(others) == 1 else choose_mask(title, others, self._window)
        if target:
            transfer_region(self._ws, ref, target, move=move)

    def _new_mask(self) -> None:
        ws = self._ws
        refuse_read_only(ws)
        phase = ws.views.panes[ws.views.active].phase
        if phase not in ws.session.volumes:
            phase = "PV" if "PV" in ws.session.volumes else next(iter(ws.session.volumes), phase)
        text = f"An empty mask on the grid of {phase}."
        name = ask_mask_name(ws, "New mask", text, "draft", self._window)
        if name:
            new_mask(ws, name, phase)

    def _copy_mask(self) -> None:
        ws, source = self._ws, self._ws.selection.mask
        refuse_read_only(ws)
        if source is None:
            raise EditRefused("Choose the mask to copy first")
        text = f"A copy of {source}, on the same grid."
        name = ask_mask_name(ws, "Copy mask", text, f"{source} copy", self._window)
        if name:
            copy_mask(ws, source, name)

    def _save_copy(self) -> None:
        source = self._ws.selection.mask
        if source is None:
            self.refused.emit("Choose the mask to save first.")
        else:
            self.save_copy(source, f"{source} is left as it is on disk.")

    def save_copy(self, source: str, text: str) -> None:
        """Ask for a name and save a mask under it."""
        title, suggestion = "Save mask as copy", f"{source} copy"
        name = ask_mask_name(self._ws, title, text, suggestion, self._window, ok="Save copy")
        if name:
            self._saver.save_copy(source, name)

    def _lock_label(self, locked: bool) -> None:
        selection = self._ws.selection
        if selection.mask is None:
            self.refused.emit("Choose a mask first.")
        else:
            selection.set_locked(selection.mask, selection.label, locked)
        self._show_lock()

    def _show_lock(self) -> None:
        selection = self._ws.selection
        locked = selection.mask is not None and selection.is_locked(selection.mask, selection.label)
        self._commands.action("mask.lock_label").setChecked(locked)
