"""The liver model on synthetic patients: one run, several ways to decide, everything counted.

Registration and stage 1 run once a patient and set of phases; what differs between the variants
(factors on the lesion probabilities, with and without the second stage) is decided on top, so
that an ablation costs little more than a run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES, Context, Image, LabelMap, Request
from inference.grid import grid_of
from inference.liver import classes
from inference.liver.model import LiverModel
from inference.liver.patient import MALIGNANT, Decision, decide
from inference.liver.registration import register_phases
from inference.liver.scan import make_scan, mask_on_image, reference_phase
from inference.liver.second_look import Examined, SecondLook
from inference.liver.stage1 import NothingFound, Segmentation
from inference.metrics import dice
from inference.phantom import labels, variety
from inference.phantom.case import PhantomPatient
from inference.phantom.patient import make_patient
from inference.resampling import resample_labels

FULL = "two stages"
VARIANTS: Mapping[str, tuple[tuple[float, ...], bool]] = {
    "stage 1, m = 1": ((1.0,), False),
    "stage 1, m = 2": ((1.0, 2.0), False),
    "stage 1, m = 4": ((1.0, 2.0, 4.0), False),
    FULL: ((1.0, 2.0, 4.0), True),
}
"""By name: factors, and whether the second stage is asked."""

PHASE_SETS: Mapping[str, tuple[str, ...]] = {"four phases": PHASES, "NC only": ("NC",)}
SPACING_MM = 1.5
LARGE_MM = 10.0
_LEAST_ML = 0.1
_LEAST_OVERLAP = 0.1


@dataclass(frozen=True)
class LesionRow:
    """A lesion of the truth.

    Parameters
    ----------
    kind : int
        Class.
    diameter_mm : float
        Of the ball of its volume.
    found_as : int
        Class it was found as, 0 if it was missed.
    dice : float
        With the finding that overlaps it most; 0 if it was missed.
    """

    kind: int
    diameter_mm: float
    found_as: int
    dice: float


@dataclass(frozen=True)
class FindingRow:
    """A finding.

    Parameters
    ----------
    score : float
        That it is a lesion at all.
    hit : int or None
        Number of the case's lesion it hits.
    diameter_mm : float
    """

    score: float
    hit: int | None
    diameter_mm: float


@dataclass(frozen=True)
class CaseResult:
    """One patient, seen in some phases and decided in one way.

    Parameters
    ----------
    seed : int
    phases, variant : str
        Keys of `PHASE_SETS` and `VARIANTS`.
    lesions : tuple of LesionRow
    findings : tuple of FindingRow
    organ_dice : dict of str to float
        By class name; NaN where neither has the organ.
    malignant : bool
        In truth.
    decision : Decision
    seconds : float
        Of the whole run, without making the patient.
    """

    seed: int
    phases: str
    variant: str
    lesions: tuple[LesionRow, ...]
    findings: tuple[FindingRow, ...]
    organ_dice: Mapping[str, float]
    malignant: bool
    decision: Decision
    seconds: float = field(compare=False)


class Quiet:
    """A context that wants to hear nothing."""

    def report(self, fraction: float, text: str) -> None:
        """Take no notice."""

    def check(self) -> None:
        """Go on."""


def unseen_patient(seed: int) -> PhantomPatient:
    """Return a patient with the variety of training, from a seed that training never uses."""
    return make_patient(seed, spacing_mm=SPACING_MM, variety=variety.draw(seed))


def evaluate_patient(
    model: LiverModel,
    patient: PhantomPatient,
    seed: int,
    phase_sets: Sequence[str] = tuple(PHASE_SETS),
    context: Context | None = None,
) -> Iterator[CaseResult]:
    """Yield the results of a patient for each set of phases and each variant.

    Parameters
    ----------
    model : LiverModel
    patient : PhantomPatient
    seed : int
        For the record.
    phase_sets : sequence of str
        Keys of `PHASE_SETS`.
    context : Context, optional
    """
    told = context or Quiet()
    for phases in phase_sets:
        images = {p: patient.phases[p] for p in PHASE_SETS[phases] if p in patient.phases}
        started = time.monotonic()
        moved = register_phases(images, told)
        scan = make_scan(Request(images), moved.transforms)
        try:
            found: Segmentation | None = model.stage1.predict(scan, told)
        except NothingFound:
            found = None
        spent = time.monotonic() - started
        for variant, (multipliers, second) in VARIANTS.items():
            started = time.monotonic()
            examined = None
            if found is not None:
                look = model.second_look if second else SecondLook(None)
                examined = look.examine(images, moved.transforms, found, told, multipliers)
            seconds = spent + time.monotonic() - started
            yield _result(patient, seed, phases, variant, found, examined, scan.present, seconds)


def _reference(phases: str, patient: PhantomPatient) -> str:
    """Return the phase on whose grid a set of phases is decided."""
    return reference_phase({p: patient.phases[p] for p in PHASE_SETS[phases]})


def moved_reference(patient: PhantomPatient, phase: str) -> LabelMap:
    """Return the mask of a patient where the organs are in a phase."""
    affine = patient.reference.affine_ras.copy()
    if patient.truth is not None:
        affine[:3, 3] += patient.truth.breathing_ras[phase]
    return LabelMap(patient.reference.array, affine)


def _result(
    patient: PhantomPatient,
    seed: int,
    phases: str,
    variant: str,
    found: Segmentation | None,
    examined: Examined | None,
    present: Sequence[bool],
    seconds: float,
) -> CaseResult:
    """Compare what was decided with the truth."""
    reference = moved_reference(patient, _reference(phases, patient))
    truth = classes.CLASS_OF_LABEL[reference.array]
    malignant = bool(np.isin(truth, MALIGNANT).any())
    if found is None or examined is None:
        rows = tuple(LesionRow(k, d, 0, 0.0) for k, d in _sizes(truth, patient))
        zero = {classes.CLASS_NAMES[o]: 0.0 for o in classes.ORGANS}
        nothing = decide((), present)
        return CaseResult(seed, phases, variant, rows, (), zero, malignant, nothing, seconds)
    # lesions are counted where they were decided; the truth comes to that grid
    near = resample_labels(reference.array, grid_of(reference), found.scan.grid)
    lesions, findings = _match(classes.CLASS_OF_LABEL[near], examined, found.scan.voxel_ml)
    image = patient.phases[found.scan.reference]
    organs = _organ_dice(reference, image, found, examined) if variant == FULL else {}
    decision = decide(examined.verdicts, present)
    return CaseResult(
        seed, phases, variant, lesions, findings, organs, malignant, decision, seconds
    )


def _components(found: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.bool_]]]:
    """Return the lesions of a map of classes: each piece of each type."""
    pieces = []
    for kind in classes.LESIONS:
        numbered, n = ndimage.label(found == kind, np.ones((3, 3, 3)))
        pieces += [(kind, numbered == m) for m in range(1, n + 1)]
    return pieces


def _diameter_mm(volume_ml: float) -> float:
    return float(2.0 * (3000.0 * volume_ml / (4.0 * math.pi)) ** (1.0 / 3.0))


def _sizes(truth: NDArray[np.uint8], patient: PhantomPatient) -> list[tuple[int, float]]:
    voxel_ml = float(np.prod(grid_of(patient.reference).spacing_kji_mm)) / 1000.0
    sizes = [(k, float(m.sum()) * voxel_ml) for k, m in _components(truth)]
    return [(k, _diameter_mm(ml)) for k, ml in sizes if ml >= _LEAST_ML]


def _match(
    truth: NDArray[np.uint8], examined: Examined, voxel_ml: float
) -> tuple[tuple[LesionRow, ...], tuple[FindingRow, ...]]:
    """Match lesions and findings: they share at least a tenth of the smaller of them."""
    lesions = [(k, m) for k, m in _components(truth) if m.sum() * voxel_ml >= _LEAST_ML]
    best = [(0, 0.0)] * len(lesions)
    findings = []
    for region, verdict in zip(examined.regions, examined.verdicts, strict=True):
        if region is None:
            continue
        hit = None
        for n, (_, mask) in enumerate(lesions):
            shared = int((region & mask).sum())
            if shared < _LEAST_OVERLAP * min(int(region.sum()), int(mask.sum())):
                continue
            hit = n if hit is None else hit
            overlap = 2.0 * shared / (int(region.sum()) + int(mask.sum()))
            if overlap > best[n][1]:
                best[n] = (verdict.lesion_class, overlap)
        diameter = _diameter_mm(float(region.sum()) * voxel_ml)
        findings.append(FindingRow(1.0 - float(verdict.probabilities[-1]), hit, diameter))
    rows = [
        LesionRow(kind, _diameter_mm(float(mask.sum()) * voxel_ml), *best[n])
        for n, (kind, mask) in enumerate(lesions)
    ]
    return tuple(rows), tuple(findings)


def _organ_dice(
    truth: LabelMap, image: Image, found: Segmentation, examined: Examined
) -> dict[str, float]:
    """Return the Dice of the organs on the grid of the image; the liver holds its lesions."""
    mask = mask_on_image(examined.found, found.logits, found.scan.grid, image)
    reference = resample_labels(truth.array, grid_of(truth), grid_of(image))
    whole = (labels.LIVER, *labels.LESION_LABELS)
    result = {"liver": dice(np.isin(reference, whole), np.isin(mask.array, whole))}
    for organ in labels.ORGAN_LABELS[1:]:
        name = labels.LABEL_NAMES[organ].lower()
        result[name] = dice(reference == organ, mask.array == organ)
    return result
