"""Names, numbers and usual distances of vertebrae.

Numbers are those of the VerSe data set: 1-7 C1-C7, 8-19 T1-T12, 20-25 L1-L6, 26 the sacrum, 27
the coccyx, 28 T13 (A. Sekuboyina et al., Medical Image Analysis 73, 2021). TotalSegmentator
counts the other way round. Distances of the centres of neighbouring bodies are those of C. Payer
et al., VISAPP 2020, as tabulated with the spine-segment tool.
"""

from __future__ import annotations

import itertools
import re
from types import MappingProxyType

LEVELS = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
    "Co",
)
"""Every level there may be, from the head down."""

RARE = frozenset({"T13", "L6"})
"""Levels that few people have."""

NUMBERS = MappingProxyType(
    {
        **{f"C{n}": n for n in range(1, 8)},
        **{f"T{n}": 7 + n for n in range(1, 13)},
        **{f"L{n}": 19 + n for n in range(1, 7)},
        "S1": 26,
        "Co": 27,
        "T13": 28,
    }
)
"""VerSe number of a level."""

NAMES = MappingProxyType({number: name for name, number in NUMBERS.items()})
"""Level of a VerSe number."""

TOTALSEGMENTATOR_NUMBERS = MappingProxyType(
    {
        "S1": 26,
        **{f"L{n}": 32 - n for n in range(1, 6)},
        **{f"T{n}": 44 - n for n in range(1, 13)},
        **{f"C{n}": 51 - n for n in range(1, 8)},
        "L6": 225,
        "T13": 228,
    }
)
"""Value of a level in a label map of all TotalSegmentator structures (26 is S1, 50 is C1); the rare
levels, which it does not know, have values beyond all of its structures."""

_PLACE = MappingProxyType({name: n for n, name in enumerate(LEVELS)})
_USUAL = tuple(name for name in LEVELS if name not in RARE)

_GAPS_MM = (
    (17.10, 2.03), (18.45, 1.56), (15.87, 1.97), (16.06, 1.82), (16.10, 1.49), (17.72, 1.59),
    (18.78, 1.21), (20.90, 1.70), (22.23, 1.51), (22.31, 1.47), (22.82, 1.40), (23.47, 1.46),
    (24.04, 1.55), (24.33, 1.49), (24.86, 1.50), (25.68, 1.58), (27.59, 1.75), (29.83, 1.85),
    (32.04, 2.34), (33.39, 2.36), (34.14, 2.45), (33.82, 2.65), (31.66, 2.67),
)  # fmt: skip

GAPS_MM = MappingProxyType(
    {
        **dict(zip(itertools.pairwise(_USUAL[:24]), _GAPS_MM, strict=True)),
        ("L5", "L6"): (30.57, 2.43),
    }
)
"""Mean and standard deviation, in mm, of the distance between two neighbours."""

_TYPED = re.compile(r"\s*(?:(?P<part>[ctls])\s*(?P<count>\d{1,2})|(?P<other>s|co))\s*", re.I)


def place(name: str) -> int:
    """Return the place of a level from the head down; KeyError for what is no level."""
    return _PLACE[name]


def typed_level(text: str) -> str | None:
    """Return the level that somebody typed, such as ``t12``; None for what is none."""
    match = _TYPED.fullmatch(text)
    if match is None:
        return None
    if match["other"]:
        return {"s": "S1", "co": "Co"}[match["other"].lower()]
    name = f"{match['part'].upper()}{int(match['count'])}"
    return name if name in _PLACE else None


def next_level(name: str, steps: int = 1) -> str | None:
    """Return the level that usually comes `steps` below (above when negative), or None.

    T13 and L6 are passed over, but for the ways out of them.
    """
    if steps == 0:
        return name
    if name in RARE:
        above, below = {"T13": ("T12", "L1"), "L6": ("L5", "S1")}[name]
        return next_level(below, steps - 1) if steps > 0 else next_level(above, steps + 1)
    there = _USUAL.index(name) + steps
    return _USUAL[there] if 0 <= there < len(_USUAL) else None
