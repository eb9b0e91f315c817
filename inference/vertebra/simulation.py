"""Signals as an imperfect network would give them, made from known centres.

What the search is worth can so be measured on many real spines of which only the key points are
at hand, apart from any network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.vertebra.levels import INDEX, LEVELS


@dataclass(frozen=True)
class Faults:
    """How wrong the simulated network is.

    Parameters
    ----------
    confusion : float
        Response of the channels one level off, relative to the right one.
    blur_mm : float
        Standard deviation of a response along the line.
    jitter_mm : float
        Standard deviation of the error of its place.
    dropout : float
        Share of vertebrae that give no response at all.
    false_peaks : float
        Mean number of responses where there is no centre.
    noise : float
        Standard deviation of what is added everywhere.
    amplitude : tuple of float
        Range of the height of a response.
    """

    confusion: float = 0.6
    blur_mm: float = 5.0
    jitter_mm: float = 2.0
    dropout: float = 0.08
    false_peaks: float = 2.0
    noise: float = 0.05
    amplitude: tuple[float, float] = (0.45, 1.0)


def simulated_signals(
    centres_mm: Mapping[str, float],
    length_mm: float,
    rng: np.random.Generator,
    faults: Faults | None = None,
) -> NDArray[np.float32]:
    """Return signals at 1 mm for known positions along a line.

    Parameters
    ----------
    centres_mm : mapping of str to float
        Level name and position from the head down.
    length_mm : float
        Length of the line.
    rng : Generator
    faults : Faults, optional

    Returns
    -------
    ndarray, float32, shape (len(LEVELS), length)
        Clipped to 0 to 1.
    """
    how = faults or Faults()
    where = np.arange(int(np.ceil(length_mm)) + 1, dtype=np.float64)
    signals = np.zeros((len(LEVELS), where.size))
    shares = {-2: how.confusion**4, -1: how.confusion, 0: 1.0, 1: how.confusion}
    shares[2] = shares[-2]
    for name, centre in centres_mm.items():
        if rng.random() < how.dropout:
            continue
        place = centre + rng.normal(0.0, how.jitter_mm)
        shape = np.exp(-0.5 * ((where - place) / how.blur_mm) ** 2)
        for shift, share in shares.items():
            level = INDEX[name] + shift
            if 0 <= level < len(LEVELS):
                signals[level] += share * rng.uniform(*how.amplitude) * shape
    for _ in range(rng.poisson(how.false_peaks)):
        level, place = int(rng.integers(len(LEVELS))), rng.uniform(0.0, length_mm)
        shape = np.exp(-0.5 * ((where - place) / how.blur_mm) ** 2)
        signals[level] += rng.uniform(*how.amplitude) * shape
    signals += rng.normal(0.0, how.noise, signals.shape)
    return np.clip(signals, 0.0, 1.0).astype(np.float32)
