"""Report tables (CSV): several files, any of the usual encodings, rows found by case."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.core.report import ReportColumns, ReportRow, RowIndex, loosest_id
from labeler.storage.delimited import Table, parse_table
from labeler.storage.layouts import layout_rules
from labeler.storage.listing import display_name, list_folder, reason
from labeler.storage.locations import bundled_folder
from labeler.storage.text_encoding import decode_text, is_binary

#: Larger files are not report tables.
MAX_FILE_BYTES = 64 * 2**20

#: Control characters that are dropped; tab and line feed stay.
_CONTROL = {code: None for code in range(32) if code not in (9, 10, 13)}


@dataclass(frozen=True)
class _File:
    name: str
    columns: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    problems: tuple[str, ...]


class ReportLibrary:
    """Rows of several tables; immutable once loaded."""

    def __init__(self, files: Sequence[_File] = ()) -> None:
        self._rows = [row for file in files for row in file.rows]
        self._index = RowIndex(self._rows)
        self.columns: list[str] = list(dict.fromkeys(c for file in files for c in file.columns))
        self.problems: list[str] = [text for file in files for text in file.problems]

    @classmethod
    def load(
        cls,
        paths: Iterable[Path],
        id_column: str | None = None,
        case_ids: Iterable[str] = (),
        columns: ReportColumns | None = None,
    ) -> ReportLibrary:
        """Read tables; what is wrong with them is in :attr:`problems`.

        Parameters
        ----------
        paths
            CSV files.
        id_column
            Title of the column with the case id; found by itself when ``None`` or not there.
        case_ids
            Known cases, to find the id column of a table with unusual titles.
        columns
            Names of id columns; those of ``config/report.toml`` when ``None``.
        """
        if columns is None:
            columns, _ = read_report_columns()
        if id_column is not None:
            columns = ReportColumns(
                columns.show,
                columns.hide,
                columns.titles,
                (id_column, *columns.id_columns),
                columns.only_listed,
            )
        known = {loosest_id(case_id) for case_id in case_ids}
        return cls([_read_file(Path(path), columns, known) for path in paths])

    def __len__(self) -> int:
        return len(self._rows)

    def rows_for(self, case_id: str) -> list[ReportRow]:
        """Rows of a case, file by file, in their order (see :class:`RowIndex` for matching)."""
        return self._index.rows_for(case_id)

    def unmatched(self, case_ids: Iterable[str]) -> list[ReportRow]:
        """Rows that belong to none of these cases."""
        return self._index.unmatched(case_ids)


def _read_file(path: Path, columns: ReportColumns, known: set[str]) -> _File:
    name = display_name(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return _File(name, (), (), (f"{name} is too large for a report table.",))
        if not path.is_file():
            return _File(name, (), (), (f"{name} is not a file.",))
        content = path.read_bytes()
    except OSError as error:
        return _File(name, (), (), (f"{name} cannot be read ({reason(error)}).",))
    text, encoding, is_sure = decode_text(content)
    if is_binary(text):
        return _File(name, (), (), (f"{name} is no table: its content is not text.",))
    problems = []
    if not is_sure:
        problems.append(f"{name}: the encoding is not certain, it was read as {encoding}.")
    if "\0" in text:
        problems.append(f"{name}: zero bytes were left out.")
    table = parse_table(text.translate(_CONTROL))
    problems += [f"{name}{',' * text.startswith('line')} {text}." for text in table.problems]
    id_column = columns.id_column(table.columns)
    if id_column is None and table.rows:
        id_column, sentence = _guess_id_column(table, known)
        problems.append(f"{name}: {sentence}")
    rows = [_row(name, line, table.columns, cells, id_column) for line, cells in table.rows]
    if nameless := sum(not row.case_id for row in rows):
        problems.append(f"{name}: {nameless} row(s) without a case id.")
    return _File(name, tuple(table.columns), tuple(r for r in rows if r.case_id), tuple(problems))


def _row(
    name: str, line: int, columns: Sequence[str], cells: Sequence[str], id_column: str | None
) -> ReportRow:
    values = dict(zip(columns, cells, strict=True))
    return ReportRow(name, line, values.get(id_column or "", "").strip(), values)


def _guess_id_column(table: Table, known: set[str]) -> tuple[str, str]:
    """The column with most ids of known cases, else the first; and the sentence that says so."""
    sample = table.rows[:2000]
    hits = [
        sum(loosest_id(cells[place]) in known for _, cells in sample)
        for place in range(len(table.columns))
    ]
    best = max(range(len(hits)), key=lambda place: hits[place])
    column = table.columns[best]
    if hits[best]:
        return column, f"no column is called case id; {column!r} holds ids of cases and is used."
    return column, f"no column is called case id; the first one, {column!r}, is used."


def read_report_columns(path: Path | None = None) -> tuple[ReportColumns, list[str]]:
    """Read which columns are shown (``config/report.toml`` when ``path`` is ``None``).

    Returns
    -------
    ReportColumns
        Always usable; a bad entry leaves its part empty.
    list of str
        One sentence per bad entry.
    """
    path = path or bundled_folder("config") / "report.toml"
    try:
        content: dict[str, Any] = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        return ReportColumns(), [f"{path.name} cannot be read ({reason(error)})."]
    except ValueError as error:
        return ReportColumns(), [f"{path.name} is not valid TOML ({error})."]
    problems: list[str] = []

    def texts(name: str) -> tuple[str, ...]:
        value = content.pop(name, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        problems.append(f"{path.name}: {name} must be a list of texts and is ignored.")
        return ()

    titles = content.pop("titles", {})
    if not isinstance(titles, dict) or not all(isinstance(t, str) for t in titles.values()):
        problems.append(f"{path.name}: titles must be a table of texts and is ignored.")
        titles = {}
    only_listed = content.pop("only_listed", False)
    if not isinstance(only_listed, bool):
        problems.append(f"{path.name}: only_listed must be true or false and is ignored.")
        only_listed = False
    columns = ReportColumns(texts("show"), texts("hide"), titles, texts("id_columns"), only_listed)
    problems += [f"{path.name}: {name} is unknown and ignored." for name in content]
    return columns, problems


def find_reports(image_root: Path) -> list[Path]:
    """CSV files that come with a folder of images: in it, beside it, or in ``reports``."""
    rules = layout_rules()
    folder = image_root.parent if os.path.isfile(image_root) else image_root
    places = [folder]
    if folder.name.casefold() in rules.image_folders:
        places.append(folder.parent)
    found: list[Path] = []
    for place in places:
        listing = list_folder(place)
        inner = [n for n in listing.folders if n.casefold() in rules.report_folders]
        for where in (listing, *(list_folder(listing.path(name)) for name in inner)):
            found += [Path(where.path(n)) for n in where.files if n.lower().endswith(".csv")]
    return found
