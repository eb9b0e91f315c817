"""``ct-infer evaluate``: how good the shipped models are where the truth is known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from inference.cli_options import device_option, folder_option, model_option

FIRST_SEED = 2_000_000
"""Far from every seed that training uses."""

_seed_option = click.option(
    "--seed", default=FIRST_SEED, show_default=True, type=click.IntRange(min=0)
)


@click.group()
def evaluate() -> None:
    """Measure a model on patients it was never trained on."""


@evaluate.command()
@folder_option(
    "--out",
    required=True,
    is_there=False,
    help_text="Folder for report.html, figures.csv, cases.csv, and results of each patient.",
)
@click.option("--cases", default=50, show_default=True, type=click.IntRange(1, 10_000))
@_seed_option
@model_option
@folder_option(
    "--compare",
    help_text="Folder of a model of which the second stage is measured beside that of the model, "
    "as a variant named after the folder.",
)
@folder_option(
    "--patients",
    is_there=False,
    help_text="Folder that keeps the patients for the next time; they are made anew without.",
)
@device_option
def liver(
    out: Path,
    cases: int,
    seed: int,
    model: Path | None,
    compare: Path | None,
    patients: Path | None,
    device: str,
) -> None:
    """Measure the liver model with four phases and with the non-contrast one alone.

    What is done so far is written after every patient. The same command goes on where it was
    stopped, as long as the weights are the same.
    """
    # loaded here: torch and numba take seconds, and other commands do not need them
    from inference.devices import resolve_device
    from inference.evaluation.liver import CaseResult, evaluate_patient
    from inference.evaluation.report import report_html
    from inference.evaluation.store import read_results, write_results
    from inference.evaluation.summary import cases_csv, figures, figures_csv
    from inference.liver import LiverFactory
    from inference.training.scanned import Scanned, ScannedPool, scanned_patient
    from inference.weights import sha256_of

    processor = resolve_device(device)
    factories = [LiverFactory(model)]
    loaded = factories[0].load(processor)
    others = {}
    if compare:
        factories.append(LiverFactory(compare))
        others[f"second stage: {compare.name}"] = factories[1].load(processor).second_look
    key = "-".join(sha256_of(factory.manifest_path)[:16] for factory in factories)
    pool = ScannedPool(patients) if patients else None
    (out / "patients").mkdir(parents=True, exist_ok=True)
    results: list[CaseResult] = []
    for n in range(cases):
        path = out / "patients" / f"{seed + n}.json"
        known = read_results(path, key)
        if known is None:
            patient = pool.get(seed + n) if pool else Scanned.of(scanned_patient(seed + n))
            known = list(evaluate_patient(loaded, patient, seed + n, others))
            write_results(path, known, key)
        results += known
        title = f"{loaded.card.title} {loaded.card.version}, {n + 1} synthetic patients"
        (out / "report.html").write_text(report_html(results, title), encoding="utf-8")
        (out / "figures.csv").write_text(figures_csv(figures(results)), encoding="utf-8")
        (out / "cases.csv").write_text(cases_csv(results), encoding="utf-8")
        click.echo(f"{n + 1} of {cases}", err=True)
    click.echo(f"Wrote the report of {cases} patients to {out / 'report.html'}.")


@evaluate.command()
@folder_option(
    "--out",
    required=True,
    is_there=False,
    help_text="Folder for report.html, figures.csv and scans.csv.",
)
@click.option("--cases", default=50, show_default=True, type=click.IntRange(0, 10_000))
@_seed_option
@click.option(
    "--variants",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Synthetic spines besides with each unusual number of vertebrae (T11, T13, L4, L6).",
)
@click.option("--masks", is_flag=True, help="Draw the vertebrae as well, and judge the masks.")
@folder_option(
    "--images",
    help_text="Folder of CTs with _ctd.json or vertebra masks beside them, instead of phantoms.",
)
@model_option
@device_option
def vertebra(
    out: Path,
    cases: int,
    seed: int,
    variants: int,
    masks: bool,
    images: Path | None,
    model: Path | None,
    device: str,
) -> None:
    """Measure the vertebra model on synthetic spines, whole and in part, or on real CTs.

    What is done so far is written after every scan, so that it may be stopped at any time.
    """
    import itertools

    from inference.devices import resolve_device
    from inference.evaluation.spine_report import spine_report_html
    from inference.evaluation.spine_scans import known_spines, phantom_spine, variant_spines
    from inference.evaluation.spine_summary import scans_csv, spine_figures, spine_figures_csv
    from inference.evaluation.vertebra import SpineResult, evaluate_spine
    from inference.progress import Silent
    from inference.vertebra import VertebraFactory

    loaded = VertebraFactory(model).load(resolve_device(device))
    usual = (phantom_spine(seed + n) for n in range(cases))
    unusual = variant_spines(seed + cases, variants)
    spines = known_spines(images) if images else itertools.chain(usual, unusual)
    draw = partial(loaded.draw, context=Silent()) if masks else None
    kind = f"CTs of {images.name}" if images else "synthetic spines"
    out.mkdir(parents=True, exist_ok=True)
    results: list[SpineResult] = []
    done = 0
    for done, spine in enumerate(spines, start=1):
        results += evaluate_spine(loaded.pipeline, spine, Silent(), draw)
        title = f"{loaded.card.title} {loaded.card.version}, {done} {kind}"
        (out / "report.html").write_text(spine_report_html(results, title), encoding="utf-8")
        (out / "figures.csv").write_text(
            spine_figures_csv(spine_figures(results)), encoding="utf-8"
        )
        (out / "scans.csv").write_text(scans_csv(results), encoding="utf-8")
        click.echo(f"{done}: {spine.name}", err=True)
    click.echo(f"Wrote the report of {done} scans to {out / 'report.html'}.")
