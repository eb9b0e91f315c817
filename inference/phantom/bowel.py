"""Duodenum, colon and small bowel, and the vessels of the mesentery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, Values, smooth_max, tube
from inference.phantom.great_vessels import GreatVessels, curve
from inference.phantom.grids import vec
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.organs import inside_abdomen
from inference.phantom.scene import Scene
from inference.phantom.torso import Body, Trunk

LOOPS = 46
PELVIC_LOOPS = 14


def _paint_loop(
    scene: Scene,
    trunk: Trunk,
    line: NDArray[np.float64],
    radii: NDArray[np.float64] | float,
    content: tuple[Material, float, float],
    rng: np.random.Generator,
    *,
    colon: bool = False,
    gap_mm: float = 1.6,
) -> None:
    """Paint a piece of bowel: wall, content and some gas.

    Parameters
    ----------
    content : tuple of Material, float, float
        What fills the lumen, the thickness of the wall in mm, and the level above which there is
        gas, in SD of the local noise (large for none).
    colon : bool
        Whether it is colon; the truth tells large from small bowel.
    gap_mm : float
        Fat between the loop and its neighbours.
    """
    grid = scene.grid
    shape = tube(grid, line, radii, margin_mm=8.0)
    if shape.values.size == 0:
        return
    shape = scene.fit(inside_abdomen(shape, trunk, 3.0, 4.0), gap_mm, 3.0)
    material, wall_mm, gas_level = content
    scene.paint(shape, Material.COLON_WALL if colon else Material.BOWEL_WALL)
    noise = smooth_noise(rng, grid.crop(shape.box), 7.0)
    fold = 0.5 if material == Material.STOOL else 1.8
    lumen: Values = shape.values + (wall_mm + fold * np.abs(noise)).astype(np.float32)
    scene.paint(Field(shape.box, lumen), material)
    # bubbles rise: gas is likelier in front
    y = grid.axes(shape.box)[1][None, :, None]
    front = (y - float(np.mean(line[:, 1]))) / 14.0
    bubbles = (np.float32(gas_level) - noise - front.astype(np.float32)) * np.float32(2.5)
    gas = Material.COLON_GAS if colon else Material.GAS
    scene.paint(Field(shape.box, np.maximum(bubbles, lumen + np.float32(0.6))), gas)
    scene.claim(shape)


def paint_duodenum(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint the duodenum around the head of the pancreas, to the left under the mesentery."""
    path = body.place(
        (25, 66, 2),
        (40, 66, 4),
        (44, 56, -14),
        (43, 48, -42),
        (30, 44, -60),
        (4, 50, -62),
        (-24, 52, -50),
    )
    line = curve(path + rng.normal(0.0, 1.5, path.shape), 40)
    radii = 10.5 + 1.2 * np.sin(np.arange(40) * 1.1)
    _paint_loop(scene, trunk, line, radii, (Material.BOWEL_FLUID, 2.6, 2.6), rng)


def paint_colon(
    scene: Scene,
    body: Body,
    trunk: Trunk,
    rng: np.random.Generator,
    *,
    flexure_up_mm: float = 0.0,
    stool: float = 0.0,
    told_apart: bool = False,
) -> None:
    """Paint the colon: ascending, transverse with its sag, descending; haustra, stool and gas.

    Parameters
    ----------
    flexure_up_mm : float
        How much higher than usual it turns at the liver; it then lies against the liver.
    stool : float
        0 to 1: how much wider and fuller than usual it is.
    told_apart : bool
        Whether its wall and gas get materials of their own, apart from those of small bowel.
    """
    sag = rng.uniform(-84.0, -50.0)
    up = flexure_up_mm
    pieces = (
        [(104, 14, -150), (104, 20, -105), (98, 34, -78 + up), (84, 62, -64 + up)],
        [
            (80, 76, -66 + up),
            (58, 96, sag * 0.9),
            (10, 104, sag),
            (-44, 98, sag * 0.8),
            (-84, 74, -20),
        ],
        [(-92, 58, 0), (-106, 32, 16), (-112, 8, -8), (-112, -6, -60), (-110, -4, -150)],
    )
    for piece, base_mm in zip(pieces, (22.0, 19.0, 15.0), strict=True):
        path = np.array(piece) * body.scale
        line = curve(path + rng.normal(0.0, 3.0, path.shape), 70)
        radii = base_mm * (1.0 + 0.16 * np.sin(np.arange(70) * 1.25 + rng.uniform(0, 6)))
        radii = radii * (1.0 + 0.35 * stool)
        content = (Material.STOOL, 2.0, rng.uniform(0.2, 1.0) + 2.5 * stool)
        gap_mm = 1.6 if up == 0.0 else 0.4
        _paint_loop(scene, trunk, line, radii, content, rng, colon=told_apart, gap_mm=gap_mm)


