"""The two networks of stage 1: coarse finds the organs at 6 mm, fine draws them at 3 mm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import BasicUNet

from inference.liver import classes
from inference.liver.inputs import N_CHANNELS

COARSE_SPACING_MM = 6.0
FINE_SPACING_MM = 3.0
CONTEXT_CLASSES = classes.ORGANS
"""Classes whose coarse probabilities the fine network gets; the liver's holds its lesions."""

FEATURES = (16, 32, 64, 96, 128, 16)
DEPTH_FACTOR = 16
"""Sides of what goes through a network are multiples of this."""


def make_network(n_channels: int, features: Sequence[int] = FEATURES) -> BasicUNet:
    """Return a 3-D U-Net with random weights.

    Group normalization, unlike instance normalization, lets constant channels through: the
    presence flags would be subtracted away otherwise.

    Parameters
    ----------
    n_channels : int
        Input channels.
    features : sequence of six int
        Channels of the five levels and of the last layer.
    """
    network = BasicUNet(
        spatial_dims=3,
        in_channels=n_channels,
        out_channels=classes.N_CLASSES,
        features=tuple(features),
        act=("LeakyReLU", {"negative_slope": 0.1, "inplace": True}),
        norm=("group", {"num_groups": 4}),
        upsample="deconv",
    )
    for parameter in network.parameters():  # twice as fast on a processor
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def coarse_network(features: Sequence[int] = FEATURES) -> BasicUNet:
    """Return the network of the 6 mm stage with random weights."""
    return make_network(N_CHANNELS, features)


def fine_network(features: Sequence[int] = FEATURES) -> BasicUNet:
    """Return the network of the 3 mm stage with random weights."""
    return make_network(N_CHANNELS + len(CONTEXT_CLASSES), features)


def organ_context(logits: torch.Tensor) -> torch.Tensor:
    """Return what the fine network is told of the coarse one's opinion.

    Parameters
    ----------
    logits : Tensor, shape (20, ...)
        Of the coarse network.

    Returns
    -------
    Tensor, float32, shape (7, ...)
        Probability of each organ; the liver's includes its lesions.
    """
    p = logits.float().softmax(dim=0)
    context = p[list(CONTEXT_CLASSES)]
    context[0] += p[list(classes.LESIONS)].sum(dim=0)
    return context
