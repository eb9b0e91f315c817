"""World, voxels and planes: the one place that knows about directions.

World points are RAS millimetres at voxel centres (the NIfTI convention). Arrays are
``[k, j, i]`` and, after :func:`canonical_axes`, ``i`` runs to the patient's Left, ``j`` to
Posterior and ``k`` to Superior, so that an axial slice is already in radiological display order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Unit RAS directions that the canonical axes i, j, k point to: Left, Posterior, Superior.
CANONICAL_RAS = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])

#: Largest sine of the angle by which two voxel axes may miss a right angle and still be shown.
MAX_SHEAR = 0.02


class GeometryError(ValueError):
    """A geometry that cannot be used; the message is a sentence for the user."""


class Plane(enum.Enum):
    """A viewing plane of the patient."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    @property
    def normal_axis(self) -> int:
        """Index into ``ijk`` of the axis across the plane."""
        return {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[self]

    @property
    def column_axis(self) -> int:
        """Index into ``ijk`` of the axis that runs along a screen row (to the right)."""
        return 1 if self is Plane.SAGITTAL else 0

    @property
    def row_axis(self) -> int:
        """Index into ``ijk`` of the axis that runs along a screen column."""
        return 1 if self is Plane.AXIAL else 2

    @property
    def row_sign(self) -> int:
        """+1 when the row axis runs down the screen, -1 when it runs up (superior is up)."""
        return 1 if self is Plane.AXIAL else -1

    @property
    def edge_letters(self) -> tuple[str, str, str, str]:
        """Patient directions at the left, right, top and bottom edge of the screen."""
        return {
            Plane.AXIAL: ("R", "L", "A", "P"),
            Plane.CORONAL: ("R", "L", "S", "I"),
            Plane.SAGITTAL: ("A", "P", "S", "I"),
        }[self]


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape and placement of a voxel array.

    Attributes
    ----------
    shape_kji
        Shape of the array.
    affine
        ``(4, 4)`` float64; maps ``(i, j, k, 1)`` to RAS mm.

    Raises
    ------
    GeometryError
        When the affine is not finite, has a zero spacing or is sheared, or a length is zero.
    """

    shape_kji: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        check_affine(affine)
        if min(self.shape_kji) < 1:
            raise GeometryError(f"the volume is empty (shape {self.shape_kji[::-1]})")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape_kji", tuple(int(n) for n in self.shape_kji))

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        k, j, i = self.shape_kji
        return i, j, k

    @cached_property
    def inverse(self) -> FloatArray:
        """``(4, 4)``; maps RAS mm to ``(i, j, k)``."""
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k."""
        si, sj, sk = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(si), float(sj), float(sk)

    @cached_property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def center_ras(self) -> FloatArray:
        return self.to_ras((np.array(self.shape_ijk) - 1) / 2)

    def to_ras(self, ijk: npt.ArrayLike) -> FloatArray:
        """Map voxel coordinates ``(..., 3)`` to RAS mm ``(..., 3)``."""
        ijk = np.asarray(ijk, dtype=np.float64)
        return np.asarray(ijk @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_ijk(self, ras: npt.ArrayLike) -> FloatArray:
        """Map RAS mm ``(..., 3)`` to continuous voxel coordinates ``(..., 3)``."""
        ras = np.asarray(ras, dtype=np.float64)
        return np.asarray(ras @ self.inverse[:3, :3].T + self.inverse[:3, 3])

    def nearest_ijk(self, ras: npt.ArrayLike) -> tuple[int, int, int]:
        """Voxel nearest to one RAS point; may lie outside (see :meth:`contains`)."""
        i, j, k = np.floor(self.to_ijk(ras) + 0.5).astype(int)
        return int(i), int(j), int(k)

    def contains(self, ijk: tuple[int, int, int]) -> bool:
        return all(0 <= v < n for v, n in zip(ijk, self.shape_ijk, strict=True))

    def shifted(self, shift_mm: npt.ArrayLike) -> Grid:
        """Return the same voxels moved by a RAS vector in mm (breathing correction)."""
        affine = self.affine.copy()
        affine[:3, 3] += np.asarray(shift_mm, dtype=np.float64)
        return Grid(self.shape_kji, affine)

    def matches(self, other: Grid, tolerance_mm: float = 0.05) -> bool:
        """Whether both grids have equal shapes and corners nearer than ``tolerance_mm``."""
        if self.shape_kji != other.shape_kji:
            return False
        if np.array_equal(self.affine, other.affine):
            return True
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape_ijk])).reshape(3, -1).T
        offsets = np.linalg.norm(self.to_ras(corners) - other.to_ras(corners), axis=1)
        return bool(offsets.max() <= tolerance_mm)


