"""Words, layouts and where images and masks are, told by names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeler.storage.layout_detection import detect_layout, find_roots
from labeler.storage.layouts import layout_rules, word_pattern
from labeler.storage.listing import list_folder, looks_like_dicom, natural_key


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM" if looks_like_dicom(name) else b"")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P1_ART", True),
        ("liverART_5mm", True),
        ("ArtPhase", True),
        ("heart", False),
        ("start_3", False),
        ("artery", False),
        ("cartilage", False),
    ],
)
def test_words_are_found_whole(text: str, found: bool) -> None:
    assert (word_pattern(["art"]).search(text) is not None) is found


def test_a_space_in_a_word_stands_for_any_joint() -> None:
    pattern = word_pattern(["portal venous"])
    for text in (
        "portal venous",
        "PortalVenous",
        "portal_venous",
        "portal-venous",
        "PORTAL.VENOUS",
    ):
        assert pattern.search(text), text
    assert pattern.search("portal 1 venous") is None


def test_the_sign_of_a_word_must_end_it() -> None:
    pattern = word_pattern(["c-"])
    assert pattern.search("P1_C-")
    assert pattern.search("P1_C-_5mm")
    assert pattern.search("C-1") is None
    assert pattern.search("abc-") is None


@pytest.mark.parametrize(
    ("name", "is_mask"),
    [
        ("P1_seg.nii.gz", True),
        ("mask.nii", True),
        ("P1-label.nrrd", True),
        ("reader.seg.nrrd", True),
        ("sub-verse005_seg-vert_msk.nii.gz", True),
        ("sub-ct_label-22_ct.nii.gz", False),
        ("segment8.nii.gz", False),
        ("P1_PV.nii.gz", False),
        ("unlabelled.nii.gz", False),
    ],
)
def test_masks_are_told_by_name(name: str, is_mask: bool) -> None:
    assert layout_rules().is_mask_file(name) is is_mask


def test_stems() -> None:
    rules = layout_rules()
    assert rules.stem("P1.nii.gz") == "P1"
    assert rules.stem("P1.v2.NII") == "P1.v2"
    assert rules.stem("P1.seg.nrrd") == "P1"
    assert rules.stem(".nii.gz") is None
    assert rules.stem("P1.txt") is None


def test_numbers_sort_as_numbers() -> None:
    names = ["c10", "c9", "C2", "c2b", "c", "2", "10", "01"]
    assert sorted(names, key=natural_key) == ["01", "2", "10", "c", "C2", "c2b", "c9", "c10"]


def test_sorting_takes_any_digits() -> None:
    names = ["case²", "case\uff12", "1" * 200, "case" + "9" * 200]
    assert sorted(names, key=natural_key)[0] == "1" * 200


def test_dicom_names() -> None:
    for name in ("IM000001", "1.2.840.113.5", "slice.dcm", "I10", "CT.IMA"):
        assert looks_like_dicom(name), name
    for name in ("README", "DICOMDIR", "report.csv", "a.nii.gz", "x.PNG", "LICENSE"):
        assert not looks_like_dicom(name), name


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("case-folders", ["P1/ART.nii.gz", "P2/PV.nii.gz"]),
        ("case-folders", ["ART.nii.gz", "PV.nii.gz", "liver.nii.gz"]),
        ("case-folders", ["stray.nii.gz", "P1/ART.nii.gz", "P2/PV.nii.gz"]),
        ("nnunet", ["imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz"]),
        ("nnunet", ["a_0000.nii.gz", "b_0000.nii.gz"]),
        ("msd", ["imagesTr/liver_1.nii.gz", "imagesTs/liver_2.nii.gz", "labelsTr/liver_1.nii.gz"]),
        ("msd", ["segmentation-0.nii", "volume-0.nii", "volume-1.nii"]),
        ("flat", ["a.nii.gz", "b.nii.gz"]),
        ("flat", ["a_ART.nii.gz", "a_PV.nii.gz", "a_seg.nii.gz"]),
        ("flat", ["a.nii.gz", "masks/a.nii.gz"]),
        ("phase-folders", ["ART/P1.nii.gz", "ART/P2.nii.gz", "PV/P1.nii.gz", "PV/P2.nii.gz"]),
        ("phase-folders", ["NC/P1/a.nii.gz", "NC/P2/a.nii.gz", "DL/P1/b.nii.gz", "DL/P2/b.nii.gz"]),
        ("phase-folders", ["ART/P1_ART.nii", "ART/P2_ART.nii", "PV/P1_PV.nii", "PV/P2_PV.nii"]),
        ("phase-folders", ["NC/P1/IM1", "NC/P2/IM1", "ART/P1/IM1", "ART/P2/IM1", "masks/x.nii"]),
        ("case-folders", ["ART/1.nii.gz", "PV/1.nii.gz"]),
        ("case-folders", ["ART/P1.nii.gz", "ART/P2.nii.gz", "PV/P3.nii.gz", "PV/P4.nii.gz"]),
        ("dicom", ["P1/S1/IM1", "P1/S1/IM2", "P2/S1/IM1"]),
        ("dicom", ["P1/study/series/IM1.dcm"]),
        ("dicom", ["IM1.dcm", "IM2.dcm"]),
        ("case-folders", []),
    ],
)
def test_layouts_are_detected(tmp_path: Path, layout: str, names: list[str]) -> None:
    touch(tmp_path, *names)
    assert detect_layout(tmp_path) == layout


def test_files_of_other_kinds_are_no_slices(tmp_path: Path) -> None:
    for name in ("init/passwd", "init/hosts", "ssh/key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("root:x:0:0:root:/root:/bin/bash\n" * 10)
    assert detect_layout(tmp_path) == "case-folders"
    (tmp_path / "ssh" / "damaged.dcm").write_bytes(b"")  # says what it is meant to be
    assert detect_layout(tmp_path) == "dicom"


def test_a_file_has_a_layout_too(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "IM1.dcm")
    assert detect_layout(tmp_path / "a.nii.gz") == "flat"
    assert detect_layout(tmp_path / "IM1.dcm") == "dicom"


def test_a_data_set_folder_stands_for_its_images_and_masks(tmp_path: Path) -> None:
    touch(tmp_path, "images/P1/ART.nii.gz", "masks/P1/draft.nii.gz")
    expected = (tmp_path / "images", tmp_path / "masks")
    assert find_roots(tmp_path, None) == expected
    assert find_roots(tmp_path / "images", None) == expected
    other = tmp_path / "other"
    assert find_roots(tmp_path, other) == (tmp_path / "images", other)


def test_masks_may_lie_among_the_images(tmp_path: Path) -> None:
    touch(tmp_path, "P1/ART.nii.gz", "P1/liver.nii.gz")
    assert find_roots(tmp_path, None) == (tmp_path, tmp_path)


def test_one_set_of_nnunet_finds_its_labels(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    assert find_roots(tmp_path / "imagesTr", None) == (tmp_path / "imagesTr", tmp_path)
    assert detect_layout(tmp_path / "imagesTr") == "nnunet"


def test_a_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    listing = list_folder(tmp_path / "gone")
    assert listing.files == ()
    assert listing.problems == ("The folder gone cannot be read (no such file or directory).",)


def test_broken_links_and_pipes(tmp_path: Path) -> None:
    import os

    (tmp_path / "PV.nii.gz").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    listing = list_folder(tmp_path)
    assert listing.files == ()
    assert "The link PV.nii.gz points nowhere." in listing.problems
    assert len(listing.problems) == 2
