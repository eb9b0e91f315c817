"""From painted materials to the CT volumes of four phases.

Each phase is one look at the same anatomy: the table of the patient's attenuations for that
phase and the tissue texture give HU on the scene's grid; breathing and the phase's own grid are
one interpolation; blur, beam hardening and noise of the scanner come last.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES, Image
from inference.phantom.fields import Values, upsample
from inference.phantom.grids import Grid
from inference.phantom.materials import GRAINS_MM, Palette
from inference.phantom.noise import TEXTURE_STEPS, scanner_noise, texture
from inference.phantom.scene import Scene

WEIGHT_STEPS = 255.0
_BONE_HU = 250.0


@dataclass(frozen=True)
class Acquisition:
    """How one phase was scanned.

    Parameters
    ----------
    phase : str
        Key of `inference.contract.PHASES`.
    grid : Grid
        Voxels of the volume.
    breathing_ras : tuple of three floats
        How far the organs have moved since the scene, in mm.
    blur_mm : float
        SD of the point spread in the plane.
    noise_hu : float
        SD of the noise.
    hardening : bool
        Whether dense bone darkens what lies between.
    """

    phase: str
    grid: Grid
    breathing_ras: tuple[float, float, float]
    blur_mm: float
    noise_hu: float
    hardening: bool = True


@numba.njit(cache=True, nogil=True)
def _attenuation(front, back, share, fine, medium, coarse, hu, grain, out):  # type: ignore[no-untyped-def]
    """Write the HU of a mixture of two materials with their textures; all arrays flat."""
    for n in range(out.size):
        a, b = front[n], back[n]
        p, q, r = fine[n], medium[n], coarse[n]
        value = hu[a] + grain[a, 0] * p + grain[a, 1] * q + grain[a, 2] * r
        if b != a:
            part = share[n] / np.float32(255.0)
            other = hu[b] + grain[b, 0] * p + grain[b, 1] * q + grain[b, 2] * r
            value = part * value + (np.float32(1.0) - part) * other
        out[n] = value


@numba.njit(cache=True, nogil=True)
def _resample(source, weight, start, step, shift, layers, out):  # type: ignore[no-untyped-def]
    """Interpolate `source` linearly at ``start + step * index - shift * weight``.

    Positions are source indices (k, j, i); `weight` has the source's grid and is looked up at
    the unshifted position. Each slice is the mean of `layers` thinner ones.
    """
    nk, nj, ni = source.shape
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                py, px = start[1] + step[1] * j, start[2] + step[2] * i
                wj, wi = min(max(int(py + 0.5), 0), nj - 1), min(max(int(px + 0.5), 0), ni - 1)
                total = np.float32(0.0)
                for layer in range(layers):
                    pz = start[0] + step[0] * (k + (layer + 0.5) / layers - 0.5)
                    w = weight[min(max(int(pz + 0.5), 0), nk - 1), wj, wi] / 255.0
                    z = min(max(pz - shift[0] * w, 0.0), nk - 1.001)
                    y = min(max(py - shift[1] * w, 0.0), nj - 1.001)
                    x = min(max(px - shift[2] * w, 0.0), ni - 1.001)
                    a, b, c = int(z), int(y), int(x)
                    fz, fy, fx = np.float32(z - a), np.float32(y - b), np.float32(x - c)
                    low = source[a, b, c] * (1 - fx) + source[a, b, c + 1] * fx
                    high = source[a, b + 1, c] * (1 - fx) + source[a, b + 1, c + 1] * fx
                    near = low * (1 - fy) + high * fy
                    low = source[a + 1, b, c] * (1 - fx) + source[a + 1, b, c + 1] * fx
                    high = source[a + 1, b + 1, c] * (1 - fx) + source[a + 1, b + 1, c + 1] * fx
                    total += near * (1 - fz) + (low * (1 - fy) + high * fy) * fz
                out[k, j, i] = total / layers


def make_textures(rng: np.random.Generator, grid: Grid) -> tuple[NDArray[np.int8], ...]:
    """Return the three textures of a patient on the scene's grid; they stay with the tissue."""
    return tuple(texture(rng, grid, scale) for scale in GRAINS_MM)


def attenuation(
    scene: Scene, palette: Palette, textures: tuple[NDArray[np.int8], ...], phase: str
) -> Values:
    """Return the HU of a scene in one phase, without any trace of a scanner."""
    p = PHASES.index(phase)
    layers = (scene.front, scene.back, scene.share)
    return mixture_hu(layers, textures, palette.hu[:, p], palette.grain[:, p])


