"""Folders of small models, as other people would hand them over: nothing in them is trained."""

import json
from pathlib import Path

import numpy as np

from inference.cards import sha256_of
from inference.contract import Image

MANIFEST = """
[model]
id = "{id}"
kind = "{kind}"
title = "{title}"
version = "1.0"
licence = "CC0"
intended_use = "Tests."
phases = {phases}
needs = {needs}

[weights]
"{file}" = "{sha256}"

[labels]
1 = "dense"

[input]
orientation = "{orientation}"
spacing_mm = {spacing_mm}
patch = {patch}
channels = {channels}
{more}
[input.normalization]
kind = "window"
low = -100.0
high = 100.0
"""


def block_image(seed: int = 0, shape: tuple[int, int, int] = (20, 30, 40)) -> Image:
    """Return a CT of blocks of 4 voxels of 1 mm, dense or not: nothing is near 0 HU."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([-80, 80], [n // 4 + 1 for n in shape]).astype(np.int16)
    array = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)[: shape[0], : shape[1], : shape[2]]
    return Image(np.ascontiguousarray(array), np.diag([-1.0, -1.0, 1.0, 1.0]))


def write_manifest(folder: Path, file: str, kind: str, **values) -> Path:
    """Write the ``model.toml`` of a file of weights in ``folder``; return the folder."""
    defaults = {
        "id": folder.name,
        "title": "Dense tissue",
        "phases": ["NC", "ART", "PV", "DL"],
        "needs": [],
        "channels": [],
        "orientation": "RAS",
        "spacing_mm": [1.0, 1.0, 1.0],
        "patch": [16, 16, 16],
        "more": "",
        "sha256": sha256_of(folder / file),
    }
    text = MANIFEST.format(file=file, kind=kind, **{**defaults, **values})
    (folder / "model.toml").write_text(text, "utf-8")
    return folder


def write_torchscript(folder: Path, threshold_hu: float = 0.0, **values) -> Path:
    """Write a network that calls everything denser than a threshold label 1; return the folder.

    The threshold lies between -100 and 100 HU. `values` replace those of the manifest.
    """
    import torch

    class Threshold(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            channels = max(1, len(values.get("channels", [])))
            self.scores = torch.nn.Conv3d(channels, 2, 1)
            with torch.no_grad():
                self.scores.weight.zero_()
                self.scores.weight[1, 0] = 10.0
                self.scores.bias.zero_()
                self.scores.bias[1] = -10.0 * (threshold_hu + 100) / 200

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scores(x)

    folder.mkdir(parents=True)
    torch.jit.script(Threshold()).save(folder / "model.ts")
    return write_manifest(folder, "model.ts", "torchscript", **values)


def write_onnx(folder: Path) -> Path:
    """Write a network that calls everything above 0 HU label 1; return the folder."""
    import onnx
    from onnx import TensorProto, helper

    folder.mkdir(parents=True)
    weight = helper.make_tensor("w", TensorProto.FLOAT, (2, 1, 1, 1, 1), [0.0, 10.0])
    bias = helper.make_tensor("b", TensorProto.FLOAT, (2,), [0.0, -5.0])
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[1, 1, 1])
    shapes = [["n", 1, "a", "b", "c"], ["n", 2, "a", "b", "c"]]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip("xy", shapes, strict=True)
    )
    graph = helper.make_graph([node], "dense", [x], [y], [weight, bias])
    onnx.save(helper.make_model(graph), folder / "model.onnx")
    return write_manifest(folder, "model.onnx", "onnx")


INFERENCE = {
    "bundle_root": "$import('os').system('touch {trap}')",
    "device": "$torch.device('cuda')",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "monai.transforms.Spacingd", "keys": "image", "pixdim": [1.0, 1.0, 1.0]},
            {
                "_target_": "ScaleIntensityRanged", "keys": "image",
                "a_min": -100, "a_max": 100, "b_min": 0, "b_max": 1, "clip": True,
            },
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.25},
}  # fmt: skip


def write_bundle(folder: Path, trap: Path) -> Path:
    """Write a MONAI bundle without a manifest, whose expressions would make the file `trap`."""
    write_torchscript(folder / "models")
    (folder / "models" / "model.toml").unlink()
    (folder / "configs").mkdir()
    text = json.dumps(INFERENCE).replace("{trap}", str(trap))
    (folder / "configs" / "inference.json").write_text(text)
    channels = {"0": "background", "1": "dense"}
    metadata = {
        "name": "Dense tissue",
        "network_data_format": {"outputs": {"pred": {"channel_def": channels}}},
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    return folder
