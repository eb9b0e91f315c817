"""Step 4 of the liver model: both stages decide together what a proposal is, and what to say.

The probability of each class is a mean of what stage 1 gave the component, on average over its
voxels, and of what stage 2 gave the patch. A proposal is dropped when "not a lesion" gets more
than a limit; where stage 1 was sure without any factor (m = 1), the limit is another one. Where
stage 1 saw nothing and only the attenuation gave it away (`inference.liver.unusual`), the second
stage decides alone. How malignant it is has weights of its own: stage 1 knows the liver around it,
stage 2 the lesion. All numbers are in the card (`inference.liver.rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Measure
from inference.liver import classes
from inference.liver.proposals import Mask, Proposal
from inference.liver.rules import Rule
from inference.liver.stage2 import NOT_A_LESION, TYPE_NAMES, Opinion

WASH_IN_HU = 15.0
WASH_OUT_HU = -10.0
_FILLS_HU = 25.0
_STILL_HU = 12.0
_UNSURE_BELOW = 0.5
_MALIGNANT = [c - classes.LESIONS[0] for c in classes.MALIGNANT]

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What both stages make of a proposal.

    Parameters
    ----------
    kept : bool
    lesion_class : int
        The likeliest of `classes.LESIONS`, also when it is dropped.
    probabilities : ndarray of float64, shape (7,)
        Of each class of `classes.LESIONS`, then of not being a lesion.
    malignancy : float
        How likely it is a malignant lesion, of whatever type, 0 to 1.
    opinions : mapping of str to mapping of str to float
        By stage, its probability of each type.
    flags : tuple of str
        Doubts, a phrase each.
    weight : float
        How much of the malignancy counts for the patient, 0 to 1.
    """

    kept: bool
    lesion_class: int
    probabilities: Probabilities
    malignancy: float
    opinions: Mapping[str, Mapping[str, float]]
    flags: tuple[str, ...] = field(default=())
    weight: float = 1.0

    @property
    def confidence(self) -> float:
        """Probability of the type."""
        return float(self.probabilities[self.lesion_class - classes.LESIONS[0]])


def agree(proposal: Proposal, opinion: Opinion | None, rule: Rule) -> Verdict:
    """Return the verdict of both stages; of the first alone without a second opinion.

    Parameters
    ----------
    proposal : Proposal
    opinion : Opinion or None
    rule : Rule
    """
    first = proposal.probabilities
    opinions = {"stage 1": _named(first)}
    if opinion is None:
        # what was proposed is kept: the factor was chosen to find more
        malignant = float(first[_MALIGNANT].sum())
        doubts = _doubts(first, None)
        return Verdict(True, proposal.lesion_class, first, malignant, opinions, doubts)
    second = opinion.probabilities
    opinions["stage 2"] = _named(second)
    p, limit = weigh(first, second, proposal.multiplier, rule)
    kind = int(np.argmax(p[:NOT_A_LESION]))
    kept = bool(p[NOT_A_LESION] <= limit)
    unseen = not np.isfinite(proposal.multiplier)
    flags = ("stage 1 sees no lesion",) if unseen else _doubts(first, second)
    malignant = malignancy_of(first, second, proposal.multiplier, rule)
    weight = weight_of(proposal.multiplier, rule)
    return Verdict(kept, classes.LESIONS[kind], p, malignant, opinions, flags, weight)


def weigh(
    first: Probabilities, second: Probabilities, multiplier: float, rule: Rule
) -> tuple[Probabilities, float]:
    """Return what both stages think together, and from where on a proposal is dropped.

    Parameters
    ----------
    first, second : ndarray of float64, shape (7,)
    multiplier : float
        Of the proposal.
    rule : Rule
    """
    if not np.isfinite(multiplier):
        return second, rule.unseen_dropped_above
    p = rule.first_weight * first + (1.0 - rule.first_weight) * second
    return p, rule.sure_dropped_above if multiplier <= 1.0 else rule.dropped_above


