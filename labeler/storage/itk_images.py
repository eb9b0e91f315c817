"""NRRD and MetaImage: geometry by SimpleITK, voxels read here.

ITK's readers fill truncated files with zeros and cannot be stopped half-way, so only the headers
are left to them; where the voxels start and how they are packed is read from the text header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from labeler.core.volume import Volume
from labeler.storage.atomic import unreadable
from labeler.storage.byte_stream import ByteStream, Packing
from labeler.storage.errors import ImageError
from labeler.storage.nifti import MAX_VOXELS, check_geometry
from labeler.storage.sources import ImageHeader, NoContext, ReadContext
from labeler.storage.voxels import HuConverter, read_canonical

#: A text header is longer than this only when the file is something else.
_MAX_HEADER_BYTES = 256 * 2**10
_NRRD_PACKINGS: dict[str, Packing] = {"raw": "none", "gzip": "gzip", "gz": "gzip"}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_PIXEL_TYPES = {
    sitk.sitkInt8: np.int8, sitk.sitkUInt8: np.uint8,
    sitk.sitkInt16: np.int16, sitk.sitkUInt16: np.uint16,
    sitk.sitkInt32: np.int32, sitk.sitkUInt32: np.uint32,
    sitk.sitkInt64: np.int64, sitk.sitkUInt64: np.uint64,
    sitk.sitkFloat32: np.float32, sitk.sitkFloat64: np.float64,
}  # fmt: skip

# The library writes warnings about metadata to standard error, where nobody expects them.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


@dataclass(frozen=True)
class _Voxels:
    """Where the voxels are: which file, from which byte on, how packed, in which byte order."""

    path: Path
    offset: int
    packing: Packing
    is_big_endian: bool
    has_orientation: bool


def read_itk_header(path: Path) -> ImageHeader:
    """Read shape, geometry and type.

    Raises
    ------
    ImageError
        When the file cannot be read or shown.
    """
    return _read_header(path)[0]


def read_itk_volume(path: Path, context: ReadContext | None = None) -> Volume:
    """Read a volume.

    Raises
    ------
    ImageError
        When it cannot be read or shown.
    """
    image, voxels = _read_header(path)
    dtype = np.dtype(image.dtype).newbyteorder(">" if voxels.is_big_endian else "<")
    converter = HuConverter(path.name)
    with ByteStream(voxels.path, packing=voxels.packing, offset=voxels.offset) as stream:
        stream.check_can_hold(int(np.prod(image.shape_ijk, dtype=np.int64)) * dtype.itemsize)
        array = read_canonical(
            stream.read_into, dtype, image.axis_order, converter, context or NoContext()
        )
        stream.finish()
    notes = (*image.notes, *converter.finish(), *stream.notes)
    return Volume(array, image.grid, image.axis_order, notes)


def _read_header(path: Path) -> tuple[ImageHeader, _Voxels]:
    text, offset = _text_header(path)
    is_nrrd = text.startswith("NRRD")
    voxels = _nrrd_voxels(path, text, offset) if is_nrrd else _meta_voxels(path, text, offset)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageError(f"{path.name} is damaged: its header cannot be read.") from error
    shape_ijk = _shape(path, reader)
    dtype = _PIXEL_TYPES.get(reader.GetPixelID())
    if dtype is None or reader.GetNumberOfComponents() != 1:
        raise ImageError(f"{path.name} holds colours or vectors, which cannot be shown.")
    notes: tuple[str, ...] = ()
    if not voxels.has_orientation:
        notes = (f"{path.name} says nothing of its orientation: left and right may be swapped.",)
    format_name = "NRRD" if is_nrrd else "MetaImage"
    image = ImageHeader(shape_ijk, _affine(reader), np.dtype(dtype).name, format_name, notes=notes)
    check_geometry(path.name, image)
    return image, voxels


def _shape(path: Path, reader: sitk.ImageFileReader) -> tuple[int, int, int]:
    lengths = [int(n) for n in reader.GetSize()]
    if len(lengths) != 3:
        raise ImageError(f"{path.name} has {len(lengths)} dimensions; only 3-D images are shown.")
    if int(np.prod(lengths, dtype=np.float64)) > MAX_VOXELS or min(lengths) < 1:
        shape = " x ".join(map(str, lengths))
        raise ImageError(f"{path.name} is empty or too large: its shape is {shape}.")
    i, j, k = lengths
    return i, j, k


def _affine(reader: sitk.ImageFileReader) -> np.ndarray[Any, np.dtype[np.float64]]:
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(reader.GetDirection(), (3, 3)) * reader.GetSpacing()
    affine[:3, 3] = reader.GetOrigin()
    return np.asarray(_LPS_TO_RAS @ affine)


def _text_header(path: Path) -> tuple[str, int]:
    """Return the text before the voxels, and where it ends."""
    try:
        with open(path, "rb") as file:
            head = file.read(_MAX_HEADER_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    pattern = rb"\r?\n\r?\n" if head.startswith(b"NRRD") else rb"ElementDataFile\s*=[^\n]*(\n|\Z)"
    end = re.search(pattern, head)
    if end is not None:
        return head[: end.end()].decode("latin-1"), end.end()
    if head.startswith(b"NRRD") and len(head) < _MAX_HEADER_BYTES:
        return head.decode("latin-1"), len(head)  # a detached header may end without a blank line
    raise ImageError(f"{path.name} is no NRRD or MetaImage file.")


def _nrrd_voxels(path: Path, text: str, offset: int) -> _Voxels:
    fields = {
        key.strip().lower(): value.strip()
        for key, value in re.findall(r"^([^#:\n]+):(?!=)([^\n]*)$", text, re.MULTILINE)
    }
    encoding = fields.get("encoding", "raw").lower()
    if encoding not in _NRRD_PACKINGS:
        raise ImageError(f"{path.name} is packed as '{encoding}', which cannot be read.")
    if any(fields.get(key, "0") not in ("", "0") for key in ("byte skip", "line skip")):
        raise ImageError(f"{path.name} skips bytes before its voxels, which cannot be read.")
    detached = fields.get("data file") or fields.get("datafile")
    return _Voxels(
        _detached(path, detached) if detached else path,
        0 if detached else offset,
        _NRRD_PACKINGS[encoding],
        fields.get("endian", "little").lower() == "big",
        "space" in fields and "space directions" in fields,
    )


def _meta_voxels(path: Path, text: str, offset: int) -> _Voxels:
    fields = {
        key.strip().lower(): value.strip()
        for key, value in re.findall(r"^([^=\n]+)=([^\n]*)$", text, re.MULTILINE)
    }
    if fields.get("headersize", "0") not in ("", "0"):
        raise ImageError(f"{path.name} skips bytes before its voxels, which cannot be read.")
    data_file = fields.get("elementdatafile", "")
    is_local = data_file.upper() == "LOCAL"
    byte_order = fields.get("binarydatabyteordermsb") or fields.get("elementbyteordermsb") or ""
    return _Voxels(
        path if is_local else _detached(path, data_file),
        offset if is_local else 0,
        "zlib" if fields.get("compresseddata", "").lower() == "true" else "none",
        byte_order.lower() == "true",
        any(key in fields for key in ("transformmatrix", "orientation", "rotation")),
    )


def _detached(path: Path, name: str) -> Path:
    """The data file of a header; only one file beside it, whatever the header asks for."""
    voxels = path.parent / name
    if not name or Path(name).name != name or not voxels.is_file():
        raise ImageError(f"{path.name} has no voxels: its data file '{name}' is not beside it.")
    return voxels
