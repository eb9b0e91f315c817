"""Dynamic programming over chains of vertebrae: the best one, and the best through each place.

A chain is a sequence of levels of which each may follow the one above (`levels.STEPS`), at
positions that go down. It earns what its vertebrae are worth and pays for its distances; it may
start and end anywhere. One table holds the best chain that ends with a level at a position; its
mirror image the best that starts there. Their sum is the max-marginal: the best score of any chain
through that place, which tells how much worse the best chain with another name there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.vertebra.levels import EXTRA, INDEX, LEVELS, STEPS, Step, anchor_weights

Signals = NDArray[np.float32]
Links = list[tuple[int, int]]
"""Level (place in `levels.LEVELS`) and position of each vertebra, from the head down."""
Length = TypeVar("Length", float, NDArray[np.float64])

_LIKE = MappingProxyType({INDEX["T13"]: (INDEX["T12"], INDEX["L1"]), INDEX["L6"]: (INDEX["L5"],)})
"""Usual levels that the extra ones look like."""
_SAME_PLACE = 0.2
"""Two names are of one vertebra within this share of the distance to the next. With a larger one
a vertebra too many, squeezed in beside the first or the last one, counts as another name for it."""
_LONE_GAP = 20
"""What counts as the distance, in positions, where a vertebra has no neighbour."""


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
        A vertebra is flagged when the best chain with another name for it scores hardly less: by
        no more than this.
    extra : float
        For other names, an extra vertebra counts as at least this share of the usual ones that it
        looks like: networks have seen few.
    weights : ndarray, float32, shape (len(LEVELS),)
        Of the signals of each level.
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
    rival: float = 1.6
    extra: float = 0.8
    weights: Signals = field(default_factory=anchor_weights)


@dataclass(frozen=True, eq=False)
class Table:
    """Best scores of the chains on one side of each place, this one included.

    Parameters
    ----------
    best : ndarray, float32, shape (len(LEVELS), n)
        Of chains that end (or start) with a level at a position.
    position : ndarray, int32, shape (len(LEVELS), n)
        Position of the next vertebra on that side; -1 where the chain ends.
    level : ndarray, int32, shape (len(LEVELS), n)
        Its level.
    """

    best: Signals
    position: NDArray[np.int32]
    level: NDArray[np.int32]

    def best_chain(self) -> Links:
        """Return the best chain of all that end somewhere, from the head down."""
        level, position = np.unravel_index(int(self.best.argmax()), self.best.shape)
        return self.follow((int(level), int(position)))[::-1]

    def follow(self, place: tuple[int, int]) -> Links:
        """Return the best chain on that side of a place, this one first."""
        links = [place]
        while self.position[links[-1]] >= 0:
            here = links[-1]
            links.append((int(self.level[here]), int(self.position[here])))
        return links


@dataclass(frozen=True)
class Other:
    """Another name for a vertebra.

    Parameters
    ----------
    level, position : int
        What it is called, and where.
    behind : float
        By how much the best chain that calls it so scores less than the best with its own name.
    """

    level: int
    position: int
    behind: float

    @property
    def place(self) -> tuple[int, int]:
        """Level and position."""
        return self.level, self.position


@dataclass(frozen=True, eq=False)
class Marginals:
    """The best chain through each place.

    Parameters
    ----------
    above, below : Table
        Of the chains that end at a place, and of those that start there.
    through : ndarray, float32, shape (len(LEVELS), n)
        Score of the best chain that has a level at a position.
    """

    above: Table
    below: Table
    through: Signals

    def chain(self, place: tuple[int, int]) -> Links:
        """Return the best chain through a place, from the head down."""
        return [*self.above.follow(place)[:0:-1], *self.below.follow(place)]

    def other(self, links: Links, n: int) -> Other | None:
        """Return the best other name for a vertebra, None when there is none.

        Parameters
        ----------
        links : list of (int, int)
            The best chain; positions may have been moved to the peaks beside them.
        n : int
            Which vertebra of it.
        """
        level, here = links[n]
        near = [abs(links[m][1] - here) for m in (n - 1, n + 1) if 0 <= m < len(links)]
        gap = min(near, default=_LONE_GAP)
        own = self.through[level, max(0, here - gap // 2) : here + gap // 2 + 1].max()
        reach = int(_SAME_PLACE * gap)
        first = max(0, here - reach)
        scores = self.through[:, first : here + reach + 1].copy()
        scores[level] = -np.inf
        name, at = np.unravel_index(int(scores.argmax()), scores.shape)
        score = float(scores[name, at])
        return Other(int(name), first + int(at), float(own) - score) if score > 0.0 else None


def search(signals: Signals, scale: float, spacing_mm: float, how: Settings) -> Table:
    """Return the best chains that end at each place.

    Parameters
    ----------
    signals : ndarray, float32, shape (len(LEVELS), n)
        Evidence for each level at each position, positions from the head down.
    scale : float
        Size of the person, relative to the table of distances.
    spacing_mm : float
        Distance of two positions.
    how : Settings
    """
    # every step goes to a later place of LEVELS, so this order has all levels above ready
    steps = sorted(STEPS, key=lambda step: (step.lower, step.upper))
    return _filled(
        _worth(signals, how),
        [(step.upper, step.lower, step) for step in steps],
        scale, spacing_mm, how,
    )  # fmt: skip


def marginals(signals: Signals, scale: float, spacing_mm: float, how: Settings) -> Marginals:
    """Return the best chain through each place.

    Parameters
    ----------
    signals, scale, spacing_mm, how
        Those of :func:`search`.
    """
    above = search(signals, scale, spacing_mm, how)
    worth = _worth(signals, how)
    # the same from the feet up: positions mirrored, steps turned round
    steps = sorted(STEPS, key=lambda step: (-step.upper, -step.lower))
    mirrored = _filled(
        worth[:, ::-1],
        [(step.lower, step.upper, step) for step in steps],
        scale, spacing_mm, how,
    )  # fmt: skip
    last = worth.shape[1] - 1
    position = np.where(mirrored.position >= 0, last - mirrored.position, -1).astype(np.int32)
    below = Table(mirrored.best[:, ::-1], position[:, ::-1], mirrored.level[:, ::-1])
    return Marginals(above, below, above.best + below.best - worth)


def with_extras(signals: Signals, how: Settings) -> Signals:
    """Return signals in which extra vertebrae get the benefit of the doubt.

    The last of the chest looks like the one above it and like the first of the loins; the last of
    the loins like the one above it.
    """
    result = signals.copy()
    for extra, usual in _LIKE.items():
        likeness = signals[list(usual)].max(axis=0) * np.float32(how.extra)
        result[extra] = np.maximum(signals[extra], likeness)
    return result


def deviation(distance_mm: Length, usual_mm: float, how: Settings) -> Length:
    """Return how unusual a distance is: half of its squared standard score."""
    return 0.5 * ((distance_mm - usual_mm) / (how.spread * usual_mm)) ** 2


def _worth(signals: Signals, how: Settings) -> Signals:
    """Return what a vertebra adds to a chain, below zero where nothing speaks for it."""
    least = np.full((len(LEVELS), 1), how.threshold, dtype=np.float32)
    # what an extra vertebra costs is its own, not that of its two steps: it would cost twice
    least[sorted(EXTRA)] += how.variant_cost
    return signals * how.weights[:, None] - least


def _filled(
    worth: Signals,
    steps: list[tuple[int, int, Step]],
    scale: float,
    spacing_mm: float,
    how: Settings,
) -> Table:
    """Fill a table along (from level, to level, step), each level after all it is reached from."""
    best = worth.copy()
    position = np.full(worth.shape, -1, dtype=np.int32)
    level = np.full(worth.shape, -1, dtype=np.int32)
    for start, stop, step in steps:
        gain, origin = _reach(best[start], step, scale, spacing_mm, how)
        total = worth[stop] + gain
        # what costs more than it brings is left out: the chain begins here
        better = total > best[stop]
        best[stop][better] = total[better]
        position[stop][better] = origin[better]
        level[stop][better] = start
    return Table(best, position, level)


def _reach(
    before: Signals, step: Step, scale: float, spacing_mm: float, how: Settings
) -> tuple[Signals, NDArray[np.int32]]:
    """Return the best score that a step brings to each position, and from which position."""
    usual = scale * step.gap_mm
    first = max(1, int(np.ceil(how.shortest * usual / spacing_mm)))
    last = max(first, int(np.floor(how.longest * usual / spacing_mm)))
    distances = np.arange(first, last + 1)
    unusual = deviation(distances.astype(np.float64) * spacing_mm, usual, how)
    cost = how.distance_weight * np.minimum(unusual, how.distance_cap)
    if step.skips:
        cost = cost + how.variant_cost
    padded = np.concatenate([np.full(last, -np.inf, dtype=np.float32), before])
    # windows[n, m] is the score at position n - last + m: distance last - m from position n
    windows = np.lib.stride_tricks.sliding_window_view(padded, last - first + 1)[: len(before)]
    totals = windows - cost[::-1].astype(np.float32)
    choice = totals.argmax(axis=1)
    gain = np.take_along_axis(totals, choice[:, None], axis=1)[:, 0]
    origin = np.arange(len(before)) - last + choice
    return gain, origin.astype(np.int32)
