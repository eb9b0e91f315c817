"""The stream of batches for stage 2: painted livers and real proposals, mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset

from inference.training.gathered import read_examination
from inference.training.gathered_samples import ExaminationVisit
from inference.training.lesion_patients import LiverShowing
from inference.training.lesion_samples import (
    PatchBatch,
    Visit,
    make_batch,
    mirrored,
    visit_liver,
)
from inference.training.patients import Pool
from inference.training.settings import LesionSettings

_FIRST_LIVERS = 24


class PatchStream(IterableDataset[PatchBatch]):
    """The endless stream of batches; step n sees the same batch whenever training began.

    Parameters
    ----------
    pool : callable
        Returns the pool of painted livers; called in the process that makes the batches.
    examinations : sequence of Path
        Files of examinations; without any, only painted livers are seen.
    settings : LesionSettings
    seed, first_step : int
    """

    def __init__(
        self,
        pool: Callable[[], Pool],
        examinations: Sequence[Path],
        settings: LesionSettings,
        seed: int,
        first_step: int,
    ) -> None:
        self._pool, self._settings = pool, settings
        self._examinations = list(examinations)
        self._seed, self._first = seed, first_step

    def __iter__(self) -> Iterator[PatchBatch]:
        """Yield batches without end; a few patients share each batch."""
        pool, showing = self._pool(), LiverShowing(self._seed)
        looks = self._settings.looks
        number, visits = -1, []
        at, batch = -1, None
        step = self._first
        while True:
            if batch is None or step // looks != at:
                at = step // looks
                if at // self._settings.batches_of_each != number:
                    number = at // self._settings.batches_of_each
                    visits = self._visits(pool, showing, number)
                rng = np.random.default_rng((self._seed, 5, at))
                batch = make_batch(visits, self._settings.batch, rng)
            yield mirrored(batch, np.random.default_rng((self._seed, 6, step)))
            step += 1

    def _visits(self, pool: Pool, showing: LiverShowing, number: int) -> list[Visit]:
        """Return the patients of some batches: one painted liver, and examinations."""
        rng = np.random.default_rng((self._seed, 4, number))
        known = min(self._settings.phantoms, _FIRST_LIVERS + number // 2)
        seed = self._settings.first_seed + int(rng.integers(known))
        visits: list[Visit] = [visit_liver(pool, showing, seed, rng, self._settings)]
        if not self._examinations:
            return visits
        for _ in range(self._settings.examinations_of_each):
            path = self._examinations[int(rng.integers(len(self._examinations)))]
            visits.append(ExaminationVisit(read_examination(path), self._settings))
        return visits