def mixture_hu(
    layers: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    textures: tuple[NDArray[np.int8], ...],
    hu: NDArray[np.float32],
    grain: NDArray[np.float32],
) -> Values:
    """Return the HU of painted materials.

    Parameters
    ----------
    layers : tuple of three ndarray of uint8, shape (nk, nj, ni)
        `front`, `back` and `share` of a scene.
    textures : tuple of three ndarray of int8, same shape
        See :func:`make_textures`.
    hu : ndarray of float32, shape (256,)
        Of each material code.
    grain : ndarray of float32, shape (256, 3)
        SD of each material at the scales of the textures.
    """
    out = np.empty(layers[0].shape, dtype=np.float32)
    flat = [np.ascontiguousarray(a).reshape(-1) for a in (*layers, *textures)]
    steps = np.ascontiguousarray(grain / np.float32(TEXTURE_STEPS))
    _attenuation(*flat, np.ascontiguousarray(hu), steps, out.reshape(-1))
    return out


def resample(
    source: Values, grid: Grid, weight: NDArray[np.uint8], acquisition: Acquisition
) -> Values:
    """Return `source` as the phase sees it: on its grid and at its breathing position.

    Parameters
    ----------
    source : ndarray of float32
        HU on `grid`.
    weight : ndarray of uint8
        On `grid`: how much of the breathing each place follows, 255 is all of it.
    """
    target = acquisition.grid
    start = grid.to_kji(target.origin_ras)
    step = grid.to_kji(target.to_ras((1.0, 1.0, 1.0))) - start
    shift = grid.to_kji(np.add(grid.origin_ras, acquisition.breathing_ras))
    layers = max(1, round(target.spacing_mm[2] / grid.spacing_mm[2] * 2.0) - 1)
    out = np.empty(target.shape_kji, dtype=np.float32)
    _resample(source, weight, start, step, shift, layers, out)
    return out


def breathing_weight(grid: Grid, depth_mm: Values, spine_mm: Values) -> NDArray[np.uint8]:
    """Return how much each place follows the breath: organs all of it, ribs and spine nothing.

    Parameters
    ----------
    depth_mm, spine_mm : ndarray of float32, on ``grid.coarse(8)``
        Depth inside the muscle wall, and distance from the spine.
    """
    coarse = grid.coarse(8.0)
    weight = np.clip(depth_mm / 14.0, 0.0, 1.0) * np.clip((spine_mm - 4.0) / 18.0, 0.0, 1.0)
    weight = ndimage.gaussian_filter(weight.astype(np.float32), 0.7)
    full = upsample(weight, coarse, grid)
    result: NDArray[np.uint8] = np.rint(full * WEIGHT_STEPS).astype(np.uint8)
    return result


def _beam_hardening(volume: Values) -> Values:
    """Return the darkening between dense bones, a broad band along x, in place of `volume`."""
    small = 4
    for plane in volume:
        size = (max(plane.shape[1] // small, 1), max(plane.shape[0] // small, 1))
        bone = np.clip(plane - _BONE_HU, 0.0, 800.0)
        bone = cv2.resize(bone, size, interpolation=cv2.INTER_AREA)
        band = cv2.GaussianBlur(bone, (0, 0), 0.14 * size[0], sigmaY=1.2)
        band = cv2.resize(band, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
        plane -= np.where(plane > -300.0, np.minimum(0.10 * band, 9.0), 0.0)
    return volume


def scan(
    source: Values,
    grid: Grid,
    weight: NDArray[np.uint8],
    acquisition: Acquisition,
    rng: np.random.Generator,
) -> Image:
    """Return the CT volume of one phase.

    Parameters
    ----------
    source : ndarray of float32
        Ideal HU of the phase on `grid`.
    weight : ndarray of uint8
        Part of the breathing each place of `grid` follows.
    acquisition : Acquisition
    rng : Generator
        Source of the noise.

    Returns
    -------
    Image
        int16 HU, ``[k, j, i]``, -1024 to 3071.
    """
    target = acquisition.grid
    volume = resample(source, grid, weight, acquisition)
    blur_px = acquisition.blur_mm / target.spacing_mm[0]
    if blur_px > 0.2:
        for plane in volume:
            plane[:] = cv2.GaussianBlur(plane, (0, 0), blur_px)
    if acquisition.hardening:
        volume = _beam_hardening(volume)
    noise = scanner_noise(rng, target.shape_kji, target.spacing_mm, acquisition.noise_hu)
    # rays through the middle of the body lose most photons
    rows, columns = target.shape_kji[1:]
    y = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, columns, dtype=np.float32)
    volume += noise * (np.float32(1.12) - np.float32(0.45) * (x * x + y * y))
    np.clip(np.rint(volume, out=volume), -1024, 3071, out=volume)
    return Image(volume.astype(np.int16), target.affine_ras)
