"""Real scans: what the search finds in them, and what it says about those that are odd."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from labeler import cli
from labeler.storage.cases import Case, inspect, scan

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def unpacked(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks an archive of the real scans, each once."""
    folders: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(Path(name).name)
            with tarfile.open(real_data / f"{name}.tar.xz") as archive:
                archive.extractall(folders[name], filter="data")
        return folders[name]

    return unpack


def only(root: Path) -> Case:
    (case,) = scan(root).cases
    return inspect(case)


def run(capfd: pytest.CaptureFixture[str], *args: object) -> tuple[object, str]:
    with pytest.raises(SystemExit) as exit_info:
        cli.main([str(arg) for arg in args])
    return exit_info.value.code, capfd.readouterr().out


def test_verse_folder(real_data: Path, tmp_path: Path) -> None:
    found = scan(real_data / "vertebra")
    assert found.layout == "flat"
    cases = {case.id: inspect(case) for case in found.cases}
    assert sorted(cases) == ["sub-ct_label-22", "sub-verse005", "sub-verse007"]
    assert [mask.name for mask in cases["sub-verse005"].masks] == ["seg-vert_msk"]
    assert [mask.name for mask in cases["sub-ct_label-22"].masks] == ["seg-subreg", "seg-vert"]
    assert cases["sub-verse007"].phases["NC"].shape_ijk == (119, 217, 33)
    assert cases["sub-verse007"].phases["NC"].spacing_mm == pytest.approx((1, 1, 3), abs=0.01)
    assert not any(case.problems for case in cases.values())


def test_regions_of_a_real_mask_lie_where_the_file_has_them(
    real_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out = run(capfd, "regions", real_data / "vertebra", "--case", "sub-verse005", "--json")
    assert code == 0
    regions = json.loads(out)
    assert {region["label"] for region in regions} == {20, 21, 22, 23, 24}
    path = real_data / "vertebra" / "sub-verse005_seg-vert_msk.nii.gz"
    stored = np.asanyarray(nib.load(path).dataobj)
    assert sum(region["voxels"] for region in regions) == np.count_nonzero(stored)
    for region in regions:
        assert stored[tuple(region["anchor_ijk"])] == region["label"]
        box = tuple(slice(lo, hi) for lo, hi in region["box_ijk"])
        assert np.count_nonzero(stored[box] == region["label"]) >= region["voxels"]


def test_case_folder_with_a_label_map(unpacked: Callable[[str], Path]) -> None:
    case = only(unpacked("ct/lidc-idri-0001_ct_and_89labels"))
    assert case.id == "lidc-idri-0001"
    assert [mask.name for mask in case.masks] == ["mask"]
    assert case.phases["NC"].shape_ijk == (512, 512, 133)
    assert not case.problems


@pytest.mark.parametrize(
    ("name", "phase", "shape_ijk", "spacing_mm"),
    [
        ("3dircadb1-17_image_dicom", "NC", (512, 512, 119), (0.743, 0.743, 1.6)),
        ("ACRIN-FLT-Breast_001_visit1_dicom", "NC", (512, 512, 99), (0.977, 0.977, 4.25)),
        ("CRLM-CT-1004_dicom", "PV", (512, 512, 41), (0.797, 0.797, 5.0)),
    ],
)
def test_dicom_series(
    unpacked: Callable[[str], Path],
    name: str,
    phase: str,
    shape_ijk: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> None:
    """The phase is that of the contrast agent: only CRLM notes one."""
    case = only(unpacked(f"ct/{name}"))
    assert case.layout == "dicom"
    assert list(case.phases) == [phase]
    assert case.phases[phase].is_guessed
    assert case.phases[phase].shape_ijk == shape_ijk
    assert case.phases[phase].spacing_mm == pytest.approx(spacing_mm, abs=0.001)
    assert not case.problems
    assert case.notes


def test_patients_are_never_mixed_in_a_case(unpacked: Callable[[str], Path]) -> None:
    case = only(unpacked("odd/mixed_series_one_folder"))
    assert case.problems[0] == (
        "The folder mixes series of 9 patients; only those of the one with most slices are shown."
    )
    assert len({image.series.patient_id for image in case.images if image.series}) == 1


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        (
            "odd/dicom2nifti_failing_ct",
            {
                "gantrytilting": "tilted by 14.0 degrees",
                "notavolume": "at the same place",
                "sliceincrement": "slice is missing",
            },
        ),
        ("odd/ge_tilt_variable_spacing", {"GE": "tilted by 18.5 degrees"}),
    ],
)
def test_series_that_are_no_volume_say_why(
    unpacked: Callable[[str], Path], name: str, reasons: dict[str, str]
) -> None:
    cases = [inspect(case) for case in scan(unpacked(name)).cases]
    assert [case.id.rpartition("/")[2] for case in cases] == list(reasons)
    for case, reason in zip(cases, reasons.values(), strict=True):
        assert any(reason in text for text in case.problems), case.problems
        assert all(source.shape_ijk is None for source in case.phases.values())


def test_check_reads_real_files_and_tells_good_from_bad(
    unpacked: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    code, out = run(capfd, "check", unpacked("ct/CRLM-CT-1004_dicom"))
    assert (code, out) == (0, "1 case checked, 0 with problems\n")
    code, out = run(capfd, "check", unpacked("odd/ge_tilt_variable_spacing"))
    assert code == 1
    assert "18.5 degrees" in out


def test_names_in_many_alphabets_do_not_stop_the_search(unpacked: Callable[[str], Path]) -> None:
    case = only(unpacked("odd/fodicom_charset_names"))
    assert case.problems == ("The folder fo-dicom_charset holds no CT series.",)
    for image in only(unpacked("odd/pydicom_test_files")).images:
        assert image.title.isprintable()
