"""What the headers of a case's files say, and whether images and masks go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from labeler.core.geometry import GeometryError, Grid
from labeler.storage.dicom import scan_dicom
from labeler.storage.errors import ImageError
from labeler.storage.images import read_header
from labeler.storage.phases import PhaseSource
from labeler.storage.sources import DicomSeries


@dataclass
class SeriesFound:
    """Images of a DICOM folder, and sentences about what is not among them."""

    images: list[PhaseSource] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_series(folder: Path) -> SeriesFound:
    """Read which series a folder holds; those of one examination become images.

    Series of several patients are never mixed in one case: the patient with most slices stays.
    """
    try:
        found = scan_dicom(folder)
    except (ImageError, OSError) as error:
        return SeriesFound(problems=[str(error)])
    volumes = [series for series in found.series if series.kind == "volume"]
    result = SeriesFound(problems=list(found.problems))
    kept = _of_one_examination(volumes, result.problems)
    if any(series.modality == "CT" for series in kept):
        kept, others = (
            [series for series in kept if series.modality == "CT"],
            [series for series in kept if series.modality != "CT"],
        )
        result.notes += [f"Series '{s.title}' is no CT and is not shown." for s in others]
    result.images = [
        PhaseSource(
            key=f"{series.uid}#{series.part}" if series.part else series.uid,
            path=series.folder,
            text=series.description,
            series=series,
        )
        for series in kept
    ]
    if not kept:
        result.problems.append(f"The folder {folder.name} holds no CT series.")
    return result


def find_series_of(folders: Iterable[PhaseSource]) -> SeriesFound:
    """Read which series lie in folders that hold one phase each."""
    result = SeriesFound()
    for source in folders:
        found = find_series(source.path)
        result.images += [
            replace(image, channel_phase=source.channel_phase) for image in found.images
        ]
        result.problems += [f"{source.channel_phase}: {text}" for text in found.problems]
        result.notes += found.notes
    return result


def _of_one_examination(series: list[DicomSeries], problems: list[str]) -> list[DicomSeries]:
    for attribute, what in (("patient_id", "patients"), ("study_uid", "examinations")):
        slices: Counter[str] = Counter()
        for one in series:
            slices[getattr(one, attribute)] += len(one.slices)
        if len(slices) > 1:
            problems.append(
                f"The folder mixes series of {len(slices)} {what}; only those of the one with "
                "most slices are shown."
            )
            largest = slices.most_common(1)[0][0]
            series = [one for one in series if getattr(one, attribute) == largest]
    return series


@dataclass
class Facts:
    """What headers say.

    Attributes
    ----------
    images
        Images with shape and spacing, by key.
    grids
        Grid by phase; ``None`` where it cannot be read.
    problems, notes
        Sentences.
    """

    images: dict[str, PhaseSource] = field(default_factory=dict)
    grids: dict[str, Grid | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_facts(
    phases: Mapping[str, PhaseSource], spare: Iterable[PhaseSource], masks: Mapping[str, Path]
) -> Facts:
    """Read the headers of images and masks, and compare them.

    Spare images are described, but what is wrong with them is nobody's problem.
    """
    facts = Facts()
    for phase, source in phases.items():
        facts.grids[phase] = None
        try:
            facts.images[source.key], facts.grids[phase] = _described(source, facts.notes)
        except (ImageError, GeometryError) as error:
            facts.images[source.key] = source
            facts.problems.append(f"{phase}: {error}")
    for source in spare:
        try:
            facts.images[source.key], _ = _described(source, [])
        except (ImageError, GeometryError):
            facts.images[source.key] = source
    for name, path in masks.items():
        try:
            refusal = mask_refusal(path.name, read_header(path).grid, facts.grids)
        except (ImageError, GeometryError) as error:
            refusal = f"{error}"
        if refusal is not None:
            facts.problems.append(f"Mask {name}: {refusal}")
    return facts


def _described(source: PhaseSource, notes: list[str]) -> tuple[PhaseSource, Grid]:
    header = read_header(source.series or source.path)
    grid = header.grid
    notes += [f"{source.title}: {note}" for note in header.notes]
    described = replace(source, shape_ijk=header.shape_ijk, spacing_mm=header.spacing_mm)
    return described, grid


def mask_refusal(name: str, grid: Grid, grids: Mapping[str, Grid | None]) -> str | None:
    """Why a mask cannot be shown: it lies on no phase's grid. ``None`` when it can.

    Parameters
    ----------
    name
        Name of the mask's file.
    grid
        The mask's grid.
    grids
        Grid by phase. A phase that cannot be read (``None``) may be the one the mask belongs to.
    """
    known = {phase: other for phase, other in grids.items() if other is not None}
    tolerance_mm = max(0.05, 0.1 * min(grid.spacing_mm))
    if any(grid.matches(other, tolerance_mm) for other in known.values()):
        return None
    if not known or len(known) < len(grids):
        return None
    for phase, other in known.items():
        if other.shape_kji == grid.shape_kji:
            offset_mm = float(np.linalg.norm(grid.center_ras - other.center_ras))
            return (
                f"{name} is refused: it has the shape of {phase}, but its voxels lie elsewhere "
                f"(centres {offset_mm:.1f} mm apart, spacing or direction differ)."
            )
    shape = "x".join(map(str, grid.shape_ijk))
    shapes = ", ".join(f"{p} {'x'.join(map(str, g.shape_ijk))}" for p, g in known.items())
    return f"{name} is refused: its grid ({shape}) is that of no phase ({shapes})."
