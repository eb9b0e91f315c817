"""Random fields: smooth variation of shapes and tissue, and the noise of a scanner."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.fields import Values, upsample
from inference.phantom.grids import Grid

TEXTURE_STEPS = 32.0
"""Stored value of one standard deviation of :func:`texture`."""


def smooth_noise(rng: np.random.Generator, grid: Grid, scale_mm: float) -> Values:
    """Return Gaussian noise of mean 0 and SD 1 that varies over about `scale_mm`."""
    coarse = grid.coarse(scale_mm / 2.0)
    lattice = rng.standard_normal(coarse.shape_kji, dtype=np.float32)
    sigma = [0.5 * scale_mm / s for s in coarse.spacing_mm[::-1]]
    lattice = ndimage.gaussian_filter(lattice, sigma, mode="wrap")
    lattice /= max(float(lattice.std(dtype=np.float64)), 1e-6)
    return upsample(lattice, coarse, grid)


def texture(rng: np.random.Generator, grid: Grid, scale_mm: float) -> NDArray[np.int8]:
    """Return :func:`smooth_noise` in int8, `TEXTURE_STEPS` a standard deviation."""
    field = smooth_noise(rng, grid, scale_mm)
    np.multiply(field, TEXTURE_STEPS, out=field)
    np.clip(np.rint(field, out=field), -127, 127, out=field)
    return field.astype(np.int8)


def scanner_noise(
    rng: np.random.Generator,
    shape_kji: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    sd_hu: float,
) -> Values:
    """Return the noise of a filtered back projection: band-limited, streaky along the long axis.

    The power of CT noise rises with frequency and is cut by the kernel, which a difference of
    two Gaussians imitates. A patient is wider than thick, so rays along x are the noisiest and
    leave short horizontal streaks.

    Returns
    -------
    ndarray of float32, shape `shape_kji`, mean 0 and SD `sd_hu`
    """
    noise = rng.standard_normal(shape_kji, dtype=np.float32)
    kernel_px = max(0.45 / spacing_mm[0], 0.3)
    for plane in noise:
        grain = cv2.GaussianBlur(plane, (0, 0), kernel_px)
        cloud = cv2.GaussianBlur(plane, (0, 0), 3.0 * kernel_px)
        streak = cv2.GaussianBlur(plane, (0, 0), 6.0 * kernel_px, sigmaY=0.8 * kernel_px)
        plane[:] = grain - 0.8 * cloud + 1.3 * streak
    # thin reconstructions overlap a little
    mixed = noise.copy()
    share = np.float32(0.25 if spacing_mm[2] < 2.0 else 0.12)
    mixed[1:] += share * noise[:-1]
    mixed[:-1] += share * noise[1:]
    mixed *= np.float32(sd_hu / max(float(mixed.std(dtype=np.float64)), 1e-6))
    return mixed
