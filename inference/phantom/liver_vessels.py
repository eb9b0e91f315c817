"""Vessel trees inside the liver: portal, hepatic venous and arterial.

A tree grows by joining points spread over the liver, nearest to the root first, to the nearest
branch there is. Its calibres follow Murray's law (the cube of a radius is the sum of the cubes
of its children), which gives four to five orders of branches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, on_box, tube, union
from inference.phantom.great_vessels import GreatVessels, curve
from inference.phantom.grids import Grid, vec
from inference.phantom.liver import Liver
from inference.phantom.materials import Material
from inference.phantom.scene import Scene

Points = NDArray[np.float64]
THINNEST_MM = 0.55


@dataclass(frozen=True)
class Tree:
    """A vessel tree.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Nodes in RAS mm; node 0 is the root.
    parent : ndarray of int, shape (n,)
        Index of the node towards the root, -1 for the root.
    radii_mm : ndarray, shape (n,)
        Radius of the piece between a node and its parent.
    """

    points: Points
    parent: NDArray[np.intp]
    radii_mm: NDArray[np.float64]

    def pieces(self, thicker_mm: float = 0.0) -> list[tuple[Points, NDArray[np.float64]]]:
        """Return (points, radii) of all two-node pieces of at least a radius."""
        result = []
        for n in np.flatnonzero((self.parent >= 0) & (self.radii_mm >= thicker_mm)):
            up = self.parent[n]
            start = self.radii_mm[up] if self.parent[up] >= 0 else self.radii_mm[n]
            radii = np.array([min(start, 1.25 * self.radii_mm[n]), self.radii_mm[n]])
            result.append((self.points[[up, n]], radii))
        return result


@dataclass(frozen=True)
class LiverVessels:
    """The three trees of a liver."""

    portal: Tree
    veins: Tree
    arteries: Tree


def _spread(grid: Grid, liver: Liver, n: int, depth_mm: float, rng: np.random.Generator) -> Points:
    """Return `n` random points at least `depth_mm` deep in the liver, evenly spread."""
    inside = np.argwhere(liver.shape.values < -depth_mm)
    pick = inside[rng.choice(len(inside), size=min(6 * n, len(inside)), replace=False)]
    candidates = grid.crop(liver.shape.box).to_ras(pick)
    # best of the rest: keep the candidate that is farthest from all kept ones
    chosen = [0]
    distance = np.linalg.norm(candidates - candidates[0], axis=1)
    for _ in range(min(n, len(candidates)) - 1):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(candidates - candidates[chosen[-1]], axis=1))
    return candidates[chosen]


def grow(trunks: list[Points], goals: Points, root_mm: float, rng: np.random.Generator) -> Tree:
    """Grow a tree from given trunks to goals.

    Parameters
    ----------
    trunks : list of ndarray, shape (n, 3)
        Polylines; the first starts at the root, the others start on an earlier one.
    goals : ndarray, shape (m, 3)
        Points the leaves end at.
    root_mm : float
        Radius at the root.
    rng : Generator
    """
    points = [trunks[0][0]]
    parent = [-1]
    for line in trunks:
        at = int(np.linalg.norm(np.array(points) - line[0], axis=1).argmin())
        for point in line[1:]:
            points.append(point)
            parent.append(at)
            at = len(points) - 1
    order = np.argsort(np.linalg.norm(goals - trunks[0][-1], axis=1), kind="stable")
    for goal in goals[order]:
        known = np.array(points)
        offset = goal - known
        away = np.linalg.norm(offset, axis=1)
        # branches leave forwards: going back along the parent costs
        up = np.array(parent)
        heading = known - known[np.maximum(up, 0)]
        heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
        forward = (offset * heading).sum(axis=1) / np.maximum(away, 1e-6)
        at = int((away * (1.35 - 0.5 * forward)).argmin())
        start = known[at]
        bend = 0.5 * (start + goal) + 0.16 * away[at] * (heading[at] + 0.5 * rng.normal(0, 1, 3))
        steps = max(3, int(away[at] / 5.0))
        for point in curve(np.array([start, bend, goal]), steps)[1:]:
            points.append(point)
            parent.append(at)
            at = len(points) - 1
    return _calibrate(np.array(points), np.array(parent, dtype=np.intp), root_mm)


def _calibrate(points: Points, parent: NDArray[np.intp], root_mm: float) -> Tree:
    """Give a tree its radii by Murray's law."""
    leaves = np.zeros(len(parent))
    is_leaf = np.ones(len(parent), dtype=bool)
    is_leaf[parent[parent >= 0]] = False
    leaves[is_leaf] = 1.0
    # children always come after their parents
    for n in range(len(parent) - 1, 0, -1):
        leaves[parent[n]] += leaves[n]
    radii = root_mm * (leaves / leaves[0]) ** (1.0 / 2.7)
    return Tree(points, parent, np.maximum(radii, THINNEST_MM))


