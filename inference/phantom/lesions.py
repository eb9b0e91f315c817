"""Focal liver lesions of six types: where they sit, their parts, and how these enhance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES
from inference.phantom import labels
from inference.phantom.fields import Field, Values, ellipsoid, on_box, rotation_ras, tube, union
from inference.phantom.liver import Liver
from inference.phantom.materials import Material, Palette
from inference.phantom.noise import smooth_noise
from inference.phantom.scene import Scene
from inference.phantom.variety import LesionPlan

Hu = tuple[float, float, float, float]

SCENARIOS: dict[str, tuple[tuple[int, tuple[int, int], tuple[float, float]], ...]] = {
    "hcc": ((labels.HCC, (1, 3), (9.0, 27.0)), (labels.CYST, (0, 2), (4.0, 9.0))),
    "metastases": ((labels.METASTASIS, (3, 8), (5.0, 17.0)), (labels.CYST, (0, 1), (4.0, 8.0))),
    "hemangioma": ((labels.HEMANGIOMA, (1, 2), (10.0, 25.0)), (labels.CYST, (1, 2), (4.0, 12.0))),
    "icc": ((labels.ICC, (1, 1), (20.0, 34.0)), (labels.ICC, (0, 2), (5.0, 8.0))),
    "fnh": ((labels.FNH, (1, 1), (15.0, 27.0)), (labels.HEMANGIOMA, (0, 1), (8.0, 12.0))),
    "mixed": (
        (labels.HCC, (1, 2), (8.0, 20.0)),
        (labels.HEMANGIOMA, (1, 1), (8.0, 16.0)),
        (labels.CYST, (1, 3), (4.0, 10.0)),
    ),
    "cysts": ((labels.CYST, (2, 5), (5.0, 20.0)),),
    "none": (),
}
"""By name: (label, least and most lesions, least and largest radius in mm)."""

# mean HU in NC, ART, PV, DL of each part, by label
_PARTS: dict[int, dict[str, Hu]] = {
    labels.HCC: {
        "core": (47.0, 115.0, 100.0, 74.0),
        "capsule": (48.0, 84.0, 108.0, 105.0),
        "necrosis": (32.0, 36.0, 38.0, 38.0),
    },
    labels.ICC: {"rim": (40.0, 88.0, 105.0, 90.0), "core": (38.0, 48.0, 65.0, 98.0)},
    labels.METASTASIS: {"rim": (40.0, 85.0, 98.0, 82.0), "core": (36.0, 45.0, 55.0, 68.0)},
    labels.HEMANGIOMA: {
        "nodules": (38.0, 0.0, 165.0, 112.0),
        "early": (38.0, 44.0, 160.0, 110.0),
        "late": (38.0, 43.0, 52.0, 108.0),
        "core": (38.0, 42.0, 48.0, 58.0),
    },
    labels.FNH: {"core": (51.0, 118.0, 112.0, 93.0), "scar": (44.0, 58.0, 74.0, 116.0)},
    labels.CYST: {"core": (7.0, 7.0, 7.0, 7.0)},
}
_PART_SD: dict[int, float] = {
    labels.HCC: 7.0,
    labels.ICC: 5.0,
    labels.METASTASIS: 5.0,
    labels.HEMANGIOMA: 3.0,
    labels.FNH: 6.0,
    labels.CYST: 4.0,
}
_GRAIN: dict[int, tuple[float, float, float]] = {
    labels.HCC: (4.0, 9.0, 4.0),
    labels.ICC: (4.0, 6.0, 3.0),
    labels.METASTASIS: (4.0, 5.0, 2.0),
    labels.HEMANGIOMA: (2.0, 3.0, 1.0),
    labels.FNH: (3.0, 3.0, 1.0),
    labels.CYST: (1.0, 1.0, 0.0),
}
# roughness of the outline: wavelength and SD as parts of the radius
_OUTLINE: dict[int, tuple[float, float]] = {
    labels.HCC: (1.1, 0.06),
    labels.ICC: (0.8, 0.13),
    labels.METASTASIS: (0.9, 0.08),
    labels.HEMANGIOMA: (0.8, 0.10),
    labels.FNH: (0.7, 0.08),
    labels.CYST: (1.5, 0.03),
}
HEMANGIOMA_NODULE_SHARE = 0.8
"""Arterial enhancement of the nodules of a hemangioma, relative to the aorta."""


@dataclass(frozen=True)
class Lesion:
    """A lesion as painted.

    Parameters
    ----------
    label : int
        One of `labels.LESION_LABELS`.
    centre_ras : ndarray of three
    radius_mm : float
        Mean radius of the ellipsoid it was made from.
    segment : str
        Couinaud segment of the centre.
    codes : tuple of int
        Material codes of its parts in the scene.
    """

    label: int
    centre_ras: NDArray[np.float64]
    radius_mm: float
    segment: str
    codes: tuple[int, ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of its type."""
        return labels.LABEL_NAMES[self.label]


