"""Organs of a donor in a phantom: fitted, bent, cut to the room there is, and painted.

Each organ goes to where the phantom would have its own and keeps off what was there before it:
wall, diaphragm, spine and large vessels. Fat fills what it leaves. Whatever is grown or painted
into organs (trees, lesions, nodules) grows into these as into any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom import organs
from inference.phantom.donors import KIDNEYS, MARGIN_MM, Donor, Point
from inference.phantom.fields import (
    Field,
    Values,
    ellipsoid,
    on_box,
    rotation_ras,
    smooth_max,
    tube,
)
from inference.phantom.great_vessels import GreatVessels
from inference.phantom.grids import Box, Grid, vec
from inference.phantom.liver import Liver, cava_end, keep_off, settle_liver
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk
from inference.phantom.variety import Variety

_BEND_MM = 3.5
_BEND_SCALE_MM = 55.0
_LIVER_GAP_MM = 27.0
_SPLEEN_GAP_MM = 8.0
"""Fat between an organ and its wall that is thinner than this is closed."""

_LONGEST_PANCREAS_MM = 135.0
_LEAST_KEPT = 0.85
"""Part of a spleen that must lie inside the wall; else it is moved inwards."""

_LIVER_ML = (950.0, 1850.0)
"""Volume of a liver before it is laid on its wall, which adds up to a fifth."""

_VOLUME_ML = {
    "spleen": (190.0, 45.0, 110.0, 330.0),
    "kidney_right": (165.0, 22.0, 120.0, 215.0),
    "kidney_left": (170.0, 22.0, 120.0, 215.0),
    "pancreas": (85.0, 14.0, 55.0, 120.0),
    "gallbladder": (26.0, 9.0, 12.0, 50.0),
}
"""Mean, SD and range of the volumes that organs are scaled to."""


def _laid_on(values: Values, wall: Values, grid: Grid, gap_mm: float) -> Values:
    """Close thin gaps between an organ and its wall, straight towards the wall.

    Parameters
    ----------
    values, wall : ndarray of float32, same shape
        Fields of the organ and of the space inside the wall, negative inside.
    gap_mm : float
        Up to this wide.
    """
    spacing = np.asarray(grid.spacing_mm[::-1])
    near = np.argwhere((values > -4.0) & (values < gap_mm) & (wall > -2.0 * gap_mm) & (wall < 6.0))
    if not len(near):
        return values
    along = [np.gradient(wall, step, axis=axis) for axis, step in enumerate(spacing)]
    slope = np.stack(along, axis=-1)[tuple(near.T)]
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-3)
    out = values.copy()
    for step_mm in np.arange(3.0, gap_mm + 0.1, 3.0):
        deeper = (near - slope * step_mm / spacing).T
        found = ndimage.map_coordinates(values, deeper, order=1, mode="nearest")
        out[tuple(near.T)] = np.minimum(out[tuple(near.T)], found)
    smooth: Values = np.minimum(values, ndimage.gaussian_filter(out, 0.7))
    return smooth


def _in_one_piece(shape: Field) -> Field:
    """Take away what cuts have left beside the largest part."""
    parts, n = ndimage.label(shape.values < 0.0)
    if n < 2:
        return shape
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    crumbs = (parts > 0) & (parts != sizes.argmax())
    return Field(shape.box, np.where(crumbs, np.abs(shape.values) + np.float32(2.0), shape.values))


@dataclass(frozen=True)
class _Placing:
    """Takes points of the phantom to points of an organ: moved, scaled and turned."""

    target_ras: Point
    anchor_ras: Point
    scale: Point
    turn: NDArray[np.float64]

    def to_phantom(self, points: Point) -> Point:
        moved: Point = ((points - self.anchor_ras) @ self.turn) * self.scale + self.target_ras
        return moved

    def to_donor(self, points: Point) -> Point:
        moved: Point = ((points - self.target_ras) / self.scale) @ self.turn.T + self.anchor_ras
        return moved


class Transplant:
    """A donor's organs fitted into one phantom.

    Parameters
    ----------
    donor : Donor
    grid : Grid
        Of the scene.
    body : Body
    spine : Spine
    trunk : Trunk
    vessels : GreatVessels
    variety : Variety
        Its volume of the liver and size of the spleen are kept to, within what a shape bears.
    rng : Generator
    """

    def __init__(
        self,
        donor: Donor,
        grid: Grid,
        body: Body,
        spine: Spine,
        trunk: Trunk,
        vessels: GreatVessels,
        variety: Variety,
        rng: np.random.Generator,
    ) -> None:
        self._donor, self._grid, self._body, self._spine = donor, grid, body, spine
        self._trunk, self._vessels, self._variety, self._rng = trunk, vessels, variety, rng
        self._bends = [_BEND_MM * smooth_noise(rng, grid, _BEND_SCALE_MM) for _ in range(3)]
        self._liver = self._place_liver()

    def paint(self, scene: Scene) -> tuple[dict[str, Point], Liver]:
        """Paint and claim all organs; return the hila of the kidneys by side, and the liver."""
        hila = self.paint_kidneys(scene)
        self.paint_spleen(scene, hila["left"])
        self.paint_pancreas(scene)
        fossa = self.paint_gallbladder(scene)
        return hila, self.paint_liver(scene, fossa)

    def paint_kidneys(self, scene: Scene) -> dict[str, Point]:
        """Paint both kidneys; return their hila by side (``right``, ``left``), in RAS mm."""
        hila = {}
        for side, sign, up_mm in (("right", 1.0, -34.0), ("left", -1.0, -20.0)):
            centre = self._body.place((sign * 73.0, 0.0, up_mm))[0] + self._rng.normal(0, 2.5, 3)
            centre[1] = self._spine.point(float(centre[2]))[1] - 6.0 + self._rng.normal(0.0, 2.0)
            hila[side] = self._paint_kidney(scene, side, centre)
        return hila

    def paint_pancreas(self, scene: Scene) -> None:
        """Paint the pancreas, its body in front of the splenic vein."""
        head = self._body.place((22, 58, -26))
        path = np.concatenate([self._vessels.splenic[2:] + vec(0.0, 9.0, -1.0), head])
        placing = self._place("pancreas", path.mean(axis=0))
        shape = organs.inside_abdomen(self._shape("pancreas", placing), self._trunk, 4.0, 4.0)
        shape = scene.fit(organs.bumpy(scene, shape, self._rng, 9.0, 1.2), 1.2, 2.0)
        scene.paint(shape, Material.PANCREAS)
        scene.claim(shape)

    def paint_gallbladder(self, scene: Scene) -> Point:
        """Paint the gallbladder where the donor's liver has it; return its middle, in RAS mm."""
        organ = self._donor.organs["gallbladder"]
        centre = self._liver.to_phantom(organ.centre_ras)
        shape = self._shape("gallbladder", self._place("gallbladder", centre))
        shape = scene.fit(organs.inside_abdomen(shape, self._trunk, 5.0, 5.0), 1.5)
        scene.paint(shape, Material.GALLBLADDER_WALL)
        scene.paint(shape, Material.BILE, offset_mm=1.4)
        scene.claim(shape)
        return centre

    def paint_liver(self, scene: Scene, fossa_ras: Point) -> Liver:
        """Shape, paint and claim the liver, and the ascites around it.

        Parameters
        ----------
        scene : Scene
        fossa_ras : ndarray of three
            Middle of the gallbladder.
        """
        grid, vessels = self._grid, self._vessels
        lobes = self._shape("liver", self._liver)
        box = lobes.box
        wall = np.maximum(self._trunk.cavity[box], self._trunk.abdomen[box] + np.float32(0.6))
        # the liver lies on the wall and on the diaphragm without a gap
        values = _laid_on(lobes.values, wall, grid, _LIVER_GAP_MM)
        limit = keep_off(scene, self._spine, box, self._variety)
        sheath = np.interp(np.arange(len(vessels.portal)), [0, 5, 11], [9.0, 7.5, 4.0])
        hilum = tube(grid, vessels.portal, sheath, margin_mm=14.0)
        limit = smooth_max(limit, -on_box(hilum, box), 2.0)
        whole = _in_one_piece(Field(box, smooth_max(values, np.maximum(limit, wall), 3.0)))
        shape = settle_liver(scene, whole, wall, self._variety, self._rng)
        hilum_ras = vessels.portal[-1]
        fissure_x = min(float(hilum_ras[0]) - 22.0, float(fossa_ras[0]) - 30.0)
        return Liver(shape, cava_end(self._body, vessels), hilum_ras, fossa_ras, fissure_x)

    def paint_spleen(self, scene: Scene, hilum_ras: Point) -> None:
        """Paint the spleen under the left diaphragm, outwards of the left kidney.

        Parameters
        ----------
        scene : Scene
        hilum_ras : ndarray of three
            Of the left kidney.
        """
        centre = self._body.place((-100, -12, 46))[0] + self._rng.normal(0.0, 3.0, 3)
        placing = self._place("spleen", centre, self._variety.spleen)
        inwards = (self._body.place((-78, -4, 20))[0] - centre) / 8.0
        for _ in range(9):
            shape = self._shape("spleen", placing)
            box = shape.box
            wall = np.maximum(self._trunk.cavity[box] + 2.5, self._trunk.abdomen[box] + 2.0)
            organ = shape.values < 0.0
            if (wall[organ] < 0.0).mean() >= _LEAST_KEPT:
                break
            placing = replace(placing, target_ras=placing.target_ras + inwards)
        values = _laid_on(shape.values, wall, self._grid, _SPLEEN_GAP_MM)
        values = smooth_max(values, wall.astype(np.float32), 3.0)
        # kidney and spine have a bed of fat; a large spleen does not close around it
        bed = ellipsoid(self._grid, hilum_ras + vec(14.0, -12.0, 22.0), vec(42.0, 46.0, 80.0))
        values = smooth_max(values, -on_box(bed, shape.box), 5.0)
        shape = _in_one_piece(scene.fit(Field(shape.box, values), 3.0))
        scene.paint(shape, Material.SPLEEN)
        scene.claim(shape)

    def _paint_kidney(self, scene: Scene, side: str, centre: Point) -> Point:
        """Paint a kidney; fat and the renal pelvis fill its sinus. Return the hilum."""
        name = f"kidney_{side}"
        right = side == "right"
        placing = self._place(name, centre)
        outer = organs.inside_abdomen(
            self._shape(name, placing, filled=True), self._trunk, 3.0, 4.0
        )
        outer = scene.fit(outer, 1.5)
        box = outer.box
        tissue = Field(box, np.maximum(on_box(self._shape(name, placing), box), outer.values))
        scene.paint(tissue, Material.RIGHT_CORTEX if right else Material.LEFT_CORTEX)
        # pyramids reach from under the cortex to the sinus; columns of cortex part them
        columns = np.float32(5.0) * smooth_noise(self._rng, self._grid.crop(box), 16.0) - 2.5
        medulla = np.maximum(outer.values + np.float32(organs.CORTEX_MM), tissue.values + 0.5)
        medulla = np.maximum(medulla, columns)
        scene.paint(
            Field(box, medulla.astype(np.float32)),
            Material.RIGHT_MEDULLA if right else Material.LEFT_MEDULLA,
        )
        pelvis = np.maximum(outer.values + np.float32(2.0), np.float32(3.5) - tissue.values)
        scene.paint(Field(box, pelvis), Material.URINE, limit=0.9)
        scene.claim(outer)
        hilum = placing.to_phantom(self._donor.organs[name].hilum_ras)
        inwards = vec(-1.0 if right else 1.0, 0.0, 0.0)
        organs.paint_ureter(scene, hilum + 4.0 * inwards, inwards)
        return hilum + 8.0 * inwards

    def _place(self, name: str, target: Point, larger: float = 1.0) -> _Placing:
        """Return where an organ goes: scaled to a volume, its middle at a point."""
        organ, rng = self._donor.organs[name], self._rng
        mean, sd, low, high = _VOLUME_ML[name]
        ml = float(np.clip(rng.normal(mean, sd), low, high)) * larger**3
        scale = (ml / organ.volume_ml) ** (1.0 / 3.0) * rng.uniform(0.94, 1.06, 3)
        if name == "pancreas":
            width = organ.high_ras[0] - organ.low_ras[0]
            scale[0] = min(scale[0], _LONGEST_PANCREAS_MM * self._body.scale[0] / width)
        return _Placing(target, organ.centre_ras, scale, self._turn())

    def _place_liver(self) -> _Placing:
        """Return where the liver goes: its dome, right and front against the wall."""
        grid, trunk, body, rng = self._grid, self._trunk, self._body, self._rng
        organ = self._donor.organs["liver"]
        z, y, x = grid.axes()
        room = (trunk.cavity < 0.0) & (trunk.abdomen < 0.0)
        room &= ((z > 10.0) & (z < 60.0))[:, None, None]
        right = float(x[room.any(axis=(0, 1))].max(initial=100.0))
        beside = room & ((x > 0.0) & (x < 70.0))
        front = float(y[beside.any(axis=(0, 2))].max(initial=90.0))
        corner = vec(right + 2.0, front, body.dome_mm + 3.0)
        donors = [self._donor.organs[name].centre_ras for name in KIDNEYS]
        behind = float(np.mean([point[1] for point in donors]))
        back = float(self._spine.point(-27.0)[1]) - 6.0
        below = float(np.mean([point[2] for point in donors]))
        scale = vec(
            corner[0] / (organ.high_ras[0] - self._donor.midline_x_mm),
            (front - back) / (organ.high_ras[1] - behind),
            (corner[2] + 27.0 * body.scale[2]) / (organ.high_ras[2] - below),
        )
        volume = float(np.clip(self._variety.liver_volume, 0.75, 1.25)) ** (1.0 / 3.0)
        scale = np.clip(scale, 0.82, 1.15) * volume * rng.uniform(0.95, 1.05, 3)
        ml = organ.volume_ml * float(np.prod(scale))
        scale *= (np.clip(ml, *_LIVER_ML) / ml) ** (1.0 / 3.0)
        return _Placing(corner, organ.high_ras, scale, self._turn())

    def _turn(self) -> NDArray[np.float64]:
        x, y, z = self._rng.normal(0.0, 3.5, 3)
        return rotation_ras(x, y, z)

    def _shape(self, name: str, placing: _Placing, *, filled: bool = False) -> Field:
        """Return the field of an organ in the scene."""
        organ = self._donor.organs[name]
        ends = np.array([organ.low_ras, organ.high_ras])
        corners = np.array(np.meshgrid(*ends.T, indexing="ij")).reshape(3, -1).T
        box = self._grid.box_around(placing.to_phantom(corners), MARGIN_MM)
        points = self._bent(box)
        index = organ.grid.to_kji(placing.to_donor(points)).reshape(-1, 3).T
        source = organ.filled if filled else organ.distance
        found = ndimage.map_coordinates(source, index, order=1, mode="nearest")
        # distances grow with the organ, about evenly
        found *= np.float32(np.prod(placing.scale) ** (1.0 / 3.0))
        return Field(box, np.ascontiguousarray(found.reshape(points.shape[:3]), dtype=np.float32))

    def _bent(self, box: Box) -> Point:
        """Return the points ``[k, j, i, (x, y, z)]`` that a box takes its organs from."""
        axes = np.meshgrid(*self._grid.axes(box), indexing="ij")[::-1]
        points = [axis + bend[box] for axis, bend in zip(axes, self._bends, strict=True)]
        return np.stack(points, axis=-1).astype(np.float64)
