"""Masks on disk: read, made new, and written back in exactly the geometry they were read with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from isal import isal_zlib

from labeler.core.geometry import AxisOrder, FloatArray, Grid
from labeler.core.mask import LabelArray, Mask
from labeler.core.volume import Volume
from labeler.storage.atomic import Expect, Fingerprint, split_name, write_bytes_durably
from labeler.storage.byte_stream import ByteStream
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.nifti import NiftiHeader, read_nifti_header, stored_scaling
from labeler.storage.sources import ImageHeader, NoContext, ReadContext
from labeler.storage.voxels import LabelConverter, read_canonical

if TYPE_CHECKING:
    import nibabel as nib

MASK_SUFFIXES = (".nii.gz", ".nii")

#: Of isal: half the time of zlib's default at nearly its size.
_GZIP_LEVEL = 2
_GZIP_WBITS = 31
_SLAB_BYTES = 8 * 2**20
_SCANNER_ANATOMICAL = 1
_MAX_NIFTI1_LENGTH = 32767


@dataclass(frozen=True, eq=False)
class MaskFile:
    """A mask together with what is needed to write it back as it was.

    Attributes
    ----------
    path
        Where it was read; a bare file name for a mask that has not been saved yet.
    mask
        The labels, canonical axes.
    fingerprint
        Of the bytes that were read; ``None`` when there is no file yet.
    template
        Header of the file, extensions included.
    notes
        Sentences for the user about what had to be assumed.
    """

    path: Path
    mask: Mask
    fingerprint: Fingerprint | None
    template: NiftiHeader
    notes: tuple[str, ...] = ()


def read_mask(path: Path, name: str | None = None, context: ReadContext | None = None) -> MaskFile:
    """Read a label map from a NIfTI file.

    Parameters
    ----------
    path
        The file. Floating point files are fine as long as all values are whole numbers.
    name
        Name of the mask within the case; by default the stem of the file.
    context
        Asked every 8 MB whether to go on.

    Raises
    ------
    ImageError
        When it cannot be read, has no usable geometry, or holds a value that is no label.
    """
    if not path.name.lower().endswith(MASK_SUFFIXES):
        raise ImageError(f"{path.name} is no mask that can be edited: masks are NIfTI files.")
    with ByteStream(path, with_fingerprint=True) as stream:
        header = read_nifti_header(stream)
        converter = LabelConverter(path.name, header.dtype, header.slope, header.inter)
        order = header.image.axis_order
        try:
            array = read_canonical(
                stream.read_into, header.dtype, order, converter, context or NoContext()
            )
        except MemoryError:
            raise ImageError(f"{path.name} does not fit into memory.") from None
        stream.finish()
        fingerprint = stream.fingerprint()
        notes = (*header.image.notes, *stream.notes)
    if array.dtype == np.uint16 and converter.highest <= np.iinfo(np.uint8).max:
        array = array.astype(np.uint8)
    mask = Mask(name or split_name(path.name)[0], array, header.image.grid, order)
    return MaskFile(path, mask, fingerprint, header, notes)


def new_mask(name: str, grid: Grid, axis_order: AxisOrder, like: Volume | MaskFile) -> MaskFile:
    """Make an empty mask that will be stored in the voxel order of the file it belongs to.

    Parameters
    ----------
    name
        Name within the case.
    grid, axis_order
        Of the volume or mask it is drawn on.
    like
        A mask file on the same grid, whose header is taken over, or a volume.
    """
    mask = Mask(name, np.zeros(grid.shape_kji, np.uint8), grid, axis_order)
    if isinstance(like, MaskFile):
        if not grid.matches(like.mask.grid) or axis_order != like.mask.axis_order:
            raise ValueError(f"mask {like.mask.name!r} lies on another grid than {name!r}")
        fields = like.template.fields
        rest = like.template.preamble[len(fields.binaryblock) :]
    else:
        fields, rest = _new_fields(grid, axis_order), bytes(4)
    template = _with_dtype(fields, rest, np.dtype(np.uint8), grid, axis_order)
    return MaskFile(Path(f"{name}.nii.gz"), mask, None, template)


def save_mask(
    path: Path,
    array: LabelArray,
    mask_file: MaskFile,
    *,
    expected_fingerprint: Fingerprint | None,
    before_replace: Callable[[Fingerprint], None] | None = None,
    keep_backups: int = 5,
) -> Fingerprint:
    """Write a mask durably (see :func:`~labeler.storage.atomic.write_bytes_durably`).

    Shape, affine, sform, qform, codes, units and extensions are those of the file that was read,
    and so is the stored type unless a label does not fit it.

    Parameters
    ----------
    path
        Target, ``.nii.gz`` or ``.nii``.
    array
        Private copy of the labels, canonical ``[k, j, i]``, uint8 or uint16.
    mask_file
        What was read (or made new).
    expected_fingerprint
        Of the file that ``array`` derives from; ``None`` when there must be no file yet.
    before_replace
        Called when the new content is safe under a temporary name.
    keep_backups
        Previous versions to keep in ``backups``.

    Returns
    -------
    Fingerprint
        Of the file as it is now; expected by the next save.

    Raises
    ------
    ConflictError
        When the file is not the one expected; nothing was written.
    SaveError
        When writing failed; the old file is intact and the call can be repeated.
    """
    if not path.name.lower().endswith(MASK_SUFFIXES):
        raise SaveError(f"{path.name} was not saved: masks are written as .nii.gz or .nii.")
    data = encode_mask(array, mask_file, is_gzip=path.name.lower().endswith(".gz"))
    return write_bytes_durably(
        path,
        data,
        expected=expected_fingerprint or Expect.NOTHING,
        keep_backups=keep_backups,
        before_replace=before_replace,
    )


def encode_mask(array: LabelArray, mask_file: MaskFile, *, is_gzip: bool) -> bytes:
    """Serialize a mask as a NIfTI file (see :func:`save_mask`); equal input gives equal bytes."""
    if array.shape != mask_file.mask.grid.shape_kji:
        raise ValueError(f"array {array.shape} is not that of mask {mask_file.mask.name!r}")
    template, order = mask_file.template, mask_file.mask.axis_order
    dtype = _stored_dtype(template.dtype, int(array.max()))
    rest = template.preamble[len(template.fields.binaryblock) :]
    header = _with_dtype(template.fields, rest, dtype, mask_file.mask.grid, order)
    file_kji = order.to_file(array).transpose(2, 1, 0)
    planes = max(1, _SLAB_BYTES // max(1, file_kji[0].size * dtype.itemsize))
    packer = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS) if is_gzip else None
    parts = [packer.compress(header.preamble) if packer else header.preamble]
    for k0 in range(0, len(file_kji), planes):
        slab = np.ascontiguousarray(file_kji[k0 : k0 + planes], dtype=dtype)
        parts.append(packer.compress(slab.data) if packer else slab.tobytes())
    if packer is not None:
        parts.append(packer.flush())
    return b"".join(parts)


def _stored_dtype(dtype: np.dtype[Any], highest: int) -> np.dtype[Any]:
    """The type of the file when it can hold the highest label exactly, else the next unsigned."""
    is_float = dtype.kind == "f"
    exact = 2 ** (np.finfo(dtype).nmant + 1) if is_float else int(np.iinfo(dtype).max)
    if highest <= exact:
        return dtype
    return np.dtype(np.uint8 if highest <= 255 else np.uint16).newbyteorder(dtype.byteorder)


def _with_dtype(
    fields: nib.Nifti1Header,
    rest: bytes,
    dtype: np.dtype[Any],
    grid: Grid,
    order: AxisOrder,
) -> NiftiHeader:
    """Header for labels of a type, stored without scaling; everything else stays as it was."""
    fields = fields.copy()
    fields.set_data_dtype(dtype)
    if stored_scaling("", fields) != (1.0, 0.0):
        fields["scl_slope"], fields["scl_inter"] = 1.0, 0.0
    fields["vox_offset"] = len(fields.binaryblock) + len(rest)
    image = ImageHeader(order.file_shape_ijk, _file_affine(grid, order), dtype.name, "NIfTI")
    return NiftiHeader(fields, fields.binaryblock + rest, dtype, 1.0, 0.0, image)


def _new_fields(grid: Grid, order: AxisOrder) -> nib.Nifti1Header:
    import nibabel as nib

    is_large = max(order.file_shape_ijk) > _MAX_NIFTI1_LENGTH
    fields = nib.Nifti2Header() if is_large else nib.Nifti1Header()
    fields.set_data_shape(order.file_shape_ijk)
    affine = _file_affine(grid, order)
    fields.set_qform(affine, _SCANNER_ANATOMICAL)
    fields.set_sform(affine, _SCANNER_ANATOMICAL)
    fields.set_xyzt_units("mm")
    return fields


def _file_affine(grid: Grid, order: AxisOrder) -> FloatArray:
    """Affine of the file's axes, from that of the canonical ones."""
    step = order.canonical_affine(np.eye(4))
    return np.asarray(grid.affine @ np.linalg.inv(step), dtype=np.float64)
