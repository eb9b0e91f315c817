"""The evaluation as one HTML file: tables, a confusion matrix and FROC curves drawn as SVG.

A small writer of SVG instead of a plotting library: two plots do not justify one that everybody
who installs the models would have to carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.liver import FULL, PHASE_SETS, CaseResult
from inference.evaluation.summary import Figure, confusion, figures, froc_curve, variants_of
from inference.evaluation.tables import measures_html
from inference.liver import classes

NOTICE = "Demonstration model, trained on synthetic data, not for clinical use."

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em}
th{background:#f2f2f2;text-align:left}td.n{text-align:right}svg{margin:1em 1em 1em 0}
.notice{background:#fff4d6;padding:.6em 1em;border:1px solid #e5c76b}
"""
_COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b4b94", "#b58900")
_WIDTH, _HEIGHT, _EDGE = 460, 320, 46
_MOST_FALSE = 8.0

Curve = Sequence[tuple[float, float, float]]


def _text(x: float, y: float, words: str, anchor: str = "middle", turn: int = 0) -> str:
    rotate = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}"{rotate}>'
        f"{escape(words)}</text>"
    )


def froc_svg(curves: Mapping[str, Curve]) -> str:
    """Return FROC curves: sensitivity over false positives per case.

    Parameters
    ----------
    curves : mapping of str to sequence of (threshold, false positives per case, sensitivity)
    """
    wide, high = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE

    def at(false: float, sensitivity: float) -> tuple[float, float]:
        x = _EDGE + wide * min(false, _MOST_FALSE) / _MOST_FALSE
        return x, _HEIGHT - _EDGE - high * sensitivity

    parts = [f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="FROC">']
    for step in range(6):
        level = step / 5
        (x0, y), (x1, _) = at(0, level), at(_MOST_FALSE, level)
        parts.append(f'<path d="M{x0:.1f} {y:.1f}H{x1:.1f}" stroke="#ddd"/>')
        parts.append(_text(x0 - 6, y + 4, f"{level:.1f}", "end"))
    for false in range(0, int(_MOST_FALSE) + 1, 2):
        x, y = at(false, 0)
        parts.append(_text(x, y + 16, str(false)))
    parts.append(_text(_WIDTH / 2, _HEIGHT - 8, "false positives per case"))
    parts.append(_text(14, _HEIGHT / 2, "lesion sensitivity", turn=-90))
    for n, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        points = [at(0.0, 0.0), *(at(false, s) for _, false, s in curve)]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _EDGE + 16 * n - 26
        parts.append(f'<path d="M{_EDGE + 8} {y}h18" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(_EDGE + 32, y + 4, name, "start"))
    return "".join([*parts, "</svg>"])


def confusion_svg(table: NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Return a confusion matrix; shades are parts of a row.

    Parameters
    ----------
    table : ndarray of int, shape (rows, columns)
    rows, columns : sequence of str
    """
    cell, left, top = 54, 96, 60
    width, height = left + cell * len(columns) + 4, top + cell * len(rows) + 4
    parts = [f'<svg width="{width}" height="{height}" role="img" aria-label="Confusion matrix">']
    for c, name in enumerate(columns):
        parts.append(_text(left + cell * (c + 0.5), top - 8, name[:10]))
    parts.append(_text(left + cell * len(columns) / 2, 16, "found as"))
    for r, name in enumerate(rows):
        parts.append(_text(left - 6, top + cell * (r + 0.5) + 4, name, "end"))
        total = max(int(table[r].sum()), 1)
        for c in range(len(columns)):
            share = table[r, c] / total
            x, y = left + cell * c, top + cell * r
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" '
                f'fill="rgb(27,108,168)" fill-opacity="{share:.2f}" stroke="#ccc"/>'
            )
            parts.append(_text(x + cell / 2, y + cell / 2 + 4, str(int(table[r, c]))))
    return "".join([*parts, "</svg>"])


def _table(found: Sequence[Figure], phases: str) -> str:
    """Return the figures of a set of phases: a row each measure, a column each variant."""
    here = {(f.variant, f.measure): f.interval for f in found if f.phases == phases}
    return measures_html(here, list(dict.fromkeys(variant for variant, _ in here)))


def report_html(results: Sequence[CaseResult], title: str) -> str:
    """Return the report.

    Parameters
    ----------
    results : sequence of CaseResult
    title : str
        What was evaluated.
    """
    found = figures(results)
    names = [classes.CLASS_NAMES[c] for c in classes.LESIONS]
    body: list[str] = []
    for phases in PHASE_SETS:
        cases = [r for r in results if r.phases == phases]
        if not cases:
            continue
        patients = len({r.seed for r in cases})
        curves = {v: froc_curve([r for r in cases if r.variant == v]) for v in variants_of(cases)}
        table = confusion([r for r in cases if r.variant == FULL])
        body += [
            f"<h2>{escape(phases)}</h2>",
            f"<p>{patients} synthetic patients that were never trained on. Values with 95 % "
            "intervals (Wilson for proportions, bootstrap over cases for means).</p>",
            _table(found, phases),
            froc_svg(curves),
            confusion_svg(table, names, [*names, "missed"]),
        ]
    return page(title, body)


def page(title: str, body: Sequence[str]) -> str:
    """Return a whole HTML page: title, notice, and its parts one a line."""
    head = (f"<h1>{escape(title)}</h1>", f'<p class="notice">{NOTICE}</p>')
    content = "\n".join((*head, *body))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><body>{content}</body></html>\n"
    )
