"""The command line: documents, exit codes, one sentence per error."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

import labeler
from labeler import cli
from labeler.core.edits import Edit
from labeler.core.mask import Box, Patch
from labeler.storage.journal import Journal
from labeler.storage.masks import read_mask
from labeler.storage.recovery import FileState
from labeler.storage.sidecar import load_sidecar, save_sidecar
from labeler.storage.unsaved import journal_path

Run = Callable[..., tuple[int, str, str]]

SHAPE_KJI_RAS = (20, 24, 16)
PHASE_HU = {"NC": 50, "ART": 120, "PV": 100}


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command; returns exit code, standard output, standard error."""

    def call(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_info:
            cli.main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert isinstance(exit_info.value.code, int)
        return exit_info.value.code, out, err

    return call


def store(path: Path, array_ras: np.ndarray, orientation: str, origin_mm: float = 0.0) -> None:
    """Write an array whose axes run Right, Anterior, Superior, in another voxel order."""
    affine = np.diag([0.8, 0.9, 2.5, 1.0])
    affine[:3, 3] = [-20.0 + origin_mm, 5.0, 100.0]
    transform = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(tuple(orientation)))
    stored = nib.orientations.apply_orientation(array_ras, transform)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(stored, affine @ inv_ornt_aff(transform, array_ras.shape)), path)


def write_case(root: Path, case_id: str = "P1", orientation: str = "LPS") -> None:
    """Three phases in different voxel orders and a mask with a liver and two lesions."""
    labels = np.zeros(SHAPE_KJI_RAS, np.uint8)
    labels[2:15, 3:20, 2:9] = 1
    labels[4:8, 5:9, 3:7] = 11
    labels[11:13, 14:17, 5:6] = 11
    orders = dict(zip(PHASE_HU, ("RAS", "LPS", orientation), strict=True))
    for phase, hu in PHASE_HU.items():
        volume = np.full(SHAPE_KJI_RAS, -1000, np.int16)
        volume[labels == 1] = hu
        volume[labels == 11] = hu + 20
        store(root / "images" / case_id / f"{phase}.nii.gz", volume, orders[phase])
    store(root / "masks" / case_id / "draft.nii.gz", labels, orientation)


# cases


def test_cases_is_one_json_document_with_the_fixed_keys(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path, "P1", "PIR")
    write_case(tmp_path, "P2")
    notes = load_sidecar(tmp_path / "masks", "P2")
    save_sidecar(
        tmp_path / "masks", notes.sidecar.model_copy(update={"status": "done"}), notes.version
    )
    code, out, err = run("cases", tmp_path / "images", "--masks", tmp_path / "masks", "--json")
    assert code == 0
    assert err == ""
    document = json.loads(out)
    assert [case["id"] for case in document] == ["P1", "P2"]
    first = document[0]
    assert first["layout"] == "case-folders"
    assert [case["status"] for case in document] == ["todo", "done"]
    assert list(first["phases"]) == ["NC", "ART", "PV"]
    assert first["phases"]["PV"]["path"] == str(tmp_path / "images" / "P1" / "PV.nii.gz")
    assert first["phases"]["PV"]["shape_ijk"] == [24, 16, 20]
    assert first["phases"]["PV"]["spacing_mm"] == pytest.approx([0.9, 2.5, 0.8])
    assert first["masks"] == [
        {"name": "draft", "path": str(tmp_path / "masks" / "P1" / "draft.nii.gz")}
    ]
    assert first["problems"] == []


