"""The three networks that look at spines.

The level network sees the body at 6 mm and says where the column is and which level each part of
it belongs to; for that it needs to see much, not sharply. The centre network sees the column
straightened at 2 mm and says where the bodies' centres are; for that it needs to see little. The
mask network sees one vertebra at 2 mm, upright, and says which voxels are its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import BasicUNet

from inference.vertebra.levels import LEVELS

LEVEL_SPACING_MM = 6.0
LEVEL_FEATURES = (16, 32, 64, 96, 128, 16)
CENTRE_SPACING_MM = 2.0
CENTRE_WIDTH = 32
"""Voxels across the straightened column: 64 mm."""
CENTRE_FEATURES = (12, 16, 24, 32, 48, 12)
MASK_FEATURES = (12, 16, 24, 32, 48, 12)
DEPTH_FACTOR = 16
"""Sides of what goes through a network are multiples of this."""

_WINDOWS_HU = ((50.0, 150.0, -1.6, 1.8), (0.0, 1000.0, -1.0, 2.0))
"""Level, width, and least and most of the scaled values: soft tissue, and everything."""
N_CHANNELS = len(_WINDOWS_HU)
N_MASK_CHANNELS = N_CHANNELS + 1
"""What the mask network sees besides: a spot on the vertebra that is meant."""


def network_input(hu: torch.Tensor) -> torch.Tensor:
    """Return the two channels of an image, float32 of shape (2, ...)."""
    return torch.stack(
        [((hu - level) / width).clamp(low, high) for level, width, low, high in _WINDOWS_HU]
    )


def _network(n_outputs: int, features: Sequence[int], n_channels: int = N_CHANNELS) -> BasicUNet:
    network = BasicUNet(
        spatial_dims=3,
        in_channels=n_channels,
        out_channels=n_outputs,
        features=tuple(features),
        act=("LeakyReLU", {"negative_slope": 0.1, "inplace": True}),
        norm=("group", {"num_groups": 4}),
        upsample="deconv",
    )
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def level_network(features: Sequence[int] = LEVEL_FEATURES) -> BasicUNet:
    """Return the level network with random weights.

    Outputs: a logit of lying in the column, then one a level of `levels.LEVELS`.
    """
    return _network(1 + len(LEVELS), features)


def centre_network(features: Sequence[int] = CENTRE_FEATURES) -> BasicUNet:
    """Return the centre network with random weights; its output is the logit of a centre."""
    return _network(1, features)


def mask_network(features: Sequence[int] = MASK_FEATURES) -> BasicUNet:
    """Return the mask network with random weights; its output is the logit of the vertebra."""
    return _network(1, features, N_MASK_CHANNELS)


def level_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Return the probability of each level, that of the column included.

    Parameters
    ----------
    logits : Tensor, shape (1 + levels, nk, nj, ni)

    Returns
    -------
    Tensor, float32, shape (levels, nk, nj, ni)
        Their sum is the probability of lying in the column.
    """
    values = logits.float()
    return values[1:].softmax(dim=0) * values[:1].sigmoid()
