"""The liver model: seven organs and six lesion types in four-phase or single-phase CT.

The steps, each a module that can be read alone: ``registration`` (phases to one position),
``scan`` (to one grid), ``stage1`` (organs and lesions), ``proposals``, ``stage2``, ``consensus``,
``patient``; ``quality`` tells when to doubt. ``model`` puts them together. Nothing here imports
torch before the model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.shipped import ShippedModel

if TYPE_CHECKING:
    from inference.liver.model import LiverModel

MODEL_ID = "liver"


class LiverFactory(ShippedModel):
    """The shipped liver model, not loaded yet."""

    model_id = MODEL_ID

    def load(self, device: str) -> LiverModel:
        """Return the model, ready on ``cpu`` or ``cuda:N``.

        Raises
        ------
        ValueError
            The weights are missing, changed or damaged.
        """
        from inference.liver.model import load

        return load(self.manifest(), device)


FACTORY = LiverFactory()
"""What the entry point ``liver`` of the group ``inference.models`` names."""
