"""Training of the three networks of the vertebra model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field

from inference.training.loop import Scores, Training
from inference.training.samples import loader
from inference.training.settings import StageSettings, read_settings_as
from inference.training.spine_stream import (
    CENTRE_SCENES,
    LEVEL_SCENES,
    MASK_SCENES,
    Scenes,
    SpineStream,
)
from inference.training.spines import (
    CentreSample,
    LevelSample,
    centre_sample,
    level_sample,
    soft_levels,
)
from inference.training.vertebra_masks import mask_loss, mask_sample, mask_scores
from inference.vertebra.networks import centre_network, level_network, mask_network

log = logging.getLogger(__name__)

_VALIDATION_SEED = 7_000_000
_HELD_VISITS = 4
"""Samples of each person that is validated on."""
_PEAK_MM = 6.0


class LevelSettings(StageSettings):
    """How the level network is trained.

    Parameters
    ----------
    variant_share : float
        Part of the painted people drawn among those with a vertebra more or less than usual; the
        others have one in 4 % anyhow.
    """

    variant_share: float = Field(ge=0, le=1)


class MaskSettings(StageSettings):
    """How the mask network is trained.

    Parameters
    ----------
    vertebrae : int
        Windows of a step, all of one person.
    real_share : float
        Part of the patients that is a real anatomy: shapes matter more here than elsewhere.
    """

    vertebrae: int = Field(gt=0)
    real_share: float = Field(ge=0, le=1)


class VertebraSettings(BaseModel):
    """A whole training: what ``config/train_vertebra.toml`` says.

    Parameters
    ----------
    seed : int
    validation : int
        Samples that decide which weights are the best; never trained on.
    real_share : float
        Part of the patients that is a real anatomy, where one is at hand.
    length : int
        Voxels along the straightened column that the centre network sees in training.
    levels : LevelSettings
    centres : StageSettings
        `window_kji` is not used.
    masks : MaskSettings
        `window_kji` is not used: the window is that of the network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0)
    validation: int = Field(gt=0)
    real_share: float = Field(ge=0, le=1)
    length: int = Field(gt=0, multiple_of=16)
    levels: LevelSettings
    centres: StageSettings
    masks: MaskSettings


def read_vertebra_settings(path: Path) -> VertebraSettings:
    """Return the settings of a vertebra training; see :func:`read_settings_as`."""
    return read_settings_as(VertebraSettings, path)


def level_loss(network: torch.nn.Module, sample: LevelSample) -> torch.Tensor:
    """Return the loss of the level network: where the column is, and which level within it."""
    logits = _output(network, sample.image)
    column, seen = sample.column.float(), sample.seen
    found = logits[0]
    entropy = F.binary_cross_entropy_with_logits(found[seen], column[seen])
    p = found.sigmoid() * seen
    dice = 1.0 - (2.0 * (p * column).sum() + 1.0) / (p.sum() + column.sum() + 1.0)
    if not sample.column.any():
        return entropy
    log_p = logits[1:, sample.column].log_softmax(dim=0)
    target = soft_levels(sample.along[sample.column], sample.levels)
    level = -(target * log_p).sum(dim=0).mean()
    return entropy * 2.0 + dice + level


def centre_loss(network: torch.nn.Module, sample: CentreSample) -> torch.Tensor:
    """Return the centre point loss of the centre network.

    H. Law and J. Deng, "CornerNet", ECCV 2018: a focal loss at the centres, softened around them.
    """
    heat = sample.heat
    logits = _output(network, sample.image)[0]
    log_p, log_not = F.logsigmoid(logits), F.logsigmoid(-logits)
    p = log_p.exp()
    positive = heat > 0.9
    gain = ((1.0 - p) ** 2 * log_p)[positive].sum()
    rest = ((1.0 - heat) ** 4 * p**2 * log_not)[~positive].sum()
    return -(gain + rest) / positive.sum().clamp(min=1)


