"""TorchScript files. They hold a graph of operations, not Python; no pickle is loaded."""

from __future__ import annotations

import io

import torch

from inference.cards import Manifest
from inference.compiled import ready
from inference.external.patch_model import PatchModel, network_input
from inference.weights import checked_bytes


def load(manifest: Manifest, device: str) -> PatchModel:
    """Return the model of a folder.

    Raises
    ------
    ValueError
        The weights are missing, changed or no TorchScript, or the manifest is incomplete.
    """
    wants = network_input(manifest)
    path, sha256 = manifest.weights_path((".ts", ".pt"))
    data = checked_bytes(path, sha256)
    try:
        network = torch.jit.load(  # type: ignore[no-untyped-call]
            io.BytesIO(data), map_location="cpu"
        )
    except RuntimeError as error:
        raise ValueError(f"{path} is no TorchScript file") from error
    run = ready(network.eval(), wants.shape, device=device, key=sha256, precision=wants.precision)
    return PatchModel(manifest.card, wants, run, device)
