"""Regions: all of them, and after a stroke."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from benchmarks import _scene
from benchmarks.registry import Pair, row
from labeler.core.brushes import DiscBrush
from labeler.core.geometry import Plane
from labeler.core.painting import StrokeBuilder
from labeler.core.regions import RegionIndex


@row(
    "regions",
    baseline="SimpleITK ConnectedComponent + LabelStatistics",
    reach_ratio=0.02,
    budget_s=25,
)
def regions() -> Pair:
    """Mask in memory to regions with volume, box, mean and SD of four phases."""
    labels, phases, grid = _scene.labels(), _scene.phases(), _scene.grid()
    values = np.unique(labels[labels > 0]).tolist()
    image = sitk.GetImageFromArray(labels)
    images = [sitk.GetImageFromArray(volume.array) for volume in phases.values()]

    def baseline() -> object:
        components = sitk.Image(image.GetSize(), sitk.sitkUInt32)
        count = 0
        for value in values:
            found = sitk.ConnectedComponent(image == value, True)
            number = int(sitk.GetArrayViewFromImage(found).max())
            components += sitk.Cast(found, sitk.sitkUInt32) + sitk.Cast(
                (found > 0) * count, sitk.sitkUInt32
            )
            count += number
        rows = []
        for phase in images:
            statistics = sitk.LabelStatisticsImageFilter()
            statistics.Execute(phase, components)
            rows.append(
                [
                    (
                        statistics.GetCount(n),
                        statistics.GetBoundingBox(n),
                        statistics.GetMean(n),
                        statistics.GetSigma(n),
                    )
                    for n in range(1, count + 1)
                ]
            )
        return rows

    return Pair(lambda: RegionIndex.build("reference", labels, grid, phases), baseline)


@row("regions-after-stroke", baseline="our full path", reach=60.0)
def regions_after_stroke() -> Pair:
    """Regions of a liver-sized label after one brush stroke, four phases."""
    mask, grid = _scene.mask(), _scene.grid()
    index = RegionIndex.build(mask.name, mask.array, grid, _scene.phases())
    stroke = StrokeBuilder(mask, DiscBrush(mask.grid, Plane.AXIAL, 20.0), _scene.LIVER)
    for i in range(60, 120, 5):
        patch = stroke.move_to(grid.to_ras((i, 330, 170)))
        if patch is not None:
            mask.apply(patch)
    whole = stroke.finish()
    assert whole is not None
    content = mask.array[whole.box.slices].copy()
    return Pair(
        lambda: index.updated(whole.box, content),
        lambda: RegionIndex.build(mask.name, mask.array, grid, _scene.phases()),
    )
