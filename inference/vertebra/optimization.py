"""The most plausible sequence of vertebrae along a spine: an exact search under anatomy.

Input are 1-D signals: how much each position along the spine looks like the centre of each level.
Reading off the maximum of each signal goes wrong wherever neighbours look alike. Following T. Wang
et al. ("Automatic Vertebra Localization and Identification in CT by Spine Rectification and
Anatomically-constrained Optimization", CVPR 2021, arXiv 2012.07947), levels must follow one
another (a hard constraint) at about their usual distance (a soft one). Their search starts from
peaks and improves; on a line of a few hundred points dynamic programming finds the optimum itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.vertebra.levels import LEVELS, STEPS, Step, anchor_weights, step_between

Signals = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How the search weighs evidence against anatomy.

    Parameters
    ----------
    threshold : float
        A vertebra must be worth more than this to lengthen the chain.
    spread : float
        Standard deviation of a distance, as a share of the usual one.
    distance_weight, distance_cap : float
        Weight of the squared deviation, and what it never exceeds: a compressed vertebra must not
        cost the whole chain.
    shortest, longest : float
        Distances considered, as shares of the usual one.
    variant_cost : float
        Cost of a vertebra more or less than usual.
    scale_range : tuple of float
        Sizes of people, relative to the table of distances.
    climb_mm : float
        How far the nearest peak of its signal may draw a vertebra from where the search, which
        weighs distances too, put it.
    weak : float
        A vertebra whose signal is below is flagged.
    rival : float
        Another numbering whose score comes as near to the best one as this is told of, and all
        vertebrae are flagged.
    """

    threshold: float = 0.15
    spread: float = 0.12
    distance_weight: float = 0.25
    distance_cap: float = 4.0
    shortest: float = 0.55
    longest: float = 1.6
    variant_cost: float = 0.6
    scale_range: tuple[float, float] = (0.8, 1.25)
    climb_mm: float = 6.0
    weak: float = 0.3
    rival: float = 1.2
    weights: Signals = field(default_factory=anchor_weights)


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
        By how many levels the best other numbering differs (0 when there is none).
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


@dataclass(frozen=True)
class _Table:
    """Best scores of chains that end with a level at a position, and where they come from."""

    best: NDArray[np.float32]  # [level, position]
    previous: NDArray[np.int32]  # [level, position], position of the vertebra above; -1: none
    upper: NDArray[np.int32]  # [level, position], level of the vertebra above


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
    table = _search(signals, 1.0, spacing_mm, settings)
    # sizes differ by a quarter between people: measure this one, and search again
    scale = _scale(_trace(table, _end(table)), spacing_mm, settings)
    if abs(scale - 1.0) > 0.01:
        table = _search(signals, scale, spacing_mm, settings)
    end = _end(table)
    score = float(table.best[end])
    if score <= 0.0:
        return Chain((), 0.0, scale)
    links = _trace(table, end)
    shift, rival, other = _rival(table, links, scale, spacing_mm)
    links = _climbed(signals, links, spacing_mm, settings)
    flags = _flags(signals, links, scale, spacing_mm, settings)
    if rival >= score - settings.rival:
        names = f"{LEVELS[other[-1][0]]} for {LEVELS[links[-1][0]]}"
        flags = [(*words, f"numbering with {names} fits nearly as well") for words in flags]
    vertebrae = [
        Found(level, position * spacing_mm, float(signals[level, position]), words)
        for (level, position), words in zip(links, flags, strict=True)
    ]
    if extent_mm is not None:
        vertebrae = _extended(vertebrae, scale, extent_mm)
    others = tuple((level, position * spacing_mm) for level, position in other)
    return Chain(tuple(vertebrae), score, scale, shift, rival, others)


def _checked(signals: Signals) -> Signals:
    """Return signals as float32, or raise ValueError."""
    signals = np.asarray(signals, dtype=np.float32)
    if signals.ndim != 2 or signals.shape[0] != len(LEVELS):
        raise ValueError(f"signals must have shape ({len(LEVELS)}, n), not {signals.shape}")
    if not np.isfinite(signals).all():
        raise ValueError("the signals have values that are not finite")
    return signals


def _penalty(distance_mm: NDArray[np.floating], usual_mm: float, how: Settings) -> Signals:
    """Return what distances cost, up to the cap."""
    deviation = (distance_mm - usual_mm) / (how.spread * usual_mm)
    cost: Signals = how.distance_weight * np.minimum(0.5 * deviation**2, how.distance_cap)
    return cost.astype(np.float32)


