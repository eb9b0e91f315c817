"""Binds the commands of the menu "Spine"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QWidget

from labeler.ui.actions import Actions
from labeler.ui.commands import Commands
from labeler.ui.level_entry import LevelEntry
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_strip import SpineStrip
from labeler.workflows.correct_landmarks import (
    Part,
    count_as_extra,
    keep_centroid,
    next_doubt,
    remove_centroid,
    rename_centroid,
    renumber_from,
    shift_levels,
    swap_with_next,
)
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.place_centroids import insert_level, snap_centroid
from labeler.workflows.workspace import Workspace

#: Level that a vertebra which is one too many is counted as, by the name that it has.
EXTRA = {"L1": "T13", "S1": "L6"}

NO_DOUBT = "Nothing is doubtful"


class SpineActions(Actions):
    """Acts on the selected vertebra, and on all of them.

    Parameters
    ----------
    strip
        The typed level is shown over it.
    stage
        The arrow keys act in it.
    """

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        layer: SpineLayer,
        strip: SpineStrip,
        stage: QWidget,
        window: QWidget,
    ) -> None:
        self._layer = layer
        self._entry = LevelEntry(strip)
        self._entry.left.connect(self.step)
        shifts: dict[str, tuple[Part, int]] = {
            "spine.shift_up": ("all", -1),
            "spine.shift_down": ("all", 1),
            "spine.below_up": ("below", -1),
            "spine.below_down": ("below", 1),
            "spine.above_up": ("above", -1),
            "spine.above_down": ("above", 1),
        }
        bindings: dict[str, Callable[..., object]] = {
            "spine.up": partial(self.step, -1),
            "spine.down": partial(self.step, 1),
            "spine.next_doubt": partial(self._doubt, 1),
            "spine.previous_doubt": partial(self._doubt, -1),
            "spine.keep": self._keep,
            "spine.snap": lambda: snap_centroid(ws, self._key(), self.refused.emit),
            "spine.renumber": partial(self._type, "", renumbers=True),
            "spine.insert": lambda: ws.spine.select(insert_level(ws, self._key())),
            "spine.extra": self._extra,
            "spine.swap": lambda: swap_with_next(ws, self._key()),
            "spine.delete": self._delete,
            "spine.fit": strip.fit,
            "spine.signals": lambda *_: self._toggle_signals(strip),
            **{f"spine.type_{letter}": partial(self._type, letter) for letter in "ctls"},
            **{
                command: lambda part=part, steps=steps: shift_levels(ws, ws.spine.key, part, steps)
                for command, (part, steps) in shifts.items()
            },
        }
        super().__init__(ws, commands, window, bindings)
        for command in ("spine.up", "spine.down"):
            # lists beside the views keep their arrow keys
            action = commands.action(command)
            action.setShortcutContext(Qt.WidgetWithChildrenShortcut)
            stage.addAction(action)

        strip.signals_toggled.connect(commands.action("spine.signals").setChecked)

    def _toggle_signals(self, strip: SpineStrip) -> None:
        try:
            strip.toggle_signals()
        finally:  # the press has turned the check mark over, whatever is shown
            self._commands.action("spine.signals").setChecked(strip.shows_signals)

    def step(self, steps: int) -> None:
        """Select the next vertebra down, or up; the first one when none is selected."""
        keys, key = self._layer.from_above(), self._ws.spine.key
        if not keys:
            return
        here = keys.index(key) + steps if key in keys else 0
        self._ws.spine.select(keys[min(max(here, 0), len(keys) - 1)])

    def _key(self) -> str:
        key = self._ws.spine.key
        if key is None:
            raise EditRefused("Select a vertebra first (click it, or N for the next doubtful one)")
        return key

    def _doubt(self, step: int) -> None:
        key = next_doubt(self._ws.spine, self._ws.spine.key, step)
        if key is None:
            raise EditRefused(NO_DOUBT)
        self._ws.spine.select(key)

    def _keep(self) -> None:
        """Settle the doubts of the model about the selected vertebra, and go on to the next."""
        key = self._ws.spine.key
        if key is not None:
            keep_centroid(self._ws, key)
        self._doubt(1)

    def _type(self, text: str, *, renumbers: bool = False) -> None:
        ws, key = self._ws, self._key()
        refuse_read_only(ws)
        name = self._layer.name(key)
        act = renumber_from if renumbers else rename_centroid
        prompt = f"Count all from {name} as" if renumbers else f"Rename {name} to"
        self._entry.begin(prompt, text, partial(self._try, partial(act, ws, key)))

    def _extra(self) -> None:
        key = self._key()
        name = self._layer.name(key)
        if name not in EXTRA:
            raise EditRefused(f"{name}: only L1 can be counted as T13, and S1 as L6")
        count_as_extra(self._ws, key, EXTRA[name])

    def _delete(self) -> None:
        """Delete the selected centroid and select the one that comes after it."""
        key = self._key()
        keys = self._layer.from_above()
        others = [*keys[keys.index(key) + 1 :], *reversed(keys[: keys.index(key)])]
        remove_centroid(self._ws, key)
        self._layer.take(others[0]) if others else None
