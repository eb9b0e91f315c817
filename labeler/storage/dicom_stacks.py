"""From slices to stacks: which belong together, in which order, and whether they fill a volume."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import MAX_SHEAR, GeometryError, check_affine
from labeler.storage.dicom_slices import DicomSlice
from labeler.storage.films import film_affine
from labeler.storage.sources import DicomSeries, SeriesKind, source_name

FloatArray = npt.NDArray[np.float64]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Slices nearer than this lie at the same place.
_SAME_PLACE_MM = 0.01
#: How far a slice may lie from the even spacing: a part of the spacing, and at least this.
_UNEVEN_PART = 0.1
_UNEVEN_MM = 0.1
#: How far slices may be shifted within their plane against the straight stack.
_SIDEWAYS_MM = 0.5
_NO_AFFINE = tuple(map(tuple, np.eye(4).tolist()))


def build_series(slices: Iterable[DicomSlice]) -> list[DicomSeries]:
    """Sort slices into series, each a volume, a set of localizers or a film.

    A series is split where its slices differ in size, direction or pixel spacing, where localizers
    are among them, and where several stacks (contrast phases, echoes) cover the same places.
    """
    by_uid: dict[str, list[DicomSlice]] = defaultdict(list)
    for item in slices:
        by_uid[item.facts.uid].append(item)
    series: list[DicomSeries] = []
    for members in by_uid.values():
        stacks = [
            stack for group in _alike(_without_copies(members)) for stack in _separate_stacks(group)
        ]
        parts = [_series(stack) for stack in stacks]
        if len(parts) > 1:
            parts = [replace(part, part=number) for number, part in enumerate(parts, 1)]
        series += [_with_problem_named(part) for part in parts]
    return sorted(series, key=lambda one: (one.study_uid, one.series_number or 0, one.part))


def _without_copies(slices: Sequence[DicomSlice]) -> list[DicomSlice]:
    """Keep one of each object: exports hold the same file in several folders."""
    kept: dict[tuple[str, int], DicomSlice] = {}
    for item in slices:
        kept.setdefault((item.sop_uid, item.ref.frame), item)
    return list(kept.values())


def _alike(slices: Sequence[DicomSlice]) -> list[list[DicomSlice]]:
    """Group slices that can lie in one stack; every film is a group of its own."""
    groups: dict[object, list[DicomSlice]] = defaultdict(list)
    for number, item in enumerate(slices):
        groups[
            item.is_localizer,
            item.rows,
            item.columns,
            _rounded(item.orientation, 2),
            _rounded(item.spacing_mm, 4),
            number if item.is_film else None,
        ].append(item)
    return list(groups.values())


def _rounded(numbers: tuple[float, ...] | None, digits: int) -> tuple[float, ...] | None:
    # Adding zero makes -0.0 and 0.0 one key.
    return None if numbers is None else tuple(round(number, digits) + 0.0 for number in numbers)


def _separate_stacks(slices: list[DicomSlice]) -> list[list[DicomSlice]]:
    """Split a group in which every place is taken several times into stacks that take it once."""
    if slices[0].is_localizer or slices[0].is_film or not _have_places(slices):
        return [slices]
    places = Counter(_place(item) for item in slices)
    layers = max(places.values())
    if layers == 1:
        return [slices]
    keys: list[Callable[[DicomSlice], int | None]] = [
        lambda item, index=index: item.order[index]  # type: ignore[misc]
        for index in range(len(slices[0].order))
    ]
    # Without a number that tells them apart, one stack may follow the other.
    by_instance = sorted(slices, key=lambda item: (item.instance or 0, item.ref.frame))
    rank = {id(item): number for number, item in enumerate(by_instance)}
    if set(places.values()) == {layers}:
        keys.append(lambda item: rank[id(item)] * layers // len(slices))
    for key in keys:
        groups: dict[int | None, list[DicomSlice]] = defaultdict(list)
        for item in slices:
            groups[key(item)].append(item)
        if len(groups) == layers and all(
            len({_place(item) for item in group}) == len(group) > 1 for group in groups.values()
        ):
            return [groups[name] for name in sorted(groups, key=lambda name: name or 0)]
    return [slices]


def _have_places(slices: Sequence[DicomSlice]) -> bool:
    return all(s.orientation and s.position_mm and s.spacing_mm for s in slices)


def _place(item: DicomSlice) -> int:
    """Number of the place along the normal, in steps of what counts as the same one."""
    assert item.position_mm is not None
    return round(float(np.dot(item.normal, item.position_mm)) / _SAME_PLACE_MM)


def _series(slices: list[DicomSlice]) -> DicomSeries:
    first = slices[0]
    kind: SeriesKind = "localizer" if first.is_localizer else "film" if first.is_film else "volume"
    problem: str | None = None
    notes: tuple[str, ...] = ()
    affine = _NO_AFFINE
    if kind == "film":
        affine, notes = _film_geometry(first)
    elif not _have_places(slices):
        problem = "its slices say nothing of their place in the patient or of their pixel size"
    else:
        try:
            stack = _Stack.of(slices)
            slices, problem, affine = stack.slices, stack.problem(), stack.affine_rows()
        except GeometryError as error:
            problem = str(error)
    facts = first.facts
    return DicomSeries(
        folder=_common_folder(slices),
        uid=facts.uid,
        slices=tuple(item.ref for item in slices),
        shape_ijk=(first.columns, first.rows, len(slices)),
        affine=affine,
        kind=kind,
        description=facts.description,
        modality=facts.modality,
        series_number=facts.number,
        study_uid=facts.study_uid,
        patient_id=facts.patient_id,
        contrast=facts.contrast,
        acquired=facts.acquired,
        problem=problem,
        notes=notes,
    )


def _with_problem_named(series: DicomSeries) -> DicomSeries:
    if series.problem is None:
        return series
    name = source_name(series)
    sentence = f"{name[0].upper()}{name[1:]} cannot be shown as a volume: {series.problem}."
    return replace(series, problem=sentence)


def _common_folder(slices: Sequence[DicomSlice]) -> Path:
    return Path(os.path.commonpath({str(item.ref.path.parent) for item in slices}))


def _film_geometry(film: DicomSlice) -> tuple[tuple[tuple[float, ...], ...], tuple[str, ...]]:
    name = film.ref.path.name
    notes: tuple[str, ...] = ()
    row_mm, column_mm = film.spacing_mm or (0.0, 0.0)
    if min(row_mm, column_mm) <= 0:
        row_mm = column_mm = 1.0
        notes = (f"{name} says nothing of its pixel size; 1 mm is assumed.",)
    return _as_rows(film_affine(row_mm, column_mm)), notes


def _as_rows(affine: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(number) for number in row) for row in affine)


@dataclass(frozen=True)
class _Stack:
    """Slices of one direction, sorted along their normal.

    ``positions_mm`` is ``(n, 3)`` LPS, ``depths_mm`` are the positions along ``normal``.
    """

    slices: list[DicomSlice]
    positions_mm: FloatArray
    normal: FloatArray
    depths_mm: FloatArray

    @staticmethod
    def of(slices: list[DicomSlice]) -> _Stack:
        normal = slices[0].normal
        if not normal.any():
            raise GeometryError("its rows and columns have the same direction")
        positions_mm = np.array([item.position_mm for item in slices])
        order = np.argsort(positions_mm @ normal, kind="stable")
        positions_mm = positions_mm[order]
        return _Stack(
            [slices[index] for index in order], positions_mm, normal, positions_mm @ normal
        )

    def affine_rows(self) -> tuple[tuple[float, ...], ...]:
        """Affine of ``(column, row, slice)`` to RAS mm; raises GeometryError when unusable."""
        first = self.slices[0]
        assert first.orientation is not None
        assert first.spacing_mm is not None
        affine = np.eye(4)
        affine[:3, 0] = np.array(first.orientation[:3]) * first.spacing_mm[1]
        affine[:3, 1] = np.array(first.orientation[3:]) * first.spacing_mm[0]
        if len(self.slices) > 1:
            extent_mm = self.positions_mm[-1] - self.positions_mm[0]
            affine[:3, 2] = extent_mm / (len(self.slices) - 1)
        else:
            affine[:3, 2] = self.normal * (first.thickness_mm or 1.0)
        affine[:3, 3] = self.positions_mm[0]
        affine = np.asarray(_LPS_TO_RAS @ affine)
        if self.problem() is None:
            check_affine(affine)
        return _as_rows(affine)

    def problem(self) -> str | None:
        """Why the slices do not fill a volume evenly; ``None`` when they do."""
        if len(self.slices) < 2:
            return None
        gaps_mm = np.diff(self.depths_mm)
        if gaps_mm.min() < _SAME_PLACE_MM:
            return self._same_place(gaps_mm)
        faults = filter(None, [self._tilt(), self._uneven(gaps_mm)])
        return " and ".join(faults) or self._sideways()

    def _same_place(self, gaps_mm: FloatArray) -> str:
        if gaps_mm.max() < _SAME_PLACE_MM:
            return f"all its {len(self.slices)} slices lie at the same place"
        index = int(np.argmin(gaps_mm))
        return f"several of its slices lie at the same place (at {self.depths_mm[index]:.1f} mm)"

    def _tilt(self) -> str | None:
        extent_mm = self.positions_mm[-1] - self.positions_mm[0]
        along_mm = float(extent_mm @ self.normal)
        across_mm = float(np.linalg.norm(extent_mm - along_mm * self.normal))
        if across_mm <= MAX_SHEAR * float(np.linalg.norm(extent_mm)):
            return None
        tilt_deg = np.degrees(np.arctan2(across_mm, along_mm))
        return f"the gantry was tilted by {tilt_deg:.1f} degrees"

    def _uneven(self, gaps_mm: FloatArray) -> str | None:
        even_mm = np.linspace(self.depths_mm[0], self.depths_mm[-1], len(self.slices))
        spacing_mm = float(even_mm[1] - even_mm[0])
        tolerance_mm = max(_UNEVEN_MM, _UNEVEN_PART * spacing_mm)
        if np.abs(self.depths_mm - even_mm).max() <= tolerance_mm:
            return None
        smallest_mm, largest_mm = float(gaps_mm.min()), float(gaps_mm.max())
        multiples = gaps_mm / smallest_mm
        if np.abs(multiples - np.rint(multiples)).max() <= _UNEVEN_PART:
            index = int(np.argmax(gaps_mm))
            missing = int(np.rint(multiples).sum()) - len(gaps_mm)
            return (
                f"{missing} slice{'s are' if missing > 1 else ' is'} missing, the widest gap being "
                f"{largest_mm:.4g} mm instead of {smallest_mm:.4g} mm "
                f"(after {self.depths_mm[index]:.1f} mm)"
            )
        return f"the distance of its slices varies from {smallest_mm:.4g} to {largest_mm:.4g} mm"

    def _sideways(self) -> str | None:
        straight_mm = np.linspace(self.positions_mm[0], self.positions_mm[-1], len(self.slices))
        shift_mm = float(np.linalg.norm(self.positions_mm - straight_mm, axis=1).max())
        if shift_mm <= max(_SIDEWAYS_MM, _UNEVEN_PART * float(np.diff(self.depths_mm).max())):
            return None
        return f"its slices are shifted sideways against each other by up to {shift_mm:.1f} mm"