def malignancy_of(
    first: Probabilities, second: Probabilities, multiplier: float, rule: Rule
) -> float:
    """Return how likely a proposal is a malignant lesion, of whatever type.

    Parameters
    ----------
    first, second : ndarray of float64, shape (7,)
    multiplier : float
        Of the proposal.
    rule : Rule
    """
    if not np.isfinite(multiplier):
        return float(second[_MALIGNANT].sum())
    p = rule.first_malignancy * first + (1.0 - rule.first_malignancy) * second
    return float(p[_MALIGNANT].sum())


def weight_of(multiplier: float, rule: Rule) -> float:
    """Return how much of the malignancy of a proposal counts for the patient.

    Most of what only attenuation proposes is nothing at all: many such proposals would make any
    patient look ill.
    """
    return 1.0 if np.isfinite(multiplier) else rule.unseen_malignancy


def _named(p: Probabilities) -> dict[str, float]:
    return {name: round(float(v), 4) for name, v in zip(TYPE_NAMES, p, strict=True)}


def _doubts(first: Probabilities, second: Probabilities | None) -> tuple[str, ...]:
    flags = []
    p = first if second is None else 0.5 * (first + second)
    if p[:NOT_A_LESION].max() < _UNSURE_BELOW:
        flags.append("type uncertain")
    if second is not None:
        one, two = int(first[:NOT_A_LESION].argmax()), int(second[:NOT_A_LESION].argmax())
        if second[NOT_A_LESION] > 0.5:
            flags.append("stage 2 sees no lesion")
        elif one != two:
            flags.append(f"stages disagree: {TYPE_NAMES[one]} or {TYPE_NAMES[two]}")
    return tuple(flags)


def enhancement(
    phases_hu: NDArray[np.floating],
    present: Sequence[bool],
    lesion: Mask,
    liver_hu: Sequence[float],
) -> dict[str, Measure]:
    """Return the HU of a lesion in each phase, against the liver, and its pattern.

    Parameters
    ----------
    phases_hu : ndarray of float, shape (4, nk, nj, ni)
    present : sequence of four bool
    lesion : ndarray of bool, shape (nk, nj, ni)
    liver_hu : sequence of four floats
        The liver in each phase.

    Returns
    -------
    dict
        ``HU ART`` and ``HU ART - liver`` for each phase there is, ``wash-in`` and ``wash-out``
        (None where the phases for it are missing), and ``pattern`` in words.
    """
    inside: dict[str, float] = {}
    against: dict[str, float] = {}
    for n, phase in enumerate(PHASES):
        if present[n] and lesion.any():
            inside[phase] = float(np.median(phases_hu[n][lesion]))
            against[phase] = inside[phase] - liver_hu[n]
    result: dict[str, Measure] = {f"HU {p}": round(v, 1) for p, v in inside.items()}
    result |= {f"HU {p} - liver": round(v, 1) for p, v in against.items()}
    wash_in = against["ART"] >= WASH_IN_HU if "ART" in against else None
    late = [against[p] for p in ("PV", "DL") if p in against]
    wash_out = None if wash_in is None or not late else wash_in and min(late) <= WASH_OUT_HU
    result |= {"wash-in": wash_in, "wash-out": wash_out}
    result["pattern"] = _pattern(inside, wash_in, wash_out)
    return result


def _pattern(inside: Mapping[str, float], wash_in: bool | None, wash_out: bool | None) -> str:
    """Name the enhancement pattern."""
    if len(inside) < 2:
        return "unknown: one phase only"
    if wash_out:
        return "wash-in and wash-out"
    values = list(inside.values())
    if max(values) - min(values) <= _STILL_HU:
        return "no enhancement"
    if wash_in:
        return "wash-in without wash-out"
    if "ART" in inside and "DL" in inside and inside["DL"] - inside["ART"] >= _FILLS_HU:
        return "fills in late"
    return "enhances less than the liver"
