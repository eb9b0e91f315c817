"""Folders of nnU-Net v2: read from their plans, run as they say, refused with a reason.

That the numbers are those of the package is in ``tests/slow/test_nnunet_parity.py``.
"""

import json
import pickle

import numpy as np
import pytest
import torch

from inference.contract import Cancelled, Image, Request
from inference.external import nnunet_volumes
from inference.external.nnunet import read_checkpoint, transposed
from inference.external.nnunet_plans import Resampling, channels_of, labels_of
from inference.grid import Grid
from inference.progress import Silent
from inference.registry import find_model
from tests.nnunet_folder import write_manifest, write_nnunet

SPL = np.diag([-1.0, -1.0, 2.0, 1.0])


def image(shape=(10, 20, 24), affine=SPL) -> Image:
    array = np.random.default_rng(0).normal(0, 100, shape)
    return Image(array.astype(np.int16), affine)


def load(folder):
    return find_model(folder.name, [folder]).load("cpu")


def test_the_mask_lies_on_the_image_whatever_its_orientation(tmp_path):
    model = load(write_nnunet(tmp_path / "m", mirror=None))
    ct = image()
    straight = model.predict(Request({"PV": ct}), Silent()).mask
    assert len(np.unique(straight.array)) > 1
    # the same voxels stored the other way round in two axes: the same labels at the same places
    turned_affine = SPL @ np.array([[1, 0, 0, 0], [0, -1, 0, 19], [0, 0, -1, 9], [0, 0, 0, 1]])
    turned = Image(np.ascontiguousarray(ct.array[::-1, ::-1]), turned_affine)
    mask = model.predict(Request({"PV": turned}), Silent()).mask
    np.testing.assert_array_equal(mask.array[::-1, ::-1], straight.array)


def test_folds_are_averaged(tmp_path):
    ct = Request({"PV": image(shape=(8, 16, 16))})
    both = load(write_nnunet(tmp_path / "both", folds=(0, 1), mirror=None))
    ones = [load(write_nnunet(tmp_path / f"m{n}", folds=(n,), mirror=None)) for n in (0, 1)]
    volume, _ = both.prepared(ct, Silent())
    mean = np.mean([one.logits(volume, ct, Silent()) for one in ones], axis=0)
    np.testing.assert_allclose(both.logits(volume, ct, Silent()), mean, atol=1e-5)


def test_mirroring_averages_mirrored_copies_unless_it_is_off(tmp_path):
    model = load(write_nnunet(tmp_path / "m", mirror=(2,)))
    ct = image(shape=(8, 16, 16))
    asked = Request({"PV": ct})
    volume = np.random.default_rng(1).normal(size=(1, 8, 16, 16)).astype(np.float32)
    both = model.logits(volume, asked, Silent())
    flipped = np.ascontiguousarray(volume[..., ::-1])
    np.testing.assert_allclose(model.logits(flipped, asked, Silent()), both[..., ::-1], atol=1e-5)
    off = Request({"PV": ct}, {"mirror": False})
    one = model.logits(volume, off, Silent())
    assert np.abs(one - both).max() > 1e-3
    other = model.logits(flipped, off, Silent())[..., ::-1]
    np.testing.assert_allclose((one + other) / 2, both, atol=1e-5)


def test_older_plans_and_residual_networks_are_built(tmp_path):
    for name, options in {"old": {"old": True}, "residual": {"residual": True}}.items():
        model = load(write_nnunet(tmp_path / name, mirror=None, **options))
        assert model.predict(Request({"NC": image()}), Silent()).mask is not None


def test_cancel_stops_between_patches(tmp_path):
    model = load(write_nnunet(tmp_path / "m", mirror=None))
    heard = []

    class Listener(Silent):
        def report(self, fraction, text):
            heard.append(fraction)

        def check(self):
            if heard and heard[-1] > 0.4:
                raise Cancelled

    with pytest.raises(Cancelled):
        model.predict(Request({"PV": image()}), Listener())
    assert heard == sorted(heard)
    assert heard[-1] < 0.6


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


@pytest.mark.parametrize("kind", ["pickle", "in the log", "in the weights", "text", "cut", "empty"])
def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path, kind):
    folder = write_nnunet(tmp_path / "m")
    path = folder / "fold_0" / "checkpoint_final.pth"
    trap = tmp_path / "executed"
    content = torch.load(path, weights_only=False)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Payload(trap)))
    elif kind == "in the log":
        torch.save({**content, "logging": Payload(trap)}, path)
    elif kind == "in the weights":
        torch.save({**content, "network_weights": {"a": Payload(trap)}}, path)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    else:
        path.write_bytes(b"" if kind == "empty" else b"weights")
    write_manifest(folder)
    with pytest.raises(ValueError, match=r"checkpoint_final.pth is no checkpoint"):
        load(folder)
    assert not trap.exists()


