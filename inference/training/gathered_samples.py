"""Training patches from real proposals of stage 1, each time a little different.

Context-aware augmentation works as on painted livers: a lesion is pasted, with a feathered edge,
where stage 1 has proposed something that is none in the same liver. What surrounds it then says
nothing, and the network has to look at the lesion itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from inference.contract import PHASES
from inference.liver.stage2 import NOT_A_LESION, PATCH, patch_input
from inference.training.gathered import Examination
from inference.training.lesion_samples import Patch, feathered, with_noise
from inference.training.settings import LesionSettings

_N = len(PHASES)
_SHIFT_PX = 3
_ALL_PHASES = 0.7
_LEVEL_SD_HU = 3.0
_SIMILAR_SIDE = 0.1


class ExaminationVisit:
    """One examination, from which patches are drawn.

    Parameters
    ----------
    examination : Examination
    settings : LesionSettings
    """

    def __init__(self, examination: Examination, settings: LesionSettings) -> None:
        self._all, self._settings = examination, settings
        self._lesions = np.flatnonzero(examination.kinds != NOT_A_LESION)
        self._others = np.flatnonzero(examination.kinds == NOT_A_LESION)

    def draw(self, rng: np.random.Generator) -> Patch:
        """Return a patch, its type and its outline.

        Raises
        ------
        ValueError
            The examination has no proposals.
        """
        if not len(self._all):
            raise ValueError("an examination without proposals has no patches to draw")
        negative = rng.random() < self._settings.negative_share
        chosen = self._others if negative else self._lesions
        if not len(chosen):
            chosen = np.arange(len(self._all))
        n = int(rng.choice(chosen))
        raw = self._all.patch(n)
        hu = torch.from_numpy(raw.hu)
        cubes = np.stack([raw.liver, raw.proposal, self._all.outline[n]]).astype(np.float32)
        masks = torch.from_numpy(cubes)
        if n in self._lesions and rng.random() < self._settings.context_share:
            hu, masks = self._elsewhere(n, hu, masks, rng)
        hu, masks = _shifted(hu, masks, rng)
        liver, proposal, outline = masks
        level = rng.normal(0.0, _LEVEL_SD_HU, (_N, 1, 1, 1)).astype(np.float32)
        extra = float(rng.uniform(0.0, 0.5)) * self._settings.noise_hu[1]
        hu = with_noise(hu + torch.from_numpy(level), extra, rng)
        kind = int(self._all.kinds[n])
        return patch_input(hu, self._presence(rng), liver, proposal), kind, outline

    def _presence(self, rng: np.random.Generator) -> list[bool]:
        """Return the phases to show: what there is, or a part of it."""
        present = self._all.present
        if present.sum() == 1 or rng.random() < _ALL_PHASES:
            return [bool(p) for p in present]
        kept = present & (rng.random(_N) < 0.5)
        kept[int(rng.choice(np.flatnonzero(present)))] = True
        return [bool(p) for p in kept]

    def _elsewhere(
        self, n: int, hu: torch.Tensor, masks: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the patch with its lesion where something else was proposed."""
        sides = self._all.sides_mm
        near = np.abs(sides / sides[n] - 1.0) < _SIMILAR_SIDE
        places = np.flatnonzero(near & self._all.healthy)
        liver, proposal, outline = masks
        if not len(places) or not bool(outline.any()):
            return hu, masks
        there = self._all.patch(int(rng.choice(places)))
        share = feathered(outline)
        mixed = share * hu + (1.0 - share) * torch.from_numpy(there.hu)
        around = torch.from_numpy(there.liver.astype(np.float32))
        # what stage 1 calls liver in the lesion goes with the lesion
        around = torch.where(outline > 0.5, liver, around)
        return mixed, torch.stack([around, proposal, outline])


def _shifted(
    hu: torch.Tensor, masks: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return volumes ``[n, k, j, i]`` moved by some voxels, all alike; edges are repeated."""
    k, j, i = (int(v) for v in rng.integers(0, 2 * _SHIFT_PX + 1, 3))
    sides = (_SHIFT_PX,) * 6
    moved = []
    for volumes in (hu, masks):
        padded = F.pad(volumes[None], sides, mode="replicate")[0]
        moved.append(padded[:, k : k + PATCH, j : j + PATCH, i : i + PATCH].contiguous())
    return moved[0], moved[1]


def held_out(examination: Examination) -> Iterator[tuple[torch.Tensor, int, torch.Tensor]]:
    """Yield all patches of an examination as they are, with types and outlines."""
    present = [bool(p) for p in examination.present]
    for n in range(len(examination)):
        outline = torch.from_numpy(examination.outline[n].astype(np.float32))
        yield examination.patch(n).network_input(present), int(examination.kinds[n]), outline
