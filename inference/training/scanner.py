"""What a scanner and a protocol do to an image: noise, shading, thick slices, missing phases."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from inference.contract import PHASES
from inference.liver.inputs import PADDING_HU

_N = len(PHASES)
_SINGLE = (0.36, 0.12, 0.40, 0.12)
"""How often a single-phase scan is NC, ART, PV or DL."""

_AIR_HU = -950.0


def draw_phases(rng: np.random.Generator) -> tuple[list[int], list[bool]]:
    """Draw which phases a scan has.

    Returns
    -------
    source : list of four int
        Which true phase is given as each phase.
    present : list of four bool
    """
    source, present = list(range(_N)), [True] * _N
    kind = rng.random()
    if kind < 0.5:  # one phase; people do not always say which, or wrongly
        phase = int(rng.choice(_N, p=_SINGLE))
        slot = int(rng.integers(_N)) if rng.random() < 0.25 else phase
        present = [n == slot for n in range(_N)]
        source[slot] = phase
    elif kind < 0.7:
        present = [bool(v) for v in rng.random(_N) < 0.5]
        present[int(rng.integers(_N))] = True
    return source, present


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], lattice: int) -> torch.Tensor:
    nodes = torch.from_numpy(
        rng.standard_normal((1, shape[0], lattice, lattice, lattice), dtype=np.float32)
    )
    return F.interpolate(nodes, size=shape[1:], mode="trilinear", align_corners=True)[0]


def _streaks(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Return dark and bright bands along x, as between arms and between hips."""
    rows = torch.from_numpy(rng.standard_normal(shape[:-1], dtype=np.float32))
    return F.avg_pool1d(rows, 3, 1, 1)[..., None].expand(shape)


def acquire(
    hu: torch.Tensor, rng: np.random.Generator, noise_hu: tuple[float, float], spacing_mm: float
) -> torch.Tensor:
    """Return the phases as a scanner gives them.

    Parameters
    ----------
    hu : Tensor, float32, shape (4, nk, nj, ni)
    rng : Generator
    noise_hu : tuple of two floats
        Range of the SD of the noise at this voxel size.
    spacing_mm : float
    """
    shape = tuple(hu.shape)
    if rng.random() < 0.3 and spacing_mm < 5.0:
        hu = F.avg_pool3d(hu[None], (3, 1, 1), 1, (1, 0, 0), count_include_pad=False)[0]
    if rng.random() < 0.3:
        hu = _move_phases(hu, rng, spacing_mm)
    sd = float(rng.uniform(*noise_hu))
    white = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    noise = white * sd
    if rng.random() < 0.5:
        soft = F.avg_pool3d(white, 3, 1, 1) * 2.5
        noise = 0.6 * noise + sd * soft
    noise += _smooth(rng, shape, 4) * float(rng.uniform(0.0, 7.0))
    if rng.random() < 0.3:
        noise += _streaks(rng, shape) * float(rng.uniform(0.0, 12.0))
    noise += float(rng.normal(0.0, 3.0))
    return torch.where(hu < _AIR_HU, hu, hu + noise)


def _move_phases(hu: torch.Tensor, rng: np.random.Generator, spacing_mm: float) -> torch.Tensor:
    """Leave up to 6 mm of breathing between the phases."""
    most = max(1, round(6.0 / spacing_mm))
    return torch.stack([torch.roll(v, int(rng.integers(-most, most + 1)), 0) for v in hu])


def cut_field(
    hu: torch.Tensor, truth: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the field of view: slices are missing in most scans, sides in some.

    Parameters
    ----------
    hu : Tensor, shape (4, nk, nj, ni)
    truth : Tensor of uint8, shape (nk, nj, ni)
    """
    nk, nj, ni = truth.shape
    seen = torch.ones((nk, nj, ni), dtype=torch.bool)
    if rng.random() < 0.8:
        low = int(rng.uniform(0.0, 0.38) * nk) if rng.random() < 0.6 else 0
        high = nk - (int(rng.uniform(0.0, 0.38) * nk) if rng.random() < 0.6 else 0)
        seen[:low] = False
        seen[high:] = False
    if rng.random() < 0.2:
        left, right = (int(v * ni) for v in rng.uniform(0.0, 0.16, 2))
        seen[:, :, :left] = False
        seen[:, :, ni - right :] = False
    if rng.random() < 0.15:  # a circle, as scanners reconstruct it
        y = torch.linspace(-1.0, 1.0, nj)[:, None] * nj
        x = torch.linspace(-1.0, 1.0, ni) * ni
        seen &= (x * x + y * y < (ni * float(rng.uniform(0.8, 1.1))) ** 2)[None]
    return torch.where(seen, hu, PADDING_HU), torch.where(seen, truth, 0)
