"""Regions of a mask: found once, then kept up to date stroke by stroke.

A region is a 26-connected component of one label of one mask. :class:`RegionIndex` is immutable:
a background task makes the next index from a copy of what changed while the window shows the
present one. Nothing here takes longer than some ten milliseconds per stroke, and everything that
touches voxels or runs releases the GIL.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.components import Components
from labeler.core.geometry import Grid
from labeler.core.identity import Identities
from labeler.core.mask import Box, LabelArray
from labeler.core.measures import Shapes, Totals
from labeler.core.runs import Runs
from labeler.core.statistics import HuStatistics, RunSums, VoxelSource


@dataclass(frozen=True)
class Region:
    """A 26-connected component of one label of one mask.

    Attributes
    ----------
    id
        Stays with the region through edits, undo and redo; unique within the mask.
    mask, label
        Name of the mask and value in it.
    voxels, volume_ml
        Size.
    centroid_ras
        Mean of the voxel centres; may lie outside of the region.
    box
        Smallest box around the region.
    first_kji, middle_kji, anchor_kji
        Jump points, voxels of the region: on its lowest slice, on the middle one of its slices
        and on its slice of largest area, each near the middle of that slice's part.
    diameter_mm
        Longest axial diameter (largest distance within one slice).
    fingerprint
        Names label and voxels: equal for equal content, also after saving and reading again.
    hu
        Statistics per phase; ``None`` when no voxel lies inside the phase.
    """

    id: int
    mask: str
    label: int
    voxels: int
    volume_ml: float
    centroid_ras: tuple[float, float, float]
    box: Box
    first_kji: tuple[int, int, int]
    middle_kji: tuple[int, int, int]
    anchor_kji: tuple[int, int, int]
    diameter_mm: float
    fingerprint: int
    hu: Mapping[str, HuStatistics | None]

    @property
    def first_k(self) -> int:
        """Lowest slice."""
        return self.box.lo_kji[0]

    @property
    def last_k(self) -> int:
        """Highest slice."""
        return self.box.hi_kji[0] - 1


@dataclass(frozen=True)
class RegionDelta:
    """Ids of the regions that an update added, removed or changed."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


@dataclass(frozen=True, eq=False)
class RegionIndex:
    """All regions of one mask.

    Attributes
    ----------
    mask
        Name of the mask.
    grid
        Grid of the mask.
    phases
        Phases whose voxel values are measured.
    regions
        Regions by id, ascending.
    """

    mask: str
    grid: Grid
    phases: Mapping[str, VoxelSource]
    regions: Mapping[int, Region]
    _runs: Runs = field(repr=False)
    _components: Components = field(repr=False)
    _sums: Mapping[str, RunSums] = field(repr=False)
    _identities: Identities = field(repr=False)

    @staticmethod
    def build(
        mask: str, array: LabelArray, grid: Grid, phases: Mapping[str, VoxelSource] | None = None
    ) -> RegionIndex:
        """Find and measure all regions.

        Parameters
        ----------
        mask
            Name of the mask.
        array
            ``[k, j, i]`` uint8 or uint16. It is read during the call only; nobody may change it
            meanwhile, so a background task passes a copy or one that no edit can reach yet.
        grid
            Where the mask lies.
        phases
            Volumes to measure, on any grids. They are kept, and read again on updates.
        """
        phases = dict(phases or {})
        runs = Runs.of(array)
        components = Components.of(runs)
        totals = Totals.of(runs, components)
        every = np.arange(len(runs))
        sums = {name: RunSums.of(runs, every, grid, phase) for name, phase in phases.items()}
        identities = Identities.first(totals)
        regions = _describe(
            mask, grid, runs, components, totals, sums, identities, np.arange(len(components))
        )
        return RegionIndex(mask, grid, phases, _by_id(regions), runs, components, sums, identities)

    def updated(self, box: Box, content: LabelArray) -> tuple[RegionIndex, RegionDelta]:
        """Follow a change of the mask.

        Parameters
        ----------
        box
            Everything that changed lies inside; clipped to the mask, not empty.
        content
            ``box.shape_kji``, uint8 or uint16: what the box holds now. The whole mask is not
            read, so copying ``mask.array[box.slices]`` in the main thread is all it takes to
            hand the work to another thread.

        Returns
        -------
        RegionIndex, RegionDelta
            The index equals a newly built one, except that regions keep their ids: a region has
            the id that its content had before, else that of the region it overlaps most.

        Raises
        ------
        ValueError
            When the content does not fit the box, or the box the mask.
        """
        if content.shape != box.shape_kji or box.is_empty:
            raise ValueError(f"content {content.shape} does not fit a box of {box.shape_kji}")
        if box.clipped(self.grid.shape_kji) != box:
            raise ValueError("the changed box lies outside the mask")
        splice = self._runs.spliced(box, content)
        components = Components.of(splice.runs)
        totals = Totals.of(splice.runs, components)
        sums = {}
        for name, phase in self.phases.items():
            fresh = RunSums.of(splice.runs, splice.fresh, self.grid, phase)
            sums[name] = self._sums[name].spliced(splice.lo, splice.hi, splice.source, fresh)
        identities = self._identities.followed(
            self._runs, self._components, splice.runs, components, totals
        )
        stale = identities.differing_from(self._identities)
        regions = _describe(
            self.mask, self.grid, splice.runs, components, totals, sums, identities, stale
        )
        now = set(identities.ids.tolist())
        touched = {region.id for region in regions}
        kept = [r for r in self.regions.values() if r.id in now and r.id not in touched]
        index = RegionIndex(
            self.mask, self.grid, self.phases, _by_id(kept + regions),
            splice.runs, components, sums, identities,
        )  # fmt: skip
        return index, RegionDelta(
            added=tuple(sorted(now - self.regions.keys())),
            removed=tuple(sorted(self.regions.keys() - now)),
            changed=tuple(sorted(touched & self.regions.keys())),
        )

    def with_phase(self, name: str, phase: VoxelSource) -> RegionIndex:
        """Measure one more phase, or the same one in another place."""
        every = np.arange(len(self._runs))
        sums = RunSums.of(self._runs, every, self.grid, phase)
        statistics = sums.statistics(
            self._components.runs, self._components.ptr, np.arange(len(self._components))
        )
        of_region = dict(zip(self._identities.ids.tolist(), statistics, strict=True))
        regions = [
            replace(region, hu=MappingProxyType({**region.hu, name: of_region[region.id]}))
            for region in self.regions.values()
        ]
        return replace(
            self,
            phases={**self.phases, name: phase},
            regions=_by_id(regions),
            _sums={**self._sums, name: sums},
        )

    def without_phase(self, name: str) -> RegionIndex:
        """Forget a phase and its statistics."""
        regions = [
            replace(r, hu=MappingProxyType({p: hu for p, hu in r.hu.items() if p != name}))
            for r in self.regions.values()
        ]
        return replace(
            self,
            phases={p: phase for p, phase in self.phases.items() if p != name},
            regions=_by_id(regions),
            _sums={p: sums for p, sums in self._sums.items() if p != name},
        )

    def region_at(self, kji: tuple[int, int, int]) -> int | None:
        """Id of the region that holds a voxel; ``None`` on background or outside the mask."""
        k, j, i = kji
        n_k, n_j, n_i = self.grid.shape_kji
        if not (0 <= k < n_k and 0 <= j < n_j and 0 <= i < n_i):
            return None
        runs, row = self._runs, k * n_j + j
        lo, hi = int(runs.row_ptr[row]), int(runs.row_ptr[row + 1])
        run = bisect.bisect_right(runs.start, i, lo, hi) - 1
        if run < lo or runs.stop[run] <= i:
            return None
        return int(self._identities.ids[self._components.of_run[run]])

    def component_crop(self, region_id: int) -> tuple[Box, npt.NDArray[np.bool_]]:
        """The region's box and which of its voxels belong to the region, ``[k, j, i]``.

        Raises
        ------
        KeyError
            When there is no such region.
        """
        box = self.regions[region_id].box
        component = int(np.flatnonzero(self._identities.ids == region_id)[0])
        crop = np.zeros(box.shape_kji, np.bool_)
        lo, hi = self._components.ptr[component : component + 2]
        _draw(
            crop, self._runs.row, self._runs.start, self._runs.stop,
            self._components.runs[lo:hi], self.grid.shape_kji[1], *box.lo_kji,
        )  # fmt: skip
        return box, crop


