"""Spine and ribs: vertebral bodies with cortex and discs, arches, processes, costal cartilage.

Distances between vertebrae are the means of Payer et al., as tabulated for the spine-segment
tool; body sizes run from T6 to L5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, smooth_max, tube, union
from inference.phantom.grids import Grid, vec
from inference.phantom.materials import Material
from inference.phantom.scene import Scene
from inference.phantom.torso import Body, cavity_depth_mm, centre_y_mm

LEVELS = ("T6", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
VERSE_NUMBER = {name: 13 + n for n, name in enumerate(LEVELS)}
"""Numbers of the VerSe data set: 13 is T6, 20 is L1."""

_GAPS_MM = (24.04, 24.33, 24.49, 24.86, 25.68, 27.59, 29.83, 32.04, 33.39, 34.14, 33.82)
_WIDTH_MM = (28.0, 29.0, 30.0, 31.0, 33.0, 36.0, 39.0, 42.0, 43.5, 45.0, 47.0, 49.0)
_DEPTH_MM = (26.0, 27.0, 28.0, 28.5, 29.0, 29.5, 30.0, 31.0, 32.0, 33.0, 33.5, 34.0)
_DISC_MM = (4.0, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0, 10.0, 10.5, 11.0)
# where the vertebral bodies lie in front of or behind L1, by height above it
_CURVE_Z_MM = (-135.0, -110.0, -70.0, -35.0, 0.0, 26.0, 53.0, 76.0, 98.0, 121.0, 150.0)
_CURVE_Y_MM = (22.0, 24.0, 19.0, 10.0, 0.0, -9.0, -18.0, -25.0, -31.0, -35.0, -37.0)
_CORTEX_MM = 1.3


@dataclass(frozen=True)
class Vertebra:
    """Place and size of a vertebra.

    Parameters
    ----------
    name : str
    centre_ras : ndarray of three
        Centre of the body.
    frame : ndarray, shape (3, 3)
        Rows point to the right, to the back and up the spine.
    size_mm : tuple of three floats
        Width, depth and height of the body.
    disc_mm : float
        Height of the disc below.
    """

    name: str
    centre_ras: NDArray[np.float64]
    frame: NDArray[np.float64]
    size_mm: tuple[float, float, float]
    disc_mm: float

    def at(self, *local_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        """Return points given as (right, back, up) of the body centre, shape (n, 3)."""
        return np.asarray(local_mm, dtype=np.float64) @ self.frame + self.centre_ras


@dataclass(frozen=True)
class Spine:
    """The curve of the spine and its vertebrae.

    Parameters
    ----------
    scale : float
        Size relative to the table of distances.
    lordosis : float
        Depth of the curve in the sagittal plane, 1 is the standard patient.
    scoliosis_mm : float
        Sideways bow.
    """

    scale: float
    lordosis: float
    scoliosis_mm: float

    @classmethod
    def sample(cls, rng: np.random.Generator, body: Body) -> Spine:
        """Draw a spine for a patient."""
        scale = body.scale[2] * rng.uniform(0.93, 1.03)
        return cls(scale, rng.uniform(0.8, 1.15), rng.uniform(-4.0, 4.0))

    def point(self, z_mm: float) -> NDArray[np.float64]:
        """Return the centre line at a height above L1."""
        y = self.lordosis * float(np.interp(z_mm / self.scale, _CURVE_Z_MM, _CURVE_Y_MM))
        return np.array([self.scoliosis_mm * np.sin(z_mm / 70.0), y, z_mm])

    def vertebrae(self, body: Body) -> list[Vertebra]:
        """Return all vertebrae from T6 to L5."""
        first = LEVELS.index("L1")
        steps = np.concatenate([[0.0], np.cumsum(_GAPS_MM)]) * self.scale
        heights = steps[first] - steps
        width_scale = self.scale * (0.9 + 0.1 * body.half_width_mm / 150.0)
        result = []
        for n, (name, z) in enumerate(zip(LEVELS, heights, strict=True)):
            up = self.point(z + 14.0) - self.point(z - 14.0)
            up /= np.linalg.norm(up)
            back = np.array([0.0, -1.0, 0.0]) + up[1] * up
            back /= np.linalg.norm(back)
            gap = self.scale * (_GAPS_MM[min(n, len(_GAPS_MM) - 1)] + _GAPS_MM[max(n - 1, 0)]) / 2
            disc = self.scale * _DISC_MM[n]
            size = (_WIDTH_MM[n] * width_scale, _DEPTH_MM[n] * width_scale, gap - disc)
            frame = np.stack([np.cross(up, back), back, up])
            result.append(Vertebra(name, self.point(z), frame, size, disc))
        return result


def body_field(
    grid: Grid, vertebra: Vertebra, size_mm: tuple[float, float, float], up_mm: float
) -> Field:
    """Return an elliptic cylinder with a waist and a hollow back: a vertebral body or a disc."""
    centre = vertebra.at((0.0, 0.0, up_mm))[0]
    box = grid.box_around(centre, max(size_mm) * 0.75 + 6.0)
    z, y, x = np.ix_(*grid.axes(box))
    local = [
        f[0] * (x - centre[0]) + f[1] * (y - centre[1]) + f[2] * (z - centre[2])
        for f in vertebra.frame
    ]
    half_height = size_mm[2] / 2.0
    waist = 0.92 + 0.08 * np.clip(np.abs(local[2]) / half_height, 0.0, 1.2) ** 2
    half_width, half_depth = size_mm[0] / 2.0 * waist, size_mm[1] / 2.0 * waist
    side = np.sqrt((local[0] / half_width) ** 2 + (local[1] / half_depth) ** 2)
    side = (side - 1.0) * np.minimum(half_width, half_depth)
    # the canal flattens the back of the body
    hollow = local[1] - 0.40 * size_mm[1] + (local[0] / 14.0) ** 2
    values = smooth_max(side, hollow, 4.0)
    values = smooth_max(values, np.abs(local[2]) - half_height, 3.0)
    return Field(box, np.ascontiguousarray(values, dtype=np.float32))


def arch_field(grid: Grid, vertebra: Vertebra) -> Field:
    """Return pedicles, laminae, joints and processes as one shape."""
    width, depth, height = vertebra.size_mm
    lumbar = vertebra.name.startswith("L")
    back = depth / 2.0
    reach = 0.5 * width + (19.0 if lumbar else 15.0)
    tip_back, tip_up = (8.0, 2.0) if lumbar else (21.0, 6.0)
    parts = []
    for side in (-1.0, 1.0):
        pillar = (side * 0.36 * width, back + 13.0, 0.0)
        parts += [
            tube(grid, vertebra.at((side * 0.30 * width, back - 6.0, 5.0), pillar), 4.6),
            tube(
                grid,
                vertebra.at(
                    (pillar[0], pillar[1] + 1.0, 0.45 * height),
                    pillar,
                    (pillar[0] * 0.9, pillar[1] + 3.0, -0.75 * height),
                ),
                [5.2, 5.6, 5.0],
            ),
            tube(grid, vertebra.at(pillar, (0.0, back + 23.0, -6.0)), 3.8),
            tube(
                grid,
                vertebra.at(pillar, (side * reach, back + tip_back, tip_up)),
                [4.2, 3.0],
            ),
        ]
    for up in (0.0, -6.0, -11.0):
        end = (0.0, back + 42.0, up - 8.0) if lumbar else (0.0, back + 29.0, up - 16.0)
        parts.append(tube(grid, vertebra.at((0.0, back + 22.0, up - 3.0), end), [3.2, 3.6]))
    return union(grid, parts, 2.0)


def paint_spine(scene: Scene, spine: Spine, body: Body) -> tuple[list[Vertebra], NDArray[np.uint8]]:
    """Paint the spine and claim its room.

    Returns
    -------
    list of Vertebra
        All of them, in the grid or not.
    ndarray of uint8, shape of the grid
        VerSe number of each voxel of bone.
    """
    grid = scene.grid
    truth = np.zeros(grid.shape_kji, dtype=np.uint8)
    vertebrae = spine.vertebrae(body)
    canal = np.array([v.at((0.0, v.size_mm[1] / 2.0 + 9.0, 0.0))[0] for v in vertebrae])
    for v in vertebrae:
        width, depth, height = v.size_mm
        disc_up = -(height + v.disc_mm) / 2.0
        disc = body_field(grid, v, (width * 0.98, depth * 0.98, v.disc_mm + 2.0), disc_up)
        scene.paint(disc, Material.DISC)
        scene.claim(disc)
    for v in vertebrae:
        bone = union(grid, [body_field(grid, v, v.size_mm, 0.0), arch_field(grid, v)], 2.0)
        scene.paint(bone, Material.CORTICAL_BONE)
        scene.paint(bone, Material.TRABECULAR_BONE, offset_mm=_CORTEX_MM)
        scene.claim(bone)
        truth[bone.box][bone.values < 0.0] = VERSE_NUMBER[v.name]
    fat = tube(grid, canal, 9.5)
    scene.paint(fat, Material.FAT)
    scene.paint(fat, Material.THECAL_SAC, offset_mm=2.2)
    scene.claim(fat)
    truth[fat.box][fat.values < 0.0] = 0
    return vertebrae, truth


def _wall_point(body: Body, angle_deg: float, z_mm: float, depth_mm: float) -> NDArray[np.float64]:
    """Return the point of the wall at an angle from the back, `depth_mm` inside the cavity."""
    axis_y = float(centre_y_mm(body, np.float32(z_mm)))  # type: ignore[arg-type]
    angle = np.deg2rad(angle_deg)
    radius = np.linspace(10.0, 230.0, 441)
    points = np.stack(
        [radius * np.sin(angle), axis_y - radius * np.cos(angle), np.full_like(radius, z_mm)], 1
    )
    # depth falls outwards beyond its highest point
    depth = cavity_depth_mm(body, points)
    top = int(depth.argmax())
    found = min(top + int((depth[top:] > depth_mm).sum()), len(points) - 1)
    point: NDArray[np.float64] = points[found]
    return point


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut the corners of a polyline twice (Chaikin), keeping its ends."""
    for _ in range(2):
        low, high = points[:-1], points[1:]
        cut = np.stack([0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, 3), points[-1:]])
    return points


