"""Random views of a patient: moved, turned, scaled, bent, and cut by the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from inference.liver.inputs import PADDING_HU
from inference.phantom.fields import rotation_ras
from inference.training.patients import SPACING_MM

_ROTATION_SD_DEG = (6.0, 5.0, 6.0)
_SIZE_SD = 0.08
_AXIS_SD = 0.09
_BENDS = (((5, 5, 5), 9.0), ((9, 9, 9), 3.5))
"""Lattices of the elastic deformation and the largest SD of their nodes in mm."""


@dataclass(frozen=True)
class View:
    """Where in the patient each voxel of a window lies.

    Parameters
    ----------
    grid : Tensor, float32, shape (1, nk, nj, ni, 3)
        For `torch.nn.functional.grid_sample` on the training grid (x, y, z, without alignment
        of corners).
    """

    grid: torch.Tensor

    def image(self, hu: torch.Tensor) -> torch.Tensor:
        """Return HU ``(n, nk, nj, ni)`` seen through the view; outside is air."""
        shifted = (hu - PADDING_HU)[None]
        seen = F.grid_sample(shifted, self.grid, padding_mode="zeros", align_corners=False)
        return seen[0] + PADDING_HU

    def labels(self, labels: torch.Tensor) -> torch.Tensor:
        """Return classes ``(nk, nj, ni)`` (uint8) seen through the view; outside is 0."""
        seen = F.grid_sample(
            labels[None, None].float(), self.grid, mode="nearest", align_corners=False
        )
        return seen[0, 0].to(torch.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def bend(rng: np.random.Generator, shape_kji: tuple[int, int, int]) -> torch.Tensor:
    """Return a smooth displacement in mm, ``(nk, nj, ni, (k, j, i))``."""
    total = torch.zeros((1, 3, *shape_kji))
    for lattice, most_mm in _BENDS:
        nodes = _noise(rng, (1, 3, *lattice)) * float(rng.uniform(0.0, most_mm))
        total += F.interpolate(nodes, size=shape_kji, mode="trilinear", align_corners=True)
    return total[0].permute(1, 2, 3, 0)


def random_matrix(rng: np.random.Generator, strength: float = 1.0) -> NDArray[np.float64]:
    """Return a random rotation and scaling ``[(k, j, i), (k, j, i)]`` in mm."""
    angles = rng.normal(0.0, _ROTATION_SD_DEG) * strength
    size = np.exp(rng.normal(0.0, _SIZE_SD) * strength)
    axes = np.exp(rng.normal(0.0, _AXIS_SD, 3) * strength)
    turn = rotation_ras(*angles)[::-1, ::-1]
    return np.asarray(turn @ np.diag(size * axes), dtype=np.float64)


def make_view(
    source_shape: tuple[int, int, int],
    shape_kji: tuple[int, int, int],
    spacing_mm: float,
    centre_mm: NDArray[np.float64],
    matrix: NDArray[np.float64],
    displacement_mm: torch.Tensor | None,
) -> View:
    """Return the view of a window.

    Parameters
    ----------
    source_shape : tuple of int
        Of the patient on the training grid.
    shape_kji, spacing_mm : tuple of int, float
        Of the window.
    centre_mm : ndarray of three
        Centre of the window, (k, j, i) from the centre of the patient.
    matrix : ndarray, shape (3, 3)
        Maps offsets from the window's centre to offsets in the patient.
    displacement_mm : Tensor, shape (nk, nj, ni, 3), or None
        Added to the positions in the patient.
    """
    axes = [(torch.arange(n) - (n - 1) / 2.0) * spacing_mm for n in shape_kji]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    mapped = offsets.float() @ torch.from_numpy(matrix.T.astype(np.float32))
    mapped += torch.from_numpy(np.asarray(centre_mm, dtype=np.float32))
    if displacement_mm is not None:
        mapped += displacement_mm
    half = torch.tensor([n * SPACING_MM / 2.0 for n in source_shape])
    return View((mapped / half).flip(-1)[None].contiguous())
