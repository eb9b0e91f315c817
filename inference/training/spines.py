"""Training samples of spines: what a step sees of a person, bent and cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from inference.phantom.grids import Grid
from inference.phantom.spine.scene import SpineScene, attenuation
from inference.training.deform import bend, random_matrix
from inference.vertebra.levels import INDEX, LEVELS
from inference.vertebra.networks import (
    CENTRE_SPACING_MM,
    CENTRE_WIDTH,
    LEVEL_SPACING_MM,
    network_input,
)
from inference.vertebra.spine_line import SpineLine, line_through
from inference.vertebra.straighten import straight_points

TUBE_MM = (11.0, 20.0)
"""Radius of the column that counts as such, at C1 and at L5."""
BEYOND_LEVELS = 0.6
"""How far the column goes on beyond the first and last centre."""
_LEVEL_SD = 0.45
"""Of the soft target, in levels."""
CENTRE_SD_MM = 4.0
_PADDING_HU = -1000.0
_LEAST_HEIGHT_MM = 60.0
"""Of a field of view: two to three vertebrae."""
_NARROW_FIELD_MM = (80.0, 170.0)
"""Width of the fields of view that show hardly more than the spine."""


@dataclass(frozen=True, eq=False)
class SpineImage:
    """An image of a spine whose centres are known.

    Parameters
    ----------
    hu : Tensor, float32, shape (nk, nj, ni)
    grid : Grid
    names : tuple of str
        Levels seen, from the head down, neighbours all of them.
    centres_ras : ndarray, shape (n, 3)
    numbers : Tensor of uint8, shape (nk, nj, ni)
        VerSe number of each voxel of a vertebra.
    real : tuple of str
        Levels with the shapes of a real body where the others are painted; empty where all are
        of one kind.
    """

    hu: torch.Tensor
    grid: Grid
    names: tuple[str, ...]
    centres_ras: NDArray[np.float64]
    numbers: torch.Tensor
    real: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LevelSample:
    """What a training step of the level network sees.

    Parameters
    ----------
    image : Tensor, float32, shape (2, nk, nj, ni)
    column : Tensor of bool, shape (nk, nj, ni)
    along : Tensor, float32, shape (nk, nj, ni)
        Within the column: place between the centres, 0 at the first one.
    levels : Tensor of int, shape (n,)
        Places in `levels.LEVELS` of the centres.
    seen : Tensor of bool, shape (nk, nj, ni)
        False in padding.
    """

    image: torch.Tensor
    column: torch.Tensor
    along: torch.Tensor
    levels: torch.Tensor
    seen: torch.Tensor


@dataclass(frozen=True, eq=False)
class CentreSample:
    """What a training step of the centre network sees.

    Parameters
    ----------
    image : Tensor, float32, shape (2, n, width, width)
        Straightened.
    heat : Tensor, float32, shape (n, width, width)
        1 at the centres, falling off as a Gaussian.
    """

    image: torch.Tensor
    heat: torch.Tensor


def phantom_image(scene: SpineScene, rng: np.random.Generator) -> SpineImage:
    """Return a scan of a phantom, with other brightnesses at every call."""
    hu = torch.from_numpy(attenuation(scene.scene, rng))
    spine, numbers = scene.spine, torch.from_numpy(scene.numbers)
    grid = scene.scene.grid
    return SpineImage(hu, grid, spine.names, spine.centres_ras, numbers, scene.real)


def soft_levels(along: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Return the soft target of places along the column, shape (all levels, ...).

    A place between two centres belongs to both of this person's levels, whatever levels other
    people have in between.
    """
    own = torch.arange(len(levels), dtype=torch.float32)
    offset = own.view(-1, *[1] * along.ndim) - along[None]
    weight = torch.exp(-0.5 * (offset / _LEVEL_SD) ** 2)
    target = torch.zeros((len(LEVELS), *along.shape))
    target[levels] = weight / weight.sum(dim=0, keepdim=True)
    return target


