"""The numbers by which the liver model decides, as its card gives them.

They are set on synthetic patients by `ct-infer train liver --stage thresholds`
(`inference.training.thresholds`) and shipped with the weights they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

DIAGNOSIS, SCREENING = "diagnosis", "screening"
SETTINGS = (DIAGNOSIS, SCREENING)


@dataclass(frozen=True)
class Rule:
    """How lesions and patients are decided in one setting.

    Parameters
    ----------
    first_weight : float
        Of stage 1 in the mean of both stages, 0 to 1.
    dropped_above, sure_dropped_above : float
        A proposal is dropped when "not a lesion" gets more; the second value is for what stage 1
        proposes without any factor.
    unseen_dropped_above : float
        The same for what only attenuation proposes, by stage 2 alone.
    first_malignancy : float
        Weight of stage 1 in how malignant a lesion is, 0 to 1.
    unseen_malignancy : float
        How much what only attenuation proposes counts for the patient, 0 to 1.
    malignant_from : float
        Score from which a patient counts as malignant.
    """

    first_weight: float = 0.5
    dropped_above: float = 0.5
    sure_dropped_above: float = 0.65
    unseen_dropped_above: float = 0.35
    first_malignancy: float = 0.5
    unseen_malignancy: float = 1.0
    malignant_from: float = 0.45


@dataclass(frozen=True)
class QualityLimits:
    """From where on a measure of `inference.liver.quality` is a reason to doubt.

    Parameters
    ----------
    outliers, disagreement, unsure : float
    """

    outliers: float = 0.12
    disagreement: float = 0.18
    unsure: float = 0.16


@dataclass(frozen=True)
class OrganLimits:
    """The same for a measure of another organ (`inference.liver.organ_doubts`).

    Parameters
    ----------
    disagreement, unsure, outliers : float
    """

    disagreement: float = 0.4
    unsure: float = 0.3
    outliers: float = 0.3


@dataclass(frozen=True)
class Rules:
    """All of them.

    Parameters
    ----------
    diagnosis, screening : Rule
        With contrast, and without.
    quality : QualityLimits
    organs : mapping of str to OrganLimits
        By name of the organ; the usual ones where it has none.
    """

    diagnosis: Rule = Rule()
    screening: Rule = Rule(malignant_from=0.3)
    quality: QualityLimits = QualityLimits()
    organs: Mapping[str, OrganLimits] = field(default_factory=dict)

    def of(self, setting: str) -> Rule:
        """Return the rule of a setting.

        Raises
        ------
        ValueError
            There is no such setting.
        """
        if setting not in SETTINGS:
            raise ValueError(f"the setting must be {' or '.join(SETTINGS)}, not {setting}")
        return self.diagnosis if setting == DIAGNOSIS else self.screening

    def for_phases(self, present: Sequence[bool]) -> Rule:
        """Return the rule that suits the phases there are."""
        return self.of(default_setting(present))

    def table(self) -> dict[str, Any]:
        """Return them as a card has them; :func:`read_rules` reads it."""
        return asdict(self)


def default_setting(present: Sequence[bool]) -> str:
    """Return the setting that suits the phases there are: NC, then those with contrast."""
    return DIAGNOSIS if any(present[1:]) else SCREENING


T = TypeVar("T", Rule, QualityLimits, OrganLimits)


def _of_table(kind: type[T], name: str, table: Mapping[str, Any]) -> T:
    numbers = table.get(name, {})
    known = {f.name for f in fields(kind)}
    if not isinstance(numbers, Mapping) or not set(numbers) <= known:
        raise ValueError(f"{name} may have {', '.join(sorted(known))} only")
    if not all(isinstance(v, int | float) and 0.0 <= v <= 1.0 for v in numbers.values()):
        raise ValueError(f"the numbers of {name} must be between 0 and 1")
    return kind(**{key: float(value) for key, value in numbers.items()})


def read_rules(table: object) -> Rules:
    """Return the rules in the table ``rules`` of a card; what it leaves out is as usual.

    Raises
    ------
    ValueError
        Something else is in it, or a number that is not between 0 and 1.
    """
    if not isinstance(table, Mapping):
        raise ValueError("rules must be a table")
    organs = table.get("organs", {})
    if not isinstance(organs, Mapping):
        raise ValueError("the limits of organs must be a table")
    return Rules(
        _of_table(Rule, DIAGNOSIS, table),
        _of_table(Rule, SCREENING, table) if SCREENING in table else Rules().screening,
        _of_table(QualityLimits, "quality", table),
        {str(name): _of_table(OrganLimits, name, organs) for name in organs},
    )
