"""Grids of voxels.

A :class:`Grid` is a shape and an affine, nothing else: orientation, spacing and cropping are
changes of the affine, and no axis has a meaning of its own. A network that wants its tensor's
axes to run to the Right, to Anterior and Superior gets a grid whose array axes do.

``resampling`` brings images onto another grid, and labels back.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inference.contract import Affine, Image, LabelMap

Box: TypeAlias = tuple[slice, slice, slice]

_DIRECTIONS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
_BODY_HU = -300
_BODY_STEP_MM = 4.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels are.

    Parameters
    ----------
    shape_kji : tuple of three int
        Shape of an array on the grid.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm at voxel centres.
    """

    shape_kji: tuple[int, int, int]
    affine_ras: Affine

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """Distance of neighbours along each axis of the array."""
        i, j, k = np.linalg.norm(self.affine_ras[:3, :3], axis=0).tolist()
        return k, j, i

    def cropped(self, box: Box) -> Grid:
        """Return the part in a box of the array."""
        ranges = [range(n)[part] for n, part in zip(self.shape_kji, box, strict=True)]
        affine = self.affine_ras.copy()
        affine[:3, 3] += affine[:3, :3] @ [part.start for part in reversed(ranges)]
        k, j, i = map(len, ranges)
        return Grid((k, j, i), affine)

    def respaced(self, spacing_kji_mm: tuple[float, float, float]) -> Grid:
        """Return a grid of another spacing that covers the same extent to half a voxel."""
        k, j, i = (
            max(1, round(size * old / new))
            for size, old, new in zip(
                self.shape_kji, self.spacing_kji_mm, spacing_kji_mm, strict=True
            )
        )
        return self._centred((k, j, i), spacing_kji_mm)

    def resized(self, shape_kji: tuple[int, int, int]) -> Grid:
        """Return a grid of another number of voxels that covers exactly the same extent."""
        k, j, i = (
            size * spacing / new
            for size, spacing, new in zip(
                self.shape_kji, self.spacing_kji_mm, shape_kji, strict=True
            )
        )
        return self._centred(shape_kji, (k, j, i))

    def oriented(self, directions: str) -> Grid:
        """Return the same voxels with array axes that run in given directions.

        Parameters
        ----------
        directions : str
            Three letters of ``RLAPSI``, where the array's axes 0, 1 and 2 run to; on an oblique
            grid, as nearly as its axes allow. A grid ``SPL`` has the axes k to Superior, j to
            Posterior and i to the Left.

        Raises
        ------
        ValueError
            Not three letters for the three axes of the patient.
        """
        if sorted(_DIRECTIONS.get(letter, -1) for letter in directions) != [0, 1, 2]:
            raise ValueError(f"{directions!r} names no three directions of the patient")
        ijk = directions[::-1]
        unit = self.affine_ras[:3, :3] / np.linalg.norm(self.affine_ras[:3, :3], axis=0)
        rows = unit[[_DIRECTIONS[letter] for letter in ijk]]
        along = rows * np.where([letter in "RAS" for letter in ijk], 1, -1)[:, None]
        old = max(itertools.permutations(range(3)), key=lambda p: float(_agreement(along, p)))
        shape_ijk = np.array(self.shape_kji[::-1])[list(old)]
        turn = np.zeros((4, 4))
        turn[3, 3] = 1
        for new, (axis, size) in enumerate(zip(old, shape_ijk.tolist(), strict=True)):
            backwards = along[new, axis] < 0
            turn[axis, new] = -1 if backwards else 1
            turn[axis, 3] = size - 1 if backwards else 0
        i, j, k = shape_ijk.tolist()
        return Grid((k, j, i), self.affine_ras @ turn)

    def _centred(
        self, shape_kji: tuple[int, int, int], spacing_kji_mm: tuple[float, float, float]
    ) -> Grid:
        """Return a grid with the same axes and middle."""
        affine = self.affine_ras.copy()
        affine[:3, :3] *= np.divide(spacing_kji_mm, self.spacing_kji_mm)[::-1]
        middle_old, middle_new = (
            (np.array(shape[::-1]) - 1) / 2 for shape in (self.shape_kji, shape_kji)
        )
        affine[:3, 3] += self.affine_ras[:3, :3] @ middle_old - affine[:3, :3] @ middle_new
        return Grid(shape_kji, affine)


def grid_of(volume: Image | LabelMap) -> Grid:
    """Return the grid of an image or mask."""
    k, j, i = volume.array.shape
    return Grid((k, j, i), volume.affine_ras)


def body_box(image: Image, margin_mm: float = 10.0) -> Box:
    """Return the box of the patient: the largest part that is denser than fat and lung.

    Parameters
    ----------
    image : Image
        A CT in HU.
    margin_mm : float
        Added on every side.

    Returns
    -------
    tuple of three slices ``[k, j, i]``
        The whole image where nothing is dense.
    """
    from scipy import ndimage

    spacing_mm = grid_of(image).spacing_kji_mm
    steps = [max(1, round(_BODY_STEP_MM / spacing)) for spacing in spacing_mm]
    dense = image.array[tuple(slice(None, None, step) for step in steps)] > _BODY_HU
    # the table is a thin sheet: opened away, across the slices as there may be only one of them
    opened = ndimage.binary_opening(dense, np.ones((1, 3, 3), bool))
    parts, count = ndimage.label(opened)
    if count == 0:
        return slice(0, dense.shape[0] * steps[0]), slice(None), slice(None)
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    box = []
    for axis, found in enumerate(ndimage.find_objects((parts == largest).astype(np.uint8))[0]):
        margin = round(margin_mm / spacing_mm[axis]) + steps[axis]
        low = max(0, found.start * steps[axis] - margin)
        box.append(slice(low, min(image.array.shape[axis], found.stop * steps[axis] + margin)))
    return box[0], box[1], box[2]


def _agreement(along: NDArray[np.float64], order: tuple[int, ...]) -> float:
    return float(np.abs(along[np.arange(3), list(order)]).sum())
