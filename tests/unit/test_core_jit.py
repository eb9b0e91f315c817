"""Kernels are compiled once, cached where possible and never stale."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import labeler.core
from labeler.core._jit import Kernel, kernel
from labeler.core.brushes import DiscBrush
from labeler.core.contours import _label_boxes, label_contours
from labeler.core.geometry import AxisOrder, Plane
from labeler.core.labels import LabelTable
from labeler.core.mask import Box, Mask
from labeler.core.painting import StrokeBuilder, paint_polygon
from labeler.core.raster import GridSlice
from labeler.core.region_edits import RegionVoxels, transfer_region
from labeler.core.regions import RegionIndex
from labeler.core.rendering import MaskLayer, colour_table, highlight_layer, render
from labeler.core.statistics import PlacedVolume
from labeler.core.views import ViewTransform
from labeler.core.volume import Volume
from labeler.core.warm_up import warm_up
from tests.unit.core_strategies import make_grid, random_labels

MODULES = [
    importlib.import_module(f"labeler.core.{module.name}")
    for module in pkgutil.iter_modules(labeler.core.__path__)
]
KERNELS = {
    f"{module.__name__}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Kernel) and value.__module__ == module.__name__
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_call_kernels_of_their_own_module_only(name):
    function = KERNELS[name].function
    called = [function.__globals__.get(other) for other in function.__code__.co_names]
    strangers = [
        other.__qualname__
        for other in called
        if isinstance(other, Kernel) and other.__module__ != function.__module__
    ]
    assert strangers == []


def act_on_everything():
    """What the program does with kernels, on arrays as the program has them."""
    grid, other = make_grid((5, 9, 17)), make_grid((5, 9, 17), degrees=5.0)
    for dtype, values in ((np.uint8, np.int16), (np.uint16, np.float32)):
        order = AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk)
        mask = Mask("a", random_labels((5, 9, 17), 1, dtype), grid, order)
        volume = Volume(np.ones((5, 9, 17), values), grid, order)
        index = RegionIndex.build("a", mask.array, grid, {"PV": volume})
        index = RegionIndex.build("a", mask.array.copy(), grid, {"PV": volume})
        index = index.with_phase("NC", PlacedVolume(volume.array, other))
        box = Box((1, 2, 3), (3, 5, 9))
        index, _ = index.updated(box, np.zeros(box.shape_kji, dtype))
        region = next(iter(index.regions.values()))
        crop = index.component_crop(region.id)
        for plane in Plane:
            view = ViewTransform.through(
                grid.center_ras,
                grid=grid,
                plane=plane,
                center_ras=grid.center_ras,
                mm_per_px=0.3,
                size_px=(20, 30),
            )
            colours = colour_table(LabelTable(), dtype=dtype)
            layers = [MaskLayer(mask.array, g, colours) for g in (grid, other)]
            layers.append(highlight_layer(*crop, grid))
            render(np.zeros((30, 20), np.uint32), volume.array, view, (400, 40), layers)
            StrokeBuilder(mask, DiscBrush(mask.grid, plane, 3.0), 2).move_to(grid.center_ras)
            at = GridSlice(grid, plane, 1)
            label_contours(at.of(mask.array))
            corners = at.to_ras([(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)])
            paint_polygon(mask, plane, corners, 1)
        target = Mask("b", mask.array.copy(), other, order)
        transfer_region(mask, RegionVoxels(*crop, region.label), target, 1)


def kernels_missed_by_warming_up():
    """Run in a process of its own, where nothing else has loaded kernels."""
    warm_up()
    before = compiled_versions()
    act_on_everything()
    return [name for name, count in compiled_versions().items() if count > before[name]]


def compiled_versions():
    return {name: len(kernel.dispatcher.signatures) for name, kernel in KERNELS.items()}


def test_after_warming_up_nothing_is_compiled_or_loaded():
    code = f"import {__name__} as t; print(t.kernels_missed_by_warming_up())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "[]"


def test_kernels_that_threads_call_first_at_once_give_the_same():
    @kernel
    def half(value):
        return value / 2

    @kernel
    def quarter(value):
        return half(half(value))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(quarter, [4.0] * 8)) == [1.0] * 8


def test_a_kernel_looks_like_its_function():
    assert _label_boxes.__name__ == "_label_boxes"
    assert _label_boxes.__doc__.startswith("Rows (label,")


def test_warming_up_tells_how_far_it_is():
    fractions = []
    warm_up(fractions.append)
    assert fractions[0] == 0.0
    assert fractions == sorted(set(fractions))
    assert fractions[-1] < 1.0


def test_warming_up_can_be_stopped():
    class Stopped(Exception):
        pass

    def stop(fraction):
        raise Stopped

    with pytest.raises(Stopped):
        warm_up(stop)


def test_without_a_writable_folder_kernels_work_uncached(monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "/proc/nowhere")

    @kernel
    def double(values):
        return values * 2

    assert double(np.arange(3)).tolist() == [0, 2, 4]
