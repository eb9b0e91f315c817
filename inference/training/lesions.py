"""Training of the liver's stage 2: the network that judges one proposal at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from inference.liver.stage2 import N_TYPES, NOT_A_LESION, LesionNetwork, levels
from inference.training.gathered import gatherer_in, read_examination
from inference.training.gathered_samples import held_out
from inference.training.lesion_samples import PatchBatch, batch_of
from inference.training.lesion_stream import PatchStream
from inference.training.loop import LAST_NAME, Scores, Training
from inference.training.patients import Pool
from inference.training.settings import LesionSettings, LiverSettings
from inference.weights import load_weights, save_weights, sha256_of

log = logging.getLogger(__name__)

FOLDER = "lesions"
LEVELS_NAME = "begin.safetensors"
WEIGHTS_NAME = LAST_NAME
"""What is shipped and used for the thresholds: those of the end of the schedule. The held-out
patients have some thirty lesions, so that the best score among the validations is mostly luck."""

_POOL = "livers"
_SMOOTHING = 0.05
_OUTLINE_WEIGHT = 0.7
_PREFETCH = 4
_LEVEL_BATCH = 128


def patch_loss(network: torch.nn.Module, batch: PatchBatch) -> torch.Tensor:
    """Return the loss of the second stage: cross entropy of the type, outline of what is one."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        types, outlines = network(batch.patches.to(memory_format=torch.channels_last_3d))
    loss = F.cross_entropy(types.float(), batch.kinds, label_smoothing=_SMOOTHING)
    real = batch.kinds != NOT_A_LESION
    if not bool(real.any()):
        return loss
    logits, truth = outlines.float()[real], batch.outlines[real]
    entropy = F.binary_cross_entropy_with_logits(logits, truth)
    p = logits.sigmoid()
    both = (p * truth).sum(dim=(1, 2, 3))
    dice = (2.0 * both + 1.0) / (p.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1.0)
    total: torch.Tensor = loss + _OUTLINE_WEIGHT * (entropy + 1.0 - dice.mean())
    return total


def patch_scores(network: torch.nn.Module, batches: Iterable[PatchBatch]) -> Scores:
    """Return how well the network judges and draws.

    Parameters
    ----------
    network : Module
        In evaluation mode.
    batches : iterable of PatchBatch

    Returns
    -------
    dict
        ``kept`` and ``dropped`` (part of the lesions and of the others that is judged rightly),
        ``type`` (part of the kept lesions with the right type), ``dice`` of the outlines of
        lesions, and ``score``.
    """
    table = np.zeros((N_TYPES, N_TYPES))
    dice = []
    for batch in batches:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            types, outlines = network(batch.patches.to(memory_format=torch.channels_last_3d))
        found = types.float().argmax(dim=1)
        np.add.at(table, (batch.kinds.numpy(), found.numpy()), 1)
        real = batch.kinds != NOT_A_LESION
        drawn, truth = outlines[real] > 0.0, batch.outlines[real] > 0.5
        both = (drawn & truth).sum(dim=(1, 2, 3)).double()
        total = (drawn.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))).double()
        dice += (2.0 * both / total.clamp(min=1.0)).tolist()
    lesions, others = table[:NOT_A_LESION], table[NOT_A_LESION]
    kept = lesions[:, :NOT_A_LESION]
    scores = {
        "kept": float(kept.sum() / max(lesions.sum(), 1.0)),
        "dropped": float(others[NOT_A_LESION] / max(others.sum(), 1.0)),
        "type": float(np.trace(kept) / max(kept.sum(), 1.0)),
        "dice": float(np.mean(dice)) if dice else 0.0,
    }
    balanced = 0.5 * (scores["kept"] + scores["dropped"])
    scores["score"] = 0.5 * balanced + 0.3 * scores["type"] + 0.2 * scores["dice"]
    return scores


