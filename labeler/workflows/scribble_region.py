"""Finding a lesion from scribbles inside and outside of it: shown first, then accepted."""

from __future__ import annotations

from collections.abc import Callable

import numpy.typing as npt

from labeler.core.brushes import DiscBrush
from labeler.core.distance import Check
from labeler.core.geometry import FloatArray, Plane
from labeler.core.mask import Mask
from labeler.core.painting import PaintingError
from labeler.core.scribbles import Scribbles, walked_region
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.background_edit import Refused, find_in_background
from labeler.workflows.draw_voxels import draw_voxels
from labeler.workflows.edit_rules import EditRefused, drawing_target, ink_of, label_name
from labeler.workflows.mask_places import points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace

#: Diameter of a scribble.
SCRIBBLE_MM = 3.0


class ScribbledRegion:
    """Scribbles on the active mask, and the region they give.

    Parameters
    ----------
    phase
        Phase whose edges are looked for.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the phase is not read.
    """

    def __init__(self, ws: Workspace, phase: str) -> None:
        self._ws = ws
        self._mask = drawing_target(ws)
        self._ink = ink_of(ws, self._mask)
        values = values_on_mask(ws, self._mask, phase)
        if values is None:
            raise EditRefused(f"{phase} is not read yet")
        self._values = values
        self._scribbles = Scribbles(self._mask.grid)
        self._brush: DiscBrush | None = None
        self._last: FloatArray | None = None
        self._inside = True
        self._preview: VoxelSet | None = None

    def begin(self, plane: Plane, *, inside: bool) -> None:
        """Begin a scribble in a plane, inside or outside of the region."""
        self._brush = DiscBrush(self._mask.grid, plane, SCRIBBLE_MM / 2)
        self._last, self._inside = None, inside

    def move_to(self, ras: npt.ArrayLike) -> VoxelSet | None:
        """Scribble on to a point, RAS mm as shown; returns the voxels just marked."""
        if self._brush is None:
            return None
        point = points_on_mask(self._ws, self._mask, ras)
        last, self._last = self._last, point
        covered = self._brush.sweep(point if last is None else last, point)
        if covered is None:
            return None
        self._scribbles.add(*covered, self._inside)
        return VoxelSet(*covered)

    def solve(self, shown: Callable[[VoxelSet], None], refused: Refused) -> None:
        """Work the region out in the background; asked again, the former answer never comes.

        Parameters
        ----------
        shown
            Gets the region in the main thread.
        refused
            Gets a sentence when it cannot be worked out.

        Raises
        ------
        EditRefused
            When nothing is scribbled inside, or too much to be quick.
        """
        try:
            found = self._scribbles.marks()
        except PaintingError as error:
            raise EditRefused(str(error)) from error
        if found is None:
            raise EditRefused("Scribble inside the lesion first")
        box, marks = found
        grid, values = self._mask.grid, self._values

        def find(mask: Mask, check: Check) -> VoxelSet:
            return walked_region(grid, values, box, marks, check)

        def show(region: VoxelSet, _revision: int) -> None:
            self._preview = region
            shown(region)

        find_in_background(self._ws, "scribbles", self._mask, find, show, refused)

    def accept(self) -> None:
        """Draw the region shown last; one edit.

        Raises
        ------
        EditRefused
            See :func:`~labeler.workflows.draw_voxels.draw_voxels`.
        """
        name = f"Draw {label_name(self._ws.session, self._ink.label)} from scribbles"
        draw_voxels(self._ws, self._mask, [self._preview], self._ink, name)
