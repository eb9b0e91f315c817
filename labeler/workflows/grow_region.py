"""Growing a region from seeds through a range of HU: tried live, then accepted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy.typing as npt

from labeler.core.region_growing import GrowingBox, box_around, suggested_range_hu
from labeler.core.voxel_set import VoxelSet
from labeler.state.tasks import TaskContext
from labeler.workflows.draw_voxels import draw_voxels
from labeler.workflows.edit_rules import EditRefused, drawing_target, ink_of, label_name
from labeler.workflows.mask_places import points_on_mask, values_on_mask
from labeler.workflows.workspace import Workspace

#: Edges of the box a region may grow in.
SIZE_MM = 90.0

#: Gets a region, and the lower and the upper end of the range that it was grown in.
Shown = Callable[[VoxelSet, float, float], None]


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
        self._growing: GrowingBox | None = None
        self._wanted: tuple[float, float, Shown] | None = None
        self._is_at_work = False
        self._preview: VoxelSet | None = None
        self.add_seed(ras)
        suggested = suggested_range_hu(values, self._mask, self._seeds[0])
        if suggested is None:
            raise EditRefused(f"{phase} does not reach this place")
        #: Range to begin with: values like those around the first seed.
        self.suggested_hu = suggested

    def add_seed(self, ras: npt.ArrayLike) -> None:
        """Grow from one more place; the box follows.

        Raises
        ------
        EditRefused
            When it lies outside of the mask.
        """
        i, j, k = self._mask.grid.nearest_ijk(points_on_mask(self._ws, self._mask, ras))
        if not self._mask.grid.contains((i, j, k)):
            raise EditRefused(f"{self._mask.name} does not reach this place")
        self._seeds.append((k, j, i))
        self._growing = None

    def preview(self, low_hu: float, high_hu: float, shown: Shown) -> None:
        """Grow in the background.

        While a range is being tried only the last of those asked for meanwhile waits, so that
        something new is shown all the time that somebody drags.

        Parameters
        ----------
        shown
            Gets the region in the main thread.
        """
        self._wanted = (low_hu, high_hu, shown)
        if not self._is_at_work:
            self._begin()

    def accept(self) -> None:
        """Draw the region shown last; one edit.

        Raises
        ------
        EditRefused
            See :func:`~labeler.workflows.draw_voxels.draw_voxels`.
        """
        name = f"Grow region {label_name(self._ws.session, self._ink.label)}"
        draw_voxels(self._ws, self._mask, [self._preview], self._ink, name)

    def _begin(self) -> None:
        """Try the range that waits."""
        if self._wanted is None:
            return
        low_hu, high_hu, shown = self._wanted
        self._wanted = None
        self._is_at_work = True
        seeds = tuple(self._seeds)

        def done(result: tuple[GrowingBox, VoxelSet]) -> None:
            self._is_at_work = False
            growing, region = result
            if seeds == tuple(self._seeds):
                self._growing = growing
            self._preview = region
            shown(region, low_hu, high_hu)
            self._begin()

        def failed(error: Exception) -> None:
            self._is_at_work = False
            self._ws.tasks.failed.emit(error)

        read = self._reader(seeds) if self._growing is None else None
        self._ws.tasks.submit(
            "compute", ("edit", "grow"), _grow, self._growing, read, low_hu, high_hu,
            done=done, failed=failed,
        )  # fmt: skip

    def _reader(self, seeds: tuple[tuple[int, int, int], ...]) -> Callable[[], GrowingBox]:
        """What reads the surroundings of the seeds; the labels are copied now."""
        box = box_around(seeds, self._mask.grid, self._size_mm)
        assert box is not None  # every seed lies inside the grid
        labels = self._mask.array[box.slices].copy()
        return partial(
            GrowingBox.read, labels, self._mask.grid, box, self._values, seeds,
            self._ink.label, self._ink.constraint,
        )  # fmt: skip


def _grow(
    context: TaskContext,
    growing: GrowingBox | None,
    read: Callable[[], GrowingBox] | None,
    low_hu: float,
    high_hu: float,
) -> tuple[GrowingBox, VoxelSet]:
    if growing is None:
        assert read is not None
        growing = read()
        context.check()
    return growing, growing.grown(low_hu, high_hu)
