"""Reading a real CT with its organ label map, in any orientation, as arrays ``[k, j, i]``."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
from nibabel import orientations
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from inference.phantom.fields import Values
from inference.phantom.grids import Grid

PADDING_HU = -1500.0
"""Below this a voxel was never measured: scanners fill the outside of their circle with -2000."""

# Class numbers of TotalSegmentator v2, task "total", for label maps that come without names.
_VERTEBRAE = ["S1", *(f"L{n}" for n in range(5, 0, -1)), *(f"T{n}" for n in range(12, 0, -1))]
_VERTEBRAE += [f"C{n}" for n in range(7, 0, -1)]
_TOTAL = (
    "spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right "
    "adrenal_gland_left lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right "
    "lung_middle_lobe_right lung_lower_lobe_right esophagus trachea thyroid_gland small_bowel "
    "duodenum colon urinary_bladder prostate kidney_cyst_left kidney_cyst_right sacrum "
    + " ".join(f"vertebrae_{name}" for name in _VERTEBRAE)
    + " heart aorta pulmonary_vein brachiocephalic_trunk subclavian_artery_right "
    "subclavian_artery_left common_carotid_artery_right common_carotid_artery_left "
    "brachiocephalic_vein_left brachiocephalic_vein_right atrial_appendage_left "
    "superior_vena_cava inferior_vena_cava portal_vein_and_splenic_vein iliac_artery_left "
    "iliac_artery_right iliac_vena_left iliac_vena_right humerus_left humerus_right "
    "scapula_left scapula_right clavicula_left clavicula_right femur_left femur_right hip_left "
    "hip_right spinal_cord gluteus_maximus_left gluteus_maximus_right gluteus_medius_left "
    "gluteus_medius_right gluteus_minimus_left gluteus_minimus_right autochthon_left "
    "autochthon_right iliopsoas_left iliopsoas_right brain skull "
    + " ".join(f"rib_left_{n}" for n in range(1, 13))
    + " "
    + " ".join(f"rib_right_{n}" for n in range(1, 13))
    + " sternum costal_cartilages"
)
TOTAL_SEGMENTATOR = dict(enumerate(_TOTAL.split(), start=1))


class AnatomyError(ValueError):
    """A scan or label map that cannot be used; the message is for the user."""


@dataclass(frozen=True)
class RealScan:
    """A CT with its organ label map, cropped to the abdomen.

    Parameters
    ----------
    hu : ndarray of float32, shape (nk, nj, ni)
        i runs to the Left, j to Posterior, k to Superior; -1024 to 3071.
    structures : ndarray of uint16, same shape
        Class numbers of the label map.
    names : dict of int to str
        Structure names of these numbers.
    grid : Grid
        The voxels in a frame parallel to the voxel axes, in mm.
    to_world : ndarray, shape (4, 4)
        Maps that frame to RAS mm; the identity unless the scan is oblique.
    """

    hu: Values
    structures: NDArray[np.uint16]
    names: dict[int, str]
    grid: Grid
    to_world: NDArray[np.float64]

    def mask(self, *patterns: str) -> NDArray[np.bool_]:
        """Return where a structure's name matches one of some regular expressions."""
        wanted = [
            n for n, name in self.names.items() if any(re.fullmatch(p, name) for p in patterns)
        ]
        return np.isin(self.structures, wanted)


def _load(path: Path) -> nib.nifti1.Nifti1Image:
    """Return a 3-D NIfTI image with an axis-by-axis readable affine."""
    try:
        image = nib.load(path)
    except FileNotFoundError as error:
        raise AnatomyError(f"{path} does not exist") from error
    except (ImageFileError, OSError, ValueError, EOFError) as error:
        raise AnatomyError(f"{path} cannot be read as NIfTI: {error}") from error
    if not isinstance(image, nib.nifti1.Nifti1Image):
        raise AnatomyError(f"{path} is not a NIfTI image")
    if len(image.shape) != 3:
        raise AnatomyError(f"{path} must have three dimensions, not {len(image.shape)}")
    affine = image.affine
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        raise AnatomyError(f"{path} has no usable position in space")
    return image


def _array(path: Path, image: nib.nifti1.Nifti1Image) -> NDArray[np.generic]:
    """Return the voxels ``[k, j, i]`` turned to Left, Posterior, Superior."""
    try:
        array = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError) as error:
        raise AnatomyError(f"the voxels of {path} cannot be read: {error}") from error
    turned = orientations.apply_orientation(array, _turn(image))  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(turned.transpose(2, 1, 0))


def _turn(image: nib.nifti1.Nifti1Image) -> NDArray[np.float64]:
    here = orientations.io_orientation(image.affine)  # type: ignore[no-untyped-call]
    there = orientations.axcodes2ornt(("L", "P", "S"))  # type: ignore[no-untyped-call]
    turn: NDArray[np.float64] = orientations.ornt_transform(here, there)  # type: ignore[no-untyped-call]
    return turn


