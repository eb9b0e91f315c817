"""Scribbling inside and outside of a lesion; what lies between is worked out and shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor, QPainter

from labeler.core.geometry import FloatArray
from labeler.core.voxel_set import VoxelSet
from labeler.ui import formats
from labeler.ui.preview_layer import Offer
from labeler.ui.style import BRIGHT
from labeler.ui.view_gestures import Canvas, polygon, positions
from labeler.ui.view_tools import Tool, halo_pens
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.scribble_region import ScribbledRegion


@dataclass(eq=False)
class Scribbling:
    """The scribbles so far; all views find them through the offer they make."""

    region: ScribbledRegion
    mask: str
    lines: list[tuple[bool, list[FloatArray]]] = field(default_factory=list)
    found: VoxelSet | None = None


class ScribbleTool(Tool):
    """Left scribbles inside, right outside; each release works the region out anew.

    Enter takes what is shown, Esc gives it up with all scribbles.
    """

    cursor = Qt.CrossCursor
    paints = True

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._drawn: Scribbling | None = None

    @property
    def is_busy(self) -> bool:
        return self._drawn is not None

    @property
    def scribbling(self) -> Scribbling | None:
        """The scribbles, in whichever view they were begun."""
        offer = self.canvas.scene.preview.offer
        owner = offer.owner if offer is not None else None
        return owner if isinstance(owner, Scribbling) else None

    def begin(self, pos: QPointF, *, erase: bool) -> None:
        if self.try_edit(self._get_ready):
            self._drawn = self.scribbling
            if self._drawn is not None:
                self._drawn.region.begin(self.canvas.plane, inside=not erase)
                self._drawn.lines.append((not erase, []))
            self.move(pos)

    def move(self, pos: QPointF) -> None:
        if self._drawn is not None:
            ras = self.canvas.ras_at(pos)
            self._drawn.region.move_to(ras)
            self._drawn.lines[-1][1].append(ras)
            self.canvas.update()

    def release(self, pos: QPointF) -> None:
        scribbling, self._drawn = self._drawn, None
        if scribbling is not None and scribbling is self.scribbling:
            self.try_edit(lambda: self._solve(scribbling))

    def cancel(self) -> None:
        self._drawn = None
        self.canvas.scene.preview.withdraw()

    def double_click(self, pos: QPointF) -> bool:
        return True

    def paint(self, painter: QPainter) -> None:
        scribbling = self.scribbling
        if scribbling is None:
            return
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(Qt.NoBrush)
        for is_inside, points in scribbling.lines:
            if not self.canvas.shows(points[0]):
                continue
            line = polygon(positions(self.canvas, points))
            for pen in halo_pens(self.colour() if is_inside else QColor(BRIGHT)):
                pen.setStyle(Qt.SolidLine if is_inside else Qt.DotLine)
                painter.setPen(pen)
                painter.drawPolyline(line)

    def _get_ready(self) -> None:
        """Go on with the scribbles there are, or begin."""
        if self.scribbling is None:
            ws = self.canvas.ws
            region = ScribbledRegion(ws, self.canvas.phase)
            mask = ws.selection.mask
            if mask is None:
                raise EditRefused("Choose or create a mask first (Ctrl+N)")
            self._show(Scribbling(region, mask))

    def _solve(self, scribbling: Scribbling) -> None:
        def shown(found: VoxelSet) -> None:
            if self.scribbling is scribbling:
                scribbling.found = found
                self._show(scribbling)

        if any(is_inside for is_inside, _ in scribbling.lines):
            scribbling.region.solve(shown, self.canvas.refuse)

    def _show(self, scribbling: Scribbling) -> None:
        ws, found = self.canvas.ws, scribbling.found
        has_found = found is not None and not found.is_empty
        text = ""
        if found is not None:
            dx, dy, dz = ws.session.masks[scribbling.mask].mask.grid.spacing_mm
            text = f"Take {formats.measure(found.voxels * dx * dy * dz / 1000)} ml"
        self.canvas.scene.preview.show(
            Offer(
                scribbling.mask, ws.selection.label,
                (found,) if found is not None and has_found else (), scribbling, text,
                accept=scribbling.region.accept if has_found else None, tool=ws.selection.tool,
            )
        )  # fmt: skip
