"""What commands print: JSON documents, tables, progress bars.

rich is imported when the first table or bar is shown.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import click

#: Work that takes longer shows a progress bar.
_PATIENCE_S = 1.0


def print_json(document: object) -> None:
    """Print one JSON document and nothing else."""
    # ASCII: what a terminal's encoding cannot show, and names that are no text, get through.
    click.echo(json.dumps(document, indent=1))


def print_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int | None = None
) -> None:
    """Print a table on standard output; columns from ``numbers_from`` on are set flush right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    encoding = sys.stdout.encoding or "ascii"
    table = Table(
        box=box.SIMPLE_HEAD if encoding.lower() == "utf-8" else box.ASCII2, pad_edge=False
    )
    for place, title in enumerate(titles):
        is_number = numbers_from is not None and place >= numbers_from
        table.add_column(title, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(_plain(cell, encoding) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False, markup=False).print(table)


def _plain(text: str, encoding: str) -> str:
    """What a terminal of this encoding can show of a text, without control characters."""
    text = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    return text.encode(encoding, "replace").decode(encoding)


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error when the work takes long.

    Yields ``advance(steps, text="")``, which moves it on.
    """
    if not sys.stderr.isatty():
        yield lambda steps, text="": None
        return
    from rich.console import Console
    from rich.progress import Progress

    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, visible=False)

        is_shown = False

        def advance(steps: int, text: str = "") -> None:
            nonlocal is_shown
            was_shown, is_shown = is_shown, time.monotonic() - started > _PATIENCE_S
            bar.update(
                task,
                advance=steps,
                visible=is_shown,
                description=text or title,
                refresh=is_shown and not was_shown,  # later ones are drawn ten times a second
            )

        yield advance
