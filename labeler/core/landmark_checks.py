"""What looks wrong about the centroids of a spine: order, names, distances, drift."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from labeler.core.geometry import Grid
from labeler.core.landmarks import Centroids, from_above
from labeler.core.vertebrae import GAPS_MM, RARE, next_level, place

Kind = Literal[
    "swapped", "order", "duplicate", "missing", "distance", "drift", "outside", "rare", "mask",
    "model",
]  # fmt: skip

ALL_KINDS: tuple[tuple[Kind, str], ...] = (
    ("order", "order"),
    ("duplicate", "duplicates"),
    ("missing", "gaps"),
    ("distance", "spacing"),
    ("drift", "drift"),
    ("outside", "field of view"),
    ("mask", "mask agreement"),
)
"""What is checked, and what it is called where it is fine."""

UNUSUAL_SD = 2.5
_DRIFT_MM = 12.0
_MAX_NAMED = 3
_SIZES = (0.8, 1.25)


@dataclass(frozen=True)
class Doubt:
    """One thing to look at.

    Attributes
    ----------
    kind
        What kind of doubt.
    keys
        The centroids it is about, from the head down.
    text
        One sentence.
    severity
        Larger is worse; 1 is worth a look, 2 is almost surely wrong.
    """

    kind: Kind
    keys: tuple[str, ...]
    text: str
    severity: float = 1.0


@dataclass(frozen=True)
class Gap:
    """A distance between two neighbours and what is usual at the size of this patient.

    Attributes
    ----------
    upper, lower
        Keys.
    distance_mm, usual_mm, sd_mm
        Measured, and mean and standard deviation expected; NaN where the names are no neighbours.
    """

    upper: str
    lower: str
    distance_mm: float
    usual_mm: float
    sd_mm: float

    @property
    def z(self) -> float:
        """Deviation in standard deviations; NaN where nothing is expected."""
        return (self.distance_mm - self.usual_mm) / self.sd_mm


def gaps(centroids: Centroids) -> list[Gap]:
    """Return the distances from the head down, compared at the size of this patient."""
    keys = from_above(centroids)
    pairs = list(itertools.pairwise(keys))
    measured = [math.dist(centroids[a].position_ras, centroids[b].position_ras) for a, b in pairs]
    expected = [GAPS_MM.get((centroids[a].level, centroids[b].level)) for a, b in pairs]
    ratios = [d / e[0] for d, e in zip(measured, expected, strict=True) if e is not None]
    size = float(np.clip(np.median(ratios), *_SIZES)) if ratios else 1.0
    nothing = (float("nan"), float("nan"))
    return [
        Gap(a, b, distance, *(size * v for v in usual or nothing))
        for (a, b), distance, usual in zip(pairs, measured, expected, strict=True)
    ]


def check(
    centroids: Centroids,
    grid: Grid | None = None,
    mask_levels: Mapping[str, str | None] | None = None,
) -> list[Doubt]:
    """Return all doubts, worst first.

    Parameters
    ----------
    centroids
        By key.
    grid
        Of the image, to find what lies outside of it.
    mask_levels
        What a vertebra mask says is where a centroid is, by key: a level, or None for background.
        None when there is no mask.
    """
    found = [
        *_names(centroids),
        *_distances(centroids),
        *_drift(centroids),
        *(_outside(centroids, grid) if grid is not None and centroids else ()),
        *(_disagreements(centroids, mask_levels) if mask_levels is not None else ()),
        *_doubts_of_model(centroids),
    ]
    rank = {key: n for n, key in enumerate(from_above(centroids))}
    return sorted(found, key=lambda doubt: (-doubt.severity, rank[doubt.keys[0]]))


def _doubts_of_model(centroids: Centroids) -> list[Doubt]:
    """Collect what a model doubted; levels of which it said the same are one doubt."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for key in from_above(centroids):
        if centroids[key].flags:
            groups.setdefault(centroids[key].flags, []).append(key)
    found: list[Doubt] = []
    for flags, keys in groups.items():
        levels = [centroids[key].level for key in keys]
        few = len(levels) <= _MAX_NAMED
        names = ", ".join(levels) if few else f"{levels[0]} to {levels[-1]}"
        found.append(Doubt("model", tuple(keys), f"{names}: {'; '.join(flags)}"))
    return found


def _names(centroids: Centroids) -> list[Doubt]:
    keys = from_above(centroids)
    found = []
    counts = Counter(c.level for c in centroids.values())
    for level, count in counts.items():
        if count > 1:
            same = tuple(key for key in keys if centroids[key].level == level)
            found.append(Doubt("duplicate", same, f"{level} is there {count} times", 2.0))
        elif level in RARE:
            (key,) = (key for key in keys if centroids[key].level == level)
            found.append(Doubt("rare", (key,), f"{level} is rare: count again"))
    return [*found, *_sequence(centroids, keys)]


