"""Finding DICOM images: a folder tree becomes a list of series.

pydicom is imported when the first DICOM file is met; starting the program does not wait for it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeler.storage.errors import ImageError
from labeler.storage.listing import Listing, looks_like_dicom
from labeler.storage.sources import DicomSeries, NoContext, ReadContext

if TYPE_CHECKING:
    from labeler.storage.dicom_slices import DicomSlice

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")

_MAGIC_OFFSET = 128
#: Files of a folder that are opened to tell whether it holds slices.
_PROBED = 6
#: Sentences about broken files that a scan collects before it only counts them.
_MAX_PROBLEMS = 20


@dataclass(frozen=True)
class DicomScan:
    """What was found below a folder.

    Attributes
    ----------
    series
        Volumes, localizers and films; ``DicomSeries.problem`` tells what is wrong with one.
    problems
        Sentences about files that could not be read at all.
    """

    series: tuple[DicomSeries, ...]
    problems: tuple[str, ...]


def is_dicom_file(path: Path) -> bool:
    """Whether the content is DICOM, by its magic or by what its first element looks like."""
    try:
        if not path.is_file():  # opening a pipe would wait for its other end
            return False
        with open(path, "rb") as file:
            head = file.read(_MAGIC_OFFSET + 4)
    except OSError:
        return False
    if head[_MAGIC_OFFSET:] == b"DICM":
        return True
    # Without preamble: a file meta or identifying group, an element, and a plausible VR or length.
    if len(head) < 12 or head[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    element = struct.unpack_from("<H", head, 2)[0]
    has_vr = head[4:6].isalpha() and head[4:6].isupper()
    return element <= 0x0100 and (has_vr or struct.unpack_from("<I", head, 4)[0] <= 256)


def holds_slices(listing: Listing) -> bool:
    """Whether a folder holds DICOM files: some say so by name, of the others a few are opened."""
    names = [name for name in listing.files if looks_like_dicom(name)]
    if any(name.lower().endswith(DICOM_SUFFIXES) for name in names):
        return True  # also when they are damaged: then the case has to say so
    probed = names[:: 1 + len(names) // _PROBED]
    return any(is_dicom_file(Path(listing.path(name))) for name in probed)


def scan_dicom(folder: Path, context: ReadContext | None = None) -> DicomScan:
    """Find all series in a folder and the folders below it.

    Files that are not DICOM, and DICOM objects that are no images, are passed over; broken files
    become a sentence each. Nothing is raised for bad input; what ``context.check`` raises passes
    through.
    """
    from labeler.storage.dicom_slices import read_slices
    from labeler.storage.dicom_stacks import build_series

    context = context or NoContext()
    slices: list[DicomSlice] = []
    problems: list[str] = []
    for path in _files(folder, problems):
        context.check()
        if not is_dicom_file(path):
            continue
        try:
            slices += read_slices(path)
        except ImageError as error:
            problems.append(str(error))
    if len(problems) > _MAX_PROBLEMS:
        more = len(problems) - _MAX_PROBLEMS
        problems[_MAX_PROBLEMS:] = [f"{more} more files in {folder.name} cannot be read."]
    return DicomScan(tuple(build_series(slices)), tuple(problems))


def series_of_file(path: Path) -> DicomSeries:
    """Make a series of one file: a slice, a multi-frame volume or a film.

    Raises
    ------
    ImageError
        When the file holds no image, or one that cannot be read.
    """
    from labeler.storage.dicom_slices import read_slices, unshown_kind
    from labeler.storage.dicom_stacks import build_series

    if not path.is_file() or not is_dicom_file(path):
        raise ImageError(f"{path.name} is no image of a kind that can be read.")
    series = build_series(read_slices(path))
    if not series:
        raise ImageError(f"{path.name} is {unshown_kind(path)}, which cannot be shown.")
    if len(series) > 1:
        raise ImageError(f"{path.name} holds {len(series)} stacks; open its folder instead.")
    return series[0]


def _files(folder: Path, problems: list[str]) -> Iterator[Path]:
    """All files below a folder, sorted within each; links to folders are not followed."""

    def note(error: OSError) -> None:
        problems.append(f"The folder {Path(error.filename or folder).name} cannot be read.")

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)
