"""Figures with intervals from the results of single patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.liver import FULL, LARGE_MM, PHASE_SETS, CaseResult
from inference.evaluation.tables import (
    INTERVAL_HEADS,
    Column,
    csv_of,
    csv_text,
    interval_cells,
    share,
)
from inference.liver import classes
from inference.metrics import Interval, bootstrap, froc

SIZES_MM = ((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, math.inf))
"""Size classes by diameter."""

_ALLOWED_FALSE = 2.0


@dataclass(frozen=True)
class Figure:
    """One figure of the report.

    Parameters
    ----------
    phases, variant, measure : str
    interval : Interval
    """

    phases: str
    variant: str
    measure: str
    interval: Interval


def size_name(low: float, high: float) -> str:
    """Return the name of a size class."""
    return f">= {low:g} mm" if math.isinf(high) else f"{low:g}-{high:g} mm"


def variants_of(results: Sequence[CaseResult]) -> list[str]:
    """Return the variants there are, in the order in which they first come."""
    return list(dict.fromkeys(r.variant for r in results))


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Return all figures: by set of phases and variant."""
    found: list[Figure] = []
    for phases in PHASE_SETS:
        for variant in variants_of(results):
            cases = [r for r in results if r.phases == phases and r.variant == variant]
            if cases:
                named = [*_lesion_figures(cases), *_patient_figures(cases)]
                if variant == FULL:
                    named += _organ_figures(cases)
                found += [Figure(phases, variant, name, value) for name, value in named]
    return found


def _lesion_figures(cases: Sequence[CaseResult]) -> list[tuple[str, Interval]]:
    rows = [row for case in cases for row in case.lesions]
    large = [row for row in rows if row.diameter_mm >= LARGE_MM]
    named = [
        ("lesion sensitivity", share(row.found_as > 0 for row in rows)),
        (f"lesion sensitivity >= {LARGE_MM:g} mm", share(row.found_as > 0 for row in large)),
        ("false positives per case", bootstrap([_false(case) for case in cases])),
        (
            "false negatives per case",
            bootstrap([float(sum(r.found_as == 0 for r in case.lesions)) for case in cases]),
        ),
        (
            "right type of found lesions",
            share(row.found_as == row.kind for row in rows if row.found_as),
        ),
        ("Dice of found lesions", bootstrap([row.dice for row in rows if row.found_as])),
    ]
    for low, high in SIZES_MM:
        size = size_name(low, high)
        inside = [row for row in rows if low <= row.diameter_mm < high]
        named.append((f"lesion sensitivity {size}", share(row.found_as > 0 for row in inside)))
        false = [_false(case, low, high) for case in cases]
        named.append((f"false positives per case {size}", bootstrap(false)))
    return named


def _patient_figures(cases: Sequence[CaseResult]) -> list[tuple[str, Interval]]:
    return [
        ("patient sensitivity", share(c.decision.malignant for c in cases if c.malignant)),
        ("patient specificity", share(not c.decision.malignant for c in cases if not c.malignant)),
        ("patient accuracy", share(c.decision.malignant == c.malignant for c in cases)),
    ]


def _organ_figures(cases: Sequence[CaseResult]) -> list[tuple[str, Interval]]:
    names = [classes.CLASS_NAMES[organ] for organ in classes.ORGANS]
    return [
        (f"Dice {name}", bootstrap([case.organ_dice.get(name, math.nan) for case in cases]))
        for name in names
    ]


def _false(case: CaseResult, low: float = 0.0, high: float = math.inf) -> float:
    return float(sum(f.hit is None and low <= f.diameter_mm < high for f in case.findings))


def froc_curve(cases: Sequence[CaseResult]) -> list[tuple[float, float, float]]:
    """Return (threshold, false positives per case, sensitivity) over all lesions."""
    scores: list[float] = []
    hits: list[int | None] = []
    before = 0
    for case in cases:
        for finding in case.findings:
            scores.append(finding.score)
            hits.append(None if finding.hit is None else before + finding.hit)
        before += len(case.lesions)
    return froc(scores, hits, before, len(cases)) if before and cases else []


def sensitivity_at(
    curve: Sequence[tuple[float, float, float]], most_false: float = _ALLOWED_FALSE
) -> float:
    """Return the best sensitivity at no more than `most_false` false positives per case."""
    return max((s for _, false, s in curve if false <= most_false), default=0.0)


def confusion(cases: Sequence[CaseResult]) -> NDArray[np.int64]:
    """Return how often lesions of each type (rows) were found as each, or missed (last)."""
    table = np.zeros((len(classes.LESIONS), len(classes.LESIONS) + 1), dtype=np.int64)
    first = classes.LESIONS[0]
    for case in cases:
        for row in case.lesions:
            column = row.found_as - first if row.found_as else len(classes.LESIONS)
            table[row.kind - first, column] += 1
    return table


def figures_csv(found: Sequence[Figure]) -> str:
    """Return the figures as CSV."""
    rows = ((f.phases, f.variant, f.measure, *interval_cells(f.interval)) for f in found)
    return csv_text(("phases", "variant", "measure", *INTERVAL_HEADS), rows)


def cases_csv(results: Sequence[CaseResult]) -> str:
    """Return one row for each patient, set of phases and variant."""
    columns: tuple[Column[CaseResult], ...] = (
        ("seed", lambda r: r.seed),
        ("phases", lambda r: r.phases),
        ("variant", lambda r: r.variant),
        ("lesions", lambda r: len(r.lesions)),
        ("missed", lambda r: sum(row.found_as == 0 for row in r.lesions)),
        ("false positives", lambda r: int(_false(r))),
        ("malignant", lambda r: int(r.malignant)),
        ("decided malignant", lambda r: int(r.decision.malignant)),
        ("score", lambda r: f"{r.decision.score:.3f}"),
        ("liver Dice", lambda r: f"{r.organ_dice.get('liver', math.nan):.4f}"),
        ("seconds", lambda r: f"{r.seconds:.1f}"),
    )
    return csv_of(columns, results)
