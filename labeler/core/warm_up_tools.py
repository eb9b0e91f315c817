"""Compile or load the kernels of the editing tools, so that the first use of none waits for it.

Apart from :mod:`~labeler.core.warm_up`, for which the first case waits: nobody grows a region
before a case is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from labeler.core import mask_operations, region_shapes
from labeler.core.axes import measure_axes
from labeler.core.brushes import BallBrush
from labeler.core.distance import squared_distance
from labeler.core.geometry import AxisOrder, Grid, Plane
from labeler.core.livewire import WireTree, edge_costs
from labeler.core.mask import Box, LabelArray, Mask
from labeler.core.outlines import Outline
from labeler.core.painting import PaintingError
from labeler.core.raster import GridSlice, Stamp
from labeler.core.region_edits import RegionVoxels
from labeler.core.region_growing import GrowingBox
from labeler.core.resampling import values_in
from labeler.core.scribbles import INSIDE, OUTSIDE, UNKNOWN, chances
from labeler.core.statistics import PlacedVolume

SHAPE = (3, 8, 12)


def warm_up_tools(report: Callable[[float], None] = lambda fraction: None) -> None:
    """Use every tool once on a few voxels of each type.

    Takes some tenths of a second when the kernels are cached, half a minute on the first start
    after an installation; meant for a background task.

    Parameters
    ----------
    report
        Told how much is done (0..1) before each step; may raise to stop.
    """
    steps = list(_steps())
    for number, step in enumerate(steps):
        report(number / len(steps))
        step()


def _steps() -> Iterator[Callable[[], None]]:
    grid = Grid(SHAPE, np.diag([-1.0, -1.0, 1.0, 1.0]))
    aside = grid.shifted((0.4, 0.0, 0.0))
    for dtype in (np.uint8, np.uint16):
        array: LabelArray = np.zeros(SHAPE, np.dtype(dtype))
        array[1, 2:6, 2:10] = 1
        yield partial(_change_masks, _mask(array, grid), _mask(array, aside))
        yield partial(_change_shapes, _mask(array, grid))
    for values in (np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.float32)):
        for where in (grid, aside):
            yield partial(_look_at_values, _mask(array, grid), PlacedVolume(values, where))
    yield partial(_measure, grid)


def _mask(array: LabelArray, grid: Grid) -> Mask:
    return Mask("", array, grid, AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk))


def _change_masks(mask: Mask, other: Mask) -> None:
    list(mask_operations.copy_labels(other, mask))
    mask_operations.difference(mask, other)
    outline = Outline(GridSlice(mask.grid, Plane.AXIAL, 1), 1, Stamp((0, 0), mask.array[1] > 0))
    outline.handles  # noqa: B018 - it is worked out when it is first asked for


def _change_shapes(mask: Mask) -> None:
    box = Box((1, 2, 2), (2, 6, 10))
    region = RegionVoxels(box, np.ones(box.shape_kji, np.bool_), 1)
    line = mask.grid.to_ras([(5, 1, 1), (5, 7, 1)])
    region_shapes.split_by_line(mask, region, Plane.AXIAL, line)
    try:
        region_shapes.split_by_watershed(mask, region, 1.0)
    except PaintingError:
        pass  # a block has no neck


def _look_at_values(mask: Mask, phase: PlacedVolume) -> None:
    values_in(phase, mask.grid, Box((0, 1, 1), (2, 7, 9)))
    growing = GrowingBox.around(mask, phase, [(1, 4, 4)], 6.0, 1)
    if growing is not None:
        growing.grown(-1.0, 1.0)


def _measure(grid: Grid) -> None:
    start, end = grid.to_ras([(2, 3, 1), (8, 4, 1)])
    BallBrush(grid, 1.5).sweep(start, end)
    inside = np.zeros(SHAPE, np.bool_)
    inside[1, 2:6, 2:10] = True
    squared_distance(inside, grid.spacing_mm)
    measure_axes(grid, Box.whole(SHAPE), inside)
    tree = WireTree(edge_costs(np.zeros((8, 12), np.float32), (400.0, 40.0)), (1.0, 1.0))
    tree.path_to((5.0, 5.0))
    marks = np.full(SHAPE, UNKNOWN, np.uint8)
    marks[1, 4, 4], marks[0] = INSIDE, OUTSIDE
    chances(np.zeros(SHAPE, np.float32), marks, grid.spacing_mm)
