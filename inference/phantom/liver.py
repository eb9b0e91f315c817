"""The liver: lobes under the dome, imprints of the neighbours, fissures and hilum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import (
    Field,
    Values,
    ellipsoid,
    on_box,
    rotation_ras,
    smooth_max,
    tube,
    union,
)
from inference.phantom.great_vessels import GreatVessels
from inference.phantom.grids import Box, vec
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.organs import bumpy
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk
from inference.phantom.variety import PLAIN, Variety

VOLUME_ML = (900.0, 2200.0)
_GAP_MM = 2.5


@dataclass(frozen=True)
class Liver:
    """Shape and landmarks of a liver.

    Parameters
    ----------
    shape : Field
        Negative inside.
    cava_ras : ndarray of three
        Where the hepatic veins end.
    hilum_ras : ndarray of three
        Where the portal vein divides.
    fossa_ras : ndarray of three
        The gallbladder's fundus.
    fissure_x_mm : float
        Plane between segments 4 and 2/3.
    """

    shape: Field
    cava_ras: NDArray[np.float64]
    hilum_ras: NDArray[np.float64]
    fossa_ras: NDArray[np.float64]
    fissure_x_mm: float

    def segment(self, point_ras: NDArray[np.float64]) -> str:
        """Return the Couinaud segment of a point inside the liver."""
        x, y, z = (float(v) for v in point_ras)
        upper = z > self.hilum_ras[2] + 4.0
        offset = point_ras - self.cava_ras
        if abs(offset[0]) < 22.0 and -6.0 < offset[1] < 24.0 and z < self.cava_ras[2] - 12.0:
            return "1"
        # Cantlie's plane runs from the cava to the gallbladder
        along = self.fossa_ras[:2] - self.cava_ras[:2]
        right = along[1] * (x - self.cava_ras[0]) - along[0] * (y - self.cava_ras[1])
        if right < 0.0:
            if x < self.fissure_x_mm:
                return "2" if upper else "3"
            return "4a" if upper else "4b"
        # the right hepatic vein splits the right lobe along a line to the side
        anterior = (y - self.cava_ras[1]) > 0.35 * (x - self.cava_ras[0])
        if anterior:
            return "8" if upper else "5"
        return "7" if upper else "6"


def _lobes(scene: Scene, body: Body, rng: np.random.Generator, left_mm: float) -> Field:
    """Return the union of the lobes, larger than the room they will be cut to.

    The left lobe reaches `left_mm` further than usual, as a thin tongue.
    """
    grid = scene.grid
    scale = body.scale
    reach = rng.uniform(0.0, 1.0)
    tip = rng.uniform(-10.0, 12.0)

    def lobe(
        centre: tuple[float, float, float], radii: tuple[float, float, float], **turn: float
    ) -> Field:
        at = body.place(centre)[0] + rng.normal(0.0, 2.0, 3)
        return ellipsoid(grid, at, np.array(radii) * scale, rotation_ras(**turn), margin_mm=30.0)

    lobes = [
        lobe((88, 28, 36), (62, 76, 88 + tip), x_deg=14.0, y_deg=8.0),
        lobe((64, 46, 62), (66, 72, 52)),
        lobe((30, 80, 52), (52, 52, 44), x_deg=-12.0),
        lobe((-22 - 12 * reach, 84, 66), (58, 34, 27), y_deg=-10.0, z_deg=-14.0),
        lobe((-62 - 16 * reach, 70, 74), (34, 24, 15), y_deg=-4.0, z_deg=-24.0),
        lobe((20, 46, 56), (23, 16, 30)),
    ]
    if left_mm > 0.0:
        half = 30.0 + 0.5 * left_mm
        tongue = lobe((-52 - half, 78, 66), (half + 14.0, 26, 11), y_deg=-4.0, z_deg=-22.0)
        lobes.append(tongue)
    return union(grid, lobes, 18.0)


def _cuts(
    scene: Scene,
    shape: Field,
    body: Body,
    vessels: GreatVessels,
    fissure_x: float,
    rng: np.random.Generator,
) -> Values:
    """Return the field of fissures and hilum, negative in what they take away."""
    grid = scene.grid
    z, y, x = np.ix_(*grid.axes(shape.box))
    sy, sz = body.scale[1], body.scale[2]
    # ligamentum teres: a slit from the lower edge up to the umbilical portion of the portal vein
    wave = smooth_noise(rng, grid.crop(shape.box), 26.0)
    lean = fissure_x + 0.10 * (y - 80.0 * sy) + 2.0 * wave
    slit = np.abs(x - lean) - 0.5 - 0.04 * np.maximum(48.0 * sz - z, 0.0)
    slit = np.maximum(slit, z - 50.0 * sz)
    slit = np.maximum(slit, (74.0 * sy + 0.9 * np.maximum(z - 20.0, 0.0)) - y)
    # ligamentum venosum: between the caudate lobe and the left lateral segment
    plane = 0.82 * (y - 66.0 * sy) - 0.30 * (x - 14.0) - 0.30 * (z - 60.0 * sz) + 4.0 * wave
    venous = np.maximum(np.abs(plane) - 0.7, x - 26.0)
    venous = np.maximum(np.maximum(venous, -22.0 - x), np.abs(z - 55.0 * sz) - 17.0)
    # fat goes with the portal vein up to where it enters
    sheath = np.interp(np.arange(len(vessels.portal)), [0, 5, 11], [10.0, 8.5, 5.0])
    hilum = tube(grid, vessels.portal, sheath, margin_mm=14.0)
    cuts = np.minimum(np.minimum(slit, venous), on_box(hilum, shape.box))
    result: Values = cuts.astype(np.float32)
    return result


def _diseased(
    scene: Scene,
    box: Box,
    values: Values,
    wall: Values,
    variety: Variety,
    rng: np.random.Generator,
) -> tuple[Values, Values]:
    """Make the surface nodular and paint the ascites; return the liver and the wall around it."""
    grid = scene.grid.crop(box)
    # folded noise: round nodules with sharp clefts between
    nodules = np.float32(0.8) - np.abs(smooth_noise(rng, grid, 9.0))
    values = values + np.float32(1.7 * variety.nodules_mm) * nodules
    if variety.ascites_mm > 0.0:
        width = variety.ascites_mm * np.clip(1.0 + 0.5 * smooth_noise(rng, grid, 60.0), 0.0, 2.0)
        fluid = np.maximum(values - width.astype(np.float32), np.float32(0.3) - scene.room(box))
        scene.paint(Field(box, np.maximum(fluid, wall)), Material.ASCITES)
        wall = wall + width.astype(np.float32)
    return values, wall


def keep_off(
    scene: Scene, spine: Spine, box: Box, variety: Variety, bed: Field | None = None
) -> Values:
    """Return the field of the room of others, positive where the liver must not be.

    Parameters
    ----------
    bed : Field, optional
        Of the right kidney, which the liver does not enter.
    """
    gap_mm = _GAP_MM if variety.gap_mm is None else variety.gap_mm
    limit: Values = np.float32(gap_mm) - scene.room(box)
    if bed is not None:
        limit = smooth_max(limit, -on_box(bed, box), 6.0)
    # spine, crura and aorta have a space of their own
    column = [spine.point(z) + vec(-3.0, 18.0, 0.0) for z in np.arange(-60.0, 161.0, 20.0)]
    space = tube(scene.grid, column, 27.0, margin_mm=14.0)
    return smooth_max(limit, -on_box(space, box), 4.0)


def settle_liver(
    scene: Scene, lobes: Field, wall: Values, variety: Variety, rng: np.random.Generator
) -> Field:
    """Give the lobes their disease, cut them to the wall, paint and claim them; return the shape.

    Parameters
    ----------
    lobes : Field
        Cut to what the neighbours leave.
    wall : ndarray of float32, shape of the lobes' box
        Field of the space under the diaphragm, negative inside.
    """
    values = lobes.values
    if variety != PLAIN:
        values, wall = _diseased(scene, lobes.box, values, wall, variety, rng)
    shape = Field(lobes.box, np.maximum(values, wall))
    scene.paint(shape, Material.LIVER)
    scene.claim(shape)
    return shape


def cava_end(body: Body, vessels: GreatVessels) -> NDArray[np.float64]:
    """Return where the hepatic veins end in the cava."""
    height = 0.84 * body.dome_mm
    x, y = (float(np.interp(height, vessels.cava[:, 2], vessels.cava[:, n])) for n in range(2))
    return vec(x, y, height)


def make_liver(
    scene: Scene,
    body: Body,
    spine: Spine,
    trunk: Trunk,
    vessels: GreatVessels,
    bed: Field,
    rng: np.random.Generator,
    variety: Variety = PLAIN,
) -> Liver:
    """Shape, paint and claim the liver, and the ascites around it.

    The lobes are moved in or out, evenly over their surface, until what is left after all cuts
    has the volume drawn for the patient.
    """
    grid = scene.grid
    wanted_ml = float(np.clip(rng.normal(1480.0, 260.0), *VOLUME_ML)) * float(np.prod(body.scale))
    fissure_x = float(body.place((8, 0, 0))[0][0] + rng.normal(0.0, 4.0))
    lobes = bumpy(scene, _lobes(scene, body, rng, variety.left_lobe_mm), rng, 45.0, 2.0)
    box = lobes.box
    limit = keep_off(scene, spine, box, variety, None if variety.kidney_contact else bed)
    limit = smooth_max(limit, -_cuts(scene, lobes, body, vessels, fissure_x, rng), 2.0)
    # the liver lies on the wall and on the diaphragm without a gap
    wall = np.maximum(trunk.cavity[box], trunk.abdomen[box] + np.float32(0.6))
    free = np.sort(lobes.values[np.maximum(limit, wall) < 0.0])
    wanted = int(np.clip(wanted_ml, *VOLUME_ML) * variety.liver_volume / grid.voxel_ml)
    grow_mm = np.clip(free[min(wanted, free.size - 1)], -14.0, 12.0)
    values = smooth_max(lobes.values - np.float32(grow_mm), limit, 3.0)
    shape = settle_liver(scene, Field(box, values), wall, variety, rng)
    fossa = body.place((62, 90, -18))[0]
    return Liver(shape, cava_end(body, vessels), vessels.portal[-1], fossa, fissure_x)
