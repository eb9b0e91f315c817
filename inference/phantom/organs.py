"""Kidneys, spleen, stomach, gallbladder, pancreas and adrenals.

Each organ is laid out in standard coordinates, scaled to the patient, cut to keep off what is
there already and then claims its own room, so that organs never overlap and fat runs between
them.
"""

from __future__ import annotations

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
from inference.phantom.great_vessels import GreatVessels, curve
from inference.phantom.grids import vec
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk

CORTEX_MM = 6.0


def inside_abdomen(shape: Field, trunk: Trunk, wall_mm: float, dome_mm: float) -> Field:
    """Cut a shape to the abdomen, with a gap to the muscle wall and to the diaphragm."""
    limit = np.maximum(trunk.cavity[shape.box] + wall_mm, trunk.abdomen[shape.box] + dome_mm)
    return Field(shape.box, smooth_max(shape.values, limit, 4.0))


def bumpy(
    scene: Scene, shape: Field, rng: np.random.Generator, scale_mm: float, sd_mm: float
) -> Field:
    """Give a shape an uneven surface."""
    noise = smooth_noise(rng, scene.grid.crop(shape.box), scale_mm)
    return Field(shape.box, shape.values + np.float32(sd_mm) * noise)


def paint_kidneys(
    scene: Scene, body: Body, spine: Spine, trunk: Trunk, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.float64]], Field]:
    """Paint both kidneys.

    Returns
    -------
    dict of str to ndarray of three
        Hila by side (``right``, ``left``), in RAS mm.
    Field
        Bed of the right kidney, which the liver does not enter.
    """
    hila, beds = {}, {}
    for side, sign in (("right", 1.0), ("left", -1.0)):
        up_mm = -34.0 if side == "right" else -20.0
        centre = body.place((sign * 73.0, 0.0, up_mm))[0] + rng.normal(0.0, 2.5, 3)
        # behind the kidney lies the quadratus, so it follows the spine
        centre[1] = spine.point(float(centre[2]))[1] - 6.0 + rng.normal(0.0, 2.0)
        hila[side], beds[side] = _paint_kidney(scene, trunk, centre, sign, rng)
    return hila, beds["right"]


def _paint_kidney(
    scene: Scene,
    trunk: Trunk,
    centre: NDArray[np.float64],
    sign: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], Field]:
    """Paint one kidney: cortex, pyramids, sinus with fat and pelvis. Return hilum and bed."""
    grid = scene.grid
    # upper poles lean to the spine and to the back; the hilum looks forwards and inwards
    turn = rotation_ras(x_deg=rng.uniform(8.0, 16.0), y_deg=-sign * 12.0, z_deg=-sign * 32.0)
    size = rng.uniform(0.92, 1.08)
    radii = np.array([27.0, 30.0, 54.0]) * size
    inner = turn.T @ np.array([-sign, 0.0, 0.0])
    shape = ellipsoid(grid, centre, radii, turn)
    notch = ellipsoid(grid, centre + inner * radii[0] * 1.02, radii * [0.62, 0.42, 0.36], turn)
    values = smooth_max(shape.values, -on_box(notch, shape.box), 6.0)
    shape = bumpy(scene, Field(shape.box, values), rng, 22.0, 0.8)
    shape = scene.fit(inside_abdomen(shape, trunk, 3.0, 4.0), 1.5)
    # the fat around a kidney is thick behind it and towards the spine
    bed = ellipsoid(grid, centre + vec(-9.0 * sign, -14.0, 0.0), radii + vec(10.0, 16.0, 4.0), turn)
    sinus = ellipsoid(grid, centre + inner * radii[0] * 0.5, radii * [0.68, 0.34, 0.52], turn)
    right = sign > 0
    cortex, medulla = (
        (Material.RIGHT_CORTEX, Material.RIGHT_MEDULLA)
        if right
        else (Material.LEFT_CORTEX, Material.LEFT_MEDULLA)
    )
    scene.paint(shape, cortex)
    pyramids = []
    for height in np.array([-0.74, -0.42, -0.05, 0.32, 0.70]):
        for angle in np.deg2rad([-78.0, 0.0, 78.0] if abs(height) < 0.6 else [-40.0, 40.0]):
            girth = np.sqrt(1.0 - height**2)
            out = np.array([sign * np.cos(angle), np.sin(angle), 0.0]) * girth
            spot = centre + turn.T @ (radii * (0.50 * out + vec(0.0, 0.0, 0.86 * height)))
            pyramids.append(ellipsoid(grid, spot, np.array([11.0, 10.0, 10.5]) * size))
    deep = union(grid, pyramids, 2.0)
    core = np.maximum(on_box(deep, shape.box), shape.values + np.float32(CORTEX_MM))
    scene.paint(Field(shape.box, core), medulla)
    fat = np.maximum(sinus.values, on_box(shape, sinus.box) - np.float32(8.0))
    scene.paint(Field(sinus.box, fat), Material.FAT)
    _paint_pelvis(scene, centre, turn, inner, radii)
    scene.claim(shape)
    return centre + inner * radii[0] * 0.9, bed


