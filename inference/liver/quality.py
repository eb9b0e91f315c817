"""Doubts about a segmentation, in words: users forgive a miss that is announced.

None of these changes the mask. Attenuation is used here only, to detect leaks: multiplied into
the network's probabilities it repairs some scans and spoils others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.rules import QualityLimits
from inference.liver.stage1 import Segmentation

LIVER_ML = (600.0, 3500.0)
CUT_MM2 = 1500.0

_ORGANS_ML = {
    classes.SPLEEN: (40.0, 900.0),
    classes.RIGHT_KIDNEY: (50.0, 500.0),
    classes.LEFT_KIDNEY: (50.0, 500.0),
}
_SMOOTH_PX = 1.0
_OUTLIER_SD = 3.0
_LEAST_SD_HU = 9.0
_UNSURE_P = 0.6


@dataclass(frozen=True)
class Quality:
    """What was measured to judge a segmentation.

    Parameters
    ----------
    liver_ml : float
        Volume of the liver with its lesions.
    outliers : float
        Part of the liver (without lesions) that does not have the liver's attenuation.
    disagreement : float
        1 - Dice of the coarse and the fine liver.
    unsure : float
        Part of the liver of which the network is less than 60 % sure.
    cut_mm2 : float
        Largest area of the liver in the first or last slice of the scan.
    """

    liver_ml: float
    outliers: float
    disagreement: float
    unsure: float
    cut_mm2: float


def measure(segmentation: Segmentation, n_slices: int) -> Quality:
    """Return the measures of a segmentation.

    Parameters
    ----------
    segmentation : Segmentation
    n_slices : int
        Slices of the whole scan, on its 3 mm grid.
    """
    scan, found = segmentation.scan, segmentation.found
    liver = np.isin(found, classes.LIVER_AND_LESIONS)
    coarse = np.isin(segmentation.coarse, classes.LIVER_AND_LESIONS)
    both = 2.0 * float((liver & coarse).sum()) / max(float(liver.sum() + coarse.sum()), 1.0)
    _, j_mm, i_mm = scan.grid.spacing_kji_mm
    whole = (segmentation.box[0].start == 0, segmentation.box[0].stop >= n_slices)
    ends = [float(liver[n].sum()) for n, end in zip((0, -1), whole, strict=True) if end]
    return Quality(
        float(liver.sum()) * scan.voxel_ml,
        _outliers(segmentation),
        1.0 - both,
        _unsure(segmentation, liver),
        max(ends, default=0.0) * j_mm * i_mm,
    )


def _outliers(segmentation: Segmentation) -> float:
    """Return the part of the parenchyma whose attenuation is not that of the rest.

    The liver is smoothed inside itself; its own median and spread are the yardstick, so that fat
    and timing do not matter.
    """
    scan = segmentation.scan
    inside = segmentation.found == classes.LIVER
    if not inside.any():
        return 0.0
    hu = scan.phases_hu[PHASES.index(scan.reference)]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), _SMOOTH_PX)
    smooth = ndimage.gaussian_filter(np.where(inside, hu, 0.0), _SMOOTH_PX)
    values = smooth[inside] / np.maximum(weight[inside], 1e-3)
    median = float(np.median(values))
    sd = max(1.48 * float(np.median(np.abs(values - median))), _LEAST_SD_HU)
    return float((np.abs(values - median) > _OUTLIER_SD * sd).mean())


def _unsure(segmentation: Segmentation, liver: NDArray[np.bool_]) -> float:
    """Return the part of the liver of which the network is not sure."""
    if not liver.any():
        return 0.0
    logits = segmentation.logits[:, liver].astype(np.float32)
    p = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    sure = p[[classes.LIVER, *classes.LESIONS]].sum(axis=0)
    return float((sure < _UNSURE_P).mean())


def warnings(quality: Quality, segmentation: Segmentation, limits: QualityLimits) -> list[str]:
    """Return why the result is doubtful, a sentence each."""
    return [*_about_the_liver(quality, limits), *_about_organs(segmentation)]


def _about_the_liver(quality: Quality, limits: QualityLimits) -> Iterator[str]:
    low, high = LIVER_ML
    if not low <= quality.liver_ml <= high:
        size = "small" if quality.liver_ml < low else "large"
        yield (
            f"The liver is unusually {size} ({quality.liver_ml:.0f} ml): "
            "look for parts that were missed or added."
        )
    if quality.cut_mm2 > CUT_MM2:
        yield "The liver reaches the edge of the scan: a part of it is not in the images."
    if quality.outliers > limits.outliers:
        yield (
            f"{100.0 * quality.outliers:.0f} % of the liver does not look like the rest of it: "
            "the outline may have leaked, or there is diffuse disease."
        )
    if quality.disagreement > limits.disagreement:
        yield "The coarse and the fine network do not agree about the liver's outline."
    if quality.unsure > limits.unsure:
        yield f"The network is not sure about {100.0 * quality.unsure:.0f} % of the liver."


def _about_organs(segmentation: Segmentation) -> Iterator[str]:
    for organ, (low, high) in _ORGANS_ML.items():
        volume = float((segmentation.found == organ).sum()) * segmentation.scan.voxel_ml
        name = classes.CLASS_NAMES[organ]
        if volume == 0.0:
            yield f"The {name} was not found."
        elif not low <= volume <= high:
            yield f"The {name} has an unusual volume ({volume:.0f} ml)."
