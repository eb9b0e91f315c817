"""Report rows: how they find their case and what of them is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReportRow:
    """One row of a report table.

    Attributes
    ----------
    source
        Name of the file.
    line
        Line of the file it begins at, counted from 1.
    case_id
        Content of the id column.
    values
        Text by column title, in the order of the file.
    """

    source: str
    line: int
    case_id: str
    values: Mapping[str, str]


def column_key(title: str) -> str:
    """Form in which titles of columns are compared: ``Case ID`` equals ``case_id``."""
    text = unicodedata.normalize("NFKC", title).casefold()
    return re.sub(r"[\s_\-.:#]+", "", text)


def loose_id(case_id: str) -> str:
    """Form of a case id without case, width and surrounding or repeated spaces."""
    text = unicodedata.normalize("NFKC", case_id).casefold()
    return re.sub(r"\s+", " ", text).strip()


def loosest_id(case_id: str) -> str:
    """Like :func:`loose_id`, also without what spreadsheets lose or add.

    Leading zeros of every number go, and the ".0" of a number read as a fraction.
    """
    text = loose_id(case_id)
    if re.fullmatch(r"[0-9]+\.0+", text):
        text = text.partition(".")[0]
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)


class RowIndex:
    """Finds the rows of a case: exactly, then loosely, then without leading zeros.

    A looser way counts only when the stricter one finds nothing, and only when it is unambiguous:
    the rows of "01" are not given to case "001" when there are rows of "1" too.
    """

    def __init__(self, rows: Iterable[ReportRow]) -> None:
        self._rows: dict[str, list[ReportRow]] = {}
        for row in rows:
            self._rows.setdefault(row.case_id, []).append(row)
        self._looser: list[dict[str, set[str]]] = []
        for form in (loose_id, loosest_id):
            ids: dict[str, set[str]] = {}
            for case_id in self._rows:
                ids.setdefault(form(case_id), set()).add(case_id)
            self._looser.append(ids)

    def row_id(self, case_id: str) -> str | None:
        """The id, as written in the tables, under which a case has its rows."""
        if case_id in self._rows:
            return case_id
        for form, ids in zip((loose_id, loosest_id), self._looser, strict=True):
            found = ids.get(form(case_id), set())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None

    def rows_for(self, case_id: str) -> list[ReportRow]:
        """Rows of a case, in the order they were read."""
        row_id = self.row_id(case_id)
        return list(self._rows[row_id]) if row_id is not None else []

    def unmatched(self, case_ids: Iterable[str]) -> list[ReportRow]:
        """Rows that belong to none of these cases."""
        used = {self.row_id(case_id) for case_id in case_ids}
        return [row for row_id, rows in self._rows.items() if row_id not in used for row in rows]


@dataclass(frozen=True)
class ReportColumns:
    """Which columns are shown, in what order and under which titles.

    Attributes
    ----------
    show
        Columns that come first, in this order.
    hide
        Columns that are not shown.
    titles
        Title by column.
    id_columns
        Columns that may hold the case id, best first.
    only_listed
        Whether columns that ``show`` does not name are left out.
    """

    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    id_columns: tuple[str, ...] = ()
    only_listed: bool = False

    def order(self, columns: Sequence[str]) -> list[str]:
        """Columns of a table that are shown, in order."""
        places = {column_key(name): place for place, name in enumerate(self.show)}
        hidden = {column_key(name) for name in self.hide}
        shown = [
            name
            for name in columns
            if column_key(name) in places
            or (not self.only_listed and column_key(name) not in hidden)
        ]
        return sorted(shown, key=lambda name: places.get(column_key(name), len(places)))

    def fields(self, row: ReportRow) -> list[tuple[str, str]]:
        """Title and text of what is shown of a row; empty cells are left out."""
        titles = {column_key(name): title for name, title in self.titles.items()}
        return [
            (titles.get(column_key(name), name), row.values[name].strip())
            for name in self.order(list(row.values))
            if row.values[name].strip()
        ]

    def id_column(self, columns: Sequence[str]) -> str | None:
        """The column of a table that holds the case id, judged by its title."""
        keys = {column_key(name): name for name in reversed(columns)}
        for wanted in self.id_columns:
            if column_key(wanted) in keys:
                return keys[column_key(wanted)]
        return None