def draw_plan(scenario: str, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Return (label, radius in mm) of the lesions of a patient, the largest first."""
    plan = []
    for label, (least, most), (small, large) in SCENARIOS[scenario]:
        n = int(rng.integers(least, most + 1))
        plan += [(label, float(radius)) for radius in rng.uniform(small, large, n)]
    return sorted(plan, key=lambda lesion: -lesion[1])


def place(
    depth: Field,
    scene: Scene,
    radius_mm: float,
    taken: list[Lesion],
    vessel_points: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], float] | None:
    """Find a place in the liver for a lesion.

    Parameters
    ----------
    depth : Field
        The liver, negative inside.
    scene : Scene
    radius_mm : float
        Wanted radius; a smaller one is tried where this one has no room.
    taken : list of Lesion
        Lesions to keep away from.
    vessel_points : ndarray, shape (n, 3)
        Points of the large vessels to keep away from.
    rng : Generator

    Returns
    -------
    (centre_ras, radius_mm) or None if there is no room even for a small one.
    """
    grid = scene.grid.crop(depth.box)
    radius = radius_mm
    for _ in range(6):
        inside = np.argwhere(depth.values < -(0.75 * radius + 1.0))
        if len(inside):
            picks = inside[rng.choice(len(inside), size=min(300, len(inside)), replace=False)]
            for centre in grid.to_ras(picks):
                near = [np.linalg.norm(o.centre_ras - centre) - o.radius_mm for o in taken]
                clear = len(vessel_points) == 0 or (
                    np.linalg.norm(vessel_points - centre, axis=1).min() > 0.75 * radius + 3.0
                )
                if clear and min(near, default=np.inf) > radius * 1.15 + 5.0:
                    return centre, radius
        radius *= 0.8
    return None


def paint_scenario(
    scene: Scene,
    palette: Palette,
    liver: Liver,
    scenario: str | None,
    vessel_points: NDArray[np.float64],
    rng: np.random.Generator,
    plan: LesionPlan | None = None,
) -> list[Lesion]:
    """Place and paint the lesions of a scenario; those that find no room are left out.

    Parameters
    ----------
    scene : Scene
    palette : Palette
        Gets the materials of the lesions.
    liver : Liver
    scenario : str or None
        Key of `SCENARIOS`; drawn when None.
    vessel_points : ndarray, shape (n, 3)
        Points of the large vessels to keep away from.
    rng : Generator
    plan : LesionPlan, optional
        Instead of a scenario: the lesions wanted, the largest first.
    """
    if plan is None:
        chosen = str(rng.choice(list(SCENARIOS))) if scenario is None else scenario
        plan = tuple(draw_plan(chosen, rng))
    painted: list[Lesion] = []
    for label, wanted in plan:
        spot = place(liver.shape, scene, wanted, painted, vessel_points, rng)
        if spot is not None:
            number = len(painted) + 1
            painted.append(paint_lesion(scene, palette, liver, label, number, *spot, rng))
    return painted


def _part_codes(
    label: int, number: int, palette: Palette, rng: np.random.Generator
) -> dict[str, int]:
    """Add the materials of a lesion to the palette: the table, moved with the patient's liver."""
    follows = label not in (labels.CYST, labels.HEMANGIOMA)
    shift = palette.shift_from_table(Material.LIVER) if follows else np.zeros(len(PHASES))
    shift = shift + rng.normal(0.0, _PART_SD[label] * 0.5) + rng.normal(0.0, 1.5, len(PHASES))
    codes = {}
    for part, table in _PARTS[label].items():
        hu = np.asarray(table) + shift
        if part == "nodules":
            art = PHASES.index("ART")
            hu[art] = HEMANGIOMA_NODULE_SHARE * palette.hu[Material.AORTA, art]
        name = f"{labels.LABEL_NAMES[label].lower()} {number} {part}"
        codes[part] = palette.add(name, hu, _GRAIN[label], label)
    return codes


def _shape(
    scene: Scene,
    liver: Field,
    label: int,
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> Field:
    """Return the outline of a lesion, inside the liver."""
    grid = scene.grid
    radii = radius * np.clip(rng.normal(1.0, 0.08, 3), 0.85, 1.15)
    turn = rotation_ras(*rng.uniform(-90.0, 90.0, 3))
    shape = ellipsoid(grid, centre, radii, turn, margin_mm=0.35 * radius + 4.0)
    wave, rough = _OUTLINE[label]
    noise = smooth_noise(rng, grid.crop(shape.box), max(wave * radius, 3.0))
    values = shape.values + np.float32(rough * radius) * noise
    inside = on_box(liver, shape.box)
    return Field(shape.box, np.maximum(values, inside + np.float32(0.8)))


def paint_lesion(
    scene: Scene,
    palette: Palette,
    liver: Liver,
    label: int,
    number: int,
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> Lesion:
    """Paint one lesion over the liver and return it."""
    shape = _shape(scene, liver.shape, label, centre, radius, rng)
    codes = _part_codes(label, number, palette, rng)
    painter = {
        labels.HCC: _paint_hcc,
        labels.ICC: _paint_rim_and_core,
        labels.METASTASIS: _paint_rim_and_core,
        labels.HEMANGIOMA: _paint_hemangioma,
        labels.FNH: _paint_fnh,
        labels.CYST: _paint_cyst,
    }[label]
    painter(scene, shape, codes, centre, radius, rng)
    return Lesion(label, centre, radius, liver.segment(centre), tuple(codes.values()))


def _noise(scene: Scene, shape: Field, scale_mm: float, rng: np.random.Generator) -> Values:
    return smooth_noise(rng, scene.grid.crop(shape.box), scale_mm)


def _paint_hcc(
    scene: Scene,
    shape: Field,
    codes: dict[str, int],
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Paint a nodule with a thin capsule; a large one has lost its middle here and there."""
    scene.paint(shape, codes["capsule"])
    scene.paint(shape, codes["core"], offset_mm=1.5)
    if radius > 17.0:
        holes = 0.30 * radius * (1.1 - _noise(scene, shape, 0.7 * radius, rng))
        inner = np.maximum(shape.values + np.float32(0.35 * radius), holes.astype(np.float32))
        scene.paint(Field(shape.box, inner), codes["necrosis"])


def _paint_rim_and_core(
    scene: Scene,
    shape: Field,
    codes: dict[str, int],
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Paint an uneven rim around a core."""
    rim = np.clip(0.24 * radius, 1.6, 5.5)
    depth = shape.values + np.float32(rim) * (1.0 + 0.35 * _noise(scene, shape, 0.6 * radius, rng))
    scene.paint(shape, codes["rim"])
    scene.paint(Field(shape.box, depth.astype(np.float32)), codes["core"])


def _paint_hemangioma(
    scene: Scene,
    shape: Field,
    codes: dict[str, int],
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Paint zones that fill one after the other from the rim, and nodules on the rim."""
    noise = _noise(scene, shape, max(0.4 * radius, 3.0), rng)
    scene.paint(shape, codes["early"])
    for part, code in ((0.30, codes["late"]), (0.66, codes["core"])):
        depth = shape.values + np.float32(radius) * (part + 0.17 * noise)
        scene.paint(Field(shape.box, depth.astype(np.float32)), code)
    nodules = []
    for _ in range(int(rng.integers(8, 14))):
        way = rng.normal(0.0, 1.0, 3)
        way /= np.linalg.norm(way)
        size = radius * rng.uniform(0.16, 0.30)
        nodules.append(ellipsoid(scene.grid, centre + way * (radius - 0.7 * size), [size] * 3))
    globes = union(scene.grid, nodules, 1.0)
    inside = np.maximum(globes.values, on_box(shape, globes.box))
    scene.paint(Field(globes.box, inside), codes["nodules"])


def _paint_fnh(
    scene: Scene,
    shape: Field,
    codes: dict[str, int],
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Paint an even mass with a star-shaped scar."""
    scene.paint(shape, codes["core"])
    rays = []
    for _ in range(int(rng.integers(5, 8))):
        way = rng.normal(0.0, 1.0, 3)
        way /= np.linalg.norm(way)
        tip = centre + way * radius * rng.uniform(0.45, 0.72)
        rays.append(tube(scene.grid, np.array([centre, tip]), [0.13 * radius, 0.05 * radius]))
    star = union(scene.grid, rays, 1.5)
    inside = np.maximum(star.values, on_box(shape, star.box) + np.float32(1.5))
    scene.paint(Field(star.box, inside), codes["scar"])


def _paint_cyst(
    scene: Scene,
    shape: Field,
    codes: dict[str, int],
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Paint clear fluid."""
    scene.paint(shape, codes["core"])
