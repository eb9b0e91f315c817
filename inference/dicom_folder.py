"""One CT series in a folder of DICOM files, as a volume."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.contract import Image

if TYPE_CHECKING:
    from pydicom import Dataset

_SPACING_TOLERANCE = 0.02  # of the distance of slices
_ANGLE_TOLERANCE = 1e-3
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Slice:
    """Where a slice is, and its file."""

    path: Path
    series: str
    position: np.ndarray[Any, np.dtype[np.float64]]
    row: np.ndarray[Any, np.dtype[np.float64]]
    column: np.ndarray[Any, np.dtype[np.float64]]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]

    @property
    def normal(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.cross(self.row, self.column)


def read_dicom_folder(folder: Path) -> Image:
    """Return the CT series of a folder; of several the one with the most slices.

    Raises
    ------
    ValueError
        No CT slices, two series of equal size, or slices that make no regular grid (missing
        ones, a tilted gantry).
    """
    slices = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found = _slice(path)
            if found is not None:
                slices[found.series].append(found)
    if not slices:
        raise ValueError(f"{folder} holds no CT slices in DICOM")
    sizes = sorted((len(each) for each in slices.values()), reverse=True)
    if len(sizes) > 1 and sizes[0] == sizes[1]:
        raise ValueError(f"{folder} holds {len(sizes)} series; give each a folder of its own")
    series = max(slices.values(), key=len)
    return _stacked(folder, series)


def _slice(path: Path) -> _Slice | None:
    """Return what the header of a CT slice says; None for any other file."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, EOFError, ValueError, KeyError):
        return None
    if header.get("Modality") != "CT" or "LOCALIZER" in header.get("ImageType", []):
        return None
    if int(header.get("NumberOfFrames", 1)) > 1:
        raise ValueError(f"{path} holds several slices in one file; convert it to NIfTI first")
    try:
        orientation = np.array(header.ImageOrientationPatient, dtype=np.float64)
        down_mm, right_mm = map(float, header.PixelSpacing)
        return _Slice(
            path,
            str(header.SeriesInstanceUID),
            np.array(header.ImagePositionPatient, dtype=np.float64),
            orientation[:3],
            orientation[3:],
            (down_mm, right_mm),
            (int(header.Rows), int(header.Columns)),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not say where its slice lies: {error}") from error


def _stacked(folder: Path, series: list[_Slice]) -> Image:
    first = series[0]
    for each in series:
        turned = max(np.abs(each.row - first.row).max(), np.abs(each.column - first.column).max())
        if each.shape != first.shape or each.spacing_mm != first.spacing_mm or turned > 1e-4:
            raise ValueError(f"the slices in {folder} have different sizes or directions")
    series = sorted(series, key=lambda each: float(each.position @ first.normal))
    origin = series[0].position
    step = first.normal
    if len(series) > 1:
        offsets = np.array([each.position - origin for each in series])
        step = offsets[-1] / (len(series) - 1)
        regular = np.arange(len(series))[:, None] * step
        if np.abs(offsets - regular).max() > _SPACING_TOLERANCE * float(np.linalg.norm(step)):
            raise ValueError(f"slices are missing or unevenly spaced in {folder}")
        if np.linalg.norm(np.cross(step, first.normal)) > _ANGLE_TOLERANCE * np.linalg.norm(step):
            raise ValueError(f"{folder} was taken with a tilted gantry; correct that first")
    affine = np.eye(4)
    affine[:3, 0] = first.row * first.spacing_mm[1]
    affine[:3, 1] = first.column * first.spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = origin
    array = np.stack([_hounsfield(each.path) for each in series])
    return Image(array, _LPS_TO_RAS @ affine)


def _hounsfield(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return the pixels of a slice in HU."""
    import pydicom

    try:
        slice_: Dataset = pydicom.dcmread(path)
        slope = float(slice_.get("RescaleSlope", 1))
        hu = slice_.pixel_array * slope + float(slice_.get("RescaleIntercept", 0))
    except Exception as error:  # decoders raise anything on damaged pixels
        raise ValueError(f"the pixels of {path} cannot be read: {error}") from error
    return np.clip(np.rint(hu), -32768, 32767).astype(np.int16)
