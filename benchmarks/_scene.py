"""The case that figures are measured on: 512 x 512 x 300, four phases, two masks, 57 objects."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import AxisOrder, Grid
from labeler.core.mask import Mask
from labeler.core.volume import PHASES, Volume

SHAPE_KJI = (300, 512, 512)
SPACING_MM = (0.75, 0.75, 1.0)
LIVER = 1

#: Label, centre and half axes (k, j, i in voxels) of the organs.
ORGANS = (
    (LIVER, (170, 230, 170), (75, 100, 120)),
    (2, (190, 300, 400), (40, 50, 40)),
    (3, (120, 330, 180), (40, 40, 30)),
    (4, (120, 330, 340), (40, 40, 30)),
)
LESION_LABELS = range(8, 14)
N_LESIONS = 53


@cache
def grid() -> Grid:
    """Canonical axes."""
    return Grid(SHAPE_KJI, np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0]))


def axis_order() -> AxisOrder:
    return AxisOrder((0, 1, 2), (False, False, False), grid().shape_ijk)


@cache
def labels() -> npt.NDArray[np.uint8]:
    """Four organs and 53 lesions, read-only."""
    array = np.zeros(SHAPE_KJI, np.uint8)
    for label, organ_center, axes in ORGANS:
        _add_ellipsoid(array, label, np.array(organ_center), np.array(axes, float))
    rng = np.random.default_rng(7)
    for number in range(N_LESIONS):
        center = np.array([rng.integers(20, n - 20) for n in SHAPE_KJI])
        label = LESION_LABELS[number % len(LESION_LABELS)]
        _add_ellipsoid(array, label, center, rng.uniform(3, 14, 3))
    array.setflags(write=False)
    return array


def mask(name: str = "reference") -> Mask:
    """A mask of its own, which may be changed."""
    return Mask(name, labels().copy(), grid(), axis_order())


@cache
def second_labels() -> npt.NDArray[np.uint8]:
    """The same objects, displaced a little."""
    return np.ascontiguousarray(np.roll(labels(), (1, 3, -2), axis=(0, 1, 2)))


@cache
def phases() -> dict[str, Volume]:
    """Noise around tissue values, another offset in each phase."""
    noise = np.random.default_rng(1).normal(0, 18, (60, 512, 512)).astype(np.int16)
    tissue = np.linspace(-20, 120, 256).astype(np.int16)[labels()]
    volumes = {}
    for number, name in enumerate(PHASES):
        array = tissue + np.roll(np.tile(noise, (5, 1, 1)), 3 * number) + np.int16(15 * number)
        volumes[name] = Volume(array, grid(), axis_order())
    return volumes


def _add_ellipsoid(
    array: npt.NDArray[np.uint8],
    label: int,
    center: npt.NDArray[np.int64],
    axes: npt.NDArray[np.float64],
) -> None:
    lo = np.maximum(0, np.floor(center - axes)).astype(int)
    hi = np.minimum(array.shape, np.ceil(center + axes) + 1).astype(int)
    box = tuple(slice(a, b) for a, b in zip(lo, hi, strict=True))
    k, j, i = np.ogrid[box]
    distance = sum(((x - c) / r) ** 2 for x, c, r in zip((k, j, i), center, axes, strict=True))
    array[box][distance <= 1] = label