def _paint_pelvis(
    scene: Scene,
    centre: NDArray[np.float64],
    turn: NDArray[np.float64],
    inner: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> None:
    """Paint the renal pelvis with its calyces and the ureter."""
    grid = scene.grid
    root = centre + inner * radii[0] * 0.75
    for height in (-0.5, -0.18, 0.16, 0.46):
        tip = centre + inner * radii[0] * 0.22 + turn[2] * radii[2] * height
        scene.paint(tube(grid, np.array([root, tip]), [2.6, 2.8], 3.0), Material.URINE, limit=0.9)
    paint_ureter(scene, root, inner)


def paint_ureter(scene: Scene, root: NDArray[np.float64], inner: NDArray[np.float64]) -> None:
    """Paint the ureter from the renal pelvis, first along `inner`, a unit vector, then down."""
    down = [root, root + inner * 10.0 + vec(0.0, -2.0, -14.0)]
    down += [down[-1] + vec(0.0, 6.0, -40.0), down[-1] + vec(0.0, 14.0, -110.0)]
    ureter = tube(scene.grid, curve(np.array(down)), np.linspace(4.5, 1.8, 24), 3.0)
    scene.paint(ureter, Material.URINE, limit=0.9)


def paint_spleen(
    scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator, larger: float = 1.0
) -> None:
    """Paint the spleen: a crescent along the left wall under the diaphragm."""
    grid = scene.grid
    size = rng.uniform(0.98, 1.2) * larger
    centre = body.place((-100, -12, 46))[0] + rng.normal(0.0, 3.0, 3)
    turn = rotation_ras(x_deg=-18.0, y_deg=-16.0, z_deg=22.0)
    shape = ellipsoid(grid, centre, np.array([44.0, 58.0, 56.0]) * size, turn)
    hollow = ellipsoid(grid, centre + vec(44.0, 14.0, -6.0), np.array([38.0, 42.0, 60.0]), turn)
    values = smooth_max(shape.values, -on_box(hollow, shape.box), 8.0)
    shape = inside_abdomen(Field(shape.box, values), trunk, 2.5, 2.0)
    shape = scene.fit(bumpy(scene, shape, rng, 30.0, 1.2), 3.0)
    scene.paint(shape, Material.SPLEEN)
    scene.claim(shape)


def paint_stomach(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint the stomach with fluid below and gas above a level."""
    grid = scene.grid
    size = rng.uniform(0.88, 1.25)
    path = body.place(
        (-48, 16, 78),
        (-58, 38, 62),
        (-62, 64, 36),
        (-48, 82, 6),
        (-18, 84, -8),
        (6, 76, -4),
        (22, 66, 0),
    )
    path = path + rng.normal(0.0, 2.5, path.shape)
    line = curve(path, 40)
    radii = np.interp(np.linspace(0, 6, 40), np.arange(7), [28, 33, 28, 23, 19, 15, 10]) * size
    shape = tube(grid, line, radii, margin_mm=14.0)
    shape = bumpy(scene, shape, rng, 26.0, 2.0)
    shape = scene.fit(inside_abdomen(shape, trunk, 4.0, 3.0), 3.0, 5.0)
    folds = smooth_noise(rng, grid.crop(shape.box), 9.0)
    lumen: Values = shape.values + (2.8 + 2.2 * np.abs(folds)).astype(np.float32)
    scene.paint(shape, Material.STOMACH_WALL)
    scene.paint(Field(shape.box, lumen), Material.GASTRIC_FLUID)
    y = grid.axes(shape.box)[1][None, :, None]
    level = body.place((0, rng.uniform(74.0, 86.0), 0))[0][1]
    gas = np.maximum(lumen + np.float32(0.5), (level - y).astype(np.float32))
    scene.paint(Field(shape.box, gas), Material.GASTRIC_GAS)
    # the liver lies on the stomach with little fat between
    scene.claim(Field(shape.box, shape.values + np.float32(1.5)))


def paint_gallbladder(scene: Scene, body: Body, trunk: Trunk, rng: np.random.Generator) -> None:
    """Paint the gallbladder in its place under the liver, before the liver closes around it."""
    grid = scene.grid
    size = rng.uniform(0.95, 1.3)
    path = body.place((48, 74, 5), (56, 85, -8), (62, 96, -24)) + rng.normal(0.0, 2.0, 3)
    line = curve(path, 12)
    shape = tube(grid, line, np.linspace(6.0, 14.5, 12) * size, margin_mm=14.0)
    shape = scene.fit(inside_abdomen(shape, trunk, 6.0, 6.0), 1.5)
    scene.paint(shape, Material.GALLBLADDER_WALL)
    scene.paint(shape, Material.BILE, offset_mm=1.4)
    scene.claim(shape)


def paint_pancreas(
    scene: Scene, body: Body, vessels: GreatVessels, trunk: Trunk, rng: np.random.Generator
) -> None:
    """Paint the pancreas: lobulated, along the splenic vein, its head beside the confluence."""
    grid = scene.grid
    tail = vessels.splenic[2:] + vec(0.0, 9.0, -1.0)
    head = body.place((17, 62, -20), (26, 54, -34))
    line = curve(np.concatenate([tail[::5], head]), 40)
    radii = np.interp(np.linspace(0, 1, 40), [0, 0.3, 0.62, 0.8, 1.0], [11, 12, 11, 17, 16])
    radii = radii * rng.uniform(0.9, 1.1)
    shape = bumpy(scene, tube(grid, line, radii, margin_mm=8.0), rng, 9.0, 1.5)
    shape = scene.fit(inside_abdomen(shape, trunk, 4.0, 4.0), 1.2, 2.0)
    scene.paint(shape, Material.PANCREAS)
    scene.claim(shape)


def paint_adrenals(scene: Scene, body: Body, spine: Spine) -> None:
    """Paint the adrenals, thin inverted Ys above the kidneys."""
    grid = scene.grid
    for sign in (1.0, -1.0):
        top = body.place((sign * 36.0, 0.0, 26.0))[0]
        top[1] = spine.point(float(top[2]))[1] + 20.0
        limbs = []
        for out, back in ((14.0, -14.0), (4.0, -17.0)):
            for down in (0.0, -6.0, -12.0):
                tip = top + vec(sign * out, back, down - 4.0)
                limbs.append(tube(grid, np.array([top + vec(0, 0, down), tip]), [2.2, 1.8], 4.0))
        shape = union(grid, limbs, 1.0)
        fitted = scene.fit(shape, 1.0, 1.0)
        scene.paint(fitted, Material.ADRENAL)
        scene.claim(fitted)
