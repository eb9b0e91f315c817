"""The contour that snaps to edges: clicks fix corners, the way between them follows the image."""

from __future__ import annotations

from PyQt5.QtCore import QPointF

from labeler.core.geometry import FloatArray
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_tools import ContourTool
from labeler.workflows.livewire import Livewire


class LivewireTool(ContourTool):
    """A contour whose corners are joined along the edges of the phase that the view shows."""

    draws_freehand = False

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._wire: Livewire | None = None
        self._is_anchored = False

    def check_start(self, pos: QPointF) -> None:
        super().check_start(pos)
        canvas = self.canvas
        self._wire = Livewire(canvas.ws, canvas.phase, canvas.plane, canvas.ras_at(pos))
        self._is_anchored = True  # at the first corner

    def way_to(self, ras: FloatArray) -> list[FloatArray]:
        if self._wire is None or self.last_corner_ras is None:
            return super().way_to(ras)
        return list(self._wire.path_to(ras)[1:]) or [ras]

    def corner_set(self) -> None:
        corner = self.last_corner_ras
        if self._wire is not None and corner is not None and not self._is_anchored:
            self._wire.anchor(corner)
        self._is_anchored = False

    def cancel(self) -> None:
        super().cancel()
        self._wire = None
