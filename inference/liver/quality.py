"""Doubts about the outline of the liver, in words: users forgive a miss that is announced.

None of these changes the mask. Attenuation is used here only, to detect leaks: multiplied into
the network's probabilities it repairs some scans and spoils others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.rules import QualityLimits
from inference.liver.stage1 import Segmentation
from inference.metrics import dice

LIVER_ML = (600.0, 3500.0)
CUT_MM2 = 1500.0

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
    hu = scan.phases_hu[PHASES.index(scan.reference)]
    _, j_mm, i_mm = scan.grid.spacing_kji_mm
    whole = (segmentation.box[0].start == 0, segmentation.box[0].stop >= n_slices)
    ends = [float(liver[n].sum()) for n, end in zip((0, -1), whole, strict=True) if end]
    return Quality(
        float(liver.sum()) * scan.voxel_ml,
        share_of_outliers(hu, found == classes.LIVER),
        1.0 - dice(liver, coarse),
        unsure_share(segmentation.logits, liver, classes.LIVER_AND_LESIONS),
        max(ends, default=0.0) * j_mm * i_mm,
    )


def share_of_outliers(hu: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """Return the part of an organ whose attenuation is not that of the rest, 0 of nothing.

    It is smoothed inside itself; its own median and spread are the yardstick, so that fat and
    timing do not matter.

    Parameters
    ----------
    hu : ndarray of float, shape (nk, nj, ni)
    inside : ndarray of bool, shape (nk, nj, ni)
    """
    if not inside.any():
        return 0.0
    # blurring the whole scan for a gallbladder would take longer than finding it
    box = ndimage.find_objects(inside.astype(np.uint8))[0]
    hu, inside = hu[box], inside[box]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), _SMOOTH_PX)
    smooth = ndimage.gaussian_filter(np.where(inside, hu, 0.0), _SMOOTH_PX)
    values = smooth[inside] / np.maximum(weight[inside], 1e-3)
    median = float(np.median(values))
    sd = max(1.48 * float(np.median(np.abs(values - median))), _LEAST_SD_HU)
    return float((np.abs(values - median) > _OUTLIER_SD * sd).mean())


def unsure_share(
    logits: NDArray[np.floating], inside: NDArray[np.bool_], members: Sequence[int]
) -> float:
    """Return the part of an organ of which the network is not sure, 0 of nothing.

    Parameters
    ----------
    logits : ndarray of float, shape (20, nk, nj, ni)
    inside : ndarray of bool, shape (nk, nj, ni)
    members : sequence of int
        Classes that count as this organ.
    """
    if not inside.any():
        return 0.0
    own = logits[:, inside].astype(np.float32)
    p = np.exp(own - own.max(axis=0))
    p /= p.sum(axis=0)
    return float((p[list(members)].sum(axis=0) < _UNSURE_P).mean())


def warnings(quality: Quality, limits: QualityLimits) -> list[str]:
    """Return why the liver is doubtful, a sentence each."""
    return [*_doubts(quality, limits)]


def _doubts(quality: Quality, limits: QualityLimits) -> Iterator[str]:
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
