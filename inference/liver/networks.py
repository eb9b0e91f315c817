"""The two networks of stage 1: coarse finds the organs at 6 mm, fine draws them at 3 mm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
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
    """Return what the fine network is told of the coarse one's opinion: where, not how exactly.

    Sharp opinions are copied: a fine network trained on them looked at nothing else, and drew
    the coarse outlines again.

    Parameters
    ----------
    logits : Tensor, shape (20, nk, nj, ni)
        Of the coarse network, at 6 mm.

    Returns
    -------
    Tensor, float32, shape (7, nk, nj, ni)
        Probability of each organ, averaged over some 3 cm; the liver's includes its lesions.
    """
    p = logits.float().softmax(dim=0)
    context = p[list(CONTEXT_CLASSES)]
    context[0] += p[list(classes.LESIONS)].sum(dim=0)
    for _ in range(2):
        context = F.avg_pool3d(context, 3, 1, 1, count_include_pad=False)
    return context


def start_from_coarse(fine: BasicUNet, coarse_weights: Mapping[str, torch.Tensor]) -> None:
    """Give a fine network the weights of a coarse one, and none for what only it is told.

    Parameters
    ----------
    fine : BasicUNet
        Changed in place; of the same features.
    coarse_weights : mapping of str to Tensor
    """
    weights = fine.state_dict()
    for name, value in coarse_weights.items():
        own = weights[name]
        if own.shape == value.shape:
            own.copy_(value)
        else:  # the first layer
            own.zero_()
            own[:, : value.shape[1]] = value
    fine.load_state_dict(weights)
