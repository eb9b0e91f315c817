"""Muscles that are seen one by one: psoas, quadratus lumborum, crura, back and belly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, tube, union
from inference.phantom.materials import Material
from inference.phantom.noise import smooth_noise
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk

Chain = NDArray[np.float64]
"""Points and radii ``[n, (x, y, z, radius)]`` of a strand, in mm."""


def _psoas(spine: Spine, side: float) -> list[Chain]:
    """Return the psoas: thin beside L1, thick and apart from the spine further down."""
    z, x, y = _along(spine, -150.0, 11.0)
    low = np.clip((10.0 - z) / 110.0, 0.0, 1.2)
    return [np.stack([x + side * (25 + 15 * low), y - 2 - 4 * low, z, 5 + 16 * low], axis=1)]


def _quadratus(spine: Spine, side: float) -> list[Chain]:
    """Return the quadratus lumborum, a plate of five strands."""
    z, x, y = _along(spine, -150.0, 11.0)
    low = np.clip((10.0 - z) / 110.0, 0.0, 1.2)
    return [
        np.stack([x + side * (out + 6 * low), y - 28 - 3 * low, z, 2 + 8 * low], axis=1)
        for out in (40.0, 46.0, 52.0, 58.0, 64.0)
    ]


def _crus(spine: Spine, side: float) -> list[Chain]:
    """Return a crus of the diaphragm: two strands beside the aorta."""
    z, x, y = _along(spine, -40.0, 66.0)
    up = np.clip((z + 40.0) / 100.0, 0.0, 1.0)
    return [
        np.stack([x + side * (17 - 0.25 * ahead) - 7, y + 22 + 9 * up + ahead, z, 3.4 + up], axis=1)
        for ahead in (0.0, 7.0)
    ]


def _along(spine: Spine, low_mm: float, high_mm: float) -> tuple[NDArray[np.float64], ...]:
    """Return z and the spine's x and y there, every 8 mm."""
    z = np.arange(low_mm, high_mm, 8.0)
    line = np.array([spine.point(float(v)) for v in z])
    return z, line[:, 0], line[:, 1]


def paint_deep_muscles(scene: Scene, spine: Spine, build: float) -> None:
    """Paint psoas, quadratus lumborum and the crura of the diaphragm, and claim their room.

    Parameters
    ----------
    scene : Scene
    spine : Spine
    build : float
        Thickness relative to the standard patient.
    """
    grid = scene.grid
    chains = [
        chain
        for side in (-1.0, 1.0)
        for muscle in (_psoas, _quadratus, _crus)
        for chain in muscle(spine, side)
    ]
    strands = [tube(grid, c[:, :3], c[:, 3] * build, margin_mm=12.0) for c in chains]
    muscles = union(grid, strands, 5.0)
    scene.paint(scene.fit(muscles, 0.0, 0.0), Material.MUSCLE)
    # organs lie against muscle: the gap they keep is counted from inside it
    scene.claim(Field(muscles.box, muscles.values + np.float32(1.5)))


def paint_septa(
    scene: Scene, body: Body, spine: Spine, trunk: Trunk, rng: np.random.Generator
) -> None:
    """Paint the thin fat planes between the muscles of the back, and the linea alba."""
    grid = scene.grid
    z, y, x = np.ix_(*grid.axes())
    back = trunk.muscle + 1.0
    back = np.maximum(back, 2.0 - trunk.cavity)
    spine_y = np.array([spine.point(float(v))[1] for v in z.ravel()], dtype=np.float32)
    behind = y - spine_y.reshape(z.shape) + 22.0
    wave = smooth_noise(rng, grid, 22.0)
    aside = np.abs(x) / float(body.scale[0]) + 2.0 * wave
    # multifidus, longissimus and iliocostalis lie side by side, leaning outwards to the front
    for at, lean in ((20.0, 0.22), (46.0, -0.35)):
        sheet = np.abs(aside - at - lean * (behind + 30.0)) - 0.5
        septum = np.maximum(np.maximum(sheet, back), behind)
        scene.paint(Field(grid.whole, septum), Material.FAT, limit=0.38)
    alba = np.maximum(np.maximum(aside - 1.0, back), spine_y.reshape(z.shape) - y)
    scene.paint(Field(grid.whole, alba), Material.FAT, limit=0.4)
