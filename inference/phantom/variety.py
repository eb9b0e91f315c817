"""How patients and scans may differ from the plain examples: the variety that training needs.

The plain phantom is one kind of scan: arms out of the way, a healthy liver, organs apart. What a
network sees in practice is drawn here, above all what lets it leak (stool-filled colon at the
tip of the liver, a kidney behind a thin plane of fat, hips, arms) and what it tends to miss (a
long, thin left lobe). A :class:`Variety` without arguments changes nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES
from inference.phantom import labels

LesionPlan = tuple[tuple[int, float], ...]
"""(label, wanted radius in mm) of each lesion, the largest first."""

MOST_LESIONS = 10
BREATHING_MM = 8.0
_RADIUS_MM = {
    labels.HCC: (5.0, 38.0),
    labels.ICC: (7.0, 40.0),
    labels.METASTASIS: (4.0, 24.0),
    labels.HEMANGIOMA: (5.0, 34.0),
    labels.FNH: (7.0, 30.0),
    labels.CYST: (3.0, 28.0),
}


@dataclass(frozen=True)
class Variety:
    """What is different about one patient and scan; the defaults are the plain phantom.

    Parameters
    ----------
    wider, deeper : float
        Size of the trunk with all organs, relative to the body that is drawn anyway.
    more_fat_mm : float
        Fat under the skin on top of what is drawn.
    arms : str
        ``away``, ``down`` (beside the trunk), ``folded`` (forearms on the belly) or ``up``
        (shoulders and upper arms at the top of the field).
    table : bool
        Whether the scanner's table is there.
    hips : bool
        Sacrum, iliac wings, hip joints, buttocks and thighs below L5.
    nodules_mm : float
        SD of the nodular surface of a cirrhotic liver; 0 for a smooth one.
    ascites_mm : float
        Fluid between the liver and what surrounds it.
    liver_volume : float
        Relative to what is drawn.
    left_lobe_mm : float
        How far a thin left lobe reaches to the left beyond the usual one.
    spleen : float
        Size (not volume) relative to what is drawn.
    liver_fat_hu : float
        How much darker fat makes the liver, 0 or less.
    gap_mm : float or None
        Fat between the liver and its neighbours; None for the usual 2.5 mm.
    kidney_contact : bool
        The right kidney lies against the liver with `gap_mm` between.
    flexure_up_mm : float
        How much higher the colon turns at the tip of the liver.
    stool : float
        0 to 1: how full the colon is; above 0 its gas gives way to stool.
    lesions : LesionPlan or None
        None draws one of the scenarios.
    timing : tuple of four floats
        How late each phase was taken, in parts of the way to the next phase (early below 0).
    noise, blur : float
        Relative to the scanner that is drawn; a sharp kernel has more noise and less blur.
    breathing_mm : float
        Largest movement of the organs between phases.
    low_mm, high_mm : float or None
        Ends of the field of view in z, counted from L1; None for the usual 240 mm.
    width_mm, depth_mm : float or None
        Field of view in the plane; None for the usual 384 mm.
    """

    wider: float = 1.0
    deeper: float = 1.0
    more_fat_mm: float = 0.0
    arms: str = "away"
    table: bool = True
    hips: bool = False
    nodules_mm: float = 0.0
    ascites_mm: float = 0.0
    liver_volume: float = 1.0
    left_lobe_mm: float = 0.0
    spleen: float = 1.0
    liver_fat_hu: float = 0.0
    gap_mm: float | None = None
    kidney_contact: bool = False
    flexure_up_mm: float = 0.0
    stool: float = 0.0
    lesions: LesionPlan | None = None
    timing: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    noise: float = 1.0
    blur: float = 1.0
    breathing_mm: float = BREATHING_MM
    low_mm: float | None = None
    high_mm: float | None = None
    width_mm: float | None = None
    depth_mm: float | None = None


PLAIN = Variety()
"""The phantom of the examples."""

ARMS = ("away", "down", "folded", "up")


def draw_lesions(rng: np.random.Generator) -> LesionPlan:
    """Draw the lesions of a liver: none in a fifth of all patients, else up to ten.

    Small lesions are more frequent than large ones, and one type prevails, as in patients.
    """
    if rng.uniform() < 0.2:
        return ()
    number = int(min(MOST_LESIONS, 1 + rng.geometric(0.34) - 1))
    main = int(rng.choice(labels.LESION_LABELS))
    plan = []
    for _ in range(number):
        label = main if rng.uniform() < 0.6 else int(rng.choice(labels.LESION_LABELS))
        low, high = _RADIUS_MM[label]
        plan.append((label, float(low * (high / low) ** rng.uniform(0.0, 1.0))))
    return tuple(sorted(plan, key=lambda lesion: -lesion[1]))


def _field_of_view(rng: np.random.Generator) -> dict[str, float]:
    """Draw which part of the body is scanned: in 80 % not all that the phantom has."""
    low, high = -295.0, 185.0
    if rng.uniform() < 0.8:
        low = float(rng.choice((rng.uniform(-295.0, -170.0), rng.uniform(-170.0, -25.0))))
        high = float(rng.choice((rng.uniform(125.0, 185.0), rng.uniform(60.0, 125.0))))
    width = float(rng.uniform(400.0, 500.0))
    if rng.uniform() < 0.2:  # a field that cuts the flanks
        width = float(rng.uniform(300.0, 360.0))
    return {"low_mm": low, "high_mm": high, "width_mm": width, "depth_mm": min(width, 420.0)}


def _liver_options(rng: np.random.Generator) -> dict[str, float | bool]:
    """Draw the state of the liver and what lies against it."""
    options: dict[str, float | bool] = {
        "liver_volume": float(rng.uniform(0.7, 1.4)),
        "spleen": float(np.clip(rng.normal(0.95, 0.12), 0.7, 1.3)),
        "gap_mm": float(rng.uniform(0.4, 3.0)),
        "kidney_contact": bool(rng.uniform() < 0.5),
        "flexure_up_mm": float(rng.choice((0.0, rng.uniform(10.0, 55.0)))),
        "stool": float(rng.choice((0.0, rng.uniform(0.3, 1.0)))),
    }
    if rng.uniform() < 0.35:
        options["left_lobe_mm"] = float(rng.uniform(15.0, 60.0))
    state = rng.uniform()
    if state < 0.25:  # cirrhosis
        options["nodules_mm"] = float(rng.uniform(0.8, 2.4))
        options["liver_volume"] = float(rng.uniform(0.55, 1.05))
        options["spleen"] = float(rng.uniform(1.05, 1.5))
        if rng.uniform() < 0.5:
            options["ascites_mm"] = float(rng.uniform(2.0, 14.0))
    elif state < 0.5:
        options["liver_fat_hu"] = float(-rng.uniform(8.0, 55.0))
        options["liver_volume"] = float(rng.uniform(0.95, 1.5))
    return options


def draw(seed: int) -> Variety:
    """Draw a patient and a scan as training needs them. The same seed gives the same."""
    # a stream apart from those of the patient, which use the bare seed
    rng = np.random.default_rng([seed, 0x5CA1E])
    wider = float(rng.uniform(0.90, 1.16))
    noise = float(np.exp(rng.normal(0.1, 0.5)))
    timing = np.clip(rng.normal(0.0, 0.16, len(PHASES)), -0.4, 0.4)
    timing[0] = 0.0  # nothing has been given yet
    return Variety(
        wider=wider,
        deeper=float(np.clip(wider * rng.normal(1.0, 0.07), 0.85, 1.25)),
        more_fat_mm=float(max(0.0, rng.normal(4.0, 12.0))),
        arms=str(rng.choice(ARMS, p=(0.35, 0.3, 0.1, 0.25))),
        table=bool(rng.uniform() < 0.8),
        hips=True,
        lesions=draw_lesions(rng),
        timing=tuple(float(t) for t in timing),  # type: ignore[arg-type]
        noise=float(np.clip(noise, 0.4, 3.0)),
        blur=float(rng.uniform(0.6, 1.8)),
        breathing_mm=float(rng.uniform(0.0, 8.0)),
        **_liver_options(rng),  # type: ignore[arg-type]
        **_field_of_view(rng),  # type: ignore[arg-type]
    )


def delayed(hu: NDArray[np.float32], timing: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the HU that a badly timed scan shows.

    Parameters
    ----------
    hu : ndarray of float32, shape (n, 4)
        HU of n materials in NC, ART, PV, DL at the right times.
    timing : tuple of four floats
        Parts of the way to the next phase (above 0) or back to the one before (below 0).

    Returns
    -------
    ndarray of float32, shape (n, 4)
    """
    last = len(PHASES) - 1
    places = np.clip(np.arange(last + 1) + np.asarray(timing), 0.0, last)
    low = np.minimum(places.astype(int), last - 1)
    part = (places - low).astype(np.float32)
    moved: NDArray[np.float32] = hu[:, low] * (1 - part) + hu[:, low + 1] * part
    return moved