def test_cases_of_a_bad_folder_still_are_a_document(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    (tmp_path / "images" / "P1" / "PV.nii.gz").write_bytes(b"")
    (tmp_path / "images" / "Q").mkdir()
    code, out, _ = run("cases", tmp_path, "--json")
    assert code == 0
    first, second = json.loads(out)
    assert first["phases"]["PV"]["shape_ijk"] is None
    assert first["problems"] == ["PV: PV.nii.gz is empty."]
    assert second["problems"] == ["The folder Q holds no images."]


def test_cases_as_a_table(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    code, out, _ = run("cases", tmp_path)
    assert code == 0
    assert out.startswith("1 case, layout case-folders, masks in ")
    assert "NC ART PV" in out
    assert "draft" in out


def test_names_that_are_no_text_and_markup_do_not_hurt(tmp_path: Path, run: Run) -> None:
    for name in (b"P\xff", b"[red]x", "肝癌".encode(), b"a\x1b[31mb"):
        folder = tmp_path / name.decode("utf-8", "surrogateescape")
        folder.mkdir()
        (folder / "PV.nii.gz").touch()
    code, out, _ = run("cases", tmp_path)
    assert code == 0
    assert "P?" in out
    assert "[red]x" in out
    assert "肝癌" in out
    assert "\x1b" not in out
    code, out, _ = run("cases", tmp_path, "--json")
    assert len(json.loads(out)) == 4


# regions


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR", "SAL", "ILA"])
def test_regions_count_voxels_of_the_file_as_stored(
    tmp_path: Path, run: Run, orientation: str
) -> None:
    write_case(tmp_path, orientation=orientation)
    code, out, err = run(
        "regions", tmp_path / "images", "--masks", tmp_path / "masks", "--case", "P1", "--json"
    )
    assert code == 0
    assert err == ""
    document = json.loads(out)
    assert sorted((r["label"], r["voxels"]) for r in document) == [
        (1, 13 * 17 * 7 - 64 - 6),
        (11, 6),
        (11, 64),
    ]
    image = nib.load(tmp_path / "masks" / "P1" / "draft.nii.gz")
    stored = np.asanyarray(image.dataobj)
    for region in document:
        assert region["mask"] == "draft"
        assert region["name"] == {1: "Liver", 11: "HCC"}[region["label"]]
        assert stored[tuple(region["anchor_ijk"])] == region["label"]
        box = tuple(slice(lo, hi) for lo, hi in region["box_ijk"])
        inside = np.argwhere(stored[box] == region["label"])
        if region["label"] == 11:
            assert len(inside) == region["voxels"]
            assert inside.min(axis=0).tolist() == [0, 0, 0]
            assert (inside.max(axis=0) + 1).tolist() == [hi - lo for lo, hi in region["box_ijk"]]
            center_ijk = inside.mean(axis=0) + [lo for lo, _ in region["box_ijk"]]
            center_ras = nib.affines.apply_affine(image.affine, center_ijk)
            assert region["centroid_ras"] == pytest.approx(center_ras.tolist(), abs=1e-3)
        assert region["volume_ml"] == pytest.approx(region["voxels"] * 0.8 * 0.9 * 2.5 / 1000)
        extra = 20 if region["label"] == 11 else 0
        for phase, hu in PHASE_HU.items():
            assert region["hu"][phase] == {"mean": hu + extra, "sd": 0.0}, phase
    large = next(r for r in document if r["voxels"] == 64)
    assert large["diameter_mm"] == pytest.approx(np.hypot(3 * 0.8, 3 * 0.9), rel=0.4)


def test_regions_use_the_shift_noted_for_a_phase(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    path = tmp_path / "images" / "P1" / "ART.nii.gz"
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 4.0  # breathed away by 4 mm
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), affine), path)
    args = ("regions", tmp_path, "--case", "P1", "--json")
    off = {r["id"]: r["hu"]["ART"]["sd"] for r in json.loads(run(*args)[1])}
    assert max(off.values()) > 10
    notes = load_sidecar(tmp_path / "masks", "P1")
    shifted = notes.sidecar.model_copy(update={"shifts_mm": {"ART": (-4.0, 0.0, 0.0)}})
    save_sidecar(tmp_path / "masks", shifted, notes.version)
    assert {r["hu"]["ART"]["sd"] for r in json.loads(run(*args)[1])} == {0.0}


