"""What headers say about a case, and whether its files go together."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from labeler.storage.cases import Case, inspect, rescan, scan
from labeler.storage.images import read_volume
from tests.unit.dicom_files import hu_of, write_series

SHAPE_IJK = (8, 7, 5)


def write_nifti(
    path: Path,
    shape_ijk: tuple[int, ...] = SHAPE_IJK,
    spacing_mm: tuple[float, float, float] = (1.0, 2.0, 3.0),
    origin_mm: float = 0.0,
    affine: np.ndarray | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if affine is None:
        affine = np.diag([*spacing_mm, 1.0])
        affine[0, 3] = origin_mm
    nib.save(nib.Nifti1Image(np.zeros(shape_ijk, np.int16), affine), path)


def inspected(root: Path) -> Case:
    (case,) = scan(root).cases
    return inspect(case)


def test_shapes_and_spacings_are_those_of_the_files(tmp_path: Path) -> None:
    write_nifti(tmp_path / "P1" / "ART.nii.gz")
    write_nifti(tmp_path / "P1" / "PV.nii.gz", (9, 8, 6), (0.5, 0.5, 4.0))
    write_nifti(tmp_path / "P1" / "draft_mask.nii.gz")
    case = inspected(tmp_path)
    assert case.is_inspected
    assert case.phases["ART"].shape_ijk == SHAPE_IJK
    assert case.phases["ART"].spacing_mm == pytest.approx((1.0, 2.0, 3.0))
    assert case.phases["PV"].shape_ijk == (9, 8, 6)
    assert case.phases["PV"].spacing_mm == pytest.approx((0.5, 0.5, 4.0))
    assert case.problems == ()


def test_a_phase_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    write_nifti(tmp_path / "P1" / "ART.nii.gz")
    write_nifti(tmp_path / "P1" / "PV.nii.gz", (*SHAPE_IJK, 2))
    (tmp_path / "P1" / "DL.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    case = inspected(tmp_path)
    assert list(case.phases) == ["ART", "PV", "DL"]
    assert case.phases["ART"].shape_ijk == SHAPE_IJK
    assert case.phases["PV"].shape_ijk is None
    assert len(case.problems) == 2
    assert case.problems[0].startswith("PV: PV.nii.gz")
    assert case.problems[1].startswith("DL: DL.nii.gz")


def test_an_affine_that_cannot_be_shown_is_a_problem(tmp_path: Path) -> None:
    sheared = np.eye(4)
    sheared[1, 2] = 0.3
    write_nifti(tmp_path / "P1" / "ART.nii.gz", affine=sheared)
    case = inspected(tmp_path)
    assert len(case.problems) == 1
    assert "ART.nii.gz" in case.problems[0]
    assert "sheared" in case.problems[0]


def test_masks_elsewhere_are_refused_with_the_reason(tmp_path: Path) -> None:
    write_nifti(tmp_path / "P1" / "ART.nii.gz")
    write_nifti(tmp_path / "P1" / "PV.nii.gz", (9, 8, 6))
    write_nifti(tmp_path / "P1" / "a_mask.nii.gz", origin_mm=12.0)
    write_nifti(tmp_path / "P1" / "b_mask.nii.gz", (4, 4, 4))
    write_nifti(tmp_path / "P1" / "c_mask.nii.gz", (9, 8, 6))
    case = inspected(tmp_path)
    assert case.problems == (
        "Mask a_mask: a_mask.nii.gz is refused: it has the shape of ART, but its voxels lie "
        "elsewhere (centres 12.0 mm apart, spacing or direction differ).",
        "Mask b_mask: b_mask.nii.gz is refused: its grid (4x4x4) is that of no phase "
        "(ART 8x7x5, PV 9x8x6).",
    )


def test_a_mask_may_belong_to_a_phase_that_cannot_be_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "P1" / "ART.nii.gz")
    (tmp_path / "P1" / "PV.nii.gz").write_bytes(b"")
    write_nifti(tmp_path / "P1" / "a_mask.nii.gz", (4, 4, 4))
    assert not any("a_mask" in text for text in inspected(tmp_path).problems)


def test_problems_do_not_pile_up(tmp_path: Path) -> None:
    (tmp_path / "P1").mkdir()
    (tmp_path / "P1" / "PV.nii.gz").write_bytes(b"")
    once = inspected(tmp_path)
    assert inspect(once).problems == once.problems


def test_files_that_vanish_are_a_problem(tmp_path: Path) -> None:
    write_nifti(tmp_path / "P1" / "ART.nii.gz")
    (case,) = scan(tmp_path).cases
    (tmp_path / "P1" / "ART.nii.gz").unlink()
    (text,) = inspect(case).problems
    assert text.startswith("ART: ART.nii.gz")


def test_a_folder_of_slices_a_phase(tmp_path: Path) -> None:
    """What a series calls itself says less than the folder that somebody put it into."""
    for number, phase in enumerate(("ART", "PV")):
        for case in ("P1", "P2"):
            uid = f"1.2.{number + 1}"
            hu = hu_of(3 + number)
            write_series(
                tmp_path / phase / case, hu, uid=uid, SeriesDescription="Abdomen", PatientID=case
            )
    first, second = scan(tmp_path).cases
    assert list(first.phases) == ["ART", "PV"]
    case = inspect(first)
    assert not case.problems
    shapes = {phase: source.shape_ijk for phase, source in case.phases.items()}
    assert shapes == {"ART": (8, 6, 3), "PV": (8, 6, 4)}
    volume = read_volume(case.phases["PV"].series)
    assert volume.array.shape == (4, 6, 8)
    again = inspect(rescan(case))
    assert again.phases == case.phases
    assert second.id == "P2"


def test_a_folder_without_dicom_says_so(tmp_path: Path) -> None:
    (tmp_path / "P1").mkdir()
    (tmp_path / "P1" / "1.dcm").write_bytes(b"text, in truth")
    case = inspected(tmp_path)
    assert case.layout == "dicom"
    assert case.problems == ("The folder P1 holds no CT series.",)