def column_truth(
    points_ras: NDArray[np.float64], names: tuple[str, ...], centres_ras: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which points lie in the column, and where between the centres.

    Parameters
    ----------
    points_ras : ndarray, shape (..., 3)
    names : tuple of str
    centres_ras : ndarray, shape (n, 3)
    """
    count = len(names)
    place = np.array([float(INDEX[name]) for name in names])
    fine = np.arange(-BEYOND_LEVELS, count - 1 + BEYOND_LEVELS + 1e-6, 0.05)
    line = _extended(centres_ras, fine)
    flat = points_ras.reshape(-1, 3)
    near = (flat > line.min(axis=0) - TUBE_MM[1]) & (flat < line.max(axis=0) + TUBE_MM[1])
    rows = np.flatnonzero(near.all(axis=1))
    distance, nearest = cKDTree(line).query(flat[rows], distance_upper_bound=TUBE_MM[1])
    found = np.isfinite(distance)
    rows, distance, along = rows[found], distance[found], fine[nearest[found]]
    radius = np.interp(along, np.arange(count), np.interp(place, [0.0, 24.0], TUBE_MM))
    inside = distance <= radius
    rows, along = rows[inside], along[inside]
    column = np.zeros(len(flat), dtype=bool)
    column[rows] = True
    places = np.zeros(len(flat), dtype=np.float32)
    places[rows] = along
    shape = points_ras.shape[:-1]
    return column.reshape(shape), places.reshape(shape)


def _extended(centres: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of the line through the centres, going on straight at its ends."""
    count = len(centres)
    points = np.stack([np.interp(at, np.arange(count), axis) for axis in centres.T], axis=1)
    if count > 1:
        first, last = centres[0] - centres[1], centres[-1] - centres[-2]
        points += np.clip(-at, 0.0, None)[:, None] * first
        points += np.clip(at - (count - 1), 0.0, None)[:, None] * last
    return points


def level_sample(
    image: SpineImage, rng: np.random.Generator, window_kji: tuple[int, int, int]
) -> LevelSample:
    """Return a part of an image at 6 mm: moved, turned, bent, noisy, its field of view cut."""
    middle = image.centres_ras[int(rng.integers(len(image.centres_ras)))]
    middle = middle + rng.normal(0.0, (25.0, 25.0, 15.0))
    matrix = random_matrix(rng)
    points = _window_points(window_kji, LEVEL_SPACING_MM, middle, matrix, rng)
    hu = hu_at(image.hu[None], image.grid, points)
    column, along = column_truth(points.numpy(), image.names, image.centres_ras)
    column &= (hu > _PADDING_HU + 1.0).numpy()  # the image may end before it does
    seen = _field_of_view(window_kji, column, rng)
    hu = noisy(hu, rng, 12.0)
    hu = torch.where(seen, hu, _PADDING_HU)
    return LevelSample(
        network_input(hu),
        torch.from_numpy(column) & seen,
        torch.from_numpy(along),
        torch.tensor([INDEX[name] for name in image.names]),
        seen,
    )


def _window_points(
    window_kji: tuple[int, int, int],
    spacing_mm: float,
    middle_ras: NDArray[np.float64],
    matrix_kji: NDArray[np.float64],
    rng: np.random.Generator,
) -> torch.Tensor:
    """Return RAS mm of the voxels of a window, shape (nk, nj, ni, 3)."""
    axes = [(torch.arange(n) - (n - 1) / 2.0) * spacing_mm for n in window_kji]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).float()
    offsets = offsets @ torch.from_numpy(matrix_kji.T.astype(np.float32))
    offsets += bend(rng, window_kji)
    # k rises to the head, j to the back, i to the left
    signs = torch.tensor([-1.0, -1.0, 1.0])
    return offsets.flip(-1) * signs + torch.from_numpy(middle_ras.astype(np.float32))


