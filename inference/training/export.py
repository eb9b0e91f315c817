"""From a training's folder to a model that is shipped: weights, and the card beside them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import tomlkit

from inference.cards import MANIFEST_NAME, sha256_of
from inference.contract import Parameter
from inference.liver import classes
from inference.liver.model import COARSE_NAME, FINE_NAME, LESIONS_NAME, PARAMETERS
from inference.liver.rules import Rules
from inference.phantom.labels import LABEL_NAMES
from inference.training.lesions import FOLDER as LESION_FOLDER
from inference.training.lesions import WEIGHTS_NAME as LESION_WEIGHTS
from inference.training.loop import BEST_NAME, CURVE_NAME
from inference.training.settings import LiverSettings
from inference.training.thresholds import NAME as RULES_NAME
from inference.training.thresholds import load_rules

INTENDED_USE = (
    "Demonstration model, trained on synthetic data, not for clinical use. Proposes outlines of "
    "the liver, six other organs and focal liver lesions in abdominal CT, for a person to correct."
)
_HEADER = "Written by `ct-infer train export`; docs/models/liver.md tells what the model can do."


def _rows(curve: Path) -> list[dict[str, float]]:
    with curve.open(newline="", encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    if not rows:
        raise ValueError(f"{curve} has no validation yet")
    return rows


def best_row(curve: Path) -> dict[str, float]:
    """Return the row of a curve whose weights are the best.

    Raises
    ------
    ValueError
        It has no rows yet.
    """
    return max(_rows(curve), key=lambda row: row["score"])


def export_liver(training: Path, target: Path, settings: LiverSettings, version: str) -> None:
    """Write the weights of a training and their card.

    Parameters
    ----------
    training : Path
        Folder of `ct-infer train liver`; stage 2 is shipped when it has been trained there,
        and the thresholds that were set there; else the usual ones.
    target : Path
        Gets the weights, ``model.toml`` and the curves.
    settings : LiverSettings
        Those of the training.
    version : str
        Of the model.

    Raises
    ------
    ValueError
        A stage has no weights yet.
    """
    stages = {"coarse": settings.coarse, "fine": settings.fine}
    rows: dict[str, dict[str, float]] = {}
    for stage in stages:
        if not (training / stage / BEST_NAME).is_file():
            raise ValueError(f"{training} has no weights of the {stage} network yet")
        rows[stage] = best_row(training / stage / CURVE_NAME)
    if (training / LESION_FOLDER / LESION_WEIGHTS).is_file():
        rows[LESION_FOLDER] = _rows(training / LESION_FOLDER / CURVE_NAME)[-1]
    target.mkdir(parents=True, exist_ok=True)
    names = {"coarse": COARSE_NAME, "fine": FINE_NAME, LESION_FOLDER: LESIONS_NAME}
    for stage in rows:
        name = names[stage]
        weights = LESION_WEIGHTS if stage == LESION_FOLDER else BEST_NAME
        shutil.copyfile(training / stage / weights, target / name)
        shutil.copyfile(training / stage / CURVE_NAME, target / f"{stage}-curve.csv")
    document = tomlkit.document()
    document.add(tomlkit.comment(_HEADER))
    rules = load_rules(training / RULES_NAME) if (training / RULES_NAME).is_file() else Rules()
    for name, table in _tables(target, settings, rows, version, rules).items():
        document[name] = table
    (target / MANIFEST_NAME).write_text(tomlkit.dumps(document), encoding="utf-8")


def parameter_table(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter as the card has it."""
    return {
        "name": parameter.name,
        "default": parameter.default,
        "description": parameter.description,
        "choices": list(parameter.choices),
    }


def _tables(
    target: Path,
    settings: LiverSettings,
    rows: dict[str, dict[str, float]],
    version: str,
    rules: Rules,
) -> dict[str, Any]:
    """Return the tables of the card."""
    labels = classes.LABEL_OF_CLASS[classes.LABEL_OF_CLASS > 0].tolist()
    return {
        "model": {
            "id": "liver",
            "family": "liver",
            "title": "Liver, organs and lesions",
            "version": version,
            "licence": "GPL-3.0-or-later",
            "intended_use": INTENDED_USE,
            "phases": ["PV", "DL", "ART", "NC"],
            "demonstration": True,
        },
        "parameters": [parameter_table(parameter) for parameter in PARAMETERS],
        "weights": {path.name: sha256_of(path) for path in sorted(target.glob("*.safetensors"))},
        "networks": {
            "coarse": list(settings.coarse.features),
            "fine": list(settings.fine.features),
            "lesions": list(settings.lesions.widths),
        },
        "labels": {str(label): LABEL_NAMES[label] for label in labels},
        "training": {
            "seed": settings.seed,
            **{f"{stage}_steps": int(row["step"]) for stage, row in rows.items()},
            **{f"{stage}_validation": row["score"] for stage, row in rows.items()},
        },
        "rules": rules.table(),
    }