def _search(signals: Signals, scale: float, spacing_mm: float, how: Settings) -> _Table:
    """Fill the table from the head down; a level is reached from any that may lie above it."""
    worth = signals * how.weights[:, None] - how.threshold
    best = worth.copy()
    previous = np.full(worth.shape, -1, dtype=np.int32)
    upper = np.full(worth.shape, -1, dtype=np.int32)
    # every step goes to a later place of LEVELS, so this order has all levels above ready
    for step in sorted(STEPS, key=lambda step: (step.lower, step.upper)):
        gain, origin = _reach(best[step.upper], step, scale, spacing_mm, how)
        total = worth[step.lower] + gain
        better = (gain > 0.0) & (total > best[step.lower])
        best[step.lower][better] = total[better]
        previous[step.lower][better] = origin[better]
        upper[step.lower][better] = step.upper
    return _Table(best, previous, upper)


def _reach(
    above: NDArray[np.float32], step: Step, scale: float, spacing_mm: float, how: Settings
) -> tuple[Signals, NDArray[np.int32]]:
    """Return the best score that a step brings to each position, and from which position."""
    usual = scale * step.gap_mm
    first = max(1, int(np.ceil(how.shortest * usual / spacing_mm)))
    last = max(first, int(np.floor(how.longest * usual / spacing_mm)))
    distances = np.arange(first, last + 1)
    cost = _penalty(distances.astype(np.float64) * spacing_mm, usual, how)
    if step.variant:
        cost = cost + np.float32(how.variant_cost)
    padded = np.concatenate([np.full(last, -np.inf, dtype=np.float32), above])
    # windows[n, m] is the score at position n - last + m: distance last - m from position n
    windows = np.lib.stride_tricks.sliding_window_view(padded, last - first + 1)[: len(above)]
    totals = windows - cost[::-1]
    choice = totals.argmax(axis=1)
    gain = np.take_along_axis(totals, choice[:, None], axis=1)[:, 0]
    origin = np.arange(len(above)) - last + choice
    return gain, origin.astype(np.int32)


def _end(table: _Table) -> tuple[int, int]:
    level, position = np.unravel_index(int(table.best.argmax()), table.best.shape)
    return int(level), int(position)


def _trace(table: _Table, end: tuple[int, int]) -> list[tuple[int, int]]:
    """Return (level, position) from the head down."""
    links = [end]
    while table.previous[links[-1]] >= 0:
        here = links[-1]
        links.append((int(table.upper[here]), int(table.previous[here])))
    return links[::-1]


def _climbed(
    signals: Signals, links: list[tuple[int, int]], spacing_mm: float, how: Settings
) -> list[tuple[int, int]]:
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


def _scale(links: list[tuple[int, int]], spacing_mm: float, how: Settings) -> float:
    """Return the size of the patient, the median over the distances found."""
    ratios = []
    for (upper, start), (lower, stop) in itertools.pairwise(links):
        step = step_between(upper, lower)
        if step is not None and not step.variant:
            ratios.append((stop - start) * spacing_mm / step.gap_mm)
    if not ratios:
        return 1.0
    return float(np.clip(np.median(ratios), *how.scale_range))


def _rival(
    table: _Table, links: list[tuple[int, int]], scale: float, spacing_mm: float
) -> tuple[int, float, list[tuple[int, int]]]:
    """Return the best chain that ends in the same place with another name: shift, score, links."""
    level, position = links[-1]
    step = step_between(level - 1, level)
    reach = round(0.4 * scale * (step.gap_mm if step else 20.0) / spacing_mm)
    first = max(0, position - reach)
    near = table.best[:, first : position + reach + 1].copy()
    near[level] = -np.inf
    other, at = (int(n) for n in np.unravel_index(int(near.argmax()), near.shape))
    if near[other, at] <= 0.0:
        return 0, -np.inf, []
    return other - level, float(near[other, at]), _trace(table, (other, first + at))


def _flags(
    signals: Signals,
    links: list[tuple[int, int]],
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
        if 0.5 * ((distance - usual) / (how.spread * usual)) ** 2 >= how.distance_cap:
            words[n + 1].append(f"{distance:.0f} mm below {LEVELS[upper]}, {usual:.0f} expected")
        if step.variant:
            words[n + 1].append(f"follows {LEVELS[upper]}: an unusual number of vertebrae")
    return [tuple(w) for w in words]


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
