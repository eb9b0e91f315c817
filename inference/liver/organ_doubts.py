"""Doubts about the organs beside the liver, in words: they are context, and drawn less well.

An organ is measured in the same three ways as the liver (`inference.liver.quality`). What is usual
differs between them (a pancreas is never drawn as surely as a kidney), so that each has limits of
its own, set on synthetic patients with the other rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.quality import share_of_outliers, unsure_share
from inference.liver.rules import OrganLimits
from inference.liver.stage1 import Segmentation
from inference.metrics import dice

ORGANS = classes.ORGANS[1:]

_USUAL_ML = {
    classes.SPLEEN: (40.0, 900.0),
    classes.RIGHT_KIDNEY: (50.0, 500.0),
    classes.LEFT_KIDNEY: (50.0, 500.0),
}


@dataclass(frozen=True)
class OrganQuality:
    """What was measured of an organ that was found.

    Parameters
    ----------
    volume_ml : float
    disagreement : float
        1 - Dice of the coarse and the fine outline.
    unsure : float
        Part of it of which the network is less than 60 % sure.
    outliers : float
        Part of it that does not have the attenuation of the rest.
    """

    volume_ml: float
    disagreement: float
    unsure: float
    outliers: float


def measure_organs(segmentation: Segmentation) -> dict[int, OrganQuality]:
    """Return the measures of each organ that was found, by class."""
    scan = segmentation.scan
    hu = scan.phases_hu[PHASES.index(scan.reference)]
    measured = {}
    for organ in ORGANS:
        inside = segmentation.found == organ
        if inside.any():
            measured[organ] = OrganQuality(
                float(inside.sum()) * scan.voxel_ml,
                1.0 - dice(inside, segmentation.coarse == organ),
                unsure_share(segmentation.logits, inside, (organ,)),
                share_of_outliers(hu, inside),
            )
    return measured


def organ_warnings(
    measured: Mapping[int, OrganQuality], limits: Mapping[str, OrganLimits]
) -> list[str]:
    """Return why organs are doubtful: a sentence for each that is missing, one for all others.

    Parameters
    ----------
    measured : mapping of int to OrganQuality
    limits : mapping of str to OrganLimits
        By the name of the organ; what is not in it has the usual ones.
    """
    texts, doubtful = [], []
    for organ in ORGANS:
        name = classes.CLASS_NAMES[organ]
        if organ in measured:
            reasons = [*_reasons(organ, measured[organ], limits.get(name, OrganLimits()))]
            doubtful += [f"{name} ({', '.join(reasons)})"] if reasons else []
        elif organ in _USUAL_ML:
            texts.append(f"The {name} was not found.")
    if doubtful:
        texts.append(f"Look at the outlines: {'; '.join(doubtful)}.")
    return texts


def _reasons(organ: int, quality: OrganQuality, limits: OrganLimits) -> Iterator[str]:
    low, high = _USUAL_ML.get(organ, (0.0, np.inf))
    if not low <= quality.volume_ml <= high:
        yield f"unusual volume of {quality.volume_ml:.0f} ml"
    if quality.disagreement > limits.disagreement:
        yield "networks differ"
    if quality.unsure > limits.unsure:
        yield f"{100.0 * quality.unsure:.0f} % unsure"
    if quality.outliers > limits.outliers:
        yield f"{100.0 * quality.outliers:.0f} % unlike the rest"
