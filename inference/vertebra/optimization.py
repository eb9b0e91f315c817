"""The most plausible sequence of vertebrae along a spine: an exact search under anatomy.

Input are 1-D signals: how much each position along the spine looks like the centre of each level.
Reading off the maximum of each signal goes wrong wherever neighbours look alike. Following T. Wang
et al. ("Automatic Vertebra Localization and Identification in CT by Spine Rectification and
Anatomically-constrained Optimization", CVPR 2021, arXiv 2012.07947), levels must follow one
another (a hard constraint) at about their usual distance (a soft one). Their search starts from
peaks and improves; on a line of a few hundred points dynamic programming (`chain_search`) finds the
optimum itself, and for each vertebra the best chain that gives it another name.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from inference.vertebra.chain_search import (
    Links,
    Settings,
    Signals,
    deviation,
    marginals,
    search,
    with_extras,
)
from inference.vertebra.levels import LEVELS, STEPS, step_between

_SAME_MM = 8.0
"""Half of the smallest distance of two centres."""


@dataclass(frozen=True)
class Found:
    """A vertebra of a chain.

    Parameters
    ----------
    level : int
        Place in `levels.LEVELS`.
    position_mm : float
        Along the line.
    signal : float
        Value of the signal of its level there.
    flags : tuple of str
        Doubts in words.
    """

    level: int
    position_mm: float
    signal: float
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the level."""
        return LEVELS[self.level]


