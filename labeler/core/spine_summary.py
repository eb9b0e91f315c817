"""A spine in a few words, for lists: which levels it has, and how doubtful they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from labeler.core.landmark_checks import Doubt, Kind
from labeler.core.landmarks import Centroids
from labeler.core.vertebrae import place

_REASONS: Mapping[Kind, str] = MappingProxyType(
    {
        "swapped": "swapped?",
        "order": "order",
        "duplicate": "twice",
        "missing": "gap",
        "distance": "spacing",
        "drift": "drift",
        "outside": "outside",
        "rare": "variant?",
        "mask": "mask",
        "model": "model",
    }
)

#: What a model says when it counted from another vertebra nearly as well.
_SHIFT = "numbering "


@dataclass(frozen=True)
class SpineSummary:
    """What a list tells of a spine.

    Attributes
    ----------
    levels
        The first and the last, such as T1 to L5; "" without centroids.
    n_centroids, n_doubts
        How many.
    reason
        The worst doubt in a word or two, and how many more there are; "" when there is none.
    severity
        Of the worst doubt (see :class:`~labeler.core.landmark_checks.Doubt`); 0 without one.
    """

    levels: str = ""
    n_centroids: int = 0
    n_doubts: int = 0
    reason: str = ""
    severity: float = 0.0

    @property
    def rank(self) -> tuple[float, int]:
        """Sort key that puts what is worst first, and spines without centroids last."""
        return (-self.severity, -self.n_doubts) if self.n_centroids else (1.0, 0)


def summarize(centroids: Centroids, doubts: Sequence[Doubt]) -> SpineSummary:
    """Summarize a spine.

    Parameters
    ----------
    centroids
        By key.
    doubts
        About them, worst first.
    """
    if not centroids:
        return SpineSummary()
    names = sorted({centroid.level for centroid in centroids.values()}, key=place)
    levels = names[0] if len(names) == 1 else f"{names[0]}\u2013{names[-1]}"
    if not doubts:
        return SpineSummary(levels, len(centroids))
    worst = doubts[0]
    reason = reason_for(worst, centroids)
    others = {reason_for(doubt, centroids) for doubt in doubts} - {reason}
    if others:
        reason = f"{reason} +{len(others)}"
    return SpineSummary(levels, len(centroids), len(doubts), reason, worst.severity)


def reason_for(doubt: Doubt, centroids: Centroids) -> str:
    """Return what a doubt is about, in a word."""
    if doubt.kind == "rare":
        return f"{centroids[doubt.keys[0]].level}?"
    if doubt.kind == "model" and _SHIFT in doubt.text:
        return "shift?"
    return _REASONS[doubt.kind]
