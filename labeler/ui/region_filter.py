"""What the filter field of the region list understands."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_SIZE = re.compile(r"([<>])(=?)\s*(\d+(?:[.,]\d+)?)\s*(?:ml)?", re.IGNORECASE)


@dataclass(frozen=True)
class RegionFilter:
    """Which regions are listed.

    Attributes
    ----------
    words
        Every one must be part of the label's or the mask's name (case does not matter).
    min_ml, max_ml
        Bounds of the volume, themselves included.
    only_unreviewed
        Leave ticked regions out.
    """

    words: tuple[str, ...] = ()
    min_ml: float = 0.0
    max_ml: float = float("inf")
    only_unreviewed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether every region passes."""
        return self == RegionFilter()

    def fits(self, label: str, mask: str, volume_ml: float, *, is_reviewed: bool) -> bool:
        if is_reviewed and self.only_unreviewed:
            return False
        if not self.min_ml <= volume_ml <= self.max_ml:
            return False
        text = f"{label}\n{mask}".casefold()
        return all(word in text for word in self.words)


def parse_filter(text: str, *, only_unreviewed: bool = False) -> RegionFilter:
    """Read a filter such as ``hcc draft > 2 ml`` or ``<=0.5``.

    Of several bounds in one direction the narrowest counts.
    """
    low, high = 0.0, float("inf")
    for sign, equal, number in _SIZE.findall(text):
        bound = float(number.replace(",", "."))
        if sign == ">":
            low = max(low, bound if equal else math.nextafter(bound, math.inf))
        else:
            high = min(high, bound if equal else math.nextafter(bound, -math.inf))
    words = tuple(_SIZE.sub(" ", text).casefold().split())
    return RegionFilter(words, low, high, only_unreviewed)