@dataclass(frozen=True)
class Chain:
    """Vertebrae from the head down.

    Parameters
    ----------
    vertebrae : tuple of Found
        Empty when nothing exceeds the threshold.
    score : float
        What the search maximized.
    scale : float
        Size of the patient relative to the table of distances.
    rival_shift : int
        By how many levels the best other numbering differs where it does (0 when there is none).
        It may give only some of the vertebrae another name.
    rival_score : float
        Its score, minus infinity when there is none.
    rival : tuple of (int, float)
        Its vertebrae: place in `levels.LEVELS` and position in mm along the line.
    """

    vertebrae: tuple[Found, ...]
    score: float
    scale: float
    rival_shift: int = 0
    rival_score: float = -np.inf
    rival: tuple[tuple[int, float], ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether any vertebra is flagged."""
        return any(vertebra.flags for vertebra in self.vertebrae)

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """Name and other name of each vertebra that the best other numbering calls otherwise."""
        found = []
        for vertebra in self.vertebrae:
            near = [r for r in self.rival if abs(r[1] - vertebra.position_mm) < _SAME_MM]
            other = min(near, key=lambda r: abs(r[1] - vertebra.position_mm), default=None)
            if other is not None and other[0] != vertebra.level:
                found.append((vertebra.name, LEVELS[other[0]]))
        return tuple(found)


def find_chain(
    signals: Signals,
    *,
    spacing_mm: float = 1.0,
    extent_mm: tuple[float, float] | None = None,
    settings: Settings | None = None,
) -> Chain:
    """Return the best sequence of vertebrae along a line.

    Vertebrae missed between two others are inserted at their usual distance, and with
    `extent_mm` those missed at the ends as well; both are flagged.

    Parameters
    ----------
    signals : ndarray, float32, shape (len(LEVELS), n)
        Evidence for each level at each position, 0 to 1, positions from the head down.
    spacing_mm : float
        Distance of two positions.
    extent_mm : tuple of float, optional
        From where to where the column is seen, along the line.
    settings : Settings, optional

    Returns
    -------
    Chain

    Raises
    ------
    ValueError
        Signals of another shape, or not finite.
    """
    settings = settings or Settings()
    signals = _checked(signals)
    if not signals.shape[1]:
        return Chain((), 0.0, 1.0)
    links, score, scale = _best_chain(signals, spacing_mm, settings)
    if not links:
        return Chain((), 0.0, scale)
    placed = _climbed(signals, links, spacing_mm, settings)
    flags = _flags(signals, placed, scale, spacing_mm, settings)
    doubts = _numbering(signals, placed, scale, spacing_mm, settings)
    vertebrae = [
        Found(level, position * spacing_mm, float(signals[level, position]), (*first, *second))
        for (level, position), first, second in zip(placed, flags, doubts, strict=True)
    ]
    if extent_mm is not None:
        vertebrae = _extended(vertebrae, scale, extent_mm)
    found = Chain(tuple(vertebrae), score, scale)
    return _with_rival(found, signals, placed, spacing_mm, settings)


def _checked(signals: Signals) -> Signals:
    """Return signals as float32, or raise ValueError."""
    signals = np.asarray(signals, dtype=np.float32)
    if signals.ndim != 2 or signals.shape[0] != len(LEVELS):
        raise ValueError(f"signals must have shape ({len(LEVELS)}, n), not {signals.shape}")
    if not np.isfinite(signals).all():
        raise ValueError("the signals have values that are not finite")
    return signals


def _best_chain(signals: Signals, spacing_mm: float, how: Settings) -> tuple[Links, float, float]:
    """Return the best chain, empty when there is none; its score; and the size of the patient."""
    table = search(signals, 1.0, spacing_mm, how)
    # sizes differ by a quarter between people: measure this one, and search again
    scale = _scale(table.best_chain(), spacing_mm, how)
    if abs(scale - 1.0) > 0.01:
        table = search(signals, scale, spacing_mm, how)
    score = float(table.best.max())
    return (table.best_chain() if score > 0.0 else []), score, scale


def _climbed(signals: Signals, links: Links, spacing_mm: float, how: Settings) -> Links:
    """Move each vertebra to the peak beside it: the prior chooses the level, not the place."""
    reach = round(how.climb_mm / spacing_mm)
    moved = []
    for level, position in links:
        first = max(0, position - reach)
        near = signals[level, first : position + reach + 1]
        if near.max() >= how.weak:
            position = first + int(near.argmax())
        moved.append((level, position))
    # two that met or crossed stay where the search put them
    places = [position for _, position in moved]
    ordered = all(upper < lower for upper, lower in itertools.pairwise(places))
    return moved if ordered else links


def _scale(links: Links, spacing_mm: float, how: Settings) -> float:
    """Return the size of the patient, the median over the distances found."""
    ratios = []
    for (upper, start), (lower, stop) in itertools.pairwise(links):
        step = step_between(upper, lower)
        if step is not None and not step.variant:
            ratios.append((stop - start) * spacing_mm / step.gap_mm)
    if not ratios:
        return 1.0
    return float(np.clip(np.median(ratios), *how.scale_range))


def _flags(
    signals: Signals,
    links: Links,
    scale: float,
    spacing_mm: float,
    how: Settings,
) -> list[tuple[str, ...]]:
    """Return the doubts about each vertebra."""
    words: list[list[str]] = [[] for _ in links]
    for n, (level, position) in enumerate(links):
        if signals[level, position] < how.weak:
            words[n].append("weak signal")
    for n, ((upper, start), (lower, stop)) in enumerate(itertools.pairwise(links)):
        step = step_between(upper, lower)
        if step is None:
            continue
        distance, usual = (stop - start) * spacing_mm, scale * step.gap_mm
        if deviation(distance, usual, how) >= how.distance_cap:
            words[n + 1].append(f"{distance:.0f} mm below {LEVELS[upper]}, {usual:.0f} expected")
        if step.variant:
            words[n + 1].append(f"follows {LEVELS[upper]}: an unusual number of vertebrae")
    return [tuple(w) for w in words]


def _numbering(
    signals: Signals, links: Links, scale: float, spacing_mm: float, how: Settings
) -> list[tuple[str, ...]]:
    """Return the doubts about names for which another one fits nearly as well."""
    through = marginals(with_extras(signals, how), scale, spacing_mm, how)
    words: list[tuple[str, ...]] = []
    for n, (level, _) in enumerate(links):
        other = through.other(links, n)
        near = other is not None and other.behind <= how.rival
        name = LEVELS[other.level] if other is not None else ""
        said = f"numbering with {name} for {LEVELS[level]} fits nearly as well"
        words.append((said,) if near else ())
    return words


def _with_rival(
    chain: Chain, signals: Signals, links: Links, spacing_mm: float, how: Settings
) -> Chain:
    """Return the chain with the best one that gives any of its vertebrae another name."""
    through = marginals(signals, chain.scale, spacing_mm, how)
    others = [(through.other(links, n), level) for n, (level, _) in enumerate(links)]
    known = [(other, level) for other, level in others if other is not None]
    if not known:
        return chain
    best, level = min(known, key=lambda pair: pair[0].behind)
    rival = _climbed(signals, through.chain(best.place), spacing_mm, how)
    return replace(
        chain,
        rival_shift=best.level - level,
        rival_score=chain.score - best.behind,
        rival=tuple((name, position * spacing_mm) for name, position in rival),
    )


def _extended(found: list[Found], scale: float, extent_mm: tuple[float, float]) -> list[Found]:
    """Add the vertebrae missed at both ends, as far as their centres are in view."""
    usual = {step.upper: step for step in STEPS if not step.variant}
    above = {step.lower: step for step in usual.values()}
    words = ("no signal: placed by the usual distance",)
    while (step := above.get(found[0].level)) is not None:
        position = found[0].position_mm - scale * step.gap_mm
        if position < extent_mm[0]:
            break
        found = [Found(step.upper, position, 0.0, words), *found]
    # what follows the last lumbar vertebra is the sacrum, which is seen or not, never inferred
    while (step := usual.get(found[-1].level)) is not None and LEVELS[step.lower] != "S1":
        position = found[-1].position_mm + scale * step.gap_mm
        if position > extent_mm[1]:
            break
        found = [*found, Found(step.lower, position, 0.0, words)]
    return found
