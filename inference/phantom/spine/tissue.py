"""What spine scenes are made of, and how bright it may be."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

CORTEX_MM = 1.6
"""Thickness of the cortex of vertebrae."""


class Tissue(IntEnum):
    """Codes of a spine scene."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    VISCERA = 3
    LUNG = 4
    BLOOD = 5
    ARTERY = 6
    VEIN = 7
    LIVER = 8
    SPLEEN = 9
    KIDNEY = 10
    BOWEL = 11
    STOOL = 12
    ORAL_CONTRAST = 13
    GAS = 14
    BRAIN = 15
    DISC = 16
    THECAL_SAC = 17
    CORTEX = 18
    TRABECULA = 19
    MARROW = 20
    THIN_BONE = 21
    SKULL = 22
    METAL = 23


def draw_attenuations(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the HU of every tissue of a scan, float32 of shape (24,).

    Contrast medium is there in two scans of three; bone follows an age between 20 and 90 years.
    Ranges are those of the four-phase table of `inference.phantom.materials`, widened.
    """
    hu = np.zeros(len(Tissue), dtype=np.float32)
    contrast = rng.random() < 0.66
    blood = rng.uniform(90.0, 380.0) if contrast else rng.uniform(30.0, 55.0)
    delay = rng.uniform(0.3, 1.0)
    age = rng.uniform(20.0, 90.0)
    trabecula = 226.0 - 2.5 * (age - 25.0) + rng.normal(0.0, 40.0)
    hu[Tissue.AIR] = -1000.0
    hu[Tissue.FAT] = rng.normal(-100.0, 10.0)
    hu[Tissue.MUSCLE] = rng.normal(55.0, 8.0)
    hu[Tissue.VISCERA] = rng.uniform(0.0, 60.0)
    hu[Tissue.LUNG] = rng.normal(-830.0, 40.0)
    hu[Tissue.BLOOD] = blood * rng.uniform(0.7, 1.0)
    hu[Tissue.ARTERY] = blood
    hu[Tissue.VEIN] = 40.0 + delay * (blood - 40.0) * rng.uniform(0.3, 1.0)
    hu[Tissue.LIVER] = rng.normal(55.0, 12.0) + (55.0 * delay if contrast else 0.0)
    hu[Tissue.SPLEEN] = rng.normal(48.0, 6.0) + (70.0 * delay if contrast else 0.0)
    hu[Tissue.KIDNEY] = rng.uniform(90.0, 260.0) if contrast else rng.normal(32.0, 5.0)
    hu[Tissue.BOWEL] = rng.uniform(10.0, 60.0)
    hu[Tissue.STOOL] = rng.uniform(-60.0, 60.0)
    hu[Tissue.ORAL_CONTRAST] = rng.uniform(100.0, 500.0)
    hu[Tissue.GAS] = rng.normal(-900.0, 60.0)
    hu[Tissue.BRAIN] = rng.normal(36.0, 4.0)
    hu[Tissue.DISC] = rng.normal(80.0, 15.0)
    hu[Tissue.THECAL_SAC] = rng.normal(20.0, 8.0)
    hu[Tissue.CORTEX] = rng.uniform(350.0, 900.0)
    hu[Tissue.TRABECULA] = np.clip(trabecula, 15.0, 330.0)
    hu[Tissue.MARROW] = np.clip(trabecula * rng.uniform(0.4, 1.0), -20.0, 250.0)
    hu[Tissue.THIN_BONE] = rng.uniform(300.0, 800.0)
    hu[Tissue.SKULL] = rng.uniform(600.0, 1300.0)
    hu[Tissue.METAL] = 3000.0
    return hu
