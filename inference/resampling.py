"""Images on another grid, and labels back.

Where two grids differ by spacing, shift, permutation and flips of their axes, sampling is done
axis by axis, plane by plane; where they are turned against each other, point by point in slabs.
Either way the memory used beside the result stays small.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Image
from inference.grid import Box, Grid, grid_of

AIR_HU = -1024.0
"""What is outside of an image."""

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

_TOLERANCE = 1e-4  # of a voxel over the whole grid: less is not a rotation
_SLAB_VOXELS = 1 << 21


class _Axis(NamedTuple):
    """Where the voxels of a new axis lie: at ``offset + scale * n`` of an old one."""

    old: int
    scale: float
    offset: float
    size: int

    def positions(self) -> Doubles:
        """Return them; a hair off an old voxel is on it, so that turning alone loses nothing."""
        positions = self.offset + self.scale * np.arange(self.size, dtype=np.float64)
        whole = np.rint(positions)
        return np.where(np.abs(positions - whole) < _TOLERANCE, whole, positions)


@dataclass(frozen=True)
class _Taps:
    """Which voxels of an old axis make up each new one.

    ``index`` and ``weight`` have the shape (new voxels, taps) and each row of weights sums to 1;
    ``inside`` tells whether the new voxel's centre is in an old voxel.
    """

    index: NDArray[np.intp]
    weight: Floats
    inside: NDArray[np.bool_]


def resample(
    image: Image, grid: Grid, *, fill_hu: float = AIR_HU, antialias: bool = False
) -> Floats:
    """Return an image on another grid, linearly interpolated.

    Parameters
    ----------
    image : Image
    grid : Grid
    fill_hu : float
        Value beyond the outermost voxels of the image.
    antialias : bool
        Average over the larger voxels of a coarser grid instead of taking points. Only between
        grids that are not turned against each other.

    Returns
    -------
    ndarray, float32, shape ``grid.shape_kji``
    """
    source = grid_of(image)
    matrix = _between(source, grid)
    axes = _axes(matrix, grid.shape_kji)
    if axes is None:
        return _sample_points(image.array, matrix, grid.shape_kji, fill_hu)
    array = image.array.transpose([axis.old for axis in axes])
    taps = [
        _taps(axis, n, abs(axis.scale) if antialias else 1.0)
        for axis, n in zip(axes, array.shape, strict=True)
    ]
    return _sample_axes(array, taps, grid.shape_kji, fill_hu)


def resample_labels(labels: NDArray[Any], source: Grid, grid: Grid) -> NDArray[Any]:
    """Return labels on another grid, each the nearest one; 0 outside.

    Parameters
    ----------
    labels : ndarray of integers, shape ``source.shape_kji``
    source, grid : Grid

    Returns
    -------
    ndarray of the same type, shape ``grid.shape_kji``
    """
    matrix = _between(source, grid)
    axes = _axes(matrix, grid.shape_kji)
    found = np.zeros(grid.shape_kji, labels.dtype)
    if axes is None:
        box = _reach(labels, matrix, grid.shape_kji)
        within = grid.cropped(box)
        found[box] = _nearest_points(labels, _between(source, within), within.shape_kji)
        return found
    array = labels.transpose([axis.old for axis in axes])
    nearest_kji = []
    targets = []
    for axis, n in zip(axes, array.shape, strict=True):
        # a hair is taken off, so that ties do not depend on rounding
        nearest = np.floor(axis.positions() + 0.5 - 1e-6).astype(np.intp)
        inside = (nearest >= 0) & (nearest < n)
        nearest_kji.append(nearest[inside])
        targets.append(_run(inside))
    part = found[tuple(targets)]
    for plane, k in zip(part, nearest_kji[0], strict=True):
        plane[...] = array[k][nearest_kji[1]][:, nearest_kji[2]]
    return found


def labels_from_scores(
    scores: Floats, source: Grid, grid: Grid, *, stepped_axis: int | None = None
) -> NDArray[np.uint8]:
    """Return the best class at each voxel of a finer grid, between whose scores it interpolates.

    Outlines come out smooth where :func:`resample_labels` leaves the steps of the coarse grid.
    Where one class is best at all eight corners it is best between them, so scores are
    interpolated only across borders; all of them on the fine grid are never held.

    Parameters
    ----------
    scores : ndarray, float32, shape (classes, nk, nj, ni)
        Logits or probabilities on `source`; at most 256 classes.
    source, grid : Grid
        Not turned against each other.
    stepped_axis : int, optional
        Axis of `grid` along which the nearest score is taken instead.

    Returns
    -------
    ndarray, uint8, shape ``grid.shape_kji``
        0 outside of `source`.

    Raises
    ------
    ValueError
        The grids are turned against each other.
    """
    axes = _axes(_between(source, grid), grid.shape_kji)
    if axes is None:
        raise ValueError("scores are interpolated only between grids with the same axes")
    scores = scores.transpose([0, *(axis.old + 1 for axis in axes)])
    best = scores.argmax(axis=0).astype(np.uint8)
    mixed = _mixed_cells(best)
    k, j, i = (
        _nearest_tap(axis, size) if n == stepped_axis else _taps(axis, size)
        for n, (axis, size) in enumerate(zip(axes, best.shape, strict=True))
    )
    lower_j, lower_i = j.index[:, 0], i.index[:, 0]
    found = np.zeros(grid.shape_kji, np.uint8)
    for n in np.flatnonzero(k.inside):
        lower, upper = k.index[n]
        plane = best[lower][lower_j][:, lower_i]
        at_j, at_i = np.nonzero(mixed[lower][lower_j][:, lower_i])
        if at_j.size:
            between = k.weight[n, 0] * scores[:, lower] + k.weight[n, 1] * scores[:, upper]
            corners = np.ascontiguousarray(between.transpose(1, 2, 0))
            plane[at_j, at_i] = sum(
                (j.weight[at_j, a] * i.weight[at_i, b])[:, None]
                * corners[j.index[at_j, a], i.index[at_i, b]]
                for a in (0, 1)
                for b in (0, 1)
            ).argmax(axis=1)
        found[n] = plane
    found[:, ~j.inside] = 0
    found[:, :, ~i.inside] = 0
    return found


def _mixed_cells(best: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return for each voxel whether it and its upper neighbours differ (eight of them in all)."""
    low = high = best
    for axis in range(3):
        last = best.shape[axis] - 1
        shifted = [*range(1, last + 1), last]
        low = np.minimum(low, low.take(shifted, axis))
        high = np.maximum(high, high.take(shifted, axis))
    return np.not_equal(low, high)


