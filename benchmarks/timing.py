"""Timing two functions in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.registry import Measured, Pair, Row

MIN_RUNS, MAX_RUNS = 3, 400

#: A first run longer than this counts: what is only slow once does not matter in it.
LONG_MS = 2000.0


@dataclass(frozen=True)
class Result:
    """A measured row. Figures are in ``unit``; ``None`` where there is nothing to say."""

    row: Row
    unit: str
    ours: float
    ours_p95: float | None
    baseline: float | None
    runs: int
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.baseline if self.baseline else None

    @property
    def is_reached(self) -> bool:
        """Whether every figure that the row asks for is good enough."""
        row = self.row
        pairs = (
            (self.ratio, row.reach_ratio),
            (self.ours, row.reach),
            (self.ours_p95, row.reach_p95),
        )
        return all(limit is None or (v is not None and v <= limit) for v, limit in pairs)

    def as_dict(self) -> dict[str, Any]:
        """What goes into the JSON document."""
        row = self.row
        return {
            "name": row.name,
            "what": row.what,
            "unit": self.unit,
            "ours": self.ours,
            "ours_p95": self.ours_p95,
            "baseline": self.baseline,
            "baseline_name": row.baseline,
            "ratio": self.ratio,
            "reach_ratio": row.reach_ratio,
            "reach": row.reach,
            "reach_p95": row.reach_p95,
            "reached": self.is_reached,
            "runs": self.runs,
            "note": self.note,
        }


def measure(row: Row) -> Result:
    """Prepare a row and measure it."""
    prepared = row.prepare()
    if isinstance(prepared, Measured):
        return Result(
            row, prepared.unit, prepared.ours, prepared.ours_p95, prepared.baseline,
            prepared.runs, prepared.note,
        )  # fmt: skip
    try:
        return _time(row, prepared)
    finally:
        prepared.cleanup()


def _time(row: Row, pair: Pair) -> Result:
    # Both once before: compiling and filling caches are not what is measured.
    pair.ours()
    ours: list[float] = []
    baseline: list[float] = []
    if pair.baseline is not None:
        first_ms = _milliseconds(pair.baseline)
        if first_ms > LONG_MS:
            ours.append(_milliseconds(pair.ours))
            baseline.append(first_ms)
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + row.budget_s
        while len(ours) < MIN_RUNS or (len(ours) < MAX_RUNS and time.perf_counter() < end):
            ours.append(_milliseconds(pair.ours))
            if pair.baseline is not None:
                baseline.append(_milliseconds(pair.baseline))
    finally:
        gc.enable()
    return Result(
        row,
        "ms",
        median(ours),
        p95(ours),
        median(baseline) if baseline else None,
        len(ours),
        pair.note,
    )


def p95(figures: Sequence[float]) -> float:
    """The 95th percentile; of a few figures the largest."""
    return quantiles(figures, n=20)[-1] if len(figures) >= 20 else max(figures)


def _milliseconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3
