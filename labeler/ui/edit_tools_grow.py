"""Growing a region from a seed: what would be taken is shown while the range of HU changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor, QPainter

from labeler.core.geometry import FloatArray
from labeler.core.voxel_set import VoxelSet
from labeler.ui import formats
from labeler.ui.preview_layer import Offer
from labeler.ui.style import BRIGHT, scaled
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_tools import CLICK_PX, Tool, halo_pens
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.grow_region import RegionGrowing

#: HU by which a pixel of a drag moves an end of the range.
HU_PER_PX = 0.5

#: Narrowest range that a drag leaves, HU.
MIN_WIDTH_HU = 2.0


@dataclass(eq=False)
class Growth:
    """A growing region; all views find it through the offer it makes."""

    growing: RegionGrowing
    low_hu: float
    high_hu: float
    seeds_ras: list[FloatArray] = field(default_factory=list)


class GrowTool(Tool):
    """A press sets the seed; dragging up or down widens the range of HU, sideways moves it.

    The right button adds a seed. Enter takes what is shown, Esc gives it up.
    """

    cursor = Qt.CrossCursor
    paints = True

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._start: tuple[QPointF, float, float] | None = None

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    @property
    def growth(self) -> Growth | None:
        """What is growing now, in whichever view it was begun."""
        offer = self.canvas.scene.preview.offer
        return offer.owner if offer is not None and isinstance(offer.owner, Growth) else None

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        growth, ras = self.growth, self.canvas.ras_at(pos)
        if erase and growth is not None:
            self.try_edit(lambda: self._add_seed(growth, ras))
        else:
            self.try_edit(lambda: self._begin_at(pos, ras))

    def move(self, pos: QPointF) -> None:
        growth = self.growth
        if self._start is None or growth is None:
            return
        start, low, high = self._start
        if (pos - start).manhattanLength() <= CLICK_PX:
            return
        middle = (low + high) / 2 + (pos.x() - start.x()) * HU_PER_PX
        half = max(MIN_WIDTH_HU, high - low + 2 * (start.y() - pos.y()) * HU_PER_PX) / 2
        growth.low_hu, growth.high_hu = float(round(middle - half)), float(round(middle + half))
        self._show(growth)

    def release(self, pos: QPointF) -> None:
        self._start = None

    def cancel(self) -> None:
        if self._start is not None:
            self._start = None
            self.canvas.scene.preview.withdraw()

    def double_click(self, pos: QPointF) -> bool:
        return True

    def paint(self, painter: QPainter) -> None:
        growth = self.growth
        if growth is None:
            return
        painter.setRenderHint(QPainter.Antialiasing)
        arm = scaled(5)
        for seed in filter(self.canvas.shows, growth.seeds_ras):
            at = self.canvas.pos_of(seed)
            for pen in halo_pens(QColor(BRIGHT)):
                painter.setPen(pen)
                painter.drawLine(at - QPointF(arm, 0), at + QPointF(arm, 0))
                painter.drawLine(at - QPointF(0, arm), at + QPointF(0, arm))

    def _begin_at(self, pos: QPointF, ras: FloatArray) -> None:
        canvas = self.canvas
        growing = RegionGrowing(canvas.ws, canvas.phase, ras)
        low, high = (float(round(value)) for value in growing.suggested_hu)
        self._start = pos, low, high
        growth = Growth(growing, low, high, [ras])
        self._offer(growth, None)
        self._show(growth)

    def _add_seed(self, growth: Growth, ras: FloatArray) -> None:
        growth.growing.add_seed(ras)
        growth.seeds_ras.append(ras)
        self._show(growth)

    def _show(self, growth: Growth) -> None:
        """Have the range tried; what comes of it is shown unless it was given up meanwhile."""

        def shown(voxels: VoxelSet, low_hu: float, high_hu: float) -> None:
            if self.growth is growth:
                self._offer(growth, voxels, f", {low_hu:.0f} to {high_hu:.0f} HU")

        growth.growing.preview(growth.low_hu, growth.high_hu, shown)

    def _offer(self, growth: Growth, voxels: VoxelSet | None, range_text: str = "") -> None:
        ws = self.canvas.ws
        mask = ws.selection.mask
        if mask is None:
            raise EditRefused("Choose or create a mask first (Ctrl+N)")
        text = ""
        if voxels is not None:
            volume_ml = voxels.voxels * ws.session.masks[mask].mask.grid.voxel_ml
            text = f"Take {formats.measure(volume_ml)} ml{range_text}"
        self.canvas.scene.preview.show(
            Offer(
                mask, ws.selection.label, () if voxels is None else (voxels,), growth, text,
                accept=None if voxels is None else growth.growing.accept, tool=ws.selection.tool,
            )
        )  # fmt: skip