def _between(source: Grid, grid: Grid) -> Doubles:
    """Return the 3x4 matrix from ``(k, j, i, 1)`` of `grid` to ``(k, j, i)`` of `source`."""
    ijk = np.linalg.inv(source.affine_ras) @ grid.affine_ras
    return np.hstack([ijk[2::-1, 2::-1], ijk[2::-1, 3:]])


def _axes(matrix: Doubles, shape: tuple[int, int, int]) -> list[_Axis] | None:
    """Return where the new axes lie on the old ones; None if they are turned against them."""
    linear = matrix[:, :3]
    old = np.abs(linear).argmax(axis=0)
    rest = np.abs(linear)
    rest[old, np.arange(3)] = 0
    if len(set(old.tolist())) < 3 or (rest * np.array(shape)).max() > _TOLERANCE:
        return None
    return [
        _Axis(int(a), float(linear[a, n]), float(matrix[a, 3]), shape[n]) for n, a in enumerate(old)
    ]


def _taps(axis: _Axis, size: int, width: float = 1.0) -> _Taps:
    """Return what makes up each new voxel of an axis.

    Parameters
    ----------
    axis : _Axis
    size : int
        Number of old voxels.
    width : float
        Half the base of the triangle of weights, in old voxels: 1 interpolates linearly.
    """
    position = axis.positions()
    inside = (position > -0.5 - _TOLERANCE) & (position < size - 0.5 + _TOLERANCE)
    width = max(width, 1.0)
    position = np.clip(position, 0, size - 1)
    first = np.floor(position - width).astype(np.intp) + 1
    index = first[:, None] + np.arange(int(np.ceil(2 * width)))
    weight = np.maximum(0.0, 1.0 - np.abs(index - position[:, None]) / width)
    weight[(index < 0) | (index >= size)] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    return _Taps(np.clip(index, 0, size - 1), weight.astype(np.float32), inside)


def _nearest_tap(axis: _Axis, size: int) -> _Taps:
    """Return the nearest old voxel for each new one, as a first tap of two."""
    inside = _taps(axis, size).inside
    nearest = np.clip(np.floor(axis.positions() + 0.5), 0, size - 1).astype(np.intp)
    index = np.stack([nearest, np.minimum(nearest + 1, size - 1)], axis=1)
    weight = np.tile(np.array([1, 0], np.float32), (axis.size, 1))
    return _Taps(index, weight, inside)


