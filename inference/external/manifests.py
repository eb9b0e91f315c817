"""Manifests for folders that have none: nnU-Net results and MONAI bundles.

The manifest is where a person says that the weights may be used (the licence) and where their
hashes are pinned; it may lie elsewhere when the folder of weights cannot be written to.
"""

from __future__ import annotations

import re
from pathlib import Path

import tomlkit

from inference.cards import MANIFEST_NAME, read_manifest, sha256_of
from inference.external import monai_bundle, nnunet_plans
from inference.external.nnunet_plans import parsed_json

_MIRROR = {
    "name": "mirror",
    "default": True,
    "description": "Average over mirrored copies, as nnU-Net does; up to 8 times slower.",
}


def write_manifest(
    folder: Path, *, licence: str, id: str = "", intended_use: str = "", out: Path | None = None
) -> Path:
    """Write the ``model.toml`` of an nnU-Net folder or a MONAI bundle; return its path.

    Parameters
    ----------
    folder : Path
        With ``plans.json``, or a folder with one such folder in it; or a bundle with
        ``configs/metadata.json``.
    licence, intended_use : str
        Shown wherever the model is.
    id : str
        By default made from the name of the data set or bundle.
    out : Path, optional
        Folder for the manifest, by default that of the weights.

    Raises
    ------
    ValueError
        It is neither, or its files make no sense; there is a manifest already.
    OSError
        It cannot be written.
    """
    folder = _weights_folder(folder)
    target = (out or folder) / MANIFEST_NAME
    if target.exists():
        raise ValueError(f"{target} is there already")
    is_nnunet = (folder / "plans.json").is_file()
    title, names, labels = _nnunet(folder) if is_nnunet else _bundle(folder)
    document = tomlkit.document()
    model = {
        "id": id or re.sub(r"[^a-z0-9._-]+", "-", title.lower()).strip("-.") or "model",
        "kind": "nnunet" if is_nnunet else "monai_bundle",
        "title": title,
        "version": "unknown",
        "licence": licence,
        "intended_use": intended_use or "Not stated by its authors here; see where it comes from.",
    }
    if out is not None:
        model["folder"] = str(folder.resolve())
    document["model"] = model
    document["weights"] = {name: sha256_of(folder / name) for name in names}
    document["labels"] = {str(value): name for value, name in labels.items()}
    if is_nnunet:
        document["parameters"] = [_MIRROR]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(tomlkit.dumps(document), encoding="utf-8")
    read_manifest(target)  # whoever wrote it can read it
    return target


def _weights_folder(folder: Path) -> Path:
    """Return the folder with the weights: this one, or the only one in it that has them."""
    for name in ("plans.json", "configs/metadata.json"):
        if (folder / name).is_file():
            return folder
        inner = [path for path in sorted(folder.glob("*")) if (path / name).is_file()]
        if len(inner) == 1:
            return inner[0]
    raise ValueError(f"{folder} is neither an nnU-Net v2 folder nor a MONAI bundle")


def _nnunet(folder: Path) -> tuple[str, list[str], dict[int, str]]:
    """Return title, files and labels of an nnU-Net folder."""
    plans, dataset = (
        parsed_json((folder / name).read_bytes(), folder / name)
        for name in ("plans.json", "dataset.json")
    )
    folds = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    if not folds:
        raise ValueError(f"{folder} has no fold_*/checkpoint_final.pth")
    names = [*("plans.json", "dataset.json"), *(f"{f.parent.name}/{f.name}" for f in folds)]
    title = str(plans.get("dataset_name") or folder.name)
    return title, names, dict(nnunet_plans.labels_of(dataset).names)


def _bundle(folder: Path) -> tuple[str, list[str], dict[int, str]]:
    """Return title, files and labels of a MONAI bundle."""
    path = folder / "configs" / "metadata.json"
    metadata = parsed_json(path.read_bytes(), path)
    networks = sorted(str(p.relative_to(folder)) for p in (folder / "models").glob("*.ts"))
    if len(networks) != 1:
        raise ValueError(f"{folder} needs one TorchScript file in models/, it has {len(networks)}")
    configs = [monai_bundle.INFERENCE] if (folder / monai_bundle.INFERENCE).is_file() else []
    title = str(metadata.get("name") or metadata.get("task") or folder.name)
    return title, [*networks, *configs], monai_bundle.labels_of(metadata)