def _output(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    batch = image[None].to(memory_format=torch.channels_last_3d)
    with torch.autocast(batch.device.type, dtype=torch.bfloat16):
        logits = network(batch)[0]
    return cast(torch.Tensor, logits.float())


def level_scores(network: torch.nn.Module, samples: list[LevelSample]) -> Scores:
    """Return how well the column is found, and how far off its levels are on average."""
    both = found_size = true_size = 0.0
    errors = []
    for sample in samples:
        with torch.no_grad():
            logits = _output(network, sample.image)
        found = (logits[0] > 0.0) & sample.seen
        both += float((found & sample.column).sum())
        found_size, true_size = (
            found_size + float(found.sum()),
            true_size + float(sample.column.sum()),
        )
        if sample.column.any():
            p = logits[1:, sample.column].softmax(dim=0)
            own = sample.levels[
                sample.along[sample.column].round().long().clamp(0, len(sample.levels) - 1)
            ]
            errors.append(float((p.argmax(dim=0) != own).float().mean()))
    dice = 2.0 * both / max(found_size + true_size, 1.0)
    right = 1.0 - float(np.mean(errors))
    return {"column": dice, "level": right, "score": 0.3 * dice + 0.7 * right}


def centre_scores(network: torch.nn.Module, samples: list[CentreSample]) -> Scores:
    """Return sensitivity and precision of the peaks: voxels higher than all within 6 mm."""
    hits = found = true = 0
    reach = round(_PEAK_MM / 2.0)
    for sample in samples:
        with torch.no_grad():
            p = _output(network, sample.image)[0].sigmoid()
        highest = F.max_pool3d(p[None, None], 2 * reach + 1, 1, reach)[0, 0]
        peaks = (p >= highest) & (p > 0.3)
        near = F.max_pool3d((sample.heat > 0.9)[None, None].float(), 5, 1, 2)[0, 0] > 0
        count = _spots(sample.heat)
        true += count
        found += int(peaks.sum())
        hits += min(int((peaks & near).sum()), count)
    recall, precision = hits / max(true, 1), hits / max(found, 1)
    return {"recall": recall, "precision": precision, "score": 0.5 * (recall + precision)}


def _spots(heat: torch.Tensor) -> int:
    """Return the number of centres in a target."""
    highest = F.max_pool3d(heat[None, None], 7, 1, 3)[0, 0]
    return int(((heat >= highest) & (heat > 0.7)).sum())


@dataclass(frozen=True)
class _Stage:
    """A network, what it is shown, and how it is judged."""

    name: str
    settings: StageSettings
    make: Callable[[Any], torch.nn.Module]
    sample: Callable[..., Any]
    scenes: Scenes
    real_share: float
    variant_share: float
    score: Callable[[torch.nn.Module, list[Any]], Scores]
    loss: Callable[[torch.nn.Module, Any], torch.Tensor]


def _stages(settings: VertebraSettings) -> tuple[_Stage, ...]:
    """Return the stages in the order in which they are trained."""
    masks, share = settings.masks, settings.real_share
    one_vertebra = partial(
        mask_sample, count=masks.vertebrae, most_noise_hu=masks.noise_hu[1]
    )  # fmt: skip
    return (
        _Stage(
            "centres", settings.centres, centre_network,
            partial(centre_sample, length=settings.length), CENTRE_SCENES, share, 0.0,
            centre_scores, centre_loss,
        ),
        _Stage(
            "levels", settings.levels, level_network,
            partial(level_sample, window_kji=settings.levels.window_kji), LEVEL_SCENES, share,
            settings.levels.variant_share, level_scores, level_loss,
        ),
        _Stage(
            "masks", masks, mask_network, one_vertebra, MASK_SCENES, masks.real_share,
            0.0, mask_scores, mask_loss,
        ),
    )  # fmt: skip


class VertebraTraining:
    """The networks in one folder, in turn; goes on where it was stopped.

    Parameters
    ----------
    folder : Path
        Gets the folders ``levels``, ``centres`` and ``masks``.
    settings : VertebraSettings
    anatomies : tuple of (Path, Path)
        Real CTs and their label maps.
    columns : tuple of Path
        Masks of vertebrae without a CT.
    """

    def __init__(
        self,
        folder: Path,
        settings: VertebraSettings,
        anatomies: tuple[tuple[Path, Path], ...] = (),
        columns: tuple[Path, ...] = (),
    ) -> None:
        self._folder, self._settings = folder, settings
        self._anatomies, self._columns = anatomies, columns

    def run(self) -> None:
        """Train what is left to train."""
        torch.set_num_threads(1)
        for stage in _stages(self._settings):
            self._train(stage)

    def _train(self, stage: _Stage) -> None:
        torch.manual_seed(self._settings.seed)
        held: list[Any] = []  # made once, when they are needed

        def validate(network: torch.nn.Module) -> Scores:
            if not held:
                stream = iter(self._stream(stage, _VALIDATION_SEED, 0, _HELD_VISITS))
                held.extend(next(stream) for _ in range(self._settings.validation))
            return stage.score(network, held)

        network = stage.make(stage.settings.features)
        folder = self._folder / stage.name
        training = Training(folder, network, stage.settings, validate, stage.loss)
        if training.done:
            log.info("%s: all %d steps are made", stage.name, training.step)
            return
        log.info("%s: from step %d", stage.name, training.step)
        seed, visits = self._settings.seed, stage.settings.visits
        stream = self._stream(
            stage,
            seed,
            training.step,
            visits,
            anatomies=self._anatomies,
            columns=self._columns,
            variant_share=stage.variant_share,
        )
        training.run(loader(cast(Any, stream), prefetch=4))

    def _stream(
        self,
        stage: _Stage,
        seed: int,
        first: int,
        visits: int,
        **people: Any,
    ) -> SpineStream:
        return SpineStream(
            stage.sample,
            stage.scenes,
            seed,
            first,
            visits=visits,
            real_share=stage.real_share,
            **people,
        )
