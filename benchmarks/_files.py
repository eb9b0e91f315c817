"""Files that figures are measured on, in temporary folders."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip
from nibabel.fileholders import FileHolder

from benchmarks import _scene
from labeler.core.volume import PHASES

#: As most converters write: columns to the right, rows to the front.
AFFINE_RAS = np.diag([*_scene.SPACING_MM, 1.0])

_GZIP_LEVEL = 3


class Folder:
    """A temporary folder that lives until the row is measured."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ct-labeler-bench-")
        self.path = Path(self._folder.name)

    def remove(self) -> None:
        self._folder.cleanup()


def write_phases(folder: Path, n_slices: int = _scene.SHAPE_KJI[0]) -> list[Path]:
    """Four phases of 300 slices, 157 MB, 73 MB packed: a noisy body in less noisy air."""
    rng = np.random.default_rng(5)
    j, i = np.ogrid[-1:1:512j, -1:1:512j]
    is_body = (j / 0.62) ** 2 + (i / 0.85) ** 2 < 1
    noise = rng.standard_normal((60, 512, 512), np.float32)
    slab = np.where(is_body, 60 + 18 * noise, -1000 + 6 * noise).astype(np.int16)
    paths = [folder / f"{phase}.nii.gz" for phase in PHASES]
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(partial(_write_phase, slab, n_slices), paths, range(len(paths))))
    return paths


def _write_phase(slab: npt.NDArray[np.int16], n_slices: int, path: Path, number: int) -> None:
    slices = (np.arange(n_slices) - 7 * number) % len(slab)
    write_packed(path, slab[slices])


def write_packed(path: Path, array_kji: npt.NDArray[Any]) -> None:
    """Write ``array_kji`` as a gzipped NIfTI file; packed by isal, which takes a second.

    More slices than the scene has are thinner ones: the patient stays as long.
    """
    thinner = np.diag([1.0, 1.0, _scene.SHAPE_KJI[0] / len(array_kji), 1.0])
    image = nib.Nifti1Image(array_kji.transpose(2, 1, 0), AFFINE_RAS @ thinner)
    with igzip.open(path, "wb", compresslevel=_GZIP_LEVEL) as file:
        image.to_file_map({"image": FileHolder(fileobj=file)})


def write_cases(root: Path, count: int, n_slices: int = _scene.SHAPE_KJI[0]) -> None:
    """Write ``images`` and ``masks`` of equal cases: four phases and two masks with 57 objects.

    Their phases are the same files under other names; nothing in the program takes note of that.
    """
    first = root / "images" / "case-0"
    first.mkdir(parents=True)
    phases = write_phases(first, n_slices)
    masks = root / "masks" / "case-0"
    masks.mkdir(parents=True)
    slices = np.arange(n_slices) * _scene.SHAPE_KJI[0] // n_slices
    write_packed(masks / "draft.nii.gz", _scene.second_labels()[slices])
    write_packed(masks / "reference.nii.gz", _scene.labels()[slices])
    for number in range(1, count):
        for paths, kind in ((phases, "images"), (sorted(masks.iterdir()), "masks")):
            folder = root / kind / f"case-{number}"
            folder.mkdir()
            for path in paths:
                os.link(path, folder / path.name)
