"""``ct-infer train``: training of the shipped networks."""

from __future__ import annotations

from pathlib import Path

import click

from inference.cli_options import folder_option, resume_option, settings_option


@click.group()
def train() -> None:
    """Train a family of networks."""


@train.command()
@folder_option(
    "--out",
    required=True,
    is_there=False,
    help_text="Folder of checkpoints, weights, curves and patients made so far.",
)
@resume_option
@settings_option("config/train_liver.toml")
@folder_option(
    "--anatomies",
    help_text="Folder with the free anatomies (LIDC-IDRI-0001, CPTAC-PDA) and with HuBMAP label "
    "maps, which lend their organs to phantoms; phantoms alone without.",
)
@click.option(
    "--stage",
    type=click.Choice(["organs", "lesions", "thresholds"]),
    default="organs",
    show_default=True,
    help="organs is stage 1, lesions stage 2, thresholds the numbers by which is decided. Each "
    "needs what comes before it in the same folder.",
)
def liver(
    out: Path, resume: bool, settings: Path | None, anatomies: Path | None, stage: str
) -> None:
    """Train the liver model: stage 1 (the coarse network, then the fine one), stage 2, thresholds.

    May be killed at any time; --resume goes on from the last checkpoint.
    """
    begun = {"organs": ("coarse", "fine"), "lesions": ("lesions",), "thresholds": ()}[stage]
    if not resume and any((out / name).exists() for name in begun):
        raise click.ClickException(f"there is a training in {out}; go on with it with --resume.")
    # loaded here: torch and numba take seconds, and other commands do not need them
    import logging

    from inference.locations import config_folder
    from inference.training.lesions import train_lesions
    from inference.training.liver import LiverTraining, known_anatomies, known_donors
    from inference.training.settings import read_settings
    from inference.training.thresholds import tune

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = read_settings(settings or config_folder() / "train_liver.toml")
    if stage != "organs":
        try:
            (train_lesions if stage == "lesions" else tune)(out, chosen)
        except ValueError as error:
            raise click.ClickException(f"{error}.") from error
        return
    found = known_anatomies(anatomies)
    click.echo(f"Real anatomies: {', '.join(a.name for a in found) or 'none'}.", err=True)
    donors = known_donors(anatomies)
    if chosen.patients.donor_share > 0.0:
        click.echo(f"Organ donors: {', '.join(d.name for d in donors) or 'none'}.", err=True)
    LiverTraining(out, chosen, found, donors).run()


@train.command()
@folder_option(
    "--out", required=True, is_there=False, help_text="Folder of checkpoints, weights and curves."
)
@resume_option
@settings_option("config/train_vertebra.toml")
@folder_option(
    "--anatomies",
    help_text="Folder with LIDC-IDRI-0001 and its label map, and with the mask of VerSe 004, which "
    "lends its vertebrae to phantoms; phantoms alone without.",
)
def vertebra(out: Path, resume: bool, settings: Path | None, anatomies: Path | None) -> None:
    """Train the vertebra model: the centre network, the level network, the mask network.

    What is trained already in the folder stays as it is.

    May be killed at any time; --resume goes on from the last checkpoint.
    """
    if not resume and any((out / stage).exists() for stage in ("levels", "centres", "masks")):
        raise click.ClickException(f"there is a training in {out}; go on with it with --resume.")
    import logging

    from inference.locations import config_folder
    from inference.training.liver import known_anatomies
    from inference.training.spine_stream import known_columns
    from inference.training.vertebra import VertebraTraining, read_vertebra_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = read_vertebra_settings(settings or config_folder() / "train_vertebra.toml")
    # those of which only the liver is labelled say nothing about vertebrae
    found = [(a.ct, a.labels) for a in known_anatomies(anatomies) if not a.liver_only]
    columns = known_columns(anatomies)
    click.echo(f"Real anatomies: {len(found)}, masks of vertebrae: {len(columns)}.", err=True)
    VertebraTraining(out, chosen, tuple(found), columns).run()


@train.command()
@click.argument("family", type=click.Choice(["liver", "vertebra"]))
@folder_option(
    "--from",
    "training",
    required=True,
    help_text="Folder of the training.",
)
@folder_option(
    "--to",
    "target",
    required=True,
    is_there=False,
    help_text="Folder of the model: weights, curves and card.",
)
@click.option("--version", required=True, help="Of the model.")
@settings_option("config/train_FAMILY.toml")
def export(family: str, training: Path, target: Path, version: str, settings: Path | None) -> None:
    """Make a model of the best weights of a training, which may still run."""
    from inference.locations import config_folder

    path = settings or config_folder() / f"train_{family}.toml"
    if family == "vertebra":
        from inference.training.export_vertebra import export_vertebra
        from inference.training.vertebra import read_vertebra_settings

        export_vertebra(training, target, read_vertebra_settings(path), version)
    else:
        from inference.training.export import export_liver
        from inference.training.settings import read_settings

        export_liver(training, target, read_settings(path), version)
    click.echo(f"Wrote the {family} model to {target}.")
