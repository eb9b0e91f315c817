"""Networks over volumes larger than their patch: MONAI's sliding window, with progress."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from inference.contract import Context

Floats: TypeAlias = NDArray[np.float32]
Network: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Takes a batch ``[1, channel, k, j, i]`` of one patch and returns ``[1, class, k, j, i]``."""

SIGMA_SCALE = 0.125
"""Standard deviation of the weights within a patch, in patches."""


def slide(
    volume: Floats,
    network: Network,
    patch_kji: Sequence[int],
    *,
    context: Context,
    text: str,
    overlap: float = 0.5,
    fill: float = 0.0,
    mirror_axes: Sequence[int] = (),
    device: str = "cpu",
) -> Floats:
    """Return what a network gives for a volume, patch by patch.

    Patches overlap and are blended by Gaussian weights; a volume smaller than the patch is padded
    on both sides. Before each patch the context may cancel; after it, progress is reported:
    patches take equal times, so the time left that follows from it is honest.

    Parameters
    ----------
    volume : ndarray, float32, shape (channels, nk, nj, ni)
    network : callable
    patch_kji : sequence of three int
    context : Context
    text : str
        What is being done, for the progress.
    overlap : float
        Of neighbouring patches, as a part of the patch: 0 to less than 1.
    fill : float
        Value of the padding.
    mirror_axes : sequence of int
        Axes 0, 1, 2 = k, j, i in which patches are mirrored as well; all combinations are
        averaged, so each axis doubles the time.
    device : str
        Of torch. The whole result must fit there.

    Returns
    -------
    ndarray, float32, shape (classes, nk, nj, ni)

    Raises
    ------
    Cancelled
    """
    from monai.inferers.utils import sliding_window_inference

    flips = [
        axes for n in range(len(mirror_axes) + 1) for axes in itertools.combinations(mirror_axes, n)
    ]
    total = window_count(volume.shape[1:], patch_kji, overlap) * len(flips)
    done = 0

    def predict(batch: torch.Tensor) -> torch.Tensor:
        nonlocal done
        answer: torch.Tensor | None = None
        for axes in flips:
            context.check()
            dims = [2 + axis for axis in axes]
            one = network(batch.flip(dims) if dims else batch)
            one = one.flip(dims) if dims else one
            answer = one if answer is None else answer + one
            done += 1
            context.report(done / total, text)
        assert answer is not None
        return answer / len(flips) if len(flips) > 1 else answer

    context.report(0.0, text)
    with torch.inference_mode():
        found = sliding_window_inference(
            torch.from_numpy(volume)[None].to(device),
            roi_size=tuple(patch_kji),
            sw_batch_size=1,
            predictor=predict,
            overlap=overlap,
            mode="gaussian",
            sigma_scale=SIGMA_SCALE,
            padding_mode="constant",
            cval=fill,
        )
    assert isinstance(found, torch.Tensor)
    result: Floats = found[0].float().cpu().numpy()
    return result


def window_count(shape_kji: Sequence[int], patch_kji: Sequence[int], overlap: float) -> int:
    """Return how many patches :func:`slide` takes for a volume."""
    counts = []
    for size, patch in zip(shape_kji, patch_kji, strict=True):
        interval = max(1, int(patch * (1 - overlap)))
        counts.append(1 + math.ceil(max(0, size - patch) / interval))
    return math.prod(counts)
