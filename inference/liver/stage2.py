"""Step 3 of the liver model: a second look at every proposal, close up.

The second network sees nothing but a patch around one proposal: the phases, where the liver is,
and what was proposed. It says which of the six types it is or that it is no lesion, and redraws
its outline. Training (`inference.training.lesions`) and prediction build their patches here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from inference.contract import PHASES
from inference.liver import classes

PATCH = 48
"""Voxels along each side of a patch."""

NOT_A_LESION = len(classes.LESIONS)
N_TYPES = len(classes.LESIONS) + 1
TYPE_NAMES = (*(classes.CLASS_NAMES[c] for c in classes.LESIONS), "not a lesion")

N_CHANNELS = 3 * len(PHASES) + 2
WIDTHS = (24, 48, 96)

_BOX_FACTOR = 1.5
_SIDE_MM = (72.0, 126.0)
_LEVEL_HU, _WIDTH_HU = 50.0, 150.0
_DARKEST, _BRIGHTEST = -1.6, 1.8
_CONTRAST_HU = 50.0
_CONTRAST_MOST = 2.5
_DIGITS = 4


def patch_side_mm(box_mm: Sequence[float]) -> float:
    """Return the side of the patch for a proposal: 1.5 times its box, within 72 to 126 mm.

    So the voxels of a patch are 1.5 to 2.6 mm: the same network sees small and large lesions.
    """
    return float(np.clip(_BOX_FACTOR * max(box_mm), *_SIDE_MM))


def cut_patch(
    volume: NDArray[np.generic],
    spacing_kji_mm: Sequence[float],
    centre_kji: Sequence[float],
    side_mm: float,
    outside: float = 0.0,
) -> NDArray[np.float32]:
    """Return a cube of a volume, resampled to the size of a patch.

    Parameters
    ----------
    volume : ndarray, shape (nk, nj, ni)
        HU of a phase, or a mask (0 and 1).
    spacing_kji_mm : sequence of three floats
    centre_kji : sequence of three floats
        Centre of the cube in voxels.
    side_mm : float
    outside : float
        Value of what lies outside of the volume.

    Returns
    -------
    ndarray of float32, shape (48, 48, 48)
    """
    step_mm = side_mm / PATCH
    offsets = (np.arange(PATCH) - (PATCH - 1) / 2.0) * step_mm
    places: list[NDArray[np.float64]] = []
    box: list[slice] = []
    for centre, spacing, n in zip(centre_kji, spacing_kji_mm, volume.shape, strict=True):
        place = np.asarray(centre + offsets / spacing, dtype=np.float64)
        margin = 3.0 * step_mm / spacing + 1.0
        low = int(np.clip(np.floor(place[0] - margin), 0, n))
        box.append(slice(low, int(np.clip(np.ceil(place[-1] + margin) + 1, low, n))))
        places.append(place - low)
    part: NDArray[np.float32] = volume[tuple(box)].astype(np.float32)
    if part.size == 0:
        return np.full((PATCH,) * 3, outside, dtype=np.float32)
    # voxels smaller than the patch's are averaged first, or their noise would be sampled
    sigma = [0.4 * max(step_mm / s - 1.0, 0.0) for s in spacing_kji_mm]
    part = ndimage.gaussian_filter(part, sigma, mode="nearest", truncate=2.5)
    for axis in range(3):
        part = _interpolate(part, places[axis], axis, outside)
    return np.ascontiguousarray(part, dtype=np.float32)


def _interpolate(
    values: NDArray[np.float32], place: NDArray[np.float64], axis: int, outside: float
) -> NDArray[np.float32]:
    """Interpolate linearly along one axis."""
    last = values.shape[axis] - 1
    low = np.clip(np.floor(place), 0, max(last - 1, 0)).astype(int)
    part = np.clip(place - low, 0.0, 1.0).astype(np.float32)
    shape = [-1 if a == axis else 1 for a in range(3)]
    first = values.take(low, axis)
    second = values.take(np.minimum(low + 1, last), axis)
    mixed = first + part.reshape(shape) * (second - first)
    beyond = (place < -0.5) | (place > last + 0.5)
    return np.where(beyond.reshape(shape), np.float32(outside), mixed)


def patch_input(
    phases_hu: torch.Tensor, present: Sequence[bool], liver: torch.Tensor, proposal: torch.Tensor
) -> torch.Tensor:
    """Return the channels of a patch.

    Each phase comes twice: in a fixed window, and relative to this patient's liver, so that fat
    in the liver and the time of the scan matter less. Then four flags, liver and proposal.

    Parameters
    ----------
    phases_hu : Tensor, float32, shape (4, 48, 48, 48)
        In the order of `PHASES`; the values of missing phases do not matter.
    present : sequence of four bool
    liver, proposal : Tensor, float32, shape (48, 48, 48)
        0 to 1.

    Returns
    -------
    Tensor, float32, shape (14, 48, 48, 48)

    Raises
    ------
    ValueError
        No phase is present.
    """
    if len(present) != len(PHASES) or not any(present):
        raise ValueError("a patch needs at least one of the four phases")
    there = torch.tensor([float(p) for p in present], device=phases_hu.device)
    there = there.view(-1, 1, 1, 1)
    healthy = (liver > 0.5) & (proposal < 0.5)
    if int(healthy.sum()) < 50:  # a lesion that fills the patch: compare with all of it
        healthy = torch.ones_like(healthy)
    # the median of every eighth voxel is the median for all that matters here
    levels = phases_hu[:, healthy][:, ::8].median(dim=1).values.view(-1, 1, 1, 1)
    window = ((phases_hu - _LEVEL_HU) / _WIDTH_HU).clamp(_DARKEST, _BRIGHTEST)
    contrast = ((phases_hu - levels) / _CONTRAST_HU).clamp(-_CONTRAST_MOST, _CONTRAST_MOST)
    images = torch.cat([torch.where(there > 0, v, 0.0) for v in (window, contrast)])
    return torch.cat([images, there.expand_as(window), liver[None], proposal[None]])


def _block(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(4, n_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


_DEPTHS_PX = (2, 4, 8)
N_LEVELS = 6 * 2 * len(PHASES) + len(PHASES) + 3 + len(_DEPTHS_PX) + 4
"""Numbers of :func:`levels`."""


def levels(patches: torch.Tensor) -> torch.Tensor:
    """Return what a radiologist would measure: attenuation of the lesion, its rim, its surround.

    For each phase, in both windows: mean and SD in the proposal, mean in its core, in its rim,
    and mean and SD around it; then which phases there are, how much of the proposal and of its
    surround is liver, its size, how deep in the liver it lies, and its shape: vessels are long,
    and what stands out at the liver's edge is flat.

    Parameters
    ----------
    patches : Tensor, shape (n, 14, 48, 48, 48)

    Returns
    -------
    Tensor, float32, shape (n, 62)
    """
    images = patches[:, : 2 * len(PHASES)].float()
    liver, proposal = patches[:, -2] > 0.5, patches[:, -1] > 0.5
    core, near = ~_grown(~proposal, 1), _grown(proposal, 1)
    around = _grown(near, 2) & ~near
    # a proposal too thin for a core is its own core
    thick = core.any(dim=3).any(dim=2).any(dim=1)
    core = torch.where(thick[:, None, None, None], core, proposal)
    places = [proposal, core, proposal & ~core, around]
    mean, inner, rim, surround = _means_in(images, places).unbind(dim=-1)
    squares = _means_in(images**2, [proposal, around])
    spread = (squares - torch.stack([mean, surround], dim=-1) ** 2).clamp(min=1e-6).sqrt()
    flags = patches[:, 2 * len(PHASES) : 3 * len(PHASES), 0, 0, 0].float()
    size = torch.log(proposal.sum(dim=(1, 2, 3)) + 1.0)[:, None] / 5.0
    where = _means_in(liver[:, None].float(), [proposal, around])[:, 0]
    measured = [mean, spread[..., 0], inner, rim, surround, spread[..., 1]]
    rest = [flags, where, size, _depths(liver, proposal), _shape(proposal)]
    return torch.cat([*measured, *rest], dim=1)


def _grown(masks: torch.Tensor, reach: int) -> torch.Tensor:
    """Return masks ``[n, k, j, i]`` grown by some voxels, in cubes."""
    grown = masks
    for axis in (1, 2, 3):
        n = grown.shape[axis]
        for _ in range(reach):
            wider = grown.clone()
            wider.narrow(axis, 1, n - 1).logical_or_(grown.narrow(axis, 0, n - 1))
            wider.narrow(axis, 0, n - 1).logical_or_(grown.narrow(axis, 1, n - 1))
            grown = wider
    return grown


def _means_in(images: torch.Tensor, places: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the mean of each channel ``[n, channel, k, j, i]`` in each place, 0 where it is empty.

    Returns
    -------
    Tensor, shape (n, channels, places)
    """
    weights = torch.stack([p.flatten(1) for p in places], dim=-1).float()
    return torch.bmm(images.flatten(2), weights) / (weights.sum(dim=1)[:, None] + 1e-3)


