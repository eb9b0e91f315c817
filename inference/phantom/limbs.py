"""Arms, shoulders and hips: what surrounds the abdomen in scans of more than the abdomen."""

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
    smooth_min,
    tube,
    union,
)
from inference.phantom.great_vessels import curve
from inference.phantom.grids import vec
from inference.phantom.materials import Material
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Spine
from inference.phantom.torso import Body, Trunk, centre_y_mm

_ELBOW_MM = 35.0
_HIPS_FROM_MM = -120.0


def paint_arms(scene: Scene, body: Body, kind: str, rng: np.random.Generator) -> None:
    """Paint both arms outside the trunk.

    Parameters
    ----------
    scene : Scene
        Must hold the trunk already.
    body : Body
    kind : str
        ``down``, ``folded``, ``up``, or ``away`` for none.
    rng : Generator
    """
    if kind == "away":
        return
    for side in (-1.0, 1.0):
        thick = rng.uniform(0.85, 1.15) * (0.9 + 0.012 * body.fat_mm)
        if kind == "up":
            _paint_raised(scene, body, side, thick)
        else:
            _paint_lowered(scene, body, side, thick, kind == "folded", rng)


def _paint_limb(
    scene: Scene,
    line: NDArray[np.float64],
    radii: NDArray[np.float64],
    fat_mm: float,
    outside: Values | None,
) -> None:
    """Paint skin, fat and muscle along a line; `outside` is negative where the limb may be."""
    shape = tube(scene.grid, line, radii, margin_mm=4.0)
    if shape.values.size == 0:
        return
    values = shape.values if outside is None else np.maximum(shape.values, outside[shape.box])
    scene.paint(Field(shape.box, values), Material.SKIN)
    scene.paint(Field(shape.box, values), Material.FAT, offset_mm=1.6)
    scene.paint(Field(shape.box, values), Material.MUSCLE, offset_mm=1.6 + fat_mm)


def _paint_long_bone(scene: Scene, line: NDArray[np.float64], radius_mm: float) -> None:
    """Paint a tubular bone: thick cortex, fatty marrow."""
    shape = tube(scene.grid, line, radius_mm)
    scene.paint(shape, Material.CORTICAL_BONE)
    scene.paint(shape, Material.RIB_MARROW, offset_mm=min(3.0, 0.4 * radius_mm))


def _paint_lowered(
    scene: Scene, body: Body, side: float, thick: float, folded: bool, rng: np.random.Generator
) -> None:
    """Paint an arm beside the trunk, its forearm beside or before the belly."""
    aside = body.half_width_mm + 42.0 * thick + rng.uniform(2.0, 14.0)
    axis_y = float(centre_y_mm(body, np.zeros(1, dtype=np.float32))[0])
    back = axis_y - rng.uniform(0.0, 0.5) * body.half_depth_mm
    shoulder = vec(side * (aside - 12.0), back, 240.0)
    elbow = vec(side * aside, back - 8.0, _ELBOW_MM)
    if folded:
        front = axis_y + body.half_depth_mm + 34.0 * thick
        wrist = vec(side * rng.uniform(-40.0, 30.0), front, rng.uniform(-60.0, 40.0))
        bend = vec(side * 0.86 * aside, front - 38.0, 0.5 * (elbow[2] + wrist[2]))
        lower = curve(np.array([elbow, bend, wrist]), 16)
    else:
        wrist = elbow + vec(-side * 8.0, rng.uniform(0.0, 40.0), -250.0)
        lower = curve(np.array([elbow, 0.5 * (elbow + wrist), wrist]), 16)
    upper = curve(np.array([shoulder, 0.5 * (shoulder + elbow), elbow]), 12)
    fat = 0.35 * body.fat_mm
    _paint_limb(scene, upper, np.linspace(50.0, 40.0, 12) * thick, fat, None)
    _paint_limb(scene, lower, np.linspace(42.0, 26.0, 16) * thick, 0.7 * fat, None)
    _paint_long_bone(scene, upper, 12.0)
    for offset in (vec(0.0, 11.0, 0.0), vec(0.0, -9.0, 0.0)):
        _paint_long_bone(scene, lower + offset, 6.5)


