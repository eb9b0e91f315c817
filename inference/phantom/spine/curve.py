"""How the vertebrae of a person lie: number, sizes, distances and the curve of the spine."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.skeleton import Vertebra
from inference.vertebra.levels import INDEX, LEVELS, step_between

# Width and depth of a body, and its height as a share of the distance to the next, by level:
# C3 is about 17 x 15 x 13 mm, T8 30 x 28 x 20, L4 48 x 34 x 28.
_SIZE_LEVELS = ("C1", "C2", "C3", "C7", "T1", "T4", "T8", "T12", "L1", "L3", "L5", "L6", "S1")
_WIDTHS_MM = (16.0, 17.0, 17.0, 22.0, 26.0, 26.0, 30.0, 40.0, 42.0, 46.0, 50.0, 50.0, 52.0)
_DEPTHS_MM = (12.0, 15.0, 15.0, 17.0, 18.0, 22.0, 28.0, 30.0, 31.0, 34.0, 35.0, 35.0, 33.0)
_DISC_SHARES = (0.2, 0.2, 0.28, 0.28, 0.24, 0.18, 0.18, 0.22, 0.25, 0.28, 0.30, 0.30, 0.2)

# Slope in the sagittal plane, degrees from vertical on the way down, positive to the back:
# lordosis of the neck, kyphosis of the chest, lordosis of the loins.
_SLOPE_LEVELS = ("C1", "C4", "C7", "T3", "T7", "T11", "L1", "L3", "L5", "S1")
_SLOPES_DEG = (-6.0, 4.0, 20.0, 16.0, 0.0, -12.0, -12.0, 0.0, 18.0, 35.0)

VARIANTS = ("T11", "T13", "L4", "L6")
"""Last thoracic or lumbar vertebra of people with one less or one more than usual."""
_VARIANT_SHARE = 0.04
_COMPRESSED_SHARE = 0.07


@dataclass(frozen=True)
class WholeSpine:
    """The vertebrae of a person.

    Parameters
    ----------
    vertebrae : tuple of Vertebra
        From C1 to S1; their centres are those of the bodies.
    compressed : frozenset of str
        Levels with a collapsed body.
    scale : float
        Size relative to the table of distances.
    """

    vertebrae: tuple[Vertebra, ...]
    compressed: frozenset[str]
    scale: float

    @property
    def centres_ras(self) -> NDArray[np.float64]:
        """Centres ``[n, (x, y, z)]`` from the head down."""
        return np.array([v.centre_ras for v in self.vertebrae])

    @property
    def names(self) -> tuple[str, ...]:
        """Levels from the head down."""
        return tuple(v.name for v in self.vertebrae)


def draw_levels(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw the levels of a person: 4 % have one vertebra more or less than usual."""
    names = [name for name in LEVELS if name not in {"T13", "L6"}]
    if rng.random() >= _VARIANT_SHARE:
        return tuple(names)
    variant = rng.choice(VARIANTS)
    if variant == "T11":  # eleven thoracic vertebrae
        names.remove("T12")
    elif variant == "L4":
        names.remove("L5")
    elif variant == "T13":
        names.insert(names.index("T12") + 1, "T13")
    else:
        names.insert(names.index("L5") + 1, "L6")
    return tuple(names)


def variant_of(names: Collection[str]) -> str:
    """Return which of `VARIANTS` a person has; empty of most people."""
    unusual = {
        "T11": "T12" not in names,
        "T13": "T13" in names,
        "L4": "L5" not in names,
        "L6": "L6" in names,
    }
    return next((variant for variant in VARIANTS if unusual[variant]), "")


def _by_level(
    names: tuple[str, ...], at: tuple[str, ...], values: tuple[float, ...]
) -> NDArray[np.float64]:
    places = [INDEX[name] for name in at]
    return np.interp([INDEX[name] for name in names], places, values)


def _gaps(names: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the distances between neighbours, each with its own deviation."""
    steps = [step_between(INDEX[a], INDEX[b]) for a, b in itertools.pairwise(names)]
    usual = np.array([step.gap_mm for step in steps if step is not None])
    own: NDArray[np.float64] = rng.normal(1.0, 0.05, len(usual)).clip(0.85, 1.15)
    return usual * own


def draw_spine(rng: np.random.Generator) -> WholeSpine:
    """Draw a person's spine; L1 (or what is nearest to it) lies at the origin.

    Parameters
    ----------
    rng : Generator
        Decides sizes, curves, compressed bodies and unusual numbers of vertebrae.
    """
    names = draw_levels(rng)
    scale = float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2))
    gaps = scale * _gaps(names, rng)
    compressed = _draw_compressed(names, rng)
    heights = np.append(gaps, gaps[-1]) * (1.0 - _by_level(names, _SIZE_LEVELS, _DISC_SHARES))
    for n, name in enumerate(names):
        if name in compressed:
            lost = rng.uniform(0.2, 0.45) * heights[n]
            heights[n] -= lost
            gaps[max(n - 1, 0)] -= lost / 2
            gaps[min(n, len(gaps) - 1)] -= lost / 2
    centres, tangents = _curve(names, gaps, rng)
    widths = scale * _by_level(names, _SIZE_LEVELS, _WIDTHS_MM) * rng.normal(1.0, 0.05)
    depths = scale * _by_level(names, _SIZE_LEVELS, _DEPTHS_MM) * rng.normal(1.0, 0.05)
    vertebrae = []
    for n, name in enumerate(names):
        disc = max(float(gaps[min(n, len(gaps) - 1)] - heights[n]), 2.0)
        size = (float(widths[n]), float(depths[n]), float(heights[n]))
        vertebrae.append(Vertebra(name, centres[n], frame_along(-tangents[n]), size, disc))
    return WholeSpine(tuple(vertebrae), compressed, scale)


def _draw_compressed(names: tuple[str, ...], rng: np.random.Generator) -> frozenset[str]:
    """Draw the collapsed bodies: never in the neck, mostly none, sometimes several."""
    if rng.random() >= 4 * _COMPRESSED_SHARE:
        return frozenset()
    able = [name for name in names if name[0] in "TL"]
    return frozenset(rng.choice(able, int(rng.integers(1, 4)), replace=False).tolist())


def _curve(
    names: tuple[str, ...], gaps: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres and the directions downwards at them."""
    slopes = _by_level(names, _SLOPE_LEVELS, _SLOPES_DEG) * rng.uniform(0.5, 1.5)
    slopes = slopes + rng.normal(0.0, 4.0)
    # scoliosis: one or two bows, up to 15 degrees
    part = np.arange(len(names)) / (len(names) - 1)
    bow = rng.normal(0.0, 4.0) if rng.random() < 0.7 else rng.uniform(-15.0, 15.0)
    sideways = bow * np.sin(2.0 * np.pi * (part * rng.uniform(0.7, 1.6) + rng.random()))
    pitch, roll = np.deg2rad(slopes), np.deg2rad(sideways)
    tangents = np.stack(
        [np.sin(roll), -np.sin(pitch) * np.cos(roll), -np.cos(pitch) * np.cos(roll)], axis=1
    )
    between = 0.5 * (tangents[:-1] + tangents[1:])
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    centres = np.concatenate([np.zeros((1, 3)), np.cumsum(between * gaps[:, None], axis=0)])
    return centres - centres[names.index("L1")], tangents


def frame_along(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows to the right, to the back and up, for a direction up the spine."""
    back = np.array([0.0, -1.0, 0.0]) + up[1] * up
    back /= np.linalg.norm(back)
    return np.stack([np.cross(up, back), back, up])
