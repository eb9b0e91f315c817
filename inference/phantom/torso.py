"""The container of the organs: skin, fat, muscle wall, cavity, diaphragm, lungs and table.

The origin of the patient is the centre of the L1 body. Sizes follow a thorax CT of an adult:
half width 150 mm, half depth 118 mm, right diaphragm dome 105 mm above L1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, Values, smooth_max, smooth_min, upsample
from inference.phantom.grids import Grid
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.scene import Scene

COARSE_MM = 5.0


@dataclass(frozen=True)
class Body:
    """Build of one patient.

    Parameters
    ----------
    half_width_mm, half_depth_mm : float
        Half axes of the trunk at L1.
    fat_mm : float
        Mean thickness of the fat under the skin.
    muscle_mm : float
        Thickness of the lateral wall.
    dome_mm : float
        Height of the right diaphragm above L1.
    age_years : float
    """

    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    muscle_mm: float
    dome_mm: float
    age_years: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Body:
        """Draw a patient; wide ones are also thicker and fatter."""
        size = rng.uniform(0.0, 1.0)
        return cls(
            half_width_mm=147.0 + 22.0 * size + rng.uniform(-3.0, 3.0),
            half_depth_mm=107.0 + 16.0 * size + rng.uniform(-4.0, 4.0),
            fat_mm=5.0 + 11.0 * size + rng.uniform(-1.5, 4.0),
            muscle_mm=rng.uniform(10.0, 13.5),
            dome_mm=rng.uniform(98.0, 110.0),
            age_years=rng.uniform(38.0, 82.0),
        )

    def built(self, wider: float, deeper: float, more_fat_mm: float) -> Body:
        """Return this body larger, organs and all, and with more fat around the same organs."""
        return replace(
            self,
            half_width_mm=self.half_width_mm * wider + more_fat_mm,
            half_depth_mm=self.half_depth_mm * deeper + more_fat_mm,
            fat_mm=self.fat_mm + more_fat_mm,
        )

    @property
    def scale(self) -> NDArray[np.float64]:
        """Size of the inside relative to the standard patient, along x, y and z."""
        inside = np.array([self.half_width_mm, self.half_depth_mm]) - self.fat_mm
        return np.array([inside[0] / 142.0, inside[1] / 110.0, self.dome_mm / 105.0])

    def place(self, *points: tuple[float, float, float]) -> NDArray[np.float64]:
        """Return points given for the standard patient, shape (n, 3), in this patient."""
        return np.asarray(points, dtype=np.float64) * self.scale


@dataclass(frozen=True)
class Trunk:
    """Fields of the container on the scene's grid (negative inside).

    Parameters
    ----------
    skin : ndarray of float32, shape (nk, nj, ni)
        The whole body.
    muscle : ndarray
        What lies under the fat.
    cavity : ndarray
        What lies inside the muscle wall.
    abdomen : ndarray
        The space under the diaphragm; unbounded below and sideways.
    """

    skin: Values
    muscle: Values
    cavity: Values
    abdomen: Values


def centre_y_mm(body: Body, z: Values) -> Values:
    """Return the y of the trunk's axis: it leans back towards the chest."""
    return np.float32(0.27 * body.half_depth_mm) - np.float32(0.13) * z


def _skin_depth(body: Body, z: Values, y: Values, x: Values) -> Values:
    """Return the depth below the skin of points given as open (broadcastable) axes."""
    ahead = y - centre_y_mm(body, z)
    groove = 1.0 - 0.055 * np.exp(-((x / 20.0) ** 2)) * (ahead < 0)
    half_width = body.half_width_mm * (1.0 - 0.025 * np.exp(-(((z + 55.0) / 45.0) ** 2)))
    half_depth = body.half_depth_mm * groove
    power = 2.35
    u = np.abs(x) / half_width
    v = np.abs(ahead) / half_depth
    inner = u**power + v**power + 1e-6
    radius = inner ** (1.0 / power)
    slope = radius ** (1.0 - power) * np.sqrt(
        (u ** (power - 1.0) / half_width) ** 2 + (v ** (power - 1.0) / half_depth) ** 2
    )
    depth: Values = (1.0 - radius) / np.maximum(slope, 4e-3)
    return depth


def _wall(body: Body, z: Values, y: Values, x: Values) -> tuple[Values, Values]:
    """Return the thickness of fat and of muscle around the cavity."""
    ahead = (y - centre_y_mm(body, z)) / body.half_depth_mm
    aside = np.abs(x) / body.half_width_mm
    flank = np.exp(-(((aside - 0.75) / 0.3) ** 2) - ((ahead + 0.35) / 0.4) ** 2)
    belly = np.exp(-((aside / 0.5) ** 2)) * np.clip(ahead, 0.0, 1.0)
    fat = body.fat_mm * (0.75 + 0.55 * flank + 0.45 * belly) * (1.0 - 0.0022 * z)
    behind = 1.0 / (1.0 + np.exp((ahead + 0.30) / 0.07))
    chest = 1.0 / (1.0 + np.exp(-(z - 20.0) / 18.0))
    loins = 0.36 * body.half_depth_mm
    loins = loins * np.exp(-((np.abs(x) / ((78.0 - 22.0 * chest) * body.scale[0])) ** 4))
    muscle = body.muscle_mm * (1.0 + 0.12 * chest - 0.25 * belly) + loins * behind
    return fat, muscle