def _paint_raised(scene: Scene, body: Body, side: float, thick: float) -> None:
    """Paint a shoulder and an arm raised beside the head, seen at the top of the field only."""
    axis_y = float(centre_y_mm(body, np.full(1, 170.0, dtype=np.float32))[0])
    pit = vec(side * 0.84 * body.half_width_mm, axis_y - 10.0, 168.0)
    line = curve(np.array([pit, pit + vec(side * 34.0, 6.0, 60.0), pit + vec(side * 40, 20, 160)]))
    _paint_limb(scene, line, np.linspace(58.0, 44.0, len(line)) * thick, 0.35 * body.fat_mm, None)
    _paint_long_bone(scene, line[4:], 12.0)


def paint_hips(
    scene: Scene, body: Body, spine: Spine, trunk: Trunk, rng: np.random.Generator
) -> None:
    """Paint everything below L5 that is not bowel, and claim its room.

    Sacrum, iliac wings, hip joints, buttocks, iliopsoas and bladder.
    """
    grid = scene.grid
    if float(grid.axes()[0][0]) > _HIPS_FROM_MM:
        return
    inlet = body.place((0.0, 60.0, -205.0))[0]
    inner = ellipsoid(grid, inlet, np.array([78.0, 72.0, 92.0]) * body.scale, margin_mm=400.0)
    z = grid.axes()[0][:, None, None]
    inside = on_box(inner, grid.whole)
    # above the pelvic inlet the cavity is that of the abdomen
    inside = smooth_min(inside, (-150.0 - z) * np.float32(0.8), 20.0)
    solid = smooth_max(trunk.muscle, -inside, 6.0)
    scene.paint(Field(grid.whole, solid.astype(np.float32)), Material.MUSCLE)
    _paint_buttocks(scene, body, trunk)
    scene.claim(Field(grid.whole, -inside.astype(np.float32)))
    _paint_sacrum(scene, body, spine)
    for side in (-1.0, 1.0):
        _paint_ilium(scene, body, spine, side)
        _paint_hip(scene, body, side)
        start = spine.point(-140.0) + vec(side * 46.0, 2.0, 0.0)
        end = body.place((side * 88.0, 96.0, -262.0))[0]
        loin = tube(grid, curve(np.array([start, 0.5 * (start + end), end])), 18.0, margin_mm=8.0)
        scene.paint(scene.fit(loin, -60.0), Material.MUSCLE)
        scene.claim(loin)
    bladder = ellipsoid(
        grid,
        body.place((0.0, 92.0, -258.0))[0],
        np.array([38.0, 28.0, 30.0]) * rng.uniform(0.6, 1.15),
    )
    scene.paint(bladder, Material.BOWEL_WALL)
    scene.paint(bladder, Material.URINE, offset_mm=3.0)
    scene.claim(bladder)


def _paint_buttocks(scene: Scene, body: Body, trunk: Trunk) -> None:
    """Paint the fat that lies deep between and behind the gluteal muscles."""
    grid = scene.grid
    for side in (-1.0, 1.0):
        centre = body.place((side * 66.0, -26.0, -262.0))[0]
        turn = rotation_ras(x_deg=20.0, z_deg=side * 24.0)
        cushion = ellipsoid(grid, centre, np.array([46.0, 12.0, 70.0]), turn)
        if cushion.values.size:
            inside = np.maximum(cushion.values, trunk.skin[cushion.box] + np.float32(4.0))
            scene.paint(Field(cushion.box, inside), Material.FAT)


def _paint_bone(scene: Scene, shape: Field, cortex_mm: float = 1.6) -> None:
    """Paint a bone that belongs to no vertebra."""
    scene.paint(shape, Material.CORTICAL_BONE)
    scene.paint(shape, Material.RIB_MARROW, offset_mm=cortex_mm)


