"""Growing a region from seeds through a range of HU: tried live, then accepted."""

from __future__ import annotations

import numpy.typing as npt

from labeler.core.region_growing import GrowingBox, suggested_range_hu
from labeler.core.voxel_set import VoxelSet
from labeler.workflows.draw_voxels import draw_voxels
from labeler.workflows.edit_rules import EditRefused, drawing_target, ink_of, label_name
from labeler.workflows.mask_places import points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace

#: Edges of the box a region may grow in.
SIZE_MM = 90.0


class RegionGrowing:
    """A region that is being grown into the active mask with the active label.

    Parameters
    ----------
    phase
        Phase whose values are looked at.
    ras
        First seed, RAS mm as shown.
    size_mm
        Edges of the box, around the seeds, that the region may grow in.

    Raises
    ------
    EditRefused
        See :func:`~labeler.workflows.edit_rules.drawing_target`; also when the phase is not read
        or the seed lies outside of the mask or of the phase.
    """

    def __init__(
        self, ws: Workspace, phase: str, ras: npt.ArrayLike, size_mm: float = SIZE_MM
    ) -> None:
        self._ws = ws
        self._mask = drawing_target(ws)
        self._ink = ink_of(ws, self._mask)
        values = values_on_mask(ws, self._mask, phase)
        if values is None:
            raise EditRefused(f"{phase} is not read yet")
        self._values = values
        self._size_mm = size_mm
        self._seeds: list[tuple[int, int, int]] = []
        self._growing = self._around(ras)
        suggested = suggested_range_hu(values, self._mask, self._seeds[0])
        if suggested is None:
            raise EditRefused(f"{phase} does not reach this place")
        #: Range to begin with: values like those around the first seed.
        self.suggested_hu = suggested
        self._preview: VoxelSet | None = None

    def add_seed(self, ras: npt.ArrayLike) -> None:
        """Grow from one more place; the box follows.

        Raises
        ------
        EditRefused
            When it lies outside of the mask.
        """
        self._growing = self._around(ras)
        self._preview = None

    def preview(self, low_hu: float, high_hu: float) -> VoxelSet:
        """The region that this range gives; takes a tenth of a second at most."""
        self._preview = self._growing.grown(low_hu, high_hu)
        return self._preview

    def accept(self) -> None:
        """Draw the region shown last; one edit.

        Raises
        ------
        EditRefused
            See :func:`~labeler.workflows.draw_voxels.draw_voxels`.
        """
        name = f"Grow region {label_name(self._ws.session, self._ink.label)}"
        draw_voxels(self._ws, self._mask, [self._preview], self._ink, name)

    def _around(self, ras: npt.ArrayLike) -> GrowingBox:
        """The box around all seeds and one more, which counts when it is inside the mask."""
        i, j, k = self._mask.grid.nearest_ijk(points_on_mask(self._ws, self._mask, ras))
        if not self._mask.grid.contains((i, j, k)):
            raise EditRefused(f"{self._mask.name} does not reach this place")
        self._seeds.append((k, j, i))
        growing = GrowingBox.around(
            self._mask, self._values, self._seeds, self._size_mm,
            self._ink.label, self._ink.constraint,
        )  # fmt: skip
        assert growing is not None  # every seed lies inside the grid
        return growing
