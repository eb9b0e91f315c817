"""The evaluation of the vertebra model as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from inference.evaluation.report import NOTICE, confusion_svg, page
from inference.evaluation.spine_summary import (
    ALL,
    SpineFigure,
    shift_counts,
    spine_figures,
)
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
        f"<h1>{escape(title)}</h1>",
        f'<p class="notice">{NOTICE}</p>',
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
    methods = [m for m in METHODS if any(f.method == m for f in figures)]
    lines = ["<table><tr><th>measure</th>", *(f"<th>{escape(m)}</th>" for m in methods), "</tr>"]
    for measure in dict.fromkeys(f.measure for f in figures):
        lines.append(f"<tr><th>{escape(measure)}</th>")
        for method in methods:
            cell = next((f for f in figures if (f.method, f.measure) == (method, measure)), None)
            lines.append(f'<td class="n">{escape(str(cell.interval)) if cell else ""}</td>')
        lines.append("</tr>")
    return "".join([*lines, "</table>"])
