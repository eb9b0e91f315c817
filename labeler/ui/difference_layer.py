"""Where two masks differ, in place of the masks; and one or the other of them, to blink."""

from __future__ import annotations

import itertools

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.mask_operations import ADDED, COMMON, OTHER_LABEL, REMOVED
from labeler.core.rendering import MaskLayer
from labeler.state.session import Change
from labeler.ui.style import ACCENT, AMBER, GREEN, RED
from labeler.workflows.background_edit import Refused
from labeler.workflows.mask_operations import Difference, compare_masks
from labeler.workflows.review_proposal import PROPOSED, compare_with_proposal
from labeler.workflows.workspace import Workspace

COLOURS = {ADDED: GREEN, REMOVED: RED, COMMON: ACCENT, OTHER_LABEL: AMBER}

FILL_OPACITY = 0.35
CONTOUR_PX = 1.5


class DifferenceLayer(QObject):
    """Compares two masks, or a mask and the proposal, and follows their changes until it is ended.

    Signals
    -------
    changed
        Something else is shown.
    """

    changed = pyqtSignal()

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._pair: tuple[str, str] | None = None
        self._refused: Refused = lambda sentence: None
        self._found: Difference | None = None
        self._alone: str | None = None
        self._numbers = itertools.count(1)
        self._revision = 0
        ws.session.case_opened.connect(self.end)
        ws.session.mask_removed.connect(self._mask_removed)
        ws.session.changed.connect(self._content_changed)
        ws.session.proposals.changed.connect(self._proposal_changed)
        ws.session.proposals.decided.connect(self._proposal_decided)

    @property
    def pair(self) -> tuple[str, str] | None:
        """Names of the masks that are compared."""
        return self._pair

    @property
    def alone(self) -> str | None:
        """Name of the mask that is shown by itself for the moment."""
        return self._alone

    def begin(self, first: str, second: str, refused: Refused) -> None:
        """Compare two masks; what was found is shown as soon as it is there.

        Parameters
        ----------
        second
            Name of a mask, or :data:`~labeler.workflows.review_proposal.PROPOSED`.

        Raises
        ------
        EditRefused
            When there are no such masks.
        """
        self._compare(first, second, refused)
        self._pair, self._refused, self._alone = (first, second), refused, None

    def end(self, *_: object) -> None:
        """Show the masks again."""
        if self._pair is not None:
            self._pair, self._found, self._alone = None, None, None
            self.changed.emit()

    def blink(self) -> str | None:
        """Show one of the masks by itself, the next time the other; returns its name."""
        if self._pair is None:
            return None
        first, second = self._pair
        self._alone = second if self._alone == first else first
        self.changed.emit()
        return self._alone

    def layer(self, pixel_ratio: float) -> MaskLayer | None:
        """The classes as a layer in place of the masks; ``None`` when these are to be shown."""
        found = self._found
        if found is None or self._alone is not None:
            return None
        colours = np.zeros(256, np.uint32)
        for number, colour in COLOURS.items():
            colours[number] = 0xFF000000 | int(colour[1:], 16)
        return MaskLayer(
            found.classes,
            found.grid,
            colours,
            fill_opacity=FILL_OPACITY,
            contour_px=CONTOUR_PX * pixel_ratio,
            revision=self._revision,
        )

    def _show(self, found: Difference) -> None:
        if (found.first, found.second) == self._pair:
            self._found, self._revision = found, next(self._numbers)
            self.changed.emit()

    def _compare(self, first: str, second: str, refused: Refused) -> None:
        if second == PROPOSED:
            compare_with_proposal(self._ws, first, self._show, refused)
        else:
            compare_masks(self._ws, first, second, self._show, refused)

    def _proposal_changed(self) -> None:
        if self._pair is not None and PROPOSED in self._pair:
            self.end()

    def _proposal_decided(self) -> None:
        if self._pair is not None and PROPOSED in self._pair:
            self._compare(*self._pair, self._refused)

    def _mask_removed(self, name: str) -> None:
        if self._pair is not None and name in self._pair:
            self.end()

    def _content_changed(self, change: Change) -> None:
        """Compare again after an edit; during a stroke the masks are shown."""
        pair = self._pair
        is_shifted = any(value.field == "shift" for value in change.values)
        if pair is None or not (is_shifted or any(name in change.boxes for name in pair)):
            return
        if change.origin != "stroke":
            self._compare(*pair, self._refused)
        elif self._found is not None:
            self._found = None
            self.changed.emit()
