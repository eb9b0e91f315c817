"""Regions grown from seeds through a range of values, inside a box."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labeler.core.brushes import similar_range_hu
from labeler.core.geometry import Grid
from labeler.core.mask import Box, Mask
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
        shape = mask.grid.shape_kji
        seeds = tuple(
            seed
            for seed in seeds_kji
            if all(0 <= at < length for at, length in zip(seed, shape, strict=True))
        )
        if not seeds:
            return None
        box = _box_around(seeds, mask.grid, size_mm)
        values = np.ascontiguousarray(values_in(phase, mask.grid, box))
        inside = tuple(seed for seed in seeds if _holds(box, seed))
        return GrowingBox(box, values, constraint.writable(mask, box, label), inside)

    def with_seed(self, seed_kji: tuple[int, int, int]) -> GrowingBox | None:
        """The same box with one more seed; ``None`` when it lies outside of the box."""
        if not _holds(self.box, seed_kji):
            return None
        return replace(self, seeds_kji=(*self.seeds_kji, seed_kji))

    def grown(self, low: float, high: float) -> VoxelSet:
        """Voxels in a range of values that hang together, by faces, with a seed.

        A seed outside of the range, or where nothing may be written, grows nothing. Takes a tenth
        of a second at most (see ``MAX_VOXELS``).
        """
        from scipy import ndimage  # slow to import: not when the program starts

        parts, count = ndimage.label(in_range(self.values, low, high) & self.writable)
        seeds = np.array(self.seeds_kji, np.int64).reshape(-1, 3) - self.box.lo_kji
        wanted = np.zeros(count + 1, np.bool_)
        wanted[parts[tuple(seeds.T)]] = True
        wanted[0] = False
        return VoxelSet(self.box, wanted[parts])


def suggested_range_hu(
    phase: VoxelSource, mask: Mask, seed_kji: tuple[int, int, int]
) -> tuple[float, float] | None:
    """Range to begin with: values like those around a seed; ``None`` outside of the phase."""
    return similar_range_hu(phase, mask.grid, mask.grid.to_ras(seed_kji[::-1]))


def _box_around(seeds: tuple[tuple[int, int, int], ...], grid: Grid, size_mm: float) -> Box:
    """Box of about ``size_mm`` around seeds, cut to the grid and to ``MAX_VOXELS``."""
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
