"""The pictures along the spine, worked out in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.curved_planes import CurvedPlane, SpineCurve, plane_along, projection, sample
from labeler.core.geometry import Grid, Plane
from labeler.core.landmarks import Centroid
from labeler.state.pane_choice import spine_phase
from labeler.state.placement import placed_volume_grid
from labeler.state.tasks import TaskContext
from labeler.workflows.workspace import Workspace

#: Task that works them out.
STRIP = ("spine", "strip")

#: Size of a pixel of the pictures, and how much they show at each side of the line.
MM_PER_PX, BESIDE_MM = 0.7, 150.0

#: Thickness of the slabs that are projected while there is no line.
DEPTHS_MM = {Plane.SAGITTAL: 120.0, Plane.CORONAL: 260.0}


@dataclass(frozen=True, eq=False)
class SpinePicture:
    """One picture along the spine.

    Attributes
    ----------
    plane
        Where its pixels lie.
    image_hu
        ``[row, column]`` int16.
    is_projection
        Whether it shows the brightest of a slab, as there is no line yet.
    """

    plane: CurvedPlane
    image_hu: npt.NDArray[np.int16]
    is_projection: bool


Pictures = Mapping[Plane, SpinePicture]


def draw_spine(
    ws: Workspace, centroids: Mapping[str, Centroid], done: Callable[[Pictures], None]
) -> None:
    """Work out the sagittal and the coronal picture through centroids.

    A newer request takes the place of an older one. Nothing happens while the image is not there.
    """
    session = ws.session
    if session.case is None:
        return
    phase = spine_phase(session.case.phases)
    volume, grid = session.volumes.get(phase), placed_volume_grid(session, phase)
    if volume is None or grid is None:
        return
    points = [c.position_ras for c in centroids.values()]
    ws.tasks.submit("compute", STRIP, _draw, volume.array, grid, points, done=done)


def _draw(
    context: TaskContext,
    values: npt.NDArray[Any],
    grid: Grid,
    points: list[tuple[float, float, float]],
) -> Pictures:
    curve = SpineCurve.through(points or [grid.center_ras])
    pictures = {}
    for kind in (Plane.SAGITTAL, Plane.CORONAL):
        context.check()
        plane = plane_along(kind, curve, grid, beside_mm=BESIDE_MM, mm_per_px=MM_PER_PX)
        if points:
            image = sample(values, grid, plane, context.check)
        else:
            image = projection(values, grid, plane, DEPTHS_MM[kind])
        pictures[kind] = SpinePicture(plane, image, not points)
    return pictures