def test_regions_as_a_table_and_of_one_mask(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    (tmp_path / "masks" / "P1" / "broken.nii.gz").write_bytes(b"x")
    code, out, err = run("regions", tmp_path, "--case", "P1", "--mask", "draft")
    assert code == 0
    assert err == ""
    assert "11 HCC" in out
    assert "120 ± 0" in out
    code, out, err = run("regions", tmp_path, "--case", "P1", "--json")
    assert code == 1
    assert len(json.loads(out)) == 3
    assert "broken.nii.gz" in err


def test_regions_go_on_without_a_phase_that_cannot_be_read(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    (tmp_path / "images" / "P1" / "ART.nii.gz").write_bytes(b"")
    code, out, err = run("regions", tmp_path, "--case", "P1", "--json")
    assert code == 0
    assert {tuple(region["hu"]) for region in json.loads(out)} == {("NC", "PV")}
    assert err == "ART: ART.nii.gz is empty.\n"


def test_a_case_without_masks_has_no_regions(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    (tmp_path / "masks" / "P1" / "draft.nii.gz").unlink()
    assert run("regions", tmp_path, "--case", "P1", "--json") == (0, "[]\n", "")


# check


def test_check_passes_sound_cases(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    assert run("check", tmp_path) == (0, "1 case checked, 0 with problems\n", "")


def test_check_reads_every_byte(tmp_path: Path, run: Run) -> None:
    for name in ("P1", "P2", "P3", "P4"):
        write_case(tmp_path, name)
    path = tmp_path / "images" / "P1" / "PV.nii.gz"
    path.write_bytes(path.read_bytes()[:-4000])  # cut short
    path = tmp_path / "masks" / "P2" / "draft.nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    packed = bytearray(gzip.compress(bytes(content)))
    packed[-6] ^= 0xFF  # the checksum of what is packed
    path.write_bytes(packed)
    (tmp_path / "masks" / "_labeling").mkdir()
    (tmp_path / "masks" / "_labeling" / "P3.json").write_text("{")
    (tmp_path / "masks" / "_labeling" / "gone.json").write_text("{}")
    (tmp_path / "masks" / "_labeling" / "old%2FP1.json").write_text("{}")
    (tmp_path / "masks" / "labels.toml").write_text("[[label]]\nvalue = 0\n")
    code, out, _ = run("check", tmp_path)
    assert code == 1
    lines = out.splitlines()
    assert any("P1" in line and "PV.nii.gz" in line for line in lines)
    assert any("P2" in line and "draft.nii.gz" in line for line in lines)
    assert any("P3" in line and "P3.json" in line for line in lines)
    assert any("gone.json belong to no case" in line for line in lines)
    assert any("P1.json belong to no case: there is none called 'old/P1'" in line for line in lines)
    assert any("label entry 1 is ignored" in line for line in lines)
    assert not any(line.strip().startswith("P4") for line in lines)
    assert lines[-1] == "4 cases checked, 3 with problems"


def test_check_finds_edits_that_are_in_a_journal_only(tmp_path: Path, run: Run) -> None:
    write_case(tmp_path)
    masks = tmp_path / "masks"
    file = read_mask(masks / "P1" / "draft.nii.gz")
    assert file.fingerprint is not None
    state = FileState(file.fingerprint.digest, file.mask.revision)
    path = journal_path(masks, "P1")
    journal = Journal.create(path, "P1", {"draft": state})
    try:
        assert run("check", tmp_path)[0] == 0
        box = Box((0, 0, 0), (2, 2, 2))
        before = file.mask.array[box.slices]
        patch = Patch.between("draft", box, before, before + 1)
        assert patch is not None
        journal.append(Edit("Brush Liver", (patch,)))
    finally:
        journal.close()
    code, out, _ = run("check", tmp_path)
    assert code == 1
    assert "1 edit is not saved; open the case to restore or discard them." in out
    path.write_bytes(b"no journal")
    code, out, _ = run("check", tmp_path)
    assert code == 1
    assert "The journal cannot be read" in out


def test_check_of_nothing_fails(tmp_path: Path, run: Run) -> None:
    code, out, _ = run("check", tmp_path)
    assert code == 1
    assert "No cases were found" in out


# errors


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("cases", "gone"), "gone does not exist."),
        (("gone",), "gone does not exist."),
        (("cases",), "Missing argument 'IMAGES'."),
        (("cases", ".", "--masks", "gone"), "The mask folder gone does not exist."),
        (("cases", ".", "--layout", "bids"), "Invalid value for '--layout': 'bids' is not one of"),
        (("cases", ".", "--nonsense"), "No such option '--nonsense'"),
        (("regions", "."), "Missing option '--case'."),
        (("regions", ".", "--case", "P9"), "There is no case 'P9' in .; did you mean 'P1'?"),
        (("regions", ".", "--case", "P1", "--mask", "x"), "Case P1 has no mask 'x'; its masks:"),
        (("check", "gone"), "gone does not exist."),
        (("snapshot", "gone", "--case", "x", "--out", "x.png"), "gone does not exist."),
        (("snapshot", ".", "--case", "x", "--out", "x.png", "--size", "big"), "Invalid value for"),
        (("--reports", "gone.csv", "."), "Invalid value for '--reports': File 'gone.csv' does not"),
        (("example", "P1"), "P1 is there already; name a new or an empty folder."),
        (("example", "new", "--cases", "0"), "Invalid value for '--cases': 0 is not in the range"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "P1").mkdir()
    (tmp_path / "P1" / "PV.nii.gz").touch()
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*args)
    assert code == 2
    assert out == ""
    assert err.startswith(sentence)
    assert err.count("\n") == 1


# window and snapshot


@pytest.fixture
def app_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands in for the window and its pictures; holds what they were called with."""
    calls: list[tuple[Any, ...]] = []

    class SnapshotError(ValueError):
        pass

    def run(*args: Any) -> int:
        calls.append(("run", *args))
        return 0

    def snapshot(*args: Any) -> None:
        calls.append(("snapshot", *args))
        if args[6] == 99:
            raise SnapshotError("The list has 3 regions.")
        if args[4].parent.name == "gone":
            raise OSError("no such folder")

    for name, content in (
        ("app", {"run": run}),
        ("offscreen", {"snapshot": snapshot, "SnapshotError": SnapshotError}),
    ):
        module = types.SimpleNamespace(**content)
        monkeypatch.setitem(sys.modules, f"labeler.{name}", module)
        monkeypatch.setattr(labeler, name, module, raising=False)
    return calls


def test_anything_but_a_command_opens_the_window(
    tmp_path: Path, run: Run, app_calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_case(tmp_path)
    csv = tmp_path / "r.csv"
    csv.touch()
    (tmp_path / "cases").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run()[0] == 0
    assert run("images")[0] == 0
    assert run("./cases")[0] == 0
    assert run("--masks", "masks", "images", "--reports", csv, "--case", "P1")[0] == 0
    assert run("images", "--layout", "flat", "--reports", csv, "--reports", csv)[0] == 0
    assert app_calls == [
        ("run", None, None, (), None, None),
        ("run", Path("images"), None, (), None, None),
        ("run", Path("cases"), None, (), None, None),
        ("run", Path("images"), Path("masks"), (csv,), "P1", None),
        ("run", Path("images"), None, (csv, csv), None, "flat"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_the_window_says_so(
    run: Run, app_calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    code, out, err = run()
    assert (code, out, app_calls) == (1, "", [])
    assert err.startswith("There is no display")
    assert err.count("\n") == 1


def test_a_display_that_does_not_answer_is_named() -> None:
    code = "from labeler.app import *; log_qt_messages(); create_application()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "QT_QPA_PLATFORM": "no such platform"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no Qt platform plugin could be initialized" in done.stderr


def test_snapshot_hands_its_options_on(
    tmp_path: Path, run: Run, app_calls: list[tuple[Any, ...]]
) -> None:
    write_case(tmp_path)
    out = tmp_path / "x.png"
    images, masks = tmp_path / "images", tmp_path / "masks"
    assert run("snapshot", images, "--case", "P1", "--out", out)[0] == 0
    args = ("--size", "1366x768", "--region", 2, "--masks", masks, "--perspective", "audit")
    assert run("snapshot", images, "--case", "P1", "--out", out, *args)[0] == 0
    assert app_calls == [
        ("snapshot", images, None, (), "P1", out, (1920, 1080), None, "liver", None),
        ("snapshot", images, masks, (), "P1", out, (1366, 768), 2, "audit", None),
    ]
    assert run("snapshot", images, "--case", "P2", "--out", out)[0] == 2


def test_a_snapshot_that_fails_says_why(
    tmp_path: Path, run: Run, app_calls: list[tuple[Any, ...]]
) -> None:
    write_case(tmp_path)
    args = ("snapshot", tmp_path / "images", "--case", "P1", "--out")
    code, _, err = run(*args, tmp_path / "x.png", "--region", 99)
    assert (code, err) == (2, "The list has 3 regions.\n")
    code, _, err = run(*args, tmp_path / "gone" / "x.png")
    assert (code, err) == (1, "no such folder.\n")


def test_help_and_version(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in ("example", "cases", "regions", "snapshot", "check"):
        assert f"  {name} " in out
    assert "[IMAGES] [--masks DIR]" in out
    assert run("--version")[1].startswith("ct-labeler, version ")


def test_the_command_loads_neither_qt_nor_readers() -> None:
    script = (
        "import sys, labeler.cli;"
        "print(sorted({'PyQt5', 'nibabel', 'SimpleITK', 'pydicom', 'numba', 'rich', 'torch'}"
        " & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_python_m_labeler_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "labeler", "cases", "/nowhere/at/all"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "/nowhere/at/all does not exist.\n"
