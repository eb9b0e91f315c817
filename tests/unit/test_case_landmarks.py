"""Centroid files are found where cases and masks are, and belong to the right case."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labeler.storage.cases import Case, new_centroid_path, new_mask_path, rescan, scan
from labeler.workflows.case_documents import case_document
from tests.unit.test_cases import only, touch


def landmarks(case: Case) -> list[str]:
    common = os.path.commonpath([case.image_root, case.mask_root])
    return [str(path.relative_to(common)) for path in case.landmarks]


def by_id(root: Path, **roots: Path) -> dict[str, list[str]]:
    found = scan(root, **roots)
    assert not found.problems
    return {case.id: landmarks(case) for case in found.cases}


def test_verse_derivatives(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "rawdata/sub-verse004/sub-verse004_ct.nii.gz",
        "rawdata/sub-verse500/sub-verse500_dir-ax_ct.nii.gz",
        "derivatives/sub-verse004/sub-verse004_seg-subreg_ctd.json",
        "derivatives/sub-verse004/sub-verse004_seg-vert_msk.nii.gz",
        "derivatives/sub-verse500/sub-verse500_dir-ax_seg-subreg_ctd.json",
        "derivatives/sub-verse500/sub-verse500_dir-ax_seg-vert_snp.png",
    )
    assert by_id(tmp_path) == {
        "sub-verse004": ["derivatives/sub-verse004/sub-verse004_seg-subreg_ctd.json"],
        "sub-verse500": ["derivatives/sub-verse500/sub-verse500_dir-ax_seg-subreg_ctd.json"],
    }


def test_flat_files_among_the_images(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-verse004_ct.nii.gz",
        "sub-verse004_seg-subreg_ctd.json",
        "sub-verse005_ct.nii.gz",
        "sub-verse005_ctd.json",
        "sub-verse005.mrk.json",
        "sub-verse006_ct.nii.gz",
        "dataset.json",
    )
    assert by_id(tmp_path) == {
        "sub-verse004": ["sub-verse004_seg-subreg_ctd.json"],
        "sub-verse005": ["sub-verse005_ctd.json", "sub-verse005.mrk.json"],
        "sub-verse006": [],
    }


@pytest.mark.parametrize(
    "where",
    ["masks/a/a_ctd.json", "masks/vertebra/a_ctd.json", "masks/a_ctd.json", "images/a/a_ctd.json",
     "images/a/derivatives/x_ctd.json"],
)  # fmt: skip
def test_mask_folder_group_folder_and_case_folder(tmp_path: Path, where: str) -> None:
    touch(tmp_path, "images/a/ct.nii.gz", "images/b/ct.nii.gz", "masks/b/spine.nii.gz", where)
    assert by_id(tmp_path) == {"a": [where], "b": []}


def test_dicom_cases_and_single_files(tmp_path: Path) -> None:
    touch(tmp_path, "d/p1/s1/1.dcm", "d/p1/p1_ctd.json", "d/p2/s1/1.dcm", "d/p2/s2/1.dcm")
    assert by_id(tmp_path / "d") == {"p1": ["p1/p1_ctd.json"], "p2": []}
    touch(tmp_path, "e/1.dcm", "e/2.dcm", "e/e_ctd.json")
    assert landmarks(only(scan(tmp_path / "e"))) == ["e_ctd.json"]
    touch(tmp_path, "f/a_ct.nii.gz", "f/a_ctd.json", "f/b_ctd.json", "f/b_ct.nii.gz")
    assert landmarks(only(scan(tmp_path / "f" / "a_ct.nii.gz"))) == ["a_ctd.json"]


def test_files_of_the_mask_folder_come_first(tmp_path: Path) -> None:
    touch(tmp_path, "images/a/ct.nii.gz", "images/a/a_ctd.json", "masks/a/a.mrk.json")
    assert by_id(tmp_path) == {"a": ["masks/a/a.mrk.json", "images/a/a_ctd.json"]}


@pytest.mark.parametrize("name", ["images/a/ct.nii.gz", "images/g/a/ct.nii.gz", "a_ct.nii.gz"])
@pytest.mark.parametrize("has_mask_folder", [True, False])
def test_new_files_are_found_again(tmp_path: Path, name: str, has_mask_folder: bool) -> None:
    touch(tmp_path, name, *(["masks/readme.md"] if has_mask_folder else []))
    case = only(scan(tmp_path))
    path = new_centroid_path(case)
    assert path.parent == new_mask_path(case, "x").parent
    touch(path.parent, path.name)
    assert only(scan(tmp_path)).landmarks == (path,)
    assert rescan(case).landmarks == (path,)
    path.unlink()
    assert rescan(rescan(case)).landmarks == ()
    assert case_document(rescan(case))["landmarks"] == []