def _sequence(centroids: Centroids, keys: list[str]) -> list[Doubt]:
    """Find names that do not follow each other; two that were swapped are one doubt."""
    found = []
    levels = [centroids[key].level for key in keys]
    explained: set[int] = set()
    for n in range(len(keys) - 1):
        if _are_swapped(levels, n):
            text = f"{levels[n]} and {levels[n + 1]} look swapped"
            found.append(Doubt("swapped", (keys[n], keys[n + 1]), text, 2.0))
            explained |= {n - 1, n, n + 1}
    for n, (a, b) in enumerate(itertools.pairwise(levels)):
        pair = (keys[n], keys[n + 1])
        if n in explained:
            continue
        if place(a) > place(b):
            found.append(Doubt("order", pair, f"{a} lies above {b}", 2.0))
        elif a != b and b not in _followers(a):
            count = len(_between(a, b))
            text = f"{count} {'level' if count == 1 else 'levels'} between {a} and {b} missing"
            found.append(Doubt("missing", pair, text, 1.5))
    return found


def _are_swapped(levels: list[str], n: int) -> bool:
    """Whether the names at n and n + 1 would follow all around them the other way round."""
    if place(levels[n]) <= place(levels[n + 1]):
        return False
    there = [*levels[max(0, n - 1) : n], levels[n + 1], levels[n], *levels[n + 2 : n + 3]]
    return all(b in _followers(a) for a, b in itertools.pairwise(there))


def _rank(level: str) -> int:
    """Return the place of a level among the usual ones; a rare one has that of the next."""
    return place(level) - sum(place(level) > place(rare) for rare in RARE)


def _followers(level: str) -> set[str | None]:
    """Return the levels that may lie right below one."""
    extra = {"T12": "T13", "L5": "L6"}.get(level)
    return {next_level(level), extra}


def _between(upper: str, lower: str) -> list[str]:
    """Return the usual levels between two, both left out."""
    names = []
    name = next_level(upper)
    while name is not None and place(name) < place(lower):
        names.append(name)
        name = next_level(name)
    return names


def _distances(centroids: Centroids) -> list[Doubt]:
    found = []
    for gap in gaps(centroids):
        if abs(gap.z) > UNUSUAL_SD:
            a, b = centroids[gap.upper].level, centroids[gap.lower].level
            text = (
                f"{a} to {b}: {gap.distance_mm:.1f} mm, "
                f"{gap.usual_mm:.1f} ± {gap.sd_mm:.1f} mm expected"
            )
            severity = min(2.0, abs(gap.z) / UNUSUAL_SD)
            found.append(Doubt("distance", (gap.upper, gap.lower), text, severity))
    return found


def _drift(centroids: Centroids) -> list[Doubt]:
    """Find centroids that lie to one side of both their neighbours."""
    keys = from_above(centroids)
    found = []
    for above, key, below in zip(keys, keys[1:], keys[2:], strict=False):
        upper, here, lower = (centroids[k].position_ras for k in (above, key, below))
        span = lower[2] - upper[2]
        share = (here[2] - upper[2]) / span if span else 0.5
        between = [a + share * (b - a) for a, b in zip(upper[:2], lower[:2], strict=True)]
        distance = math.dist(here[:2], between)
        if distance > _DRIFT_MM:
            text = f"{centroids[key].level} lies {distance:.0f} mm beside its neighbours"
            found.append(Doubt("drift", (key,), text, min(2.0, distance / _DRIFT_MM)))
    return found


def _outside(centroids: Centroids, grid: Grid) -> list[Doubt]:
    """Find centroids outside of the image; all of them are one doubt, about the file."""
    keys = from_above(centroids)
    voxels = grid.to_ijk([centroids[key].position_ras for key in keys])
    is_inside = np.all((voxels >= -0.5) & (voxels < np.array(grid.shape_ijk) - 0.5), axis=1)
    outside = [keys[n] for n in np.flatnonzero(~is_inside).tolist()]
    if len(outside) > 1 and len(outside) == len(centroids):
        text = f"All {len(outside)} centroids lie outside of the image: are they of another case?"
        return [Doubt("outside", tuple(outside), text, 2.0)]
    return [
        Doubt("outside", (key,), f"{centroids[key].level} lies outside of the image", 2.0)
        for key in outside
    ]


def _disagreements(centroids: Centroids, mask_levels: Mapping[str, str | None]) -> list[Doubt]:
    """Find centroids that lie in the mask of another level; beside all masks is no doubt.

    Several that are off by the same number of levels are one doubt.
    """
    by_steps: dict[int, list[tuple[str, str]]] = {}
    for key in from_above(centroids):
        there = mask_levels.get(key)
        if there is not None and there != centroids[key].level:
            steps = _rank(there) - _rank(centroids[key].level)
            by_steps.setdefault(steps, []).append((key, there))
    found: list[Doubt] = []
    for pairs in by_steps.values():
        (first, there), (last, _) = pairs[0], pairs[-1]
        text = f"{centroids[first].level} lies in {there} of the mask"
        if len(pairs) > 1:
            text += f", and so on to {centroids[last].level}"
        found.append(Doubt("mask", tuple(key for key, _ in pairs), text, 1.5))
    return found
