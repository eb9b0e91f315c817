"""What lies above the diaphragm: mediastinum, heart, esophagus, vessels of the lungs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import (
    Field,
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
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk, paint_lungs


def paint_chest(
    scene: Scene,
    body: Body,
    spine: Spine,
    trunk: Trunk,
    vessels: GreatVessels,
    rng: np.random.Generator,
) -> None:
    """Paint lungs, heart and esophagus; everything below the diaphragm stays as it is."""
    grid = scene.grid
    turn = rotation_ras(x_deg=rng.uniform(14.0, 24.0), z_deg=rng.uniform(22.0, 38.0))
    centre = body.place((-20, 56, 112))[0] + rng.normal(0.0, 2.0, 3)
    heart = ellipsoid(grid, centre, (64.0, 46.0, 52.0), turn)
    above = 4.0 - trunk.abdomen[heart.box]
    heart = Field(heart.box, smooth_max(heart.values, above, 6.0))
    heights = np.arange(-20.0, 201.0, 20.0)
    column = np.array([spine.point(z) + vec(-2.0, 18.0, 0.0) for z in heights])
    widths = np.interp(heights, [70.0, 120.0], [37.0, 28.0])
    mediastinum = union(
        grid,
        [
            Field(heart.box, heart.values - np.float32(4.0)),
            tube(grid, column, widths, margin_mm=12.0),
            Field(vessels.cava_field.box, vessels.cava_field.values - np.float32(2.0)),
        ],
        10.0,
    )
    paint_lungs(scene, trunk, mediastinum)
    _paint_lung_vessels(scene, trunk, mediastinum, centre, rng)
    _paint_heart(scene, heart, centre, turn)
    _paint_esophagus(scene, body, spine)


def _paint_heart(
    scene: Scene, heart: Field, centre: NDArray[np.float64], turn: NDArray[np.float64]
) -> None:
    """Paint the ventricles: a thick left one, a thin right one in front of it."""
    grid = scene.grid
    scene.paint(heart, Material.MYOCARDIUM)
    left_centre = centre + turn.T @ np.array([-22.0, -8.0, 0.0])
    left = ellipsoid(grid, left_centre, (40.0, 33.0, 40.0), turn)
    left = Field(left.box, np.maximum(left.values, on_box(heart, left.box)))
    chamber = ellipsoid(grid, left_centre, (29.0, 21.0, 30.0), turn)
    # what is not the left ventricle is the right heart, with a thin wall
    outside = on_box(left, heart.box)
    right = smooth_max(heart.values + np.float32(3.5), -outside, 3.0)
    scene.paint(Field(heart.box, right), Material.RIGHT_HEART)
    blood = np.maximum(chamber.values, on_box(heart, chamber.box) + np.float32(8.0))
    scene.paint(Field(chamber.box, blood), Material.LEFT_HEART)


def _paint_esophagus(scene: Scene, body: Body, spine: Spine) -> None:
    """Paint the esophagus from the chest to the stomach, with a trace of gas."""
    grid = scene.grid
    joint = body.place((-22, 26, 74))[0]
    path = [joint, joint + vec(8.0, -2.0, 12.0)]
    path += [spine.point(joint[2] + up) + vec(-3.0, 36.0, 0.0) for up in (40.0, 80.0, 130.0)]
    line = curve(np.array(path))
    scene.paint(tube(grid, line, 7.5), Material.ESOPHAGUS)
    scene.paint(tube(grid, line + vec(0.5, 1.5, 0.0), 1.6), Material.GAS, limit=0.7)


def _paint_lung_vessels(
    scene: Scene,
    trunk: Trunk,
    mediastinum: Field,
    heart: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Paint branching vessels from the hila into the lower lobes."""
    grid = scene.grid
    shapes: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for side in (-1.0, 1.0):
        hilum = np.array([side * 28.0, heart[1] - 38.0, heart[2] + 50.0])
        for _ in range(26):
            goal = np.array(
                [
                    side * rng.uniform(35.0, 125.0),
                    heart[1] + rng.uniform(-130.0, 55.0),
                    heart[2] + rng.uniform(-110.0, 60.0),
                ]
            )
            bend = 0.5 * (hilum + goal) + rng.normal(0.0, 9.0, 3)
            line = curve(np.array([hilum, bend, goal]), 14)
            shapes.append((line, np.linspace(3.4, 1.0, 14)))
            for _ in range(2):
                start = line[rng.integers(5, 12)]
                twig = np.array([start, start + rng.normal(0.0, 13.0, 3)])
                shapes.append((twig, np.array([1.4, 0.8])))
    for line, radii in shapes:
        shape = tube(grid, line, radii, margin_mm=2.0)
        inside = np.maximum(trunk.cavity[shape.box] + 4.0, 3.0 - trunk.abdomen[shape.box])
        inside = np.maximum(inside, -on_box(mediastinum, shape.box))
        scene.paint(
            Field(shape.box, np.maximum(shape.values, inside)), Material.LUNG_VESSEL, limit=0.8
        )
