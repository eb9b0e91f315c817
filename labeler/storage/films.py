"""Radiographs: one slice of float32 grey values. PNG here, DICOM by way of the series reader.

A film has no place in the patient. Its row and column axes are given the directions of an axial
slice, so that it appears as it hangs on a light box: first column left, first row on top.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray
from labeler.core.volume import Volume
from labeler.storage.errors import ImageError
from labeler.storage.nifti import check_geometry
from labeler.storage.reasons import unreadable
from labeler.storage.sources import ImageHeader

#: Pixels that a film may have; the largest detectors give 20 million.
MAX_FILM_PIXELS = 200_000_000


def film_affine(row_spacing_mm: float, column_spacing_mm: float) -> FloatArray:
    """Affine of a film from the distance between its rows and between its columns."""
    return np.diag([-column_spacing_mm, -row_spacing_mm, 1.0, 1.0])


def film_volume(pixels: npt.NDArray[Any], header: ImageHeader) -> Volume:
    """Make the volume of a film from its grey values ``[row, column]``."""
    array = np.ascontiguousarray(pixels, dtype=np.float32)[np.newaxis]
    return Volume(array, header.grid, header.axis_order, header.notes)


def read_png_header(path: Path) -> ImageHeader:
    """Read the size of a PNG film.

    Raises
    ------
    ImageError
        When the file is no PNG file or too large.
    """
    head = _read(path, 33)
    if len(head) < 33 or head[:4] != b"\x89PNG" or head[12:16] != b"IHDR":
        raise ImageError(f"{path.name} is damaged: it is no PNG file.")
    width, height, bits = struct.unpack(">IIB", head[16:25])
    if not 0 < width * height <= MAX_FILM_PIXELS:
        raise ImageError(f"{path.name} is empty or too large: {width} x {height} pixels.")
    header = ImageHeader(
        (width, height, 1),
        film_affine(1.0, 1.0),
        "uint16" if bits == 16 else "uint8",
        "PNG",
        is_film=True,
        notes=(f"{path.name} says nothing of its pixel size; 1 mm is assumed.",),
    )
    check_geometry(path.name, header)
    return header


def read_png(path: Path) -> Volume:
    """Read a PNG film; colours become grey.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    header = read_png_header(path)
    data = np.frombuffer(_read(path), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise ImageError(f"{path.name} is damaged: its pixels cannot be unpacked.") from error
    if pixels is None:
        raise ImageError(f"{path.name} is truncated or damaged: its pixels cannot be unpacked.")
    return film_volume(pixels, header)


def _read(path: Path, nbytes: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(nbytes)
    except OSError as error:
        raise unreadable(path, error) from error
