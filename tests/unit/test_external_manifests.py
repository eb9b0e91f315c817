"""Manifests for nnU-Net folders and MONAI bundles that have none, and bundles that are run."""

import json

import numpy as np
import pytest
import torch

from inference import cli
from inference.contract import Request
from inference.external.monai_bundle import input_of
from inference.progress import Silent
from inference.registry import find_model, list_models
from tests.models_on_disk import block_image, write_bundle
from tests.nnunet_folder import write_nnunet


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def results_of_total_segmentator(folder):
    """Make small ones of the two folders it downloads: older plans, its own reader, no mirrors."""
    inner = (
        folder
        / "Dataset297_TotalSegmentator_total_3mm"
        / "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres"
    )
    write_nnunet(inner, old=True, mirror=None)
    (inner / "model.toml").unlink()
    dataset = json.loads((inner / "dataset.json").read_text())
    dataset["overwrite_image_reader_writer"] = "NibabelIOWithReorient"
    dataset["labels"] = {"background": 0, "spleen": 1, "kidney_right": 2}
    (inner / "dataset.json").write_text(json.dumps(dataset))
    return inner.parent


def test_a_total_segmentator_folder_is_a_model_with_its_label_names(tmp_path, capsys):
    weights = results_of_total_segmentator(tmp_path / "results")
    before = sorted(path.name for path in weights.rglob("*"))
    out = tmp_path / "models" / "ts"
    assert list_models([weights])[-1].source != str(weights)  # without a manifest it is no model
    assert run("manifest", weights, "--licence", "Apache-2.0", "--id", "ts", "--out", out) == 0
    assert sorted(path.name for path in weights.rglob("*")) == before
    factory = find_model("ts", [tmp_path / "models"])
    card = factory.card()
    assert card.labels == {1: "spleen", 2: "kidney_right"}
    assert card.licence == "Apache-2.0"
    assert [parameter.name for parameter in card.parameters] == ["mirror"]
    model = factory.load("cpu")
    assert model.orientation == "SAR"
    ct = block_image(shape=(10, 16, 18))
    mask = model.predict(Request({"PV": ct}), Silent()).mask
    assert mask.array.shape == ct.array.shape
    assert set(np.unique(mask.array)) <= {0, 1, 2}


def test_a_manifest_is_never_written_over(tmp_path, capsys):
    folder = write_nnunet(tmp_path / "m")
    before = (folder / "model.toml").read_bytes()
    assert run("manifest", folder, "--licence", "x") == 2
    assert "is there already" in capsys.readouterr().err
    assert (folder / "model.toml").read_bytes() == before


@pytest.mark.parametrize("missing", ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"])
def test_what_is_no_whole_folder_gets_no_manifest(tmp_path, capsys, missing):
    folder = write_nnunet(tmp_path / "m")
    (folder / "model.toml").unlink()
    (folder / missing).unlink()
    assert run("manifest", folder, "--licence", "x") in (1, 2)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (folder / "model.toml").exists()


def test_a_bundle_runs_as_it_says_and_its_expressions_do_not(tmp_path, capsys):
    trap = tmp_path / "executed"
    bundle = write_bundle(tmp_path / "bundle", trap)
    assert run("manifest", bundle, "--licence", "Apache-2.0") == 0
    factory = find_model("dense-tissue", [bundle])
    assert factory.card().labels == {1: "dense"}
    ct = block_image()
    mask = factory.load("cpu").predict(Request({"NC": ct}), Silent()).mask
    np.testing.assert_array_equal(mask.array, ct.array > 0)
    assert not trap.exists()


def test_what_a_bundle_computes_has_to_be_in_the_manifest(tmp_path, capsys):
    bundle = write_bundle(tmp_path / "bundle", tmp_path / "x")
    path = bundle / "configs" / "inference.json"
    document = json.loads(path.read_text())
    document["preprocessing"]["transforms"][2]["pixdim"] = "$@spacing"
    document["inferer"]["roi_size"] = ["$16", 16, 16]
    path.write_text(json.dumps(document))
    assert set(input_of(document)) == {"orientation", "normalization", "overlap"}
    assert run("manifest", bundle, "--licence", "x") == 0
    with pytest.raises(ValueError, match="'spacing_mm' is missing"):
        find_model("dense-tissue", [bundle]).load("cpu")
    with (bundle / "model.toml").open("a") as file:
        file.write("\n[input]\nspacing_mm = [1.0, 1.0, 1.0]\npatch = [16, 16, 16]\n")
    ct = block_image()
    mask = find_model("dense-tissue", [bundle]).load("cpu").predict(Request({"NC": ct}), Silent())
    np.testing.assert_array_equal(mask.mask.array, ct.array > 0)


def test_a_bundle_without_torchscript_is_refused(tmp_path, capsys):
    bundle = write_bundle(tmp_path / "bundle", tmp_path / "x")
    (bundle / "models" / "model.ts").unlink()
    torch.save({"weight": torch.zeros(1)}, bundle / "models" / "model.pt")
    assert run("manifest", bundle, "--licence", "x") == 2
    assert "needs one TorchScript file" in capsys.readouterr().err