def _by_id(regions: list[Region]) -> Mapping[int, Region]:
    return MappingProxyType({r.id: r for r in sorted(regions, key=lambda region: region.id)})


def _describe(
    mask: str,
    grid: Grid,
    runs: Runs,
    components: Components,
    totals: Totals,
    sums: Mapping[str, RunSums],
    identities: Identities,
    which: npt.NDArray[np.integer],
) -> list[Region]:
    """Make the regions of the components numbered ``which``."""
    shapes = Shapes.of(runs, components, which, grid.spacing_mm)
    centroids = grid.to_ras(totals.index_sums_ijk[which] / totals.voxels[which][:, np.newaxis])
    values = {
        name: phase.statistics(components.runs, components.ptr, which)
        for name, phase in sums.items()
    }
    columns = (
        identities.ids[which], totals.label[which], totals.voxels[which], centroids,
        totals.lo_kji[which], totals.hi_kji[which], shapes.first_kji, shapes.middle_kji,
        shapes.largest_kji, shapes.diameter_mm, totals.fingerprint[which],
    )  # fmt: skip
    regions = []
    for n, (
        region_id, label, voxels, centroid, lo, hi, first, middle, largest, diameter, fingerprint
    ) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):  # fmt: skip
        regions.append(
            Region(
                id=region_id,
                mask=mask,
                label=label,
                voxels=voxels,
                volume_ml=voxels * grid.voxel_ml,
                centroid_ras=tuple(centroid),
                box=Box(tuple(lo), tuple(hi)),
                first_kji=tuple(first),
                middle_kji=tuple(middle),
                anchor_kji=tuple(largest),
                diameter_mm=diameter,
                fingerprint=fingerprint,
                hu=MappingProxyType({name: column[n] for name, column in values.items()}),
            )
        )
    return regions


@kernel
def _draw(
    crop: Array, row: Array, start: Array, stop: Array, runs: Array,
    n_j: int, k_lo: int, j_lo: int, i_lo: int,
) -> None:  # fmt: skip
    for run in runs:
        k, j = row[run] // n_j - k_lo, row[run] % n_j - j_lo
        crop[k, j, start[run] - i_lo : stop[run] - i_lo] = True
