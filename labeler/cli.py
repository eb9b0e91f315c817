"""The ``ct-labeler`` command.

Results go to standard output, everything else to standard error. Exit codes: 0, 1 (failed, or a
problem was found) and 2 (bad input). Importing this module loads neither Qt nor the readers.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeler import __version__, terminal
from labeler.storage.layouts import LAYOUTS

if TYPE_CHECKING:
    from labeler.storage.cases import Case, CaseSet

FAILED, BAD_INPUT = 1, 2

#: Variables that say where Qt can show a window; without one it ends the process.
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")

_FOLDER = click.Path(path_type=Path)
_CSV = click.Path(path_type=Path, exists=True, dir_okay=False)


class _BadInput(click.ClickException):
    """What was asked for makes no sense."""

    exit_code = BAD_INPUT


class _Size(click.ParamType[tuple[int, int]]):
    """Width and height in pixels, ``1920x1080``."""

    name = "WxH"

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", str(value))
        width, height = (int(match[1]), int(match[2])) if match else (0, 0)
        if not (640 <= width <= 7680 and 400 <= height <= 4320):
            self.fail(f"{value!r} is no size from 640x400 to 7680x4320.", param, context)
        return width, height


class _Commands(click.Group):
    """Commands by name; anything else opens the window."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, "--help", "--version"}:
            args = ["window", *args]
        return super().parse_args(context, args)

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(
            context.command_path,
            "[IMAGES] [--masks DIR] [--reports CSV]... [--case ID] [--layout NAME]",
        )
        formatter.write_usage(context.command_path, "COMMAND [ARGS]...", prefix="       ")


_images_argument = click.argument("images", type=_FOLDER)
_layout_option = click.option(
    "--layout", type=click.Choice(LAYOUTS), help="How the files are arranged; else detected."
)
_masks_option = click.option(
    "--masks", type=_FOLDER, help="Folder of masks; else beside or among the images."
)
_reports_option = click.option(
    "--reports", type=_CSV, multiple=True, help="Report table; may be given several times."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["--help"]})
@click.version_option(__version__, prog_name="ct-labeler")
def cli() -> None:
    """Look at four-phase liver CT, judge what a model drew, correct it, save it.

    Without a command the window opens, on IMAGES when given. A folder that is called like a
    command can be opened as ./NAME.
    """


@cli.command(hidden=True)
@click.argument("images", type=_FOLDER, required=False)
@_masks_option
@_reports_option
@click.option("--case", "case_id", help="Case to open; else the first.")
@_layout_option
def window(
    images: Path | None,
    masks: Path | None,
    reports: tuple[Path, ...],
    case_id: str | None,
    layout: str | None,
) -> int:
    """Open the window."""
    if images is not None:
        _check_folders(images, None)
    if sys.platform == "linux" and not any(map(os.environ.get, _SCREENS)):
        raise click.ClickException(
            "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set); "
            "'ct-labeler snapshot' draws the window to a file."
        )
    from labeler import app

    return app.run(images, masks, reports, case_id, layout)


@cli.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--cases", "count", type=click.IntRange(1, 10_000), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option(
    "--anatomy",
    nargs=2,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CT LABELMAP",
    help="Make the cases from a real CT and its organ label map.",
)
def example(folder: Path, count: int, seed: int, anatomy: tuple[Path, Path] | None) -> None:
    """Write example four-phase cases with masks and reports to DIR.

    Makes DIR/images, DIR/masks and DIR/reports; equal seeds give equal files.
    """
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise _BadInput(f"{folder} is there already; name a new or an empty folder.")
    from inference.phantom.writing import write_examples

    with terminal.progress("Writing example cases", 100) as advance:
        done = 0

        def report(fraction: float, text: str) -> None:
            nonlocal done
            steps, done = int(100 * fraction) - done, int(100 * fraction)
            advance(steps, text)

        try:
            write_examples(folder, count, seed, anatomy=anatomy, progress=report)
        except ValueError as error:
            raise _BadInput(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"Nothing more was written: {error}.") from error
    click.echo(f"Written: {folder / 'images'}, {folder / 'masks'}, {folder / 'reports'}")


@cli.command()
@_images_argument
@_masks_option
@_layout_option
@_json_option
def cases(images: Path, masks: Path | None, layout: str | None, as_json: bool) -> None:
    """Print what is found in IMAGES: cases, layout, phases, masks, problems."""
    found = _scan(images, masks, layout)
    from labeler.workflows.case_documents import case_document, inspect_all

    known = []
    with terminal.progress("Reading headers", len(found.cases)) as advance:
        for case in inspect_all(found.cases):
            known.append(case)
            advance(1)
    for sentence in found.problems:
        click.echo(sentence, err=True)
    if as_json:
        terminal.print_json([case_document(case) for case in known])
        return
    click.echo(f"{_count(known)}, layout {found.layout}, masks in {found.mask_root}")
    rows = [
        (
            case.id,
            case.status,
            " ".join(case.phases),
            "\n".join(mask.name for mask in case.masks),
            "\n".join(case.problems),
        )
        for case in known
    ]
    terminal.print_table(("Case", "Status", "Phases", "Masks", "Problems"), rows)


