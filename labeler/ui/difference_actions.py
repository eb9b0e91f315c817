"""Binds the comparison of two masks and the key that blinks between them."""

from __future__ import annotations

from PyQt5.QtWidgets import QWidget

from labeler.ui.choose_dialogs import choose_mask
from labeler.ui.commands import Commands
from labeler.ui.difference_layer import DifferenceLayer
from labeler.workflows.background_edit import Refused
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.review_proposal import PROPOSED
from labeler.workflows.workspace import Workspace


def bind_difference(
    ws: Workspace, commands: Commands, layer: DifferenceLayer, said: Refused, window: QWidget
) -> None:
    """Bind ``view.difference`` and ``view.blink``; ``said`` gets the legend and refusals."""
    action = commands.action("view.difference")

    def other_than(active: str) -> str | None:
        others = [name for name in ws.session.masks if name != active]
        if not others:
            raise EditRefused("There is no other mask in this case to compare with")
        title = f"Compare {active} with"
        return others[0] if len(others) == 1 else choose_mask(title, others, window)

    def begin() -> None:
        active = ws.selection.mask
        if active is None:
            raise EditRefused("Choose a mask first")
        second = other_than(active)
        if second:
            layer.begin(active, second, said)
            said(
                f"Green: only {active} \u00b7 red: only {second} \u00b7 blue: both \u00b7 "
                "amber: another label \u00b7 Shift+Y blinks"
            )

    def toggle(_checked: bool) -> None:
        try:
            if layer.pair is None:
                begin()
            else:
                layer.end()
        except EditRefused as refusal:
            said(str(refusal))
        follow()

    def blink() -> None:
        alone = layer.blink()
        name = "The proposal" if alone == PROPOSED else alone
        said(f"{name} alone" if name else "Compare two masks first (Y)")

    def follow() -> None:
        action.setChecked(layer.pair is not None)

    commands.bind("view.difference", toggle)
    commands.bind("view.blink", blink)
    layer.changed.connect(follow)