def structure_names(path: Path, image: nib.nifti1.Nifti1Image) -> dict[int, str]:
    """Return the names of the classes of a label map.

    Looked for in ``structures.csv`` (columns ``id`` and ``structure``) or
    ``<name>_classes.json`` (number -> name) beside the file, then in the label table
    TotalSegmentator writes into the header, and else taken from TotalSegmentator's list.

    Raises
    ------
    AnatomyError
        A table that is there but cannot be read.
    """
    table = path.with_name("structures.csv")
    stem = re.sub(r"\.nii(\.gz)?$", "", path.name)
    classes = [path.with_name(f"{stem}_classes.json")]
    classes.append(path.with_name(f"{stem.removesuffix('_labels')}_classes.json"))
    try:
        if table.exists():
            with table.open(newline="", encoding="utf-8-sig") as file:
                return {int(row["id"]): row["structure"] for row in csv.DictReader(file)}
        for file_name in classes:
            if file_name.exists():
                entries = json.loads(file_name.read_text(encoding="utf-8"))
                return {int(number): str(name) for number, name in entries.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise AnatomyError(f"the class names beside {path} cannot be read: {error}") from error
    for extension in image.header.extensions:
        content = bytes(extension.get_content())
        found = re.search(rb"<LabelTable.*</LabelTable>", content, re.DOTALL)
        if found:
            try:
                entries = ElementTree.fromstring(found.group()).findall("Label")
            except ElementTree.ParseError:
                continue
            return {int(e.attrib["Key"]): (e.text or "").strip() for e in entries}
    return dict(TOTAL_SEGMENTATOR)


def read_numbers(path: Path) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Read the numbers of a label map, which may be oblique.

    Returns
    -------
    ndarray of uint16, shape (nk, nj, ni)
        i runs to the Left, j to Posterior, k to Superior, as nearly as the axes allow.
    ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm.

    Raises
    ------
    AnatomyError
        A file that cannot be read, or voxels that are no numbers of classes.
    """
    image = _load(path)
    affine = image.affine @ orientations.inv_ornt_aff(_turn(image), image.shape)  # type: ignore[no-untyped-call]
    values = _array(path, image)
    numbers = np.nan_to_num(values).astype(np.uint16)
    if not np.array_equal(numbers, values):
        raise AnatomyError(f"{path} has voxels that are no numbers of classes")
    return numbers, affine


def read_label_map(path: Path) -> tuple[NDArray[np.uint16], dict[int, str], Grid]:
    """Read a label map that has no CT.

    Returns
    -------
    ndarray of uint16, shape (nk, nj, ni)
        i runs to the Left, j to Posterior, k to Superior.
    dict of int to str
        Names of its classes.
    Grid

    Raises
    ------
    AnatomyError
        A file that cannot be read, or axes that are not parallel to the patient's.
    """
    image = _load(path)
    affine = image.affine @ orientations.inv_ornt_aff(_turn(image), image.shape)  # type: ignore[no-untyped-call]
    spacing = np.abs(np.diag(affine)[:3])
    if not np.allclose(np.diag(np.diag(affine[:3, :3])), affine[:3, :3], atol=1e-3):
        raise AnatomyError(f"{path} is oblique")
    structures = _array(path, image).astype(np.uint16)
    size = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    origin = (float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3]))
    return structures, structure_names(path, image), Grid(structures.shape, size, origin)


def read_scan(ct_path: Path, labels_path: Path, margin_mm: float = 50.0) -> RealScan:
    """Read a CT and its label map and crop both to the liver with a margin above and below.

    Raises
    ------
    AnatomyError
        A file that cannot be read, grids that differ, or a label map without a liver.
    """
    ct, labels = _load(ct_path), _load(labels_path)
    if ct.shape != labels.shape or not np.allclose(ct.affine, labels.affine, atol=1e-2):
        raise AnatomyError(f"{ct_path.name} and {labels_path.name} do not have the same grid")
    names = structure_names(labels_path, labels)
    structures = _array(labels_path, labels).astype(np.uint16)
    wanted = [number for number, name in names.items() if name == "liver"]
    slices = np.flatnonzero(np.isin(structures, wanted).any(axis=(1, 2)))
    if not len(slices):
        raise AnatomyError(f"{labels_path} has no liver")
    affine = ct.affine @ orientations.inv_ornt_aff(_turn(ct), ct.shape)  # type: ignore[no-untyped-call]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    pad = int(np.ceil(margin_mm / spacing[2]))
    low, high = max(int(slices[0]) - pad, 0), min(int(slices[-1]) + pad + 1, len(structures))
    affine[:3, 3] = (affine @ [0.0, 0.0, low, 1.0])[:3]
    hu = _array(ct_path, ct)[low:high].astype(np.float32)
    if not np.isfinite(hu).all():
        raise AnatomyError(f"{ct_path} has voxels that are not numbers")
    hu[hu < PADDING_HU] = -1024.0
    np.clip(hu, -1024.0, 3071.0, out=hu)
    shape = hu.shape
    size = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    origin = tuple(float(v) for v in affine[:3, 3])
    grid = Grid((shape[0], shape[1], shape[2]), size, (origin[0], origin[1], origin[2]))
    to_world = affine @ np.linalg.inv(grid.affine_ras)
    if np.allclose(to_world, np.eye(4), atol=1e-6):
        to_world = np.eye(4)
    return RealScan(hu, np.ascontiguousarray(structures[low:high]), names, grid, to_world)
