"""Sets the numbers by which the liver model decides, on patients nobody has trained on.

Stage 1 and stage 2 look at scanned phantoms of seeds of their own. Then, for each setting:

- the weight of stage 1 and the limits above which a proposal is dropped are searched on a grid.
  Wanted is the highest sensitivity (lesions of 10 mm or more count three times) with at most
  `MOST_FALSE` false positives per patient; false positives decide between what is nearly equal.
- the weights in how malignant a lesion is are those with which the scores of patients with a
  malignant lesion and of the others overlap least (area under the ROC curve).
- the score from which a patient is called malignant is where most patients are judged rightly, in
  the middle of the widest range that does.

A measure of quality gives a warning above what `CALM_SHARE` of the good segmentations stay below.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import tomlkit
import torch
from numpy.typing import NDArray

from inference.liver import classes
from inference.liver.consensus import malignancy_of, weigh, weight_of
from inference.liver.organ_doubts import ORGANS
from inference.liver.patient import patient_score
from inference.liver.rules import (
    DIAGNOSIS,
    SCREENING,
    OrganLimits,
    QualityLimits,
    Rule,
    Rules,
    read_rules,
)
from inference.liver.stage2 import NOT_A_LESION, LesionNetwork, judge
from inference.training.gathered import Examination, gatherer_in, read_examination
from inference.training.lesions import FOLDER, WEIGHTS_NAME
from inference.training.settings import LiverSettings
from inference.weights import load_weights, sha256_of

log = logging.getLogger(__name__)

NAME = "rules.toml"
MOST_FALSE = {DIAGNOSIS: 1.7, SCREENING: 2.5}
"""False positives per patient that the rules may make, by setting. With contrast less than the 2
that are allowed, because the next patients are others; without, where most lesions look like the
liver, screening out more of the false ones costs too many of the right ones."""

CALM_SHARE = 0.95
GOOD_DICE = 0.93

_LARGE_MM, _LARGE_WEIGHT = 10.0, 3.0
_COST_OF_FALSE = 0.01
_FIRST_WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7)
_LIMITS = tuple(np.round(np.arange(0.1, 0.96, 0.05), 2).tolist())
_AT_ONCE = 16
_MALIGNANCY_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_UNSEEN_FACTORS = (0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Judged:
    """An examination with both opinions about each proposal.

    Parameters
    ----------
    first, second : ndarray of float64, shape (n, 7)
    multipliers : ndarray of float64, shape (n,)
    hit : ndarray of int64, shape (n,)
        Number of the lesion each proposal hits, -1 for none.
    lesion_mm : ndarray of float64, shape (lesions,)
    malignant : bool
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    multipliers: NDArray[np.float64]
    hit: NDArray[np.int64]
    lesion_mm: NDArray[np.float64]
    malignant: bool

    def weighed(self, rule: Rule) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what both stages think of each proposal together, and which are kept."""
        p = np.zeros_like(self.second)
        kept = np.zeros(len(p), dtype=np.bool_)
        for n, pair in enumerate(zip(self.first, self.second, self.multipliers, strict=True)):
            p[n], limit = weigh(*pair, rule)
            kept[n] = p[n, NOT_A_LESION] <= limit
        return p, kept

    def score(self, rule: Rule) -> float:
        """Return the score of the patient."""
        triples = zip(self.first, self.second, self.multipliers, strict=True)
        return patient_score([malignancy_of(*t, rule) * weight_of(t[2], rule) for t in triples])


def judge_examination(network: LesionNetwork, examination: Examination) -> Judged:
    """Ask the second network about all proposals of an examination."""
    present = [bool(p) for p in examination.present]
    opinions = []
    for first in range(0, len(examination), _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, len(examination)))
        patches = [examination.patch(n).network_input(present) for n in numbers]
        opinions += judge(network, torch.stack(patches))
    second = np.array([o.probabilities for o in opinions]).reshape(-1, NOT_A_LESION + 1)
    return Judged(
        examination.first,
        second,
        examination.multipliers,
        examination.hit,
        examination.lesion_mm,
        examination.malignant,
    )


def best_rule(judged: Sequence[Judged], most_false: float) -> Rule:
    """Return the weight and the limits that find most lesions with few false positives."""
    sizes = np.array([mm for j in judged for mm in j.lesion_mm])
    worth = np.where(sizes >= _LARGE_MM, _LARGE_WEIGHT, 1.0)
    limits = np.array(_LIMITS)
    chosen, most = Rule(), -np.inf
    for weight in _FIRST_WEIGHTS:
        best, false = _by_group(judged, replace(Rule(), first_weight=weight))
        # lesions found and false positives for each limit of each group, then of all three
        found = [values <= limits[:, None] for values in best]
        counts = [(values <= limits[:, None]).sum(axis=1) for values in false]
        any_found = found[0][:, None, None] | found[1][None, :, None] | found[2][None, None, :]
        sensitivity = any_found @ worth / max(float(worth.sum()), 1.0)
        total = counts[0][:, None, None] + counts[1][None, :, None] + counts[2][None, None, :]
        false_each = total / max(len(judged), 1)
        value = sensitivity - _COST_OF_FALSE * false_each
        value[false_each > most_false] = -np.inf
        place = np.unravel_index(int(value.argmax()), value.shape)
        if value[place] > most + 1e-9:
            most = float(value[place])
            sure, other, unseen = (float(limits[n]) for n in place)
            chosen = Rule(weight, other, sure, unseen)
    return chosen


def _by_group(
    judged: Sequence[Judged], rule: Rule
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return "not a lesion" of what is sure, of other and of unseen proposals.

    Returns
    -------
    list of ndarray, shape (lesions,)
        By group, of each lesion's best proposal; infinite where there is none.
    list of ndarray
        By group, of each false proposal.
    """
    best = [np.full(sum(len(j.lesion_mm) for j in judged), np.inf) for _ in range(3)]
    false: list[list[float]] = [[], [], []]
    before = 0
    for j in judged:
        p, _ = j.weighed(rule)
        groups = np.where(np.isinf(j.multipliers), 2, np.where(j.multipliers <= 1.0, 0, 1))
        for group, hit, value in zip(groups, j.hit, p[:, NOT_A_LESION], strict=True):
            if hit < 0:
                false[group].append(float(value))
            else:
                best[group][before + hit] = min(best[group][before + hit], float(value))
        before += len(j.lesion_mm)
    return best, [np.array(values) for values in false]


