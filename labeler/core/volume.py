"""Voxels and geometry of one phase."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import AxisOrder, Grid

#: The four phases in their display order.
PHASES = ("NC", "ART", "PV", "DL")

PHASE_TITLES = {
    "NC": "Non-contrast",
    "ART": "Arterial",
    "PV": "Portal venous",
    "DL": "Delayed",
}


@dataclass(frozen=True, eq=False)
class Volume:
    """One phase in canonical axes.

    Attributes
    ----------
    array
        ``[k, j, i]``, C-contiguous and read-only; int16 HU (float32 for a chest film).
    grid
        Shape and placement.
    axis_order
        How the file's own axes map to the array's.
    notes
        Sentences for the user about what was done to the data on reading.
    """

    array: npt.NDArray[np.generic]
    grid: Grid
    axis_order: AxisOrder
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape_kji:
            raise ValueError(f"array {self.array.shape} does not fit grid {self.grid.shape_kji}")
        if not self.array.flags.c_contiguous:
            raise ValueError("a volume's array must be C-contiguous")
        self.array.setflags(write=False)

    def value_at(self, ras: npt.ArrayLike) -> float | None:
        """HU of the voxel nearest to a RAS point, ``None`` outside."""
        ijk = self.grid.nearest_ijk(ras)
        if not self.grid.contains(ijk):
            return None
        i, j, k = ijk
        return float(self.array[k, j, i])
