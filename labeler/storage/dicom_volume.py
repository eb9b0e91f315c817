"""Reading the pixels of a DICOM series into a volume."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from labeler.core.volume import Volume
from labeler.storage.dicom_slices import damage_told, frame_groups, group_value, open_dicom
from labeler.storage.errors import ImageError
from labeler.storage.films import MAX_FILM_PIXELS, film_volume
from labeler.storage.nifti import MAX_VOXELS, check_geometry
from labeler.storage.sources import (
    DicomSeries,
    ImageHeader,
    NoContext,
    ReadContext,
    SliceRef,
    source_name,
)
from labeler.storage.voxels import AIR_HU, HuConverter, empty_canonical, place

_GREY = ("MONOCHROME1", "MONOCHROME2")


def series_header(series: DicomSeries) -> ImageHeader:
    """Make the header of a series from what the scan found.

    Raises
    ------
    ImageError
        When the series is no volume and no film.
    """
    if series.problem is not None:
        raise ImageError(series.problem)
    name = source_name(series)
    if series.kind == "localizer":
        raise ImageError(f"{name} is a set of localizers, not a volume.")
    is_film = series.kind == "film"
    pixels = int(np.prod(series.shape_ijk, dtype=np.int64))
    if pixels > (MAX_FILM_PIXELS if is_film else MAX_VOXELS):
        raise ImageError(f"{name} is too large: it has {pixels / 1e9:.1f} billion voxels.")
    header = ImageHeader(
        series.shape_ijk,
        np.array(series.affine),
        "float32" if is_film else "int16",
        "DICOM",
        is_film=is_film,
        notes=series.notes,
    )
    check_geometry(name, header)
    return header


def read_series(series: DicomSeries, context: ReadContext | None = None) -> Volume:
    """Read a volume or a film.

    Parameters
    ----------
    series
        From :func:`~labeler.storage.dicom.scan_dicom`.
    context
        Asked before each slice whether to go on.

    Returns
    -------
    Volume
        int16 HU with the rescaling of each slice applied; float32 for a film, in which bright is
        dense whatever the photometric interpretation.

    Raises
    ------
    ImageError
        When a file is gone, damaged or does not fit the series.
    """
    context = context or NoContext()
    header = series_header(series)
    if header.is_film:
        return film_volume(_film_pixels(series.slices[0]), header)
    order = header.axis_order
    array = empty_canonical(order, np.dtype(np.int16))
    reader = _SliceReader(series)
    for k, ref in enumerate(series.slices):
        context.check()
        place(array, order, k, reader.read_hu(ref)[np.newaxis])
        context.report((k + 1) / len(series.slices), "")
    return Volume(array, header.grid, order, header.notes)


class _SliceReader:
    """Reads slices one after the other; keeps a multi-frame file open between its frames."""

    def __init__(self, series: DicomSeries) -> None:
        self._series = series
        self._ref: SliceRef | None = None
        self._dataset: FileDataset | None = None

    def read_hu(self, ref: SliceRef) -> npt.NDArray[np.int16]:
        """Return a slice ``[row, column]`` in HU.

        Raises
        ------
        ImageError
            When the file is gone, damaged or not the one that was found.
        """
        with damage_told(ref.path):
            if self._dataset is None or self._ref is None or self._ref.path != ref.path:
                self._dataset = open_dicom(ref.path, with_pixels=True)
            self._ref = ref
            stored = _stored_pixels(ref, self._dataset)
            columns, rows, _ = self._series.shape_ijk
            if stored.shape != (rows, columns):
                raise ImageError(f"{ref.path.name} is no longer the slice that was found.")
            slope, inter = _rescaling(ref, self._dataset)
            return self._to_hu(stored, slope, inter)

    def _to_hu(self, stored: npt.NDArray[Any], slope: float, inter: float) -> npt.NDArray[np.int16]:
        assert self._ref is not None
        converter = HuConverter(self._ref.path.name, slope, inter)
        outside = self._padding_outside(stored, slope, inter)
        if outside is None:
            return np.asarray(converter.convert(stored), dtype=np.int16)
        kept = np.where(outside, stored[~outside].min() if not outside.all() else 0, stored)
        hu = np.array(converter.convert(kept), dtype=np.int16)
        hu[outside] = AIR_HU
        return hu

    def _padding_outside(
        self, stored: npt.NDArray[Any], slope: float, inter: float
    ) -> npt.NDArray[np.bool_] | None:
        """Where padding stands that int16 HU cannot hold; ``None`` when it can hold all of it."""
        assert self._dataset is not None
        padding = self._dataset.get("PixelPaddingValue")
        if padding is None or isinstance(padding, bytes):
            return None
        limits = np.iinfo(np.int16)
        if limits.min <= slope * padding + inter <= limits.max:
            return None
        outside = stored == padding
        return outside if outside.any() else None


def _stored_pixels(ref: SliceRef, dataset: FileDataset) -> npt.NDArray[Any]:
    """Decode one frame ``[row, column]`` as stored."""
    name = ref.path.name
    if dataset.get("PixelData") is None:
        raise ImageError(f"{name} is truncated: it holds no pixels.")
    if dataset.get("PhotometricInterpretation") not in _GREY:
        raise ImageError(f"{name} holds colours, which cannot be shown.")
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = _plain_syntax(bool(implicit), bool(little))
    _check_complete(name, dataset)
    index = ref.frame if int(dataset.get("NumberOfFrames") or 1) > 1 else None
    with damage_told(ref.path, "its pixels cannot be unpacked"):
        pixels = pixel_array(dataset, index=index, raw=True)
    return pixels[0] if pixels.ndim == 3 and len(pixels) == 1 else pixels


def _plain_syntax(is_implicit: bool, is_little: bool) -> UID:
    """Transfer syntax of a file that does not name it: the one that its header was written in."""
    if not is_little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian


def _check_complete(name: str, dataset: FileDataset) -> None:
    """Refuse plain pixels that end too early; packed ones are checked by their decoders."""
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    expected_bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated)
    expected = expected_bits * int(dataset.get("NumberOfFrames") or 1) // 8
    found = len(dataset.PixelData)
    if found < expected:
        raise ImageError(
            f"{name} is truncated: it holds {found:,} of {expected:,} bytes of pixels."
        )


def _rescaling(ref: SliceRef, dataset: FileDataset) -> tuple[float, float]:
    """Slope and intercept of one frame."""
    groups = frame_groups(dataset, ref.frame)
    values = []
    for keyword, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)):
        value = group_value(groups, "PixelValueTransformationSequence", keyword)
        value = dataset.get(keyword) if value is None else value
        values.append(default if value is None or value == "" else float(value))
    slope, inter = values
    if not np.isfinite([slope, inter]).all() or slope == 0:
        raise ImageError(f"{ref.path.name} is damaged: its rescaling makes no values.")
    return slope, inter


def _film_pixels(ref: SliceRef) -> npt.NDArray[np.float32]:
    """Grey values ``[row, column]`` of a film in which bright is dense."""
    with damage_told(ref.path):
        dataset = open_dicom(ref.path, with_pixels=True)
        pixels = _stored_pixels(ref, dataset).astype(np.float32)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            top = 2.0 ** int(dataset.get("BitsStored") or 16) - 1
            pixels = np.float32(top) - pixels
        return pixels
