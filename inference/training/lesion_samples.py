"""Patches for the second stage: lesions, false proposals, and lesions moved to other places.

Context-aware augmentation, as in the source (Wang et al., arXiv 2306.16036): a lesion is pasted
with a feathered edge onto a patch of the same liver that has none, so that the network learns
lesions and not where this phantom happens to have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.stage2 import NOT_A_LESION, PATCH, patch_input, patch_side_mm
from inference.phantom.fields import rotation_ras
from inference.training.lesion_patients import (
    LIVER_SPACING_MM,
    Candidate,
    LiverShowing,
    Mask,
    false_proposals,
    lesions_of,
    pooled_liver,
)
from inference.training.patients import PaintedPatient, Pool
from inference.training.settings import LesionSettings

Patch = tuple[torch.Tensor, int, torch.Tensor]
"""Input of the network, index of the type, outline."""

_N = len(PHASES)
_ALL_PHASES, _ONLY_PLAIN = 0.5, 0.2
_MOVED_SD_MM = 1.2
_CENTRE_SD_MM = 3.0
_TURN_SD_DEG = 12.0
_FEATHER_VOXELS = 1.2


@dataclass(frozen=True)
class PatchBatch:
    """What one training step of the second stage sees.

    Parameters
    ----------
    patches : Tensor, float32, shape (n, 14, 48, 48, 48)
    kinds : Tensor of int64, shape (n,)
        Index into `inference.liver.stage2.TYPE_NAMES`.
    outlines : Tensor of float32, shape (n, 48, 48, 48)
        The lesion, 0 to 1; zero for what is none.
    """

    patches: torch.Tensor
    kinds: torch.Tensor
    outlines: torch.Tensor


def proposed(mask: Mask, rng: np.random.Generator, spacing_mm: float = LIVER_SPACING_MM) -> Mask:
    """Return a lesion as stage 1 might propose it: too large, too small, ragged, or in part."""
    grown = np.pad(mask, 3)
    outside = ndimage.distance_transform_edt(~grown)
    inside = ndimage.distance_transform_edt(grown)
    depth_mm = spacing_mm * (inside - outside)
    noise = ndimage.gaussian_filter(rng.standard_normal(grown.shape), 1.5)
    noise *= rng.uniform(0.0, 2.0) / max(float(noise.std()), 1e-6)
    limit = rng.normal(0.0, 1.5)
    found: Mask = depth_mm + noise > limit
    if rng.random() < 0.15:  # only one side of it was found
        k, j, i = np.indices(grown.shape) - np.array(grown.shape).reshape(3, 1, 1, 1) / 2.0
        way = rng.normal(0.0, 1.0, 3)
        found &= k * way[0] + j * way[1] + i * way[2] > 0.0
    trimmed = found[3:-3, 3:-3, 3:-3]
    return trimmed if trimmed.sum() >= 4 else mask


def feathered(outline: torch.Tensor) -> torch.Tensor:
    """Return a mask that falls to 0 over one or two voxels around a lesion, float32."""
    hard = F.max_pool3d(outline[None, None], 3, 1, 1)[0, 0].numpy()
    soft = ndimage.gaussian_filter(hard, _FEATHER_VOXELS)
    return torch.from_numpy(np.maximum(np.clip(soft * 1.6, 0.0, 1.0), outline.numpy()))


@dataclass(frozen=True)
class _Pose:
    """Where a patch lies in the patient: centre in voxels, turn and size."""

    centre_kji: NDArray[np.float64]
    matrix: NDArray[np.float64]

    @classmethod
    def draw(
        cls, centre_kji: NDArray[np.float64], box_mm: NDArray[np.float64], rng: np.random.Generator
    ) -> _Pose:
        side = patch_side_mm(box_mm.tolist()) * float(np.exp(rng.normal(0.0, 0.08)))
        turn = rotation_ras(*rng.normal(0.0, _TURN_SD_DEG, 3))
        flip = np.diag(rng.choice((-1.0, 1.0), 3))
        centre = centre_kji + rng.normal(0.0, _CENTRE_SD_MM, 3) / LIVER_SPACING_MM
        return cls(centre, turn @ flip * (side / PATCH / LIVER_SPACING_MM))

    def look(
        self, volumes: torch.Tensor, moved_kji: NDArray[np.float64] | None = None
    ) -> torch.Tensor:
        """Return volumes ``(n, nk, nj, ni)`` at the voxels of the patch, linearly.

        `moved_kji` ``(n, 3)`` is how far each of them is from its place, in voxels.
        """
        n, shape = len(volumes), np.array(volumes.shape[1:])
        moved = np.zeros((n, 3)) if moved_kji is None else moved_kji
        # the part that is looked at is small, and copying it is cheaper than reading far apart
        reach = np.abs(self.matrix).sum(axis=1) * PATCH / 2.0 + np.abs(moved).max(axis=0) + 2.0
        low = np.clip(np.floor(self.centre_kji - reach), 0, shape - 2).astype(int)
        high = np.clip(np.ceil(self.centre_kji + reach), low + 2, shape).astype(int)
        k, j, i = (slice(a, b) for a, b in zip(low, high, strict=True))
        size = (high - low).astype(np.float64)
        theta = np.empty((n, 3, 4))
        # from the patch's coordinates (-1 to 1) to those of the part, both in the order x, y, z
        theta[:, :, :3] = (self.matrix * PATCH / size[:, None])[::-1, ::-1]
        theta[:, :, 3] = ((2.0 * (self.centre_kji + moved - low) + 1.0) / size - 1.0)[:, ::-1]
        grid = F.affine_grid(
            torch.from_numpy(theta).float(), [n, 1, PATCH, PATCH, PATCH], align_corners=False
        )
        part = volumes[:, None, k, j, i].float()
        return F.grid_sample(part, grid, padding_mode="border", align_corners=False)[:, 0]


def with_noise(hu: torch.Tensor, sd_hu: float, rng: np.random.Generator) -> torch.Tensor:
    """Return phases ``[phase, k, j, i]`` with noise of some grain and loudness."""
    noise = torch.from_numpy(rng.standard_normal(tuple(hu.shape), dtype=np.float32))
    if rng.random() < 0.5:
        noise = F.avg_pool3d(noise[None], 3, 1, 1)[0] * 4.0
    loud = torch.from_numpy(rng.uniform(0.7, 1.3, (len(hu), 1, 1, 1)).astype(np.float32))
    return hu + sd_hu * loud * noise


def draw_presence(rng: np.random.Generator) -> list[bool]:
    """Draw which phases there are: all four, the plain one alone, or any."""
    kind = rng.random()
    if kind < _ALL_PHASES:
        return [True] * _N
    if kind < _ALL_PHASES + _ONLY_PLAIN:
        return [n == 0 for n in range(_N)]
    present = [bool(v) for v in rng.random(_N) < 0.5]
    present[int(rng.integers(_N))] = True
    return present


class LiverVisit:
    """One liver in four phases, from which patches are taken.

    Parameters
    ----------
    patient : PaintedPatient
    phases_hu : ndarray of float32, shape (4, nk, nj, ni)
    rng : Generator
    settings : LesionSettings
    """

    def __init__(
        self,
        patient: PaintedPatient,
        phases_hu: NDArray[np.float32],
        rng: np.random.Generator,
        settings: LesionSettings,
    ) -> None:
        self._settings = settings
        self._truth = patient.truth
        self._hu = torch.from_numpy(phases_hu)
        self.lesions = lesions_of(patient)
        shown = phases_hu[int(rng.integers(_N))]
        self.negatives = false_proposals(patient, shown, self.lesions, rng)
        sick = np.isin(patient.truth, classes.LESIONS)
        both = np.stack([sick | (patient.truth == classes.LIVER), sick])
        self._liver_and_sick = torch.from_numpy(both).byte()
        healthy = patient.truth == classes.LIVER
        self._depth_mm = LIVER_SPACING_MM * ndimage.distance_transform_edt(healthy)

    def draw(self, rng: np.random.Generator) -> Patch:
        """Return a patch, its type and its outline."""
        negative = not self.lesions or rng.random() < self._settings.negative_share
        if negative and self.negatives:
            chosen = self.negatives[int(rng.integers(len(self.negatives)))]
        elif self.lesions:
            chosen = self.lesions[int(rng.integers(len(self.lesions)))]
        else:
            raise ValueError("a liver without lesions and without false proposals")
        return self.patch(chosen, rng)

    def patch(self, chosen: Candidate, rng: np.random.Generator) -> Patch:
        """Return the patch of a candidate, its type and its outline."""
        real = chosen.kind != NOT_A_LESION
        guess = proposed(chosen.mask, rng) if real else chosen.mask
        pose = _Pose.draw(chosen.centre_kji(), chosen.box_mm(), rng)
        hu = self._look_at_phases(pose, rng)
        masks = torch.zeros((3, *self._truth.shape), dtype=torch.uint8)
        masks[(0, *chosen.box)] = torch.from_numpy(chosen.mask).byte()
        masks[(1, *chosen.box)] = torch.from_numpy(guess).byte()
        masks[2] = self._liver_and_sick[0]
        outline, proposal, liver = (pose.look(masks) > 0.5).float()
        if real and rng.random() < self._settings.context_share:
            hu, liver = self._elsewhere(chosen, pose, hu, liver, outline, rng)
        if not real:
            outline = torch.zeros_like(outline)
        present = draw_presence(rng)
        if rng.random() < 0.4:
            hu = F.avg_pool3d(hu[None], (3, 1, 1), 1, (1, 0, 0), count_include_pad=False)[0]
        hu = with_noise(hu, float(rng.uniform(*self._settings.noise_hu)), rng)
        return patch_input(hu, present, liver, proposal), chosen.kind, outline

    def _look_at_phases(self, pose: _Pose, rng: np.random.Generator) -> torch.Tensor:
        """Return the phases of a patch, each a little off, as registration leaves them."""
        moved = rng.normal(0.0, _MOVED_SD_MM, (_N, 3)) / LIVER_SPACING_MM
        moved[PHASES.index("PV")] = 0.0  # the masks are those of this phase
        return pose.look(self._hu, moved)

    def _elsewhere(
        self,
        chosen: Candidate,
        pose: _Pose,
        hu: torch.Tensor,
        liver: torch.Tensor,
        outline: torch.Tensor,
        rng: np.random.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the patch with its lesion pasted onto healthy liver elsewhere."""
        need_mm = 0.45 * float(chosen.box_mm().min())
        places = np.flatnonzero(self._depth_mm > need_mm)
        if not len(places):
            return hu, liver
        spot = np.array(np.unravel_index(int(rng.choice(places)), self._truth.shape), dtype=float)
        offset = pose.centre_kji - chosen.centre_kji()
        there = _Pose(spot + offset, pose.matrix)
        masks = there.look(self._liver_and_sick) > 0.5
        if bool((masks[1] & (outline > 0.5)).any()):  # another lesion is there
            return hu, liver
        share = feathered(outline)
        mixed = share * hu + (1.0 - share) * self._look_at_phases(there, rng)
        return mixed, torch.maximum(masks[0].float(), outline)