def learn_levels(
    network: LesionNetwork, batches: Iterable[PatchBatch], settings: LesionSettings, seed: int
) -> None:
    """Train the perceptron on attenuations alone: seconds, once the patches are there.

    Parameters
    ----------
    network : LesionNetwork
        Changed in place.
    batches : iterable of PatchBatch
    settings : LesionSettings
    seed : int
    """
    with torch.no_grad():
        pairs = [(levels(batch.patches), batch.kinds) for batch in batches]
    seen = torch.cat([values for values, _ in pairs])
    kinds = torch.cat([k for _, k in pairs])
    search = torch.optim.AdamW(network.measured.parameters(), lr=3e-3, weight_decay=0.05)
    rng = np.random.default_rng((seed, 7))
    network.measured.train()
    for step in range(settings.level_steps):
        rows = torch.from_numpy(rng.integers(len(kinds), size=_LEVEL_BATCH))
        # the measured values are never quite these
        values = seen[rows] + 0.05 * torch.randn((_LEVEL_BATCH, seen.shape[1]))
        loss = F.cross_entropy(network.measured(values), kinds[rows], label_smoothing=_SMOOTHING)
        for group in search.param_groups:
            group["lr"] = 3e-3 * (1.0 - step / settings.level_steps)
        search.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        search.step()
    log.info("levels: loss %.3f on %d patches", float(loss.detach()), len(kinds))


def _alone(worker: int) -> None:
    del worker
    torch.set_num_threads(1)


def lesion_pool(folder: Path) -> Pool:
    """Return the painted livers of a training folder."""
    return Pool(folder / _POOL)


def held_out_batches(examinations: Sequence[Path], size: int) -> Iterator[PatchBatch]:
    """Yield all patches of some examinations, in batches: together they are gigabytes."""
    for path in examinations:
        patches = iter(held_out(read_examination(path)))
        while batch := list(islice(patches, size)):
            yield batch_of(batch)


def train_lesions(folder: Path, whole: LiverSettings) -> None:
    """Train stage 2 in a folder that holds a trained stage 1; goes on where it was stopped.

    Parameters
    ----------
    folder : Path
        Gets the folders ``scanned``, ``examined`` and ``livers`` (caches) and ``lesions``
        (checkpoints, weights, curve).
    whole : LiverSettings
        Of the whole training.

    Raises
    ------
    ValueError
        There is no stage 1 in the folder.
    """
    torch.set_num_threads(1)
    settings, seed = whole.lesions, whole.seed
    gatherer = gatherer_in(folder, whole, "bf16")
    examined = gatherer.all_of(settings.first_examined_seed, settings.examined)
    checked = gatherer.all_of(settings.first_held_out_seed, settings.held_out)
    torch.manual_seed(seed)
    network = LesionNetwork(settings.widths)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def validate(candidate: torch.nn.Module) -> Scores:
        return patch_scores(candidate, held_out_batches(checked, settings.batch))

    load = partial(_loader, folder, examined, settings, seed)
    if not (folder / FOLDER / LEVELS_NAME).exists():
        _begin(folder, network, settings, seed, load)
    path = folder / FOLDER / LEVELS_NAME
    network.load_state_dict(load_weights(path, sha256_of(path)))
    training = Training(folder / FOLDER, network, settings, validate, patch_loss)
    if training.done:
        log.info("lesions: all %d steps are made", training.step)
        return
    log.info("lesions: from step %d", training.step)
    training.run(load(training.step))


def _begin(
    folder: Path,
    network: LesionNetwork,
    settings: LesionSettings,
    seed: int,
    load: Callable[[int], DataLoader[PatchBatch]],
) -> None:
    """Train the perceptron of a new network and keep the result: where all steps begin."""
    stream = islice(load(0), 0, settings.looks * settings.level_batches, settings.looks)
    learn_levels(network, stream, settings, seed)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    save_weights(folder / FOLDER / LEVELS_NAME, network.state_dict())


def _loader(
    folder: Path, examined: Sequence[Path], settings: LesionSettings, seed: int, first_step: int
) -> DataLoader[PatchBatch]:
    """Return the stream of batches, made by a process of its own."""
    stream = PatchStream(partial(lesion_pool, folder), examined, settings, seed, first_step)
    return DataLoader(
        stream, batch_size=None, num_workers=1, prefetch_factor=_PREFETCH, worker_init_fn=_alone
    )
