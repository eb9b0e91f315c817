"""The evaluation of the vertebra model as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from inference.evaluation.report import confusion_svg, page
from inference.evaluation.spine_summary import (
    ALL,
    SpineFigure,
    shift_counts,
    spine_figures,
)
from inference.evaluation.tables import measures_html
from inference.evaluation.vertebra import METHODS, SpineResult


def spine_report_html(results: Sequence[SpineResult], title: str) -> str:
    """Return the report.

    Parameters
    ----------
    results : sequence of SpineResult
    title : str
        What was evaluated.
    """
    figures = spine_figures(results)
    body = [
        f"<p>{len({r.name for r in results})} scans. Identified: the nearest true centroid is its "
        "own and lies within 20 mm. Values with 95 % intervals (bootstrap over scans for "
        "identification and distances, Wilson for other proportions).</p>",
    ]
    for group in dict.fromkeys(f.group for f in figures):
        body += [f"<h2>{escape(group)}</h2>", _table([f for f in figures if f.group == group])]
        if group == ALL:
            body.append(_shifts(results))
    return page(title, body)


def _shifts(results: Sequence[SpineResult]) -> str:
    """Return how many predictions of each method are off by how much."""
    methods = [m for m in METHODS if any(r.method == m for r in results)]
    counts = [shift_counts([r for r in results if r.method == m]) for m in methods]
    table = np.array([list(c.values()) for c in counts], dtype=np.int64)
    return confusion_svg(table, methods, list(counts[0]))


def _table(figures: Sequence[SpineFigure]) -> str:
    """Return a row each measure, a column each method."""
    found = {(f.method, f.measure): f.interval for f in figures}
    return measures_html(found, [m for m in METHODS if any(m == method for method, _ in found)])
