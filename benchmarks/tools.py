"""Editing tools beyond the brush: on the liver (4,000 ml here) and on a lesion of 20 ml."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.graph import MCP_Geometric
from skimage.segmentation import random_walker

from benchmarks import _scene
from benchmarks.registry import Pair, row
from labeler.core import mask_operations, morphology, region_shapes
from labeler.core.axes import measure_axes
from labeler.core.brushes import BallBrush, SmartBrush
from labeler.core.geometry import Plane
from labeler.core.interpolation import fill_between
from labeler.core.livewire import WireTree, edge_costs
from labeler.core.mask import Box, Mask
from labeler.core.outlines import outline_at
from labeler.core.painting import HuLimit, PaintingError, StrokeBuilder
from labeler.core.raster import BoolArray, GridSlice
from labeler.core.region_edits import RegionVoxels
from labeler.core.region_growing import GrowingBox
from labeler.core.scribbles import Scribbles, walked_region

RADIUS_MM = 16.8  # a ball of 20 ml

#: Middle of the lesion, (k, j, i).
CENTRE = (170, 230, 170)


def _liver(mask: Mask) -> RegionVoxels:
    inside = mask.array == _scene.LIVER
    box = Box.around(inside)
    assert box is not None
    return RegionVoxels(box, inside[box.slices], _scene.LIVER)


def _lesion() -> tuple[Mask, RegionVoxels]:
    """An empty mask but for a ball of 20 ml."""
    grid = _scene.grid()
    centre = grid.to_ras(CENTRE[::-1])
    covered = BallBrush(grid, RADIUS_MM).sweep(centre, centre)
    assert covered is not None
    array = np.zeros(_scene.SHAPE_KJI, np.uint8)
    array[covered[0].slices][covered[1]] = 9
    return Mask("draft", array, grid, _scene.axis_order()), RegionVoxels(*covered, 9)


def _room(inside: BoolArray) -> BoolArray:
    return np.pad(inside, 8)


@row("grow-liver", baseline="scipy distance_transform_edt", reach_ratio=0.2)
def grow_liver() -> Pair:
    """Grow the liver by 2 mm."""
    inside, spacing = _room(_liver(_scene.mask()).crop), _scene.SPACING_MM
    return Pair(
        lambda: morphology.grown(inside, spacing, 2.0),
        lambda: ndimage.distance_transform_edt(~inside, sampling=spacing[::-1]) <= 2.0,
    )


@row("smooth-liver", reach=2000.0)
def smooth_liver() -> Pair:
    """Smooth the liver by 2 mm."""
    inside = _room(_liver(_scene.mask()).crop)
    return Pair(lambda: morphology.smoothed(inside, _scene.SPACING_MM, 2.0))


@row("fill-liver", baseline="scipy binary_fill_holes", reach_ratio=0.6)
def fill_liver() -> Pair:
    """Fill holes of the liver in space."""
    inside = _liver(_scene.mask()).crop
    return Pair(lambda: morphology.filled(inside), lambda: ndimage.binary_fill_holes(inside))


@row("necks-liver", reach=4000.0, budget_s=12)
def necks_liver() -> Pair:
    """Look for necks of the liver (watershed)."""
    mask = _scene.mask()
    liver = _liver(mask)

    def split() -> None:
        try:
            region_shapes.split_by_watershed(mask, liver, 2.0)
        except PaintingError:
            pass  # it has none

    return Pair(split)


@row("livewire-anchor", baseline="skimage MCP_Geometric", reach_ratio=0.3, budget_s=4)
def livewire_anchor() -> Pair:
    """All ways from an anchor on a slice."""
    costs = edge_costs(_scene.phases()["PV"].array[CENTRE[0]], (150.0, 90.0))
    slow = costs.astype(np.float64)
    return Pair(
        lambda: WireTree(costs, (250.0, 250.0)),
        lambda: MCP_Geometric(slow).find_costs([(250, 250)]),
    )


@row("livewire-move", reach=1.0, budget_s=2)
def livewire_move() -> Pair:
    """The wire to a point 200 voxels away."""
    tree = WireTree(edge_costs(_scene.phases()["PV"].array[170], (150.0, 90.0)), (150.0, 250.0))
    return Pair(lambda: tree.path_to((350.0, 250.0)))


@row("outline", reach=16.0, budget_s=2)
def outline() -> Pair:
    """Corners to drag of the liver's contour on a slice."""
    mask = _scene.mask()
    ras = mask.grid.to_ras(CENTRE[::-1])

    def find() -> object:
        found = outline_at(mask, Plane.AXIAL, ras)
        assert found is not None
        return found.handles

    return Pair(find)


@row("ball-brush", reach=2.0, budget_s=2)
def ball_brush() -> Pair:
    """One dab of a ball of 20 mm."""
    mask = _scene.mask()
    ras = mask.grid.to_ras(CENTRE[::-1])
    return Pair(lambda: StrokeBuilder(mask, BallBrush(mask.grid, 10.0), 20).move_to(ras))