def _depths(liver: torch.Tensor, proposal: torch.Tensor) -> torch.Tensor:
    """Return how much of each proposal lies so many voxels inside of the liver."""
    # proposals are part of the liver, whatever stage 1 calls them
    outside, result, reached = ~(liver | proposal), [], 0
    for depth in _DEPTHS_PX:
        outside = _grown(outside, depth - reached)
        reached = depth
        result.append(1.0 - _means_in(outside[:, None].float(), [proposal])[:, 0])
    return torch.cat(result, dim=1)


def _shape(proposal: torch.Tensor) -> torch.Tensor:
    """Return the lengths of the axes of proposals, and how much they fill of their ellipsoid.

    Parameters
    ----------
    proposal : Tensor of bool, shape (n, 48, 48, 48)

    Returns
    -------
    Tensor, shape (n, 4)
        SD along the three main axes in tenths of the patch, the shortest first.
    """
    n, side = len(proposal), proposal.shape[-1]
    line = (torch.arange(side, device=proposal.device, dtype=torch.float32) / side - 0.5) * 10.0
    places = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(-1, 3)
    products = (places[:, :, None] * places[:, None]).reshape(-1, 9)
    weight = proposal.reshape(n, -1).float()
    total = weight.sum(dim=1, keepdim=True) + 1e-3
    centre, second = weight @ places / total, (weight @ products / total).view(n, 3, 3)
    spread = second - centre[:, :, None] * centre[:, None]
    spread = spread + 1e-3 * torch.eye(3, device=proposal.device)
    axes = torch.linalg.eigvalsh(spread).clamp(min=1e-4).sqrt()
    # a full ellipsoid has 4/3 pi sqrt(5)^3 = 46.8 times the product of these
    full = total[:, 0] * (10.0 / side) ** 3 / (46.8 * axes.prod(dim=1))
    return torch.cat([axes, full[:, None]], dim=1)


