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


class PatchRuns:
    """Runs networks on patches: cancels before each, reports after each, mirrors if wanted.

    Parameters
    ----------
    patches : int
        How many there will be.
    mirror_axes : sequence of int
        Axes 0, 1, 2 = k, j, i in which patches are mirrored as well; all combinations are
        averaged.
    context : Context
    text : str
        What is being done, for the progress.
    """

    def __init__(
        self, patches: int, mirror_axes: Sequence[int], context: Context, text: str
    ) -> None:
        self._flips = [
            [2 + axis for axis in axes]
            for count in range(len(mirror_axes) + 1)
            for axes in itertools.combinations(mirror_axes, count)
        ]
        self._total = patches * len(self._flips)
        self._done = 0
        self._context = context
        self._text = text
        context.report(0.0, text)

    def run(self, network: Network, batch: torch.Tensor) -> torch.Tensor:
        """Return what a network gives for one patch.

        Raises
        ------
        Cancelled
        """
        answer: torch.Tensor | None = None
        for axes in self._flips:
            self._context.check()
            one = network(batch.flip(axes) if axes else batch)
            one = one.flip(axes) if axes else one
            answer = one if answer is None else answer + one
            self._done += 1
            self._context.report(self._done / self._total, self._text)
        assert answer is not None
        return answer / len(self._flips)


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
    """
    from monai.inferers.utils import sliding_window_inference

    count = window_count(volume.shape[1:], patch_kji, overlap)
    runs = PatchRuns(count, mirror_axes, context, text)
    with torch.inference_mode():
        found = sliding_window_inference(
            torch.from_numpy(volume)[None].to(device),
            roi_size=tuple(patch_kji),
            sw_batch_size=1,
            predictor=lambda batch: runs.run(network, batch),
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
