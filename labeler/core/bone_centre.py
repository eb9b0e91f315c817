"""The middle of the vertebral body around a point: where a centroid belongs.

Where a model has looked, its own centres tell (:func:`seen_centre`); without one, the bone does
(:func:`body_centre`). A body ends in two dense plates, with a disc beyond each, soft tissue before
and beside it and the canal behind. A template of that, as large as bodies are at this level, is put
to every place near the point; where it fits best is the middle.
The spongy bone between the plates does not count: in old people it is as dark as a disc.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import FloatArray, Grid
from labeler.core.landmarks import Point

#: HU at which bone begins to count, and where it counts fully.
SOFT_HU, BONE_HU = 60.0, 220.0

#: Noise is smoothed over this, mm.
NOISE_MM = 1.0

#: Sizes of the template as shares of the distance to the neighbours: radius of the body; how far
#: from its middle the plates begin and end, and the discs begin and end; outer radius of what is
#: soft around it.
RADIUS, PLATE, PLATE_END, DISC, DISC_END, RIM = 0.60, 0.28, 0.42, 0.45, 0.55, 0.82

#: Edge of the voxels that the template is compared in, as a share of the distance to the
#: neighbours: a disc has two of them.
SAMPLE = 0.05

#: How far away it is looked for across and along the spine, as shares of the distance to the
#: neighbours: half of it away lies a disc, which looks like a body between its endplates.
ACROSS, ALONG = 0.45, 0.34

#: How much better than where it was a place must fit at the end of the reach.
_NEAR = 0.10
_LEAST_FIT = 0.08

#: What a model must give a centre at least, 0 to 1, and how much more than the nearest one to it a
#: centre at the end of the reach must be given.
_LEAST_SEEN, _FARTHER = 0.2, 0.5


def body_centre(
    values_kji: npt.NDArray[Any],
    grid: Grid,
    start_ras: npt.ArrayLike,
    *,
    gap_mm: float,
    up_ras: npt.ArrayLike = (0.0, 0.0, 1.0),
) -> Point | None:
    """Return the middle of the bone around a point.

    Parameters
    ----------
    values_kji
        ``[k, j, i]`` HU.
    grid
        Where the volume stands.
    start_ras
        A point in the body or near to it, RAS mm (see :data:`ACROSS` and :data:`ALONG`).
    gap_mm
        Usual distance to the neighbours here: tells how large the body is.
    up_ras
        Direction of the spine.

    Returns
    -------
    tuple of float or None
        RAS mm; None when nothing there looks like a body.
    """
    from scipy.signal import fftconvolve

    start = np.asarray(start_ras, dtype=np.float64)
    axes = _frame(np.asarray(up_ras, dtype=np.float64))
    template, sample_mm = _template(), SAMPLE * gap_mm
    half = template.shape[0] // 2
    search = round(ACROSS / SAMPLE)
    steps = np.arange(-half - search, half + search + 1) * sample_mm
    local = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    bone = _bone(values_kji, grid, start + local @ axes, sample_mm)
    fit = fftconvolve(bone, template[::-1, ::-1, ::-1], mode="valid")
    away = _away(local[half:-half, half:-half, half:-half] / gap_mm)
    score = np.where(away <= 1.0, fit - _NEAR * away, -np.inf)
    peak = np.unravel_index(int(score.argmax()), score.shape)
    if fit[peak] < _LEAST_FIT:
        return None
    offset = (np.array(peak) - search + _between(fit, peak)) * sample_mm
    x, y, z = (float(v) for v in start + offset @ axes)
    return x, y, z


def seen_centre(
    centres_ras: FloatArray,
    likely: FloatArray,
    start_ras: npt.ArrayLike,
    *,
    gap_mm: float,
    up_ras: npt.ArrayLike = (0.0, 0.0, 1.0),
) -> Point | None:
    """Return the centre of a body that a model sees around a point.

    Parameters
    ----------
    centres_ras
        ``(n, 3)`` float64 RAS mm: maxima of its heatmap.
    likely
        ``(n,)`` float64: how high they are, 0 to 1.
    start_ras, gap_mm, up_ras
        As of :func:`body_centre`; what is looked for lies as near.

    Returns
    -------
    tuple of float or None
        RAS mm; None when it sees none there.
    """
    local = (centres_ras - np.asarray(start_ras)) @ _frame(np.asarray(up_ras, np.float64)).T
    away = _away(local / gap_mm)
    near = np.flatnonzero((away <= 1.0) & (likely >= _LEAST_SEEN))
    if not len(near):
        return None
    best = near[int((likely[near] - _FARTHER * away[near]).argmax())]
    x, y, z = (float(v) for v in centres_ras[best])
    return x, y, z


def _away(local: FloatArray) -> FloatArray:
    """Squared distance of points ``[..., 3]`` (side, front, up; in gaps), 1 at the reach."""
    side, front, height = np.moveaxis(local, -1, 0)
    return np.asarray((side**2 + front**2) / ACROSS**2 + (height / ALONG) ** 2)


def _frame(up: FloatArray) -> FloatArray:
    """Unit vectors as rows: to the side, to the front and up along the spine."""
    up = up / np.linalg.norm(up)
    side = np.cross((0.0, 1.0, 0.0), up)
    length = float(np.linalg.norm(side))
    side = side / length if length > 1e-6 else np.array((1.0, 0.0, 0.0))
    return np.stack((side, np.cross(up, side), up))


def _template() -> FloatArray:
    """Weights ``[side, front, up]``: bone is wanted in the plates, none in discs and around.

    Both weigh one, so that a perfect body fits by one and plain bone by nothing.
    """
    half = int(np.ceil(RIM / SAMPLE))
    steps = np.arange(-half, half + 1) * SAMPLE
    side, front, up = np.meshgrid(steps, steps, steps, indexing="ij")
    radius, height = np.hypot(side, front), np.abs(up)
    plates = (radius <= RADIUS) & (height > PLATE) & (height <= PLATE_END)
    discs = (radius <= 0.8 * RADIUS) & (height > DISC) & (height <= DISC_END)
    rim = (radius > RADIUS + 0.06) & (radius <= RIM) & (height <= PLATE_END)
    shares = ((plates, 1.0), (discs, -0.5), (rim, -0.5))
    weights = np.sum([share * part / part.sum() for part, share in shares], axis=0)
    return np.asarray(weights)


def _bone(
    values_kji: npt.NDArray[Any], grid: Grid, points_ras: FloatArray, sample_mm: float
) -> FloatArray:
    """How much each point is bone, 0 to 1."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    ijk = np.moveaxis(grid.to_ijk(points_ras)[..., ::-1], -1, 0)
    hu = map_coordinates(values_kji, ijk, order=1, cval=-1024.0, output=np.float32)
    hu = gaussian_filter(hu, NOISE_MM / sample_mm)
    return np.asarray(np.clip((hu - SOFT_HU) / (BONE_HU - SOFT_HU), 0.0, 1.0), np.float64)


def _between(fit: FloatArray, peak: tuple[Any, ...]) -> FloatArray:
    """Where between the voxels the top of the parabola through the peak lies, each axis apart."""
    offset = np.zeros(3)
    for axis in range(3):
        index = int(peak[axis])
        if 0 < index < fit.shape[axis] - 1:
            line = np.moveaxis(fit, axis, 0)
            rest = tuple(np.delete(peak, axis))
            below, here, above = (float(line[(index + n, *rest)]) for n in (-1, 0, 1))
            bend = below - 2 * here + above
            if bend < 0:
                offset[axis] = np.clip((below - above) / (2 * bend), -0.5, 0.5)
    return offset
