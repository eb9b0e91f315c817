"""``ct-infer models``, ``run`` and ``batch``: what models there are, and what they find."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inference.cli_options import device_option

if TYPE_CHECKING:
    from inference.batch import Row
    from inference.contract import Card, Context, ParamValue
    from inference.registry import ModelEntry

_folders = click.option(
    "--models",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of third-party models, or of one; may be given several times.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_params = click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the model."
)
_overwrite = click.option("--overwrite", is_flag=True, help="Replace results that are there.")


@click.command()
@_folders
@_json
def models(folders: tuple[Path, ...], as_json: bool) -> None:
    """List the models, with what they need and what is wrong with them."""
    from inference.registry import list_models

    entries = list_models(folders)
    if as_json:
        click.echo(json.dumps([_described(entry) for entry in entries], indent=1))
        return
    for entry in entries:
        card = entry.card
        click.echo(f"{entry.id}: {card.title if card else entry.source}")
        if card:
            click.echo(f"  {card.intended_use}")
            needs = " and ".join(card.needs) or f"one of {', '.join(card.phases)}"
            click.echo(f"  needs {needs}; licence: {card.licence}")
            for parameter in card.parameters:
                click.echo(
                    f"  --param {parameter.name}={parameter.default}: {parameter.description}"
                )
        if entry.problem:
            click.echo(f"  cannot be used: {entry.problem}")


def _described(entry: ModelEntry) -> dict[str, object]:
    card = entry.card
    return {
        "id": entry.id,
        "family": card.family if card else None,
        "available": entry.available,
        "problem": entry.problem,
        "phases": list(card.phases) if card else [],
        "labels": {str(value): name for value, name in card.labels.items()} if card else {},
        "licence": card.licence if card else None,
        "weights": card.weights if card else None,
        "title": card.title if card else None,
        "version": card.version if card else None,
        "needs": list(card.needs) if card else [],
        "intended_use": card.intended_use if card else None,
        "demonstration": card.demonstration if card else None,
        "parameters": [vars(parameter) for parameter in card.parameters] if card else [],
        "source": entry.source,
    }


@click.command()
@click.argument("model")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@device_option
@_params
@_folders
@_overwrite
@_json
def run(
    model: str,
    inputs: tuple[str, ...],
    out: Path,
    device: str,
    params: tuple[str, ...],
    folders: tuple[Path, ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Run MODEL on one case and write what it finds.

    INPUT is a NIfTI file, a folder of them, a DICOM folder, or PHASE=FILE with the phase NC, ART,
    PV or DL. MODEL is an id of `ct-infer models`.
    """
    from inference.batch import run_case
    from inference.registry import find_model
    from inference.volumes import find_inputs
    from inference.worker import RefusedError, Worker, WorkerError

    card = find_model(model, folders).card()
    values = parse_params(card, params)
    found = find_inputs(inputs)
    try:
        with Worker(folders=folders, device=device) as worker, _progress() as context:
            document = run_case(worker, card, found, values, out, context, overwrite=overwrite)
    except RefusedError as error:
        raise click.ClickException(str(error)) from error
    except WorkerError as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        click.echo(json.dumps(document, indent=1))
        return
    for warning in document["warnings"]:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(document["report"] or card.intended_use)
    for kind in ("mask", "landmarks"):
        if document[kind]:
            click.echo(f"Wrote {document[kind]}.")
    click.echo(f"{document['seconds']:.1f} s on {document['device']}.")


