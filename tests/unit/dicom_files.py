"""Small DICOM series, right and wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)

ROWS, COLUMNS = 6, 8
AXIAL = [1, 0, 0, 0, 1, 0]


def hu_of(slices: int, seed=0, rows=ROWS, columns=COLUMNS) -> np.ndarray:
    """Values ``[slice, row, column]`` over the range of CT."""
    return np.random.default_rng(seed).integers(-1024, 3000, (slices, rows, columns))


def ct_slice(
    stored: np.ndarray, position_mm=(0.0, 0.0, 0.0), *, uid="1.2.3", instance=1, **fields
) -> Dataset:
    """One CT slice ``[row, column]``; ``fields`` overwrite or, when ``None``, remove elements."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Modality = "CT"
    dataset.PatientName = "DOE^JOHN"
    dataset.PatientID = "4711"
    dataset.StudyInstanceUID = "1.2"
    dataset.SeriesInstanceUID = uid
    dataset.SeriesNumber = 3
    dataset.SeriesDescription = "Abdomen PV 2.0"
    dataset.InstanceNumber = instance
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [f"{float(v):.6g}" for v in position_mm]
    dataset.ImageOrientationPatient = AXIAL
    dataset.PixelSpacing = [0.9, 0.7]
    dataset.SliceThickness = 2
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    describe_pixels(dataset, stored)
    for name, value in fields.items():
        if value is None:
            del dataset[name]
        else:
            setattr(dataset, name, value)
    return dataset


def describe_pixels(dataset: Dataset, stored: np.ndarray) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = stored.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, hu: np.ndarray, *, spacing_mm=2.0, start_mm=0.0, places=None, **fields
) -> list[Path]:
    """Write a stack of HU ``[slice, row, column]``, head last, under shuffled file names.

    ``places`` are numbers of slices along the normal, 0, 1, 2 ... by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = np.random.default_rng(1).permutation(len(hu))
    first = len(list(folder.iterdir()))
    paths = []
    for number, (plane, place) in enumerate(zip(hu, places or range(len(hu)), strict=True)):
        stored = (plane + 1024).astype(np.uint16)
        position_mm = (-20, -30, start_mm + place * spacing_mm)
        dataset = ct_slice(stored, position_mm, instance=first + number + 1, **fields)
        paths.append(save(dataset, folder / f"{first:03}-{names[number]:04}"))
    return paths


def multiframe(hu: np.ndarray, spacing_mm=2.0, order=None) -> Dataset:
    """An Enhanced CT of all slices; ``order`` is that of the frames in the file."""
    frames = list(range(len(hu))) if order is None else list(order)
    dataset = ct_slice(
        (hu[frames] + 1024).astype(np.uint16),
        ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None,
        SliceThickness=None, RescaleSlope=None, RescaleIntercept=None,
    )  # fmt: skip
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = len(frames)
    shared, rescale, measures, direction = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = 1, -1024
    measures.PixelSpacing, measures.SliceThickness = [0.9, 0.7], 2
    direction.ImageOrientationPatient = AXIAL
    shared.PixelValueTransformationSequence = Sequence([rescale])
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([direction])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for frame in frames:
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = [-20, -30, frame * spacing_mm]
        group.PlanePositionSequence = Sequence([place])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return dataset
