"""What the liver networks see of a scan: windows of the phases, and which phases there are.

Channels: a soft tissue window of each of the four phases (zero when missing), a wide window of
the best phase there is, and four constant channels that are 1 where a phase is present. Training
and prediction both come through here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from inference.contract import PHASES

N_CHANNELS = 2 * len(PHASES) + 1
PADDING_HU = -1000.0
"""What lies outside of a scan."""

WIDE_WINDOW_ORDER = tuple(PHASES.index(p) for p in ("PV", "DL", "ART", "NC"))
_LEVEL_HU, _WIDTH_HU = 50.0, 150.0
_DARKEST, _BRIGHTEST = -1.6, 1.8
_WIDE_HU = 1000.0


def network_input(phases_hu: torch.Tensor, present: Sequence[bool]) -> torch.Tensor:
    """Return the channels of a scan.

    Parameters
    ----------
    phases_hu : Tensor, float32, shape (4, nk, nj, ni)
        HU in the order of `PHASES`; the values of missing phases do not matter.
    present : sequence of four bool

    Returns
    -------
    Tensor, float32, shape (9, nk, nj, ni)

    Raises
    ------
    ValueError
        No phase is present.
    """
    if len(present) != len(PHASES) or not any(present):
        raise ValueError("a scan needs at least one of the four phases")
    there = torch.tensor([float(p) for p in present]).view(-1, 1, 1, 1).to(phases_hu.device)
    soft = ((phases_hu - _LEVEL_HU) / _WIDTH_HU).clamp(_DARKEST, _BRIGHTEST)
    soft = torch.where(there > 0, soft, 0.0)
    best = next(p for p in WIDE_WINDOW_ORDER if present[p])
    wide = (phases_hu[best : best + 1] / _WIDE_HU).clamp(-1.0, 1.5)
    return torch.cat([soft, wide, there.expand_as(soft)])


def coarse_of_fine(fine: torch.Tensor) -> torch.Tensor:
    """Return the 6 mm image of a 3 mm one: every second voxel of a 9 mm box filter.

    Parameters
    ----------
    fine : Tensor, shape (n, nk, nj, ni)

    Returns
    -------
    Tensor, shape (n, ceil(nk / 2), ceil(nj / 2), ceil(ni / 2))
        Coarse voxel c lies on fine voxel 2c.
    """
    return box_filter(fine)[:, ::2, ::2, ::2].contiguous()


def box_filter(fine: torch.Tensor) -> torch.Tensor:
    """Return the mean of 3 x 3 x 3 voxels around each voxel ``[n, k, j, i]``."""
    return F.avg_pool3d(fine[None], 3, 1, 1, count_include_pad=False)[0]


def at_positions(
    field: torch.Tensor, positions_kji: torch.Tensor, mode: str = "bilinear"
) -> torch.Tensor:
    """Return a field at fractional indices; beyond its edge the nearest voxel counts.

    Parameters
    ----------
    field : Tensor, float32, shape (n, nk, nj, ni)
    positions_kji : Tensor, float32, shape (a, b, c, 3)
        Indices (k, j, i) into `field`.
    mode : str
        ``bilinear`` or ``nearest``.

    Returns
    -------
    Tensor, shape (n, a, b, c)
    """
    size = torch.tensor(field.shape[1:], dtype=torch.float32, device=field.device)
    grid = ((2.0 * positions_kji + 1.0) / size - 1.0).flip(-1)[None]
    return F.grid_sample(field[None], grid, mode=mode, padding_mode="border", align_corners=False)[
        0
    ]