class LesionNetwork(nn.Module):
    """Type and outline of one proposal.

    The type has two sources that are added: a small perceptron on measured attenuations
    (:func:`levels`), which tell most of it and are learned within seconds, and what a U-Net at
    half the resolution of the patch sees, averaged over the patch and over the proposal.

    Parameters
    ----------
    widths : sequence of three int
        Channels of the levels, multiples of 4.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(_block(N_CHANNELS, a, 2), _block(a, a))
        self.down1 = nn.Sequential(_block(a, b, 2), _block(b, b))
        self.down2 = nn.Sequential(_block(b, c, 2), _block(c, c))
        self.up1 = _block(c + b, b)
        self.up2 = _block(b + a, a)
        self.outline = nn.Conv3d(a, 1, 1)
        self.types = nn.Sequential(
            nn.Linear(2 * (a + c), c), nn.LeakyReLU(0.1), nn.Dropout(0.2), nn.Linear(c, N_TYPES)
        )
        self.measured = nn.Sequential(
            nn.Linear(N_LEVELS, 64),
            nn.LeakyReLU(0.1),
            nn.Dropout(0.1),
            nn.Linear(64, 64),
            nn.LeakyReLU(0.1),
            nn.Linear(64, N_TYPES),
        )

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits of the types and of the outline.

        Parameters
        ----------
        patches : Tensor, shape (n, 14, 48, 48, 48)

        Returns
        -------
        Tensor, shape (n, 7)
            `classes.LESIONS`, then not a lesion.
        Tensor, shape (n, 48, 48, 48)
        """
        fine = self.stem(patches)
        middle = self.down1(fine)
        deep = self.down2(middle)
        up = self.up1(torch.cat([_twice(deep), middle], dim=1))
        up = self.up2(torch.cat([_twice(up), fine], dim=1))
        outline = F.interpolate(
            self.outline(up).float(), scale_factor=2, mode="trilinear", align_corners=False
        )
        proposal = patches[:, -1:]
        seen = [m for level in (up, deep) for m in _means(level, proposal)]
        types = self.types(torch.cat(seen, dim=1)).float()
        # in full precision: half of it blurs what was measured
        with torch.autocast(patches.device.type, enabled=False):
            return types + self.measured(levels(patches)), outline[:, 0]


def _twice(values: torch.Tensor) -> torch.Tensor:
    return F.interpolate(values, scale_factor=2, mode="nearest")


def _means(level: torch.Tensor, proposal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of each channel over the patch and over the proposal."""
    depth, height, width = level.shape[2:]
    weight = F.adaptive_avg_pool3d(proposal.float(), (depth, height, width)) + 1e-4
    weight = weight.to(level.dtype)
    inside = (level * weight).sum(dim=(2, 3, 4)) / weight.sum(dim=(2, 3, 4))
    return level.mean(dim=(2, 3, 4)), inside


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the second network says of one proposal.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (7,)
        Of each class of `classes.LESIONS`, then of not being a lesion.
    outline : ndarray of float32, shape (48, 48, 48)
        Probability of each voxel of the patch to belong to the lesion.
    """

    probabilities: NDArray[np.float64]
    outline: NDArray[np.float32]


def judge(network: LesionNetwork, patches: torch.Tensor) -> list[Opinion]:
    """Return the opinions about some patches.

    Parameters
    ----------
    network : LesionNetwork
        In evaluation mode.
    patches : Tensor, float32, shape (n, 14, 48, 48, 48)
    """
    with torch.no_grad():
        types, outlines = network(patches)
    # the last bits depend on where in memory a patch lies: they must not decide
    p = types.double().softmax(dim=1).cpu().numpy().round(_DIGITS)
    outline = outlines.float().sigmoid().cpu().numpy().round(_DIGITS)
    return [Opinion(p[n], outline[n]) for n in range(len(p))]
