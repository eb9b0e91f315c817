"""From the folder of a vertebra training to the model that is shipped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tomlkit
import torch
from safetensors.torch import load_file

from inference.cards import MANIFEST_NAME, sha256_of
from inference.training.export import best_row, parameter_table
from inference.training.loop import BEST_NAME, CURVE_NAME
from inference.training.vertebra import VertebraSettings
from inference.vertebra import MODEL_ID
from inference.vertebra.model import DRAWN, PARAMETERS, STAGES
from inference.weights import save_weights

INTENDED_USE = (
    "Demonstration model, trained on synthetic data, not for clinical use. Proposes names and "
    "centres of the vertebrae in CT, and their masks on request, for a person to correct."
)
_HEADER = "Written by `ct-infer train export`; docs/models/vertebra.md tells what the model can do."


def export_vertebra(training: Path, target: Path, settings: VertebraSettings, version: str) -> None:
    """Write the best weights of a training, in half precision, and their card.

    Parameters
    ----------
    training : Path
        Folder of `ct-infer train vertebra`.
    target : Path
        Gets the weights, ``model.toml`` and the curves.
    settings : VertebraSettings
        Those of the training.
    version : str
        Of the model.

    Raises
    ------
    ValueError
        A network has no weights yet.
    """
    rows: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        if not (training / stage / BEST_NAME).is_file():
            raise ValueError(f"{training} has no weights of the network for {stage} yet")
        rows[stage] = best_row(training / stage / CURVE_NAME)
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for stage in STAGES:
        weights = load_file(training / stage / BEST_NAME)
        halves = {name: value.to(torch.float16) for name, value in weights.items()}
        name = f"{stage}.safetensors"
        save_weights(target / name, halves)
        files[name] = sha256_of(target / name)
        shutil.copyfile(training / stage / CURVE_NAME, target / f"{stage}-curve.csv")
    document = tomlkit.document()
    document.add(tomlkit.comment(_HEADER))
    for name, table in _tables(files, settings, rows, version).items():
        document[name] = table
    (target / MANIFEST_NAME).write_text(tomlkit.dumps(document), encoding="utf-8")


def _tables(
    files: dict[str, str], settings: VertebraSettings, rows: dict[str, dict[str, float]],
    version: str,
) -> dict[str, Any]:  # fmt: skip
    """Return the tables of the card."""
    return {
        "model": {
            "id": MODEL_ID,
            "family": MODEL_ID,
            "title": "Vertebrae",
            "version": version,
            "licence": "GPL-3.0-or-later",
            "intended_use": INTENDED_USE,
            "phases": ["PV", "DL", "ART", "NC"],
            "demonstration": True,
        },
        "parameters": [parameter_table(parameter) for parameter in PARAMETERS],
        "labels": {str(number): name for number, name in sorted(DRAWN.items())},
        "weights": files,
        "networks": {
            "levels": list(settings.levels.features),
            "centres": list(settings.centres.features),
            "masks": list(settings.masks.features),
        },
        "training": {
            "seed": settings.seed,
            **{f"{stage}_steps": int(row["step"]) for stage, row in rows.items()},
            **{f"{stage}_validation": row["score"] for stage, row in rows.items()},
        },
    }
