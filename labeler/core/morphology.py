"""Shapes grown, shrunk, smoothed and filled, in mm.

A shape is a bool array ``[k, j, i]`` of a box. What lies beyond the box is not known: a shape that
reaches the edge of a scan is not eaten away from there. Where a shape may grow its box needs room
for that (:meth:`VoxelSet.padded` with :func:`margins`). Radii are measured between voxel centres.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.distance import Check, near, never_stop, squared_distance
from labeler.core.raster import BoolArray

Spacing = tuple[float, float, float]

#: Part of a Gaussian that is worked with, in standard deviations.
TRUNCATE = 3.0


def margins(spacing_mm: Spacing, radius_mm: float) -> tuple[int, int, int]:
    """Voxels along k, j, i that a shape needs around it to grow by a radius, and one more."""
    i, j, k = (int(radius_mm / spacing) + 2 for spacing in spacing_mm)
    return k, j, i


def grown(
    inside: BoolArray, spacing_mm: Spacing, radius_mm: float, check: Check = never_stop
) -> BoolArray:
    """The shape and everything at most ``radius_mm`` from it."""
    return near(inside, spacing_mm, radius_mm, check)


def shrunk(
    inside: BoolArray, spacing_mm: Spacing, radius_mm: float, check: Check = never_stop
) -> BoolArray:
    """The voxels that are more than ``radius_mm`` from everything outside of the shape."""
    return ~near(~inside, spacing_mm, radius_mm, check)


def closed(
    inside: BoolArray, spacing_mm: Spacing, radius_mm: float, check: Check = never_stop
) -> BoolArray:
    """The shape with gaps narrower than twice the radius bridged."""
    return shrunk(grown(inside, spacing_mm, radius_mm, check), spacing_mm, radius_mm, check)


def hollowed(
    inside: BoolArray, spacing_mm: Spacing, wall_mm: float, check: Check = never_stop
) -> BoolArray:
    """The outermost ``wall_mm`` of a shape; at least one layer of voxels along each axis."""
    wall_mm = max(wall_mm, *spacing_mm)
    return inside & near(~inside, spacing_mm, wall_mm, check)


def filled(inside: BoolArray) -> BoolArray:
    """The shape with everything it encloses in 3-D.

    Diagonal neighbours hold tight, as 26-connected regions do; what reaches the edge of the box
    is not enclosed.
    """
    from scipy import ndimage  # slow to import: not when the program starts

    parts, count = ndimage.label(~inside)
    enclosed = np.ones(count + 1, np.bool_)
    enclosed[0] = False  # the shape itself
    for axis in range(3):
        for end in (0, -1):
            enclosed[np.take(parts, end, axis=axis)] = False
    return np.asarray(inside | enclosed[parts])


def filled_on_slices(inside: BoolArray, axis: int) -> BoolArray:
    """The shape with everything it encloses on each slice across an axis (0 = k, 1 = j, 2 = i)."""
    turned = np.moveaxis(inside, axis, 0)
    full = np.empty_like(turned)
    for n, part in enumerate(turned):
        # Flood the outside from a frame around the slice; what stays dry is enclosed.
        framed = np.pad(part.astype(np.uint8), 1)
        cv2.floodFill(framed, None, (0, 0), 2, flags=4)
        full[n] = framed[1:-1, 1:-1] != 2
    return np.moveaxis(full, 0, axis)


def smoothed(
    inside: BoolArray, spacing_mm: Spacing, sigma_mm: float, check: Check = never_stop
) -> BoolArray:
    """The shape with its surface smoothed by a Gaussian, its volume unchanged.

    What is smoothed is the signed distance to the surface, so that thick slices lose their steps;
    the level is chosen so that the shape keeps its number of voxels (but for ties).

    Parameters
    ----------
    inside
        The shape, with room of ``TRUNCATE * sigma_mm`` around it where the scan has it.
    spacing_mm
        Distance of neighbouring voxels along i, j, k.
    sigma_mm
        Standard deviation of the Gaussian.
    check
        Called now and then; may raise to stop.
    """
    count = int(np.count_nonzero(inside))
    if count == 0 or count == inside.size:
        return inside
    limit = TRUNCATE * sigma_mm
    signed = np.sqrt(squared_distance(inside, spacing_mm, check))
    signed -= np.sqrt(squared_distance(~inside, spacing_mm, check))
    # Far from the surface distances say nothing about it, but would be carried along.
    np.clip(signed, -limit, limit, out=signed)
    blurred = _blurred(signed, spacing_mm, sigma_mm, check)
    level = np.partition(blurred.ravel(), count - 1)[count - 1]
    return np.asarray(blurred <= level)


def _blurred(
    values: npt.NDArray[np.float32], spacing_mm: Spacing, sigma_mm: float, check: Check
) -> npt.NDArray[np.float32]:
    """Gaussian blur; beyond the edges the outermost values go on."""
    kernel_i, kernel_j, kernel_k = (_gaussian(sigma_mm / spacing) for spacing in spacing_mm)
    alone = np.ones(1, np.float32)
    for plane in values:
        cv2.sepFilter2D(plane, -1, kernel_i, kernel_j, plane, borderType=cv2.BORDER_REPLICATE)
    check()
    out = np.empty_like(values)
    for j in range(values.shape[1]):
        lines = np.ascontiguousarray(values[:, j])
        out[:, j] = cv2.sepFilter2D(lines, -1, alone, kernel_k, borderType=cv2.BORDER_REPLICATE)
    return out


def _gaussian(sigma: float) -> npt.NDArray[np.float32]:
    reach = int(np.ceil(TRUNCATE * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)
