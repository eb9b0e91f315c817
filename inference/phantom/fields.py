"""Signed distance fields: the shapes all anatomy is made of.

A field holds, for a box of a grid, the distance in mm to the surface of a shape: negative
inside, positive outside, exact near the surface only. Shapes are joined, cut and rounded by
arithmetic on such fields. The loops that touch many voxels are compiled; none of them sums over
threads, so results do not depend on how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from inference.phantom.grids import Box, Grid

Values = NDArray[np.float32]
FAR_MM = 50.0


@dataclass(frozen=True)
class Field:
    """Signed distances of a shape.

    Parameters
    ----------
    box : Box
        Where the values lie in their grid; beyond it the shape is not.
    values : ndarray of float32, shape of the box
        Distance in mm, negative inside.
    """

    box: Box
    values: Values


@numba.njit(cache=True, nogil=True)
def _ellipsoid(z, y, x, centre, rotation, radii, out):  # type: ignore[no-untyped-def]
    """Write the first-order distance to an ellipsoid: exact at the surface, smooth elsewhere."""
    for k in range(z.size):
        for j in range(y.size):
            for i in range(x.size):
                near, steep = 0.0, 0.0
                for axis in range(3):
                    along = (
                        rotation[axis, 0] * (x[i] - centre[0])
                        + rotation[axis, 1] * (y[j] - centre[1])
                        + rotation[axis, 2] * (z[k] - centre[2])
                    ) / radii[axis]
                    near += along * along
                    steep += (along / radii[axis]) ** 2
                near = np.sqrt(near)
                out[k, j, i] = near * (near - 1.0) / max(np.sqrt(steep), 1e-6)


@numba.njit(cache=True, nogil=True)
def _tube(z, y, x, points, radii, reach, out):  # type: ignore[no-untyped-def]
    """Lower `out` to the distance of a chain of round cones, up to `reach` from their surface."""
    for n in range(points.shape[0] - 1):
        ax, ay, az = points[n]
        bx, by, bz = points[n + 1]
        ra, rb = radii[n], radii[n + 1]
        far = max(ra, rb) + reach
        length2 = max((bx - ax) ** 2 + (by - ay) ** 2 + (bz - az) ** 2, 1e-9)
        for k in range(z.size):
            if z[k] < min(az, bz) - far or z[k] > max(az, bz) + far:
                continue
            for j in range(y.size):
                if y[j] < min(ay, by) - far or y[j] > max(ay, by) + far:
                    continue
                for i in range(x.size):
                    if x[i] < min(ax, bx) - far or x[i] > max(ax, bx) + far:
                        continue
                    dx, dy, dz = x[i] - ax, y[j] - ay, z[k] - az
                    t = (dx * (bx - ax) + dy * (by - ay) + dz * (bz - az)) / length2
                    t = min(max(t, 0.0), 1.0)
                    dx -= t * (bx - ax)
                    dy -= t * (by - ay)
                    dz -= t * (bz - az)
                    away = np.sqrt(dx * dx + dy * dy + dz * dz) - ra - t * (rb - ra)
                    if away < out[k, j, i]:
                        out[k, j, i] = away


def ellipsoid(
    grid: Grid,
    centre_ras: ArrayLike,
    radii_mm: ArrayLike,
    rotation: NDArray[np.float64] | None = None,
    margin_mm: float = 14.0,
) -> Field:
    """Return the field of an ellipsoid.

    Parameters
    ----------
    grid : Grid
    centre_ras, radii_mm : array_like of three
    rotation : ndarray, shape (3, 3), optional
        Rows are the directions of the three radii.
    margin_mm : float
        How far beyond the surface values are wanted.
    """
    centre = np.asarray(centre_ras, dtype=np.float64)
    radii = np.asarray(radii_mm, dtype=np.float64)
    turn = np.eye(3) if rotation is None else np.ascontiguousarray(rotation, dtype=np.float64)
    reach = np.sqrt(((turn * radii[:, None]) ** 2).sum(axis=0))
    box = grid.box_around(centre, reach + margin_mm)
    z, y, x = grid.axes(box)
    values = np.empty((z.size, y.size, x.size), dtype=np.float32)
    _ellipsoid(z, y, x, centre, turn, radii, values)
    return Field(box, values)


def tube(
    grid: Grid, points_ras: ArrayLike, radii_mm: ArrayLike | float, margin_mm: float = 5.0
) -> Field:
    """Return the field of a chain of round cones along a polyline.

    Parameters
    ----------
    grid : Grid
    points_ras : array_like, shape (n, 3)
    radii_mm : float or array_like of n
    margin_mm : float
        How far beyond the surface values are wanted; further away they are `FAR_MM`.
    """
    points = np.ascontiguousarray(points_ras, dtype=np.float64)
    # a copy: what numpy broadcasts is read-only, which is another type to the compiler
    radii = np.array(np.broadcast_to(radii_mm, len(points)), dtype=np.float64)
    box = grid.box_around(points, radii[:, None] + margin_mm)
    z, y, x = grid.axes(box)
    values = np.full((z.size, y.size, x.size), FAR_MM, dtype=np.float32)
    _tube(z, y, x, points, radii, float(margin_mm), values)
    return Field(box, values)


def smooth_max(a: Values, b: Values | float, rounding_mm: float) -> Values:
    """Return the larger of two fields (the part both shapes share) with a rounded edge."""
    return -smooth_min(-a, -b, rounding_mm)


def smooth_min(a: Values, b: Values | float, rounding_mm: float) -> Values:
    """Return the smaller of two fields (both shapes together) with a rounded seam."""
    if rounding_mm <= 0.0:
        return np.minimum(a, b)
    near = np.maximum(rounding_mm - np.abs(a - b), 0.0)
    result: Values = np.minimum(a, b) - near * near / np.float32(4.0 * rounding_mm)
    return result


def union(grid: Grid, fields: list[Field], rounding_mm: float = 0.0) -> Field:
    """Return the union of shapes with rounded seams, on the box that holds them all."""
    box = tuple(
        slice(min(f.box[axis].start for f in fields), max(f.box[axis].stop for f in fields))
        for axis in range(3)
    )
    values = np.full([s.stop - s.start for s in box], FAR_MM, dtype=np.float32)
    for f in fields:
        part = within(f.box, (box[0], box[1], box[2]))
        values[part] = smooth_min(values[part], f.values, rounding_mm)
    return Field((box[0], box[1], box[2]), values)


def on_box(field: Field, box: Box) -> Values:
    """Return the values of a field on another box, `FAR_MM` where it has none."""
    out = np.full([s.stop - s.start for s in box], FAR_MM, dtype=np.float32)
    shared = [
        (max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(field.box, box, strict=True)
    ]
    if all(low < high for low, high in shared):
        k, j, i = (slice(low, high) for low, high in shared)
        out[within((k, j, i), box)] = field.values[within((k, j, i), field.box)]
    return out


def within(box: Box, outer: Box) -> Box:
    """Return `box` counted from the start of `outer`, which must contain it."""
    k, j, i = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, outer, strict=True))
    return k, j, i


def upsample(values: Values, source: Grid, target: Grid) -> Values:
    """Interpolate a smooth field from a coarse grid with the same origin, linearly."""
    for axis in range(3):
        ratio = target.spacing_mm[2 - axis] / source.spacing_mm[2 - axis]
        position = np.arange(target.shape_kji[axis]) * ratio
        low = np.minimum(position.astype(np.intp), values.shape[axis] - 1)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = (position - low).astype(np.float32)
        part = part.reshape([-1 if a == axis else 1 for a in range(3)])
        start = np.take(values, low, axis=axis)
        values = start + part * (np.take(values, high, axis=axis) - start)
    return values


def rotation_ras(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> NDArray[np.float64]:
    """Return rows that are the axes of a frame turned about x, then y, then z (right-handed)."""
    a, b, c = np.deg2rad([x_deg, y_deg, z_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    # the columns of the product are the turned axes
    return np.ascontiguousarray((about_z @ about_y @ about_x).T)
