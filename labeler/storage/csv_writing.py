"""Tables for spreadsheets: no cell of theirs becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from labeler.storage.atomic import write_bytes_durably

Cell = str | int | float

#: A text that begins so is a formula to a spreadsheet; tab and return are skipped by some first.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table: UTF-8 with a mark, commas, a line a row.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay.

    Raises
    ------
    SaveError
        When writing failed; a file that was there is intact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(titles)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    write_bytes_durably(path, text.getvalue().encode("utf-8-sig", "replace"))


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