def make_liver_vessels(
    grid: Grid, liver: Liver, vessels: GreatVessels, rng: np.random.Generator
) -> LiverVessels:
    """Grow the trees of a liver."""
    hilum, cava = liver.hilum_ras, liver.cava_ras
    right = np.array([hilum, hilum + vec(16.0, -4.0, 5.0), hilum + vec(31.0, -8.0, 8.0)])
    left = np.array(
        [
            hilum,
            hilum + vec(-10.0, 9.0, 9.0),
            [liver.fissure_x_mm + 4.0, hilum[1] + 20.0, hilum[2] + 16.0],
            [liver.fissure_x_mm - 1.0, hilum[1] + 33.0, hilum[2] + 12.0],
        ]
    )
    stem = vessels.portal[-3:]
    portal_goals = _spread(grid, liver, 170, 4.0, rng)
    portal = grow([stem, curve(right, 8), curve(left, 10)], portal_goals, 6.6, rng)
    trunks = []
    for side, forward, down in ((62.0, -6.0, -30.0), (22.0, 44.0, -26.0), (-26.0, 46.0, -16.0)):
        tip = cava + vec(side, forward, down)
        middle = cava + np.array([side, forward, 0.25 * down]) * 0.5 + vec(0.0, 0.0, 3.0)
        trunks.append(curve(np.array([cava, middle, tip]), 12))
    veins = grow(trunks, _spread(grid, liver, 120, 6.0, rng), 7.4, rng)
    arteries = grow(
        [line + vec(1.5, 4.0, -2.0) for line in (stem, curve(right, 8), curve(left, 10))],
        portal_goals[::3] + rng.normal(0.0, 2.0, (len(portal_goals[::3]), 3)),
        2.0,
        rng,
    )
    return LiverVessels(portal, veins, arteries)


def _tree_field(grid: Grid, tree: Tree, thicker_mm: float, thinner_mm: float) -> Field | None:
    """Return the field of the pieces of a tree in a range of radii."""
    shapes = [
        tube(grid, points, radii, margin_mm=2.0)
        for points, radii in tree.pieces(thicker_mm)
        if radii[1] < thinner_mm
    ]
    shapes = [s for s in shapes if s.values.size]
    return union(grid, shapes) if shapes else None


def paint_liver_vessels(scene: Scene, liver: Liver, trees: LiverVessels) -> dict[str, Field]:
    """Paint the trees into the liver and return their fields by name.

    The finest branches are thinner than a voxel, so they may fill only a part of it.
    """
    grid = scene.grid
    fields = {}
    pixel = grid.spacing_mm[0]
    for name, tree, material in (
        ("veins", trees.veins, Material.LIVER_VEIN),
        ("portal", trees.portal, Material.LIVER_PORTAL),
        ("arteries", trees.arteries, Material.LIVER_ARTERY),
    ):
        parts = []
        for low, high in pairwise((0.0, 0.4 * pixel, 0.7 * pixel, 99.0)):
            field = _tree_field(grid, tree, low, high)
            if field is None:
                continue
            limit = float(np.clip(2.0 * (high / pixel) ** 2, 0.25, 1.0))
            # trunks begin a little outside the liver
            liver_here = on_box(liver.shape, field.box) - np.float32(3.0)
            inside = Field(field.box, np.maximum(field.values, liver_here))
            scene.paint(inside, material, limit=limit)
            parts.append(inside)
        fields[name] = union(grid, parts)
    return fields
