"""Scan protocol: the grids, breathing positions and noise of the four phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inference.contract import PHASES
from inference.phantom.grids import Box, Grid
from inference.phantom.rendering import Acquisition
from inference.phantom.variety import PLAIN, Variety

FIELD_OF_VIEW_MM = (384.0, 384.0, 240.0)
DEFAULT_SPACING_MM = 1.5
SLICE_FACTOR = 5.0 / 3.0
"""Thickness of the slices in pixels, when only the size of the pixels is given."""

_MARGIN_MM = 16.0
_CENTRE_RAS = (0.0, 22.0, 15.0)


def reference_grid(
    spacing_mm: float | Sequence[float],
    shape_kji: tuple[int, int, int] | None = None,
    variety: Variety = PLAIN,
) -> Grid:
    """Return the grid of the PV phase and of the masks.

    Parameters
    ----------
    spacing_mm : float or sequence of three floats
        Voxel size along i, j and k; one number is the pixel size, and slices are 5/3 as thick.
    shape_kji : tuple of int, optional
        By default the field of view is 384 x 384 x 240 mm, or that of `variety`.
    variety : Variety

    Raises
    ------
    ValueError
        A voxel size that is not between 0.3 and 12 mm.
    """
    if isinstance(spacing_mm, Sequence):
        size = tuple(float(s) for s in spacing_mm)
    else:
        size = (float(spacing_mm), float(spacing_mm), float(spacing_mm) * SLICE_FACTOR)
    if len(size) != 3 or not all(math.isfinite(s) and 0.3 <= s <= 12.0 for s in size):
        raise ValueError(f"the voxel size must be between 0.3 and 12 mm, not {spacing_mm}")
    x, y, z = _CENTRE_RAS
    width, depth, height = FIELD_OF_VIEW_MM
    low = z - height / 2.0 if variety.low_mm is None else variety.low_mm
    high = z + height / 2.0 if variety.high_mm is None else variety.high_mm
    field = (variety.width_mm or width, variety.depth_mm or depth, high - low)
    z = (low + high) / 2.0
    if shape_kji is None:
        ni, nj, nk = (max(8, round(f / s)) for f, s in zip(field, size, strict=True))
        shape_kji = (nk, nj, ni)
    half = [(n - 1) * s / 2.0 for n, s in zip(shape_kji[::-1], size, strict=True)]
    return Grid(shape_kji, (size[0], size[1], size[2]), (x + half[0], y + half[1], z - half[2]))


def padded(grid: Grid) -> tuple[Grid, Box]:
    """Return a grid with slices above and below for breathing, and the box of the first in it."""
    pad = math.ceil(_MARGIN_MM / grid.spacing_mm[2])
    nk, nj, ni = grid.shape_kji
    x, y, z = grid.origin_ras
    scene = Grid((nk + 2 * pad, nj, ni), grid.spacing_mm, (x, y, z - pad * grid.spacing_mm[2]))
    return scene, (slice(pad, pad + nk), slice(0, nj), slice(0, ni))


def plan_acquisitions(
    grid: Grid, rng: np.random.Generator, variety: Variety = PLAIN
) -> list[Acquisition]:
    """Return how the four phases are scanned: own grids, own breathing positions, one scanner.

    The PV phase has the grid of the masks. The others differ in slice thickness, pixel size or
    origin, as in practice, and the organs have moved by up to `Variety.breathing_mm`.
    """
    blur = float(rng.uniform(0.6, 0.95)) * variety.blur
    noise = float(rng.uniform(8.0, 12.0)) * variety.noise
    breathing_mm = variety.breathing_mm
    result = []
    for phase in PHASES:
        thick, pixel, loud, breath = 1.0, 1.0, 1.0, (0.0, 0.0, 0.0)
        if phase != "PV":
            thick = float(
                rng.choice({"NC": (1.2, 1.6), "ART": (1.0, 1.25), "DL": (1.2, 1.4)}[phase])
            )
            pixel = float(rng.choice((0.95, 1.0) if phase == "ART" else (0.95, 1.04)))
            loud = {"NC": 0.9, "ART": 1.1, "DL": 0.95}[phase]
            down = float(rng.uniform(-breathing_mm, breathing_mm))
            breath = (0.0, 0.25 * down, down)
        target = grid if phase == "PV" else _own_grid(grid, thick, pixel, rng)
        result.append(Acquisition(phase, target, breath, blur, noise * loud))
    return result


def _own_grid(grid: Grid, thick: float, pixel: float, rng: np.random.Generator) -> Grid:
    """Return a grid over nearly the same field of view, with other voxels."""
    factor = (pixel, pixel, thick)
    spacing = [s * f for s, f in zip(grid.spacing_mm, factor, strict=True)]
    # a few mm less than the reference on every side, not centred
    trim = rng.uniform((1.0, 1.0, 0.0), (5.0, 5.0, 6.0))
    size = [n * s for n, s in zip(grid.shape_kji[::-1], grid.spacing_mm, strict=True)]
    shape = [max(2, int((f - 2.0 * t) / s)) for f, t, s in zip(size, trim, spacing, strict=True)]
    spare = [f - n * s for f, n, s in zip(size, shape, spacing, strict=True)]
    start = rng.uniform(0.3, 0.7, 3) * spare
    x, y, z = grid.origin_ras
    origin = (
        x + grid.spacing_mm[0] / 2 - start[0] - spacing[0] / 2,
        y + grid.spacing_mm[1] / 2 - start[1] - spacing[1] / 2,
        z - grid.spacing_mm[2] / 2 + start[2] + spacing[2] / 2,
    )
    i, j, k = shape
    return Grid((k, j, i), (spacing[0], spacing[1], spacing[2]), tuple(map(float, origin)))  # type: ignore[arg-type]
