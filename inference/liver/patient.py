"""Step 5 of the liver model: one decision for the patient.

The score is the largest probability of malignancy of any lesion that was kept: a patient is as
ill as the worst lesion. Two settings, as in the source (Wang et al., arXiv 2306.16036):
``diagnosis`` weighs both errors alike and wants all phases; ``screening`` works on non-contrast
scans, where it is meant to miss little and to send on what is doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.consensus import Verdict
from inference.liver.rules import Rules, default_setting

MALIGNANT = (classes.HCC, classes.ICC, classes.METASTASIS)


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


def malignancy(verdict: Verdict) -> float:
    """Return the probability that a lesion is malignant, of whatever type."""
    first = classes.LESIONS[0]
    return float(sum(verdict.probabilities[c - first] for c in MALIGNANT))


def patient_score(malignancies: Sequence[float]) -> float:
    """Return the score of a patient from those of the lesions that were kept: the largest."""
    return float(max(malignancies, default=0.0))


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
        Dropped ones do not count.
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
    kept = [v for v in verdicts if v.kept]
    scores = [malignancy(v) for v in kept]
    score = patient_score(scores)
    malignant = score >= rule.malignant_from
    if not kept:
        reason = "No lesion was found."
    else:
        worst = classes.CLASS_NAMES[kept[scores.index(score)].lesion_class]
        likely = "Malignancy is likely" if malignant else "Malignancy is unlikely"
        reason = f"{likely}: the most suspicious of {len(kept)} is read as {worst} ({score:.2f})."
    missing = [p for p, there in zip(PHASES, present, strict=True) if not there]
    warnings = []
    if chosen == "diagnosis" and missing:
        warnings.append(f"The diagnosis was made without the phase {' and '.join(missing)}.")
    return Decision(chosen, malignant, score, reason, tuple(warnings))
