"""NRRD and MetaImage: a text header, then voxels, in one file or in two.

Everything is read here. ITK's readers fill truncated files with zeros, cannot be stopped half-way,
and the one for MetaImage writes outside of its memory when a header is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.core.geometry import FloatArray
from labeler.core.volume import Volume
from labeler.storage.byte_stream import ByteStream, Packing
from labeler.storage.errors import ImageError
from labeler.storage.nifti import MAX_VOXELS, check_geometry
from labeler.storage.reasons import unreadable
from labeler.storage.sources import ImageHeader, NoContext, ReadContext
from labeler.storage.voxels import HuConverter, read_canonical

#: A text header is longer than this only when the file is something else.
_MAX_HEADER_BYTES = 256 * 2**10
_LPS = (-1.0, -1.0, 1.0)
_NRRD_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0), "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0), "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": _LPS, "lps": _LPS,
}  # fmt: skip
#: Without "signed", a trailing "int" and "_t", which say nothing.
_NRRD_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "unsigned short": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "unsigned": "u4", "uint32": "u4",
    "longlong": "i8", "long long": "i8", "int64": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "uint64": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_NRRD_PACKINGS: dict[str, Packing] = {"raw": "none", "gzip": "gzip", "gz": "gzip"}
_META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Voxels:
    """Header of an image, and where and how its voxels are stored."""

    image: ImageHeader
    path: Path
    offset: int
    packing: Packing
    dtype: np.dtype[Any]


def read_text_image_header(path: Path) -> ImageHeader:
    """Read shape, geometry and type.

    Raises
    ------
    ImageError
        When the file cannot be read or shown.
    """
    return _read_header(path).image


def read_text_image(path: Path, context: ReadContext | None = None) -> Volume:
    """Read a volume.

    Raises
    ------
    ImageError
        When it cannot be read or shown.
    """
    voxels = _read_header(path)
    image, order = voxels.image, voxels.image.axis_order
    converter = HuConverter(path.name)
    with ByteStream(voxels.path, packing=voxels.packing, offset=voxels.offset) as stream:
        stream.check_can_hold(int(np.prod(image.shape_ijk)) * voxels.dtype.itemsize)
        array = read_canonical(
            stream.read_into, voxels.dtype, order, converter, context or NoContext()
        )
        stream.finish()
    return Volume(array, image.grid, order, (*image.notes, *converter.finish(), *stream.notes))


def _read_header(path: Path) -> _Voxels:
    text, offset = _text_header(path)
    read = _read_nrrd if text.startswith("NRRD") else _read_metaimage
    try:
        return read(path, text, offset)
    except (ValueError, KeyError, OverflowError) as error:
        raise ImageError(f"{path.name} is damaged: its header cannot be read.") from error


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


def _read_nrrd(path: Path, text: str, offset: int) -> _Voxels:
    fields = {
        key.strip().lower(): value.strip()
        for key, value in re.findall(r"^([^#:\n]+):(?!=)([^\n]*)$", text, re.MULTILINE)
    }
    kinds = fields.get("kinds", "").lower().split()
    if any(kind not in ("domain", "space", "???", "none") for kind in kinds):
        raise ImageError(f"{path.name} holds colours or vectors, which cannot be shown.")
    encoding = fields.get("encoding", "raw").lower()
    if encoding not in _NRRD_PACKINGS:
        raise ImageError(f"{path.name} is packed as '{encoding}', which cannot be read.")
    _refuse_skipping(path, fields, "byte skip", "line skip")
    words = fields["type"].lower().removesuffix("_t").removesuffix(" int").removeprefix("signed ")
    is_big_endian = fields.get("endian", "little").lower() == "big"
    shape_ijk = _shape(path, fields["sizes"])
    affine, is_oriented = _nrrd_affine(fields)
    detached = fields.get("data file") or fields.get("datafile")
    return _Voxels(
        _header(path, shape_ijk, affine, _NRRD_TYPES[words], "NRRD", is_oriented),
        _detached(path, detached) if detached else path,
        0 if detached else offset,
        _NRRD_PACKINGS[encoding],
        np.dtype(_NRRD_TYPES[words]).newbyteorder(">" if is_big_endian else "<"),
    )


def _nrrd_affine(fields: Mapping[str, str]) -> tuple[FloatArray, bool]:
    """Affine to RAS, and whether the file names the directions of the patient."""
    signs = _NRRD_SPACES.get(fields.get("space", "").lower())
    affine = np.eye(4)
    if "space directions" in fields:
        vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
        affine[:3, :3] = np.transpose([_numbers(vector.replace(",", " ")) for vector in vectors])
    else:
        signs = None
        spacings = fields.get("spacings", "1 1 1").split()
        affine[[0, 1, 2], [0, 1, 2]] = [1.0 if n.lower() == "nan" else float(n) for n in spacings]
    if "space origin" in fields:
        affine[:3, 3] = _numbers(fields["space origin"].strip("()").replace(",", " "))
    return np.diag([*(signs or _LPS), 1.0]) @ affine, signs is not None


def _read_metaimage(path: Path, text: str, offset: int) -> _Voxels:
    fields = {
        key.strip().lower(): value.strip()
        for key, value in re.findall(r"^([^=\n]+)=([^\n]*)$", text, re.MULTILINE)
    }
    if int(fields.get("elementnumberofchannels", "1")) != 1:
        raise ImageError(f"{path.name} holds colours or vectors, which cannot be shown.")
    if not _is_true(fields, "binarydata", default=True):
        raise ImageError(f"{path.name} is packed as 'text', which cannot be read.")
    _refuse_skipping(path, fields, "headersize")
    shape_ijk = _shape(path, fields["dimsize"])
    stored_type = _META_TYPES[fields["elementtype"].upper()]
    is_big_endian = _is_true(fields, "binarydatabyteordermsb", "elementbyteordermsb")
    affine, is_oriented = _metaimage_affine(fields)
    data_file = fields["elementdatafile"]
    is_local = data_file.upper() == "LOCAL"
    return _Voxels(
        _header(path, shape_ijk, affine, stored_type, "MetaImage", is_oriented),
        path if is_local else _detached(path, data_file),
        offset if is_local else 0,
        "zlib" if _is_true(fields, "compresseddata") else "none",
        np.dtype(stored_type).newbyteorder(">" if is_big_endian else "<"),
    )


def _metaimage_affine(fields: Mapping[str, str]) -> tuple[FloatArray, bool]:
    """Affine to RAS, and whether the file tells the directions of its axes."""
    matrix = _first(fields, "transformmatrix", "rotation", "orientation")
    spacing = _first(fields, "elementspacing", "elementsize") or "1 1 1"
    affine = np.eye(4)
    if matrix is not None:  # the rows are the directions of the axes
        affine[:3, :3] = np.reshape(_numbers(matrix, 9), (3, 3)).T
    affine[:3, :3] *= _numbers(spacing)
    affine[:3, 3] = _numbers(_first(fields, "offset", "position", "origin") or "0 0 0")
    return np.diag([*_LPS, 1.0]) @ affine, matrix is not None


def _first(fields: Mapping[str, str], *keys: str) -> str | None:
    return next((fields[key] for key in keys if key in fields), None)


def _is_true(fields: Mapping[str, str], *keys: str, default: bool = False) -> bool:
    value = _first(fields, *keys)
    return default if value is None else value.lower() in ("true", "1")


def _numbers(text: str, count: int = 3) -> list[float]:
    numbers = [float(word) for word in text.split()]
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers instead of {count}")
    return numbers


def _shape(path: Path, text: str) -> tuple[int, int, int]:
    lengths = [int(word) for word in text.split()]
    if len(lengths) != 3:
        raise ImageError(f"{path.name} has {len(lengths)} dimensions; only 3-D images are shown.")
    i, j, k = lengths
    if min(lengths) < 1 or i * j * k > MAX_VOXELS:
        shape = " x ".join(map(str, lengths))
        raise ImageError(f"{path.name} is empty or too large: its shape is {shape}.")
    return i, j, k


def _header(
    path: Path,
    shape_ijk: tuple[int, int, int],
    affine: FloatArray,
    stored_type: str,
    format_name: str,
    is_oriented: bool,
) -> ImageHeader:
    notes: tuple[str, ...] = ()
    if not is_oriented:
        notes = (f"{path.name} says nothing of its orientation: left and right may be swapped.",)
    image = ImageHeader(shape_ijk, affine, np.dtype(stored_type).name, format_name, notes=notes)
    check_geometry(path.name, image)
    return image


def _refuse_skipping(path: Path, fields: Mapping[str, str], *keys: str) -> None:
    if any(fields.get(key, "0") not in ("", "0") for key in keys):
        raise ImageError(f"{path.name} skips bytes before its voxels, which cannot be read.")


def _detached(path: Path, name: str) -> Path:
    """The data file of a header; only one file beside it, whatever the header asks for."""
    voxels = path.parent / name
    if not name or Path(name).name != name or not voxels.is_file():
        raise ImageError(f"{path.name} has no voxels: its data file '{name}' is not beside it.")
    return voxels
