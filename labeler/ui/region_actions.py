"""Binds the commands of menus "Regions", "Masks" and "Edit": asks what must be asked, then acts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt5.QtWidgets import QFileDialog, QWidget

from labeler.state.selection import RegionRef
from labeler.ui.actions import Actions, is_accepted
from labeler.ui.choose_dialogs import ask_mask_name, choose_label
from labeler.ui.commands import Commands
from labeler.ui.mask_closing import MaskClosing
from labeler.ui.mask_dialogs import TransferDialog
from labeler.ui.mask_operation_actions import MaskOperationActions
from labeler.ui.operation_actions import OperationActions
from labeler.ui.preview_layer import PreviewLayer
from labeler.ui.region_list import RegionList
from labeler.workflows.edit_mask import copy_mask, new_mask, redo, undo
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.region_acts import delete_region, region_names, relabel_region
from labeler.workflows.review_case import tick_region
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.transfer_regions import Transfer, transfer_regions
from labeler.workflows.workspace import Workspace


class RegionActions(Actions):
    """Acts on the selected regions and the active mask."""

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        regions: RegionList,
        opener: CaseOpener,
        saver: CaseSaver,
        preview: PreviewLayer,
        window: QWidget,
    ) -> None:
        bindings: dict[str, Callable[..., object]] = {
            "region.next": lambda: regions.go(1),
            "region.previous": lambda: regions.go(-1),
            "region.tick": self._on_regions(lambda refs: tick_region(ws, *refs)),
            "region.delete": self._on_regions(lambda refs: delete_region(ws, *refs)),
            "region.relabel": self._on_regions(self._relabel),
            "region.copy": self._on_regions(partial(self._transfer, move=False)),
            "region.move": self._on_regions(partial(self._transfer, move=True)),
            "mask.new": self._new_mask,
            "mask.copy": self._copy_mask,
            "mask.lock_label": self._lock_label,
            "edit.undo": lambda: undo(ws),
            "edit.redo": lambda: redo(ws),
            "file.save_copy": self._save_copy,
        }
        super().__init__(ws, commands, window, bindings)
        self._regions = regions
        self._opener = opener
        self._saver = saver
        self._transferred: tuple[str | None, int | None] = (None, None)
        shapes = OperationActions(ws, commands, preview, window)
        shapes.refused.connect(self.refused)
        masks = MaskOperationActions(ws, commands, window)
        masks.refused.connect(self.refused)
        self._closing = MaskClosing(ws, commands, saver, window)
        self._closing.said.connect(self.refused)
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

    def close_mask(self, name: str) -> None:
        """Take a mask out of the window; what is not saved of it is asked about."""
        self._closing.close(name)

    def _on_regions(self, act: Callable[[list[RegionRef]], None]) -> Callable[[], None]:
        """Make an act on the selected regions."""

        def on_selected() -> None:
            refs = self._regions.selected_refs()
            if not refs:
                raise EditRefused("Select a region first (N goes to the next one).")
            act(refs)

        return on_selected

    def _relabel(self, refs: list[RegionRef]) -> None:
        ws = self._ws
        refuse_read_only(ws)
        regions = [ws.session.region(ref.mask, ref.region_id) for ref in refs]
        labels = {region.label for region in regions if region is not None}
        title = f"Relabel {region_names(ws.session, refs)}"
        label = choose_label(title, ws.session.labels, min(labels), self._window)
        if label is not None and labels != {label}:
            relabel_region(ws, label, *refs)

    def _transfer(self, refs: list[RegionRef], *, move: bool) -> None:
        ws = self._ws
        refuse_read_only(ws)
        sources = {ref.mask for ref in refs}
        others = [name for name in ws.session.masks if name not in sources]
        if not others:
            raise EditRefused("There is no other mask; make one first (Ctrl+N)")
        verb, what = "Move" if move else "Copy", region_names(ws.session, refs)
        dialog = TransferDialog(
            verb, what, others, ws.session.labels, self._transferred, self._window
        )
        if is_accepted(dialog):
            self._transferred = dialog.mask, dialog.label
            transfer = Transfer(tuple(refs), dialog.mask, move, dialog.label)
            transfer_regions(ws, transfer, self.refused.emit)

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