def visit_liver(
    pool: Pool,
    showing: LiverShowing,
    seed: int,
    rng: np.random.Generator,
    settings: LesionSettings,
) -> LiverVisit:
    """Return a look at the liver of a seed."""
    patient = pooled_liver(pool, seed)
    if not isinstance(patient, PaintedPatient):
        raise ValueError(f"the pool holds a real scan under the liver of seed {seed}")
    return LiverVisit(patient, showing.phases(patient, rng), rng, settings)


def mirrored(batch: PatchBatch, rng: np.random.Generator) -> PatchBatch:
    """Return a batch turned over along some axes, as if it were another one."""
    axes = [-1 - axis for axis in range(3) if rng.random() < 0.5]
    return PatchBatch(batch.patches.flip(axes), batch.kinds, batch.outlines.flip(axes))


class Visit(Protocol):
    """Whatever patches can be drawn from."""

    def draw(self, rng: np.random.Generator) -> Patch:
        """Return a patch."""


def make_batch(visits: Sequence[Visit], size: int, rng: np.random.Generator) -> PatchBatch:
    """Return `size` patches, from each visit in turn."""
    return batch_of([visits[n % len(visits)].draw(rng) for n in range(size)])


def batch_of(drawn: Sequence[Patch]) -> PatchBatch:
    """Return patches as one batch."""
    patches, kinds, outlines = zip(*drawn, strict=True)
    return PatchBatch(torch.stack(patches), torch.tensor(kinds), torch.stack(outlines))
