"""Figures of the vertebra model with intervals, from the results of single scans."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.spine_masks import MaskScore
from inference.evaluation.tables import (
    INTERVAL_HEADS,
    Column,
    csv_of,
    csv_text,
    interval_cells,
    share,
)
from inference.evaluation.vertebra import METHODS, REGIONS, SpineResult, located
from inference.metrics import Interval, bootstrap

ALL, NORMAL = "all", "usual number of vertebrae"
SHIFTS = (-2, -1, 0, 1, 2)
MISSED, ELSEWHERE = "missed", "no vertebra"


@dataclass(frozen=True)
class SpineFigure:
    """One figure of the report.

    Parameters
    ----------
    group : str
        All scans, those of a field of view, or those in which a variant is in view.
    method, measure : str
    interval : Interval
    """

    group: str
    method: str
    measure: str
    interval: Interval


def spine_figures(results: Sequence[SpineResult]) -> list[SpineFigure]:
    """Return all figures for each method.

    Over all scans, by kind of field of view, and by the number of vertebrae where some scans show
    an unusual one.
    """
    groups = dict.fromkeys(group for result in results for group in groups_of(result))
    if set(groups) <= {ALL, NORMAL, *(r.field for r in results)}:
        groups.pop(NORMAL, None)
    found = []
    for group in groups:
        for method in METHODS:
            scans = [r for r in results if r.method == method and group in groups_of(r)]
            if scans:
                named = [*_scan_figures(scans), *_region_figures(scans), *_flag_figures(scans)]
                if method == METHODS[0]:
                    named += [*_part_figures(scans), *_mask_figures(scans)]
                found += [SpineFigure(group, method, name, value) for name, value in named]
    return found


def groups_of(result: SpineResult) -> tuple[str, ...]:
    """Return the groups that a scan is counted in."""
    unusual = f"variant {result.variant}" if result.variant else NORMAL
    return tuple(group for group in (ALL, result.field, unusual) if group)


def identification(scans: Sequence[SpineResult], levels: str = "CTL") -> Interval:
    """Return the part of the vertebrae that is identified.

    Its interval is drawn over scans, as vertebrae of one scan are right or wrong together.

    Parameters
    ----------
    scans : sequence of SpineResult
    levels : str
        First letters of the levels that count; the sacrum does not, as in the challenge.
    """
    rows = [[v.identified for v in scan.true if v.level[0] in levels] for scan in scans]
    rows = [row for row in rows if row]
    sums, sizes = np.array([sum(row) for row in rows]), np.array([len(row) for row in rows])

    def part(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        at = numbers.astype(np.intp)
        return float(sums[at].sum() / sizes[at].sum())

    drawn = bootstrap([float(n) for n in range(len(rows))], part)
    return Interval(drawn.value, drawn.low, drawn.high, int(sizes.sum()) if rows else 0)


def _scan_figures(scans: Sequence[SpineResult]) -> list[tuple[str, Interval]]:
    seconds = [scan.seconds for scan in scans]
    return [
        ("identification", identification(scans)),
        ("mean distance of identified, mm", bootstrap([_distance(s, True) for s in scans])),
        ("mean distance of all found, mm", bootstrap([_distance(s, False) for s in scans])),
        ("scans all correct", share(scan.all_correct for scan in scans)),
        ("scans shifted as a whole", share(bool(scan.shift) for scan in scans if scan.true)),
        ("seconds a scan", bootstrap(seconds)),
    ]


def _region_figures(scans: Sequence[SpineResult]) -> list[tuple[str, Interval]]:
    return [
        (f"identification {region}", identification(scans, first))
        for region, first in REGIONS.items()
        if any(v.level.startswith(first) for scan in scans for v in scan.true)
    ]


def _flag_figures(scans: Sequence[SpineResult]) -> list[tuple[str, Interval]]:
    marks = [p for scan in scans for p in scan.predicted]
    return [
        ("wrong among flagged", share(not p.right for p in marks if p.flagged)),
        ("wrong among unflagged", share(not p.right for p in marks if not p.flagged)),
        ("flagged", share(p.flagged for p in marks)),
    ]


def _part_figures(scans: Sequence[SpineResult]) -> list[tuple[str, Interval]]:
    """Return what the two networks do apart from one another."""
    off = [abs(n) for scan in scans for n in scan.parts.levels_off]
    near = [hit for scan in scans for hit in located(scan.parts)]
    apart = [d for scan in scans for d in scan.parts.nearest_mm if d < math.inf]
    return [
        ("level network right at true centres", share(n == 0 for n in off)),
        ("level network at most one off", share(n <= 1 for n in off)),
        ("centre network within 6 mm", share(near)),
        ("centre network, median distance in mm", bootstrap(apart, lambda x: float(np.median(x)))),
    ]


def _mask_figures(scans: Sequence[SpineResult]) -> list[tuple[str, Interval]]:
    """Return how well vertebrae are drawn: scans are drawn anew, each with all its vertebrae."""
    drawn = [scan.masks for scan in scans if scan.masks]
    if not drawn:
        return []
    every = sum(map(len, drawn))

    def mean(value: Callable[[MaskScore], float]) -> Interval:
        rows = [np.array([value(mask) for mask in masks]) for masks in drawn]

        def over(numbers: NDArray[np.float64]) -> float:
            return float(np.nanmean(np.concatenate([rows[int(n)] for n in numbers])))

        found = bootstrap([float(n) for n in range(len(rows))], over)
        return Interval(found.value, found.low, found.high, every)

    return [
        ("mask Dice, name and all", mean(lambda mask: mask.named)),
        ("mask Dice, whatever the name", mean(lambda mask: mask.matched)),
        ("masks with Dice of at least 0.8", mean(lambda mask: float(mask.matched >= 0.8))),
        ("mask surface distance, mm", mean(lambda mask: mask.surface_mm)),
    ]


def _distance(scan: SpineResult, identified: bool) -> float:
    found = [v.distance_mm for v in scan.true if not v.missed and (v.identified or not identified)]
    return float(np.mean(found)) if found else math.nan


def _mean_of(values: Iterable[float]) -> str:
    known = list(values)
    return f"{np.nanmean(known):.3f}" if known else ""


def shift_counts(scans: Sequence[SpineResult]) -> dict[str, int]:
    """Return how many predictions are off by how many levels, and how much is missed.

    Keys are the shifts (``-2`` and ``+2`` stand for more as well), predictions where there is no
    vertebra, and vertebrae that nothing was predicted for.
    """
    counts = Counter[str]()
    for scan in scans:
        for mark in scan.predicted:
            if mark.shift is None:
                counts[ELSEWHERE] += 1
            else:
                counts[shift_name(min(max(mark.shift, SHIFTS[0]), SHIFTS[-1]))] += 1
        counts[MISSED] += sum(v.missed for v in scan.true)
    return {name: counts[name] for name in (*map(shift_name, SHIFTS), ELSEWHERE, MISSED)}


def shift_name(shift: int) -> str:
    """Return a shift in words: ``-1``, ``0``, ``+1``."""
    return f"{shift:+d}" if shift else "0"


def spine_figures_csv(found: Sequence[SpineFigure]) -> str:
    """Return the figures as CSV."""
    rows = ((f.group, f.method, f.measure, *interval_cells(f.interval)) for f in found)
    return csv_text(("group", "method", "measure", *INTERVAL_HEADS), rows)


def scans_csv(results: Sequence[SpineResult]) -> str:
    """Return one row for each scan and method."""
    columns: tuple[Column[SpineResult], ...] = (
        ("scan", lambda r: r.name),
        ("field of view", lambda r: r.field),
        ("variant", lambda r: r.variant),
        ("method", lambda r: r.method),
        ("vertebrae", lambda r: len(r.true)),
        ("identified", lambda r: sum(v.identified for v in r.true)),
        ("missed", lambda r: sum(v.missed for v in r.true)),
        ("wrong", lambda r: sum(not p.right for p in r.predicted)),
        ("flagged", lambda r: sum(p.flagged for p in r.predicted)),
        ("shift", lambda r: "" if r.shift is None else r.shift),
        ("all correct", lambda r: int(r.all_correct)),
        ("mask Dice", lambda r: _mean_of(mask.matched for mask in r.masks)),
        ("mask surface mm", lambda r: _mean_of(mask.surface_mm for mask in r.masks)),
        ("mean distance mm", lambda r: f"{_distance(r, identified=False):.2f}"),
        ("levels", lambda r: f"{r.true[0].level} to {r.true[-1].level}" if r.true else ""),
        ("seconds", lambda r: f"{r.seconds:.1f}"),
    )
    return csv_of(columns, results)