def check_affine(affine: FloatArray) -> None:
    """Refuse an affine that no slice view can show.

    Raises
    ------
    GeometryError
        With a sentence that names the fault.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError("the affine holds values that are not numbers")
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if lengths.min() < 1e-4:
        raise GeometryError("a voxel spacing is zero")
    if lengths.max() > 1e3:
        raise GeometryError(f"a voxel spacing is {lengths.max():.4g} mm")
    cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
    if cosines.max() > MAX_SHEAR:
        angle_deg = np.degrees(np.arcsin(min(1.0, float(cosines.max()))))
        raise GeometryError(f"the voxel axes are sheared by {angle_deg:.1f} degrees (gantry tilt?)")


@dataclass(frozen=True)
class AxisOrder:
    """Lossless way from a file's voxel axes to the canonical ones and back.

    ``permutation[a]`` is the file axis (0 = i, 1 = j, 2 = k) that becomes canonical axis ``a``;
    ``flips[a]`` tells whether it is reversed. ``file_shape_ijk`` is the shape as stored.
    """

    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    file_shape_ijk: tuple[int, int, int]

    @property
    def is_identity(self) -> bool:
        return self.permutation == (0, 1, 2) and not any(self.flips)

    def to_canonical(self, array_ijk: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """View an ``[i, j, k]`` file array as canonical ``[k, j, i]`` (no copy)."""
        moved = array_ijk.transpose(self.permutation)
        return moved[tuple(slice(None, None, -1 if f else 1) for f in self.flips)].transpose(
            2, 1, 0
        )

    def to_file(self, array_kji: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """View a canonical ``[k, j, i]`` array as the file's ``[i, j, k]`` (no copy)."""
        array = array_kji.transpose(2, 1, 0)
        array = array[tuple(slice(None, None, -1 if f else 1) for f in self.flips)]
        return array.transpose(np.argsort(self.permutation))

    def to_file_ijk(self, ijk: tuple[int, int, int]) -> tuple[int, int, int]:
        """Map one canonical voxel index to the index in the file as stored."""
        out = [0, 0, 0]
        for axis, (source, flip) in enumerate(zip(self.permutation, self.flips, strict=True)):
            length = self.file_shape_ijk[source]
            out[source] = length - 1 - ijk[axis] if flip else ijk[axis]
        return out[0], out[1], out[2]

    def canonical_affine(self, affine: npt.ArrayLike) -> FloatArray:
        """Affine of the canonical array for the file's ``affine``."""
        file_affine = np.asarray(affine, dtype=np.float64)
        step = np.zeros((4, 4))
        step[3, 3] = 1.0
        for axis, (source, flip) in enumerate(zip(self.permutation, self.flips, strict=True)):
            step[source, axis] = -1.0 if flip else 1.0
            step[source, 3] = self.file_shape_ijk[source] - 1 if flip else 0.0
        return np.asarray(file_affine @ step)


def canonical_axes(affine: npt.ArrayLike, shape_ijk: tuple[int, int, int]) -> AxisOrder:
    """Find the permutation and flips that bring a file's axes nearest to Left, Posterior, Superior.

    Raises
    ------
    GeometryError
        When the affine cannot be used (see :func:`check_affine`).
    """
    file_affine = np.asarray(affine, dtype=np.float64)
    check_affine(file_affine)
    unit = file_affine[:3, :3] / np.linalg.norm(file_affine[:3, :3], axis=0)
    towards = CANONICAL_RAS @ unit
    best, best_score = (0, 1, 2), -1.0
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        score = float(sum(abs(towards[axis, order[axis]]) for axis in range(3)))
        if score > best_score + 1e-9:
            best, best_score = order, score
    i, j, k = (bool(towards[axis, best[axis]] < 0) for axis in range(3))
    return AxisOrder(best, (i, j, k), shape_ijk)
