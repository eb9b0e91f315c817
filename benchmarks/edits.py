"""Strokes and their undo."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks import _scene
from benchmarks.registry import Pair, row
from labeler.core.brushes import DiscBrush
from labeler.core.geometry import Plane
from labeler.core.mask import Mask, Patch
from labeler.core.painting import StrokeBuilder
from labeler.core.region_edits import RegionVoxels, relabel_region
from labeler.core.regions import RegionIndex

BRUSH_MM = 20.0
NEW_LABEL = 20


@row("stroke-kernel", reach=1.0, reach_p95=2.0, budget_s=2)
def stroke_kernel() -> Pair:
    """One move of a 20 mm brush: patch made and applied."""
    mask, grid = _scene.mask(), _scene.grid()
    strokes = itertools.count()
    moves = itertools.chain.from_iterable(_wave(mask, next(strokes)) for _ in itertools.count())

    def move() -> None:
        stroke, ijk = next(moves)
        patch = stroke.move_to(grid.to_ras(ijk))
        if patch is not None:
            mask.apply(patch)

    return Pair(move)


@row("undo-stroke", reach=1.0, budget_s=2)
def undo_stroke() -> Pair:
    """Undo of a stroke of 60 moves."""
    mask, grid = _scene.mask(), _scene.grid()
    patch: Patch | None = None
    for stroke, ijk in itertools.islice(_wave(mask, 0), 60):
        part = stroke.move_to(grid.to_ras(ijk))
        if part is not None:
            mask.apply(part)
        patch = stroke.finish()
    assert patch is not None
    whole = patch
    return Pair(lambda: mask.apply(whole))


@row("undo-liver", reach=15.0, budget_s=2)
def undo_liver() -> Pair:
    """Undo of deleting the liver."""
    mask = _scene.mask()
    index = RegionIndex.build(mask.name, mask.array, mask.grid)
    liver = next(r for r in index.regions.values() if r.label == _scene.LIVER)
    voxels = RegionVoxels(*index.component_crop(liver.id), liver.label)
    patch = relabel_region(mask, voxels, 0)
    assert patch is not None
    return Pair(lambda: mask.apply(patch))


def _wave(mask: Mask, number: int) -> list[tuple[StrokeBuilder, tuple[float, float, float]]]:
    """A new stroke and the points (i, j, k) that it visits."""
    stroke = StrokeBuilder(
        mask, DiscBrush(mask.grid, Plane.AXIAL, BRUSH_MM), NEW_LABEL + number % 2
    )
    k = 100 + number % 100
    angles = np.linspace(0, 4 * np.pi, 60)
    return [(stroke, (200 + 10 * a, 200 + 60 * np.sin(a), k)) for a in angles.tolist()]
