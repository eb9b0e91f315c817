"""Weights in TorchScript and ONNX: read as their manifest says, or refused with a reason."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.cards import sha256_of
from inference.contract import Cancelled, Request
from inference.progress import Silent
from inference.registry import find_model, list_models
from inference.worker import Worker, WorkerError
from tests.models_on_disk import block_image, write_manifest, write_onnx, write_torchscript


def predict(folder: Path, phases: dict, context=None):
    model = find_model(folder.name, [folder]).load("cpu")
    return model.predict(Request(phases), context or Silent())


@pytest.mark.parametrize("orientation", ["RAS", "SPL", "LAI"])
def test_a_mask_is_on_the_images_grid_whatever_the_network_wants(tmp_path, orientation):
    folder = write_torchscript(tmp_path / "m", orientation=orientation)
    ct = block_image()
    result = predict(folder, {"PV": ct})
    np.testing.assert_array_equal(result.mask.array, ct.array > 0)
    np.testing.assert_array_equal(result.mask.affine_ras, ct.affine_ras)
    assert result.report == "Tests."


def test_spacing_and_patches_of_the_network_only_cost_precision(tmp_path):
    patch = [8, 12, 16]
    folder = write_torchscript(tmp_path / "m", spacing_mm=[2.0, 1.0, 1.5], patch=patch)
    ct = block_image()
    mask = predict(folder, {"PV": ct}).mask.array
    assert ((mask == 1) == (ct.array > 0)).mean() > 0.9


def test_channels_are_phases_and_a_missing_one_is_said(tmp_path):
    folder = write_torchscript(tmp_path / "m", channels=["ART", "PV"], needs=["ART", "PV"])
    art, pv = block_image(1), block_image(2)
    np.testing.assert_array_equal(predict(folder, {"PV": pv, "ART": art}).mask.array, art.array > 0)
    with pytest.raises(ValueError, match="needs the phase ART"):
        predict(folder, {"PV": pv})


def test_without_channels_the_best_phase_of_the_card_is_used(tmp_path):
    folder = write_torchscript(tmp_path / "m", phases=["DL", "NC"])
    dl, nc = block_image(1), block_image(2)
    assert (predict(folder, {"NC": nc, "DL": dl}).mask.array == (dl.array > 0)).all()
    assert (predict(folder, {"CT": nc}).mask.array == (nc.array > 0)).all()
    with pytest.raises(ValueError, match="one of the phases DL, NC"):
        predict(folder, {"ART": nc, "PV": dl})


def test_progress_never_falls_and_cancel_stops_between_patches(tmp_path):
    folder = write_torchscript(tmp_path / "m", patch=[8, 8, 8])

    class Listener:
        def __init__(self, until: float) -> None:
            self.fractions = []
            self.until = until

        def report(self, fraction, text):
            self.fractions.append(fraction)

        def check(self):
            if self.fractions and self.fractions[-1] > self.until:
                raise Cancelled

    listener = Listener(until=2)
    predict(folder, {"PV": block_image()}, listener)
    assert listener.fractions == sorted(listener.fractions)
    assert len(listener.fractions) > 20
    listener = Listener(until=0.5)
    with pytest.raises(Cancelled):
        predict(folder, {"PV": block_image()}, listener)
    assert listener.fractions[-1] < 0.55


def test_onnx_gives_what_torchscript_gives(tmp_path):
    pytest.importorskip("onnx")
    folder = write_onnx(tmp_path / "m")
    ct = block_image()
    np.testing.assert_array_equal(predict(folder, {"PV": ct}).mask.array, ct.array > 0)


class Payload:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
@pytest.mark.parametrize("content", ["pickle", "torch", "random", "empty", "cut"])
def test_what_is_no_model_is_refused_and_never_unpickled(tmp_path, kind, content):
    file = {"torchscript": "model.ts", "onnx": "model.onnx"}[kind]
    folder = tmp_path / "m"
    write_torchscript(folder)
    trap = tmp_path / "executed"
    data = {
        "pickle": pickle.dumps(Payload(trap)),
        "random": np.random.default_rng(0).bytes(5000),
        "empty": b"",
        "cut": (folder / "model.ts").read_bytes()[:-100],
    }
    if content == "torch":  # what torch itself saves is a pickle in a zip
        torch.save({"weights": Payload(trap)}, folder / file)
    else:
        (folder / file).write_bytes(data[content])
    write_manifest(folder, file, kind)
    with pytest.raises(ValueError, match=f"{file} is no ") as raised:
        find_model("m", [folder]).load("cpu")
    assert "\n" not in str(raised.value)
    assert not trap.exists()


def test_weights_that_changed_are_refused(tmp_path):
    folder = write_torchscript(tmp_path / "m")
    with (folder / "model.ts").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1")
    assert list_models([folder])[-1].available  # hashing all weights would make the list slow
    with pytest.raises(ValueError, match="not those of the card"):
        find_model("m", [folder]).load("cpu")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[16, 16, 16]", "[16, 16]", "not enough values"),
        ("[16, 16, 16]", "[16, 16, 100000]", "patch must be three numbers"),
        ("[1.0, 1.0, 1.0]", "[1.0, 0.0, 1.0]", "spacing_mm must be three numbers"),
        ('"RAS"', '"RAR"', "no three directions"),
        ('orientation = "RAS"', "", "'orientation' is missing"),
        ("high = 100.0", "", "'high' is missing"),
        ("high = 100.0", "high = -200.0", "low < high"),
        ('kind = "window"', 'kind = "z"', "normalization must be one of"),
        ('"model.ts"', '"model.pkl"', "must name one .ts or .pt file"),
    ],
)
def test_a_manifest_that_makes_no_sense_says_where(tmp_path, old, new, words):
    folder = write_torchscript(tmp_path / "m")
    (folder / "model.pkl").write_bytes((folder / "model.ts").read_bytes())
    manifest = folder / "model.toml"
    text = manifest.read_text("utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ValueError, match=words) as raised:
        find_model("m", [folder]).load("cpu")
    assert str(manifest) in str(raised.value)


def test_a_network_with_more_labels_than_its_card_is_refused(tmp_path):
    folder = write_torchscript(tmp_path / "m")
    script = torch.jit.script(torch.nn.Conv3d(1, 5, 1))
    script.save(folder / "model.ts")
    write_manifest(folder, "model.ts", "torchscript")
    with pytest.raises(ValueError, match="gives 4 labels, its card names 1"):
        predict(folder, {"PV": block_image()})


def test_the_worker_refuses_changed_weights_and_then_runs_the_right_ones(tmp_path):
    folder = write_torchscript(tmp_path / "m")
    good = (folder / "model.ts").read_bytes()
    (folder / "model.ts").write_bytes(good + b"x")
    ct = block_image()
    with Worker(folders=[folder], device="cpu") as worker:
        with pytest.raises(WorkerError, match="not those of the card"):
            worker.run("m", Request({"PV": ct}), Silent())
        (folder / "model.ts").write_bytes(good)
        ran = worker.run("m", Request({"PV": ct}), Silent())
    np.testing.assert_array_equal(ran.result.mask.array, ct.array > 0)
    assert ran.weights == sha256_of(folder / "model.ts")


def test_nothing_that_reports_use_is_imported(tmp_path):
    folder = write_torchscript(tmp_path / "m")
    predict(folder, {"PV": block_image()})
    assert "openvino" in sys.modules
    assert sys.modules["openvino_telemetry"] is None
