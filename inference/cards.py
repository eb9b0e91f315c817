"""The file ``model.toml`` that every model has: its card, and the hashes of its weights.

::

    [model]
    id = "liver"                     # lower case letters, digits and - _ .
    kind = "torchscript"             # external models only: who reads the weights
    family = "external"
    title = "Liver on portal-venous CT"
    version = "1.0"
    licence = "CC BY 4.0"
    intended_use = "Research."
    phases = ["PV", "DL"]            # what it can use, best first; all four by default
    needs = []                       # what it cannot do without
    demonstration = false

    [weights]                        # each file beside model.toml and its SHA-256
    "model.ts" = "9f86d081884c7d65..."

    [labels]                         # values of the mask
    1 = "liver"

    [[parameters]]
    name = "sensitivity"
    default = 2.0
    description = "Factor on lesion probabilities."
    choices = [1.0, 2.0, 4.0]

Other tables belong to the reader of the weights: ``Manifest.tables`` has them. Everything that
is wrong with a manifest is a ValueError that names the file. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from inference.contract import PHASES, Card, Parameter

MANIFEST_NAME = "model.toml"
_MANIFEST_BYTES = 1 << 20  # cards are a few kB; a larger file is none
_LABEL_MAX = 65535
_TEXTS = ("id", "title", "version", "licence", "intended_use")
_MODEL_KEYS = {*_TEXTS, "family", "kind", "phases", "needs", "demonstration", "folder"}


@dataclass(frozen=True)
class Manifest:
    """What ``model.toml`` says.

    Parameters
    ----------
    path : Path
        The file.
    folder : Path
        Where the weights are: beside the file, unless it names another folder.
    card : Card
    kind : str
        Who reads the weights of an external model; empty for a built-in family.
    files : mapping of str to str
        Path of each file of weights, relative to `folder`, and its SHA-256.
    tables : mapping of str to Any
        Everything else in the file, not checked.
    """

    path: Path
    folder: Path
    card: Card
    kind: str
    files: Mapping[str, str]
    tables: Mapping[str, Any]

    def weights_path(self, suffixes: tuple[str, ...]) -> tuple[Path, str]:
        """Return the one file of weights with one of these suffixes, and its SHA-256.

        Raises
        ------
        ValueError
            There are several or none.
        """
        names = [name for name in self.files if name.endswith(suffixes)]
        if len(names) != 1:
            kinds = " or ".join(suffixes)
            raise ValueError(f"{self.path} must name one {kinds} file under [weights]")
        return self.folder / names[0], self.files[names[0]]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(files: Mapping[str, str]) -> str:
    """Return one hash for the files of a model: its own for one file, that of the list for more.

    Parameters
    ----------
    files : mapping of str to str
        SHA-256 by relative path.
    """
    if len(files) <= 1:
        return next(iter(files.values()), "")
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_card(path: Path) -> Card:
    """Return the card in a ``model.toml``; see :func:`read_manifest` for what is refused."""
    return read_manifest(path).card


def read_manifest(path: Path) -> Manifest:
    """Read a ``model.toml``.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not TOML, or a value is missing or of another kind than described above.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MANIFEST_BYTES + 1)
        if len(data) > _MANIFEST_BYTES:
            raise ValueError("it is larger than a card can be")
        return _manifest(path, tomllib.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
        raise ValueError(f"{path} is no card of a model: {error}") from error


def _manifest(path: Path, tables: dict[str, Any]) -> Manifest:
    """Return the manifest in parsed TOML, or raise a ValueError that does not name the file."""
    model = _table(tables, "model")
    unknown = sorted(set(model) - _MODEL_KEYS)
    if unknown:
        raise ValueError(f"[model] knows no {', '.join(unknown)}")
    files = _files(_table(tables, "weights"))
    card = _card(model, tables, hash_of(files))
    folder = path.parent / _text(model, "folder", default=".")
    kind = _text(model, "kind", default="")
    rest = {k: v for k, v in tables.items() if k not in ("model", "weights", "labels")}
    return Manifest(path, folder, card, kind, files, rest)


def _card(model: dict[str, Any], tables: dict[str, Any], weights: str) -> Card:
    texts = {name: _text(model, name) for name in _TEXTS}
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", texts["id"]):
        raise ValueError("id must be lower case letters, digits and - _ .")
    demonstration = model.get("demonstration", False)
    if not isinstance(demonstration, bool):
        raise ValueError("demonstration must be true or false")
    parameters = tables.get("parameters", [])
    if not isinstance(parameters, list):
        raise ValueError("parameters must be a list of tables")
    return Card(
        family=_text(model, "family", default="external"),
        phases=_texts(model, "phases", PHASES),
        needs=_texts(model, "needs", ()),
        labels=_labels(_table(tables, "labels")),
        parameters=tuple(_parameter(entry) for entry in parameters),
        demonstration=demonstration,
        weights=weights,
        **texts,
    )


def _table(tables: dict[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(f"{name} must be a table")
    return table


def _text(table: dict[str, Any], name: str, default: str | None = None) -> str:
    value = table.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ValueError(f"{name} must be a text")
    return value


def _texts(table: dict[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = table.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(value)


def _files(table: dict[str, Any]) -> dict[str, str]:
    for name, digest in table.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(f"the weights {name!r} must lie in the model's folder")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"the weights {name!r} need a SHA-256 in lower case hexadecimal")
    return dict(table)


def _labels(table: dict[str, Any]) -> dict[int, str]:
    labels = {}
    for key, name in table.items():
        if not key.isdecimal() or not 1 <= int(key) <= _LABEL_MAX or not isinstance(name, str):
            raise ValueError(f"a label is a number from 1 to {_LABEL_MAX} and a name, not {key!r}")
        labels[int(key)] = name
    return dict(sorted(labels.items()))


def _parameter(entry: object) -> Parameter:
    if not isinstance(entry, dict):
        raise ValueError("a parameter must be a table")
    default = entry.get("default")
    choices = entry.get("choices", [])
    if not isinstance(default, str | int | float):
        raise ValueError("a parameter needs a default: a text, a number, true or false")
    if not isinstance(choices, list) or any(type(c) is not type(default) for c in choices):
        raise ValueError("the choices of a parameter must be a list of the default's kind")
    return Parameter(_text(entry, "name"), default, _text(entry, "description"), tuple(choices))