def _paint_sacrum(scene: Scene, body: Body, spine: Spine) -> None:
    """Paint the sacrum and the coccyx: a wedge that curves to the back and tapers."""
    grid = scene.grid
    top = spine.vertebrae(body)[-1].centre_ras + vec(0.0, -4.0, -30.0 * spine.scale)
    steps = np.array([(0, 0, 0), (0, -16, -26), (0, -28, -52), (0, -30, -78), (0, -18, -104)])
    line = top + steps * spine.scale
    parts = []
    for n, centre in enumerate(line):
        taper = 1.0 - 0.19 * n
        radii = np.array([50.0 * taper, 19.0 * taper, 17.0])
        parts.append(ellipsoid(grid, centre, radii, rotation_ras(x_deg=26.0 - 14.0 * n)))
    parts.append(tube(grid, line[-1] + np.array([(0, 0, 0), (0, 10, -16), (0, 22, -26)]), 6.0))
    shape = union(grid, parts, 8.0)
    _paint_bone(scene, shape, 1.4)
    scene.claim(shape)


def _paint_ilium(scene: Scene, body: Body, spine: Spine, side: float) -> None:
    """Paint the wing of an ilium: a curved plate from the sacrum to the hip joint."""
    grid = scene.grid
    joint = spine.point(-165.0) + vec(side * 50.0, -24.0, 0.0)
    crest = body.place((side * 118.0, 34.0, -118.0), (side * 128.0, 76.0, -150.0))
    socket = body.place((side * 92.0, 52.0, -238.0))[0]
    parts = []
    # strands that fan out between the edges make the plate
    back = curve(np.array([joint, joint + vec(side * 14, 2, -30), socket + vec(0, -16, 22)]), 12)
    upper = curve(np.array([joint + vec(side * 4, 0, 22), *crest]), 12)
    for a, b in zip(back, upper, strict=True):
        middle = 0.5 * (a + b) + vec(side * 6.0, -4.0, 0.0)
        parts.append(tube(grid, curve(np.array([a, middle, b]), 8), 4.6, margin_mm=8.0))
    parts.append(tube(grid, upper, 7.0, margin_mm=8.0))
    parts.append(tube(grid, np.array([crest[1], socket]), [6.0, 12.0], margin_mm=8.0))
    shape = union(grid, parts, 7.0)
    _paint_bone(scene, shape)
    scene.claim(shape)


def _paint_hip(scene: Scene, body: Body, side: float) -> None:
    """Paint acetabulum, head, neck and shaft of the femur, ischium and pubis."""
    grid = scene.grid
    socket = body.place((side * 92.0, 52.0, -250.0))[0]
    cup = ellipsoid(grid, socket + vec(-side * 6.0, 0.0, 5.0), (32.0, 30.0, 30.0))
    pubis = body.place((side * 8.0, 104.0, -286.0))[0]
    seat = body.place((side * 66.0, 14.0, -312.0))[0]
    frame = [
        cup,
        tube(grid, np.array([socket, pubis]), [14.0, 8.0]),
        tube(grid, np.array([socket, seat]), [15.0, 14.0]),
    ]
    _paint_bone(scene, union(grid, frame, 6.0))
    head = ellipsoid(grid, socket, (27.0, 27.0, 27.0))
    scene.paint(head, Material.CARTILAGE)
    trochanter = socket + vec(side * 42.0, -10.0, -26.0)
    femur = union(
        grid,
        [
            ellipsoid(grid, socket, (24.0, 24.0, 24.0)),
            tube(grid, np.array([socket, trochanter]), [15.0, 17.0]),
            tube(grid, np.array([trochanter, trochanter + vec(0.0, 0.0, -120.0)]), [17.0, 14.0]),
        ],
        6.0,
    )
    _paint_bone(scene, femur, 2.2)
