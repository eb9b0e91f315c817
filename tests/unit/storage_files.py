"""Small files to read: NIfTI in any orientation, and headers changed byte by byte."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff

#: All 48 ways a file can lay its axes: ("R", "A", "S"), ("P", "I", "R"), ...
ORIENTATIONS = [
    codes
    for order in itertools.permutations(("LR", "PA", "IS"))
    for codes in itertools.product(*order)
]


def affine_for(codes, shape_ijk, spacing_mm=(0.7, 0.9, 2.5), origin_mm=(-30.0, 12.5, 400.0)):
    """Affine of a file whose axes run to ``codes``; the patient stays where it is."""
    ornt = axcodes2ornt(codes)
    ras_shape = [0, 0, 0]
    for axis, (ras_axis, _) in enumerate(ornt):
        ras_shape[int(ras_axis)] = shape_ijk[axis]
    ras = np.diag([*spacing_mm, 1.0])
    ras[:3, 3] = origin_mm
    # inv_ornt_aff maps the axes of the oriented array to those of the one it came from.
    back = np.stack([np.argsort(ornt[:, 0]), ornt[np.argsort(ornt[:, 0]).astype(int), 1]], axis=1)
    return ras @ inv_ornt_aff(back, ras_shape)


def random_hu(shape_ijk, seed=0, dtype=np.int16):
    """Values over the range of CT."""
    rng = np.random.default_rng(seed)
    return rng.integers(-1024, 3072, shape_ijk).astype(dtype)


def write_nifti(path: Path, array_ijk, affine=None, **fields) -> Path:
    """Write with nibabel, values unscaled; ``fields`` overwrite entries of the header."""
    array = np.asarray(array_ijk)
    kind = fields.pop("kind", nib.Nifti1Image)
    affine = np.diag([1.0, 1.0, 2.0, 1.0]) if affine is None else affine
    image = kind(array, affine, dtype=array.dtype)
    image.header.extensions.extend(fields.pop("extensions", ()))
    image.to_filename(path)
    if fields:
        change_header(path, **fields)
    return path


def change_header(path: Path, **fields) -> None:
    """Overwrite entries of the header and leave all other bytes as they are."""
    data = content_of(path)
    is_large = int.from_bytes(data[:4], "little") == 540
    kind = nib.Nifti2Header if is_large else nib.Nifti1Header
    size = kind.sizeof_hdr
    header = kind(data[:size], check=False)
    for name, value in fields.items():
        header[name] = value
    put(path, header.binaryblock + data[size:])


def content_of(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def put(path: Path, data: bytes) -> Path:
    """Write bytes, packed when the name says so."""
    path.write_bytes(gzip.compress(data, 1) if path.name.endswith(".gz") else data)
    return path


class Progress:
    """A context that notes what it was told, and stops the reading at a given check."""

    class Stopped(Exception):
        """Raised by :meth:`check`."""

    def __init__(self, stop_at=None):
        self.fractions: list[float] = []
        self.checks = 0
        self._stop_at = stop_at

    def report(self, fraction, text=""):
        self.fractions.append(fraction)

    def check(self):
        self.checks += 1
        if self.checks == self._stop_at:
            raise self.Stopped