def best_threshold(scores: Sequence[float], malignant: Sequence[bool]) -> float:
    """Return the score from which to call patients malignant.

    Parameters
    ----------
    scores : sequence of float
        0 to 1.
    malignant : sequence of bool
        In truth.
    """
    edges = np.concatenate([[0.0], np.sort(np.unique(scores)), [1.0]])
    middles = 0.5 * (edges[1:] + edges[:-1])
    truth, values = np.array(malignant), np.array(scores)
    right = np.array([((values >= m) == truth).mean() for m in middles])
    best = np.flatnonzero(right >= right.max() - 1e-9)
    widths = np.diff(edges)[best]
    return float(middles[best[int(widths.argmax())]])


def quality_limits(examinations: Sequence[Examination]) -> QualityLimits:
    """Return what most good segmentations stay below; as usual, if there are no good ones."""
    good = [e.quality for e in examinations if e.liver_dice >= GOOD_DICE]
    if not good:
        return QualityLimits()
    outliers, disagreement, unsure = np.quantile(np.stack(good), CALM_SHARE, axis=0).tolist()
    return QualityLimits(round(outliers, 3), round(disagreement, 3), round(unsure, 3))


def organ_limits(examinations: Sequence[Examination]) -> dict[str, OrganLimits]:
    """Return what nearly all well-drawn organs stay below, by name of the organ.

    How well an organ can be drawn differs between them: the better half of each counts as well
    drawn.
    """
    limits = {}
    for n, organ in enumerate(ORGANS):
        table = np.array([e.organs[n] for e in examinations if np.isfinite(e.organs[n]).all()])
        if len(table):
            good = table[table[:, 0] >= np.median(table[:, 0]), 1:]
            values = np.quantile(good, CALM_SHARE, axis=0).round(3).tolist()
            limits[classes.CLASS_NAMES[organ]] = OrganLimits(*values)
    return limits