def _sample_axes(
    array: NDArray[Any], taps: list[_Taps], shape: tuple[int, int, int], fill_hu: float
) -> Floats:
    """Return weighted sums along the three axes, one new plane at a time."""
    (k, kw, in_k), (j, jw, in_j), (i, iw, in_i) = (
        (axis.index, axis.weight, axis.inside) for axis in taps
    )
    found = np.full(shape, fill_hu, np.float32)
    if not (in_k.any() and in_j.any() and in_i.any()):
        return found
    inside = _run(in_j), _run(in_i)
    j, jw, i, iw = j[in_j], jw[in_j], i[in_i], iw[in_i]
    j0, i0 = int(j.min()), int(i.min())
    # only these rows and columns are ever needed
    array = array[:, j0 : int(j.max()) + 1, i0 : int(i.max()) + 1]
    j, i = j - j0, i - i0
    # OpenCV is twice as fast, but knows only two taps
    linear = j.shape[1] == i.shape[1] == 2
    columns, rows = np.meshgrid(i[:, 0] + iw[:, -1], j[:, 0] + jw[:, -1])
    columns, rows = columns.astype(np.float32), rows.astype(np.float32)
    for n in np.flatnonzero(in_k):
        if linear and k.shape[1] == 2 and array.strides[2] == array.itemsize:
            a, b = kw[n].tolist()
            plane = cv2.addWeighted(array[k[n, 0]], a, array[k[n, 1]], b, 0, dtype=cv2.CV_32F)
        else:
            plane = _weighted((array[at] for at in k[n]), kw[n])
        if linear:
            found[n][inside] = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR)
        else:
            part = _weighted((plane[at] for at in j.T), jw.T[:, :, None])
            found[n][inside] = _weighted((part.take(at, axis=1) for at in i.T), iw.T)
    return found


def _run(inside: NDArray[np.bool_]) -> slice:
    """Return where the one run of true values is."""
    at = np.flatnonzero(inside)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 0)


def _weighted(parts: Iterable[NDArray[Any]], weights: Floats) -> Floats:
    """Return the sum of `parts` times `weights`."""
    total: Floats | None = None
    for part, weight in zip(parts, weights, strict=True):
        if not weight.any():
            continue
        term = np.multiply(part, weight, dtype=np.float32)
        total = term if total is None else np.add(total, term, out=total)
    assert total is not None  # weights sum to 1
    return total


def _slabs(matrix: Doubles, shape: tuple[int, int, int]) -> Iterator[tuple[slice, Doubles]]:
    """Yield slabs of planes, and the old coordinates ``[3, k, j, i]`` of their voxels."""
    thickness = max(1, _SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for first in range(0, shape[0], thickness):
        planes = slice(first, min(first + thickness, shape[0]))
        k, j, i = np.ogrid[planes, : shape[1], : shape[2]]
        yield (
            planes,
            np.stack([row[0] * k + row[1] * j + row[2] * i + row[3] for row in matrix]),
        )


def _reach(labels: NDArray[Any], matrix: Doubles, shape: tuple[int, int, int]) -> Box:
    """Return the box of the new grid that can hold anything but 0."""
    planes = labels.reshape(labels.shape[0], -1).any(axis=1)
    rows, columns = labels.any(axis=(0, 2)), labels.any(axis=(0, 1))
    if not planes.any():
        return slice(0, 0), slice(0, 0), slice(0, 0)
    ends = [np.flatnonzero(axis)[[0, -1]] for axis in (planes, rows, columns)]
    corners = np.array(list(itertools.product(*([e[0] - 1.0, e[-1] + 1.0] for e in ends)))).T
    points = np.linalg.solve(matrix[:, :3], corners - matrix[:, 3:])
    low = np.clip(np.floor(points.min(axis=1)), 0, shape).astype(int)
    high = np.clip(np.ceil(points.max(axis=1)) + 1, low, shape).astype(int)
    k, j, i = (slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    return k, j, i


def _nearest_points(
    labels: NDArray[Any], matrix: Doubles, shape: tuple[int, int, int]
) -> NDArray[Any]:
    """Return the nearest label at the voxels of a grid that is turned against the array."""
    found = np.zeros(shape, labels.dtype)
    limits = np.array(labels.shape)[:, None, None, None]
    for planes, points_kji in _slabs(matrix, shape):
        points = np.floor(points_kji + 0.5).astype(np.intp)
        within = ((points >= 0) & (points < limits)).all(axis=0)
        k, j, i = points[:, within]
        found[planes][within] = labels[k, j, i]
    return found


def _sample_points(
    array: NDArray[Any],
    matrix: Doubles,
    shape: tuple[int, int, int],
    fill_hu: float,
) -> Floats:
    """Return linear interpolation at the voxels of a grid that is turned against the array."""
    from scipy import ndimage

    found = np.empty(shape, np.float32)
    limits = np.array(array.shape)[:, None, None, None] - 0.5
    for planes, points_kji in _slabs(matrix, shape):
        inside = ((points_kji >= -0.5) & (points_kji <= limits)).all(axis=0)
        values = ndimage.map_coordinates(
            array, points_kji, output=np.float32, order=1, mode="nearest"
        )
        found[planes] = np.where(inside, values, np.float32(fill_hu))
    return found
