"""The training loop: steps, averaged weights, validation, a curve, checkpoints."""

from __future__ import annotations

import csv
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from inference.training.checkpoints import load_checkpoint, save_checkpoint
from inference.training.loss import segmentation_loss
from inference.training.samples import Sample
from inference.training.settings import LoopSettings
from inference.weights import save_weights

log = logging.getLogger(__name__)

BEST_NAME = "best.safetensors"
LAST_NAME = "last.safetensors"
CURVE_NAME = "curve.csv"

Scores = dict[str, float]
"""Named figures of a validation; ``score`` decides which weights are the best."""


def learning_rate(step: int, settings: LoopSettings) -> float:
    """Return the rate of a step: linear warm-up, then a cosine down to a hundredth."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    left = max(settings.steps - settings.warm_up_steps, 1)
    done = min((step - settings.warm_up_steps) / left, 1.0)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))


@dataclass
class Average:
    """Exponential average of a network's weights.

    Parameters
    ----------
    weights : dict of str to Tensor
    decay : float
        Smaller in the first steps, so that the average does not start with noise.
    """

    weights: dict[str, torch.Tensor]
    decay: float

    def update(self, network: torch.nn.Module, step: int) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, value in network.state_dict().items():
            self.weights[name].lerp_(value, 1.0 - decay)


def sample_loss(network: torch.nn.Module, sample: Sample) -> torch.Tensor:
    """Return the loss of a segmentation network on a sample."""
    image = sample.image[None].to(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(image)[0]
    return segmentation_loss(logits.float(), sample.truth, sample.liver_only)


class Training:
    """Training of one network in a folder; goes on from the folder's checkpoint.

    Parameters
    ----------
    folder : Path
        Gets checkpoints, best and last weights and the curve.
    network : Module
        With its initial weights.
    settings : LoopSettings
    validate : callable
        Returns the scores of a network in evaluation mode.
    loss_of : callable
        Returns the loss of a network on what one step sees.
    """

    def __init__(
        self,
        folder: Path,
        network: torch.nn.Module,
        settings: LoopSettings,
        validate: Callable[[torch.nn.Module], Scores],
        loss_of: Callable[[torch.nn.Module, Any], torch.Tensor] = sample_loss,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._settings, self._validate = folder, settings, validate
        self._network, self._loss_of = network, loss_of
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        start = {name: value.clone() for name, value in network.state_dict().items()}
        self._average = Average(start, settings.ema_decay)
        self._best = -math.inf
        self._loss = 0.0
        self._seconds = 0.0
        self.step = 0
        state = load_checkpoint(folder)
        if state is not None:
            self._restore(state)

    @property
    def done(self) -> bool:
        """Whether all steps were made."""
        return self.step >= self._settings.steps

    def run(self, samples: Iterable[Any], stop_at: int | None = None) -> None:
        """Train to the end, or to a step; `samples` begin with the one of the next step."""
        last = min(self._settings.steps, stop_at or self._settings.steps)
        stream: Iterator[Any] = iter(samples)
        while self.step < last:
            started = time.monotonic()
            sample = next(stream)
            waited = time.monotonic() - started
            loss = self._learn(sample)
            self._seconds += time.monotonic() - started
            keep = min(0.98, self.step / (self.step + 1.0))
            self._loss = keep * self._loss + (1.0 - keep) * loss
            self.step += 1
            if self.step % 50 == 0:
                log.info("step %d loss %.3f waited %.2f s", self.step, self._loss, waited)
            if self.step % self._settings.validate_every == 0 or self.step == last:
                self._look()
            if self.step % self._settings.save_every == 0 or self.step == last:
                save_checkpoint(self._folder, self.state())

    def _learn(self, sample: Any) -> float:
        """Make one step and return its loss."""
        self._network.train()
        rate = learning_rate(self.step, self._settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss_of(self._network, sample)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.clip)
        if torch.isfinite(norm):
            self._optimizer.step()
        self._average.update(self._network, self.step)
        return float(loss.detach())

    def _look(self) -> None:
        """Validate the averaged weights, add a line to the curve, keep the best."""
        current = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self._average.weights)
        self._network.eval()
        scores = self._validate(self._network)
        self._network.load_state_dict(current)
        self._write_weights(LAST_NAME)
        if scores["score"] > self._best:
            self._best = scores["score"]
            self._write_weights(BEST_NAME)
        log.info("step %d %s", self.step, {k: round(v, 3) for k, v in scores.items()})
        self._extend_curve(scores)

    def _write_weights(self, name: str) -> None:
        partial = self._folder / f"part-{name}"
        save_weights(partial, self._average.weights)
        os.replace(partial, self._folder / name)

    def _extend_curve(self, scores: Scores) -> None:
        path = self._folder / CURVE_NAME
        row = {
            "step": self.step,
            "seconds": round(self._seconds),
            "learning_rate": f"{learning_rate(self.step - 1, self._settings):.2e}",
            "loss": round(self._loss, 4),
            **{name: round(value, 4) for name, value in scores.items()},
        }
        rows = []
        if path.exists():  # without what comes after the checkpoint this run began with
            with path.open(newline="", encoding="utf-8") as file:
                rows = [r for r in csv.DictReader(file) if int(r["step"]) < self.step]
        partial = path.with_suffix(".part")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows([*rows, row])
        os.replace(partial, path)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "step": self.step,
            "best": self._best,
            "loss": self._loss,
            "seconds": self._seconds,
            "network": self._network.state_dict(),
            "average": self._average.weights,
            "optimizer": self._optimizer.state_dict(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
        self._best, self._loss = float(state["best"]), float(state["loss"])
        self._seconds = float(state["seconds"])
        self._network.load_state_dict(state["network"])
        self._average.weights = state["average"]
        self._optimizer.load_state_dict(state["optimizer"])
