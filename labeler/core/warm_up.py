"""Compile or load every kernel, so that no first stroke and no first view waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from labeler.core.brushes import DiscBrush
from labeler.core.contours import label_contours
from labeler.core.geometry import AxisOrder, Grid, Plane
from labeler.core.labels import LabelTable
from labeler.core.mask import Box, LabelArray, Mask
from labeler.core.painting import StrokeBuilder, paint_polygon
from labeler.core.region_edits import RegionVoxels, transfer_region
from labeler.core.regions import RegionIndex
from labeler.core.rendering import MaskLayer, colour_table, render
from labeler.core.statistics import PlacedVolume
from labeler.core.views import ViewTransform


def warm_up(report: Callable[[float], None] = lambda fraction: None) -> None:
    """Run everything once on a few voxels of each type.

    Takes half a second when the kernels are cached, half a minute on the first start after an
    installation; meant for a background task.

    Parameters
    ----------
    report
        Told how much is done (0..1) before each step; may raise to stop.
    """
    steps = _steps()
    for number, step in enumerate(steps):
        report(number / len(steps))
        step()


def _steps() -> list[Callable[[], None]]:
    straight = Grid((2, 4, 8), np.diag([-1.0, -1.0, 1.0, 1.0]))
    turned = np.diag([-1.0, -1.0, 1.0, 1.0])
    turned[0, 1], turned[1, 0] = 0.2, -0.2
    oblique = Grid((2, 4, 8), turned)
    steps: list[Callable[[], None]] = []
    for values in (np.zeros((2, 4, 8), np.int16), np.zeros((2, 4, 8), np.float32)):
        steps += [partial(_render, values, straight, plane) for plane in Plane]
    for dtype in (np.uint8, np.uint16):
        array: LabelArray = np.zeros((2, 4, 8), np.dtype(dtype))
        array[0, 1, 2:5] = 1
        for grid in (straight, oblique):
            layer = MaskLayer(array, grid, colour_table(LabelTable()))
            steps += [partial(_render, None, straight, plane, layer) for plane in Plane]
        steps.append(partial(_edit, array, straight, oblique))
        steps.append(partial(_follow, array, straight, oblique))
    return steps


def _render(values: np.ndarray | None, grid: Grid, plane: Plane, *layers: MaskLayer) -> None:
    view = ViewTransform.through(
        grid.to_ras((3, 1, 0)),
        grid=grid,
        plane=plane,
        center_ras=grid.center_ras,
        mm_per_px=0.7,
        size_px=(16, 16),
    )
    render(np.empty((16, 16), np.uint32), values, view, (400.0, 40.0), layers)


def _follow(array: LabelArray, grid: Grid, other: Grid) -> None:
    phases = {
        f"{number}": PlacedVolume(np.zeros(array.shape, dtype), where)
        for number, (dtype, where) in enumerate(
            [(np.int16, grid), (np.float32, grid), (np.int16, other), (np.float32, other)]
        )
    }
    index = RegionIndex.build("", array, grid, phases)
    box = Box((0, 1, 2), (1, 2, 4))
    index, _ = index.updated(box, np.zeros(box.shape_kji, array.dtype))
    index.component_crop(next(iter(index.regions)))


def _edit(array: LabelArray, grid: Grid, other: Grid) -> None:
    order = AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk)
    mask, target = Mask("a", array.copy(), grid, order), Mask("b", array.copy(), other, order)
    StrokeBuilder(mask, DiscBrush(grid, Plane.AXIAL, 1.0), 1).move_to(grid.to_ras((1, 1, 1)))
    paint_polygon(mask, Plane.AXIAL, grid.to_ras([(0, 0, 1), (5, 0, 1), (5, 3, 1)]), 1)
    region = RegionVoxels(Box((0, 1, 2), (1, 2, 5)), np.ones((1, 1, 3), np.bool_), 1)
    transfer_region(mask, region, target, 2)
    label_contours(array[0])
