"""Grey scales: presets by name, and one fitted to what a volume shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: ``(width, level)`` in HU of the usual windows.
WINDOW_PRESETS_HU = {
    "liver": (150.0, 90.0),
    "soft_tissue": (400.0, 40.0),
    "abdomen": (350.0, 40.0),
    "bone": (1800.0, 400.0),
    "lung": (1500.0, -600.0),
}

#: Values of soft tissue, with and without contrast; fat, lung, bone and metal lie outside.
SOFT_TISSUE_HU = (-20.0, 300.0)

#: What is left out at either end: partial volumes with fat, and cancellous bone, which is as
#: bright as vessels full of contrast. With the margin the result is what radiologists set by hand.
SOFT_TISSUE_PERCENTILES = (10.0, 90.0)

#: Share of the soft tissue range added at either end, so that its extremes are not black or white.
MARGIN = 0.35

MIN_WIDTH_HU = 120.0
SAMPLES = 60_000
MIN_SOFT_TISSUE_SHARE = 0.02


def auto_window_hu(array: npt.NDArray[Any]) -> tuple[float, float]:
    """Fit a grey scale to the soft tissue of a volume.

    Looks at about 60,000 voxels whatever the size, so it takes a few milliseconds.

    Parameters
    ----------
    array
        ``[k, j, i]`` integer HU, or the values of a film in floating point.

    Returns
    -------
    tuple of float
        Width and level in HU, in whole tens of HU for CT. A volume with hardly any soft tissue
        (lung only, a film) gets the range between its 1st and 99th percentile.
    """
    sample = _sample(array)
    low_hu, high_hu = SOFT_TISSUE_HU
    is_ct = np.issubdtype(array.dtype, np.integer)
    soft = sample[(sample >= low_hu) & (sample <= high_hu)]
    if is_ct and soft.size >= MIN_SOFT_TISSUE_SHARE * max(1, sample.size) and np.ptp(soft) > 0:
        low, high = np.percentile(soft, SOFT_TISSUE_PERCENTILES)
        margin = MARGIN * (high - low)
        width = max(MIN_WIDTH_HU, high - low + 2 * margin)
        return float(np.ceil(width / 10) * 10), float(np.round((low + high) / 20) * 10)
    if sample.size == 0:
        return WINDOW_PRESETS_HU["soft_tissue"]
    low, high = np.percentile(sample, (1.0, 99.0))
    return float(max(1.0, high - low)), float((low + high) / 2)


def _sample(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Finite voxels on a coarse lattice, flat; steps are odd so that no pattern is hit."""
    step = max(1, round((array.size / SAMPLES) ** (1 / 3)))
    steps = [min(step, max(1, n // 8)) | 1 for n in array.shape]
    sample = array[tuple(slice(s // 2, None, s) for s in steps)].astype(np.float32).ravel()
    return sample[np.isfinite(sample)]