def area_under_curve(scores: Sequence[float], malignant: Sequence[bool]) -> float:
    """Return how often a malignant patient scores higher than another, 0.5 if there is no pair."""
    values, truth = np.array(scores), np.array(malignant, dtype=np.bool_)
    ahead = values[truth][:, None] - values[~truth][None, :]
    return float((0.5 * (1.0 + np.sign(ahead))).mean()) if ahead.size else 0.5


def tuned_rule(judged: Sequence[Judged], most_false: float) -> Rule:
    """Return the rule of a setting that makes so many false positives per patient at most."""
    kept_by = best_rule(judged, most_false)
    malignant = [j.malignant for j in judged]
    chosen, most = kept_by, -1.0
    for weight, factor in product(_MALIGNANCY_WEIGHTS, _UNSEEN_FACTORS):
        rule = replace(kept_by, first_malignancy=weight, unseen_malignancy=factor)
        area = area_under_curve([j.score(rule) for j in judged], malignant)
        if area > most + 1e-9:
            chosen, most = rule, area
    threshold = best_threshold([j.score(chosen) for j in judged], malignant)
    return replace(chosen, malignant_from=round(threshold, 3))


def figures_of(judged: Sequence[Judged], rule: Rule) -> dict[str, float]:
    """Return what a rule reaches on the patients it was set on: not what it reaches on others.

    Returns
    -------
    dict
        ``sensitivity`` of lesions of 10 mm or more, ``false`` positives per patient and
        ``accuracy`` of the patients.
    """
    found = large = false = right = 0
    for j in judged:
        _, kept = j.weighed(rule)
        right += (j.score(rule) >= rule.malignant_from) == j.malignant
        false += int((kept & (j.hit < 0)).sum())
        there = set(np.flatnonzero(j.lesion_mm >= _LARGE_MM).tolist())
        large += len(there)
        found += len(there & set(j.hit[kept].tolist()))
    n = max(len(judged), 1)
    return {"sensitivity": found / max(large, 1), "false": false / n, "accuracy": right / n}


def tune(folder: Path, settings: LiverSettings) -> Rules:
    """Set the numbers of a trained model and write them into its folder.

    Parameters
    ----------
    folder : Path
        Of a training whose stages are done; gets ``rules.toml``.
    settings : LiverSettings

    Raises
    ------
    ValueError
        A stage was not trained yet.
    """
    torch.set_num_threads(1)
    path = folder / FOLDER / WEIGHTS_NAME
    if not path.is_file():
        raise ValueError(f"there are no weights of stage 2 yet: {path}")
    network = LesionNetwork(settings.lesions.widths)
    network.load_state_dict(load_weights(path, sha256_of(path)))
    network.eval()
    gatherer = gatherer_in(folder, settings, "f32")
    files = gatherer.all_of(settings.lesions.first_tuning_seed, settings.lesions.tuning)
    examinations = [read_examination(file) for file in files]
    judged: dict[str, list[Judged]] = {DIAGNOSIS: [], SCREENING: []}
    for examination in examinations:
        setting = DIAGNOSIS if examination.present[1:].any() else SCREENING
        judged[setting].append(judge_examination(network, examination))
    rules = Rules(
        tuned_rule(judged[DIAGNOSIS], MOST_FALSE[DIAGNOSIS]),
        tuned_rule(judged[SCREENING], MOST_FALSE[SCREENING]),
        quality_limits(examinations),
        organ_limits(examinations),
    )
    write_rules(folder / NAME, rules)
    for setting, patients in judged.items():
        log.info(
            "%s: %s on %s", setting, figures_of(patients, rules.of(setting)), rules.of(setting)
        )
    return rules


def write_rules(path: Path, rules: Rules) -> None:
    """Write rules as TOML."""
    path.write_text(tomlkit.dumps(rules.table()), encoding="utf-8")


def load_rules(path: Path) -> Rules:
    """Return what :func:`write_rules` wrote."""
    return read_rules(tomlkit.parse(path.read_text(encoding="utf-8")).unwrap())
