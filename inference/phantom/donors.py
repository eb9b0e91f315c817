"""Organs of real bodies that lend their shapes to phantoms.

A donor is a label map without a CT: liver, spleen, kidneys, pancreas and gallbladder of one body.
`inference.phantom.transplant` fits them into a phantom.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.fields import Values
from inference.phantom.grids import Grid
from inference.phantom.real_scan import AnatomyError, read_label_map

Point = NDArray[np.float64]

KIDNEYS = ("kidney_right", "kidney_left")
ORGANS = ("liver", "spleen", *KIDNEYS, "pancreas", "gallbladder")
MARGIN_MM = 24.0
"""How far around an organ its distance is known."""

_SINUS_MM = 12.0
"""Openings of a kidney narrower than twice this are its sinus."""


@dataclass(frozen=True)
class Organ:
    """One organ of a donor.

    Parameters
    ----------
    grid : Grid
        Voxels around the organ, in the donor's own millimetres.
    distance, filled : ndarray of float32, shape of the grid
        Signed distance in mm to the organ, and to the organ with its sinus closed (the same
        array where there is none).
    low_ras, high_ras, centre_ras, hilum_ras : ndarray of three
        Its ends, its middle, and the middle of its sinus (else its middle).
    volume_ml : float
    """

    grid: Grid
    distance: Values
    filled: Values
    low_ras: Point
    high_ras: Point
    centre_ras: Point
    hilum_ras: Point
    volume_ml: float


@dataclass(frozen=True)
class Donor:
    """A real body that lends its organs.

    Parameters
    ----------
    name : str
    organs : dict of str to Organ
        All of `ORGANS`.
    midline_x_mm : float
        Plane between left and right.
    """

    name: str
    organs: dict[str, Organ]
    midline_x_mm: float


def _signed_distance(mask: NDArray[np.bool_], grid: Grid) -> Values:
    spacing = grid.spacing_mm[::-1]
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    # voxels make steps, organs do not
    smooth: Values = ndimage.gaussian_filter((outside - inside).astype(np.float32), 1.0)
    return smooth


def _organ(mask: NDArray[np.bool_], grid: Grid, name: str) -> Organ:
    """Measure an organ and cut it out."""
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    pad = [int(np.ceil(MARGIN_MM / s)) for s in grid.spacing_mm[::-1]]
    # the label map may end at the organ: there is always room around it
    mask, grid = np.pad(mask[found], [(n, n) for n in pad]), grid.crop(found)
    origin = tuple(float(v) for v in grid.to_ras(-np.array(pad)))
    grid = Grid(mask.shape, grid.spacing_mm, origin)  # type: ignore[arg-type]
    points = grid.to_ras(np.argwhere(mask))
    centre = points.mean(axis=0)
    distance, hilum = _signed_distance(mask, grid), centre
    filled = distance
    if name in KIDNEYS:
        swollen = ndimage.distance_transform_edt(~mask, sampling=grid.spacing_mm[::-1])
        closed = swollen <= _SINUS_MM
        depth = ndimage.distance_transform_edt(closed, sampling=grid.spacing_mm[::-1])
        closed = (depth > _SINUS_MM) | mask
        filled = _signed_distance(closed, grid)
        sinus = grid.to_ras(np.argwhere(closed & ~mask))
        hilum = sinus.mean(axis=0) if len(sinus) else centre
    low, high = points.min(axis=0), points.max(axis=0)
    ml = float(mask.sum()) * grid.voxel_ml
    return Organ(grid, distance, filled, low, high, centre, hilum, ml)


def donor_name(path: Path) -> str:
    """Return the name of the donor in a file ``NAME_labels.nii.gz``."""
    return path.name.removesuffix("_labels.nii.gz")


def read_donor(path: Path) -> Donor:
    """Read the label map of a donor (``*_labels.nii.gz`` with ``*_classes.json`` beside it).

    Raises
    ------
    AnatomyError
        A file that cannot be read, or an organ that is not in it.
    """
    structures, names, grid = read_label_map(path)
    numbers = {name: number for number, name in names.items()}
    found = {}
    for name in ORGANS:
        mask = structures == numbers.get(name, -1)
        if not mask.any():
            raise AnatomyError(f"{path} has no {name.replace('_', ' ')}")
        found[name] = _organ(mask, grid, name)
    hips = [n for name, n in numbers.items() if name.startswith("pelvis_hip")]
    columns = np.flatnonzero(np.isin(structures, hips).any(axis=(0, 1)))
    if len(columns):
        x = grid.axes()[2][columns[[0, -1]]]
    else:  # kidneys lie to both sides of the spine
        x = np.array([found[name].centre_ras[0] for name in KIDNEYS])
    return Donor(donor_name(path), found, float(np.mean(x)))
