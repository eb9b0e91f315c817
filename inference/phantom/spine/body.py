"""The body around a spine, sketched: outline, chest, bowel, pelvis, skull and arms.

Levels are told apart by what lies beside them (skull, first rib, last rib, sacrum), and false
vertebrae appear where something else is bright (contrast in heart, vessels, kidneys and bowel,
hips, arms). Both have to be in the picture; their exact shapes need not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, Values, ellipsoid, rotation_ras, smooth_max, tube
from inference.phantom.grids import Grid, vec
from inference.phantom.scene import Scene
from inference.phantom.spine.curve import WholeSpine
from inference.phantom.spine.tissue import Tissue
from inference.vertebra.levels import INDEX, LEVELS

# Outline by level: half width, half depth, and from the spine to the skin of the back, in mm.
_OUTLINE_LEVELS = ("C1", "C4", "C7", "T2", "T6", "T11", "L2", "L5", "S1")
_HALF_WIDTHS_MM = (76.0, 62.0, 90.0, 185.0, 170.0, 155.0, 150.0, 165.0, 178.0)
_HALF_DEPTHS_MM = (95.0, 62.0, 75.0, 95.0, 112.0, 112.0, 110.0, 108.0, 108.0)
_BACK_MM = (75.0, 62.0, 62.0, 62.0, 66.0, 66.0, 72.0, 80.0, 84.0)
_SUPERELLIPSE = 2.4


@dataclass(frozen=True, eq=False)
class Outline:
    """The body's cross-section at every height.

    Parameters
    ----------
    heights_mm : ndarray, ascending
    centre_x_mm, centre_y_mm, half_width_mm, half_depth_mm : ndarray
        At those heights.
    """

    heights_mm: NDArray[np.float64]
    centre_x_mm: NDArray[np.float64]
    centre_y_mm: NDArray[np.float64]
    half_width_mm: NDArray[np.float64]
    half_depth_mm: NDArray[np.float64]

    def at(self, z_mm: float) -> tuple[float, float, float, float]:
        """Return centre x, centre y, half width and half depth at a height."""
        x, y, w, d = (
            float(np.interp(z_mm, self.heights_mm, values))
            for values in (
                self.centre_x_mm, self.centre_y_mm, self.half_width_mm, self.half_depth_mm,
            )
        )  # fmt: skip
        return x, y, w, d

    def wall(self, angle_deg: float, z_mm: float, inside_mm: float) -> NDArray[np.float64]:
        """Return a point inside the skin, at an angle from the back (positive to the right)."""
        x, y, w, d = self.at(z_mm)
        angle = np.deg2rad(angle_deg)
        w, d = w - inside_mm, d - inside_mm
        return vec(x + w * np.sin(angle), y - d * np.cos(angle), z_mm)

    def depth(self, grid: Grid) -> Values:
        """Return about the distance to the skin, negative inside, on a grid."""
        z, y, x = grid.axes()
        parts = []
        for values in (
            self.centre_x_mm, self.centre_y_mm, self.half_width_mm, self.half_depth_mm,
        ):  # fmt: skip
            line = np.interp(z, self.heights_mm, values).astype(np.float32)
            parts.append(line[:, None, None])
        cx, cy, w, d = parts
        side = np.abs((x[None, None, :] - cx) / w) ** _SUPERELLIPSE
        front = np.abs((y[None, :, None] - cy) / d) ** _SUPERELLIPSE
        radius = (side + front) ** np.float32(1.0 / _SUPERELLIPSE)
        result: Values = ((radius - 1.0) * np.minimum(w, d)).astype(np.float32)
        return result


def make_outline(spine: WholeSpine, rng: np.random.Generator) -> Outline:
    """Draw the outline of a body around its spine."""
    build = spine.scale * rng.uniform(0.9, 1.15)
    thick = build * rng.uniform(0.85, 1.2)
    names = spine.names
    centres = spine.centres_ras
    rows = [names.index(name) for name in _OUTLINE_LEVELS if name in names]
    kept = [n for n, name in enumerate(_OUTLINE_LEVELS) if name in names]
    heights = centres[rows, 2]
    back = centres[rows, 1] - np.array(_BACK_MM)[kept] * build
    depth = np.array(_HALF_DEPTHS_MM)[kept] * thick
    # above and below the spine the outline goes on as it ends
    order = np.argsort(heights)
    z = heights[order]
    z = np.concatenate([[z[0] - 400.0], z, [z[-1] + 400.0]])

    def extended(values: NDArray[np.float64]) -> NDArray[np.float64]:
        values = values[order]
        return np.concatenate([values[:1], values, values[-1:]])

    return Outline(
        z,
        extended(centres[rows, 0] * 0.7),
        extended(back + depth),
        extended(np.array(_HALF_WIDTHS_MM)[kept] * build),
        extended(depth),
    )


class BodyPainter:
    """Paints a body around a spine, from the skin inwards.

    Parameters
    ----------
    scene : Scene
    spine : WholeSpine
    outline : Outline
    rng : Generator
    """

    def __init__(
        self, scene: Scene, spine: WholeSpine, outline: Outline, rng: np.random.Generator
    ) -> None:
        self._scene, self._spine, self._outline, self._rng = scene, spine, outline, rng
        self._grid = scene.grid
        self._at = {v.name: v.centre_ras for v in spine.vertebrae}
        self._size = spine.scale

    def paint(self) -> None:
        """Paint everything but the vertebrae."""
        fat_mm = float(self._rng.uniform(5.0, 35.0))
        depth = self._outline.depth(self._grid)
        whole = self._grid.whole
        for tissue, inside in (
            (Tissue.FAT, 0.0),
            (Tissue.MUSCLE, fat_mm),
            (Tissue.VISCERA, fat_mm + 22.0),
        ):
            self._scene.paint(Field(whole, depth), tissue, offset_mm=inside)
        self._back_muscles()
        self._head()
        self._chest(depth, fat_mm)
        self._ribs(fat_mm)
        self._abdomen(depth, fat_mm)
        self._vessels()
        self._pelvis()
        self._arms()

    def _blob(
        self, centre: NDArray[np.float64], radii: tuple[float, float, float], tissue: Tissue,
        turn: NDArray[np.float64] | None = None, shell_mm: float = 0.0,
        inner: Tissue = Tissue.MARROW,
    ) -> None:  # fmt: skip
        """Paint an ellipsoid, with something else inside when it has a shell."""
        size = np.array(radii) * self._size
        shape = ellipsoid(self._grid, centre, size, turn, margin_mm=6.0)
        self._scene.paint(shape, tissue)
        if shell_mm:
            self._scene.paint(shape, inner, offset_mm=shell_mm)

    def _rod(
        self, points: list[NDArray[np.float64]] | NDArray[np.float64],
        radius: float | list[float], tissue: Tissue,
        shell_mm: float = 0.0, inner: Tissue = Tissue.MARROW,
    ) -> None:  # fmt: skip
        shape = tube(self._grid, np.array(points), np.asarray(radius) * self._size)
        self._scene.paint(shape, tissue)
        if shell_mm:
            self._scene.paint(shape, inner, offset_mm=shell_mm)

    def _place(self, level: str, right: float, front: float, up: float) -> NDArray[np.float64]:
        """Return a point beside a level, in mm of this body's size."""
        # a level that this person lacks: the one before it
        name = next(name for name in LEVELS[INDEX[level] :: -1] if name in self._at)
        found = self._at[name]
        return found + self._size * vec(right, front, up)

    def _back_muscles(self) -> None:
        line = self._spine.centres_ras
        for side in (-1.0, 1.0):
            self._rod(line + vec(side * 30.0, -38.0, 0.0), 22.0, Tissue.MUSCLE)
            below = [self._place(n, side * 45.0, 2.0, 0.0) for n in ("L1", "L3", "L5")]
            self._rod(below, [10.0, 20.0, 25.0], Tissue.MUSCLE)

    def _head(self) -> None:
        skull = self._place("C1", 0.0, 12.0, 82.0)
        self._blob(skull, (72.0, 92.0, 78.0), Tissue.SKULL, shell_mm=6.0, inner=Tissue.BRAIN)
        for side in (-1.0, 1.0):
            self._blob(self._place("C1", side * 18.0, 4.0, 16.0), (9.0, 14.0, 8.0), Tissue.SKULL)
            jaw = [
                self._place("C1", side * 45.0, 30.0, 15.0),
                self._place("C3", side * 42.0, 35.0, 0.0),
                self._place("C4", side * 8.0, 78.0, 0.0),
            ]
            self._rod(jaw, 6.0, Tissue.SKULL, shell_mm=3.0)
        self._blob(self._place("C1", 0.0, 75.0, 25.0), (30.0, 25.0, 30.0), Tissue.GAS)
        airway = [self._place(n, 0.0, 28.0, 0.0) for n in ("C2", "C4", "C7", "T2")]
        self._rod([*airway, self._place("T5", 0.0, 40.0, 0.0)], 8.0, Tissue.GAS)

    def _chest(self, depth: Values, fat_mm: float) -> None:
        top, low = self._at["T1"], self._at["T11"]
        middle = 0.5 * (top + low) + vec(0.0, 40.0, 0.0)
        height = 0.5 * float(top[2] - low[2]) + self._rng.uniform(-10.0, 25.0)
        _, _, width, thick = self._outline.at(float(middle[2]))
        for side in (-1.0, 1.0):
            centre = middle + vec(side * 0.48 * width, 0.0, 0.0)
            radii = (0.40 * width, 0.75 * thick, height)
            lung = ellipsoid(self._grid, centre, radii, margin_mm=4.0)
            wall = depth[lung.box] + np.float32(fat_mm + 28.0)
            self._scene.paint(Field(lung.box, smooth_max(lung.values, wall, 6.0)), Tissue.LUNG)
        heart = self._place("T7", -25.0, 75.0, -10.0)
        self._blob(heart, (52.0, 42.0, 55.0), Tissue.BLOOD, rotation_ras(20.0, 25.0, 0.0))
        sternum = [self._outline.wall(180.0, self._at[n][2], fat_mm + 12.0) for n in ("T3", "T9")]
        self._rod(sternum, 8.0, Tissue.THIN_BONE, shell_mm=2.5)
        for side in (-1.0, 1.0):
            shoulder = self._place("T1", side * 165.0, 20.0, 25.0)
            self._rod([sternum[0], shoulder], 6.0, Tissue.THIN_BONE, shell_mm=2.5)
            blade = self._place("T4", side * 95.0, -32.0, 0.0)
            turn = rotation_ras(0.0, 0.0, -side * 25.0)
            self._blob(blade, (48.0, 4.0, 70.0), Tissue.THIN_BONE, turn)

    def _ribs(self, fat_mm: float) -> None:
        for vertebra in self._spine.vertebrae:
            if not vertebra.name.startswith("T"):
                continue
            number = int(vertebra.name[1:])
            if number == 13 and self._rng.random() < 0.5:
                continue
            last = {11: 95.0, 12: self._rng.uniform(40.0, 80.0), 13: 40.0}.get(number, 135.0)
            drop = {1: 35.0, 2: 55.0, 11: 60.0, 12: 45.0, 13: 30.0}.get(number, 85.0)
            width, depth, height = vertebra.size_mm
            for side in (-1.0, 1.0):
                path = vertebra.at(
                    (side * width * 0.5, depth * 0.4, height * 0.3),
                    (side * (width * 0.5 + 14.0), depth * 0.5 + 16.0, 5.0),
                )
                z0 = float(path[-1][2])
                # the first ribs lie inside the shoulders
                inside = fat_mm + 10.0 + {1: 75.0, 2: 50.0, 3: 25.0}.get(number, 0.0)
                arc = [
                    self._outline.wall(side * a, z0 - drop * ((a - 25.0) / 115.0) ** 1.2, inside)
                    for a in np.arange(34.0, last + 1.0, 12.0)
                ]
                self._rod([*path, *arc], 4.5, Tissue.THIN_BONE, shell_mm=1.8)

    def _abdomen(self, depth: Values, fat_mm: float) -> None:
        rng = self._rng
        liver = ellipsoid(
            self._grid, self._place("T12", 62.0, 55.0, 5.0), np.array([78, 72, 85]) * self._size
        )
        wall = depth[liver.box] + np.float32(fat_mm + 24.0)
        self._scene.paint(Field(liver.box, smooth_max(liver.values, wall, 8.0)), Tissue.LIVER)
        self._blob(self._place("T12", -95.0, 5.0, 10.0), (28.0, 42.0, 50.0), Tissue.SPLEEN)
        for side in (-1.0, 1.0):
            centre = self._place("L2", side * 58.0, 2.0, rng.uniform(-15.0, 15.0))
            turn = rotation_ras(0.0, side * 12.0, 0.0)
            self._blob(centre, (27.0, 24.0, 55.0), Tissue.KIDNEY, turn)
        kinds = (Tissue.BOWEL, Tissue.STOOL, Tissue.GAS, Tissue.ORAL_CONTRAST)
        share = np.array([4.0, 2.0, 2.0, 1.5 if rng.random() < 0.4 else 0.0])
        for _ in range(int(rng.integers(14, 30))):
            level = str(rng.choice(["L1", "L2", "L3", "L4", "S1"]))
            centre = self._place(level, rng.uniform(-110, 110), rng.uniform(45, 120), 0.0)
            kind = kinds[int(rng.choice(4, p=share / share.sum()))]
            radii = tuple(rng.uniform(10.0, 28.0, 3))
            self._blob(centre, radii, kind)

    def _vessels(self) -> None:
        arch = [
            self._place("T5", -8.0, 62.0, 0.0), self._place("T4", -12.0, 35.0, 12.0),
            self._place("T5", -24.0, 10.0, 0.0), self._place("T8", -22.0, 22.0, 0.0),
            self._place("T12", -8.0, 30.0, 0.0), self._place("L2", -8.0, 34.0, 0.0),
            self._place("L4", -6.0, 34.0, 0.0),
        ]  # fmt: skip
        self._rod(arch, [15.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0], Tissue.ARTERY)
        cava = [self._place(n, 20.0, 32.0, 0.0) for n in ("T9", "L1", "L4")]
        self._rod(cava, [12.0, 12.0, 10.0], Tissue.VEIN)
        for side in (-1.0, 1.0):
            neck = [self._place(n, side * 25.0, 20.0, 0.0) for n in ("C2", "C7", "T3")]
            self._rod(neck, 4.0, Tissue.ARTERY)
            legs = [self._at["S1"] + self._size * vec(side * 15.0, 45.0, 20.0),
                    self._at["S1"] + self._size * vec(side * 60.0, 70.0, -70.0)]  # fmt: skip
            self._rod(legs, 6.0, Tissue.ARTERY)

    def _pelvis(self) -> None:
        top = self._at["S1"]
        for side in (-1.0, 1.0):
            wing = top + self._size * vec(side * 78.0, 25.0, -5.0)
            turn = rotation_ras(-15.0, side * 18.0, side * 40.0)
            self._blob(wing, (9.0, 58.0, 62.0), Tissue.CORTEX, turn, shell_mm=3.0)
            joint = top + self._size * vec(side * 50.0, -22.0, -15.0)
            self._blob(joint, (10.0, 22.0, 30.0), Tissue.CORTEX, turn, shell_mm=3.0)
            socket = top + self._size * vec(side * 88.0, 30.0, -95.0)
            self._blob(socket, (30.0, 30.0, 32.0), Tissue.CORTEX, shell_mm=4.0)
            self._blob(socket, (22.0, 22.0, 22.0), Tissue.CORTEX, shell_mm=2.5)
            ischium = [socket, top + self._size * vec(side * 60.0, 5.0, -150.0)]
            self._rod(ischium, 14.0, Tissue.CORTEX, shell_mm=3.0)

    def _arms(self) -> None:
        how = self._rng.choice(["none", "down", "up"], p=[0.2, 0.35, 0.45])
        if how == "none":
            return
        _, _, width, _ = self._outline.at(float(self._at["T6"][2]))
        for side in (-1.0, 1.0):
            shoulder = self._place("T2", side * 172.0, 10.0, 10.0)
            if how == "down":
                hand = np.array([side * (width + 45.0), shoulder[1], self._at["S1"][2]])
            else:
                hand = self._place("C1", side * 105.0, 10.0, 120.0)
            self._rod([shoulder, hand], [42.0, 32.0], Tissue.FAT)
            self._rod([shoulder, hand], [36.0, 26.0], Tissue.MUSCLE)
            self._rod([shoulder, hand], [14.0, 10.0], Tissue.CORTEX, shell_mm=4.0)