@cli.command()
@_images_argument
@click.option("--case", "case_id", required=True, help="Case to measure.")
@_masks_option
@click.option("--mask", "mask_name", help="Only this mask.")
@_layout_option
@_json_option
def regions(
    images: Path,
    case_id: str,
    masks: Path | None,
    mask_name: str | None,
    layout: str | None,
    as_json: bool,
) -> int:
    """Print the regions of a case's masks with their HU in every phase."""
    case = _find_case(_scan(images, masks, layout), case_id)
    from labeler.storage.cases import inspect
    from labeler.storage.label_files import load_label_table
    from labeler.workflows.case_documents import measure_case, region_documents

    wanted = [mask for mask in case.masks if mask_name in (None, mask.name)]
    if mask_name is not None and not wanted:
        names = ", ".join(mask.name for mask in case.masks) or "none"
        raise _BadInput(f"Case {case.id} has no mask {mask_name!r}; its masks: {names}.")
    case = inspect(case)
    with terminal.progress("Reading", len(case.phases) + len(wanted)) as advance:
        measured = measure_case(case, wanted, lambda: advance(1))
    labels, label_problems = load_label_table(case.mask_root)
    for sentence in (*label_problems, *measured.phase_problems, *measured.mask_problems):
        click.echo(sentence, err=True)
    documents = region_documents(measured, labels)
    if as_json:
        terminal.print_json(documents)
    else:
        _print_regions(documents, measured.phases)
    return FAILED if measured.mask_problems else 0


def _print_regions(documents: Sequence[dict[str, Any]], phases: Sequence[str]) -> None:
    titles = ("Mask", "Id", "Label", "ml", "mm", *(f"{phase} HU" for phase in phases))
    rows = [
        (
            region["mask"],
            str(region["id"]),
            f"{region['label']} {region['name']}",
            f"{region['volume_ml']:.1f}",
            f"{region['diameter_mm']:.0f}",
            *(f"{hu[p]['mean']:.0f} ± {hu[p]['sd']:.0f}" if p in hu else "" for p in phases),
        )
        for region in documents
        for hu in [region["hu"]]
    ]
    terminal.print_table(titles, rows, numbers_from=3)


@cli.command()
@_images_argument
@click.option("--case", "case_id", required=True, help="Case to draw.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@_masks_option
@_reports_option
@_layout_option
@click.option("--size", type=_Size(), default=(1920, 1080), help="Pixels.  [default: 1920x1080]")
@click.option("--region", type=click.IntRange(min=1), help="Jump to the N-th region of the list.")
@click.option(
    "--perspective",
    type=click.Choice(["liver", "audit", "spine"]),
    default="liver",
    show_default=True,
)
def snapshot(
    images: Path,
    case_id: str,
    out: Path,
    masks: Path | None,
    reports: tuple[Path, ...],
    layout: str | None,
    size: tuple[int, int],
    region: int | None,
    perspective: str,
) -> None:
    """Draw the real window off screen to a PNG file."""
    case = _find_case(_scan(images, masks, layout), case_id)
    from labeler import offscreen

    try:
        offscreen.snapshot(images, masks, reports, case.id, out, size, region, perspective, layout)
    except offscreen.SnapshotError as error:
        raise _BadInput(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error}.") from error


@cli.command()
@_images_argument
@_masks_option
@_layout_option
def check(images: Path, masks: Path | None, layout: str | None) -> int:
    """Verify that every file can be read and fits; exit 1 on a problem.

    Reads headers, all voxels with their checksums, masks, notes and labels.
    """
    found = _scan(images, masks, layout)
    from labeler.workflows.check_cases import check_cases, check_folders

    findings = check_folders(found)
    with terminal.progress("Checking", len(found.cases)) as advance:
        for of_case in check_cases(found.cases):
            findings += of_case
            advance(1)
    if findings:
        rows = [(finding.case_id, finding.sentence) for finding in findings]
        terminal.print_table(("Case", "Problem"), rows)
    bad = {finding.case_id for finding in findings}
    click.echo(f"{_count(found.cases)} checked, {len(bad - {''})} with problems")
    return FAILED if findings else 0


def _check_folders(images: Path, masks: Path | None) -> None:
    if not os.path.exists(images):
        raise _BadInput(f"{images} does not exist.")
    if masks is not None and not os.path.isdir(masks):
        raise _BadInput(f"The mask folder {masks} does not exist.")


def _scan(images: Path, masks: Path | None, layout: str | None) -> CaseSet:
    _check_folders(images, masks)
    from labeler.storage.cases import scan

    return scan(images, masks, layout)


def _find_case(found: CaseSet, case_id: str) -> Case:
    for case in found.cases:
        if case.id == case_id:
            return case
    near = difflib.get_close_matches(case_id, [case.id for case in found.cases], 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise _BadInput(f"There is no case {case_id!r} in {found.image_root}{hint}")


def _count(cases: Sequence[Case]) -> str:
    return f"{len(cases)} case{'' if len(cases) == 1 else 's'}"


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and exit."""
    try:
        code = cli.main(args, prog_name="ct-labeler", standalone_mode=False)
    except click.ClickException as error:
        click.echo(" ".join(error.format_message().split()), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code if isinstance(code, int) else 0)
