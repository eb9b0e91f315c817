"""NIfTI files: headers by nibabel, bytes by isal.

Only single files (``n+1``, versions 1 and 2) of one 3-D image are read. The sform is preferred to
the qform, scaling is applied, slope 0 means 1.

nibabel takes a quarter of a second to import, so the functions that need it import it: starting
the program must not wait for the first file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeler.core.geometry import FloatArray, GeometryError
from labeler.core.volume import Volume
from labeler.storage.byte_stream import ByteStream
from labeler.storage.errors import ImageError
from labeler.storage.sources import ImageHeader, NoContext, ReadContext
from labeler.storage.voxels import HuConverter, read_canonical

if TYPE_CHECKING:
    import nibabel as nib

#: Voxels that a volume may have: 4 GB of int16.
MAX_VOXELS = 2**31
#: Bytes that header and extensions may have before the voxels.
_MAX_OFFSET = 16 * 2**20
_SINGLE_FILE_OFFSET = {348: 352, 540: 544}
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
_UNIT_NAMES = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """A checked header.

    Attributes
    ----------
    fields
        The header as nibabel keeps it, values as stored.
    preamble
        All bytes before the voxels: header, extensions, padding.
    dtype
        Stored type with its byte order.
    slope, inter
        Value = slope * stored + inter.
    image
        Shape, affine and notes.
    """

    fields: nib.Nifti1Header
    preamble: bytes
    dtype: np.dtype[Any]
    slope: float
    inter: float
    image: ImageHeader

    @property
    def nbytes(self) -> int:
        """Size of the voxels as stored."""
        return int(np.prod(self.image.shape_ijk, dtype=np.int64)) * self.dtype.itemsize


def read_nifti_header(stream: ByteStream) -> NiftiHeader:
    """Read and check the header; the stream stands at the first voxel afterwards.

    Raises
    ------
    ImageError
        When the file is no NIfTI file or not one that can be shown.
    """
    import nibabel as nib

    name = stream.path.name
    block = stream.read(348)
    size = _header_size(block)
    if size is None:
        raise ImageError(f"{name} is no NIfTI file.")
    if size == 540:
        block += stream.read(540 - 348)
    _check_magic(name, block, size)
    kind = nib.Nifti1Header if size == 348 else nib.Nifti2Header
    fields = kind(block, check=False)
    shape_ijk = _shape(name, fields)
    dtype = _dtype(name, fields)
    offset = _offset(name, fields, size)
    slope, inter = stored_scaling(name, fields)
    affine, affine_notes = _affine(name, fields, shape_ijk)
    image = ImageHeader(
        shape_ijk,
        affine,
        dtype.newbyteorder("=").name,
        "NIfTI",
        notes=(*_name_notes(stream), *affine_notes),
    )
    check_geometry(name, image)
    voxels = int(np.prod(shape_ijk, dtype=np.int64))
    stream.check_can_hold(offset + voxels * dtype.itemsize)
    if voxels > MAX_VOXELS:
        raise ImageError(f"{name} is too large: it has {voxels / 1e9:.1f} billion voxels.")
    preamble = block + stream.read(offset - len(block))
    return NiftiHeader(fields, preamble, dtype, slope, inter, image)


def read_nifti_volume(path: Path, context: ReadContext | None = None) -> Volume:
    """Read a volume.

    Raises
    ------
    ImageError
        When it cannot be read or shown.
    """
    with ByteStream(path) as stream:
        header = read_nifti_header(stream)
        converter = HuConverter(path.name, header.slope, header.inter)
        order = header.image.axis_order
        array = read_canonical(
            stream.read_into, header.dtype, order, converter, context or NoContext()
        )
        stream.finish()
        notes = (*header.image.notes, *converter.finish(), *stream.notes)
    return Volume(array, header.image.grid, order, notes)


def check_geometry(name: str, image: ImageHeader) -> None:
    """Refuse a geometry that no view can show.

    Raises
    ------
    ImageError
        With the fault.
    """
    try:
        _ = image.grid
    except GeometryError as error:
        raise ImageError(f"{name} cannot be shown: {error}.") from error


def _header_size(block: bytes) -> int | None:
    sizes = int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")
    return next((size for size in sizes if size in _SINGLE_FILE_OFFSET), None)


def _check_magic(name: str, block: bytes, size: int) -> None:
    magic = block[344:348] if size == 348 else block[4:8]
    if magic[:3] in (b"ni1", b"ni2"):
        raise ImageError(f"{name} is the header of a NIfTI pair; only single files can be read.")
    if magic[:3] not in (b"n+1", b"n+2"):
        raise ImageError(f"{name} is an ANALYZE file, which says nothing of left and right.")


def _shape(name: str, fields: nib.Nifti1Header) -> tuple[int, int, int]:
    count = int(fields["dim"][0])
    if not 1 <= count <= 7:
        raise ImageError(f"{name} is damaged: its header tells of {count} dimensions.")
    lengths = [int(n) for n in fields["dim"][1 : count + 1]]
    if min(lengths) < 1:
        raise ImageError(f"{name} is empty: its shape is {_times(lengths)}.")
    if any(n > 1 for n in lengths[3:]):
        while lengths[-1] == 1:
            lengths.pop()
        raise ImageError(
            f"{name} has {len(lengths)} dimensions ({_times(lengths)}); only 3-D images are shown."
        )
    i, j, k = [*lengths, 1, 1][:3]
    return i, j, k


def _times(lengths: list[int]) -> str:
    return " x ".join(map(str, lengths))


def _dtype(name: str, fields: nib.Nifti1Header) -> np.dtype[Any]:
    from nibabel.spatialimages import HeaderDataError

    code = int(fields["datatype"])
    try:
        dtype = np.dtype(fields.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise ImageError(f"{name} is damaged: data type {code} is not known.") from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        kind = "colours" if dtype.names else "numbers"
        raise ImageError(f"{name} holds {kind} of a type that cannot be shown ({code}).")
    return dtype.newbyteorder(fields.endianness)


def _offset(name: str, fields: nib.Nifti1Header, size: int) -> int:
    stored = float(fields["vox_offset"])
    if stored == 0:  # some writers leave it out; there is only one place it can be
        return _SINGLE_FILE_OFFSET[size]
    if not _SINGLE_FILE_OFFSET[size] <= stored <= _MAX_OFFSET:
        raise ImageError(f"{name} is damaged: its voxels are said to start at byte {stored:.6g}.")
    return int(stored)


def stored_scaling(name: str, fields: nib.Nifti1Header) -> tuple[float, float]:
    """Slope and intercept that take effect; ``(1, 0)`` when there is no scaling.

    Raises
    ------
    ImageError
        When the intercept is not a number.
    """
    slope, inter = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(inter):
        raise ImageError(f"{name} is damaged: its intercept is not a number.")
    return slope, inter


def _affine(
    name: str, fields: nib.Nifti1Header, shape_ijk: tuple[int, int, int]
) -> tuple[FloatArray, list[str]]:
    from nibabel.volumeutils import shape_zoom_affine

    notes: list[str] = []
    if int(fields["sform_code"]) > 0:
        affine = fields.get_sform()
    elif int(fields["qform_code"]) > 0:
        affine = _qform(name, fields)
    else:
        spacing_mm = np.abs(np.resize(fields["pixdim"][1:4].astype(np.float64), 3))
        affine = shape_zoom_affine(shape_ijk, spacing_mm, x_flip=True)
        notes.append(f"{name} says nothing of its orientation: left and right may be swapped.")
    unit = int(fields["xyzt_units"]) & 7
    affine = np.array(affine, dtype=np.float64)
    if unit in _MM_PER_UNIT:
        affine[:3] *= _MM_PER_UNIT[unit]
        notes.append(f"{name} is measured in {_UNIT_NAMES[unit]}; converted to mm.")
    return affine, notes


def _qform(name: str, fields: nib.Nifti1Header) -> FloatArray:
    from nibabel.spatialimages import HeaderDataError

    header = fields.copy()
    if float(header["pixdim"][0]) not in (-1.0, 1.0):  # the standard: anything but -1 means 1
        header["pixdim"][0] = 1.0
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        raise ImageError(f"{name} is damaged: its orientation cannot be decoded.") from error


def _name_notes(stream: ByteStream) -> list[str]:
    is_named_gzip = stream.path.name.lower().endswith(".gz")
    if is_named_gzip and stream.packing != "gzip":
        return [f"{stream.path.name} is not compressed, whatever its name says."]
    return []
