"""A body with a liver, a cyst and a vessel, and networks that tell tissues by attenuation."""

import numpy as np
import torch

from inference.contract import PHASES, Image, LabelMap
from inference.liver import classes
from inference.phantom import labels
from inference.training.scanned import Scanned

LIVER_HU, CYST_HU, TISSUE_HU, VESSEL_HU = 100.0, 0.0, -60.0, 160.0
SHAPE, SPACING = (60, 110, 130), 2.0
_CYST, _VESSEL = (40.0, 10.0, 5.0), (-10.0, 10.0, 5.0)


def _ball(points: np.ndarray, centre: tuple, radius: float) -> np.ndarray:
    return ((points - np.array(centre)) ** 2).sum(axis=-1) < radius**2


def scanned() -> Scanned:
    """Return a body with a liver, a cyst of 16 mm radius in it and a vessel, in four phases."""
    affine = np.diag([-SPACING, -SPACING, 2 * SPACING, 1.0])
    affine[:3, 3] = (130.0, 110.0, -120.0)
    k, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    points = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    hu = np.full(SHAPE, -1000.0)
    hu[(points[..., 0] / 110) ** 2 + (points[..., 1] / 90) ** 2 < 1.0] = TISSUE_HU
    liver = (((points - (20.0, 0.0, 0.0)) / (70.0, 55.0, 60.0)) ** 2).sum(axis=-1) < 1.0
    hu[liver] = LIVER_HU
    cyst, vessel = _ball(points, _CYST, 16.0), _ball(points, _VESSEL, 12.0)
    hu[cyst], hu[vessel] = CYST_HU, VESSEL_HU
    hu += np.random.default_rng(0).normal(0.0, 3.0, SHAPE)
    mask = np.where(liver, labels.LIVER, 0).astype(np.uint8)
    mask[cyst] = labels.CYST
    image = Image(np.rint(hu).astype(np.int16), affine)
    still = dict.fromkeys(PHASES, (0.0, 0.0, 0.0))
    return Scanned(dict.fromkeys(PHASES, image), LabelMap(mask, affine), still)


def oracle(window: torch.Tensor) -> torch.Tensor:
    """Tell tissues by attenuation; a cyst is called liver, so that only stage 2 can see it."""
    wide = window[:, 4] * 1000.0
    logits = torch.full((1, classes.N_CLASSES, *window.shape[2:]), -10.0)
    logits[:, classes.BACKGROUND] = torch.where(wide < -30.0, 5.0, -5.0)
    logits[:, classes.LIVER] = torch.where(wide < -30.0, -5.0, 5.0)
    return logits
