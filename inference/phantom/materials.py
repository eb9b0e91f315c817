"""What tissues look like: attenuation in four phases, texture, and the label of each material.

Means and standard deviations between patients follow the literature: Goshima et al. 2006
(aorta, liver, spleen, kidney), Jang et al. 2019 (trabecular bone), Ruppert-Kohlmayr et al. 2001
(FNH and HCC). Vessels inside an organ belong to the organ's label, as readers draw them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES
from inference.phantom import labels

GRAINS_MM = (2.5, 6.0, 18.0)
"""Scales of the three textures every material mixes."""

FIRST_LESION_CODE = 100


class Material(IntEnum):
    """Codes of the tissues of a healthy abdomen."""

    AIR = 0
    SKIN = auto()
    FAT = auto()
    MUSCLE = auto()
    CORTICAL_BONE = auto()
    TRABECULAR_BONE = auto()
    RIB_MARROW = auto()
    DISC = auto()
    THECAL_SAC = auto()
    CARTILAGE = auto()
    LUNG = auto()
    LUNG_VESSEL = auto()
    GAS = auto()
    GASTRIC_FLUID = auto()
    GASTRIC_GAS = auto()
    STOMACH_WALL = auto()
    BOWEL_WALL = auto()
    BOWEL_FLUID = auto()
    STOOL = auto()
    ESOPHAGUS = auto()
    LIVER = auto()
    LIVER_ARTERY = auto()
    LIVER_PORTAL = auto()
    LIVER_VEIN = auto()
    SPLEEN = auto()
    RIGHT_CORTEX = auto()
    RIGHT_MEDULLA = auto()
    LEFT_CORTEX = auto()
    LEFT_MEDULLA = auto()
    URINE = auto()
    BILE = auto()
    GALLBLADDER_WALL = auto()
    PANCREAS = auto()
    ADRENAL = auto()
    AORTA = auto()
    ARTERY = auto()
    CAVA = auto()
    CAVA_UPPER = auto()
    VEIN = auto()
    PORTAL = auto()
    MYOCARDIUM = auto()
    LEFT_HEART = auto()
    RIGHT_HEART = auto()
    TABLE = auto()
    TABLE_CORE = auto()
    # what follows is another name or place of a tissue above and has no draw of its own
    ASCITES = auto()
    COLON_WALL = auto()
    COLON_GAS = auto()


@dataclass(frozen=True)
class Tissue:
    """Attenuation of a material.

    Parameters
    ----------
    hu : tuple of four floats
        Mean HU in NC, ART, PV, DL.
    sd : tuple of four floats or float
        Standard deviation between patients.
    grain : tuple of three floats
        SD in HU inside one patient at the scales `GRAINS_MM`.
    label : int
        Label in the reference mask.
    """

    hu: tuple[float, float, float, float]
    sd: tuple[float, float, float, float] | float = 0.0
    grain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    label: int = 0


def _flat(hu: float, sd: float = 0.0, *grain: float, label: int = 0) -> Tissue:
    """Return a tissue that does not enhance."""
    fine, medium, coarse = grain or (0.0, 0.0, 0.0)
    return Tissue((hu, hu, hu, hu), sd, (fine, medium, coarse), label)


_M = Material
_CORTEX = (33.0, 235.0, 190.0, 150.0), (5.0, 25.0, 20.0, 15.0), (4.0, 4.0, 3.0)
_MEDULLA = (30.0, 85.0, 172.0, 160.0), (5.0, 20.0, 20.0, 15.0), (4.0, 4.0, 3.0)

TISSUES: dict[Material, Tissue] = {
    _M.AIR: _flat(-1000.0),
    _M.SKIN: _flat(55.0, 6.0, 6.0, 4.0, 0.0),
    _M.FAT: _flat(-102.0, 5.0, 5.0, 7.0, 3.0),
    _M.MUSCLE: Tissue((52.0, 56.0, 63.0, 63.0), 4.0, (11.0, 8.0, 3.0)),
    _M.CORTICAL_BONE: _flat(820.0, 90.0, 60.0, 40.0, 0.0),
    _M.TRABECULAR_BONE: Tissue((130.0, 133.0, 138.0, 138.0), 30.0, (42.0, 16.0, 5.0)),
    _M.RIB_MARROW: _flat(75.0, 20.0, 40.0, 15.0, 5.0),
    _M.DISC: _flat(88.0, 6.0, 5.0, 4.0, 0.0),
    _M.THECAL_SAC: _flat(26.0, 4.0, 4.0, 4.0, 0.0),
    _M.CARTILAGE: _flat(98.0, 12.0, 8.0, 14.0, 0.0),
    _M.LUNG: _flat(-855.0, 20.0, 16.0, 12.0, 8.0),
    _M.LUNG_VESSEL: Tissue((40.0, 190.0, 150.0, 105.0), 8.0),
    _M.GAS: _flat(-985.0),
    _M.GASTRIC_FLUID: _flat(18.0, 8.0, 3.0, 7.0, 3.0, label=labels.STOMACH),
    _M.GASTRIC_GAS: _flat(-985.0, label=labels.STOMACH),
    _M.STOMACH_WALL: Tissue((42.0, 78.0, 92.0, 84.0), 7.0, (4.0, 6.0, 2.0), labels.STOMACH),
    _M.BOWEL_WALL: Tissue((40.0, 82.0, 96.0, 84.0), 7.0, (4.0, 6.0, 2.0)),
    _M.BOWEL_FLUID: _flat(26.0, 8.0, 4.0, 8.0, 3.0),
    _M.STOOL: _flat(32.0, 12.0, 26.0, 38.0, 10.0),
    _M.ESOPHAGUS: Tissue((40.0, 58.0, 72.0, 70.0), 5.0, (4.0, 4.0, 0.0)),
    _M.LIVER: Tissue(
        (55.0, 77.0, 113.0, 90.0), (8.0, 10.0, 12.0, 10.0), (3.0, 2.5, 2.0), labels.LIVER
    ),
    _M.LIVER_ARTERY: Tissue(
        (42.0, 270.0, 150.0, 108.0), (5.0, 30.0, 15.0, 12.0), label=labels.LIVER
    ),
    _M.LIVER_PORTAL: Tissue(
        (42.0, 140.0, 165.0, 110.0), (5.0, 20.0, 20.0, 12.0), label=labels.LIVER
    ),
    _M.LIVER_VEIN: Tissue((42.0, 75.0, 160.0, 110.0), (5.0, 15.0, 18.0, 12.0), label=labels.LIVER),
    _M.SPLEEN: Tissue(
        (45.0, 148.0, 120.0, 90.0), (6.0, 20.0, 12.0, 10.0), (3.0, 3.0, 1.5), labels.SPLEEN
    ),
    _M.RIGHT_CORTEX: Tissue(*_CORTEX, labels.RIGHT_KIDNEY),
    _M.RIGHT_MEDULLA: Tissue(*_MEDULLA, labels.RIGHT_KIDNEY),
    _M.LEFT_CORTEX: Tissue(*_CORTEX, labels.LEFT_KIDNEY),
    _M.LEFT_MEDULLA: Tissue(*_MEDULLA, labels.LEFT_KIDNEY),
    _M.URINE: Tissue((5.0, 5.0, 10.0, 520.0), (3.0, 3.0, 4.0, 150.0)),
    _M.BILE: _flat(8.0, 6.0, 2.0, 3.0, 2.0, label=labels.GALLBLADDER),
    _M.GALLBLADDER_WALL: Tissue((36.0, 62.0, 82.0, 78.0), 6.0, label=labels.GALLBLADDER),
    _M.PANCREAS: Tissue(
        (42.0, 118.0, 100.0, 80.0), (8.0, 15.0, 12.0, 10.0), (8.0, 12.0, 3.0), labels.PANCREAS
    ),
    _M.ADRENAL: Tissue((28.0, 75.0, 72.0, 55.0), 6.0),
    _M.AORTA: Tissue(
        (42.0, 325.0, 160.0, 110.0), (5.0, 35.0, 15.0, 12.0), (2.0, 2.0, 0.0), labels.AORTA
    ),
    _M.ARTERY: Tissue((42.0, 315.0, 158.0, 110.0), (5.0, 35.0, 15.0, 12.0)),
    _M.CAVA: Tissue(
        (42.0, 50.0, 120.0, 108.0),
        (5.0, 8.0, 14.0, 12.0),
        (2.0, 8.0, 3.0),
        labels.INFERIOR_VENA_CAVA,
    ),
    _M.CAVA_UPPER: Tissue(
        (42.0, 110.0, 150.0, 108.0),
        (5.0, 15.0, 15.0, 12.0),
        (2.0, 7.0, 3.0),
        labels.INFERIOR_VENA_CAVA,
    ),
    _M.VEIN: Tissue((42.0, 130.0, 155.0, 110.0), (5.0, 20.0, 15.0, 12.0)),
    _M.PORTAL: Tissue(
        (42.0, 140.0, 165.0, 110.0), (5.0, 20.0, 20.0, 12.0), (2.0, 3.0, 0.0), labels.PORTAL_VEIN
    ),
    _M.MYOCARDIUM: Tissue((48.0, 105.0, 108.0, 92.0), 8.0, (4.0, 6.0, 3.0)),
    _M.LEFT_HEART: Tissue((42.0, 320.0, 158.0, 110.0), (5.0, 35.0, 15.0, 12.0), (2.0, 4.0, 0.0)),
    _M.RIGHT_HEART: Tissue((42.0, 215.0, 158.0, 110.0), (5.0, 30.0, 15.0, 12.0), (3.0, 12.0, 6.0)),
    _M.TABLE: _flat(120.0),
    _M.TABLE_CORE: _flat(-940.0),
    _M.ASCITES: _flat(10.0, 6.0, 1.0, 2.0, 1.0),
    _M.COLON_WALL: Tissue((40.0, 82.0, 96.0, 84.0), 7.0, (4.0, 6.0, 2.0)),
    _M.COLON_GAS: _flat(-985.0),
}
_SHARED_DRAWS = (
    (_M.AORTA, _M.ARTERY, _M.LEFT_HEART, _M.LIVER_ARTERY),
    (_M.PORTAL, _M.LIVER_PORTAL, _M.VEIN),
    (_M.CAVA, _M.CAVA_UPPER, _M.LIVER_VEIN, _M.RIGHT_HEART),
    (_M.RIGHT_CORTEX, _M.LEFT_CORTEX),
    (_M.RIGHT_MEDULLA, _M.LEFT_MEDULLA),
    (_M.GASTRIC_FLUID, _M.BOWEL_FLUID, _M.ASCITES),
    (_M.BOWEL_WALL, _M.COLON_WALL),
    (_M.GAS, _M.COLON_GAS),
)
"""Materials that are the same tissue in one patient and so vary together."""

SPLEEN_ARTERIAL_MOTTLE = (6.0, 24.0, 5.0)


class Palette:
    """HU, texture and label of every material code of one patient.

    Attributes
    ----------
    hu : ndarray of float32, shape (256, 4)
        Mean HU of each code in NC, ART, PV, DL.
    grain : ndarray of float32, shape (256, 4, 3)
        SD in HU at the scales `GRAINS_MM`, in each phase.
    label : ndarray of uint8, shape (256,)
    names : dict of int to str
    """

    def __init__(self, rng: np.random.Generator, age_years: float) -> None:
        self.hu: NDArray[np.float32] = np.zeros((256, len(PHASES)), dtype=np.float32)
        self.grain: NDArray[np.float32] = np.zeros((256, len(PHASES), 3), dtype=np.float32)
        self.label: NDArray[np.uint8] = np.zeros(256, dtype=np.uint8)
        self.names: dict[int, str] = {}
        own = [m for m in TISSUES if m <= _M.TABLE_CORE]
        draws = {m: float(np.clip(rng.standard_normal(), -1.6, 1.6)) for m in own}
        for first, *others in _SHARED_DRAWS:
            draws.update(dict.fromkeys(others, draws[first]))
        for material, tissue in TISSUES.items():
            hu = np.asarray(tissue.hu) + draws[material] * np.asarray(tissue.sd)
            self._set(material, material.name.lower(), hu, tissue.grain, tissue.label)
        self._next = FIRST_LESION_CODE
        # bone loses about 2.5 HU a year
        self.hu[_M.TRABECULAR_BONE] += np.float32(226.0 - 2.5 * (age_years - 25.0) - 130.0)
        self.grain[_M.SPLEEN, PHASES.index("ART")] = SPLEEN_ARTERIAL_MOTTLE
        # there is no contrast to mix badly before it is given
        for material in (_M.CAVA, _M.CAVA_UPPER, _M.RIGHT_HEART):
            self.grain[material, PHASES.index("NC")] = (2.0, 1.0, 0.0)

    def _set(
        self, code: int, name: str, hu: NDArray[np.float64], grain: tuple[float, ...], label: int
    ) -> None:
        self.hu[code] = hu
        self.grain[code] = grain
        self.label[code] = label
        self.names[code] = name

    def add(
        self, name: str, hu: NDArray[np.float64], grain: tuple[float, float, float], label: int
    ) -> int:
        """Add a material of this patient (a part of a lesion) and return its code.

        Raises
        ------
        ValueError
            There are no codes left.
        """
        if self._next > 255:
            raise ValueError("a patient can have 156 lesion materials at most")
        code = self._next
        self._next += 1
        self._set(code, name, hu, grain, label)
        return code

    def shift_from_table(self, material: Material) -> NDArray[np.float64]:
        """Return how far this patient's tissue is from the table in each phase, in HU."""
        return np.asarray(self.hu[material] - TISSUES[material].hu, dtype=np.float64)
