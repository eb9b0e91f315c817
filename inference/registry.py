"""Which models there are: built-in families, installed plug-ins, folders of third-party weights.

A built-in family or a plug-in is an entry point of the group ``inference.models`` that names a
:class:`ModelFactory`. A folder is a model when it has a ``model.toml`` (:mod:`inference.cards`)
whose ``kind`` is one of :data:`READERS`. What is broken is listed with its problem and disables
nothing else. Nothing here imports torch, and neither may a factory before ``load``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from inference.cards import MANIFEST_NAME, Manifest, read_manifest
from inference.contract import Card, Model
from inference.locations import user_models_folder

GROUP = "inference.models"

#: The entry points of this package itself, for a checkout that is not installed.
BUILT_IN = {"liver": "inference.liver:FACTORY", "vertebra": "inference.vertebra:FACTORY"}

#: Who reads the weights of a folder: a function ``(Manifest, device) -> Model`` by kind.
READERS = {
    "torchscript": "inference.external.torchscript:load",
    "onnx": "inference.external.onnx:load",
    "nnunet": "inference.external.nnunet:load",
    "monai_bundle": "inference.external.monai_bundle:load",
}


class ModelFactory(Protocol):
    """What an entry point names: a model that is not loaded yet."""

    def card(self) -> Card:
        """Return the card, without importing torch.

        Raises
        ------
        Exception
            The model cannot be used; the message is shown in the list of models.
        """

    def load(self, device: str) -> Model:
        """Return the model, ready on a device of torch: ``cpu`` or ``cuda:0``.

        Raises
        ------
        ValueError
            The weights are missing, changed or damaged, in a sentence for the user.
        """


class UnknownModelError(ValueError):
    """There is no model of this name, or it cannot be used; the message says which."""


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list of models.

    Parameters
    ----------
    id : str
        That of the card; of a model without a readable card the name of its folder or plug-in.
    card : Card or None
    source : str
        Where it comes from: ``built in``, a distribution and its version, or a folder.
    problem : str or None
        Why it cannot be used, in a sentence.
    """

    id: str
    card: Card | None
    source: str
    problem: str | None

    @property
    def available(self) -> bool:
        """Whether it can be run."""
        return self.problem is None


@dataclass(frozen=True)
class FolderFactory:
    """A folder of third-party weights as a :class:`ModelFactory`."""

    manifest: Manifest

    def card(self) -> Card:
        reader = self.manifest.kind
        if reader not in READERS:
            raise ValueError(f"{self.manifest.path}: kind must be one of {', '.join(READERS)}")
        missing = [name for name in self.manifest.files if not (self.folder / name).is_file()]
        if missing:
            raise ValueError(f"{self.folder} lacks the weights {', '.join(missing)}")
        if not self.manifest.files:
            raise ValueError(f"{self.manifest.path} names no weights and their hashes")
        return self.manifest.card

    def load(self, device: str) -> Model:
        module, _, function = READERS[self.manifest.kind].partition(":")
        load = getattr(importlib.import_module(module), function)
        return cast(Model, load(self.manifest, device))

    @property
    def folder(self) -> Path:
        """Where the weights are."""
        return self.manifest.folder


@dataclass(frozen=True)
class _Found:
    """A model that may turn out to be broken."""

    entry: ModelEntry
    factory: ModelFactory | None


def list_models(folders: Iterable[Path] = ()) -> list[ModelEntry]:
    """Return every model, the broken ones with their problem; raises nothing.

    Parameters
    ----------
    folders : iterable of Path
        Each a model's folder or a folder of such folders; the user's own
        (:func:`inference.locations.user_models_folder`) is always among them.
    """
    entries: list[ModelEntry] = []
    for entry in (found.entry for found in _find(folders)):
        first = next((e for e in entries if e.id == entry.id), None)
        if first is not None and first.available and entry.available:
            problem = f"another model is called {entry.id}: {first.source}"
            entries.append(ModelEntry(entry.id, entry.card, entry.source, problem))
        else:
            entries.append(entry)
    return entries


def find_model(id: str, folders: Iterable[Path] = ()) -> ModelFactory:
    """Return the factory of a usable model.

    Raises
    ------
    UnknownModelError
        There is none of this id, or it is broken.
    """
    problems = []
    known = []
    for found in _find(folders):
        if found.entry.id != id:
            known.append(found.entry.id)
        elif found.factory is not None:
            return found.factory
        else:
            problems.append(f"The model {id} cannot be used: {found.entry.problem}")
    listed = ", ".join(dict.fromkeys(known)) or "none"
    raise UnknownModelError((problems or [f"There is no model {id}; there are: {listed}"])[0])


def _find(folders: Iterable[Path]) -> Iterator[_Found]:
    """Yield the models of entry points, then those of folders."""
    for name, source, point in _entry_points():
        try:
            factory = cast(ModelFactory, point.load())
            card = factory.card()
            yield _Found(ModelEntry(card.id, card, source, None), factory)
        except Exception as error:  # a plug-in may raise anything
            yield _Found(ModelEntry(name, None, source, _sentence(error)), None)
    seen = set()
    for folder in (*folders, user_models_folder()):
        for path in _manifests(folder):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield _in_folder(path)


def _in_folder(path: Path) -> _Found:
    """Return the model of a manifest."""
    source = str(path.parent)
    card = None
    try:
        manifest = read_manifest(path)
        card = manifest.card
        factory = FolderFactory(manifest)
        return _Found(ModelEntry(card.id, factory.card(), source, None), factory)
    except (OSError, ValueError) as error:
        id = card.id if card else path.parent.name
        return _Found(ModelEntry(id, card, source, _sentence(error)), None)


def _entry_points() -> Iterator[tuple[str, str, importlib.metadata.EntryPoint]]:
    """Yield name, source and entry point of built-in families and installed plug-ins."""
    for name, value in BUILT_IN.items():
        yield name, "built in", importlib.metadata.EntryPoint(name, value, GROUP)
    for point in importlib.metadata.entry_points(group=GROUP):
        if BUILT_IN.get(point.name) != point.value:
            dist = point.dist
            source = f"{dist.name} {dist.version}" if dist else point.value
            yield point.name, source, point


def _manifests(folder: Path) -> list[Path]:
    """Return the ``model.toml`` of a model's folder, or those of the folders in it."""
    own = folder / MANIFEST_NAME
    try:
        return [own] if own.is_file() else sorted(folder.glob(f"*/{MANIFEST_NAME}"))
    except OSError:  # gone or not readable: it has no models
        return []


def _sentence(error: Exception) -> str:
    """Return what to tell a user about an exception."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, ImportError):
        text = f"it cannot be imported: {text}"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}"
    return text.splitlines()[0]
