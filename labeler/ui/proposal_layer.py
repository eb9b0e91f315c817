"""The proposal as a layer of its own over the masks: dashed, and without what was decided on."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import Grid
from labeler.core.regions import Region
from labeler.core.rendering import MaskLayer, Pixels
from labeler.state.proposals import Proposal
from labeler.workflows.workspace import Workspace

#: Fill of a proposed region, and of the one that is selected; width of the dashed contour.
FILL_OPACITY = 0.12
CONTOUR_PX = 1.8

#: How far the selected region's colour goes towards white.
SELECTED_WHITE = 0.55


class ProposalLayer(QObject):
    """Draws the open regions of ``session.proposals``.

    Signals
    -------
    changed
        Other regions are drawn.
    highlighted
        The same regions are drawn, another one as the selected one.
    """

    changed = pyqtSignal()
    highlighted = pyqtSignal()

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._proposals = ws.session.proposals
        self._colours: Pixels | None = None
        self._regions: list[Region] | None = None
        self._revisions = itertools.count(1)
        self._revision = 0
        for signal in (
            self._proposals.changed,
            self._proposals.decided,
            self._proposals.shown_changed,
        ):
            signal.connect(self._forget)
        self._proposals.selected.connect(self._select)

    @property
    def proposal(self) -> Proposal | None:
        """What is drawn; ``None`` while it is hidden."""
        return self._proposals.current if self._proposals.is_shown else None

    def layer(self, grid: Grid, pixel_ratio: float) -> MaskLayer | None:
        """The regions as a layer, dashed so that no mask looks like it.

        Parameters
        ----------
        grid
            Where its phase stands.
        """
        proposal = self.proposal
        if proposal is None or not proposal.regions:
            return None
        if self._colours is None:
            self._colours = self._table(proposal)
        return MaskLayer(
            proposal.numbers,
            grid,
            self._colours,
            fill_opacity=FILL_OPACITY,
            contour_px=CONTOUR_PX * pixel_ratio,
            dashed=True,
            revision=self._revision,
        )

    def regions(self) -> list[Region]:
        """What is drawn, with the labels the regions would get."""
        proposal = self.proposal
        if proposal is None:
            return []
        if self._regions is None:
            labels = self._ws.session.labels
            self._regions = [
                _with_label(proposal.regions[n], self._proposals.look_of(n, labels).value)
                for n in self._proposals.open_numbers()
            ]
        return self._regions

    def _forget(self, *_: object) -> None:
        self._colours, self._regions = None, None
        self._revision = next(self._revisions)
        self.changed.emit()

    def _select(self, *_: object) -> None:
        self._colours = None
        self.highlighted.emit()

    def _table(self, proposal: Proposal) -> Pixels:
        """Colour of each region number; 0 for what was decided on."""
        table = np.zeros(len(proposal.regions) + 1, np.uint32)
        for number in self._proposals.open_numbers():
            rgb = self._proposals.look_of(number, self._ws.session.labels).rgb
            share = SELECTED_WHITE if number == self._proposals.number else 0.0
            red, green, blue = (round(value + (255 - value) * share) for value in rgb)
            table[number] = 0xFF000000 | red << 16 | green << 8 | blue
        return table


def _with_label(region: Region, label: int) -> Region:
    return region if region.label == label else replace(region, label=label)
