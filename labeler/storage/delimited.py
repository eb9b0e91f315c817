"""Tables of separated values, read as far as they can be read.

Not :mod:`csv`: one quote that is not closed makes it swallow the rest of the file. Here such a row
is kept by itself, the next line begins a new row, and the damage is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

DELIMITERS = (",", ";", "\t", "|")

# A quoted cell longer than this is not closed: nobody writes such a report.
_MAX_CELL_CHARS = 4_000_000
_MAX_CELL_LINES = 20_000

#: After so many rows with broken quotes, quotes of this file are taken for plain text.
_MAX_BROKEN = 50

#: Problems of one kind that are named one by one.
_MAX_NAMED = 5


@dataclass
class Table:
    """A table as text.

    Attributes
    ----------
    columns
        Titles, made unique; never empty text.
    rows
        Line of the file (from 1) and one text per column.
    problems
        Sentences that begin with a line number or speak of the whole file.
    """

    columns: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Record:
    line: int
    cells: list[str]
    is_broken: bool = False
    has_stray_quote: bool = False


def parse_table(text: str) -> Table:
    """Parse a table whose separator is found by itself; never raises.

    Rows with too few cells are filled with empty ones; what is too much goes, with its separators,
    into the last column. Both are named in the problems.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = 0
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start == len(lines):
        return Table(problems=["is empty"])
    delimiter = ""
    if lines[start].lower().startswith("sep=") and len(lines[start]) == 5:
        delimiter = lines[start][4]  # what spreadsheets write for themselves
        start += 1
    delimiter = delimiter or _find_delimiter(lines, start)
    records = _records(lines, start, delimiter)
    head = next(records, _Record(start + 1, []))
    table = Table(columns=_unique_titles(head.cells))
    faults = _Faults(len(table.columns))
    for record in records:
        if any(cell.strip() for cell in record.cells):
            faults.note(record)
            table.rows.append((record.line, _fitted(record.cells, len(table.columns), delimiter)))
    table.problems = faults.sentences()
    if not table.rows:
        table.problems.append("the table has no rows")
    return table


def _fitted(cells: list[str], count: int, delimiter: str) -> list[str]:
    if len(cells) > count:
        return [*cells[: count - 1], delimiter.join(cells[count - 1 :]).rstrip(delimiter)]
    return cells + [""] * (count - len(cells))


def _unique_titles(cells: list[str]) -> list[str]:
    titles: list[str] = []
    for place, cell in enumerate(cells, start=1):
        title = " ".join(cell.split()) or f"Column {place}"
        name, number = title, 2
        while name in titles:
            name, number = f"{title} ({number})", number + 1
        titles.append(name)
    return titles


class _Faults:
    """Counts what is wrong with rows and names the first few."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines: dict[str, list[int]] = {}

    def note(self, record: _Record) -> None:
        if record.is_broken:
            self._add("a quote is not closed; the row was kept as far as it can be read", record)
        elif record.has_stray_quote:
            self._add("a quote stands inside a quoted text and was taken as part of it", record)
        extra = [cell for cell in record.cells[self._columns :] if cell.strip()]
        if extra:
            self._add("there are more cells than columns; the rest is in the last column", record)
        elif len(record.cells) < self._columns and not record.is_broken:
            self._add("there are fewer cells than columns; the rest is empty", record)

    def _add(self, kind: str, record: _Record) -> None:
        self._lines.setdefault(kind, []).append(record.line)

    def sentences(self) -> list[str]:
        """One sentence a kind, with the first lines it was seen on."""
        texts = []
        for kind, lines in self._lines.items():
            named = ", ".join(str(line) for line in lines[:_MAX_NAMED])
            more = f" and {len(lines) - _MAX_NAMED} more" if len(lines) > _MAX_NAMED else ""
            texts.append(f"line{'s' if len(lines) > 1 else ''} {named}{more}: {kind}")
        return texts


def _find_delimiter(lines: list[str], start: int) -> str:
    """The separator that splits the header into most cells and the next rows into as many."""
    sample = lines[start : start + 60]
    best, best_score = ",", (1, 0.0)
    for delimiter in DELIMITERS:
        records = list(_records(sample, 0, delimiter))[:40]
        if not records:
            continue
        count = len(records[0].cells)
        agreeing = sum(len(record.cells) == count for record in records) / len(records)
        if count > 1 and (count, agreeing) > best_score:
            best, best_score = delimiter, (count, agreeing)
    return best


def _records(lines: list[str], start: int, delimiter: str) -> Iterator[_Record]:
    place, broken = start, 0
    while place < len(lines):
        line = lines[place]
        if '"' not in line or broken >= _MAX_BROKEN:
            if line:
                yield _Record(place + 1, line.split(delimiter))
            place += 1
            continue
        record, after = _QuotedRecord(lines, place, delimiter).read()
        broken += record.is_broken
        yield record
        place = after


class _QuotedRecord:
    """Reads one record that holds quotes, which may run over several lines."""

    def __init__(self, lines: list[str], start: int, delimiter: str) -> None:
        self._lines = lines
        self._start = start
        self._delimiter = delimiter
        self._place = start  # line being read
        self._column = 0  # character of that line
        self._stray = False

    def read(self) -> tuple[_Record, int]:
        """Return the record and the line after it."""
        cells: list[str] = []
        while True:
            opened_at = self._column
            cell = self._cell()
            if cell is None:
                rest = self._lines[self._start][opened_at:].lstrip(" ").removeprefix('"')
                if self._place == self._start or opened_at <= len(self._lines[self._start]):
                    cells += rest.split(self._delimiter)
                return _Record(self._start + 1, cells, is_broken=True), self._start + 1
            cells.append(cell)
            line = self._lines[self._place]
            if self._column >= len(line):
                record = _Record(self._start + 1, cells, has_stray_quote=self._stray)
                return record, self._place + 1
            self._column += 1  # the separator

    def _cell(self) -> str | None:
        """Read one cell and stop before its separator; ``None`` when its quote is not closed."""
        line = self._lines[self._place]
        begin = self._column
        while line.startswith(" ", begin):
            begin += 1
        if line.startswith('"', begin):
            self._column = begin + 1
            return self._quoted()
        end = line.find(self._delimiter, self._column)
        end = len(line) if end < 0 else end
        text, self._column = line[self._column : end], end
        return text

    def _quoted(self) -> str | None:
        parts: list[str] = []
        opened, size = self._place, 0
        while True:
            line = self._lines[self._place]
            quote = line.find('"', self._column)
            if quote < 0:
                parts += [line[self._column :], "\n"]
                size += len(line) + 1
                self._place, self._column = self._place + 1, 0
                too_long = size > _MAX_CELL_CHARS or self._place - opened > _MAX_CELL_LINES
                if too_long or self._place >= len(self._lines):
                    return None
                continue
            parts.append(line[self._column : quote])
            if line.startswith('""', quote):
                parts.append('"')
                self._column = quote + 2
                continue
            end = quote + 1
            while line.startswith(" ", end):
                end += 1
            if end == len(line) or line.startswith(self._delimiter, end):
                self._column = end
                return "".join(parts)
            if self._place > opened and (quote == 0 or line[quote - 1] == self._delimiter):
                return None  # here a new row begins: the quote before it was never closed
            parts.append('"')
            self._stray = True
            self._column = quote + 1
