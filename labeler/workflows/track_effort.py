"""How long a person works on each case, and how many times centroids were changed.

Time counts while something happens: a view moves, an edit is made, a mask or region is chosen.
After half a minute without any of it, it stops at the last thing that happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.state.session import Change
from labeler.storage.cases import Case
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.spine_findings import FIELD
from labeler.workflows.workspace import Workspace

#: Nothing done for longer is a pause, s.
IDLE_S = 30.0

#: More is a damaged note.
_MOST_S = 1e9

#: Keys of the notes' ``times``.
ACTIVE_S, CENTROID_EDITS = "active_s", "centroid_edits"


class EffortTracker(QObject):
    """Counts for the open case, from where the notes left off; saving notes it.

    Parameters
    ----------
    clock
        Monotonic, s.

    Signals
    -------
    changed
        Edits went up, or another second is full.
    """

    changed = pyqtSignal()

    def __init__(
        self,
        ws: Workspace,
        opener: CaseOpener,
        parent: QObject | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._opener = opener
        self._clock = clock
        self._active_s = 0.0
        self._edits = 0
        self._last: float | None = None
        ws.session.case_opened.connect(self._case_opened)
        ws.session.changed.connect(self._changed)
        for signal in (
            ws.views.moved,
            ws.views.pane_changed,
            ws.views.window_changed,
            ws.views.hovered,
            ws.selection.changed,
            ws.selection.region_selected,
            ws.selection.tool_changed,
            ws.spine.selected,
        ):
            signal.connect(self._touched)

    @property
    def active_s(self) -> float:
        """Time that somebody worked on the open case, in this run and before."""
        return self._active_s

    @property
    def centroid_edits(self) -> int:
        """Edits of its centroids, in this run and before; undoing one does not take it back."""
        return self._edits

    def times(self) -> Mapping[str, Any]:
        """What the notes are to say."""
        if not (self._active_s or self._edits):
            return {}
        return {ACTIVE_S: round(self._active_s, 1), CENTROID_EDITS: self._edits}

    def _case_opened(self, case: Case | None) -> None:
        loaded = self._opener.sidecar
        noted = {} if case is None or loaded is None else loaded.sidecar.times
        self._active_s = seconds_of(noted)
        self._edits = edits_of(noted)
        self._last = None if case is None else self._clock()
        self.changed.emit()

    def _changed(self, change: Change) -> None:
        if change.origin == "edit" and any(value.field == FIELD for value in change.values):
            self._edits += 1
            self.changed.emit()
        self._touched()

    def _touched(self, *_: object) -> None:
        if self._last is None:
            return
        now = self._clock()
        step_s, self._last = now - self._last, now
        if 0 < step_s <= IDLE_S:
            before, self._active_s = self._active_s, self._active_s + step_s
            if int(before) != int(self._active_s):
                self.changed.emit()


def seconds_of(times: Mapping[str, Any]) -> float:
    """Active time that notes tell of; 0 when they do not."""
    value = times.get(ACTIVE_S)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if 0 <= value < _MOST_S else 0.0


def edits_of(times: Mapping[str, Any]) -> int:
    """Edits of centroids that notes tell of; 0 when they do not."""
    value = times.get(CENTROID_EDITS)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
