"""The shipped vertebra model: made from a training, loaded by hash, its landmarks written."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from inference.cards import read_manifest
from inference.contract import Image, Landmark, Request, Result
from inference.locations import config_folder
from inference.registry import find_model, list_models
from inference.results import write_results
from inference.training.export_vertebra import export_vertebra
from inference.training.vertebra import VertebraSettings, read_vertebra_settings
from inference.vertebra import FACTORY, VertebraFactory
from inference.vertebra.centroid_files import read_verse_centroids
from inference.vertebra.levels import INDEX
from inference.vertebra.model import STAGES, VertebraModel, result_of
from inference.vertebra.optimization import Chain, Found
from inference.vertebra.pipeline import SpineReading
from inference.volumes import Source
from inference.weights import save_weights
from inference.worker import RunResult

FEATURES = (4, 4, 4, 4, 4, 4)
AFFINE = np.array([[0, 0, -2.0, 30], [-1.5, 0, 0, 40], [0, -1.0, 0, 50], [0, 0, 0, 1]])  # PIR


class Quiet:
    """A caller that lets everything go on."""

    def report(self, fraction, text):
        pass

    def check(self):
        pass


def small_settings() -> VertebraSettings:
    settings = read_vertebra_settings(config_folder() / "train_vertebra.toml")
    small = {stage: getattr(settings, stage).model_copy(update={"features": FEATURES})
             for stage in STAGES}  # fmt: skip
    return settings.model_copy(update=small)


@pytest.fixture
def training(tmp_path):
    """A folder as a training leaves it; its networks have random weights and see no column."""
    folder = tmp_path / "training"
    for stage, (make, _, _) in STAGES.items():
        (folder / stage).mkdir(parents=True)
        network = make(FEATURES)
        torch.nn.init.constant_(network.final_conv.bias, -20.0)
        save_weights(folder / stage / "best.safetensors", network.state_dict())
        (folder / stage / "curve.csv").write_text("step,score\n10,0.5\n20,0.7\n30,0.6\n")
    return folder


def test_a_training_becomes_a_model_that_runs(training, tmp_path):
    export_vertebra(training, tmp_path / "model", small_settings(), "0.1")
    manifest = read_manifest(tmp_path / "model" / "model.toml")
    assert manifest.tables["training"]["levels_steps"] == 20
    assert manifest.card.demonstration
    assert {p.name: p.default for p in manifest.card.parameters} == {
        "method": "rectified", "masks": False, "report": "",
    }  # fmt: skip
    model = VertebraFactory(tmp_path / "model").load("cpu")
    noise = np.random.default_rng(0).normal(0, 30, (40, 40, 40)).astype(np.int16)
    image = Image(noise, np.diag([-3.0, -3.0, 3.0, 1.0]))
    with pytest.raises(ValueError, match="no vertebral column"):
        model.predict(Request({"PV": image}), Quiet())


def test_a_network_that_is_not_trained_yet_cannot_be_shipped(training, tmp_path):
    (training / "levels" / "best.safetensors").unlink()
    with pytest.raises(ValueError, match="no weights of the network for levels"):
        export_vertebra(training, tmp_path / "model", small_settings(), "0.1")


def test_weights_that_do_not_fit_are_said(training, tmp_path):
    export_vertebra(training, tmp_path / "model", small_settings(), "0.1")
    card = tmp_path / "model" / "model.toml"
    card.write_text(card.read_text().replace(f"levels = {list(FEATURES)}", "levels = [8, 8]"))
    with pytest.raises(ValueError, match="does not fit"):
        VertebraFactory(tmp_path / "model").load("cpu")


def test_missing_weights_are_a_sentence(training, tmp_path, monkeypatch):
    monkeypatch.setattr(FACTORY, "_folder", tmp_path / "model")
    (entry,) = (e for e in list_models() if e.id == "vertebra")
    assert "there is no vertebra model" in entry.problem
    export_vertebra(training, tmp_path / "model", small_settings(), "0.1")
    assert find_model("vertebra").card().title == "Vertebrae"
    (tmp_path / "model" / "centres.safetensors").unlink()
    (entry,) = (e for e in list_models() if e.id == "vertebra")
    assert entry.problem == "weights of the vertebra model are missing: centres.safetensors"


def written(tmp_path, shape_kji=(10, 20, 30)):
    image = Image(np.zeros(shape_kji, np.int16), AFFINE)
    marks = (
        Landmark(19, (10.0, -20.0, 30.0), 0.9),
        Landmark(28, (11.0, -21.0, 5.0), 0.2, ("weak signal",)),
    )
    ran = RunResult(Result(landmarks=marks, measures={}), "cpu", 1.0, 10.0, "hash")
    document = write_results(tmp_path, "vertebra", ran, {"PV": Source(image, None, tmp_path)})
    return image, marks, document


def test_landmarks_are_written_for_verse_and_for_slicer(tmp_path):
    image, marks, document = written(tmp_path)
    assert document["landmarks"] == str(tmp_path / "vertebra_ctd.json")
    found = read_verse_centroids(
        tmp_path / "vertebra_ctd.json", image.array.shape[::-1], image.affine_ras
    )
    assert list(found) == ["T12", "T13"]
    assert np.allclose([found["T12"], found["T13"]], [m.position_ras for m in marks])
    points = json.loads((tmp_path / "vertebra.mrk.json").read_text())["markups"][0]
    assert points["coordinateSystem"] == "RAS"
    assert [p["label"] for p in points["controlPoints"]] == ["T12", "T13"]
    assert points["controlPoints"][1]["description"] == "weak signal"
    assert points["controlPoints"][1]["position"] == [11.0, -21.0, 5.0]


def test_centroids_of_another_direction_are_the_same_places(tmp_path):
    image, marks, _ = written(tmp_path)
    path = tmp_path / "other_ctd.json"
    # the image turned to LAS: i runs to the left, j to the front, k up
    turned = nib.as_closest_canonical(
        nib.Nifti1Image(np.zeros(image.array.shape[::-1], np.uint8), image.affine_ras)
    )
    index = np.linalg.inv(turned.affine) @ [*marks[0].position_ras, 1.0]
    mirrored = turned.shape[0] - 1 - index[0]
    path.write_text(json.dumps([
        {"direction": ["L", "A", "S"]},
        {"label": 19, "X": mirrored, "Y": index[1], "Z": index[2]},
        {"label": 99, "X": 0, "Y": 0, "Z": 0},
    ]))  # fmt: skip
    found = read_verse_centroids(path, image.array.shape[::-1], image.affine_ras)
    assert list(found) == ["T12"]
    assert np.allclose(found["T12"], marks[0].position_ras)


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"direction": ["L"]}]', '[{}, {"label": 1}]'])
def test_what_is_no_centroid_file_is_said(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match="no VerSe centroid file"):
        read_verse_centroids(tmp_path / "x.json", (1, 1, 1), np.eye(4))


def reading_of(levels, positions):
    """What a pipeline would have read, without the evidence."""
    vertebrae = tuple(Found(INDEX[name], 0.0, 0.5, ("weak signal",)) for name in levels)
    chain = Chain(vertebrae, 1.0, 1.0)
    return SpineReading(None, None, chain, np.array(positions), (0.7,) * len(levels))


def bone(batch):
    return torch.where((batch[:, 1:2] > 0.15) & (batch[:, 2:3] > 0.1), 5.0, -5.0)


def test_masks_have_the_numbers_of_their_landmarks_and_their_doubts():
    hu = np.zeros((60, 40, 40), np.int16)
    for k in (50, 35, 20, 5):
        hu[k - 4 : k + 4, 14:26, 12:28] = 300
    image = Image(hu, np.diag([-2.0, -2.0, 2.0, 1.0]))
    positions = [(-39.0, -39.0, 2.0 * k - 1.0) for k in (50, 35, 20, 5)]
    positions[0] = (-39.0, -39.0, 130.0)  # above the image
    reading = reading_of(("L3", "L4", "L5", "S1"), positions)
    model = VertebraModel(None, None, bone)
    masks = model.draw(reading, image, Quiet())
    assert set(np.unique(masks.array)) == {0, 23, 24}  # not what is outside, nor the sacrum
    result = result_of(reading, image, "PV", b"", masks)
    assert result.mask is masks
    assert [f.label for f in result.findings] == [23, 24]
    assert result.findings[0].flags == ("weak signal",)
    for finding in result.findings:
        i, j, k = np.rint(np.array(finding.anchor_ras) / (-2.0, -2.0, 2.0)).astype(int)
        assert masks.array[k, j, i] == finding.label
    assert result_of(reading, image, "PV").mask is None


def test_a_model_without_a_network_for_masks_says_so(training, tmp_path):
    export_vertebra(training, tmp_path / "model", small_settings(), "0.1")
    card = tmp_path / "model" / "model.toml"
    lines = [x for x in card.read_text().splitlines() if not x.startswith('"masks.safetensors"')]
    card.write_text("\n".join(lines))
    model = VertebraFactory(tmp_path / "model").load("cpu")
    image = Image(np.zeros((40, 40, 40), np.int16), np.diag([-3.0, -3.0, 3.0, 1.0]))
    with pytest.raises(ValueError, match=r"Vertebrae 0\.1 draws no vertebrae"):
        model.predict(Request({"PV": image}, {"masks": True}), Quiet())
