"""A body with a liver, a cyst and a vessel, and networks that tell tissues by attenuation."""

import numpy as np
import torch

from inference.contract import PHASES, Image, LabelMap
from inference.liver import classes
from inference.liver.organ_doubts import ORGANS
from inference.liver.stage2 import N_TYPES, NOT_A_LESION, PATCH
from inference.phantom import labels
from inference.training.gathered import Examination
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


def examination_of(present: tuple[bool, ...]) -> Examination:
    """Return an examination with one dark lesion and three places that are none."""
    rng = np.random.default_rng(0)
    n, cube = 4, (PATCH,) * 3
    k, j, i = np.indices(cube)
    middle = (k - 24) ** 2 + (j - 24) ** 2 + (i - 24) ** 2 < 36
    hu = rng.normal(LIVER_HU, 5.0, (n, sum(present), *cube))
    hu[0][:, middle] = CYST_HU
    outline = np.zeros((n, *cube), dtype=bool)
    outline[0] = middle
    first = np.full((n, N_TYPES), 0.05)
    first[:, NOT_A_LESION] = 0.7
    return Examination(
        present=np.array(present),
        hu=hu.astype(np.int16),
        liver=np.ones((n, *cube), dtype=bool),
        proposal=np.stack([middle] * n),
        outline=outline,
        kinds=np.array([classes.CYST - classes.LESIONS[0], *[NOT_A_LESION] * 3]),
        hit=np.array([0, -1, -1, -1]),
        first=first,
        multipliers=np.array([1.0, 2.0, np.inf, np.inf]),
        volumes_ml=np.full(n, 3.0),
        sides_mm=np.full(n, 72.0),
        healthy=np.array([False, True, True, True]),
        lesion_kinds=np.array([classes.CYST]),
        lesion_mm=np.array([18.0]),
        malignant=False,
        quality=np.array([0.1, 0.05, 0.02]),
        liver_dice=0.96,
        organs=np.tile([0.9, 0.1, 0.05, 0.02], (len(ORGANS), 1)),
    )
