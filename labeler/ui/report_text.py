"""Report text as rich text: escaped, with sizes and liver segments set off."""

from __future__ import annotations

import html
import re
from pathlib import PurePath

from labeler.core.report import ReportRow
from labeler.ui import style

#: ``3.4 cm``, ``12 x 8 mm``, ``2.0x1.5x1.1 cm``; also with Chinese units.
_NUMBER = r"\d+(?:[.,]\d+)?"
_UNIT = "(?:cm|mm|\u516c\u5206|\u6beb\u7c73)"
_SIZE = rf"{_NUMBER}(?:\s*(?:cm|mm)?\s*[x\u00d7*]\s*{_NUMBER}){{0,2}}\s*{_UNIT}"

#: ``segment 8``, ``segments IVa/b``, ``S6``, ``Seg. 4/5``.
_PART = r"(?:VIII|VII|VI|IV|V|III|II|I|[1-8])[ab]?"
_MORE = rf"(?:\s*(?:/|,|-|\u2013|and)\s*(?:S\s?)?{_PART})*"
_SEGMENT = rf"(?:(?:segments?|seg\.?)\s*{_PART}|S[1-8][ab]?){_MORE}"

_NOTABLE = re.compile(rf"(?<![\w.])(?:{_SIZE}|{_SEGMENT})(?!\w)", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.]?([01]\d)[-/.]?([0-3]\d)(?!\d)")
_LONG_WORD = re.compile(r"[!-~]{32}")

#: Columns whose text is a date are shown in the title, not in the body.
MAX_DATE_TEXT = 24


def rich(text: str) -> str:
    """Escape text for a rich label; sizes and segments are set off, long words may wrap."""
    parts = []
    end = 0
    for match in _NOTABLE.finditer(text):
        parts.append(_plain(text[end : match.start()]))
        shown = _plain(match.group()).replace(" ", "&nbsp;")
        parts.append(
            f'<span style="background-color:{style.SELECTED};color:{style.BRIGHT}">{shown}</span>'
        )
        end = match.end()
    parts.append(_plain(text[end:]))
    return "".join(parts)


def notable(text: str) -> list[str]:
    """Sizes and liver segments that a text names, in order."""
    return [match.group() for match in _NOTABLE.finditer(text)]


def _plain(text: str) -> str:
    breakable = _LONG_WORD.sub(lambda match: match.group() + "\u200b", text)
    return html.escape(breakable).replace("\n", "<br>")


def date_of(text: str) -> str | None:
    """Date of a short text as ``2021-03-02``, ``None`` when it is none."""
    if len(text) > MAX_DATE_TEXT:
        return None
    match = _DATE.search(text)
    return None if match is None else "-".join(match.groups())


def card_title(row: ReportRow) -> str:
    """Source and date of a report row: ``Radiology \u00b7 2021-03-02``."""
    stem = PurePath(row.source).stem.replace("_", " ").strip()
    name = stem[:1].upper() + stem[1:]
    dates = (date_of(text) for text in row.values.values() if text != row.case_id)
    date = next((date for date in dates if date is not None), None)
    return f"{name} \u00b7 {date}" if date else name


def card_body(fields: list[tuple[str, str]]) -> str:
    """Rich text of a card: each column's title, dimmed, and its text.

    A single column has no title: the card's says enough.
    """
    if len(fields) == 1:
        return rich(fields[0][1])
    lines = [
        f'<p style="margin:0 0 {style.scaled(4)}px 0">'
        f'<span style="color:{style.DIM}">{html.escape(title)}</span>&nbsp; {rich(text)}</p>'
        for title, text in fields
    ]
    return "".join(lines)
