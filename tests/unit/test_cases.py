"""Finding cases and what belongs to them, by names alone."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labeler
from labeler.storage.cases import (
    Case,
    CaseSet,
    find_reports,
    new_mask_path,
    rescan,
    scan,
    scan_batches,
)
from labeler.storage.layouts import LAYOUTS
from labeler.storage.listing import looks_like_dicom
from labeler.storage.phase_override import set_phase_override
from labeler.storage.sidecar import SidecarConflict, load_sidecar, save_sidecar, sidecar_path


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM" if looks_like_dicom(name) else b"")


def phases(case: Case) -> Mapping[str, str]:
    return {phase: source.path.name for phase, source in case.phases.items()}


def masks(case: Case) -> Mapping[str, str]:
    return {mask.name: str(mask.path.relative_to(case.mask_root)) for mask in case.masks}


def only(found: CaseSet) -> Case:
    assert len(found.cases) == 1, [case.id for case in found.cases]
    return found.cases[0]


# Case folders


def test_case_folders_with_masks_beside_them(tmp_path: Path) -> None:
    for case in ("case_10", "case_2"):
        touch(tmp_path, *(f"images/{case}/{p}.nii.gz" for p in ("NC", "ART", "PV", "DL")))
    touch(tmp_path, "masks/case_2/draft.nii.gz", "masks/case_2/prediction.nii.gz")
    touch(tmp_path, "masks/case_2/backups/draft.1.nii.gz", "masks/_labeling/x.nii.gz")
    found = scan(tmp_path)
    assert found.layout == "case-folders"
    assert [case.id for case in found.cases] == ["case_2", "case_10"]
    assert found.total == 2
    assert not found.problems
    first = found.cases[0]
    assert list(first.phases) == ["NC", "ART", "PV", "DL"]
    assert masks(first) == {
        "draft": "case_2/draft.nii.gz",
        "prediction": "case_2/prediction.nii.gz",
    }
    assert not first.is_inspected
    assert not first.problems
    assert found.cases[1].masks == ()


def test_masks_among_the_images_of_case_folders(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "P1/P1_ART.nii.gz",
        "P1/P1_PV.nii.gz",
        "P1/P1_seg.nii.gz",
        "P1/liver.nii.gz",
        "P1/masks/draft.nii.gz",
        "P1/segmentations/aorta.nii.gz",
        "P2/imaging.nii.gz",
        "P2/segmentation.nii.gz",
    )
    first, second = scan(tmp_path).cases
    assert phases(first) == {"ART": "P1_ART.nii.gz", "PV": "P1_PV.nii.gz"}
    assert sorted(masks(first)) == ["aorta", "draft", "liver", "seg"]
    assert phases(second) == {"NC": "imaging.nii.gz"}
    assert list(masks(second)) == ["segmentation"]


def test_phases_in_subfolders(tmp_path: Path) -> None:
    touch(tmp_path, "P1/ART/image.nii.gz", "P1/portal venous/image.nii.gz", "P2/NC/x.nii.gz")
    first, second = scan(tmp_path).cases
    assert list(first.phases) == ["ART", "PV"]
    assert first.phases["ART"].key == "P1/ART/image.nii.gz"
    assert list(second.phases) == ["NC"]


def test_cases_in_deeper_folders(tmp_path: Path) -> None:
    touch(tmp_path, "batch1/P1/ART.nii.gz", "batch1/P2/ART.nii.gz", "batch2/P1/ART.nii.gz")
    found = scan(tmp_path, tmp_path / "masks")
    assert [case.id for case in found.cases] == ["batch1/P1", "batch1/P2", "batch2/P1"]
    path = new_mask_path(found.cases[1], "draft")
    touch(tmp_path, str(path.relative_to(tmp_path)))
    again = scan(tmp_path, tmp_path / "masks")
    assert [len(case.masks) for case in again.cases] == [0, 1, 0]


def test_the_image_folder_may_be_one_case(tmp_path: Path) -> None:
    touch(tmp_path, "LV-7/ART.nii.gz", "LV-7/PV.nii.gz", "LV-7/liver.nii.gz")
    case = only(scan(tmp_path / "LV-7"))
    assert case.id == "LV-7"
    assert case.layout == "case-folders"
    assert list(case.phases) == ["ART", "PV"]
    assert list(masks(case)) == ["liver"]


def test_a_case_whose_phases_are_folders_may_be_the_image_folder(tmp_path: Path) -> None:
    touch(tmp_path, "LV-7/ART/1.nii.gz", "LV-7/PV/1.nii.gz")
    case = only(scan(tmp_path / "LV-7"))
    assert case.id == "LV-7"
    assert list(case.phases) == ["ART", "PV"]


def test_a_single_file(tmp_path: Path) -> None:
    touch(tmp_path, "P3_PV.nii.gz", "P4_PV.nii.gz")
    case = only(scan(tmp_path / "P3_PV.nii.gz"))
    assert case.id == "P3"
    assert phases(case) == {"PV": "P3_PV.nii.gz"}


def test_empty_case_folders_say_so(tmp_path: Path) -> None:
    touch(tmp_path, "P1/ART.nii.gz", "P2/readme.txt")
    (tmp_path / "P3").mkdir()
    found = scan(tmp_path)
    assert [case.problems for case in found.cases] == [
        (),
        ("The folder P2 holds no images.",),
        ("The folder P3 holds no images.",),
    ]


def test_files_beside_case_folders_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "stray.nii.gz", "P1/ART.nii.gz", "P2/ART.nii.gz")
    found = scan(tmp_path)
    assert [case.id for case in found.cases] == ["P1", "P2"]
    assert found.problems == ("Files beside the case folders that are not shown: stray.nii.gz.",)


# A folder a phase


def test_phases_first(tmp_path: Path) -> None:
    touch(tmp_path, "ART/P1.nii.gz", "ART/P10.nii.gz", "ART/P2.nii.gz", "misc/P1.nii.gz")
    touch(tmp_path, "portal venous/P1.nii.gz", "portal venous/P2_PV.nii.gz")
    touch(tmp_path, "portal venous/P2_liver_mask.nii.gz", "masks/P10.nii.gz", "masks/P1/a.nii.gz")
    found = scan(tmp_path, layout="phase-folders")
    assert [case.id for case in found.cases] == ["P1", "P2", "P10"]
    assert [list(case.phases) for case in found.cases] == [["ART", "PV"], ["ART", "PV"], ["ART"]]
    assert found.cases[1].phases["PV"].key == "portal venous/P2_PV.nii.gz"
    assert [list(masks(case)) for case in found.cases] == [["a"], ["liver_mask"], ["masks"]]
    assert not any(case.problems for case in found.cases)


def test_phases_first_with_a_folder_a_case(tmp_path: Path) -> None:
    touch(tmp_path, "ART/P1/image.nii.gz", "ART/P2/image.nii.gz", "PV/P1/image.nii.gz")
    touch(tmp_path, "PV/P2/notes.txt", "PV/P1/draft_mask.nii.gz")
    first, second = scan(tmp_path).cases
    assert first.layout == "phase-folders"
    assert {phase: source.key for phase, source in first.phases.items()} == {
        "ART": "ART/P1/image.nii.gz",
        "PV": "PV/P1/image.nii.gz",
    }
    assert list(masks(first)) == ["draft_mask"]
    assert list(second.phases) == ["ART"]
    assert second.problems == ("Its folder for PV holds no images.",)
    assert rescan(first).phases == first.phases


# One folder for all images


def test_nnunet_with_channels_that_are_phases(tmp_path: Path) -> None:
    names = {"0": "non-contrast", "1": "arterial", "2": "portal venous", "3": "delayed"}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": names}))
    for case in ("liver_1", "liver_2"):
        touch(tmp_path, *(f"imagesTr/{case}_{c:04d}.nii.gz" for c in range(4)))
    touch(tmp_path, "imagesTs/liver_9_0002.nii.gz", "labelsTr/liver_1.nii.gz")
    found = scan(tmp_path)
    assert found.layout == "nnunet"
    assert [case.id for case in found.cases] == ["liver_1", "liver_2", "liver_9"]
    assert phases(found.cases[0])["PV"] == "liver_1_0002.nii.gz"
    assert phases(found.cases[2]) == {"PV": "liver_9_0002.nii.gz"}
    assert masks(found.cases[0]) == {"labels": "labelsTr/liver_1.nii.gz"}
    assert not any(case.problems for case in found.cases)


@pytest.mark.parametrize(
    "content", ["", "[", "[1]", '{"channel_names": 3}', '{"channel_names": {"x": []}}']
)
def test_nnunet_without_names_of_channels_guesses_in_order(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz")
    case = only(scan(tmp_path))
    assert phases(case) == {"NC": "a_0000.nii.gz", "ART": "a_0001.nii.gz"}
    assert len(case.problems) == 2


def test_the_same_id_in_two_sets_stays_apart(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "imagesTs/a_0000.nii.gz")
    assert [case.id for case in scan(tmp_path).cases] == ["a", "imagesTs/a"]


def test_predictions_in_a_separate_folder(tmp_path: Path) -> None:
    touch(tmp_path, "set/imagesTr/a_0000.nii.gz", "set/imagesTr/b_0000.nii.gz")
    touch(tmp_path, "net1/a.nii.gz", "net1/b.nii.gz", "net1/c.nii.gz")
    found = scan(tmp_path / "set", tmp_path / "net1")
    assert [masks(case) for case in found.cases] == [{"net1": "a.nii.gz"}, {"net1": "b.nii.gz"}]
    assert found.problems == ("Masks that belong to no case: c.nii.gz.",)


def test_decathlon(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "imagesTr/liver_10.nii.gz",
        "imagesTr/liver_9.nii.gz",
        "imagesTs/liver_3.nii.gz",
        "labelsTr/liver_10.nii.gz",
    )
    found = scan(tmp_path)
    assert found.layout == "msd"
    assert [case.id for case in found.cases] == ["liver_3", "liver_9", "liver_10"]
    assert list(found.cases[2].phases) == ["PV"]
    assert masks(found.cases[2]) == {"labels": "labelsTr/liver_10.nii.gz"}


def test_lits(tmp_path: Path) -> None:
    touch(tmp_path, "volume-2.nii", "volume-12.nii", "segmentation-12.nii", "segmentation-2.nii")
    found = scan(tmp_path)
    assert found.layout == "msd"
    assert [case.id for case in found.cases] == ["2", "12"]
    assert masks(found.cases[1]) == {"segmentation": "segmentation-12.nii"}


def test_flat_files_with_phases_and_masks(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "P1_ART.nii.gz",
        "P1_PV_5mm.nii.gz",
        "P1_seg.nii.gz",
        "P1_ART_label.nii.gz",
        "P1_2_PV.nii.gz",
        "P1_2_seg.nii.gz",
        "P10.nii.gz",
    )
    found = scan(tmp_path)
    assert [case.id for case in found.cases] == ["P1", "P1_2", "P10"]
    first, second, third = found.cases
    assert phases(first) == {"ART": "P1_ART.nii.gz", "PV": "P1_PV_5mm.nii.gz"}
    assert list(masks(first)) == ["ART_label", "seg"]
    assert masks(second) == {"seg": "P1_2_seg.nii.gz"}
    assert list(third.phases) == ["NC"]
    assert third.notes


def test_flat_files_with_codes(tmp_path: Path) -> None:
    touch(tmp_path, "P1_C1.nii.gz", "P1_C2.nii.gz", "P2_C1.nii.gz")
    found = scan(tmp_path)
    assert [case.id for case in found.cases] == ["P1", "P2_C1"]
    assert list(found.cases[0].phases) == ["ART", "PV"]


def test_verse_names(tmp_path: Path) -> None:
    touch(tmp_path, "sub-verse005_ct.nii.gz", "sub-verse005_seg-vert_msk.nii.gz")
    touch(tmp_path, "sub-verse007_ct.nii.gz", "sub-verse007_seg-vert_msk.nii.gz")
    found = scan(tmp_path)
    assert [case.id for case in found.cases] == ["sub-verse005", "sub-verse007"]
    assert list(masks(found.cases[0])) == ["seg-vert_msk"]


def test_masks_of_a_separate_folder_in_every_arrangement(tmp_path: Path) -> None:
    touch(tmp_path, "img/P1.nii.gz", "img/P2.nii.gz")
    touch(
        tmp_path,
        "seg/P1/draft.nii.gz",
        "seg/P1/P1_liver.nii.gz",
        "seg/reader_A/P1.nii.gz",
        "seg/P1_v2.nii.gz",
        "seg/old-P1.nrrd",
        "seg/P1.nii.gz",
    )
    first, second = scan(tmp_path / "img", tmp_path / "seg").cases
    assert masks(first) == {
        "draft": "P1/draft.nii.gz",
        "liver": "P1/P1_liver.nii.gz",
        "old": "old-P1.nrrd",
        "reader_A": "reader_A/P1.nii.gz",
        "seg": "P1.nii.gz",
        "v2": "P1_v2.nii.gz",
    }
    assert second.masks == ()


def test_names_of_masks_are_made_unique(tmp_path: Path) -> None:
    touch(tmp_path, "img/P1.nii.gz", "img/P2.nii.gz", "seg/P1/draft.nii.gz", "seg/P1_draft.nii.gz")
    case = scan(tmp_path / "img", tmp_path / "seg").cases[0]
    assert [mask.name for mask in case.masks] == ["draft", "draft (2)"]


def test_the_layout_can_be_forced(tmp_path: Path) -> None:
    touch(tmp_path, "a_0000.nii.gz", "b_0000.nii.gz")
    assert [case.id for case in scan(tmp_path).cases] == ["a", "b"]
    forced = scan(tmp_path, layout="flat")
    assert [case.id for case in forced.cases] == ["a_0000", "b_0000"]
    assert {case.layout for case in forced.cases} == {"flat"}


# DICOM trees


def test_dicom_trees_are_listed_without_reading_headers(tmp_path: Path) -> None:
    touch(tmp_path, "P1/IM1", "P1/IM2", "P2/S1/IM1", "P2/S2/IM1")
    touch(tmp_path, "P3/exam/S1/1.dcm", "P4/examA/S1/1.dcm", "P4/examB/S1/1.dcm", "DICOMDIR")
    found = scan(tmp_path)
    assert found.layout == "dicom"
    assert [case.id for case in found.cases] == ["P1", "P2", "P3", "P4/examA", "P4/examB"]
    assert {case.layout for case in found.cases} == {"dicom"}
    assert not any(case.phases for case in found.cases)
    assert found.cases[2].folder == tmp_path / "P3" / "exam"


def test_a_folder_of_other_things_has_no_cases(tmp_path: Path) -> None:
    for name in ("init/passwd", "ssh/key", "ssh/known", "empty/deeper/fstab"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("no image\n")
    found = scan(tmp_path)
    assert found.cases == ()
    assert found.problems == (f"No cases were found in {tmp_path} (layout case-folders).",)


def test_case_folders_may_hold_dicom_here_and_there(tmp_path: Path) -> None:
    touch(tmp_path, "P1/ART.nii.gz", "P2/IM1", "P3/S1/IM1")
    found = scan(tmp_path)
    assert [case.layout for case in found.cases] == ["case-folders", "dicom", "dicom"]


def test_a_folder_of_slices_is_a_case(tmp_path: Path) -> None:
    touch(tmp_path, "LV-7/IM1", "LV-7/IM2")
    case = only(scan(tmp_path / "LV-7"))
    assert case.id == "LV-7"
    assert case.layout == "dicom"
    assert only(scan(tmp_path / "LV-7" / "IM1")).id == "LV-7"


# Batches


def test_batches_come_in_order_and_hold_each_case_once(tmp_path: Path) -> None:
    for number in range(120):
        touch(tmp_path, f"P{number}/PV.nii.gz")
    batches = list(scan_batches(tmp_path, batch_size=30))
    assert [len(batch.cases) for batch in batches] == [30, 30, 30, 30, 0]
    assert all(batch.total == 120 for batch in batches)
    ids = [case.id for batch in batches for case in batch.cases]
    assert ids == [f"P{number}" for number in range(120)]


def test_the_first_batch_needs_few_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        touch(tmp_path, f"P{number}/PV.nii.gz")
    opened: list[str] = []
    real = os.scandir

    def counting(path: str) -> object:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", counting)
    first = next(iter(scan_batches(tmp_path)))
    assert len(first.cases) == 50
    assert len(opened) < 100


def test_a_scan_can_be_stopped(tmp_path: Path) -> None:
    for number in range(10):
        touch(tmp_path, f"P{number}/PV.nii.gz")
    found = scan(tmp_path, should_stop=lambda: True)
    assert found.cases == ()
    assert not found.problems


# Bad input


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    found = scan(tmp_path / "gone")
    assert found.cases == ()
    assert found.problems == (f"{tmp_path / 'gone'} does not exist, or may not be entered.",)
    touch(tmp_path, "P1/PV.nii.gz")
    found = scan(tmp_path, tmp_path / "masks")
    assert len(found.cases) == 1
    assert any("does not exist yet" in text for text in found.problems)


def test_a_folder_without_cases(tmp_path: Path) -> None:
    assert scan(tmp_path).problems == (f"No cases were found in {tmp_path} (layout case-folders).",)


def test_an_unknown_layout_is_said_and_the_right_one_found(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz")
    found = scan(tmp_path, layout="bids")
    assert len(found.cases) == 1
    assert "There is no layout 'bids'" in found.problems[0]


def test_folders_without_permission(tmp_path: Path) -> None:
    """As another user, since root may read everything; from inside the folder, whose parents
    that user may not enter.
    """
    touch(tmp_path, "P1/PV.nii.gz", "P2/PV.nii.gz", "P3/PV.nii.gz", "P3/masks/m.nii.gz")
    script = textwrap.dedent(
        """
        import os
        from pathlib import Path
        from labeler.storage.cases import scan
        scan(Path("."))  # imports and configuration, while we may read them
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        for case in scan(Path(".")).cases:
            print(case.id, len(case.phases), *case.problems)
        """
    )
    tmp_path.chmod(0o755)
    (tmp_path / "P2").chmod(0)
    (tmp_path / "P3" / "masks").chmod(0)
    try:
        result = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(labeler.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (tmp_path / "P2").chmod(0o755)
        (tmp_path / "P3" / "masks").chmod(0o755)
    assert result.stdout.splitlines() == [
        "P1 1",
        "P2 0 The folder P2 cannot be read (permission denied).",
        "P3 1 The folder masks cannot be read (permission denied).",
    ], result.stderr


WORDS = [
    "P1",
    "P1_2",
    "a",
    "ART",
    "PV",
    "C1",
    "C2",
    "seg",
    "masks",
    "images",
    "liver",
    "0000",
    "ct",
]
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("_".join)
TREES = st.lists(
    st.tuples(
        st.lists(NAMES, max_size=3).map("/".join),
        NAMES,
        st.sampled_from([".nii.gz", ".nii", ".nrrd", "", ".txt", ".dcm"]),
    ),
    max_size=12,
)


@given(TREES, st.sampled_from([None, *LAYOUTS]), st.booleans())
def test_any_tree_gives_cases_with_files_of_their_own(
    files: list[tuple[str, str, str]], layout: str | None, is_separate: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for parent, name, suffix in files:
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                touch(root / "x", f"{parent}/{name}{suffix}")
        touch(root / "y", "P1/draft.nii.gz", "P1_2.nii.gz", "net/P1.nii.gz")
        found = scan(root / "x", root / "y" if is_separate else None, layout)
        ids = [case.id for case in found.cases]
        assert len(set(ids)) == len(ids)
        images = [image.key for case in found.cases for image in case.images]
        assert len(set(images)) == len(images)
        paths = [mask.path for case in found.cases for mask in case.masks]
        assert len(set(paths)) == len(paths)
        assert all(path.is_file() for path in paths)
        assert all(image.path.exists() for case in found.cases for image in case.images)
        for case in found.cases[:3]:
            again = rescan(case)
            assert (again.phases, again.masks) == (case.phases, case.masks)


def test_broken_links_are_named_on_their_case(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz")
    (tmp_path / "P1" / "ART.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    case = only(scan(tmp_path))
    assert list(case.phases) == ["PV"]
    assert case.problems == ("The link ART.nii.gz points nowhere.",)


def test_folders_that_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    touch(tmp_path, "b/PV.nii.gz")
    assert "b" in [case.id for case in scan(tmp_path).cases]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/P\xff\x01"
    os.mkdir(folder)
    with open(folder + b"/PV.nii.gz", "wb"):
        pass
    os.mkdir(os.fsencode(tmp_path) + b"/Q\xfe")
    first, second = scan(tmp_path).cases
    assert first.phases["PV"].path.exists()
    assert second.problems == ("The folder Q? holds no images.",)


@pytest.mark.parametrize("name", ["P 1", "肝癌 01", "P%41", "P.1", "a'b\"c", "-x", "P[1]", "P*"])
def test_odd_names_of_cases(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"img/{name}/PV.nii.gz", f"seg/{name}/draft.nii.gz", "img/other/PV.nii.gz")
    found = scan(tmp_path / "img", tmp_path / "seg")
    case = next(case for case in found.cases if case.id == name)
    assert list(case.phases) == ["PV"]
    assert [mask.name for mask in case.masks] == ["draft"]


# Notes, corrections, new masks


def test_status_and_damage_of_notes_show_in_the_list(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz", "P2/PV.nii.gz", "P3/PV.nii.gz")
    notes = load_sidecar(tmp_path, "P2")
    save_sidecar(tmp_path, notes.sidecar.model_copy(update={"status": "done"}), notes.version)
    sidecar_path(tmp_path, "P3").write_text("{")
    first, second, third = scan(tmp_path).cases
    assert [first.status, second.status, third.status] == ["todo", "done", "todo"]
    assert third.problems == ("The notes P3.json are damaged.",)


def test_a_phase_set_by_hand_stays(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz", "P1/DL.nii.gz", "P2/PV.nii.gz")
    case = scan(tmp_path).cases[0]
    loaded = set_phase_override(case, {"P1/PV.nii.gz": "ART"})
    assert loaded.version == load_sidecar(tmp_path, "P1").version
    for again in (scan(tmp_path).cases[0], rescan(case)):
        assert phases(again) == {"ART": "PV.nii.gz", "DL": "DL.nii.gz"}
    set_phase_override(case, {"P1/PV.nii.gz": None, "P1/DL.nii.gz": ""})
    again = scan(tmp_path).cases[0]
    assert phases(again) == {"PV": "PV.nii.gz"}
    assert [source.key for source in again.spare] == ["P1/DL.nii.gz"]


def test_a_phase_set_by_hand_takes_nothing_of_others_away(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz")
    case = only(scan(tmp_path))
    opened = load_sidecar(tmp_path, "P1")
    theirs = opened.sidecar.model_copy(update={"status": "done"})
    save_sidecar(tmp_path, theirs, opened.version)
    with pytest.raises(SidecarConflict):
        set_phase_override(case, {"P1/PV.nii.gz": "ART"}, opened)
    assert load_sidecar(tmp_path, "P1").sidecar.phases == {}


def test_corrections_are_checked(tmp_path: Path) -> None:
    touch(tmp_path, "P1/PV.nii.gz")
    case = only(scan(tmp_path))
    with pytest.raises(ValueError, match="is no image of this case"):
        set_phase_override(case, {"P2/PV.nii.gz": "ART"})
    with pytest.raises(ValueError, match="is not one of"):
        set_phase_override(case, {"P1/PV.nii.gz": "XX"})
    assert not sidecar_path(tmp_path, "P1").exists()


def test_a_new_mask_is_found_again(tmp_path: Path) -> None:
    touch(
        tmp_path, "folders/P1/PV.nii.gz", "folders/P2/PV.nii.gz", "flat/a.nii.gz", "flat/b.nii.gz"
    )
    touch(tmp_path, "set/images/P1/PV.nii.gz", "set/images/P2/PV.nii.gz", "set/masks/P2/x.nii.gz")
    touch(tmp_path, "nn/imagesTr/a_0000.nii.gz", "nn/imagesTr/b_0000.nii.gz", "tree/P1/S/IM1")
    for root in ("folders", "flat", "set", "nn", "tree"):
        case = scan(tmp_path / root).cases[0]
        path = new_mask_path(case, "my draft")
        touch(tmp_path, str(path.relative_to(tmp_path)))
        assert [mask.name for mask in rescan(case).masks] == ["my draft"], root
        first, *others = scan(tmp_path / root).cases
        assert [mask.path for mask in first.masks] == [path], root
        assert all(mask.path != path for other in others for mask in other.masks), root


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", ".hidden", "a\\b", "x:y", "a\nb", "end."])
def test_names_no_mask_file_can_have(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "P1/PV.nii.gz")
    with pytest.raises(ValueError, match="cannot be the name of a mask file"):
        new_mask_path(only(scan(tmp_path)), name)


def test_reports_are_found_beside_the_images(tmp_path: Path) -> None:
    touch(tmp_path, "images/P1/PV.nii.gz", "reports/radiology.csv", "reports/notes.txt", "x.csv")
    expected = [tmp_path / "x.csv", tmp_path / "reports" / "radiology.csv"]
    assert find_reports(tmp_path) == expected
    assert find_reports(tmp_path / "images") == expected