@click.command()
@click.argument("model")
@click.argument("images", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@device_option
@_params
@_folders
@_overwrite
@_json
def batch(
    model: str,
    images: Path,
    out: Path,
    workers: int,
    device: str,
    params: tuple[str, ...],
    folders: tuple[Path, ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Run MODEL on every case in IMAGES: folders of phases, or files named CASE_PHASE.nii.gz.

    OUT gets a folder for each case, and batch.csv. Cases that have their result already are
    passed over, so a batch that was stopped goes on where it was. A case that fails stops no
    other; the exit code is 1 then. Without a terminal each case is a line on standard error.
    """
    from inference.batch import find_cases, run_batch
    from inference.registry import find_model

    card = find_model(model, folders).card()
    values = parse_params(card, params)
    cases = find_cases(images)
    count = itertools.count(1)

    def tell(row: Row) -> None:
        """Say what became of a case, where there is no bar."""
        if not sys.stderr.isatty():
            problem = f": {row.problem}" if row.problem else ""
            click.echo(f"{next(count)}/{len(cases)} {row.case} {row.state}{problem}", err=True)

    with _progress() as context:
        rows = run_batch(
            card,
            cases,
            values,
            out,
            context,
            workers=workers,
            folders=folders,
            device=device,
            overwrite=overwrite,
            told=tell,
        )
    failed = [row for row in rows if row.state == "failed"]
    if as_json:
        click.echo(json.dumps([vars(row) for row in rows], indent=1))
    else:
        for row in failed if sys.stderr.isatty() else ():
            click.echo(f"{row.case}: {row.problem}", err=True)
        click.echo(f"{len(rows) - len(failed)} of {len(rows)} cases done; see {out / 'batch.csv'}.")
    if failed:
        raise CommandFailed(f"{len(failed)} of {len(rows)} cases failed.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--licence", required=True, help="Under which the weights may be used.")
@click.option(
    "--id", "model_id", default="", help="Name of the model; made from its title if not given."
)
@click.option("--intended-use", default="", help="Shown wherever a result is.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the manifest, where that of the weights cannot be written to.",
)
def manifest(
    folder: Path, licence: str, model_id: str, intended_use: str, out: Path | None
) -> None:
    """Write the model.toml of an nnU-Net v2 folder or MONAI bundle that has none.

    It pins the hashes of the weights. Folders of TotalSegmentator are nnU-Net folders.
    """
    from inference.external.manifests import write_manifest

    path = write_manifest(folder, licence=licence, id=model_id, intended_use=intended_use, out=out)
    click.echo(f"Wrote {path}.")


class CommandFailed(click.ClickException):
    """A failure that is not the fault of what was asked: exit code 1."""

    exit_code = 1


def parse_params(card: Card, params: tuple[str, ...]) -> dict[str, ParamValue]:
    """Return parameters as the model's card says: every one, with its default if not given.

    Raises
    ------
    click.BadParameter
        An unknown name, or a value of another kind or outside the choices.
    """
    known = {parameter.name: parameter for parameter in card.parameters}
    values = {name: parameter.default for name, parameter in known.items()}
    for param in params:
        name, sign, text = param.partition("=")
        if not sign or name not in known:
            names = ", ".join(known) or "none"
            raise click.BadParameter(f"{param}: the parameters of {card.id} are {names}")
        default = known[name].default
        value: ParamValue = text
        try:
            if isinstance(default, bool):
                value = {"true": True, "false": False}[text.lower()]
            elif isinstance(default, int | float):
                value = type(default)(text)
        except (KeyError, ValueError) as error:
            raise click.BadParameter(
                f"{name} must be a {type(default).__name__}, not {text}"
            ) from error
        choices = known[name].choices
        if choices and value not in choices:
            raise click.BadParameter(f"{name} must be one of {', '.join(map(str, choices))}")
        values[name] = value
    return values


@contextlib.contextmanager
def _progress() -> Iterator[Context]:
    """Show a bar with the time left on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from inference.progress import TimeLeft

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Starting", total=1.0, left="")
        time_left = TimeLeft()

        class _Bar:
            def report(self, fraction: float, text: str) -> None:
                left_s = time_left.update(fraction)
                left = "" if left_s is None else f"{left_s:.0f} s left"
                bar.update(task, completed=fraction, description=text, left=left)

            def check(self) -> None:
                """Ctrl+C interrupts by itself."""

        yield _Bar()
