"""What is measured at a centroid without a mask: HU in a ball, distances to the neighbours.

The height of a body is not among it: where endplates are cannot be told reliably without a mask, so
the distances of the centres are given instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import Grid
from labeler.core.landmarks import Centroids, Point, from_above

#: Radius of the ball: it stays within the spongy bone of a thoracic or lumbar body.
BALL_MM = 5.0


@dataclass(frozen=True)
class BallHu:
    """HU of the voxels whose centres lie in a ball.

    Attributes
    ----------
    mean_hu, sd_hu
        Mean and standard deviation.
    voxels
        How many.
    """

    mean_hu: float
    sd_hu: float
    voxels: int


def ball_hu(
    values_kji: npt.NDArray[Any], grid: Grid, centre_ras: Point, radius_mm: float = BALL_MM
) -> BallHu | None:
    """Measure the voxels within a distance of a point; None where there are none.

    Parameters
    ----------
    values_kji
        ``[k, j, i]`` HU.
    grid
        Where the volume stands.
    centre_ras, radius_mm
        The ball, RAS mm.
    """
    middle = grid.to_ijk(centre_ras)
    reach = radius_mm / np.array(grid.spacing_mm)
    low = np.maximum(np.ceil(middle - reach - 1), 0).astype(int)
    high = np.minimum(np.floor(middle + reach + 1) + 1, grid.shape_ijk).astype(int)
    if (low >= high).any():
        return None
    index = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    away = np.linalg.norm(grid.to_ras(index) - np.array(centre_ras), axis=-1)
    box = values_kji[low[2] : high[2], low[1] : high[1], low[0] : high[0]].transpose(2, 1, 0)
    inside = box[away <= radius_mm].astype(np.float64)
    if not inside.size:
        return None
    return BallHu(float(inside.mean()), float(inside.std()), int(inside.size))


def neighbour_distances(centroids: Centroids, key: str) -> list[tuple[str, float]]:
    """Return the levels above and below a centroid and how far their centres are, mm."""
    keys = from_above(centroids)
    here, place = keys.index(key), centroids[key].position_ras
    near = [*keys[max(0, here - 1) : here], *keys[here + 1 : here + 2]]
    return [
        (centroids[other].level, math.dist(place, centroids[other].position_ras)) for other in near
    ]
