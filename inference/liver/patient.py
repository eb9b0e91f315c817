"""Step 5 of the liver model: one decision for the patient.

The score is the probability that at least one proposal is a malignant lesion, as if they were
independent of each other; what was dropped counts with the little that is left of it. On tuning
patients this separates better than the worst lesion alone. Two settings, as in the source (Wang
et al., arXiv 2306.16036): ``diagnosis`` weighs both errors alike and wants all phases;
``screening`` works on non-contrast scans, where it is meant to miss little and to send on what is
doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.consensus import Verdict
from inference.liver.rules import Rules, default_setting


@dataclass(frozen=True)
class Decision:
    """What is said about a patient.

    Parameters
    ----------
    setting : str
        ``diagnosis`` or ``screening``.
    malignant : bool
    score : float
        0 to 1.
    reason : str
        One sentence.
    warnings : tuple of str
        Why to doubt it, a sentence each.
    """

    setting: str
    malignant: bool
    score: float
    reason: str
    warnings: tuple[str, ...] = ()


def patient_score(malignancies: Sequence[float]) -> float:
    """Return the probability that at least one of some proposals is malignant."""
    return float(1.0 - np.prod(1.0 - np.asarray(malignancies, dtype=np.float64)))


def decide(
    verdicts: Sequence[Verdict],
    present: Sequence[bool],
    rules: Rules,
    setting: str | None = None,
) -> Decision:
    """Decide whether a patient has a malignant lesion.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of all proposals, those that were dropped as well.
    present : sequence of four bool
        Which phases there are.
    rules : Rules
    setting : str, optional
        By default what suits the phases.

    Raises
    ------
    ValueError
        There is no such setting.
    """
    chosen = default_setting(present) if setting is None else setting
    rule = rules.of(chosen)
    score = patient_score([v.weight * v.malignancy for v in verdicts])
    malignant = score >= rule.malignant_from
    reason = _reason([v for v in verdicts if v.kept], malignant)
    missing = [p for p, there in zip(PHASES, present, strict=True) if not there]
    warnings = []
    if chosen == "diagnosis" and missing:
        warnings.append(f"The diagnosis was made without the phase {' and '.join(missing)}.")
    return Decision(chosen, malignant, score, reason, tuple(warnings))


def _reason(kept: Sequence[Verdict], malignant: bool) -> str:
    """Return the decision in a sentence."""
    likely = "Malignancy is likely" if malignant else "Malignancy is unlikely"
    if not kept:
        dropped = "some that were dropped look suspicious"
        return f"No lesion was found, but {dropped}." if malignant else "No lesion was found."
    worst = max(kept, key=lambda v: v.malignancy)
    name = classes.CLASS_NAMES[worst.lesion_class]
    return (
        f"{likely}: the most suspicious of {len(kept)} is read as {name} ({worst.malignancy:.2f})."
    )
