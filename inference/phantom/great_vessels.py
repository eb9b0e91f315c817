"""Aorta, vena cava, portal trunk and their named branches outside the liver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, tube, union
from inference.phantom.grids import Grid, vec
from inference.phantom.materials import Material
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body

Points = NDArray[np.float64]


@dataclass(frozen=True)
class GreatVessels:
    """Centre lines and fields of the large vessels.

    Parameters
    ----------
    aorta, cava : ndarray, shape (n, 3)
        Centre lines in RAS mm, upwards.
    portal : ndarray, shape (n, 3)
        From the confluence behind the pancreas to the hilum of the liver.
    splenic, mesenteric : ndarray, shape (n, 3)
        Veins that end in the confluence.
    aorta_field, cava_field, portal_field : Field
    """

    aorta: Points
    cava: Points
    portal: Points
    splenic: Points
    mesenteric: Points
    aorta_field: Field
    cava_field: Field
    portal_field: Field


def curve(points: Points, n: int = 24) -> Points:
    """Return `n` points of a smooth curve through points (Catmull-Rom)."""
    points = np.asarray(points, dtype=np.float64)
    ends = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    at = np.linspace(0.0, len(points) - 1.0, n)
    first = np.minimum(at.astype(int), len(points) - 2)
    t = (at - first)[:, None]
    a, b, c, d = (ends[first + m] for m in range(4))
    result: Points = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return result


def _center_lines(body: Body, spine: Spine) -> tuple[Points, Points]:
    """Return the centre lines of aorta and cava from below the field of view to the heart."""
    aorta, cava = [], []
    for z in np.arange(-150.0, 201.0, 10.0):
        x, y, _ = spine.point(z)
        chest = np.clip((z - 20.0) / 70.0, 0.0, 1.0)
        aorta.append((x - 8.0 - 11.0 * chest, y + 31.0 - 4.0 * chest, z))
        # the cava leaves the spine and runs up behind the liver
        up = np.clip((z + 30.0) / 110.0, 0.0, 1.0)
        cava.append((x + 21.0 - 2.0 * up, y + 31.0 + (42.0 - y - 31.0) * up**1.3, z))
    top = 1.13 * body.dome_mm
    return np.array(aorta), np.array([p for p in cava if p[2] <= top])


def make_great_vessels(
    grid: Grid, body: Body, spine: Spine, rng: np.random.Generator
) -> GreatVessels:
    """Lay out the vessels of a patient; nothing is painted yet."""
    aorta, cava = _center_lines(body, spine)
    radius = rng.uniform(9.0, 11.5) + 0.02 * (body.age_years - 60.0)
    widths = radius * (1.0 + 0.12 * np.clip(aorta[:, 2] / 80.0, -1.0, 1.0))
    jitter = rng.normal(0.0, 1.5, 3)
    confluence = body.place((6, 58, -6))[0] + jitter
    hilum = body.place((38, 60, 34))[0] + jitter
    portal = curve(np.array([confluence, body.place((20, 58, 14))[0] + jitter, hilum]), 12)
    hilum_of_spleen = body.place((-74, 0, 42))[0]
    splenic = curve(
        np.array([hilum_of_spleen, *body.place((-52, 14, 27), (-26, 42, 10)), confluence]), 22
    )
    mesenteric = curve(
        np.array([*body.place((8, 58, -150), (10, 62, -80), (9, 62, -40)), confluence]), 22
    )
    cava_part = [
        tube(grid, cava + vec(dx, 0.0, 0.0), 0.85 * radius, margin_mm=12.0) for dx in (-3.2, 3.2)
    ]
    return GreatVessels(
        aorta,
        cava,
        portal,
        splenic,
        mesenteric,
        tube(grid, aorta, widths, margin_mm=12.0),
        union(grid, cava_part, 3.0),
        union(
            grid,
            [
                tube(grid, portal, np.linspace(7.0, 7.4, len(portal)), margin_mm=10.0),
                tube(grid, splenic, np.linspace(3.6, 5.0, len(splenic)), margin_mm=8.0),
                tube(grid, mesenteric, np.linspace(4.2, 6.0, len(mesenteric)), margin_mm=8.0),
            ],
            1.5,
        ),
    )


def paint_great_vessels(scene: Scene, vessels: GreatVessels) -> None:
    """Paint aorta and cava and claim the room of all large vessels."""
    scene.paint(vessels.aorta_field, Material.AORTA)
    scene.claim(vessels.aorta_field)
    cava = vessels.cava_field
    scene.paint(cava, Material.CAVA)
    height = scene.grid.axes(cava.box)[0][:, None, None]
    # blood of the kidneys joins at L1
    upper = np.maximum(cava.values, 6.0 - height)
    scene.paint(Field(cava.box, upper.astype(np.float32)), Material.CAVA_UPPER)
    # veins lie against their organs: others keep their gap from an inner core only
    for soft in (cava, vessels.portal_field):
        scene.claim(Field(soft.box, soft.values + np.float32(2.5)))


def paint_branches(
    scene: Scene, body: Body, vessels: GreatVessels, kidney_hila: dict[str, Points]
) -> None:
    """Paint the portal system and the branches of aorta and cava over what they run through.

    Parameters
    ----------
    kidney_hila : dict of str to ndarray of three
        Keys ``right`` and ``left``.
    """
    grid = scene.grid
    scene.paint(vessels.portal_field, Material.PORTAL)
    aorta, cava = vessels.aorta, vessels.cava

    def on(line: Points, z_mm: float) -> Points:
        return np.array([*(np.interp(z_mm, line[:, 2], line[:, n]) for n in range(2)), z_mm])

    place = body.place
    start = on(aorta, 14.0)
    celiac = start + vec(2.0, 17.0, 3.0)
    arteries: list[tuple[Points, float, float]] = [
        (np.array([start, celiac]), 3.6, 3.4),
        (np.array([celiac, *place((18, 60, 20), (30, 64, 27))]), 2.6, 2.2),
        (
            np.array([celiac, *place((-22, 36, 27), (-36, 28, 19), (-54, 12, 36), (-72, 2, 40))]),
            2.8,
            2.2,
        ),
        (np.array([celiac, *place((-14, 60, 46), (-22, 62, 58))]), 2.0, 1.4),
        (
            np.array([on(aorta, 0.0), on(aorta, -6.0) + vec(2, 18, 0), *place((-2, 60, -50))]),
            4.0,
            3.2,
        ),
        (np.array(place((-2, 60, -50), (0, 62, -100), (6, 62, -150))), 3.2, 2.4),
    ]
    veins: list[tuple[Points, float, float]] = []
    for side, hilum in kidney_hila.items():
        root = on(aorta, float(hilum[2]) + 16.0)
        half = 0.5 * (root + hilum) + vec(0.0, -2.0, 0.0)
        arteries.append((np.array([root, half, hilum]), 2.9, 2.2))
        out = hilum + vec(0.0, 5.0, 3.0)
        joint = on(cava, float(hilum[2]) + 8.0)
        # the left renal vein crosses in front of the aorta
        bridge = on(aorta, float(joint[2])) + vec(0.0, 15.0, 0.0)
        path = [out, 0.5 * (out + bridge), bridge, joint] if side == "left" else [out, joint]
        veins.append((np.array(path), 3.8, 5.0))
    for lines, material in ((veins, Material.VEIN), (arteries, Material.ARTERY)):
        for points, first, last in lines:
            n = 8 * len(points)
            shape = tube(grid, curve(points, n), np.linspace(first, last, n))
            scene.paint(shape, material)
