"""A real CT with its label map, as an image whose vertebrae are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from inference.phantom.grids import Grid
from inference.phantom.real_scan import read_scan
from inference.training.spines import SpineImage
from inference.vertebra.levels import INDEX, LEVELS
from inference.vertebra.mask_centres import mask_centres
from inference.vertebra.rectification import sample

_WHOLE_MM = 10_000.0


def read_spine(ct: Path, labels: Path, spacing_mm: float) -> SpineImage:
    """Read a CT and its label map (structures named as TotalSegmentator does).

    The image is blurred to voxels of `spacing_mm`.

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
    return SpineImage(torch.from_numpy(hu), grid, tuple(names), places)


def isotropic(grid: Grid, spacing_mm: float) -> Grid:
    """Return a grid of cubes that covers the same room."""
    size = np.array(grid.shape_kji[::-1]) * grid.spacing_mm
    ni, nj, nk = (int(n) for n in np.ceil(size / spacing_mm))
    return Grid((nk, nj, ni), (spacing_mm,) * 3, grid.origin_ras)
