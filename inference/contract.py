"""The contract between images, models and whoever asks them.

Everything that predicts in this package takes a :class:`Request` and a :class:`Context` and
gives back a :class:`Result`. Arrays are indexed ``[k, j, i]`` and C-contiguous; a 4x4 affine
maps ``(i, j, k, 1)`` to RAS millimetres at voxel centres (the NIfTI convention). Constructors
refuse what breaks these rules, so that nobody downstream has to check again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inference.signals import Signals

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
class Finding:
    """What a model says about one region of its mask.

    Parameters
    ----------
    label : int
        Label of the region in the result's mask.
    anchor_ras : tuple of three floats
        RAS mm of a voxel of the region: the region is the component that holds it.
    confidence : float
        0 to 1, in the label.
    opinions : mapping of str to mapping of str to float
        By the name of a stage, the probability it gave to each label name.
    measures : mapping of str to number, str, bool or None
        Named results of the region.
    flags : tuple of str
        Doubts in words, empty when there are none.

    Raises
    ------
    ValueError
        An anchor that is not finite or a confidence outside 0 to 1.
    """

    label: int
    anchor_ras: tuple[float, float, float]
    confidence: float
    opinions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.anchor_ras) != 3 or not all(map(math.isfinite, self.anchor_ras)):
            raise ValueError(f"a finding of label {self.label} needs three finite coordinates")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"a finding's confidence must be between 0 and 1: {self.confidence}")
        opinions = {k: MappingProxyType(dict(v)) for k, v in self.opinions.items()}
        object.__setattr__(self, "opinions", MappingProxyType(opinions))
        object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))


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
    findings : tuple of Finding
        About regions of the mask, in no order.
    warnings : tuple of str
        Why the whole result is doubtful, a sentence each; empty when it is not.
    picture : bytes
        A PNG that shows how the result came about, empty when there is none.
    signals : Signals or None
        By what landmarks were found along a line, of a model that finds them so.

    Raises
    ------
    ValueError
        Neither mask, landmarks nor measures.
    """

    mask: LabelMap | None = None
    landmarks: tuple[Landmark, ...] | None = None
    measures: Mapping[str, Measure] | None = None
    report: str = ""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    picture: bytes = b""
    signals: Signals | None = None

    def __post_init__(self) -> None:
        if self.mask is None and self.landmarks is None and self.measures is None:
            raise ValueError("a result needs a mask, landmarks or measures")
        if self.measures is not None:
            object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model that a user may set.

    Parameters
    ----------
    name : str
        Key in :attr:`Request.params`.
    default : str, int, float or bool
        Its type is the type of the parameter.
    description : str
        One sentence.
    choices : tuple
        The values allowed, empty when any will do.
    """

    name: str
    default: ParamValue
    description: str
    choices: tuple[ParamValue, ...] = ()


@dataclass(frozen=True)
class Card:
    """What a model is, what it needs and what it may be used for.

    Parameters
    ----------
    id : str
        Name on the command line and in provenance: lower case, no spaces.
    family : str
        ``liver``, ``vertebra``, ``bmd`` or ``external``.
    title, version, licence : str
        For people.
    intended_use : str
        One or two sentences, shown wherever a result is.
    phases : tuple of str
        Phases the model can use, best first.
    needs : tuple of str
        Phases it cannot do without. When empty, any one of `phases` is enough.
    labels : mapping of int to str
        Label values of the mask and their names; empty for models without a mask.
    parameters : tuple of Parameter
    demonstration : bool
        Trained on synthetic data, never for clinical use.
    weights : str
        SHA-256 of the weights in hexadecimal, empty for a model that has none.
    """

    id: str
    family: str
    title: str
    version: str
    licence: str
    intended_use: str
    phases: tuple[str, ...] = PHASES
    needs: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    demonstration: bool = False
    weights: str = ""

    def usable(self, available: Iterable[str]) -> tuple[str, ...]:
        """Return the phases of a case that the model would use, best first."""
        there = set(available)
        return tuple(phase for phase in self.phases if phase in there)

    def refusal(self, available: Iterable[str]) -> str | None:
        """Say why the model cannot run on a case with these phases; None when it can."""
        there = set(available)
        missing = [phase for phase in self.needs if phase not in there]
        if missing:
            return f"{self.title} needs the phase {' and '.join(missing)}, which this case lacks"
        if not self.usable(there):
            return f"{self.title} needs one of the phases {', '.join(self.phases)}"
        return None


class Model(Protocol):
    """A model that is loaded and ready."""

    @property
    def card(self) -> Card:
        """What the model is."""

    def predict(self, request: Request, context: Context) -> Result:
        """Return what the model finds. The mask is on the grid of one of the images.

        Raises
        ------
        ValueError
            The request cannot be answered, in a sentence for the user.
        Cancelled
            From `context`, at the latest after one patch.
        """
