"""Vertebrae: where each one is in a CT, and which one it is.

The steps, each a module that can be read alone: ``networks``, ``spine_line``, ``straighten``,
``rectification``, ``chain_search``, ``optimization``; ``pipeline`` puts them together, ``model``
makes a model of it, ``diagnostics`` draws what it saw. Nothing here imports torch before the model
is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.shipped import ShippedModel

if TYPE_CHECKING:
    from inference.vertebra.model import VertebraModel

MODEL_ID = "vertebra"


class VertebraFactory(ShippedModel):
    """The shipped vertebra model, not loaded yet."""

    model_id = MODEL_ID

    def load(self, device: str) -> VertebraModel:
        """Return the model, ready on ``cpu`` or ``cuda:N``.

        Raises
        ------
        ValueError
            The weights are missing, changed or damaged.
        """
        from inference.vertebra.model import load

        return load(self.manifest(), device)


FACTORY = VertebraFactory()
"""What the entry point ``vertebra`` of the group ``inference.models`` names."""
