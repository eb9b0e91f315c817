"""After both warm-ups no tool waits for a compiler."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from labeler.core import mask_operations, region_shapes
from labeler.core.axes import measure_axes
from labeler.core.brushes import BallBrush, DiscBrush, SmartBrush
from labeler.core.geometry import Plane
from labeler.core.interpolation import fill_between
from labeler.core.livewire import WireTree, edge_costs
from labeler.core.morphology import closed, filled, grown, hollowed, shrunk, smoothed
from labeler.core.outlines import outline_at
from labeler.core.painting import Constraint, HuLimit, PaintingError, write
from labeler.core.raster import GridSlice
from labeler.core.region_edits import RegionVoxels
from labeler.core.region_growing import GrowingBox
from labeler.core.regions import RegionIndex
from labeler.core.resampling import values_in
from labeler.core.scribbles import Scribbles, walked_region
from labeler.core.statistics import PlacedVolume
from labeler.core.warm_up import warm_up
from labeler.core.warm_up_tools import warm_up_tools
from tests.unit.core_strategies import make_grid, make_mask, random_labels
from tests.unit.test_core_jit import KERNELS, compiled_versions

SHAPE = (7, 15, 17)


def use_every_tool():
    """What the program does with the kernels of tools, on arrays as the program has them."""
    grid, other = make_grid(SHAPE), make_grid(SHAPE, degrees=5.0)
    for dtype, values in ((np.uint8, np.int16), (np.uint16, np.float32)):
        mask = make_mask(random_labels(SHAPE, 1, dtype), grid)
        source = make_mask(random_labels(SHAPE, 2, dtype), other, name="source")
        label = int(mask.array.max())
        rough = np.random.default_rng(0).normal(0, 50, SHAPE).astype(values)
        for where in (grid, other):
            use_values(mask, PlacedVolume(rough, where), label)
        index = RegionIndex.build("draft", mask.array, grid)
        regions = sorted(index.regions.values(), key=lambda region: -region.voxels)
        change_region(mask, [RegionVoxels(*index.component_crop(r.id), r.label) for r in regions])
        for how in mask_operations.Combination:
            list(mask_operations.combine(mask, source, how))
        list(mask_operations.copy_labels(source, mask))
        mask_operations.difference(mask, source)
        mask_operations.difference(mask, make_mask(mask.array.astype(np.uint16), grid))
        outline = outline_at(mask, Plane.AXIAL, grid.to_ras(regions[0].anchor_kji[::-1]))
        assert outline.handles
        for plane in Plane:
            mask_operations.copy_from_slice(mask, plane, 2, 1, label)
            fill_between(mask.array, label, plane, grid.spacing_mm)
    for form in (grown, shrunk, closed, hollowed, smoothed):
        form(mask.array == label, grid.spacing_mm, 1.5)
    filled(mask.array == label)


def use_values(mask, phase, label):
    grid = mask.grid
    centre, end = grid.to_ras([(8, 7, 3), (10, 9, 3)])
    for brush in (BallBrush(grid, 2.0), DiscBrush(grid, Plane.CORONAL, 2.0)):
        SmartBrush(brush, grid, phase, 300.0).sweep(centre, end)
    box, inside = BallBrush(grid, 2.0).sweep(centre, end)
    write(mask, box, inside, label, Constraint(hu=HuLimit(phase, -50, 50)))
    GrowingBox.around(mask, phase, [(3, 7, 8)], 9.0, label).grown(-50, 50)
    list(mask_operations.label_by_threshold(mask, HuLimit(phase, -50, 50), label))
    for plane in Plane:
        at = GridSlice(grid, plane, 3)
        part = at.box((0, 0), at.shape)
        tree = WireTree(
            edge_costs(values_in(phase, grid, part).reshape(at.shape), (400, 40)), (3, 3)
        )
        tree.path_to((6, 6))
    scribbles = Scribbles(grid)
    scribbles.add(box, inside, True)
    walked_region(grid, phase, *scribbles.marks())


def change_region(mask, regions):
    first, second = regions[:2]
    measure_axes(mask.grid, first.box, first.crop)
    acts = [
        lambda: region_shapes.split_by_watershed(mask, first, 0.1),
        lambda: region_shapes.merge_regions(mask, first, second, 50.0),
        lambda: region_shapes.reform(mask, first, lambda inside: inside, 2.0),
    ]
    for plane in Plane:
        at = GridSlice(mask.grid, plane, 3)
        line = at.to_ras([(0.0, 0.0), (16.0, 14.0)])
        acts.append(lambda p=plane, on=line: region_shapes.split_by_line(mask, first, p, on, 9))
    for act in acts:
        try:
            act()
        except PaintingError:
            pass


def kernels_missed_by_warming_up():
    """Run in a process of its own, where nothing else has loaded kernels."""
    warm_up()
    warm_up_tools()
    before = compiled_versions()
    # A kernel that only kernels call is compiled, or loaded, within them.
    called = {name for k in KERNELS.values() for name in k.function.__code__.co_names}
    never = [n for n, count in before.items() if count == 0 and n.split(".")[-1] not in called]
    use_every_tool()
    return never + [name for name, count in compiled_versions().items() if count > before[name]]


def test_after_warming_up_no_tool_compiles_or_loads_anything():
    assert KERNELS
    code = f"import {__name__} as t; print(t.kernels_missed_by_warming_up())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "[]"


def test_warming_up_tells_how_far_it_is_and_can_be_stopped():
    told = []
    warm_up_tools(told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert len(told) > 5

    def stop(fraction):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        warm_up_tools(stop)
