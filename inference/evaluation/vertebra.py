"""The vertebra model on scans whose vertebrae are known: one look, several ways to decide.

The measure is that of the VerSe challenge (A. Sekuboyina et al., Medical Image Analysis 73,
2021): a vertebra is identified when the centroid nearest to the one predicted for it is its own,
and lies within 20 mm.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Context, Image, LabelMap
from inference.evaluation.spine_masks import MaskScore, score_masks
from inference.evaluation.spine_scans import KnownSpine
from inference.grid import grid_of
from inference.vertebra.levels import INDEX, LEVELS
from inference.vertebra.model import DRAWN
from inference.vertebra.pipeline import (
    Evidence,
    Method,
    NoSpine,
    Pipeline,
    SpineReading,
    centre_near,
    decide,
)
from inference.vertebra.rectification import sample

Draw: TypeAlias = Callable[[SpineReading, Image], LabelMap]

IDENTIFIED_MM = 20.0
ARG_MAX = "arg-max"
METHODS: tuple[str, ...] = ("rectified", "candidates", ARG_MAX)
"""Ways to decide; the last takes each level where it is likeliest, without anatomy."""
REGIONS: Mapping[str, str] = {"cervical": "C", "thoracic": "T", "lumbar": "L"}
_ARG_MAX_LEAST = 0.15
_NEAR_MM = 6.0
_SAME_MM = 8.0  # half of the smallest distance of two centres


@dataclass(frozen=True)
class TrueVertebra:
    """A vertebra of the truth whose body is whole in the image.

    Parameters
    ----------
    level : str
    identified : bool
    distance_mm : float
        From what was predicted for this level; NaN where nothing was.
    """

    level: str
    identified: bool
    distance_mm: float

    @property
    def missed(self) -> bool:
        """Whether nothing was predicted for it."""
        return bool(np.isnan(self.distance_mm))


@dataclass(frozen=True)
class Prediction:
    """A vertebra that was predicted.

    Parameters
    ----------
    level : str
    shift : int or None
        By how many levels its name differs from that of the nearest true centre; None when that
        is 20 mm or more away.
    flagged : bool
        Whether it was doubted.
    """

    level: str
    shift: int | None
    flagged: bool

    @property
    def right(self) -> bool:
        """Whether it has the name of the nearest centre."""
        return self.shift == 0


@dataclass(frozen=True)
class Parts:
    """What the networks say by themselves, apart from one another.

    Parameters
    ----------
    levels_off : tuple of int
        At each true centre, by how many levels the likeliest one is off.
    nearest_mm : tuple of float
        From each true centre to the nearest maximum of the centre network.
    """

    levels_off: tuple[int, ...] = ()
    nearest_mm: tuple[float, ...] = ()


@dataclass(frozen=True)
class SpineResult:
    """One scan, decided in one way.

    Parameters
    ----------
    name, field, method : str
    true : tuple of TrueVertebra
    predicted : tuple of Prediction
    parts : Parts
        The same for every method.
    seconds : float
        Of the networks and the decision.
    variant : str
        Level that is unusual in view, or last in a person with one less; empty of all others.
    masks : tuple of MaskScore
        Of the true vertebrae whose bodies are whole; empty where nothing was drawn.
    """

    name: str
    field: str
    method: str
    true: tuple[TrueVertebra, ...]
    predicted: tuple[Prediction, ...]
    parts: Parts
    seconds: float = dataclasses.field(compare=False)
    variant: str = ""
    masks: tuple[MaskScore, ...] = ()

    @property
    def all_correct(self) -> bool:
        """Whether all are identified, and nothing else was predicted."""
        return all(v.identified for v in self.true) and all(p.right for p in self.predicted)

    @property
    def shift(self) -> int | None:
        """By how many levels most predictions are off; None without any near a true centre."""
        shifts = [p.shift for p in self.predicted if p.shift is not None]
        return int(np.median(shifts)) if shifts else None


def evaluate_spine(
    pipeline: Pipeline, spine: KnownSpine, context: Context, draw: Draw | None = None
) -> Iterator[SpineResult]:
    """Yield the results of a scan, one for each of `METHODS`.

    Parameters
    ----------
    pipeline : Pipeline
    spine : KnownSpine
    context : Context
    draw : callable, optional
        Draws the vertebrae of a reading; they are judged where the truth has masks, with the first
        method.
    """
    started = time.monotonic()
    try:
        evidence = pipeline.look(spine.image, context)
    except NoSpine:
        evidence = None
    spent = time.monotonic() - started
    parts = Parts() if evidence is None else parts_of(evidence, spine)
    masks = () if evidence is None or draw is None else _mask_scores(evidence, spine, draw)
    for method in METHODS:
        started = time.monotonic()
        found = {} if evidence is None else _decided(evidence, method)
        true, predicted = compare(spine, found)
        seconds = spent + time.monotonic() - started
        yield SpineResult(
            spine.name, spine.field, method, true, predicted, parts, seconds, spine.variant,
            masks if method == METHODS[0] else (),
        )  # fmt: skip


def _mask_scores(evidence: Evidence, spine: KnownSpine, draw: Draw) -> tuple[MaskScore, ...]:
    if spine.masks is None:
        return ()
    drawn = draw(decide(evidence), spine.image).array
    names = {number: name for number, name in DRAWN.items() if name in spine.whole}
    return score_masks(spine.masks, drawn, grid_of(spine.image).spacing_kji_mm, names)


def _decided(evidence: Evidence, method: str) -> dict[str, tuple[NDArray[np.float64], bool]]:
    """Return place and doubt by level."""
    if method == ARG_MAX:
        signals = evidence.probabilities("rectified")
        highest = signals.argmax(axis=1)
        return {
            LEVELS[n]: (centre_near(evidence, float(at)), False)
            for n, at in enumerate(highest)
            if signals[n, at] >= _ARG_MAX_LEAST
        }
    way: Method = "candidates" if method == "candidates" else "rectified"
    reading = decide(evidence, way)
    pairs = zip(reading.chain.vertebrae, reading.positions_ras, strict=True)
    return {v.name: (place, bool(v.flags)) for v, place in pairs}


def compare(
    spine: KnownSpine, found: Mapping[str, tuple[NDArray[np.float64], bool]]
) -> tuple[tuple[TrueVertebra, ...], tuple[Prediction, ...]]:
    """Return what became of the true vertebrae, and what the predicted ones are.

    Parameters
    ----------
    spine : KnownSpine
    found : mapping of str to (ndarray, bool)
        Place in RAS mm and whether it was doubted, by level.
    """
    names = sorted(spine.centres_ras, key=INDEX.__getitem__)
    places = np.array([spine.centres_ras[name] for name in names])
    predicted, nearest = [], {}
    for level, (place, flagged) in found.items():
        apart = np.linalg.norm(places - place, axis=1)
        own = names[int(apart.argmin())]
        near = float(apart.min()) < IDENTIFIED_MM
        nearest[level] = own if near else None
        shift = _order(level, names) - _order(own, names) if near else None
        if not _beyond(place, places):
            predicted.append(Prediction(level, shift, flagged))
    true = []
    for name in names:
        if name not in spine.whole:
            continue
        distance = float("nan")
        if name in found:
            distance = float(np.linalg.norm(found[name][0] - spine.centres_ras[name]))
        true.append(TrueVertebra(name, nearest.get(name) == name, distance))
    return tuple(true), tuple(predicted)


def _order(level: str, names: list[str]) -> int:
    """Return the place of a level among those of a person."""
    if level in names:
        return names.index(level)
    # not known in this person: counted on from the nearest one that is
    nearest = min(names, key=lambda name: abs(INDEX[name] - INDEX[level]))
    return names.index(nearest) + INDEX[level] - INDEX[nearest]


def _beyond(place: NDArray[np.float64], places: NDArray[np.float64]) -> bool:
    """Return whether a place lies above or below all that is known, where nobody can tell."""
    heights = places[:, 2]
    return bool(place[2] > heights.max() + _SAME_MM or place[2] < heights.min() - _SAME_MM)


def parts_of(evidence: Evidence, spine: KnownSpine) -> Parts:
    """Return what the two networks say at the true centres."""
    names = sorted(spine.whole, key=INDEX.__getitem__)
    if not names:
        return Parts()
    places = np.array([spine.centres_ras[name] for name in names])
    levels = sample(evidence.levels, evidence.grid.affine_ras, places).argmax(axis=0)
    off = tuple(
        _order(LEVELS[int(n)], names) - names.index(name)
        for n, name in zip(levels, names, strict=True)
    )
    highest = ndimage.maximum_filter(evidence.centres, size=5)
    peaks = evidence.points_ras[(evidence.centres >= highest) & (evidence.centres > 0.3)]
    if not len(peaks):
        return Parts(off, (float("inf"),) * len(names))
    apart = np.linalg.norm(places[:, None] - peaks[None], axis=2).min(axis=1)
    return Parts(off, tuple(apart.tolist()))


def located(parts: Parts) -> list[bool]:
    """Return for each true centre whether the centre network has a maximum within 6 mm."""
    return [distance <= _NEAR_MM for distance in parts.nearest_mm]
