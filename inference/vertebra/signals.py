"""The signals of a reading in a small table, for the window to draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.signals import MOST_CENTRES, MOST_POINTS, Places, Signals
from inference.vertebra.levels import LEVELS, VERSE_NUMBER
from inference.vertebra.pipeline import Evidence, SpineReading

_LEAST, _REACH = 0.1, 2
"""Of a maximum: its height, and how many voxels of 2 mm around are lower."""


def signals_of(reading: SpineReading) -> Signals:
    """Return what speaks for each level along the line, the chain, and the runner-up.

    On a line of more than :data:`~inference.signals.MOST_POINTS` mm points are left out evenly.
    """
    line = reading.evidence.line.points_ras
    step = -(-len(line) // MOST_POINTS)
    points = line[::step]
    values = np.clip(reading.signals[:, ::step], 0.0, 1.0) * 255.0
    last = len(points) - 1

    def places(links: list[tuple[int, float]]) -> Places:
        return tuple(
            (VERSE_NUMBER[LEVELS[level]], min(max(round(mm / step), 0), last))
            for level, mm in links
        )

    chain = reading.chain
    centres, heights = centre_maxima(reading.evidence)
    share = max(0.0, min(1.0, chain.rival_score / chain.score)) if chain.rival else 0.0
    return Signals(
        labels=tuple(VERSE_NUMBER[name] for name in LEVELS),
        line_ras=points.astype(np.float32),
        values=values.round().astype(np.uint8),
        chosen=places([(v.level, v.position_mm) for v in chain.vertebrae]),
        runner_up=places(list(chain.rival)),
        runner_up_share=float(share),
        centres_ras=centres.astype(np.float32),
        centre_values=(np.clip(heights, 0.0, 1.0) * 255.0).round().astype(np.uint8),
    )


def centre_maxima(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return where the centre network sees a body, whichever it is, and how surely.

    Returns
    -------
    ndarray, float64, shape (n, 3)
        RAS mm of the maxima, the highest first, between the voxels; at most
        :data:`~inference.signals.MOST_CENTRES`.
    ndarray, float32, shape (n,)
        Probability of a centre, 0 to 1.
    """
    heat = evidence.centres
    highest = ndimage.maximum_filter(heat, size=2 * _REACH + 1)
    peaks = np.argwhere((heat >= highest) & (heat >= _LEAST))
    heights = heat[tuple(peaks.T)]
    order = np.argsort(-heights, kind="stable")[:MOST_CENTRES]
    places = []
    for k, j, i in peaks[order]:
        near = tuple(slice(max(0, n - 2), n + 3) for n in (k, j, i))
        weight = np.where(heat[near] > 0.4 * heat[k, j, i], heat[near], 0.0).astype(np.float64)
        places.append(np.tensordot(weight, evidence.points_ras[near], 3) / weight.sum())
    return np.array(places, dtype=np.float64).reshape(-1, 3), heights[order]
