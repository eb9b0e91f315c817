"""Models that come with this package: a folder of weights and their card each.

Nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path

from inference.cards import MANIFEST_NAME, Manifest, read_manifest
from inference.contract import Card
from inference.locations import shipped_models_folder


class ShippedModel:
    """A shipped model, not loaded yet: all of a factory but ``load``.

    Parameters
    ----------
    folder : Path, optional
        Holds ``model.toml`` and the weights; that of the shipped model by default.
    """

    model_id: str
    """Set by subclasses."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def manifest_path(self) -> Path:
        """Where the card is."""
        return (self._folder or shipped_models_folder() / self.model_id) / MANIFEST_NAME

    def manifest(self) -> Manifest:
        """Return the card with the hashes of the weights.

        Raises
        ------
        ValueError
            The model was not shipped with this installation, or a part of it is missing.
        """
        if not self.manifest_path.is_file():
            raise ValueError(f"there is no {self.model_id} model in {self.manifest_path.parent}")
        manifest = read_manifest(self.manifest_path)
        missing = [name for name in manifest.files if not (manifest.folder / name).is_file()]
        if missing:
            raise ValueError(
                f"weights of the {self.model_id} model are missing: {', '.join(missing)}"
            )
        return manifest

    def card(self) -> Card:
        """Return the card; raises as :meth:`manifest`."""
        return self.manifest().card
