"""From what the views show to the coordinates of a mask.

A mask that moves with a shifted phase is changed where it is seen: its own grid stays, the points
and phases are moved back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray, Grid
from labeler.core.mask import Mask
from labeler.core.statistics import PlacedVolume
from labeler.state.placement import placed_mask_grid, placed_volume_grid
from labeler.workflows.workspace import Workspace


def points_on_mask(ws: Workspace, mask: Mask, ras: npt.ArrayLike) -> FloatArray:
    """RAS points ``(..., 3)`` as shown, in the coordinates of a mask's own grid."""
    return np.asarray(ras, dtype=np.float64) - _offset_mm(ws, mask)


def points_as_shown(ws: Workspace, mask: Mask, ras: npt.ArrayLike) -> FloatArray:
    """RAS points ``(..., 3)`` of a mask's own grid, where the views show them."""
    return np.asarray(ras, dtype=np.float64) + _offset_mm(ws, mask)


def values_on_mask(ws: Workspace, mask: Mask, phase: str) -> PlacedVolume | None:
    """A phase where a mask's own grid sees it; ``None`` while the phase is not read."""
    grid = placed_volume_grid(ws.session, phase)
    if grid is None:
        return None
    return PlacedVolume(ws.session.volumes[phase].array, grid_on_mask(ws, mask, grid))


def grid_on_mask(ws: Workspace, mask: Mask, grid: Grid) -> Grid:
    """A grid as shown, in the coordinates of a mask's own grid."""
    x, y, z = (-_offset_mm(ws, mask)).tolist()
    return grid.shifted((x, y, z)) if any((x, y, z)) else grid


def _offset_mm(ws: Workspace, mask: Mask) -> FloatArray:
    shown = placed_mask_grid(ws.session, mask.name)
    return np.asarray(shown.affine[:3, 3] - mask.grid.affine[:3, 3])
