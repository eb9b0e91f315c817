"""ONNX files, run by OpenVINO on the processor."""

from __future__ import annotations

from inference.cards import Manifest
from inference.compiled import ready_onnx
from inference.external.patch_model import PatchModel, network_input
from inference.weights import checked_bytes


def load(manifest: Manifest, device: str) -> PatchModel:
    """Return the model of a folder; it runs on the processor, whatever the device.

    Raises
    ------
    ValueError
        The weights are missing, changed or no ONNX, or the manifest is incomplete.
    """
    wants = network_input(manifest)
    path, sha256 = manifest.weights_path((".onnx",))
    data = checked_bytes(path, sha256)
    try:
        run = ready_onnx(data, wants.shape, wants.precision)
    except ValueError as error:
        raise ValueError(f"{path} is no ONNX file that takes batches {wants.shape}") from error
    return PatchModel(manifest.card, wants, run, "cpu")
