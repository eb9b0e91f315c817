"""The liver model: seven organs and six lesion types in four-phase or single-phase CT.

The steps, each a module that can be read alone: ``registration`` (phases to one position),
``scan`` (to one grid), ``stage1`` (organs and lesions), ``proposals``, ``stage2``, ``consensus``,
``patient``; ``quality`` tells when to doubt. ``model`` puts them together. Nothing here imports
torch before the model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference.cards import MANIFEST_NAME, read_manifest
from inference.contract import Card
from inference.locations import shipped_models_folder

if TYPE_CHECKING:
    from inference.liver.model import LiverModel

MODEL_ID = "liver"


class LiverFactory:
    """The shipped liver model, not loaded yet.

    Parameters
    ----------
    folder : Path, optional
        Holds ``model.toml`` and the weights; that of the shipped model by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def manifest_path(self) -> Path:
        """Where the card is."""
        return (self._folder or shipped_models_folder() / MODEL_ID) / MANIFEST_NAME

    def card(self) -> Card:
        """Return the card.

        Raises
        ------
        ValueError
            The model was not shipped with this installation, or a part of it is missing.
        """
        if not self.manifest_path.is_file():
            raise ValueError(f"there is no liver model in {self.manifest_path.parent}")
        manifest = read_manifest(self.manifest_path)
        missing = [name for name in manifest.files if not (manifest.folder / name).is_file()]
        if missing:
            raise ValueError(f"weights of the liver model are missing: {', '.join(missing)}")
        return manifest.card

    def load(self, device: str) -> LiverModel:
        """Return the model, ready on ``cpu`` or ``cuda:N``.

        Raises
        ------
        ValueError
            The weights are missing, changed or damaged.
        """
        from inference.liver.model import load

        return load(read_manifest(self.manifest_path), device)


FACTORY = LiverFactory()
"""What the entry point ``liver`` of the group ``inference.models`` names."""
