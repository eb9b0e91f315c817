"""Regions grown from seeds through a range of values, inside a box that is read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeler.core.brushes import similar_range_hu
from labeler.core.geometry import Grid
from labeler.core.mask import Box, LabelArray, Mask
from labeler.core.painting import FREE, Constraint
from labeler.core.resampling import in_range, values_in
from labeler.core.statistics import VoxelSource
from labeler.core.voxel_set import VoxelSet

#: Most voxels of a box: what can be grown anew while a slider moves (about 160 x 160 x 160).
MAX_VOXELS = 4_000_000


@dataclass(frozen=True, eq=False)
class GrowingBox:
    """The surroundings of some seeds, read once, so that a range can be tried quickly.

    Attributes
    ----------
    box
        Box of the mask's grid.
    values
        ``box.shape_kji``; values of the phase, NaN (and nothing else) outside of it.
    writable
        Voxels that may take the label.
    seeds_kji
        Voxels the region grows from, inside the box.
    """

    box: Box
    values: npt.NDArray[np.generic]
    writable: npt.NDArray[np.bool_]
    seeds_kji: tuple[tuple[int, int, int], ...]

    @staticmethod
    def around(
        mask: Mask,
        phase: VoxelSource,
        seeds_kji: Iterable[tuple[int, int, int]],
        size_mm: float,
        label: int,
        constraint: Constraint = FREE,
    ) -> GrowingBox | None:
        """Read the surroundings of seeds.

        Parameters
        ----------
        mask
            The mask that will take the region.
        phase
            Values that are looked at, placed as the mask sees them.
        seeds_kji
            At least one voxel; those outside of the grid are left out.
        size_mm
            Length of the box's edges around the seeds; less when that would be too many voxels.
        label, constraint
            What will be written and where that is allowed.

        Returns
        -------
        GrowingBox or None
            ``None`` when no seed lies inside the grid.
        """
        seeds = tuple(seeds_kji)
        box = box_around(seeds, mask.grid, size_mm)
        if box is None:
            return None
        labels = mask.array[box.slices]
        return GrowingBox.read(labels, mask.grid, box, phase, seeds, label, constraint)

    @staticmethod
    def read(
        labels: LabelArray,
        grid: Grid,
        box: Box,
        phase: VoxelSource,
        seeds_kji: Iterable[tuple[int, int, int]],
        label: int,
        constraint: Constraint = FREE,
    ) -> GrowingBox:
        """The same from labels that were copied out of a mask, as a task gets them.

        Parameters
        ----------
        labels
            ``box.shape_kji``.
        grid
            Grid of the mask.
        box
            See :func:`box_around`.
        phase, seeds_kji, label, constraint
            As for :meth:`around`.
        """
        values = np.ascontiguousarray(values_in(phase, grid, box))
        inside = tuple(seed for seed in seeds_kji if _holds(box, seed))
        return GrowingBox(box, values, constraint.allows(labels, grid, box, label), inside)

    def grown(self, low: float, high: float) -> VoxelSet:
        """Voxels in a range of values that hang together, by faces, with a seed.

        A seed outside of the range, or where nothing may be written, grows nothing. The set's box
        is tight around its voxels. Takes some ten milliseconds, without the interpreter lock.
        """
        from scipy import ndimage  # slow to import: not when the program starts

        parts, _ = ndimage.label(in_range(self.values, low, high) & self.writable)
        inside = np.zeros(self.box.shape_kji, np.bool_)
        seeds = np.array(self.seeds_kji, np.int64).reshape(-1, 3) - self.box.lo_kji
        for number in np.unique(parts[tuple(seeds.T)]).tolist():
            if number > 0:
                inside |= parts == number
        tight = Box.around(inside)
        if tight is None:
            return VoxelSet(self.box, inside)
        k, j, i = self.box.lo_kji
        (k0, j0, i0), (k1, j1, i1) = tight.lo_kji, tight.hi_kji
        box = Box((k + k0, j + j0, i + i0), (k + k1, j + j1, i + i1))
        return VoxelSet(box, np.ascontiguousarray(inside[tight.slices]))


def suggested_range_hu(
    phase: VoxelSource, mask: Mask, seed_kji: tuple[int, int, int]
) -> tuple[float, float] | None:
    """Range to begin with: values like those around a seed; ``None`` outside of the phase."""
    return similar_range_hu(phase, mask.grid, mask.grid.to_ras(seed_kji[::-1]))


def box_around(seeds_kji: Iterable[tuple[int, int, int]], grid: Grid, size_mm: float) -> Box | None:
    """Box of about ``size_mm`` around seeds, cut to the grid and to ``MAX_VOXELS``.

    ``None`` when no seed lies inside the grid; those outside do not count.
    """
    whole = Box.whole(grid.shape_kji)
    seeds = [seed for seed in seeds_kji if _holds(whole, seed)]
    if not seeds:
        return None
    spacing = np.array(grid.spacing_mm[::-1])
    lo, hi = np.min(seeds, axis=0), np.max(seeds, axis=0)
    centre, half = (lo + hi) / 2, (hi - lo) / 2 + size_mm / 2 / spacing
    while True:
        first, last = np.ceil(centre - half).astype(int), np.floor(centre + half).astype(int)
        box = Box(tuple(first.tolist()), tuple((last + 1).tolist())).clipped(grid.shape_kji)
        if np.prod(box.shape_kji) <= MAX_VOXELS:
            return box
        half *= 0.9


def _holds(box: Box, kji: tuple[int, int, int]) -> bool:
    return all(lo <= at < hi for lo, at, hi in zip(box.lo_kji, kji, box.hi_kji, strict=True))
