"""The command line ``ct-infer``.

Errors are one sentence on standard error; the exit code is 2 for bad input and 1 for a failure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from inference.cli_evaluate import evaluate
from inference.cli_run import CommandFailed, batch, manifest, models, run
from inference.cli_train import train


@click.group()
def cli() -> None:
    """Models and synthetic patients for CT Labeler."""


for command in (models, run, batch, manifest, train, evaluate):
    cli.add_command(command)


@cli.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to fill."
)
@click.option("--cases", default=3, show_default=True, type=click.IntRange(1, 9999))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--spacing",
    "spacing_mm",
    default=1.5,
    show_default=True,
    type=click.FloatRange(0.3, 7.0),
    help="Pixel size in mm; slices are 5/3 as thick.",
)
def phantom(out: Path, cases: int, seed: int, spacing_mm: float) -> None:
    """Write synthetic four-phase patients: images, masks and reports."""
    if out.is_dir() and any(out.iterdir()):  # masks in it may have been worked on
        raise click.ClickException(f"{out} is there already; name a new or an empty folder.")
    # loaded here: the phantom brings numba, which other commands do not need
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from inference.phantom.writing import write_examples

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Phantom", total=1.0)

        def progress(fraction: float, text: str) -> None:
            bar.update(task, completed=fraction, description=text)

        files = write_examples(out, cases, seed, spacing_mm, progress=progress)
    click.echo(f"Wrote {cases} case{'s' if cases > 1 else ''} ({len(files)} files) to {out}.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """
    try:
        code = cli.main(arguments, prog_name="ct-infer", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"ct-infer: {error.format_message()}", err=True)
        return 1 if isinstance(error, CommandFailed) else 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("ct-infer: stopped.", err=True)
        return 1
    except ValueError as error:
        click.echo(f"ct-infer: {error}", err=True)
        return 2
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"ct-infer: {error.strerror or error}{where}.", err=True)
        return 1
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
