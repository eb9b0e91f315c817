"""A four-phase case, whatever it was made from: volumes, masks, reports, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Context, Image, LabelMap
from inference.phantom import labels, reports
from inference.phantom.grids import Grid
from inference.phantom.lesions import SCENARIOS, Lesion
from inference.phantom.liver_vessels import LiverVessels
from inference.phantom.materials import FIRST_LESION_CODE
from inference.phantom.prediction import LesionVoxels, predict
from inference.phantom.skeleton import Vertebra
from inference.phantom.specks import remove_specks


@dataclass(frozen=True)
class Truth:
    """What is known about a phantom beyond its mask, on the grid of the mask.

    Parameters
    ----------
    materials : ndarray of uint8, shape (nk, nj, ni)
        Code of the material that fills most of each voxel: tells vessels inside organs, cortex
        from medulla, the parts of a lesion.
    material_names : dict of int to str
    vertebrae : list of Vertebra
        Body centres and frames, in RAS mm, of those whose centre is in a slice.
    vertebra_numbers : ndarray of uint8, shape (nk, nj, ni)
        VerSe number of each voxel of bone.
    vessel_trees : LiverVessels
        Portal, hepatic venous and arterial tree of the liver.
    breathing_ras : dict of str to tuple of three floats
        By phase, how far the organs have moved since the mask, in mm.
    """

    materials: NDArray[np.uint8]
    material_names: dict[int, str]
    vertebrae: list[Vertebra]
    vertebra_numbers: NDArray[np.uint8]
    vessel_trees: LiverVessels
    breathing_ras: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class PhantomPatient:
    """A four-phase case.

    Parameters
    ----------
    case_id : str
    phases : dict of str to Image
        int16 HU by phase; each phase has its own grid and breathing position.
    reference : LabelMap
        uint8 organs and lesions on the grid of the PV phase.
    prediction : LabelMap
        An imperfect copy of the reference on the same grid.
    radiology, pathology : list of dict of str to str
        Rows with the columns of :mod:`inference.phantom.reports`.
    lesions : list of Lesion
    label_names : dict of int to str
    truth : Truth or None
        None for a case made from a real scan, about which nobody knows more.
    """

    case_id: str
    phases: dict[str, Image]
    reference: LabelMap
    prediction: LabelMap
    radiology: list[dict[str, str]]
    pathology: list[dict[str, str]]
    lesions: list[Lesion]
    label_names: dict[int, str] = field(default_factory=lambda: dict(labels.LABEL_NAMES))
    truth: Truth | None = None


def stepper(
    context: Context | None, low: float = 0.0, high: float = 1.0
) -> Callable[[float, str], None]:
    """Return a function that reports fractions of a part of the work to a context, if any."""

    def step(fraction: float, text: str) -> None:
        if context is not None:
            context.check()
            context.report(low + (high - low) * fraction, text)

    return step


def check_request(scenario: str | None, phases: Sequence[str]) -> None:
    """Raise ValueError for a scenario or phase that does not exist."""
    if scenario is not None and scenario not in SCENARIOS:
        raise ValueError(f"there is no scenario {scenario!r}: {', '.join(SCENARIOS)}")
    if not phases or not set(phases) <= set(PHASES):
        raise ValueError(f"phases must be some of {', '.join(PHASES)}, not {list(phases)}")


def _voxels(front: NDArray[np.uint8], painted: list[Lesion]) -> list[NDArray[np.intp]]:
    """Return the voxels ``[n, (k, j, i)]`` of each lesion in a map of material codes."""
    owner = np.zeros(256, dtype=np.uint8)
    for n, lesion in enumerate(painted, start=1):
        owner[list(lesion.codes)] = n
    found = np.argwhere(front >= FIRST_LESION_CODE)
    owners = owner[front[tuple(found.T)]]
    return [found[owners == n] for n in range(1, len(painted) + 1)]


def _finding(lesion: Lesion, voxels_kji: NDArray[np.intp], grid: Grid) -> reports.Finding:
    """Measure a lesion as a radiologist would."""
    diameter_mm = reports.longest_axial_mm(voxels_kji, grid.spacing_mm)
    return reports.Finding(lesion.label, lesion.segment, diameter_mm)


def assemble(
    case_id: str,
    images: dict[str, Image],
    materials: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    painted: list[Lesion],
    grid: Grid,
    to_world: NDArray[np.float64],
    seeds: Sequence[np.random.SeedSequence],
    truth: Truth | None = None,
) -> PhantomPatient:
    """Make the masks and reports that go with rendered phases.

    Parameters
    ----------
    case_id : str
    images : dict of str to Image
    materials : ndarray of uint8, shape (nk, nj, ni)
        Material codes; only those of lesions are looked at.
    reference : ndarray of uint8, same shape
        Labels; specks are taken out in place.
    painted : list of Lesion
        In the frame of `grid`; those that fill no voxel are left out.
    grid : Grid
        Of the masks.
    to_world : ndarray, shape (4, 4)
        Maps the frame of `grid` to RAS mm.
    seeds : sequence of two SeedSequence
        For the prediction and for the reports.
    truth : Truth, optional
    """
    guess, words = (np.random.default_rng(s) for s in seeds)
    found = [
        (lesion, v)
        for lesion, v in zip(painted, _voxels(materials, painted), strict=True)
        if len(v)
    ]
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000.0
    remove_specks(reference, voxel_ml)
    prediction = predict(reference, grid, [LesionVoxels(p.label, v) for p, v in found], guess)
    remove_specks(prediction, voxel_ml)
    findings = [_finding(lesion, v, grid) for lesion, v in found]
    date = reports.draw_date(words)
    affine = to_world @ grid.affine_ras
    return PhantomPatient(
        case_id,
        images,
        LabelMap(reference, affine),
        LabelMap(prediction, affine),
        reports.radiology_rows(case_id, findings, tuple(images), date),
        reports.pathology_rows(case_id, findings, date, words),
        [
            replace(p, centre_ras=to_world[:3, :3] @ p.centre_ras + to_world[:3, 3])
            for p, _ in found
        ],
        truth=truth,
    )