def cavity_depth_mm(body: Body, points_ras: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how deep points ``[n, (x, y, z)]`` lie inside the muscle wall; negative outside."""
    x, y, z = points_ras.T.astype(np.float32)
    fat, muscle = _wall(body, z, y, x)
    return (_skin_depth(body, z, y, x) - fat - muscle).astype(np.float64)


def _hemidome(
    z: Values, y: Values, x: Values, centre: NDArray[np.float64], radii: NDArray[np.float64]
) -> Values:
    """Return the field below one half of the diaphragm, open downwards."""
    # the diaphragm reaches further down at the back
    back = 12.0 * np.logaddexp(0.0, (centre[1] - y) / 12.0)
    up = np.maximum(z - centre[2] + 0.42 * back, 0.0)
    offset = [(x - centre[0]) / radii[0], (y - centre[1]) / radii[1], up / radii[2]]
    near = np.sqrt(sum(o * o for o in offset) + 1e-6)
    steep = np.sqrt(sum((o / r) ** 2 for o, r in zip(offset, radii, strict=True)) + 1e-9)
    dome: Values = near * (near - 1.0) / steep
    return dome


def make_trunk(body: Body, grid: Grid, rng: np.random.Generator) -> Trunk:
    """Compute the container on a coarse grid and interpolate it: its surfaces are smooth."""
    coarse = grid.coarse(COARSE_MM)
    z, y, x = np.ix_(*coarse.axes())
    ripple = smooth_noise(rng, coarse, 60.0)
    depth = _skin_depth(body, z, y, x) + 1.2 * ripple
    fat, muscle = _wall(body, z, y, x)
    fat = np.maximum(fat + 0.08 * body.fat_mm * smooth_noise(rng, coarse, 50.0), 2.0)
    wide, deep, _ = body.scale

    def hemidome(
        centre: tuple[float, float, float], width_mm: float, depth_mm: float, rise: float
    ) -> Values:
        radii = np.array([width_mm, depth_mm, rise * body.dome_mm])
        return _hemidome(z, y, x, body.place(centre)[0], radii)

    right = hemidome((60, 42, 0), 88.0 * wide, 104.0 * deep, 1.0)
    left = hemidome((-66, 34, -16), 82.0 * wide, 104.0 * deep, 1.0)
    middle = hemidome((0, 40, 0), 104.0, 128.0, 0.64)
    dome = smooth_min(smooth_min(right, left, 30.0), middle, 16.0) + 1.5 * ripple
    fields = (-depth, fat - depth, fat + muscle - depth, dome)
    return Trunk(*(upsample(f.astype(np.float32), coarse, grid) for f in fields))


def paint_trunk(scene: Scene, body: Body, trunk: Trunk, table: bool = True) -> None:
    """Paint skin, fat, the muscle wall with its layers, the fat of the cavity and the table."""
    grid = scene.grid
    z, y, x = np.ix_(*grid.axes())
    scene.paint(Field(grid.whole, trunk.skin), Material.SKIN)
    scene.paint(Field(grid.whole, trunk.skin), Material.FAT, offset_mm=1.8)
    scene.paint(Field(grid.whole, trunk.muscle), Material.MUSCLE)
    # below the ribs the flank is three flat muscles with fat between them
    flank = np.abs(x) - float(70.0 * body.scale[0]) + 0.25 * np.abs(y - centre_y_mm(body, z))
    below = np.minimum(flank, 0.6 * (5.0 - z))
    for part in (0.36, 0.7):
        sheet = np.abs((1.0 - part) * trunk.muscle + part * trunk.cavity) - 0.35
        scene.paint(Field(grid.whole, np.maximum(sheet, 1.0 - below)), Material.FAT, limit=0.35)
    scene.paint(Field(grid.whole, trunk.cavity), Material.FAT)
    if table:
        _paint_table(scene, body)


def _paint_table(scene: Scene, body: Body) -> None:
    """Paint the curved table top under the patient, if it is in the field of view."""
    grid = scene.grid
    z, y, x = np.ix_(*grid.axes())
    back = float(centre_y_mm(body, np.zeros(1, dtype=np.float32))[0]) - body.half_depth_mm
    radius_mm = 900.0
    top = back - 22.0 + radius_mm
    arc = np.sqrt(x**2 + (y - top) ** 2) - radius_mm
    plate = np.maximum(np.abs(arc - 8.0) - 8.0, np.abs(x) - 200.0) + 0.0 * z
    shell = np.abs(plate + 1.5) - 1.5
    for values, material in ((plate, Material.TABLE_CORE), (shell, Material.TABLE)):
        scene.paint(Field(grid.whole, values.astype(np.float32)), material)


def paint_lungs(scene: Scene, trunk: Trunk, mediastinum: Field) -> None:
    """Paint the lungs: what is above the diaphragm, inside the ribs and beside the mediastinum."""
    grid = scene.grid
    air = np.maximum(trunk.cavity + 1.5, 1.5 - trunk.abdomen)
    air[mediastinum.box] = smooth_max(air[mediastinum.box], -mediastinum.values, 4.0)
    # a muscle sheet lines the lung where it lies on the diaphragm
    sheet = np.maximum(np.abs(trunk.abdomen) - 1.1, trunk.cavity)
    scene.paint(Field(grid.whole, sheet), Material.MUSCLE, limit=0.85)
    scene.paint(Field(grid.whole, air), Material.LUNG)
