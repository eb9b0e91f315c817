"""Tables of an evaluation, as CSV and as HTML, whatever was evaluated."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from inference.metrics import Interval, wilson

T = TypeVar("T")

Column = tuple[str, Callable[[T], object]]
"""Head of a column, and what it says of a row."""

INTERVAL_HEADS = ("value", "low", "high", "n")


def share(values: Iterable[bool]) -> Interval:
    """Return the part of some values that is true, with its Wilson interval."""
    known = list(values)
    return wilson(sum(known), len(known))


def interval_cells(interval: Interval) -> tuple[object, ...]:
    """Return the cells of an interval, under `INTERVAL_HEADS`."""
    numbers = (interval.value, interval.low, interval.high)
    return (*(f"{number:.4f}" for number in numbers), interval.count)


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return out.getvalue()


def csv_of(columns: Sequence[Column[T]], things: Iterable[T]) -> str:
    """Return a table with a row for each thing as CSV."""
    rows = ([of(thing) for _, of in columns] for thing in things)
    return csv_text([head for head, _ in columns], rows)


def measures_html(found: Mapping[tuple[str, str], Interval], columns: Sequence[str]) -> str:
    """Return figures as an HTML table: a row each measure.

    Parameters
    ----------
    found : mapping of (column, measure) to Interval
        What is not in it is an empty cell.
    columns : sequence of str
    """
    lines = ["<table><tr><th>measure</th>", *(f"<th>{escape(c)}</th>" for c in columns), "</tr>"]
    for measure in dict.fromkeys(measure for _, measure in found):
        lines.append(f"<tr><th>{escape(measure)}</th>")
        for column in columns:
            cell = found.get((column, measure))
            lines.append(f'<td class="n">{escape(str(cell)) if cell is not None else ""}</td>')
        lines.append("</tr>")
    return "".join([*lines, "</table>"])
