"""Zoom and place of the pictures along the spine: one height and scale, a side for each."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import Plane

MIN_MM_PER_PX, MAX_MM_PER_PX = 0.1, 4.0


class StripView(QObject):
    """What the strip shows; main thread only.

    Attributes
    ----------
    height_mm
        RAS z in the middle of both pictures.
    sides_mm
        RAS y (sagittal) and x (coronal) in their middles.
    mm_per_px
        The same for both.

    Signals
    -------
    changed
        Another part is to be shown.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.height_mm = 0.0
        self.sides_mm = {Plane.SAGITTAL: 0.0, Plane.CORONAL: 0.0}
        self.mm_per_px = 1.0

    def show_box(
        self,
        low_ras: tuple[float, ...],
        high_ras: tuple[float, ...],
        size_px: tuple[int, int],
    ) -> None:
        """Show all of a box (RAS mm) in pictures of so many pixels (width, height)."""
        self.height_mm = (low_ras[2] + high_ras[2]) / 2
        self.sides_mm = {
            Plane.SAGITTAL: (low_ras[1] + high_ras[1]) / 2,
            Plane.CORONAL: (low_ras[0] + high_ras[0]) / 2,
        }
        width_mm, height_mm = max(np.subtract(high_ras, low_ras)[:2]), high_ras[2] - low_ras[2]
        size = max(width_mm / max(1, size_px[0]), height_mm / max(1, size_px[1]))
        self.mm_per_px = float(np.clip(size, MIN_MM_PER_PX, MAX_MM_PER_PX))
        self.changed.emit()

    def move(self, plane: Plane, side_mm: float, height_mm: float) -> None:
        """Move what is shown by mm; the side of one picture only."""
        self.sides_mm[plane] += side_mm
        self.height_mm += height_mm
        self.changed.emit()

    def zoom(self, factor: float, plane: Plane, side_mm: float, height_mm: float) -> None:
        """Zoom by a factor (> 1 enlarges) around a point of a picture."""
        old = self.mm_per_px
        self.mm_per_px = float(np.clip(old / factor, MIN_MM_PER_PX, MAX_MM_PER_PX))
        share = 1 - self.mm_per_px / old
        self.sides_mm[plane] += (side_mm - self.sides_mm[plane]) * share
        self.height_mm += (height_mm - self.height_mm) * share
        self.changed.emit()
