"""An operation on regions while it is asked about: its question, and what would come of it."""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PyQt5.QtCore import QObject, QPoint
from PyQt5.QtWidgets import QMainWindow, QWidget

from labeler.core.effects import Effect
from labeler.core.mask_operations import ADDED, OTHER_LABEL, REMOVED
from labeler.ui import formats, style
from labeler.ui.preview_layer import EFFECT_COLOURS, Offer, PreviewLayer
from labeler.ui.region_operation_dialog import Amount, RegionOperationDialog
from labeler.workflows.background_edit import Draft, Plan, Refused, look_in_background
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.region_operations import Scope
from labeler.workflows.workspace import Workspace


@dataclass(frozen=True)
class Operation:
    """An operation of the menu.

    Attributes
    ----------
    title
        Button and title of the question.
    text
        What it does, in a sentence.
    plan
        ``plan(ws, scope, amount, manner)``; may raise ``EditRefused``.
    amount
        Number to ask for, if any.
    manners
        Ways to do it, if there are several.
    on_region
        Whether a single region can be its scope.
    on_labels
        Whether a whole label or all labels can be.
    """

    title: str
    text: str
    plan: Callable[[Workspace, Scope, float, int], Plan]
    amount: Amount | None = None
    manners: tuple[str, ...] = ()
    on_region: bool = True
    on_labels: bool = True


#: What an operation can be done on now, with its name; the proposed one first.
Scopes = Sequence[tuple[str, Scope]]


@dataclass(eq=False)
class _Answer:
    """One answer to the question, being worked out or shown."""

    plan: Plan
    act: str
    revision: int
    is_accepted: bool = False
    draft: Draft | None = None


