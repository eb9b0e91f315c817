"""What nnU-Net v2 does to volumes before and after its networks, with the same numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Context
from inference.external.nnunet_plans import Resampling
from inference.grid import Box
from inference.window import SIGMA_SCALE, Network, PatchRuns

Floats: TypeAlias = NDArray[np.float32]

_STEP = 0.5  # of a patch
_PEAK = 10.0  # of the Gaussian weights, which are kept in half precision
_EPSILON = 1e-8


def nonzero_box(volume: Floats) -> Box:
    """Return the box ``[k, j, i]`` of what is not 0 in any channel ``[c, k, j, i]``."""
    found = (volume != 0).any(axis=0)
    box = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        at = np.flatnonzero(found.any(axis=others))
        box.append(slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(None))
    return box[0], box[1], box[2]


def normalize(
    channel: Floats, scheme: str, statistics: Mapping[str, float], inside: NDArray[np.bool_] | None
) -> None:
    """Normalize a channel in place.

    Parameters
    ----------
    channel : ndarray, float32, shape (nk, nj, ni)
    scheme : str
        Name of a class of nnU-Net, one that the plans accept.
    statistics : mapping
        ``mean``, ``std``, ``percentile_00_5`` and ``percentile_99_5`` of the training set.
    inside : ndarray of bool or None
        Where to normalize, and what to measure, for ``ZScoreNormalization``.
    """
    if scheme == "CTNormalization":
        np.clip(channel, statistics["percentile_00_5"], statistics["percentile_99_5"], out=channel)
        channel -= np.float32(statistics["mean"])
        channel /= np.float32(max(statistics["std"], _EPSILON))
    elif scheme == "ZScoreNormalization":
        part = channel if inside is None else channel[inside]
        mean, sd = part.mean(), max(part.std(), np.float32(_EPSILON))
        channel[... if inside is None else inside] = (part - mean) / sd
    elif scheme == "RescaleTo01Normalization":
        channel -= channel.min()
        channel /= max(channel.max(), np.float32(_EPSILON))


def resized(
    channel: Floats,
    shape: Sequence[int],
    rule: Resampling,
    old_mm: tuple[float, ...],
    new_mm: tuple[float, ...],
) -> Floats:
    """Return a channel on another number of voxels over the same extent, by splines.

    Parameters
    ----------
    channel : ndarray, float32, shape (nk, nj, ni)
    shape : sequence of three int
    rule : Resampling
    old_mm, new_mm : tuples of three floats
        Spacings that decide whether thick slices are resampled one by one.
    """
    if channel.shape == tuple(shape):
        return channel
    axis = rule.thick_axis(old_mm, new_mm)
    if axis is None:
        return _spline(channel, shape, rule.order)
    flat = [n for a, n in enumerate(shape) if a != axis]
    slices = [_spline(part, flat, rule.order) for part in np.moveaxis(channel, axis, 0)]
    stack = np.moveaxis(np.stack(slices), 0, axis)
    return _across(stack, axis, shape[axis], rule.order_z)


def _spline(array: Floats, shape: Sequence[int], order: int) -> Floats:
    """Return an array on another shape, within the range of its values."""
    factors = [new / old for new, old in zip(shape, array.shape, strict=True)]
    found = ndimage.zoom(
        array.astype(np.float64), factors, order=order, mode="nearest", grid_mode=True
    )
    return np.asarray(np.clip(found, array.min(), array.max()), np.float32)


def _across(array: Floats, axis: int, size: int, order: int) -> Floats:
    """Return an array with another number of slices: the nearest ones, or between two."""
    count = array.shape[axis]
    at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    if order == 0:
        return np.asarray(array.take(np.floor(at + 0.5).astype(int), axis))
    lower = np.minimum(np.floor(at).astype(int), max(0, count - 2))
    weight = (at - lower).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
    upper = np.minimum(lower + 1, count - 1)
    found = array.take(lower, axis) * (1 - weight) + array.take(upper, axis) * weight
    return np.asarray(found, np.float32)


def steps(size: int, patch: int) -> list[int]:
    """Return where patches begin along an axis: evenly spread, half a patch apart at most."""
    count = int(np.ceil((size - patch) / (patch * _STEP))) + 1
    if count == 1:
        return [0]
    return [int(np.round((size - patch) / (count - 1) * n)) for n in range(count)]


def gaussian(patch: Sequence[int]) -> torch.Tensor:
    """Return the weights within a patch, rounded as nnU-Net rounds them."""
    peak = np.zeros(tuple(patch))
    peak[tuple(n // 2 for n in patch)] = 1
    weights = ndimage.gaussian_filter(peak, [n * SIGMA_SCALE for n in patch], mode="constant")
    half = (weights / (weights.max() / _PEAK)).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    return torch.from_numpy(half.astype(np.float32))


def slide(
    volume: Floats,
    networks: Sequence[Network],
    patch: Sequence[int],
    mirror_axes: Sequence[int],
    context: Context,
) -> Floats:
    """Return the mean of what networks give for a volume, patch by patch.

    Parameters
    ----------
    volume : ndarray, float32, shape (channels, nk, nj, ni)
    networks : sequence of callable
        One a fold.
    patch : sequence of three int
    mirror_axes : sequence of int
        Axes in which patches are mirrored too; all combinations are averaged.
    context : Context
        Checked before every patch.

    Returns
    -------
    ndarray, float32, shape (classes, nk, nj, ni)
        Logits.

    Raises
    ------
    Cancelled
    """
    padding = [
        ((p - n) // 2, p - n - (p - n) // 2) if p > n else (0, 0)
        for p, n in zip(patch, volume.shape[1:], strict=True)
    ]
    padded = torch.from_numpy(np.pad(volume, [(0, 0), *padding]))
    weights = gaussian(patch)
    corners = list(
        itertools.product(*(steps(n, p) for n, p in zip(padded.shape[1:], patch, strict=True)))
    )
    runs = PatchRuns(len(corners) * len(networks), mirror_axes, context, "Running the network")
    scores = norm = None
    for network, corner in itertools.product(networks, corners):
        place = tuple(slice(at, at + size) for at, size in zip(corner, patch, strict=True))
        answer = runs.run(network, padded[(slice(None), *place)][None])[0].float().cpu()
        if scores is None or norm is None:
            scores = torch.zeros((len(answer), *padded.shape[1:]))
            norm = torch.zeros(padded.shape[1:])
        scores[(slice(None), *place)] += answer * weights
        norm[place] += weights
    assert scores is not None
    assert norm is not None
    scores /= norm
    inner = tuple(slice(a, n - b) for (a, b), n in zip(padding, padded.shape[1:], strict=True))
    return np.ascontiguousarray(scores[(slice(None), *inner)].numpy())
