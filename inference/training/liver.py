"""Training of the liver's stage 1: the coarse network, then the fine one on its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import BasicUNet

from inference.liver import classes
from inference.liver.networks import coarse_network, fine_network, start_from_coarse
from inference.training.checkpoints import only_one
from inference.training.loop import BEST_NAME, Scores, Training
from inference.training.patients import PaintedPatient, Pool, RealPatient
from inference.training.samples import (
    Anatomy,
    CoarseVisits,
    FineVisits,
    Patients,
    Pose,
    Sample,
    Stream,
    Visits,
    loader,
)
from inference.training.settings import LiverSettings, StageSettings
from inference.weights import load_weights, sha256_of

log = logging.getLogger(__name__)

_VALIDATION_SEED = 7_000_000
_VISITS_OF_EACH = 2


def known_anatomies(folder: Path | None) -> tuple[Anatomy, ...]:
    """Return the free anatomies in a folder, those of them that are there.

    Parameters
    ----------
    folder : Path or None
        Holds ``lidc-idri-0001`` (``cxr.nii`` and ``mask.nii.gz``) and ``cptac`` files, in any
        depth.
    """
    if folder is None:
        return ()
    wanted = (
        ("lidc-0001", "**/lidc-idri-0001/cxr.nii", "mask.nii.gz", False),
        ("cptac", "**/cptac_pda_C3N00249_ct.nii.gz", "cptac_pda_C3N00249_labels.nii.gz", True),
    )
    found = []
    for name, pattern, labels, liver_only in wanted:
        ct = next(iter(sorted(folder.glob(pattern))), None)
        if ct is not None:
            found.append(Anatomy(name, ct, ct.with_name(labels), liver_only))
    return tuple(found)


def known_donors(folder: Path | None) -> tuple[Path, ...]:
    """Return the label maps in a folder that lend organs to phantoms, in any depth.

    Parameters
    ----------
    folder : Path or None
        Holds ``hubmap_*_labels.nii.gz``, their ``*_classes.json`` beside them.
    """
    if folder is None:
        return ()
    return tuple(sorted(folder.glob("**/hubmap_*_labels.nii.gz")))


def dice_scores(network: torch.nn.Module, samples: Sequence[Sample]) -> Scores:
    """Return Dice coefficients over all voxels of some samples.

    Parameters
    ----------
    network : Module
        In evaluation mode.
    samples : sequence of Sample

    Returns
    -------
    dict
        ``liver`` (with its lesions), the other organs by name, ``lesion`` (any type), ``type``
        (part of the found lesion voxels that has the right type) and ``score``.
    """
    n = classes.N_CLASSES
    table = np.zeros((n, n))
    for sample in samples:
        image = sample.image[None].to(memory_format=torch.channels_last_3d)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(image)[0].argmax(dim=0)
        pairs = sample.truth.long() * n + found
        table += np.bincount(pairs.flatten().numpy(), minlength=n * n).reshape(n, n)

    def dice(*members: int) -> float:
        group = list(members)
        both = table[np.ix_(group, group)].sum()
        return float(2.0 * both / max(table[group].sum() + table[:, group].sum(), 1.0))

    scores = {"liver": dice(classes.LIVER, *classes.LESIONS)}
    for organ in classes.ORGANS[1:]:
        scores[classes.CLASS_NAMES[organ].replace(" ", "_")] = dice(organ)
    lesions = list(classes.LESIONS)
    scores["lesion"] = dice(*lesions)
    hits = table[np.ix_(lesions, lesions)]
    scores["type"] = float(np.trace(hits) / max(hits.sum(), 1.0))
    organs = float(np.mean([scores[name] for name in list(scores)[1:7]]))
    scores["score"] = 0.4 * scores["liver"] + 0.3 * organs + 0.3 * scores["lesion"]
    return scores


class LiverTraining:
    """Both stages in one folder, in turn; goes on where it was stopped.

    Parameters
    ----------
    folder : Path
        Gets the folders ``pool``, ``coarse`` and ``fine``.
    settings : LiverSettings
    anatomies : tuple of Anatomy
        Real anatomies to train on.
    donors : tuple of Path
        Label maps whose organs some of the phantoms get.
    """

    def __init__(
        self,
        folder: Path,
        settings: LiverSettings,
        anatomies: tuple[Anatomy, ...],
        donors: tuple[Path, ...] = (),
    ) -> None:
        self._folder, self._settings = folder, settings
        self._anatomies, self._donors = anatomies, donors

    def run(self) -> None:
        """Train what is left to train.

        Raises
        ------
        ValueError
            Another process trains in the folder.
        """
        torch.set_num_threads(1)
        with only_one(self._folder):
            self._stage("coarse", coarse_network, self._settings.coarse, self._coarse_pose())
            self._stage("fine", fine_network, self._settings.fine, self._fine_pose())

    def _stage(
        self,
        name: str,
        make: Callable[[Sequence[int]], BasicUNet],
        settings: StageSettings,
        pose: Pose,
    ) -> None:
        seed = self._settings.seed + {"coarse": 0, "fine": 1}[name]
        torch.manual_seed(seed)
        network = make(settings.features)
        if name == "fine":
            start_from_coarse(network, self._coarse_weights())
        held: list[Sample] = []  # made once, when they are needed

        def validate(candidate: torch.nn.Module) -> Scores:
            if not held:
                held.extend(self._validation_samples(pose))
            return dice_scores(candidate, held)

        training = Training(self._folder / name, network, settings, validate)
        if training.done:
            log.info("%s: all %d steps are made", name, training.step)
            return
        log.info("%s: from step %d", name, training.step)
        stream = Stream(self._patients, pose, seed, training.step, settings.visits, settings.block)
        training.run(loader(stream))

    def _coarse_weights(self) -> dict[str, torch.Tensor]:
        path = self._folder / "coarse" / BEST_NAME
        return load_weights(path, sha256_of(path))

    def _patients(self) -> Patients:
        return Patients(
            Pool(self._folder / "pool"),
            self._settings.patients,
            self._anatomies,
            self._settings.seed,
            self._donors,
        )

    def _coarse_pose(self) -> Pose:
        return partial(_coarse_visits, self._settings.coarse)

    def _fine_pose(self) -> Pose:
        return _FinePose(self._folder / "coarse" / BEST_NAME, self._settings)

    def _validation_samples(self, pose: Pose) -> list[Sample]:
        patients = self._patients()
        samples = []
        for n in range(self._settings.patients.validation):
            rng = np.random.default_rng((_VALIDATION_SEED, n))
            visits = pose(*patients.validation(n, rng), rng)
            samples += [visits.sample(rng) for _ in range(_VISITS_OF_EACH)]
        return samples


def _coarse_visits(
    settings: StageSettings,
    patient: PaintedPatient | RealPatient,
    phases_hu: torch.Tensor,
    rng: np.random.Generator,
) -> Visits:
    return CoarseVisits(patient, phases_hu, rng, settings)


class _FinePose:
    """Poses patients for the fine stage; reads the coarse network when it is first used."""

    def __init__(self, weights: Path, settings: LiverSettings) -> None:
        self._weights, self._settings = weights, settings
        self._coarse: torch.nn.Module | None = None

    def __call__(
        self,
        patient: PaintedPatient | RealPatient,
        phases_hu: torch.Tensor,
        rng: np.random.Generator,
    ) -> Visits:
        if self._coarse is None:
            self._coarse = coarse_network(self._settings.coarse.features)
            self._coarse.load_state_dict(load_weights(self._weights, sha256_of(self._weights)))
            self._coarse.eval()
        return FineVisits(patient, phases_hu, rng, self._settings.fine, self._coarse)
