"""Small cases written as files, for tests that go through the disk as the program does."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE_IJK = (40, 36, 16)
SPACING_MM = (2.0, 2.0, 4.0)

#: Boxes ``[i, j, k]`` and the label inside: two lesions and a liver.
BOXES = (
    ((slice(5, 12), slice(6, 14), slice(3, 8)), 11),
    ((slice(20, 24), slice(20, 26), slice(9, 12)), 11),
    ((slice(28, 38), slice(4, 30), slice(2, 14)), 1),
)

PHASE_HU = {"NC": 50, "ART": 80, "PV": 110, "DL": 90}


def affine(
    shift_mm: float = 0.0, spacing_mm: tuple[float, float, float] = SPACING_MM
) -> np.ndarray:
    """RAS affine of a small volume; ``shift_mm`` moves it towards the head."""
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = (-40.0, -36.0, -100.0 + shift_mm)
    return matrix


def phantom_ijk(hu: int, shape_ijk: tuple[int, int, int] = SHAPE_IJK) -> np.ndarray:
    """Int16 HU ``[i, j, k]``: background 0, the boxes brighter by their label."""
    array = np.full(shape_ijk, hu, np.int16)
    for where, label in BOXES:
        array[where] += label
    return array


def labels_ijk(dtype: str = "uint8") -> np.ndarray:
    """Label map ``[i, j, k]`` with the boxes."""
    array = np.zeros(SHAPE_IJK, dtype)
    for where, label in BOXES:
        array[where] = label
    return array


def write_image(path: Path, array_ijk: np.ndarray, matrix: np.ndarray | None = None) -> Path:
    """Write a NIfTI file with sform and qform."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array_ijk, affine() if matrix is None else matrix)
    image.set_sform(image.affine, 1)
    image.set_qform(image.affine, 1)
    nib.save(image, path)
    return path


def write_case(
    root: Path, case_id: str, phases: tuple[str, ...] = ("NC", "ART", "PV", "DL")
) -> None:
    """Write ``images/<case>/<phase>.nii.gz`` and ``masks/<case>/draft.nii.gz`` below ``root``.

    Every phase but PV has a grid of its own.
    """
    for number, phase in enumerate(phases):
        shape = SHAPE_IJK if phase == "PV" else (SHAPE_IJK[0], SHAPE_IJK[1], SHAPE_IJK[2] + number)
        matrix = affine(0.0 if phase == "PV" else 1.5 * (number + 1))
        write_image(
            root / "images" / case_id / f"{phase}.nii.gz",
            phantom_ijk(PHASE_HU[phase], shape),
            matrix,
        )
    write_image(root / "masks" / case_id / "draft.nii.gz", labels_ijk())
