"""The contract between images, models and whoever asks them.

Everything that predicts in this package takes a :class:`Request` and a :class:`Context` and
gives back a :class:`Result`. Arrays are indexed ``[k, j, i]`` and C-contiguous; a 4x4 affine
maps ``(i, j, k, 1)`` to RAS millimetres at voxel centres (the NIfTI convention). Constructors
refuse what breaks these rules, so that nobody downstream has to check again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Affine: TypeAlias = NDArray[np.float64]
ParamValue: TypeAlias = str | int | float | bool
Measure: TypeAlias = str | int | float | bool | None

PHASES = ("NC", "ART", "PV", "DL")
"""Phase keys of a liver examination, in the order of acquisition."""


class Cancelled(Exception):
    """Raised by :meth:`Context.check` when nobody wants the result any more."""


class Context(Protocol):
    """How a long computation talks to its caller."""

    def report(self, fraction: float, text: str) -> None:
        """Tell the caller that `fraction` (0 to 1) is done and what is being done now."""

    def check(self) -> None:
        """Return if the computation may go on; raise :class:`Cancelled` if it may not."""


def _checked_affine(affine: NDArray[Any]) -> Affine:
    """Return a read-only float64 copy of a 4x4 affine, or raise ValueError."""
    result: Affine = np.array(affine, dtype=np.float64)
    if result.shape != (4, 4):
        raise ValueError(f"the affine must be 4x4, not {result.shape}")
    if not np.isfinite(result).all():
        raise ValueError("the affine has values that are not finite")
    if not np.array_equal(result[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError("the last row of the affine must be 0 0 0 1")
    if abs(np.linalg.det(result[:3, :3])) < 1e-9:
        raise ValueError("the affine has no inverse (a voxel size of zero)")
    result.flags.writeable = False
    return result


def _checked_array(array: NDArray[Any], dtypes: tuple[type[np.generic], ...]) -> NDArray[Any]:
    """Return a read-only view of a 3-D C-contiguous array, or raise ValueError."""
    if array.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(f"the array must be {names}, not {array.dtype}")
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"the array must have three axes [k, j, i], not shape {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError("the array must be C-contiguous")
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Image:
    """One phase or one film.

    Parameters
    ----------
    array : ndarray, int16 or float32, shape (nk, nj, ni), C-contiguous
        Voxels ``[k, j, i]``: HU of a CT, grey values of a film (nk = 1). Kept as a read-only
        view of the caller's memory.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm at voxel centres.

    Raises
    ------
    ValueError
        Another dtype or layout, or an affine that is not finite or not invertible.
    """

    array: NDArray[Any]
    affine_ras: Affine

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", _checked_array(self.array, (np.int16, np.float32)))
        object.__setattr__(self, "affine_ras", _checked_affine(self.affine_ras))


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A mask: integer labels on a grid.

    Parameters
    ----------
    array : ndarray, uint8 or uint16, shape (nk, nj, ni), C-contiguous
        Label of each voxel ``[k, j, i]``; 0 is background.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm at voxel centres.

    Raises
    ------
    ValueError
        Another dtype or layout, or an affine that is not finite or not invertible.
    """

    array: NDArray[Any]
    affine_ras: Affine

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", _checked_array(self.array, (np.uint8, np.uint16)))
        object.__setattr__(self, "affine_ras", _checked_affine(self.affine_ras))


@dataclass(frozen=True)
class Landmark:
    """A named point found by a model.

    Parameters
    ----------
    label : int
        Number of the point; vertebrae use the VerSe numbering.
    position_ras : tuple of three floats
        RAS millimetres.
    confidence : float
        0 to 1.
    flags : tuple of str
        Doubts in words, empty when there are none.

    Raises
    ------
    ValueError
        A position that is not finite or a confidence outside 0 to 1.
    """

    label: int
    position_ras: tuple[float, float, float]
    confidence: float
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.position_ras) != 3 or not all(map(math.isfinite, self.position_ras)):
            raise ValueError(f"landmark {self.label} needs three finite coordinates")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"the confidence of landmark {self.label} must be between 0 and 1")


@dataclass(frozen=True, eq=False)
class Request:
    """What a model is asked: images by phase, and parameters by name.

    Parameters
    ----------
    images : mapping of str to Image
        At least one. The keys of a liver examination are those of :data:`PHASES`; phases may
        have different grids and some may be missing.
    params : mapping of str to str, int, float or bool
        Parameters of the model.

    Raises
    ------
    ValueError
        No image at all.
    """

    images: Mapping[str, Image]
    params: Mapping[str, ParamValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("a request needs at least one image")
        object.__setattr__(self, "images", MappingProxyType(dict(self.images)))
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))


@dataclass(frozen=True, eq=False)
class Result:
    """What a model answers: any of mask, landmarks and measures, and a sentence or more.

    Parameters
    ----------
    mask : LabelMap or None
        On the grid of one of the request's images.
    landmarks : tuple of Landmark or None
        None means that the model finds no landmarks, an empty tuple that it found none.
    measures : mapping of str to number, str, bool or None, or None
        Named results.
    report : str
        What a reader should know, in plain words.

    Raises
    ------
    ValueError
        Neither mask, landmarks nor measures.
    """

    mask: LabelMap | None = None
    landmarks: tuple[Landmark, ...] | None = None
    measures: Mapping[str, Measure] | None = None
    report: str = ""

    def __post_init__(self) -> None:
        if self.mask is None and self.landmarks is None and self.measures is None:
            raise ValueError("a result needs a mask, landmarks or measures")
        if self.measures is not None:
            object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))
