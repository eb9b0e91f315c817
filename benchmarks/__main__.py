"""``python -m benchmarks``: measure, print a table, write JSON."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.registry import Row, all_rows
from benchmarks.timing import Result, measure


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Measure this row; may be repeated.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("out/bench.json"),
    show_default=True,
    help="Where the figures are written.",
)
@click.option("--list", "list_only", is_flag=True, help="List the rows and stop.")
def main(only: tuple[str, ...], json_path: Path, list_only: bool) -> None:
    """Measure the program's figures against their baselines."""
    console = Console()
    rows = _chosen(only)
    if list_only:
        for row in rows:
            console.print(f"[bold]{row.name}[/]  {row.what}", highlight=False)
        return
    results = []
    for row in rows:
        with console.status(f"{row.name}: {row.what}"):
            results.append(measure(row))
    console.print(_table(results))
    document = {"machine": _machine(), "rows": [result.as_dict() for result in results]}
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {json_path}", highlight=False)


def _chosen(only: tuple[str, ...]) -> list[Row]:
    rows = all_rows()
    known = {row.name for row in rows}
    for name in only:
        if name not in known:
            raise click.UsageError(f"there is no row {name!r}; rows: {', '.join(sorted(known))}")
    return [row for row in rows if not only or row.name in only]


def _table(results: list[Result]) -> Table:
    """What was measured, what that is worth, and whether it is enough."""
    table = Table(title="medians of runs in turns", title_justify="left", show_lines=True)
    table.add_column("row", ratio=1)
    for heading in ("ours", "p95", "baseline", "ratio", "reach"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for result in results:
        row = result.row
        reach = [
            text.format(limit, result.unit)
            for text, limit in (
                ("{:g} x", row.reach_ratio),
                ("{:g} {}", row.reach),
                ("p95 {:g} {}", row.reach_p95),
            )
            if limit is not None
        ]
        table.add_row(
            "\n".join(
                [
                    f"[bold]{row.name}[/]",
                    row.what,
                    *([f"[dim]against {row.baseline}[/]"] * bool(row.baseline)),
                    *([f"[dim]{result.note}[/]"] * bool(result.note)),
                ]
            ),
            _figure(result.ours, result.unit),
            _figure(result.ours_p95, result.unit),
            _figure(result.baseline, result.unit),
            "" if result.ratio is None else f"{result.ratio:.3f}",
            "\n".join(reach),
            "[green]yes[/]" if result.is_reached else "[red]no[/]",
        )
    return table


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def _machine() -> dict[str, object]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