class OperationPreview(QObject):
    """Holds the one question there is; every answer to it is shown in the views before it is done.

    Each change of an amount begins a task that works the edit out and takes the place of the one
    before; Enter before it has ended does what it will find.
    """

    def __init__(
        self, ws: Workspace, layer: PreviewLayer, window: QWidget, refused: Refused
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._layer = layer
        self._window = window
        self._refused = refused
        self._amounts: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._question: tuple[Operation, RegionOperationDialog] | None = None
        self._scopes_of: Callable[[], Scopes] = list
        self._scopes: Scopes = ()
        self._answer: _Answer | None = None
        self._offer: Offer | None = None
        layer.changed.connect(self._layer_changed)
        ws.session.case_opened.connect(self.end)
        ws.session.regions_changed.connect(self._follow_mask)
        ws.selection.region_selected.connect(self._follow_selection)

    def begin(self, operation: Operation, scopes_of: Callable[[], Scopes]) -> None:
        """Ask about an operation, in place of the one that was asked about before.

        Parameters
        ----------
        scopes_of
            Called again when another region is selected.

        Raises
        ------
        EditRefused
            When there is nothing to do it on.
        """
        self.end()
        scopes = scopes_of()
        if not scopes:
            raise EditRefused("Choose a mask first")
        amount = operation.amount
        if amount is not None:
            default = self._amounts.get(operation.title, amount.default)
            amount = replace(amount, default=default)
        dialog = RegionOperationDialog(
            operation.title, operation.text, amount, operation.manners, self._window
        )
        self._question = operation, dialog
        self._scopes_of, self._scopes = scopes_of, scopes
        dialog.set_scopes([name for name, _ in scopes])
        dialog.changed.connect(self._work_out)
        dialog.accepted.connect(self._accept)
        dialog.rejected.connect(self.end)
        dialog.move(self._place())
        dialog.show()
        dialog.activateWindow()
        self._work_out()

    def end(self, *_: object) -> None:
        """Close the question and leave everything as it is."""
        self._drop_answer()
        self._hide_preview()
        if self._question is not None:
            operation, dialog = self._question
            self._question = None
            self._amounts[operation.title] = dialog.amount
            dialog.hide()
            dialog.deleteLater()

    def _work_out(self) -> None:
        """Have what is asked for now worked out; what is shown stays until that is there."""
        if self._question is None:
            return
        operation, dialog = self._question
        self._drop_answer()
        try:
            scope = self._scopes[dialog.scope][1]
            plan = operation.plan(self._ws, scope, dialog.amount, dialog.manner)
        except EditRefused as refusal:
            self._show_nothing(str(refusal))
            return
        dialog.set_effect("Working out \u2026")
        answer = _Answer(plan, f"operation {next(self._numbers)}", plan.mask.revision)
        self._answer = answer
        look_in_background(
            self._ws, answer.act, plan,
            lambda draft: self._worked_out(answer, draft),
            lambda sentence: self._failed(answer, sentence),
        )  # fmt: skip

    def _worked_out(self, answer: _Answer, draft: Draft) -> None:
        """Show what was worked out; or do it, when that was asked for meanwhile."""
        if answer.is_accepted:
            self._commit(draft)
        elif answer is self._answer and draft.effect is None:
            self._show_nothing(f"{draft.name}: nothing would change")
        elif answer is self._answer and self._question is not None and draft.effect is not None:
            answer.draft = draft
            mask = answer.plan.mask
            volumes = ", ".join(_volumes(draft.effect, mask.grid.voxel_ml).values())
            self._offer = Offer(
                mask.name,
                min(answer.plan.labels),
                (),
                owner=self,
                text=f"{draft.name}: {volumes}",
                accept=lambda: draft.commit(self._ws),
                effect=draft.effect,
            )
            self._layer.show(self._offer)
            self._question[1].set_effect(effect_html(draft.effect, mask.grid.voxel_ml))

    def _failed(self, answer: _Answer, sentence: str) -> None:
        if answer.is_accepted:
            self._refused(sentence)
        elif answer is self._answer:
            self._show_nothing(sentence)

    def _show_nothing(self, sentence: str) -> None:
        self._hide_preview()
        if self._question is not None:
            self._question[1].set_effect(html.escape(sentence), can_do=False)

    def _accept(self) -> None:
        """Enter, or the button: do it, now or as soon as it is worked out."""
        answer, self._answer = self._answer, None
        self.end()
        if answer is None:
            return
        if answer.draft is not None:
            self._commit(answer.draft)
        else:
            answer.is_accepted = True

    def _commit(self, draft: Draft) -> None:
        try:
            draft.commit(self._ws)
        except EditRefused as refusal:
            self._refused(str(refusal))

    def _drop_answer(self) -> None:
        if self._answer is not None:
            self._ws.tasks.cancel(("edit", self._answer.act))
            self._answer = None

    def _hide_preview(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None and self._layer.offer is offer:
            self._layer.withdraw()

    def _layer_changed(self) -> None:
        """Close the question when its preview was accepted or given up in the window."""
        if self._offer is None or self._layer.offer is self._offer:
            return
        self._offer = None
        answer = self._answer
        is_outdated = answer is not None and answer.plan.mask.revision != answer.revision
        if not is_outdated:  # else its regions are counted anew: see _follow_mask
            self.end()

    def _follow_mask(self, mask: str) -> None:
        """Work out again what an edit has overtaken, or what could not be done before it."""
        answer = self._answer
        if self._question is None:
            return
        if answer is None or (
            answer.plan.mask.name == mask and answer.plan.mask.revision != answer.revision
        ):
            self._scopes = self._scopes_of()
            self._ask_again()

    def _follow_selection(self, *_: object) -> None:
        """Ask about the region that is selected now."""
        if self._question is not None:
            scopes = self._scopes_of()
            if scopes != self._scopes:
                self._scopes = scopes
                self._ask_again()

    def _ask_again(self) -> None:
        if not self._scopes:
            self.end()
        elif self._question is not None:
            self._question[1].set_scopes([name for name, _ in self._scopes])
            self._work_out()

    def _place(self) -> QPoint:
        """Over the left panels, where no view is covered."""
        window, corner = self._window, QPoint(style.scaled(8), style.scaled(36))
        if isinstance(window, QMainWindow):
            corner.setY(corner.y() + window.centralWidget().mapTo(window, QPoint(0, 0)).y())
        return window.mapToGlobal(corner)


def effect_html(effect: Effect, voxel_ml: float) -> str:
    """Tell what would change, in the colours of the preview: volumes, then regions."""
    volumes = [
        f'<span style="color: {EFFECT_COLOURS[kind]}">{words}</span>'
        for kind, words in _volumes(effect, voxel_ml).items()
    ]
    lines = [", ".join(volumes)]
    delta = effect.regions
    if delta is not None:
        parts = [
            formats.count(len(delta.changed), "region changes", "regions change"),
            formats.count(len(delta.added), "new region"),
            formats.count(len(delta.removed), "region goes", "regions go"),
        ]
        numbers = (delta.changed, delta.added, delta.removed)
        lines.append(", ".join(part for part, ids in zip(parts, numbers, strict=True) if ids))
    return "<br>".join(line for line in lines if line)


def _volumes(effect: Effect, voxel_ml: float) -> dict[int, str]:
    words = {
        ADDED: (effect.added, "+{} ml"),
        REMOVED: (effect.removed, formats.MINUS + "{} ml"),
        OTHER_LABEL: (effect.relabelled, "{} ml change label"),
    }
    return {
        kind: text.format(formats.measure(voxels * voxel_ml))
        for kind, (voxels, text) in words.items()
        if voxels
    }
