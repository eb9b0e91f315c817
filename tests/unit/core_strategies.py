"""Small label maps, grids and changes for the property tests of the core."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from labeler.core.geometry import AxisOrder, Grid, Plane
from labeler.core.mask import Box, Mask

shapes = st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 19))
seeds = st.integers(0, 2**32 - 1)
planes = st.sampled_from(list(Plane))


def random_labels(shape, seed, dtype=np.uint8, density=0.5, labels=3):
    """Blobs and specks: random labels, each voxel copied from its neighbour now and then."""
    rng = np.random.default_rng(seed)
    array = rng.integers(1, labels + 1, shape) * (rng.random(shape) < density)
    for axis in range(3):
        moved = np.roll(array, 1, axis)
        array = np.where(rng.random(shape) < 0.4, moved, array)
    if dtype == np.uint16:
        array = array * 300
    return np.ascontiguousarray(array.astype(dtype))


@st.composite
def label_maps(draw, dtypes=(np.uint8, np.uint16)):
    return random_labels(
        draw(shapes), draw(seeds), draw(st.sampled_from(dtypes)), draw(st.floats(0.0, 1.0))
    )


@st.composite
def boxes_in(draw, shape_kji):
    lo = [draw(st.integers(0, n - 1)) for n in shape_kji]
    hi = [draw(st.integers(a + 1, n)) for a, n in zip(lo, shape_kji, strict=True)]
    return Box(tuple(lo), tuple(hi))


def rotation(degrees):
    """Rotation about all three axes by the same small angle."""
    a = np.deg2rad(degrees)
    c, s = np.cos(a), np.sin(a)
    x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return x @ y @ z


def make_grid(shape_kji, spacing_mm=(0.8, 0.9, 2.5), origin_mm=(0.0, 0.0, 0.0), degrees=0.0):
    """Canonical grid: i to the Left, j to Posterior, k to Superior, turned by some degrees."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) @ np.diag([-1.0, -1.0, 1.0]) @ np.diag(spacing_mm)
    affine[:3, 3] = origin_mm
    return Grid(shape_kji, affine)


def make_mask(array, grid=None, name="draft"):
    grid = grid or make_grid(array.shape)
    order = AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk)
    return Mask(name, np.ascontiguousarray(array).copy(), grid, order)
