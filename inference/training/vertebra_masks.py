"""Samples of single vertebrae, and what the mask network is punished for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from inference.training.deform import bend, random_matrix
from inference.training.loop import Scores
from inference.training.spines import SpineImage, grid_places, hu_at, noisy
from inference.vertebra.levels import VERSE_NUMBER
from inference.vertebra.masks import (
    MASK_WINDOW_KJI,
    Window,
    local_offsets_mm,
    mask_input,
    mask_windows,
)

_CENTRE_SD_MM = 2.5
"""How far off the centres are from which masks are drawn."""
_BEND_SHARE = 0.3
"""Bends are made for whole bodies; a vertebra is bent by a few millimetres."""
_CUT_SHARE, _NARROW_SHARE, _THICK_SHARE = 0.3, 0.3, 0.3
_NARROW_MM = (30.0, 60.0)
"""From the centre to the sides of a narrow field of view."""
_PADDING_HU = -1000.0


@dataclass(frozen=True, eq=False)
class MaskSample:
    """What a training step of the mask network sees.

    Parameters
    ----------
    image : Tensor, float32, shape (n, 3, nk, nj, ni)
        Windows of some vertebrae of one person.
    mask : Tensor of bool, shape (n, nk, nj, ni)
        Voxels of the vertebra that is meant.
    """

    image: torch.Tensor
    mask: torch.Tensor


def mask_sample(
    image: SpineImage, rng: np.random.Generator, count: int, most_noise_hu: float
) -> MaskSample:
    """Return windows of some vertebrae: turned, scaled, bent, cut, noisy, their centres off.

    In a painted person with vertebrae of a real body these alone are drawn.

    Parameters
    ----------
    image : SpineImage
    rng : Generator
    count : int
        Of vertebrae.
    most_noise_hu : float
        Largest SD of the noise.
    """
    wanted = image.real or image.names  # real shapes are rare, painted ones are not
    able = [n for n, name in enumerate(image.names) if name in wanted and name != "S1"]
    windows = mask_windows(image.centres_ras)
    parts = [
        _one(image, windows[n], VERSE_NUMBER[image.names[n]], rng, most_noise_hu)
        for n in rng.choice(able, count, replace=len(able) < count)
    ]
    return MaskSample(torch.stack([p[0] for p in parts]), torch.stack([p[1] for p in parts]))


def _one(
    image: SpineImage, window: Window, number: int, rng: np.random.Generator, most_noise_hu: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the input and the mask of one vertebra."""
    points = _points(window, rng)
    hu = hu_at(image.hu[None], image.grid, points)
    where = grid_places(points, image.grid)
    numbers = F.grid_sample(
        image.numbers[None, None].float(), where, mode="nearest", align_corners=False
    )[0, 0]
    seen = _field_of_view(points.numpy(), window.centre_ras, rng)
    if rng.random() < _THICK_SHARE:
        hu = F.avg_pool3d(hu[None], (3, 1, 1), 1, (1, 0, 0), count_include_pad=False)[0]
    hu = torch.where(seen, noisy(hu, rng, most_noise_hu), _PADDING_HU)
    own = (numbers == number) & seen
    if rng.random() < 0.5:  # a mirrored vertebra is a vertebra
        hu, own = hu.flip(-1), own.flip(-1)
    return mask_input(hu), own


def _points(window: Window, rng: np.random.Generator) -> torch.Tensor:
    """Return RAS mm of the voxels of a window that is not quite where it should be."""
    offsets = torch.from_numpy((local_offsets_mm() @ random_matrix(rng).T).astype(np.float32))
    offsets += _BEND_SHARE * bend(rng, MASK_WINDOW_KJI)
    centre = window.centre_ras + rng.normal(0.0, _CENTRE_SD_MM, 3)
    frame = torch.from_numpy(window.frame.astype(np.float32))
    return offsets @ frame + torch.from_numpy(centre.astype(np.float32))


def _field_of_view(
    points_ras: NDArray[np.float32], centre_ras: NDArray[np.float64], rng: np.random.Generator
) -> torch.Tensor:
    """Return what is seen: often a scan ends above, below or beside a vertebra."""
    x, y, z = np.moveaxis(points_ras - centre_ras.astype(np.float32), -1, 0)
    seen = np.ones(x.shape, dtype=bool)
    if rng.random() < _CUT_SHARE:
        end = float(rng.uniform(5.0, 40.0))
        seen &= (z < end) if rng.random() < 0.5 else (z > -end)
    if rng.random() < _NARROW_SHARE:
        right, left, front, back = rng.uniform(*_NARROW_MM, 4)
        seen &= (x < right) & (x > -left) & (y < front) & (y > -back)
    return torch.from_numpy(seen)


def mask_loss(network: torch.nn.Module, sample: MaskSample) -> torch.Tensor:
    """Return cross entropy and soft Dice, each vertebra with the same weight."""
    logits, mask = _logits(network, sample), sample.mask.float()
    p = logits.sigmoid()
    axes = (1, 2, 3)
    dice = (2.0 * (p * mask).sum(axes) + 1.0) / (p.sum(axes) + mask.sum(axes) + 1.0)
    return 2.0 * F.binary_cross_entropy_with_logits(logits, mask) + (1.0 - dice).mean()


def mask_scores(network: torch.nn.Module, samples: list[MaskSample]) -> Scores:
    """Return the mean Dice of the vertebrae, and the share of the well drawn ones."""
    found: list[float] = []
    for sample in samples:
        with torch.no_grad():
            own = _logits(network, sample) > 0.0
        both = (own & sample.mask).flatten(1).sum(dim=1)
        size = own.flatten(1).sum(dim=1) + sample.mask.flatten(1).sum(dim=1)
        found += (2.0 * both / size.clamp(min=1)).tolist()
    dice = float(np.mean(found))
    return {"dice": dice, "good": float(np.mean(np.array(found) >= 0.85)), "score": dice}


def _logits(network: torch.nn.Module, sample: MaskSample) -> torch.Tensor:
    batch = sample.image.to(memory_format=torch.channels_last_3d)
    with torch.autocast(batch.device.type, dtype=torch.bfloat16):
        logits: torch.Tensor = network(batch)[:, 0]
    return logits.float()
