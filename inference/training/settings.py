"""Settings of a liver training: what ``config/train_liver.toml`` says, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PatientSettings(_Settings):
    """Who is trained on and who is validated on.

    Parameters
    ----------
    phantoms, validation : int
        How many phantoms of each kind.
    first_seed, first_validation_seed : int
        Their seeds count from here and never meet.
    real_share : float
        Part of the samples that shows a real anatomy.
    real_copies : int
        Copies of each real anatomy with other lesions.
    liver_only_share : float
        Part of those that comes from scans of which only the liver is labelled.
    random_contrast : float
        Part of the phantoms that is shown with meaningless attenuations.
    donor_share : float
        Part of the phantoms trained on that gets the organs of a donor, where one is at hand.
    """

    phantoms: int = Field(gt=0)
    validation: int = Field(gt=0)
    first_seed: int = 100_000
    first_validation_seed: int = 900_000
    real_share: float = Field(ge=0, le=1)
    real_copies: int = Field(gt=0)
    liver_only_share: float = Field(ge=0, le=1)
    random_contrast: float = Field(ge=0, le=1)
    donor_share: float = Field(default=0.0, ge=0, le=1)


class LoopSettings(_Settings):
    """How long and how fast one network is trained.

    Parameters
    ----------
    steps, warm_up_steps : int
    learning_rate, weight_decay, clip : float
    ema_decay : float
        Of the averaged weights that are validated and shipped.
    validate_every, save_every : int
        In steps.
    """

    steps: int = Field(gt=0)
    warm_up_steps: int = Field(ge=0)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    clip: float = Field(gt=0)
    ema_decay: float = Field(ge=0, lt=1)
    validate_every: int = Field(gt=0)
    save_every: int = Field(gt=0)


class StageSettings(LoopSettings):
    """How one network of stage 1 is trained.

    Parameters
    ----------
    window_kji : tuple of int
        Voxels of a sample, multiples of 16.
    features : tuple of int
        Channels of the network's levels.
    visits : int
        How often each sample is used, every time as another scan with other phases.
    block : int
        Samples whose visits are mixed.
    noise_hu : tuple of float
        Range of the SD of the noise.
    """

    window_kji: tuple[int, int, int]
    features: tuple[int, int, int, int, int, int]
    visits: int = Field(gt=0)
    block: int = Field(gt=0)
    noise_hu: tuple[float, float]


class LesionSettings(LoopSettings):
    """How the network of stage 2 is trained.

    Parameters
    ----------
    phantoms : int
        How many livers are painted.
    first_seed : int
        Their seeds count from here.
    widths : tuple of int
        Channels of the network's levels.
    level_batches, level_steps : int
        Batches and steps of the perceptron that is trained first.
    batch : int
        Patches of a step.
    examined, held_out : int
        Scanned patients whose real proposals are trained on, and by which the best weights are
        chosen.
    tuning : int
        Scanned patients on which the thresholds of the decisions are set.
    first_examined_seed, first_held_out_seed, first_tuning_seed : int
        Their seeds count from here and never meet.
    examinations_of_each : int
        Examinations that share a batch with one painted liver.
    batches_of_each : int
        Batches for which the same patients are used.
    looks : int
        Steps for which one batch is used, mirrored another way each time.
    negative_share : float
        Part of the patches that show no lesion where one is proposed.
    context_share : float
        Part of the lesions that are moved to another place of the same liver.
    noise_hu : tuple of float
        Range of the SD of the noise.
    """

    phantoms: int = Field(gt=0)
    first_seed: int = 300_000
    widths: tuple[int, int, int]
    level_batches: int = Field(gt=0)
    level_steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    examined: int = Field(ge=0)
    held_out: int = Field(gt=0)
    tuning: int = Field(gt=0)
    first_examined_seed: int = 500_000
    first_held_out_seed: int = 990_000
    first_tuning_seed: int = 970_000
    examinations_of_each: int = Field(gt=0)
    batches_of_each: int = Field(gt=0)
    looks: int = Field(gt=0)
    negative_share: float = Field(ge=0, le=1)
    context_share: float = Field(ge=0, le=1)
    noise_hu: tuple[float, float]


class LiverSettings(_Settings):
    """A whole training of the liver model: both networks of stage 1, and stage 2."""

    seed: int = Field(ge=0)
    patients: PatientSettings
    coarse: StageSettings
    fine: StageSettings
    lesions: LesionSettings


S = TypeVar("S", bound=BaseModel)


def read_settings_as(kind: type[S], path: Path) -> S:
    """Return the settings in a file, as those of one kind of training.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not TOML, or a value is missing, unknown or out of range.
    """
    try:
        with path.open("rb") as file:
            return kind.model_validate(tomllib.load(file))
    except ValueError as error:  # of tomllib and pydantic
        raise ValueError(f"{path} cannot be used: {error}") from error


def read_settings(path: Path) -> LiverSettings:
    """Return the settings of a liver training; see :func:`read_settings_as`."""
    return read_settings_as(LiverSettings, path)
