"""What would change, shown before it does: voxels over the masks, and how to accept them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.effects import Effect
from labeler.core.geometry import Grid
from labeler.core.mask_operations import ADDED, OTHER_LABEL, REMOVED
from labeler.core.rendering import MaskLayer, highlight_layer
from labeler.core.voxel_set import VoxelSet
from labeler.state.session import Change
from labeler.ui.style import AMBER, GREEN, RED
from labeler.workflows.workspace import Workspace

#: Fill of what is previewed, and width of its dashed contour.
FILL_OPACITY = 0.30
CONTOUR_PX = 1.6

#: An effect is seen on labels of any colour, and on its own.
EFFECT_OPACITY = 0.5

#: What is added to a shape, what is removed, and what gets another label.
EFFECT_COLOURS = {ADDED: GREEN, REMOVED: RED, OTHER_LABEL: AMBER}


@dataclass(frozen=True, eq=False)
class Offer:
    """Something that is shown and waits for a yes.

    Attributes
    ----------
    mask
        Name of the mask that would change.
    label
        Label whose colour is shown.
    voxels
        What would change, drawn in the colour of the label; none when an effect is shown.
    owner
        What made it; tools that go on with it find it here.
    text
        Words on the button that accepts.
    accept
        Does it; may raise ``EditRefused``. ``None`` for what is only shown.
    accept_slice
        Does only what lies on the slice of the crosshair; ``None`` when that makes no sense.
    tool
        Tool that the offer goes away with; "" when it stays with any.
    effect
        What would be added, removed or relabelled, each in its colour, in place of the voxels.
    """

    mask: str
    label: int
    voxels: tuple[VoxelSet, ...]
    owner: object
    text: str = ""
    accept: Callable[[], None] | None = None
    accept_slice: Callable[[], None] | None = None
    tool: str = ""
    effect: Effect | None = None


class PreviewLayer(QObject):
    """Holds the one offer there is.

    It goes away by itself when the case, the mask, what is in it or its tool changes.

    Signals
    -------
    changed
        The offer is another one, or gone.
    """

    changed = pyqtSignal()

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._offer: Offer | None = None
        self._layer: tuple[object, MaskLayer] | None = None
        ws.session.case_opened.connect(self.withdraw)
        ws.session.changed.connect(self._mask_changed)
        ws.session.mask_removed.connect(self._mask_removed)
        ws.selection.tool_changed.connect(self._tool_changed)

    @property
    def offer(self) -> Offer | None:
        """What is shown now."""
        return self._offer

    def show(self, offer: Offer) -> None:
        """Show an offer in place of the former one."""
        self._offer, self._layer = offer, None
        self.changed.emit()

    def withdraw(self, *_: object) -> None:
        """Show nothing."""
        if self._offer is not None:
            self._offer, self._layer = None, None
            self.changed.emit()

    def layer(self, grid_of: Callable[[str], Grid], pixel_ratio: float) -> MaskLayer | None:
        """The voxels as a layer over the masks; ``grid_of`` tells where a mask stands."""
        offer = self._offer
        if offer is None or not (offer.voxels or offer.effect):
            return None
        grid = grid_of(offer.mask)
        key = (grid, pixel_ratio)
        if self._layer is None or self._layer[0] != key:
            width = CONTOUR_PX * pixel_ratio
            opacity = FILL_OPACITY
            if offer.effect is not None:
                layer, opacity = _effect_layer(offer.effect, grid, width), EFFECT_OPACITY
            else:
                whole, rgb = merged(offer.voxels), self._ws.session.labels[offer.label].rgb
                layer = highlight_layer(whole.box, whole.inside, grid, rgb=rgb, contour_px=width)
            self._layer = (key, replace(layer, fill_opacity=opacity, dashed=True))
        return self._layer[1]

    def _mask_changed(self, change: Change) -> None:
        if self._offer is not None and self._offer.mask in change.boxes:
            self.withdraw()

    def _mask_removed(self, name: str) -> None:
        if self._offer is not None and self._offer.mask == name:
            self.withdraw()

    def _tool_changed(self, tool: str) -> None:
        if self._offer is not None and self._offer.tool not in ("", tool):
            self.withdraw()


def _effect_layer(effect: Effect, grid: Grid, contour_px: float) -> MaskLayer:
    colours = np.zeros(1 + max(EFFECT_COLOURS), np.uint32)
    for kind, colour in EFFECT_COLOURS.items():
        colours[kind] = 0xFF000000 | int(colour[1:], 16)
    layer = highlight_layer(effect.box, effect.classes, grid, contour_px=contour_px)
    return replace(layer, colours=colours)


def merged(parts: tuple[VoxelSet, ...]) -> VoxelSet:
    """One set of the voxels of several (at least one)."""
    if len(parts) == 1:
        return parts[0]
    box = parts[0].box
    for part in parts[1:]:
        box = box.union(part.box)
    inside = np.zeros(box.shape_kji, np.bool_)
    for part in parts:
        inside[part.box.slices_in(box)] |= part.inside
    return VoxelSet(box, inside)
