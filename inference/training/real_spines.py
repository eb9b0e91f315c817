"""A real CT with its label map, as an image whose vertebrae are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.grid import Grid as Voxels
from inference.phantom.grids import Box, Grid
from inference.phantom.real_scan import read_scan
from inference.resampling import resample_labels
from inference.training.spines import BEYOND_LEVELS, SpineImage
from inference.vertebra.levels import INDEX, LEVELS, VERSE_NUMBER
from inference.vertebra.mask_centres import mask_centres
from inference.vertebra.rectification import sample

_WHOLE_MM = 10_000.0


def read_spine(ct: Path, labels: Path, spacing_mm: float) -> SpineImage:
    """Read a CT and its label map (structures named as TotalSegmentator does).

    The image is blurred to voxels of `spacing_mm`, and ends where vertebrae begin whose centres
    are not known: shown but not labelled, they would teach that they are none.

    Raises
    ------
    inference.phantom.real_scan.AnatomyError
        Files that cannot be used.
    """
    scan = read_scan(ct, labels, _WHOLE_MM)
    levels = {
        number: name.removeprefix("vertebrae_")
        for number, name in scan.names.items()
        if name.removeprefix("vertebrae_") in LEVELS
    }
    centres = mask_centres(scan.structures, scan.grid.affine_ras, levels)
    names = sorted(centres, key=INDEX.__getitem__)
    grid = isotropic(scan.grid, spacing_mm)
    z, y, x = np.meshgrid(*grid.axes(), indexing="ij")
    points = np.stack([x, y, z], axis=-1).astype(np.float64)
    sigma = [0.4 * max(spacing_mm / s - 1.0, 0.0) for s in scan.grid.spacing_mm[::-1]]
    blurred = ndimage.gaussian_filter(scan.hu, sigma)
    # shifted, so that what lies outside becomes air
    hu = sample(blurred[None] + 1000.0, scan.grid.affine_ras, points)[0] - 1000.0
    places = np.array([centres[name] for name in names])
    known = _known_part(grid, places)
    numbers = np.zeros(int(scan.structures.max()) + 1, dtype=np.uint8)
    for number, name in levels.items():
        numbers[number] = VERSE_NUMBER[name]
    marked = resample_labels(
        numbers[scan.structures],
        Voxels(scan.grid.shape_kji, scan.grid.affine_ras),
        Voxels(grid.shape_kji, grid.affine_ras),
    )
    return SpineImage(
        torch.from_numpy(np.ascontiguousarray(hu[known])),
        grid.crop(known),
        tuple(names),
        places,
        torch.from_numpy(np.ascontiguousarray(marked[known])),
    )


def _known_part(grid: Grid, centres_ras: NDArray[np.float64]) -> Box:
    """Return the slices from half a vertebra above the first centre to half a one below the last.

    Parameters
    ----------
    grid : Grid
    centres_ras : ndarray, shape (n, 3)
        From the head down.
    """
    heights = centres_ras[:, 2]
    top = heights[0] + BEYOND_LEVELS * (heights[0] - heights[1])
    bottom = heights[-1] - BEYOND_LEVELS * (heights[-2] - heights[-1])
    low, high = ((z - grid.origin_ras[2]) / grid.spacing_mm[2] for z in (bottom, top))
    nk, nj, ni = grid.shape_kji
    first, last = max(0, int(np.ceil(low))), min(nk, int(np.floor(high)) + 1)
    return slice(first, last), slice(0, nj), slice(0, ni)


def isotropic(grid: Grid, spacing_mm: float) -> Grid:
    """Return a grid of cubes that covers the same room."""
    size = np.array(grid.shape_kji[::-1]) * grid.spacing_mm
    ni, nj, nk = (int(n) for n in np.ceil(size / spacing_mm))
    return Grid((nk, nj, ni), (spacing_mm,) * 3, grid.origin_ras)
