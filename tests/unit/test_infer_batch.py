"""``ct-infer batch`` when something breaks: the others are done, and it goes on later."""

import csv
import errno
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import psutil
import pytest

from inference import cli, results
from tests import plugin_models

CASES = ("a", "b", "c")

#: What models of the plug-in stumble over.
BAD_HU = -7


def write_case(images, name: str, value: int = 50) -> None:
    path = images / name / "PV.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.full((6, 5, 4), value, np.int16), np.eye(4)), path)


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Three cases, the middle one of which some models stumble over."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    plugin_models.install(folder, monkeypatch)
    for name in CASES:
        write_case(tmp_path / "images", name, BAD_HU if name == "b" else 50)
    return tmp_path / "images"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def batch(model: str, images, out, *more: str) -> int:
    command = ["batch", model, str(images), "--out", str(out), "--device", "cpu", *more]
    return cli.main(command)


def states(out) -> dict[str, str]:
    with (out / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["case"]: row["state"] for row in csv.DictReader(file)}


def leftovers(out) -> list[str]:
    return [path.name for path in out.rglob("*") if ".part" in path.name]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_case_that_kills_its_worker_stops_no_other(images, out, capsys, workers):
    assert batch("fragile", images, out, "--workers", workers) == 1
    said = capsys.readouterr()
    assert states(out) == {"a": "done", "b": "failed", "c": "done"}
    assert "b failed: The model's process was killed" in said.err
    assert "1 of 3 cases failed" in said.err
    assert not (out / "b" / "fragile.nii.gz").exists()
    write_case(images, "b")
    assert batch("fragile", images, out) == 0
    assert states(out) == {"a": "there", "b": "done", "c": "there"}
    assert "3 of 3 cases done" in capsys.readouterr().out


def test_a_batch_that_was_killed_goes_on_where_it_was(images, out):
    command = [sys.executable, "-m", "inference.cli", "batch", "stuck", str(images)]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--device", "cpu"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "1/3 a done\n"
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    process.stderr.close()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == [], "the worker ends with its batch"
    before = (out / "a" / "stuck.nii.gz").stat().st_mtime_ns
    write_case(images, "b")
    assert batch("stuck", images, out) == 0
    assert states(out) == {"a": "there", "b": "done", "c": "done"}
    assert (out / "a" / "stuck.nii.gz").stat().st_mtime_ns == before


def test_a_mask_without_its_document_is_done_again(images, out):
    """The batch was killed between the two."""
    write_case(images, "b")
    assert batch("fragile", images, out) == 0
    (out / "b" / "fragile.json").unlink()
    (out / "b" / "fragile.nii.gz").write_bytes(b"half")
    assert batch("fragile", images, out) == 0
    assert states(out) == {"a": "there", "b": "done", "c": "there"}
    assert nib.load(out / "b" / "fragile.nii.gz").shape == (6, 5, 4)


def test_a_full_disk_stops_the_batch_and_leaves_nothing_half(images, out, capsys, monkeypatch):
    write_case(images, "b")
    write, written = results.write_mask, []

    def fill_up(path, mask, source) -> None:
        if written:
            monkeypatch.setattr(nib, "save", no_room)
        written.append(path.parent.name)
        write(path, mask, source)

    def no_room(image, path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(results, "write_mask", fill_up)
        assert batch("fragile", images, out) == 1
    monkeypatch.undo()
    assert "No space left on device" in capsys.readouterr().err
    assert written == ["a", "b"], "no further case is begun"
    assert leftovers(out) == []
    assert states(out) == {"a": "done"}


def test_the_progress_tells_case_and_count(images, out):
    from inference.batch import find_cases, run_batch
    from inference.registry import find_model

    write_case(images, "b")
    said, told = [], []

    class Bar:
        def report(self, fraction: float, text: str) -> None:
            said.append((fraction, text))

        def check(self) -> None:
            pass

    card = find_model("threshold").card()
    run_batch(card, find_cases(images), {}, out, Bar(), device="cpu", told=told.append)
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert said[-1][1] == "3 of 3 done, c: done"
    assert any(text.startswith("1 of 3 done, b: step") for _, text in said)
    assert [row.case for row in told] == list(CASES)
