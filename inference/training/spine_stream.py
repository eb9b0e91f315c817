"""The people of a spine training, phantoms and real anatomies, one sample after the other.

Step n of a training always sees the same sample: everything random is drawn from the seed and n.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset

from inference.phantom.spine.columns import Column, read_column
from inference.phantom.spine.scene import SpineScene, make_spine_scene, person_variant
from inference.training.spines import SpineImage, phantom_image


@dataclass(frozen=True)
class Scenes:
    """How the people of a training are painted.

    Parameters
    ----------
    spacing_mm : float
    reach_mm : tuple of float
        What is shown beside, before and behind the spine; the whole body when empty.
    """

    spacing_mm: float
    reach_mm: tuple[float, float, float] | tuple[()] = ()

    def paint(self, seed: int, column: Column | None = None) -> SpineScene:
        """Return a person, who may have the vertebrae of a real body."""
        if not self.reach_mm:
            return make_spine_scene(seed, self.spacing_mm, column=column)
        return make_spine_scene(seed, self.spacing_mm, self.reach_mm, column)


LEVEL_SCENES = Scenes(5.0)
CENTRE_SCENES = Scenes(2.0, (50.0, 50.0, 70.0))
MASK_SCENES = Scenes(2.0, (60.0, 50.0, 90.0))


def known_columns(folder: Path | None) -> tuple[Path, ...]:
    """Return the masks of vertebrae in a folder that lend them to phantoms, in any depth.

    Parameters
    ----------
    folder : Path or None
        Holds ``sub-verse004_seg-vert_msk.nii.gz``: subject 004 of VerSe
        (github.com/anjany/verse, CC BY-SA 4.0; A. Sekuboyina et al., Medical Image Analysis 73,
        2021), T9 to L5. Other subjects of it are tested on and passed over.
    """
    if folder is None:
        return ()
    return tuple(sorted(folder.glob("**/sub-verse004_seg-vert_msk.nii.gz")))


class SpineStream(IterableDataset[Any]):
    """The endless samples of a training from one step on.

    Parameters
    ----------
    sample : callable
        Takes an image and a random generator, and returns what a step sees.
    scenes : Scenes
    seed, first_step : int
    visits : int
        Samples of each patient in a row.
    anatomies : tuple of (Path, Path)
        Real CTs and their label maps.
    columns : tuple of Path
        Masks of vertebrae without a CT; each counts as much as one of the anatomies.
    real_share : float
        Part of the patients that is real.
    variant_share : float
        Part of the painted patients drawn among those with an unusual number of vertebrae.
    """

    def __init__(
        self,
        sample: Callable[[SpineImage, np.random.Generator], Any],
        scenes: Scenes,
        seed: int,
        first_step: int,
        *,
        visits: int,
        anatomies: tuple[tuple[Path, Path], ...] = (),
        columns: tuple[Path, ...] = (),
        real_share: float = 0.0,
        variant_share: float = 0.0,
    ) -> None:
        self._sample, self._scenes = sample, scenes
        self._seed, self._first, self._visits = seed, first_step, visits
        self._anatomies, self._columns, self._real_share = anatomies, columns, real_share
        self._variant_share = variant_share
        self._real: list[SpineImage | Column] = []

    def __iter__(self) -> Iterator[Any]:
        """Yield the samples without end."""
        step = self._first
        while True:
            number = step // self._visits
            patient = self._patient(number)
            for n in range(step, (number + 1) * self._visits):
                rng = np.random.default_rng((self._seed, 3, n))
                scan = phantom_image(patient, rng) if isinstance(patient, SpineScene) else patient
                yield self._sample(scan, rng)
            step = (number + 1) * self._visits

    def _patient(self, number: int) -> SpineScene | SpineImage:
        rng = np.random.default_rng((self._seed, 2, number))
        if (self._anatomies or self._columns) and rng.random() < self._real_share:
            real = self._real_spines()
            chosen = real[int(rng.integers(len(real)))]
            if isinstance(chosen, SpineImage):
                return chosen
            return self._scenes.paint(int(rng.integers(2**31)), chosen)
        seed = int(rng.integers(2**31))
        if rng.random() < self._variant_share:
            seed = next(s for s in itertools.count(seed) if person_variant(s))
        return self._scenes.paint(seed)

    def _real_spines(self) -> list[SpineImage | Column]:
        if not self._real:
            from inference.training.real_spines import read_spine

            spacing = self._scenes.spacing_mm
            self._real = [read_spine(*paths, spacing) for paths in self._anatomies]
            self._real += [read_column(path) for path in self._columns]
        return self._real