@row("smart-brush", reach=4.0, budget_s=2)
def smart_brush() -> Pair:
    """One dab of a smart ball of 20 mm."""
    mask, phase = _scene.mask(), _scene.phases()["PV"]
    ras = mask.grid.to_ras(CENTRE[::-1])
    return Pair(lambda: SmartBrush(BallBrush(mask.grid, 10.0), mask.grid, phase).sweep(ras, ras))


@row("grow-preview", reach=100.0, budget_s=4)
def grow_preview() -> Pair:
    """Region growing with a new range in a box of 128 x 128 x 97 voxels."""
    grid = _scene.grid()
    mask = Mask("draft", np.zeros(_scene.SHAPE_KJI, np.uint8), grid, _scene.axis_order())
    box = Box((106, 166, 106), (234, 294, 234))
    smooth = ndimage.gaussian_filter(_scene.phases()["PV"].array[box.slices], 1.0)
    values = np.zeros(_scene.SHAPE_KJI, np.int16)
    values[box.slices] = smooth
    growing = GrowingBox.around(mask, _Phase(values), [CENTRE], 96.0, 1)
    assert growing is not None
    return Pair(lambda: growing.grown(-20.0, 60.0), note=f"{growing.values.size:,} voxels")


class _Phase:
    """Values on the grid of the scene."""

    grid = _scene.grid()

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


@row("scribbles", baseline="skimage random_walker", reach_ratio=1.0, budget_s=20)
def scribbles() -> Pair:
    """Random walker around a lesion of 20 ml."""
    mask, lesion = _lesion()
    grid = mask.grid
    noise = np.random.default_rng(0).normal(0, 15, lesion.crop.shape)
    values = np.random.default_rng(1).normal(110, 15, _scene.SHAPE_KJI[1:]).astype(np.int16)
    array = np.broadcast_to(values, _scene.SHAPE_KJI).copy()
    array[lesion.box.slices][lesion.crop] = (60 + noise)[lesion.crop].astype(np.int16)
    marked, brush = Scribbles(grid), BallBrush(grid, 1.5)
    k, j, i = CENTRE
    for inside, row_at in ((True, j), (False, j - 30), (False, j + 30)):
        ends = (grid.to_ras((i + side, row_at, k)) for side in (-12, 12))
        covered = brush.sweep(*ends)
        assert covered is not None
        marked.add(*covered, inside)
    found = marked.marks()
    assert found is not None
    box, marks = found
    part = ndimage.median_filter(array[box.slices], 3).astype(np.float64)
    return Pair(
        lambda: walked_region(grid, _Phase(array), box, marks),
        lambda: random_walker(part, marks, mode="cg_j", spacing=_scene.SPACING_MM[::-1]),
        note=f"{marks.size:,} voxels",
    )


@row("between-slices", reach=3000.0)
def between_slices() -> Pair:
    """The liver from every tenth of its slices."""
    mask = _scene.mask()
    box = _liver(mask).box
    array = np.where(mask.array[box.slices] == _scene.LIVER, np.uint8(1), np.uint8(0))
    array[np.arange(len(array)) % 10 > 0] = 0
    return Pair(lambda: fill_between(array, 1, Plane.AXIAL, _scene.SPACING_MM))


@row("split-lesion", reach=50.0, budget_s=2)
def split_lesion() -> Pair:
    """Cut a lesion of 20 ml along a line."""
    mask, lesion = _lesion()
    at = GridSlice(mask.grid, Plane.AXIAL, CENTRE[0])
    line = at.to_ras([(CENTRE[2] - 40, CENTRE[1] + 3), (CENTRE[2] + 40, CENTRE[1] - 4)])
    return Pair(lambda: region_shapes.split_by_line(mask, lesion, Plane.AXIAL, line))


@row("axes-liver", reach=100.0, budget_s=2)
def axes_liver() -> Pair:
    """Long and short axis of the liver."""
    liver = _liver(_scene.mask())
    return Pair(lambda: measure_axes(_scene.grid(), liver.box, liver.crop))


@row("threshold-mask", reach=3000.0)
def threshold_mask() -> Pair:
    """A label by threshold in the whole volume."""
    mask = Mask("draft", np.zeros(_scene.SHAPE_KJI, np.uint8), _scene.grid(), _scene.axis_order())
    limit = HuLimit(_scene.phases()["PV"], 60.0, 300.0)
    return Pair(lambda: list(mask_operations.label_by_threshold(mask, limit, 1)))


@row("compare-masks", reach=1000.0, budget_s=4)
def compare_masks() -> Pair:
    """Classes of the difference of two masks."""
    first = _scene.mask()
    second = Mask("other", _scene.second_labels().copy(), _scene.grid(), _scene.axis_order())
    return Pair(lambda: mask_operations.difference(first, second))


@row("combine-masks", reach=3000.0)
def combine_masks() -> Pair:
    """Union of two masks."""
    first = _scene.mask()
    second = Mask("other", _scene.second_labels().copy(), _scene.grid(), _scene.axis_order())
    how = mask_operations.Combination.UNION
    return Pair(lambda: list(mask_operations.combine(first, second, how)))
