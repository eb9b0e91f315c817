"""The liver model on synthetic patients: one run, several ways to decide, everything counted.

Registration and stage 1 run once a patient and set of phases; what differs between the variants
(factors on the lesion probabilities, with and without the second stage) is decided on top, so
that an ablation costs little more than a run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from inference.contract import PHASES, Context, Image, LabelMap, Request
from inference.evaluation.matching import TrueLesion, diameter_mm, hits, true_lesions
from inference.grid import grid_of
from inference.liver import classes
from inference.liver.model import LiverModel
from inference.liver.patient import Decision, decide
from inference.liver.proposals import MULTIPLIERS
from inference.liver.registration import register_phases
from inference.liver.scan import make_scan, mask_on_image
from inference.liver.second_look import Examined, SecondLook
from inference.liver.stage1 import NothingFound, Segmentation
from inference.metrics import dice
from inference.phantom import labels
from inference.progress import Silent
from inference.resampling import resample_labels
from inference.training.scanned import Scanned

FULL = "two stages"
_VARIANTS: tuple[tuple[str, tuple[float, ...], bool], ...] = (
    ("stage 1, m = 1", (1.0,), False),
    ("stage 1, m = 2", (1.0, 2.0), False),
    ("stage 1, m = 4", (1.0, 2.0, 4.0), False),
    (FULL, (1.0, 2.0, 4.0), True),
)
"""Name, factors, and whether the second stage is asked."""

PHASE_SETS: Mapping[str, tuple[str, ...]] = {"four phases": PHASES, "NC only": ("NC",)}
LARGE_MM = 10.0


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
        Key of `PHASE_SETS`, and how it was decided.
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


def evaluate_patient(
    model: LiverModel,
    patient: Scanned,
    seed: int,
    others: Mapping[str, SecondLook] | None = None,
    phase_sets: Sequence[str] = tuple(PHASE_SETS),
    context: Context | None = None,
) -> Iterator[CaseResult]:
    """Yield the results of a patient for each set of phases and each variant.

    Parameters
    ----------
    model : LiverModel
    patient : Scanned
    seed : int
        For the record.
    others : mapping of str to SecondLook, optional
        More variants: other second stages, by name.
    phase_sets : sequence of str
        Keys of `PHASE_SETS`.
    context : Context, optional
    """
    told = context or Silent()
    alone = SecondLook(None, rules=model.second_look.rules)
    variants = {name: (m, model.second_look if both else alone) for name, m, both in _VARIANTS}
    variants |= {name: (MULTIPLIERS, look) for name, look in (others or {}).items()}
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
        for variant, (multipliers, look) in variants.items():
            started = time.monotonic()
            examined = None
            if found is not None:
                examined = look.examine(images, moved.transforms, found, told, multipliers)
            seconds = spent + time.monotonic() - started
            seen = _Seen(seed, phases, variant, scan.reference, scan.present, seconds)
            yield _result(patient, seen, found, examined, look)


@dataclass(frozen=True)
class _Seen:
    """What was looked at: fields of `CaseResult`, the phase decided on and what was there."""

    seed: int
    phases: str
    variant: str
    reference: str
    present: tuple[bool, ...]
    seconds: float


def _result(
    patient: Scanned,
    seen: _Seen,
    found: Segmentation | None,
    examined: Examined | None,
    look: SecondLook,
) -> CaseResult:
    """Compare what was decided with the truth."""
    reference = patient.reference_in(seen.reference)
    truth = classes.CLASS_OF_LABEL[reference.array]
    malignant = bool(np.isin(truth, classes.MALIGNANT).any())
    organs: dict[str, float] = {}
    if found is None or examined is None:
        voxel_ml = float(np.prod(grid_of(reference).spacing_kji_mm)) / 1000.0
        lesions = true_lesions(truth, voxel_ml)
        rows = tuple(LesionRow(each.kind, each.diameter_mm, 0, 0.0) for each in lesions)
        findings: tuple[FindingRow, ...] = ()
        organs = {classes.CLASS_NAMES[o]: 0.0 for o in classes.ORGANS}
        decision = decide((), seen.present, look.rules)
    else:
        # lesions are counted where they were decided; the truth comes to that grid
        near = resample_labels(reference.array, grid_of(reference), found.scan.grid)
        lesions = true_lesions(classes.CLASS_OF_LABEL[near], found.scan.voxel_ml)
        rows, findings = _match(lesions, examined, found.scan.voxel_ml)
        if seen.variant == FULL:
            image = patient.phases[found.scan.reference]
            organs = _organ_dice(reference, image, found, examined)
        decision = decide(examined.verdicts, seen.present, look.rules)
    return CaseResult(
        seen.seed,
        seen.phases,
        seen.variant,
        rows,
        findings,
        organs,
        malignant,
        decision,
        seen.seconds,
    )


def _match(
    lesions: list[TrueLesion], examined: Examined, voxel_ml: float
) -> tuple[tuple[LesionRow, ...], tuple[FindingRow, ...]]:
    """Compare lesions and findings."""
    best = [(0, 0.0)] * len(lesions)
    findings = []
    for region, verdict in zip(examined.regions, examined.verdicts, strict=True):
        if region is None:
            continue
        matched = hits(region, lesions)
        for n, overlap in matched:
            if overlap > best[n][1]:
                best[n] = (verdict.lesion_class, overlap)
        diameter = diameter_mm(float(region.sum()) * voxel_ml)
        hit = matched[0][0] if matched else None
        findings.append(FindingRow(1.0 - float(verdict.probabilities[-1]), hit, diameter))
    rows = [
        LesionRow(lesion.kind, lesion.diameter_mm, *best[n]) for n, lesion in enumerate(lesions)
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
