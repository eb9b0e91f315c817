"""Folders of small models, as other people would hand them over: nothing in them is trained."""

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