def grid_places(points_ras: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return points as places on a grid, as `torch.nn.functional.grid_sample` wants them.

    Parameters
    ----------
    points_ras : Tensor, float32, shape (..., 3)
    grid : Grid

    Returns
    -------
    Tensor, float32, shape (1, ..., 3)
        For ``align_corners=False``.
    """
    signed = torch.tensor(np.asarray(grid.spacing_mm) * (-1.0, -1.0, 1.0), dtype=torch.float32)
    index = (points_ras - torch.tensor(grid.origin_ras, dtype=torch.float32)) / signed
    size = torch.tensor(grid.shape_kji[::-1], dtype=torch.float32)
    return ((2.0 * index + 1.0) / size - 1.0)[None]


def hu_at(volume: torch.Tensor, grid: Grid, points_ras: torch.Tensor) -> torch.Tensor:
    """Return trilinear samples of ``(1, nk, nj, ni)`` at points; outside is air."""
    where = grid_places(points_ras, grid)
    shifted = (volume - _PADDING_HU)[None]
    seen = F.grid_sample(shifted, where, padding_mode="zeros", align_corners=False)
    return seen[0, 0] + _PADDING_HU


def _field_of_view(
    window_kji: tuple[int, int, int], column: NDArray[np.bool_], rng: np.random.Generator
) -> torch.Tensor:
    """Return what is seen: in most samples a few levels only, and often little beside them."""
    nk, nj, ni = window_kji
    seen = torch.zeros(window_kji, dtype=torch.bool)
    low, high = 0, nk
    if rng.random() < 0.7:
        height = int(rng.uniform(_LEAST_HEIGHT_MM / LEVEL_SPACING_MM, nk))
        low = int(rng.integers(0, nk - height + 1))
        high = low + height
    near = np.argwhere(column[low:high])
    left, right, front, back = 0, ni, 0, nj
    if rng.random() < 0.35 and len(near):
        half = int(0.5 * rng.uniform(*_NARROW_FIELD_MM) / LEVEL_SPACING_MM)
        j, i = near[:, 1:].mean(axis=0).astype(int) + rng.integers(-3, 4, 2)
        left, right, front, back = i - half, i + half, j - half, j + half
    seen[low:high, max(front, 0) : max(back, 0), max(left, 0) : max(right, 0)] = True
    return seen


def noisy(hu: torch.Tensor, rng: np.random.Generator, most_hu: float) -> torch.Tensor:
    """Return HU with noise, fine and coarse, and a small shift; none in the air around."""
    white = torch.from_numpy(rng.standard_normal(tuple(hu.shape), dtype=np.float32))
    noise = white * float(rng.uniform(0.0, most_hu))
    noise += F.avg_pool3d(white[None], 3, 1, 1)[0] * float(rng.uniform(0.0, 2.0 * most_hu))
    return torch.where(hu > -950.0, hu + noise + float(rng.normal(0.0, 4.0)), hu)


def centre_sample(
    image: SpineImage, rng: np.random.Generator, length: int, width: int = CENTRE_WIDTH
) -> CentreSample:
    """Return a part of the column, straightened along a line that is not quite right."""
    line = line_through(image.centres_ras)
    line = _wrong(line, rng)
    points = straight_points(line, CENTRE_SPACING_MM, width)
    start = int(rng.integers(0, max(1, len(points) - length + 1)))
    points = points[start : start + length]
    if len(points) < length:
        points = np.concatenate([points, np.repeat(points[-1:], length - len(points), 0)])
    hu = hu_at(image.hu[None], image.grid, torch.from_numpy(points.astype(np.float32)))
    distance, _ = cKDTree(image.centres_ras).query(points.reshape(-1, 3))
    flat = np.exp(-0.5 * (distance / CENTRE_SD_MM) ** 2).astype(np.float32)
    heat = torch.from_numpy(flat.reshape(points.shape[:-1]))
    seen = torch.ones(length, dtype=torch.bool)
    if rng.random() < 0.4:
        low, high = sorted(rng.integers(0, length, 2).tolist())
        if high - low > 20:
            seen[:low] = False
            seen[high:] = False
    if rng.random() < 0.3:  # thick slices
        hu = F.avg_pool3d(hu[None], (3, 1, 1), 1, (1, 0, 0), count_include_pad=False)[0]
    hu = noisy(hu, rng, 35.0)
    outside = ~seen[:, None, None]
    hu = torch.where(outside, _PADDING_HU, hu)
    return CentreSample(network_input(hu), torch.where(outside, 0.0, heat))


def _wrong(line: SpineLine, rng: np.random.Generator) -> SpineLine:
    """Return a line as the level network finds it: off by millimetres, smoothly."""
    count = len(line.points_ras)
    nodes = rng.normal(0.0, (4.0, 5.0), (max(3, count // 60), 2))
    off = ndimage.zoom(nodes, (count / len(nodes), 1), order=1)[:count]
    points = line.points_ras.copy()
    points[:, :2] += np.pad(off, ((0, count - len(off)), (0, 0)), mode="edge")
    return SpineLine(points, line.tangents)
