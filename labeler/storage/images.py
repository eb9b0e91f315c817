"""Reading one image, whatever its format: the door through which all voxels come in.

Format libraries are imported when the first file of their kind is read, so that starting the
program and listing cases does not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labeler.core.volume import Volume
from labeler.storage.errors import ImageError
from labeler.storage.reasons import unreadable
from labeler.storage.sources import (
    DicomSeries,
    ImageHeader,
    NoContext,
    ReadContext,
    Source,
    source_name,
)

if TYPE_CHECKING:
    from labeler.storage.cache import VolumeCache

_DICOM_MAGIC = b"DICM"
_PNG_MAGIC = b"\x89PNG"
_NRRD_MAGIC = b"NRRD"
#: gzip, and the header sizes 348 and 540 in either byte order.
_NIFTI_MAGICS = (b"\x1f\x8b", b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")


def read_header(source: Source) -> ImageHeader:
    """Read what a file says about its voxels, without reading them.

    Raises
    ------
    ImageError
        When it is no image, or one that cannot be shown.
    """
    if isinstance(source, DicomSeries):
        from labeler.storage.dicom_volume import series_header

        return series_header(source)
    kind = _format_of(source)
    if kind == "NIfTI":
        from labeler.storage.byte_stream import ByteStream
        from labeler.storage.nifti import read_nifti_header

        with ByteStream(source) as stream:
            return read_nifti_header(stream).image
    if kind == "text header":
        from labeler.storage.nrrd_metaimage import read_text_image_header

        return read_text_image_header(source)
    if kind == "PNG":
        from labeler.storage.films import read_png_header

        return read_png_header(source)
    from labeler.storage.dicom import series_of_file

    return read_header(series_of_file(source))


def read_volume(
    source: Source, context: ReadContext | None = None, cache: VolumeCache | None = None
) -> Volume:
    """Read an image into canonical axes.

    Parameters
    ----------
    source
        A file, or a series found by :func:`~labeler.storage.dicom.scan_dicom`.
    context
        Told about progress; its ``check`` is called every few megabytes, and what that raises
        passes through.
    cache
        Looked up first. A volume that was not in it is not put there: see
        :meth:`~labeler.storage.cache.VolumeCache.put`.

    Returns
    -------
    Volume
        int16 HU; float32 grey values in one slice for a film.

    Raises
    ------
    ImageError
        When it cannot be read or shown; one sentence that names the file and the reason.
    """
    context = context or NoContext()
    context.check()
    if cache is not None:
        cached = cache.get(source, context)
        if cached is not None:
            return cached
    try:
        return _read_cold(source, context)
    except MemoryError:
        raise ImageError(f"{source_name(source)} does not fit into memory.") from None


def _read_cold(source: Source, context: ReadContext) -> Volume:
    if isinstance(source, DicomSeries):
        from labeler.storage.dicom_volume import read_series

        return read_series(source, context)
    kind = _format_of(source)
    if kind == "NIfTI":
        from labeler.storage.nifti import read_nifti_volume

        return read_nifti_volume(source, context)
    if kind == "text header":
        from labeler.storage.nrrd_metaimage import read_text_image

        return read_text_image(source, context)
    if kind == "PNG":
        from labeler.storage.films import read_png

        return read_png(source)
    from labeler.storage.dicom import series_of_file

    return _read_cold(series_of_file(source), context)


def _format_of(path: Path) -> str:
    """Tell the format from the first bytes, and from the name where the bytes do not say.

    Raises
    ------
    ImageError
        When the file cannot be opened.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ImageError(f"{path.name} is a folder, not an image.")
        with open(path, "rb") as file:
            head = file.read(132)
    except OSError as error:
        raise unreadable(path, error) from error
    if not head:
        raise ImageError(f"{path.name} is empty.")
    for kind, is_it in (
        ("DICOM", head[128:] == _DICOM_MAGIC),
        ("PNG", head.startswith(_PNG_MAGIC)),
        ("text header", head.startswith(_NRRD_MAGIC)),
        ("NIfTI", head.startswith(_NIFTI_MAGICS)),
    ):
        if is_it:
            return kind
    name = path.name.lower()
    by_name = {".png": "PNG", ".nii": "NIfTI", ".nii.gz": "NIfTI"} | dict.fromkeys(
        (".nrrd", ".nhdr", ".mha", ".mhd"), "text header"
    )
    # Slices without a preamble have no magic, and often no suffix either.
    return next((kind for suffix, kind in by_name.items() if name.endswith(suffix)), "DICOM")