def paint_pelvic_bowel(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint sigmoid and rectum, and loops of ileum in the pelvis."""
    path = body.place(
        (-110, -2, -148),
        (-84, 46, -182),
        (-30, 74, -196),
        (16, 52, -206),
        (4, 16, -226),
        (0, 6, -290),
    )
    line = curve(path + rng.normal(0.0, 3.0, path.shape), 60)
    radii = 15.0 * (1.0 + 0.16 * np.sin(np.arange(60) * 1.25))
    content = (Material.STOOL, 2.4, float(rng.uniform(0.4, 2.5)))
    _paint_loop(scene, trunk, line, radii, content, rng, colon=True)
    for _ in range(PELVIC_LOOPS):
        centre = body.place((rng.uniform(-60, 60), rng.uniform(30, 104), rng.uniform(-230, -140)))
        steps = centre + np.cumsum(rng.normal(0.0, 11.0, (5, 3)), axis=0)
        loop = curve(steps, 24)
        radius = rng.uniform(8.5, 12.0)
        _paint_loop(scene, trunk, loop, radius, (Material.BOWEL_FLUID, 2.6, 3.0), rng)


def paint_small_bowel(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint loops of jejunum (left, above) and ileum (right, below)."""
    for _ in range(LOOPS):
        left = rng.uniform() < 0.6
        centre = body.place(
            (
                rng.uniform(-92.0, -6.0) if left else rng.uniform(-40.0, 84.0),
                rng.uniform(34.0, 98.0),
                rng.uniform(-130.0, -14.0) if left else rng.uniform(-140.0, -58.0),
            )
        )[0]
        heading = rng.uniform(0.0, 2.0 * np.pi)
        steps = []
        point = centre
        for _ in range(rng.integers(4, 8)):
            steps.append(point)
            heading += rng.normal(0.0, 0.7)
            move = np.array([np.cos(heading), 0.7 * np.sin(heading), rng.normal(0.0, 0.5)])
            point = point + 17.0 * move
        line = curve(np.array(steps), 6 * len(steps))
        radius = rng.uniform(8.5, 12.0)
        radii = radius * (1.0 + 0.08 * np.sin(np.arange(len(line)) * 0.9))
        _paint_loop(scene, trunk, line, radii, (Material.BOWEL_FLUID, 2.6, 3.0), rng)


def paint_mesentery(
    scene: Scene, body: Body, vessels: GreatVessels, trunk: Trunk, rng: np.random.Generator
) -> None:
    """Paint thin arteries and veins from the mesenteric trunks towards the bowel."""
    grid = scene.grid
    for _ in range(70):
        start = vessels.mesenteric[rng.integers(6, len(vessels.mesenteric) - 2)]
        goal = body.place(
            (rng.uniform(-95, 90), rng.uniform(50, 104), float(start[2]) + rng.uniform(-45, 12))
        )[0]
        middle = 0.5 * (start + goal) + rng.normal(0.0, 7.0, 3)
        line = curve(np.array([start, middle, goal]), 16)
        radii = np.linspace(2.2, 0.7, 16)
        for offset, material, part in ((0.0, Material.PORTAL, 1.0), (3.5, Material.ARTERY, 0.6)):
            shape = tube(grid, line + vec(0.0, offset, offset), radii * part, margin_mm=3.0)
            free = np.float32(0.5) - scene.room(shape.box)
            free = np.maximum(free, trunk.cavity[shape.box] + np.float32(4.0))
            values = smooth_max(shape.values, free, 0.0)
            scene.paint(Field(shape.box, values), material, limit=0.8)
