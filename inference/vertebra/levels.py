"""Names, numbers and spacing of vertebrae, and which may follow which.

Distances between the centres of neighbouring bodies are those of C. Payer et al., "Coarse to Fine
Vertebrae Localization and Segmentation with SpatialConfiguration-Net and U-Net", VISAPP 2020, as
tabulated with the spine-segment tool (mean and standard deviation, mm). Numbers are those of the
VerSe data set (A. Sekuboyina et al., Medical Image Analysis 73, 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

LEVELS = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
)
"""Every level there may be, from the head down. T13 and L6 exist in few people."""

INDEX = MappingProxyType({name: n for n, name in enumerate(LEVELS)})
"""Place of a name in :data:`LEVELS`."""

EXTRA = frozenset({INDEX["T13"], INDEX["L6"]})
"""Levels that exist only in people with a vertebra more than usual."""

VERSE_NUMBER = MappingProxyType(
    {
        **{f"C{n}": n for n in range(1, 8)},
        **{f"T{n}": 7 + n for n in range(1, 13)},
        **{f"L{n}": 19 + n for n in range(1, 7)},
        "S1": 26,
        "T13": 28,
    }
)
"""Label of a level in VerSe masks and centroid files."""

LEVEL_OF_VERSE = MappingProxyType({number: name for name, number in VERSE_NUMBER.items()})

_GAPS_MM = (
    17.10, 18.45, 15.87, 16.06, 16.10, 17.72,  # C1 to C7
    18.78, 20.90, 22.23, 22.31, 22.82, 23.47, 24.04, 24.33, 24.86, 25.68, 27.59, 29.83,  # to T12
    32.04, 33.39, 34.14, 33.82, 31.66,  # to L5
)  # fmt: skip
_NORMAL = tuple(name for name in LEVELS if name not in {"T13", "L6", "S1"})

# Not in the table: half of the gaps beside them, and for the sacrum the gap above it.
_T12_T13_MM = 30.5
_T13_L1_MM = 32.0
_L5_L6_MM = 30.57
_TO_SACRUM_MM = 33.0
# A missing level takes less room than two gaps: the one below follows at about one of its own.
_C6_T1_MM = 18.3
_T11_L1_MM = 31.0


@dataclass(frozen=True)
class Step:
    """From one vertebra to the one below it.

    Parameters
    ----------
    upper, lower : int
        Places in :data:`LEVELS`.
    gap_mm : float
        Usual distance of the centres.
    variant : bool
        Only in people with a vertebra more or less than usual.
    """

    upper: int
    lower: int
    gap_mm: float
    variant: bool = False

    @property
    def skips(self) -> bool:
        """Whether it passes over a vertebra that most people have."""
        return self.variant and not {self.upper, self.lower} & EXTRA


def _steps() -> tuple[Step, ...]:
    usual = [
        Step(INDEX[upper], INDEX[lower], gap)
        for upper, lower, gap in zip(_NORMAL[:-1], _NORMAL[1:], _GAPS_MM, strict=True)
    ]
    usual.append(Step(INDEX["L5"], INDEX["S1"], _TO_SACRUM_MM))
    rare = (
        ("C6", "T1", _C6_T1_MM),
        ("T11", "L1", _T11_L1_MM),
        ("T12", "T13", _T12_T13_MM),
        ("T13", "L1", _T13_L1_MM),
        ("L4", "S1", _TO_SACRUM_MM),
        ("L5", "L6", _L5_L6_MM),
        ("L6", "S1", _TO_SACRUM_MM),
    )
    return (*usual, *(Step(INDEX[a], INDEX[b], gap, variant=True) for a, b, gap in rare))


STEPS = _steps()
"""All steps there may be, usual and variant."""

_STEP_BETWEEN = MappingProxyType({(step.upper, step.lower): step for step in STEPS})


def step_between(upper: int, lower: int) -> Step | None:
    """Return the step from one level to the next below, None when they are never neighbours."""
    return _STEP_BETWEEN.get((upper, lower))


def anchor_weights(weight: float = 1.2) -> NDArray[np.float32]:
    """Return a weight per level: more for those that are easy to tell from their neighbours.

    Anchors are the ends of the spine and where its sections meet: C1, C2, C7, T1, T12, L1, L5 and
    S1 (T. Wang et al., CVPR 2021, weigh vertebrae in the same way).
    """
    weights = np.ones(len(LEVELS), dtype=np.float32)
    for name in ("C1", "C2", "C7", "T1", "T12", "L1", "L5", "S1"):
        weights[INDEX[name]] = weight
    return weights
