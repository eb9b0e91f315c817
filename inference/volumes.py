"""Images for the command line: NIfTI files, folders of phases, DICOM folders.

Whatever cannot be read exactly as it was meant is refused with a sentence (ValueError): no voxel
is made up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Card, Image
from inference.phases import phase_of

if TYPE_CHECKING:
    import nibabel

NIFTI_SUFFIXES = (".nii.gz", ".nii")
_BYTES_MAX = 1 << 33  # what a compressed file may become
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib's way to say: with the header of gzip
_HU_MIN, _HU_MAX = -32768, 32767


@dataclass(frozen=True, eq=False)
class Source:
    """An image with what is needed to write a mask of exactly its geometry.

    Parameters
    ----------
    image : Image
        Axes as stored: i, j, k are those of the file.
    header : nibabel NIfTI header, optional
        Of the file; None for DICOM.
    path : Path
        File or folder.
    """

    image: Image
    header: nibabel.Nifti1Header | None
    path: Path


@dataclass(frozen=True)
class Input:
    """An image that was found, not read yet.

    Parameters
    ----------
    path : Path
        NIfTI file or DICOM folder.
    phase : str or None
        None when nothing names it.
    """

    path: Path
    phase: str | None


def find_inputs(arguments: Iterable[str]) -> list[Input]:
    """Return the images that arguments of the command line mean.

    Parameters
    ----------
    arguments : iterable of str
        Each a NIfTI file, a folder of NIfTI files or of DICOM slices, a folder of such folders,
        or ``PHASE=`` and one of the first two.

    Raises
    ------
    ValueError
        Nothing there, or two images of one phase.
    """
    found: list[Input] = []
    for argument in arguments:
        name, sign, rest = argument.partition("=")
        if sign and name.upper() in PHASES:
            found.append(Input(_existing(Path(rest)), name.upper()))
            continue
        path = _existing(Path(argument))
        images = [path] if path.is_file() else _in_folder(path)
        if not images:
            raise ValueError(f"{path} holds neither NIfTI files nor DICOM slices")
        found += [Input(image, phase_of(_stem(image))) for image in images]
    named = [each.phase for each in found if each.phase]
    twice = sorted({phase for phase in named if named.count(phase) > 1})
    if twice:
        raise ValueError(
            f"there is more than one image of {', '.join(twice)}; name them PHASE=FILE"
        )
    return found


def with_phases(inputs: Sequence[Input], card: Card) -> tuple[dict[str, Input], list[str]]:
    """Give images the phase keys of a request.

    Returns
    -------
    inputs : dict of str to Input
    warnings : list of str
        What was assumed.

    Raises
    ------
    ValueError
        Several images of which nobody knows the phase.
    """
    if len(inputs) == 1 and inputs[0].phase is None:
        phase = card.phases[0] if card.phases else "CT"
        warning = f"nothing names the phase of {inputs[0].path.name}; it is taken as {phase}"
        assumed = [] if len(card.phases) == 1 else [warning]
        return {phase: inputs[0]}, assumed
    unnamed = [each.path.name for each in inputs if each.phase is None]
    if unnamed:
        raise ValueError(
            f"which phase is {', '.join(unnamed)}? Say PHASE=FILE ({'/'.join(PHASES)})"
        )
    return {str(each.phase): each for each in inputs}, []


def read_source(path: Path) -> Source:
    """Read a NIfTI file or a DICOM folder.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no 3-D CT, damaged, or in a geometry that has no affine.
    """
    if path.is_dir():
        from inference.dicom_folder import read_dicom_folder

        return Source(read_dicom_folder(path), None, path)
    return _read_nifti(path)


def _read_nifti(path: Path) -> Source:
    import nibabel

    data = _content(path)
    size = int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big")
    kind = nibabel.Nifti2Image if 540 in size else nibabel.Nifti1Image
    try:
        nifti = kind.from_bytes(data)
        shape = nifti.shape
        if len(shape) < 3 or math.prod(shape) != math.prod(shape[:3]) or math.prod(shape) == 0:
            raise ValueError(f"it has the shape {shape}, and a CT has three axes")
        values = np.asanyarray(nifti.dataobj).reshape(shape[:3], order="F")
        array = np.ascontiguousarray(_hounsfield(values).transpose(2, 1, 0))
        return Source(Image(array, nifti.affine), nifti.header, path)
    except Exception as error:  # nibabel raises many kinds on damaged files
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as NIfTI: {reason}") from error


def _hounsfield(values: NDArray[Any]) -> NDArray[np.int16]:
    """Return values as int16 HU, rounded; what no int16 can hold is cut off."""
    if values.dtype == np.int16:
        return values.astype(np.int16, copy=False)  # in this machine's byte order
    if values.dtype.kind not in "iuf":
        raise ValueError(f"its voxels are {values.dtype}, not HU")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError("some of its voxels are no numbers")
        values = np.rint(values)
    return np.asarray(np.clip(values, _HU_MIN, _HU_MAX), dtype=np.int16)


def _content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked."""
    data = path.read_bytes()
    if not data.startswith(_GZIP_MAGIC):
        return data
    from isal import isal_zlib

    pieces = []
    left = _BYTES_MAX
    try:
        while data:  # a file may hold several members
            stream = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
            pieces.append(stream.decompress(data, left))
            left -= len(pieces[-1])
            if not stream.eof:
                reason = "is cut off" if left else "unpacks to more than a CT can be"
                raise ValueError(f"{path} {reason}")
            data = stream.unused_data.lstrip(b"\0")
    except isal_zlib.error as error:  # type: ignore[misc]
        raise ValueError(f"{path} is damaged: {error}") from error
    return b"".join(pieces)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"{path} does not exist")
    return path


def _in_folder(folder: Path) -> list[Path]:
    """Return the images of a case folder: NIfTI files, else folders with slices, else itself."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    nifti = [path for path in files if path.name.endswith(NIFTI_SUFFIXES)]
    if nifti:
        return nifti
    if any(path.is_file() for path in files):
        return [folder]
    inner = [path for path in files if path.is_dir()]
    return [image for each in inner for image in _in_folder(each)[:1]]


def _stem(path: Path) -> str:
    name = path.name
    suffix = next((s for s in NIFTI_SUFFIXES if name.endswith(s)), "")
    return name[: len(name) - len(suffix)]
