"""Binds the commands of the menu "Models": running, and deciding on what is proposed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QDialog, QFileDialog, QWidget

from labeler.ui import formats
from labeler.ui.case_list import CaseList
from labeler.ui.choose_dialogs import ask_mask_name
from labeler.ui.commands import Commands
from labeler.ui.difference_layer import DifferenceLayer
from labeler.ui.model_labels_dialog import ModelLabelsDialog
from labeler.ui.model_panel import ModelPanel
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.model_jobs import Job
from labeler.workflows.review_proposal import (
    PROPOSED,
    accept_into_new_mask,
    accept_regions,
    bring_back_regions,
    choose_labels,
    go_to_proposed,
    numbers_of_label,
    reject_regions,
)
from labeler.workflows.run_model import ModelRunner
from labeler.workflows.workspace import Workspace


class ModelActions(QObject):
    """Acts on the chosen model and on the proposal.

    Signals
    -------
    said
        What was done, or why it was not.
    """

    said = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        runner: ModelRunner,
        panel: ModelPanel,
        difference: DifferenceLayer,
        cases: CaseList,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._commands = commands
        self._runner = runner
        self._panel = panel
        self._difference = difference
        self._cases = cases
        self._window = window
        self._proposals = ws.session.proposals
        bindings: dict[str, Callable[..., None]] = {
            "model.run": partial(self._try, self._run),
            "model.run_all": partial(self._try, self._run_all),
            "model.cancel": runner.cancel_all,
            "model.add_folder": self._add_folder,
            "proposal.next": partial(self._go, 1),
            "proposal.previous": partial(self._go, -1),
            "proposal.accept": partial(self._try, self._accept),
            "proposal.accept_label": partial(self._try, self._accept_label),
            "proposal.accept_all": partial(self._try, self._accept_all),
            "proposal.reject": partial(self._try, self._reject),
            "proposal.reject_all": partial(self._try, self._reject_all),
            "proposal.show": self._proposals.set_shown,
            "proposal.compare": self._compare,
            "proposal.labels": self._choose_labels,
            "mask.from_proposal": partial(self._try, self._new_mask),
        }
        for command, function in bindings.items():
            commands.bind(command, function)
        runner.answered.connect(self._answered)
        cases.table.set_waiting(runner.shelf.waiting)
        runner.shelf.waiting_changed.connect(cases.table.show_waiting)
        for signal in (
            runner.queue_changed,
            difference.changed,
            self._proposals.changed,
            self._proposals.decided,
            self._proposals.selected,
            self._proposals.shown_changed,
        ):
            signal.connect(self._follow)
        self._follow()

    def look_ahead(self) -> None:
        """Run the model for the next cases of the list, when the settings ask for it."""
        settings, current = self._ws.settings.data.models, self._ws.session.case
        model = self._panel.choice.model_id
        if settings.ahead and current is not None and model:
            steps = range(1, settings.ahead_cases + 1)
            cases = [self._cases.neighbour(current.id, step) for step in steps]
            self._runner.run_ahead(
                model, self._panel.choice.params, [case for case in cases if case is not None]
            )

    def _run(self) -> None:
        choice = self._panel.choice
        self._show_panel()
        self._runner.run(choice.model_id, choice.params)
        self._ws.settings.update("models", model=choice.model_id)

    def _run_all(self) -> None:
        choice, table = self._panel.choice, self._cases.table
        self._show_panel()
        listed = [table.case(row).id for row in range(table.rowCount())]
        queued, left_out = self._runner.run_all(choice.model_id, choice.params, listed)
        self._ws.settings.update("models", model=choice.model_id)
        text = f"{formats.count(queued, 'case')} in the queue"
        if left_out:
            text += f"; {formats.count(left_out, 'case')} left out, as the model cannot use them"
        self.said.emit(text)

    def _show_panel(self) -> None:
        action = self._commands.action("model.panel")
        if not action.isChecked():
            action.trigger()

    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Folder of a model")
        if folder:
            self.add_folder(folder)

    def add_folder(self, folder: str) -> None:
        """Look for models in one more folder, from now on."""
        folders = self._ws.settings.data.models.folders
        if folder not in folders:
            self._ws.settings.update("models", folders=[*folders, folder])
        else:
            self._runner.refresh()

    def _answered(self, job: Job) -> None:
        case = self._ws.session.case
        if not job.is_ahead and (case is None or case.id != job.case.id):
            self.said.emit(f"{job.card.title} has a proposal for {job.case.id}")

    def _go(self, step: int) -> None:
        number = self._panel.proposal.rows.neighbour(step)
        if number is None:
            where = "last" if step > 0 else "first"
            self.said.emit(f"This is the {where} open region of the proposal.")
        else:
            go_to_proposed(self._ws, number)

    def _accept(self) -> None:
        number = self._proposals.number
        accept_regions(self._ws, [] if number is None else [number], self.said.emit)

    def _accept_label(self) -> None:
        number = self._proposals.number
        numbers = [] if number is None else numbers_of_label(self._ws, number)
        accept_regions(self._ws, numbers, self.said.emit)

    def _accept_all(self) -> None:
        accept_regions(self._ws, self._proposals.open_numbers(), self.said.emit)

    def _reject(self) -> None:
        number = self._proposals.number
        if number is not None and self._proposals.decisions()[number] == "rejected":
            bring_back_regions(self._ws, [number])
        elif number is not None:
            reject_regions(self._ws, [number])

    def _reject_all(self) -> None:
        """Put everything open away; with nothing open, bring back what was rejected."""
        if self._proposals.open_numbers():
            count = reject_regions(self._ws, self._proposals.open_numbers())
            self.said.emit(f"{formats.count(count, 'region')} rejected")
        elif self._proposals.current is not None:
            bring_back_regions(self._ws, self._proposals.current.regions)

    def _new_mask(self) -> None:
        refuse_read_only(self._ws)
        proposal = self._proposals.current
        if proposal is None:
            raise EditRefused("There is no proposal: run a model first (Ctrl+R)")
        count = formats.count(len(self._proposals.open_numbers()), "open region")
        text = f"A mask on the grid of {proposal.phase} with the {count} of the proposal."
        name = ask_mask_name(self._ws, "New mask", text, proposal.run.model, self._window)
        if name:
            accept_into_new_mask(self._ws, name, self.said.emit)

    def _compare(self, wanted: bool) -> None:
        try:
            if wanted:
                active = self._ws.selection.mask
                if active is None:
                    raise EditRefused("Choose a mask first")
                self._difference.begin(active, PROPOSED, self.said.emit)
                self.said.emit(
                    f"Green: only {active} \u00b7 red: only the proposal \u00b7 blue: both \u00b7 "
                    "amber: another label \u00b7 Shift+Y blinks"
                )
            else:
                self._difference.end()
        except EditRefused as refusal:
            self.said.emit(str(refusal))
        self._follow()

    def _choose_labels(self) -> None:
        proposals, proposal = self._proposals, self._proposals.current
        if proposal is None:
            return
        values = sorted({region.label for region in proposal.regions.values()})
        names = {value: proposals.model_name(value) for value in values}
        known = {names[value]: proposals.labels.get(value, 0) for value in values}
        dialog = ModelLabelsDialog(
            proposal.run.title, list(known), known, self._ws.session.labels, self._window
        )
        try:
            if dialog.exec_() == QDialog.Accepted:
                choose_labels(self._ws, dialog.labels)
        finally:
            dialog.deleteLater()

    def _follow(self, *_: object) -> None:
        """Name the commands after what they would act on, and let them sleep without it."""
        proposal, number = self._proposals.current, self._proposals.number
        decisions = self._proposals.decisions()
        n_open = sum(1 for decision in decisions.values() if decision == "open")
        n_rejected = sum(1 for decision in decisions.values() if decision == "rejected")
        decision = decisions.get(number) if number is not None else None
        name, n_label = "", 0
        if number is not None and proposal is not None:
            name = self._proposals.look_of(number, self._ws.session.labels).name
            n_label = len(numbers_of_label(self._ws, number))
        is_open = decision == "open"
        put, back = f"Reject {name}".strip(), f"Bring back {name}"
        back_all = not n_open and bool(n_rejected)
        states = {
            "model.cancel": (self._runner.running is not None, "Stop"),
            "proposal.next": (bool(n_open), ""),
            "proposal.previous": (bool(n_open), ""),
            "proposal.accept": (is_open, f"Accept {name}" if is_open else "Accept region"),
            "proposal.accept_label": (
                is_open and n_label > 1,
                f"Accept {n_label} {name}" if is_open and n_label > 1 else "Accept label",
            ),
            "proposal.accept_all": (
                bool(n_open),
                f"Accept all {n_open}" if n_open else "Accept all",
            ),
            "proposal.reject": (
                decision in ("open", "rejected"),
                back if decision == "rejected" else put if is_open else "Reject region",
            ),
            "proposal.reject_all": (
                bool(n_open) or back_all,
                f"Bring back all {n_rejected}" if back_all else "Reject all",
            ),
            "proposal.show": (proposal is not None and proposal.has_mask, ""),
            "proposal.compare": (proposal is not None and proposal.has_mask, ""),
            "proposal.labels": (bool(decisions), ""),
            "mask.from_proposal": (bool(n_open), ""),
        }
        for command, (is_awake, text) in states.items():
            action = self._commands.action(command)
            action.setEnabled(is_awake)
            if text:
                action.setText(text)
        pair = self._difference.pair
        self._commands.action("proposal.show").setChecked(self._proposals.is_shown)
        self._commands.action("proposal.compare").setChecked(pair is not None and PROPOSED in pair)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except EditRefused as refusal:
            self.said.emit(str(refusal))
