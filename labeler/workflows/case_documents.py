"""What the command line tells about cases: the documents of ``cases`` and ``regions``.

Their keys are fixed (``docs/formats.md``). ``ijk`` counts voxels of the file as stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labeler.core.geometry import AxisOrder, Grid
from labeler.core.labels import LabelTable
from labeler.core.mask import Box
from labeler.core.regions import Region, RegionIndex
from labeler.core.statistics import PlacedVolume
from labeler.storage.cases import Case, MaskSource, inspect
from labeler.storage.errors import ImageError
from labeler.storage.images import read_volume
from labeler.storage.inspection import mask_refusal
from labeler.storage.masks import MaskFile, read_mask
from labeler.storage.phases import PhaseSource
from labeler.storage.sidecar import load_sidecar

#: Files read at once: decompression and disk keep four busy.
_READERS = 4


def inspect_all(cases: Iterable[Case]) -> Iterator[Case]:
    """Read the headers of cases, several at once, and give them in order."""
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(inspect, cases)


def case_document(case: Case) -> dict[str, Any]:
    """Describe a case (an entry of ``cases --json``)."""
    return {
        "id": case.id,
        "layout": case.layout,
        "status": case.status,
        "phases": {phase: _image_document(source) for phase, source in case.phases.items()},
        "masks": [{"name": mask.name, "path": str(mask.path)} for mask in case.masks],
        "landmarks": [str(path) for path in case.landmarks],
        "problems": list(case.problems),
        "notes": list(case.notes),
        "spare": [{"key": s.key, **_image_document(s)} for s in case.spare],
    }


def _image_document(source: PhaseSource) -> dict[str, Any]:
    return {
        "path": str(source.path),
        "shape_ijk": None if source.shape_ijk is None else list(source.shape_ijk),
        "spacing_mm": None if source.spacing_mm is None else list(source.spacing_mm),
        "series": None if source.series is None else source.series.title,
        "guessed": source.is_guessed,
    }


@dataclass(frozen=True)
class MeasuredMask:
    """A mask of a case with its regions measured in every phase that could be read."""

    file: MaskFile
    index: RegionIndex


@dataclass(frozen=True)
class Measurements:
    """Regions of the masks of a case.

    Attributes
    ----------
    masks
        In the order of the case.
    phases
        Phases that were measured.
    phase_problems, mask_problems
        Sentences about what could not be read.
    """

    masks: tuple[MeasuredMask, ...]
    phases: tuple[str, ...]
    phase_problems: tuple[str, ...]
    mask_problems: tuple[str, ...]


def measure_case(
    case: Case, masks: Iterable[MaskSource], advance: Callable[[], None] = lambda: None
) -> Measurements:
    """Find and measure the regions of some masks of an inspected case.

    Phases count where the case's breathing correction puts them, as in the window.

    Parameters
    ----------
    case
        From :func:`~labeler.storage.cases.inspect`.
    masks
        Those of its masks that are wanted.
    advance
        Called after each file.
    """
    phase_problems: list[str] = []
    mask_problems: list[str] = []
    volumes: dict[str, PlacedVolume] = {}
    grids: dict[str, Grid | None] = {}
    shifts_mm = load_sidecar(case.mask_root, case.id).sidecar.shifts_mm
    with ThreadPoolExecutor(_READERS) as pool:
        reads = {p: pool.submit(read_volume, s.series or s.path) for p, s in case.phases.items()}
        for phase, read in reads.items():
            try:
                volume = read.result()
            except ImageError as error:
                phase_problems.append(f"{phase}: {error}")
                grids[phase] = None
            else:
                grids[phase] = volume.grid
                grid = volume.grid.shifted(shifts_mm.get(phase, (0.0, 0.0, 0.0)))
                volumes[phase] = PlacedVolume(volume.array, grid)
            advance()
    measured: list[MeasuredMask] = []
    for source in masks:
        try:
            file = read_mask(source.path, source.name)
        except ImageError as error:
            mask_problems.append(str(error))
        else:
            refusal = mask_refusal(source.path.name, file.mask.grid, grids)
            if refusal is None:
                mask = file.mask
                index = RegionIndex.build(mask.name, mask.array, mask.grid, volumes)
                measured.append(MeasuredMask(file, index))
            else:
                mask_problems.append(refusal)
        advance()
    return Measurements(
        tuple(measured), tuple(volumes), tuple(phase_problems), tuple(mask_problems)
    )


def region_documents(measurements: Measurements, labels: LabelTable) -> list[dict[str, Any]]:
    """Describe regions (the document of ``regions --json``), mask by mask."""
    return [
        _region_document(region, measured.file.mask.axis_order, labels)
        for measured in measurements.masks
        for region in measured.index.regions.values()
    ]


def _region_document(region: Region, order: AxisOrder, labels: LabelTable) -> dict[str, Any]:
    k, j, i = region.anchor_kji
    return {
        "mask": region.mask,
        "label": region.label,
        "name": labels[region.label].name,
        "id": region.id,
        "voxels": region.voxels,
        "volume_ml": round(region.volume_ml, 6),
        "centroid_ras": [round(value, 4) for value in region.centroid_ras],
        "anchor_ijk": list(order.to_file_ijk((i, j, k))),
        "box_ijk": file_box_ijk(region.box, order),
        "diameter_mm": round(region.diameter_mm, 4),
        "hu": {
            phase: {"mean": round(hu.mean, 4), "sd": round(hu.sd, 4)}
            for phase, hu in region.hu.items()
            if hu is not None
        },
    }


def file_box_ijk(box: Box, order: AxisOrder) -> list[list[int]]:
    """``[[lo, hi], ...]`` along the file's axes i, j, k; ``lo <= index < hi``."""
    first = order.to_file_ijk(_reversed(box.lo_kji))
    last = order.to_file_ijk(_reversed((box.hi_kji[0] - 1, box.hi_kji[1] - 1, box.hi_kji[2] - 1)))
    return [[min(a, b), max(a, b) + 1] for a, b in zip(first, last, strict=True)]


def _reversed(kji: tuple[int, int, int]) -> tuple[int, int, int]:
    k, j, i = kji
    return i, j, k
