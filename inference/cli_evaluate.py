"""``ct-infer evaluate``: how good the shipped models are on synthetic patients."""

from __future__ import annotations

from pathlib import Path

import click

FIRST_SEED = 2_000_000
"""Far from every seed that training uses."""


@click.group()
def evaluate() -> None:
    """Measure a model on synthetic patients it was never trained on."""


@evaluate.command()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.html, figures.csv and cases.csv.",
)
@click.option("--cases", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--seed", default=FIRST_SEED, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the model; the shipped one by default.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def liver(out: Path, cases: int, seed: int, model: Path | None, device: str) -> None:
    """Measure the liver model with four phases and with the non-contrast one alone.

    What is done so far is written after every patient, so that it may be stopped at any time.
    """
    # loaded here: torch and numba take seconds, and other commands do not need them
    from inference.devices import resolve_device
    from inference.evaluation.liver import CaseResult, evaluate_patient, unseen_patient
    from inference.evaluation.report import report_html
    from inference.evaluation.summary import cases_csv, figures, figures_csv
    from inference.liver import LiverFactory

    loaded = LiverFactory(model).load(resolve_device(device))
    out.mkdir(parents=True, exist_ok=True)
    results: list[CaseResult] = []
    for n in range(cases):
        patient = unseen_patient(seed + n)
        results += evaluate_patient(loaded, patient, seed + n)
        title = f"{loaded.card.title} {loaded.card.version}, {n + 1} synthetic patients"
        (out / "report.html").write_text(report_html(results, title), encoding="utf-8")
        (out / "figures.csv").write_text(figures_csv(figures(results)), encoding="utf-8")
        (out / "cases.csv").write_text(cases_csv(results), encoding="utf-8")
        click.echo(f"{n + 1} of {cases}", err=True)
    click.echo(f"Wrote the report of {cases} patients to {out / 'report.html'}.")