def test_numbers_of_an_older_numpy_are_no_code(tmp_path):
    data = (write_nnunet(tmp_path / "m") / "fold_0" / "checkpoint_final.pth").read_bytes()
    checkpoint = read_checkpoint(data, "x")
    assert checkpoint.mirror_axes == (0, 1, 2)
    assert "decoder.encoder.stages.0.0.convs.0.all_modules.0.weight" in checkpoint.weights


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("plans.json", {"image_reader_writer": "Tiff3DIO"}, "read by Tiff3DIO"),
        ("plans.json", {"configurations": {}}, "does not describe 3d_fullres"),
        ("dataset.json", {"labels": {"a": 1}}, "names no labels"),
        ("dataset.json", {"channel_names": {"0": "T1", "1": "T2"}}, "which phases"),
        ("dataset.json", {"labels": {"background": 0, "a": 1}}, "weights and plans do not fit"),
    ],
)
def test_what_is_not_known_is_refused_with_a_reason(tmp_path, file, change, words):
    folder = write_nnunet(tmp_path / "m")
    document = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**document, **change}))
    with pytest.raises(ValueError, match="not those of the card"):
        load(folder)  # plans are hashed like weights: they shape the result as much
    write_manifest(folder)
    with pytest.raises(ValueError, match=words):
        load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patch_size": [16, 16]}, "only 3-D"),
        ({"previous_stage": "3d_lowres"}, "cascades"),
        ({"normalization_schemes": ["MyNorm"]}, "MyNorm is not known"),
        ({"resampling_fn_data": "mine"}, "by mine is not known"),
        ({"inherits_from": "3d_fullres"}, "inherit from each other"),
    ],
)
def test_configurations_that_are_not_known(tmp_path, change, words):
    folder = write_nnunet(tmp_path / "m")
    document = json.loads((folder / "plans.json").read_text())
    document["configurations"]["3d_fullres"].update(change)
    (folder / "plans.json").write_text(json.dumps(document))
    write_manifest(folder)
    with pytest.raises(ValueError, match=words):
        load(folder)


def test_networks_that_are_not_known(tmp_path):
    for change in ({"network_class_name": "primus.Primus"}, {"arch_kwargs": {"n_stages": 1}}):
        folder = write_nnunet(tmp_path / f"m{len(change)}{next(iter(change))[0]}")
        document = json.loads((folder / "plans.json").read_text())
        document["configurations"]["base"]["architecture"].update(change)
        (folder / "plans.json").write_text(json.dumps(document))
        write_manifest(folder)
        with pytest.raises(ValueError, match=r"not known|does not describe"):
            load(folder)


def test_labels_and_channels_of_a_data_set():
    labels = labels_of({"labels": {"background": 0, "liver": 1, "ignore": 3, "spleen": [2]}})
    assert labels.names == {1: "liver", 2: "spleen"}
    assert (labels.heads, labels.region_order) == (3, ())
    regions = {"background": 0, "whole": [1, 2], "core": 2}
    labels = labels_of({"labels": regions, "regions_class_order": [1, 2]})
    assert (labels.names, labels.heads, labels.region_order) == ({1: "whole", 2: "core"}, 2, (1, 2))
    names = {"0": "arterial", "1": "portal venous"}
    assert channels_of({"channel_names": names}) == ("ART", "PV")
    assert channels_of({"channel_names": {"0": "CT"}}) == ()


def test_patches_are_spread_evenly():
    assert nnunet_volumes.steps(110, 64) == [0, 23, 46]
    assert nnunet_volumes.steps(64, 64) == [0]
    assert nnunet_volumes.steps(65, 64) == [0, 1]


def test_thick_slices_are_resampled_apart():
    rule = Resampling(3, 0, None)
    assert rule.thick_axis((5, 1, 1), (1, 1, 1)) == 0
    assert rule.thick_axis((1, 1, 1), (1, 1, 5)) == 2
    assert rule.thick_axis((2, 1, 1), (1, 1, 1)) is None
    assert rule.thick_axis((0.2, 1, 1), (1, 1, 1)) is None
    assert Resampling(3, 0, False).thick_axis((5, 1, 1), (1, 1, 1)) is None
    channel = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((1, 6, 6), np.float32)
    found = nnunet_volumes.resized(channel, (8, 3, 3), rule, (5, 1, 1), (2.5, 2, 2))
    np.testing.assert_allclose(found[:, 0, 0], [0, 0, 1, 1, 2, 2, 3, 3])


def test_axes_are_exchanged_with_the_places_of_their_voxels():
    affine = np.array([[0.5, 0, 0, 1], [0, 2, 0, 2], [0, 0, 3, 4], [0, 0, 0, 1.0]])
    grid = transposed(Grid((2, 3, 4), affine), (2, 0, 1))
    assert grid.shape_kji == (4, 2, 3)
    # array [a, b, c] of the new grid is [b, c, a] of the old one
    new, old = grid.affine_ras @ [2, 1, 3, 1], affine @ [3, 2, 1, 1]
    np.testing.assert_allclose(new, old)