def _rib_path(
    body: Body, vertebra: Vertebra, number: int, side: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the polylines of a bony rib and of its cartilage (empty for floating ribs)."""
    _, depth, height = vertebra.size_mm
    head = vertebra.at(
        (side * vertebra.size_mm[0] * 0.5, depth * 0.42, height * 0.35),
        (side * (vertebra.size_mm[0] * 0.5 + 13.0), depth * 0.5 + 17.0, 6.0),
    )
    end_deg = {11: 108.0, 12: 74.0}.get(number, 136.0)
    drop_mm = {11: 66.0, 12: 48.0}.get(number, 84.0)
    path = [*head]
    start_z = float(head[1, 2])
    for angle in np.arange(38.0, end_deg + 1.0, 7.0):
        part = (angle - 25.0) / 115.0
        z = start_z - drop_mm * min(part, 1.0) ** 1.15
        point = _wall_point(body, angle, z, -4.6)
        path.append(point * (side, 1.0, 1.0))
    cartilage = [path[-1]]
    if number <= 10:
        low = float(path[-1][2])
        goal = max(body.dome_mm * 0.78 - 12.0 * max(number - 7, 0), low + 6.0)
        for part in np.linspace(0.15, 1.0, 6):
            z = low + (goal - low) * part**1.6
            angle = end_deg + (168.0 - 4.0 * max(number - 7, 0) - end_deg) * part
            point = _wall_point(body, angle, z, -4.6)
            cartilage.append(point * (side, 1.0, 1.0))
    return _smooth(np.array(path)), _smooth(np.array(cartilage)) if number <= 10 else np.empty(
        (0, 3)
    )


def paint_ribs(scene: Scene, spine: Spine, body: Body) -> None:
    """Paint ribs 6 to 12 of both sides with their cartilage, and the xiphoid."""
    grid = scene.grid
    flat = np.array([0.0, 0.0, 3.2])
    for vertebra in spine.vertebrae(body):
        if vertebra.name.startswith("L"):
            continue
        number = int(vertebra.name[1:])
        for side in (-1.0, 1.0):
            bone, cartilage = _rib_path(body, vertebra, number, side)
            if len(cartilage):
                scene.paint(tube(grid, cartilage, 4.2), Material.CARTILAGE)
            shape = union(grid, [tube(grid, bone + flat, 4.0), tube(grid, bone - flat, 4.0)], 2.0)
            scene.paint(shape, Material.CORTICAL_BONE)
            scene.paint(shape, Material.RIB_MARROW, offset_mm=1.1)
    xiphoid = _wall_point(body, 180.0, 0.86 * body.dome_mm, -4.0)
    top = _wall_point(body, 180.0, 1.5 * body.dome_mm, -5.0)
    for x in (-6.0, 0.0, 6.0):
        sternum = tube(grid, np.array([xiphoid, top]) + vec(x, 0.0, 0.0), [3.0, 5.0])
        scene.paint(sternum, Material.CORTICAL_BONE)
        scene.paint(sternum, Material.RIB_MARROW, offset_mm=1.2)
