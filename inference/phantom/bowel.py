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


def _paint_loop(
    scene: Scene,
    trunk: Trunk,
    line: NDArray[np.float64],
    radii: NDArray[np.float64] | float,
    content: tuple[Material, float, float],
    rng: np.random.Generator,
) -> None:
    """Paint a piece of bowel: wall, content and some gas.

    Parameters
    ----------
    content : tuple of Material, float, float
        What fills the lumen, the thickness of the wall in mm, and the level above which there is
        gas, in SD of the local noise (large for none).
    """
    grid = scene.grid
    shape = tube(grid, line, radii, margin_mm=8.0)
    if shape.values.size == 0:
        return
    shape = scene.fit(inside_abdomen(shape, trunk, 3.0, 4.0), 1.6, 3.0)
    material, wall_mm, gas_level = content
    scene.paint(shape, Material.BOWEL_WALL)
    noise = smooth_noise(rng, grid.crop(shape.box), 7.0)
    fold = 0.5 if material == Material.STOOL else 1.8
    lumen: Values = shape.values + (wall_mm + fold * np.abs(noise)).astype(np.float32)
    scene.paint(Field(shape.box, lumen), material)
    # bubbles rise: gas is likelier in front
    y = grid.axes(shape.box)[1][None, :, None]
    front = (y - float(np.mean(line[:, 1]))) / 14.0
    bubbles = (np.float32(gas_level) - noise - front.astype(np.float32)) * np.float32(2.5)
    scene.paint(Field(shape.box, np.maximum(bubbles, lumen + np.float32(0.6))), Material.GAS)
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


def paint_colon(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint the colon: ascending, transverse with its sag, descending; haustra, stool and gas."""
    sag = rng.uniform(-84.0, -50.0)
    pieces = (
        [(104, 14, -150), (104, 20, -105), (98, 34, -78), (84, 62, -64)],
        [(80, 76, -66), (58, 96, sag * 0.9), (10, 104, sag), (-44, 98, sag * 0.8), (-84, 74, -20)],
        [(-92, 58, 0), (-106, 32, 16), (-112, 8, -8), (-112, -6, -60), (-110, -4, -150)],
    )
    for piece, base_mm in zip(pieces, (22.0, 19.0, 15.0), strict=True):
        path = np.array(piece) * body.scale
        line = curve(path + rng.normal(0.0, 3.0, path.shape), 70)
        radii = base_mm * (1.0 + 0.16 * np.sin(np.arange(70) * 1.25 + rng.uniform(0, 6)))
        gas = rng.uniform(0.2, 1.0)
        _paint_loop(scene, trunk, line, radii, (Material.STOOL, 2.0, gas), rng)


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
