"""A line that snaps to the edges of what a view shows, on a slice of the active mask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray, Plane
from labeler.core.livewire import WireTree, edge_costs
from labeler.core.raster import GridSlice
from labeler.core.resampling import values_in
from labeler.workflows.edit_rules import EditRefused, drawing_target
from labeler.workflows.mask_places import points_as_shown, points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace


class Livewire:
    """The wire of one outline; it stays on the slice it began on.

    Parameters
    ----------
    phase
        Phase whose edges are followed, as its grey scale shows them.
    plane
        Plane that is drawn in.
    ras
        First anchor, RAS mm as shown.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the phase is not read
        or the point lies outside of the mask.
    """

    def __init__(self, ws: Workspace, phase: str, plane: Plane, ras: npt.ArrayLike) -> None:
        self._ws = ws
        self._mask = drawing_target(ws)
        values = values_on_mask(ws, self._mask, phase)
        if values is None:
            raise EditRefused(f"{phase} is not read yet")
        at = GridSlice.near(self._mask.grid, plane, points_on_mask(ws, self._mask, ras))
        if at is None or min(at.shape) < 2:
            raise EditRefused(f"{self._mask.name} does not reach this place")
        self._at = at
        box = at.box((0, 0), at.shape)
        window = ws.views.window(phase)
        grey = values_in(values, self._mask.grid, box).reshape(at.shape)
        self._costs = edge_costs(grey, (window.width_hu, window.level_hu))
        self._tree = WireTree(self._costs, self._on_slice(ras))

    def anchor(self, ras: npt.ArrayLike) -> None:
        """Fix the wire here; ways begin here from now on."""
        self._tree = WireTree(self._costs, self._on_slice(ras))

    def path_to(self, ras: npt.ArrayLike) -> FloatArray:
        """The wire from the anchor to a point: ``(n, 3)`` RAS mm as shown, both ends included."""
        path = self._tree.path_to(self._on_slice(ras))
        return points_as_shown(self._ws, self._mask, self._at.to_ras(path))

    def _on_slice(self, ras: npt.ArrayLike) -> FloatArray:
        return np.asarray(self._at.from_ras(points_on_mask(self._ws, self._mask, ras)))
