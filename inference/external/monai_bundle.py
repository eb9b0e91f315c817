"""MONAI bundles: the TorchScript network of a bundle, its input as ``inference.json`` says.

A bundle's ``inference.json`` is a program in disguise: texts that begin with ``$`` are Python,
those with ``@`` refer to others. Here it is only read: plain numbers and names are taken from the
transforms and the inferer that are known, and nothing is evaluated. What is missing then, the
manifest has to say under ``[input]``, which also goes before what the bundle says. Bundles without
a TorchScript file (``model.ts``) cannot be run, as their network exists only as that program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from inference.cards import Manifest
from inference.external import torchscript
from inference.external.nnunet_plans import parsed_json
from inference.external.patch_model import PatchModel
from inference.weights import checked_bytes

INFERENCE = "configs/inference.json"


def load(manifest: Manifest, device: str) -> PatchModel:
    """Return the model of a bundle.

    Raises
    ------
    ValueError
        A file is missing or changed, the bundle has no TorchScript, or neither it nor the manifest
        says what the network needs.
    """
    if not any(name.endswith(".ts") for name in manifest.files):
        raise ValueError(f"{manifest.path} names no TorchScript file (.ts) of the bundle")
    wants = dict(manifest.tables.get("input", {}))
    if INFERENCE in manifest.files:
        path = manifest.folder / INFERENCE
        found = parsed_json(checked_bytes(path, manifest.files[INFERENCE]), path)
        wants = {**input_of(found), **wants}
    return torchscript.load(replace(manifest, tables={**manifest.tables, "input": wants}), device)


def input_of(inference: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``inference.json`` says in plain values, as ``[input]`` of a manifest has it.

    Parameters
    ----------
    inference : mapping
        The whole document.
    """
    found: dict[str, Any] = {}
    for name, options in _components(inference):
        if name == "Orientationd" and _is_plain(options.get("axcodes"), str):
            found["orientation"] = options["axcodes"]
        elif name == "Spacingd" and _is_three(options.get("pixdim"), int | float):
            found["spacing_mm"] = options["pixdim"]
        elif name == "ScaleIntensityRanged" and (options.get("b_min"), options.get("b_max")) == (
            0,
            1,
        ):
            low, high = options.get("a_min"), options.get("a_max")
            if isinstance(low, int | float) and isinstance(high, int | float):
                found["normalization"] = {"kind": "window", "low": low, "high": high}
        elif name == "SlidingWindowInferer":
            if _is_three(options.get("roi_size"), int):
                found["patch"] = options["roi_size"]
            if isinstance(options.get("overlap"), int | float):
                found["overlap"] = options["overlap"]
    return found


def labels_of(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Return the names of the labels that ``metadata.json`` gives to the output's channels."""
    try:
        channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    except (KeyError, TypeError):
        return {}
    return {
        int(value): str(name)
        for value, name in channels.items()
        if str(value).isdecimal() and int(value) > 0
    }


def _components(inference: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield class name and options of the transforms before the network, and of the inferer."""
    before = inference.get("preprocessing")
    transforms = before.get("transforms") if isinstance(before, dict) else None
    parts = list(transforms) if isinstance(transforms, list) else []
    for part in [*parts, inference.get("inferer")]:
        if isinstance(part, dict):
            yield str(part.get("_target_", "")).rpartition(".")[2], part


def _is_plain(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not (isinstance(value, str) and value.startswith(("$", "@")))


def _is_three(value: object, kind: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(n, kind) for n in value)
