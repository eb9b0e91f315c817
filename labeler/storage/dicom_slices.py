"""One DICOM file: what it says about its slices, without their pixels."""

from __future__ import annotations

import contextlib
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from labeler.storage.errors import ImageError
from labeler.storage.reasons import unreadable
from labeler.storage.sources import SliceRef

# Headers from the field break the standard in harmless ways; checking every value against it
# only costs time and prints warnings.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
# It logs the elements that it stumbles over, names of patients among them. What fails is raised.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

FILM_MODALITIES = frozenset({"CR", "DX", "RG"})
_VOLUME_MODALITIES = frozenset({"CT", "MR", "PT", "NM", ""})

_MAGIC_OFFSET = 128
#: What a deflated file may unpack to; the whole of it is held in memory.
_MAX_INFLATED_BYTES = 2**30
_MAX_FRAMES = 20_000
#: Shorter cross products of the directions of rows and columns mean that there is no plane.
_MIN_NORMAL = 0.1

_TAGS = [
    "ImageType", "SOPInstanceUID", "AcquisitionDate", "SeriesDate", "StudyDate", "AcquisitionTime",
    "SeriesTime", "Modality", "SeriesDescription", "PatientID", "ContrastBolusAgent",
    "SliceThickness", "ContrastBolusRoute", "ImagerPixelSpacing",
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber",
    "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "EchoNumbers",
    "TemporalPositionIdentifier", "NumberOfFrames", "Rows", "Columns", "PixelSpacing",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip


@dataclass(frozen=True)
class SeriesFacts:
    """What a file says about the series that it belongs to."""

    uid: str
    study_uid: str
    patient_id: str = field(repr=False)
    modality: str
    description: str
    number: int | None
    contrast: str
    acquired: str


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """One slice: a file, or a frame of it.

    Attributes
    ----------
    orientation
        Direction cosines (LPS) of the rows and of the columns, 6 numbers.
    position_mm
        LPS position of the first pixel's centre.
    spacing_mm
        Distance between rows and between columns.
    thickness_mm
        Thickness of the slice.
    order
        Numbers that may tell several stacks of one series apart: temporal position, acquisition,
        echo; ``None`` where the file is silent.
    """

    ref: SliceRef
    facts: SeriesFacts
    sop_uid: str
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    thickness_mm: float | None
    instance: int | None
    order: tuple[int | None, ...]
    is_localizer: bool

    @property
    def is_film(self) -> bool:
        return self.facts.modality in FILM_MODALITIES

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector (LPS) across the slice; zero when rows and columns run the same way."""
        assert self.orientation is not None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        length = float(np.linalg.norm(normal))
        return normal / length if length > _MIN_NORMAL else np.zeros(3)


@contextlib.contextmanager
def damage_told(path: Path, what: str = "its DICOM header cannot be read") -> Iterator[None]:
    """Turn whatever goes wrong with a DICOM file into a sentence.

    pydicom meets arbitrary bytes, decodes values only when they are looked at, and raises
    whatever they cause; so do the decoders of pixels.

    Raises
    ------
    ImageError
        Instead of any exception but MemoryError.
    """
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"{path.name} is damaged: {what}.") from error


def open_dicom(path: Path, *, with_pixels: bool) -> FileDataset:
    """Parse a file; looking at its values may still fail, see :func:`damage_told`.

    Raises
    ------
    ImageError
        When it cannot be read or parsed.
    """
    with damage_told(path):
        _check_deflated(path)
        return pydicom.dcmread(
            path,
            force=True,
            stop_before_pixels=not with_pixels,
            specific_tags=None if with_pixels else list(_TAGS),
        )


def read_slices(path: Path) -> list[DicomSlice]:
    """Read the headers of all slices of a file; none when it holds no image to be shown.

    Raises
    ------
    ImageError
        When the file cannot be parsed.
    """
    with damage_told(path):
        return list(_slices(path, open_dicom(path, with_pixels=False)))


def unshown_kind(path: Path) -> str:
    """What a DICOM file is that holds no image to be shown, for a sentence."""
    with damage_told(path):
        modality = str(open_dicom(path, with_pixels=False).get("Modality") or "")
    return f"a DICOM object of the kind {modality}" if modality else "no DICOM image"


def frame_groups(dataset: Dataset, frame: int) -> list[Dataset]:
    """Functional groups of a frame, its own before those that all frames share."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    return [*own[frame : frame + 1], *shared[:1]]


def group_value(groups: list[Dataset], sequence: str, keyword: str) -> Any:
    """Look up a value in the first functional group that has it."""
    for group in groups:
        items = group.get(sequence)
        if items and items[0].get(keyword) is not None:
            return items[0].get(keyword)
    return None


def _slices(path: Path, dataset: Dataset) -> Iterator[DicomSlice]:
    modality = str(dataset.get("Modality") or "")
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if modality not in _VOLUME_MODALITIES | FILM_MODALITIES or not rows or not columns:
        return
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= frames <= _MAX_FRAMES:
        raise ValueError(f"{frames} frames")
    facts = _facts(path, dataset, modality)
    image_type = [str(word).strip().upper() for word in _sequence(dataset.get("ImageType"))]
    for frame in range(frames):
        groups = frame_groups(dataset, frame)
        if frames > 1 and not groups:
            return  # a film strip or a loop: frames without a place
        lookup = _Lookup(dataset, groups)
        thickness = lookup("PixelMeasuresSequence", "SliceThickness")
        yield DicomSlice(
            SliceRef(path, frame),
            facts,
            str(dataset.get("SOPInstanceUID") or f"{path}"),
            int(rows),
            int(columns),
            _floats(lookup("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
            _floats(lookup("PlanePositionSequence", "ImagePositionPatient"), 3),
            _floats(lookup("PixelMeasuresSequence", "PixelSpacing"), 2)
            or _floats(dataset.get("ImagerPixelSpacing"), 2),
            abs(float(thickness)) if thickness else None,
            _int(dataset.get("InstanceNumber")),
            (
                _int(lookup("FrameContentSequence", "TemporalPositionIndex"))
                or _int(dataset.get("TemporalPositionIdentifier")),
                _int(dataset.get("AcquisitionNumber")),
                _int(dataset.get("EchoNumbers")),
            ),
            "LOCALIZER" in image_type,
        )


@dataclass(frozen=True)
class _Lookup:
    """Finds a value in the functional groups of a frame, or in the file itself."""

    dataset: Dataset
    groups: list[Dataset]

    def __call__(self, sequence: str, keyword: str) -> Any:
        found = group_value(self.groups, sequence, keyword)
        return self.dataset.get(keyword) if found is None else found


def _facts(path: Path, dataset: Dataset, modality: str) -> SeriesFacts:
    date = dataset.get("AcquisitionDate") or dataset.get("SeriesDate") or dataset.get("StudyDate")
    time = dataset.get("AcquisitionTime") or dataset.get("SeriesTime")
    contrast = (dataset.get("ContrastBolusAgent"), dataset.get("ContrastBolusRoute"))
    return SeriesFacts(
        uid=str(dataset.get("SeriesInstanceUID") or f"no series UID: {path.parent}"),
        study_uid=str(dataset.get("StudyInstanceUID") or ""),
        patient_id=str(dataset.get("PatientID") or ""),
        modality=modality,
        description=str(dataset.get("SeriesDescription") or "").strip(),
        number=_int(dataset.get("SeriesNumber")),
        contrast=", ".join(str(word).strip() for word in contrast if word),
        acquired=f"{date or ''}{str(time or '').partition('.')[0]}" if date else "",
    )


def _sequence(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _floats(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str) or not hasattr(value, "__len__"):
        return None
    numbers = tuple(float(number) for number in value)
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _check_deflated(path: Path) -> None:
    """Refuse a deflated file that unpacks to more than memory should hold."""
    with open(path, "rb") as file:
        head = file.read(2**16)
        if head[_MAGIC_OFFSET : _MAGIC_OFFSET + 4] != b"DICM":
            return
        if DeflatedExplicitVRLittleEndian.encode() not in head:
            return
        start = pydicom.filereader.read_file_meta_info(path)
        file.seek(_MAGIC_OFFSET + 4 + 12 + int(start.FileMetaInformationGroupLength))
        unpacker, inflated = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while not unpacker.eof and inflated <= _MAX_INFLATED_BYTES:
            packed = unpacker.unconsumed_tail or file.read(2**20)
            if not packed:
                return
            inflated += len(unpacker.decompress(packed, 2**20))
    if inflated > _MAX_INFLATED_BYTES:
        raise ImageError(f"{path.name} is refused: it unpacks to more than 1 GB.")
