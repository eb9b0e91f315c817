"""The endless, reproducible stream of training samples.

Step n of a training always sees the same sample, whenever it was started and however often it
was stopped: everything random is drawn from the seed and from n.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from inference.liver import classes
from inference.liver.inputs import at_positions, box_filter, network_input
from inference.liver.networks import COARSE_SPACING_MM, FINE_SPACING_MM, organ_context
from inference.phantom.donors import Donor, donor_name, read_donor
from inference.phantom.real_scan import RealScan
from inference.training.contrast import Showing
from inference.training.deform import bend, make_view, random_matrix
from inference.training.patients import (
    LIVER_ABOVE_CENTRE_MM,
    SPACING_MM,
    PaintedPatient,
    Pool,
    RealPatient,
)
from inference.training.real import read_anatomy, real_patient
from inference.training.scanner import acquire, cut_field, draw_phases
from inference.training.settings import PatientSettings, StageSettings

COARSE_WINDOW_KJI = (48, 48, 64)
"""Voxels of the window in which the coarse network looks while the fine one is trained."""

_CENTRE_MM = (-85.0, 65.0)
"""Where windows are centred, from the middle of the liver upwards."""

_ASIDE_SD_MM = 10.0
_FIRST_PATIENTS = 40
_OTHER_ORGAN_SHARE = 0.25
_LESION_SHARE = 0.35
_UNTOLD_SHARE = 0.25
"""Part of the looks in which the fine network must do without the coarse one's opinion."""

_CENTRE_JITTER_MM = 25.0
_DONOR_STREAM = 0xD0E5


@dataclass(frozen=True)
class Sample:
    """What one training step sees.

    Parameters
    ----------
    image : Tensor, float32, shape (channels, nk, nj, ni)
    truth : Tensor of uint8, shape (nk, nj, ni)
    liver_only : bool
        Whether only the liver is labelled.
    """

    image: torch.Tensor
    truth: torch.Tensor
    liver_only: bool


@dataclass(frozen=True)
class Anatomy:
    """A real anatomy that may be trained on.

    Parameters
    ----------
    name : str
    ct, labels : Path
    liver_only : bool
        Whether only its liver is labelled.
    """

    name: str
    ct: Path
    labels: Path
    liver_only: bool


class Patients:
    """Draws patients and shows them in four phases.

    Parameters
    ----------
    pool : Pool
    settings : PatientSettings
    anatomies : sequence of Anatomy
        Real ones; without any, all patients are phantoms.
    seed : int
    donors : sequence of Path
        Label maps that lend their organs to some of the phantoms that are trained on.
    """

    def __init__(
        self,
        pool: Pool,
        settings: PatientSettings,
        anatomies: tuple[Anatomy, ...],
        seed: int,
        donors: tuple[Path, ...] = (),
    ) -> None:
        self._pool = pool
        self._donor_files = donors
        self._donors: dict[Path, Donor] = {}
        self._settings = settings
        self._whole = [a for a in anatomies if not a.liver_only]
        self._partial = [a for a in anatomies if a.liver_only]
        self._showing = Showing(seed, settings.random_contrast)
        self._scans: dict[str, RealScan] = {}

    def draw(
        self, number: int, rng: np.random.Generator
    ) -> tuple[PaintedPatient | RealPatient, torch.Tensor]:
        """Return the patient of a sample and its HU in four phases ``[phase, k, j, i]``.

        New phantoms come in at every sixth sample, so that training can start while most of
        them are not made yet.
        """
        if (self._whole or self._partial) and rng.random() < self._settings.real_share:
            patient = self._draw_real(rng)
        else:
            known = min(self._settings.phantoms, _FIRST_PATIENTS + number // 6)
            patient = self._phantom(self._settings.first_seed + int(rng.integers(known)))
        return patient, torch.from_numpy(self._showing.phases(patient, rng))

    def _phantom(self, seed: int) -> PaintedPatient | RealPatient:
        """Return a phantom with its own organs or with those of a donor, always the same ones."""
        if not self._donor_files:
            return self._pool.phantom(seed)
        # a stream of its own: the draws of the samples are those of a training without donors
        choice = np.random.default_rng([seed, _DONOR_STREAM])
        if choice.random() >= self._settings.donor_share:
            return self._pool.phantom(seed)
        path = self._donor_files[int(choice.integers(len(self._donor_files)))]

        def organs() -> Donor:
            if path not in self._donors:
                self._donors[path] = read_donor(path)
            return self._donors[path]

        return self._pool.phantom(seed, donor_name(path), organs)

    def validation(
        self, number: int, rng: np.random.Generator
    ) -> tuple[PaintedPatient | RealPatient, torch.Tensor]:
        """Return a phantom that is never trained on."""
        patient = self._pool.phantom(self._settings.first_validation_seed + number)
        return patient, torch.from_numpy(self._showing.phases(patient, rng))

    def _draw_real(self, rng: np.random.Generator) -> PaintedPatient | RealPatient:
        partial = rng.random() < self._settings.liver_only_share
        group = self._partial if (partial and self._partial) or not self._whole else self._whole
        anatomy = group[int(rng.integers(len(group)))]
        copy = int(rng.integers(self._settings.real_copies))

        def make() -> RealPatient:
            if anatomy.name not in self._scans:
                self._scans[anatomy.name] = read_anatomy(anatomy.ct, anatomy.labels)
            scan = self._scans[anatomy.name]
            return real_patient(scan, copy, liver_only=anatomy.liver_only)

        return self._pool.get(f"{anatomy.name}-{copy:03d}", make)


class Visits(Protocol):
    """A patient in one pose, from which samples are taken."""

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return another look at the patient."""


Pose = Callable[[PaintedPatient | RealPatient, torch.Tensor, np.random.Generator], Visits]


def _window_centre(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the centre of a window, (k, j, i) in mm from the centre of the patient's grid."""
    up = LIVER_ABOVE_CENTRE_MM + rng.uniform(*_CENTRE_MM)
    return np.array([up, *rng.normal(0.0, _ASIDE_SD_MM, 2)])


class CoarseVisits:
    """Looks at the whole upper abdomen at 6 mm."""

    def __init__(
        self,
        patient: PaintedPatient | RealPatient,
        phases_hu: torch.Tensor,
        rng: np.random.Generator,
        settings: StageSettings,
    ) -> None:
        self._settings = settings
        window = settings.window_kji
        centre = _window_centre(rng)
        matrix = random_matrix(rng)
        source = patient.truth.shape
        view = make_view(source, window, COARSE_SPACING_MM, centre, matrix, bend(rng, window))
        self._hu = view.image(box_filter(phases_hu))
        self._truth = view.labels(torch.from_numpy(patient.truth))
        self._liver_only = isinstance(patient, RealPatient) and patient.liver_only

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return the window with other phases, noise and field of view."""
        source, present = draw_phases(rng)
        hu = acquire(self._hu[source], rng, self._settings.noise_hu, COARSE_SPACING_MM)
        hu, truth = cut_field(hu, self._truth, rng)
        return Sample(network_input(hu, present), truth, self._liver_only)


class FineVisits:
    """Looks at parts of the upper abdomen at 3 mm, told what a coarse network makes of it."""

    def __init__(
        self,
        patient: PaintedPatient | RealPatient,
        phases_hu: torch.Tensor,
        rng: np.random.Generator,
        settings: StageSettings,
        coarse: torch.nn.Module,
    ) -> None:
        self._settings = settings
        self._coarse = coarse
        self._phases_hu = phases_hu
        self._patient = patient
        self._centre = _window_centre(rng)
        self._matrix = random_matrix(rng)
        self._bend = bend(rng, COARSE_WINDOW_KJI)
        view = make_view(
            patient.truth.shape,
            COARSE_WINDOW_KJI,
            COARSE_SPACING_MM,
            self._centre,
            self._matrix,
            self._bend,
        )
        self._hu = view.image(box_filter(phases_hu))
        self._truth = view.labels(torch.from_numpy(patient.truth))
        self._liver_only = isinstance(patient, RealPatient) and patient.liver_only

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a part of the patient, mostly of the liver, with other phases and noise."""
        source, present = draw_phases(rng)
        noise = self._settings.noise_hu
        hu = acquire(self._hu[source], rng, (0.0, 0.6 * noise[1]), COARSE_SPACING_MM)
        hu, seen = cut_field(hu, torch.ones_like(self._truth), rng)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self._coarse(network_input(hu, present)[None])[0]
        positions = self._positions(self._truth * seen, rng)
        context = at_positions(organ_context(logits), positions)
        context *= float(rng.random() >= _UNTOLD_SHARE)
        inside = at_positions(seen[None].float(), positions, "nearest")[0] > 0.5
        fine, truth = self._look(positions)
        fine = acquire(fine[source], rng, noise, FINE_SPACING_MM)
        fine = torch.where(inside, fine, -1000.0)
        truth = torch.where(inside, truth, 0)
        image = torch.cat([network_input(fine, present), context])
        return Sample(image, truth, self._liver_only)

    def _positions(self, truth: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return the place of each voxel of a part in the coarse window.

        Parameters
        ----------
        truth : Tensor of uint8
            Classes in the coarse window that can be seen.
        rng : Generator
        """
        there = truth.numpy()
        choice = rng.random()
        wanted: tuple[int, ...] = classes.LIVER_AND_LESIONS
        if choice < _OTHER_ORGAN_SHARE:
            wanted = classes.ORGANS[1:]
        elif choice < _OTHER_ORGAN_SHARE + _LESION_SHARE:
            wanted = classes.LESIONS
        where = np.argwhere(np.isin(there, wanted))
        if not len(where):
            where = np.argwhere(np.isin(there, (*classes.ORGANS, *classes.LESIONS)))
        if not len(where):
            where = np.array([np.asarray(COARSE_WINDOW_KJI) // 2])
        centre = where[int(rng.integers(len(where)))].astype(np.float64)
        centre += rng.uniform(-1.0, 1.0, 3) * _CENTRE_JITTER_MM / COARSE_SPACING_MM
        step = FINE_SPACING_MM / COARSE_SPACING_MM
        axes = [
            (torch.arange(n) - (n - 1) / 2.0) * step + float(c)
            for n, c in zip(self._settings.window_kji, centre, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).float()

    def _look(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return HU and classes of the part, from the 3 mm patient."""
        moved = at_positions(self._bend.permute(3, 0, 1, 2).contiguous(), positions)
        middle = torch.tensor([(n - 1) / 2.0 for n in COARSE_WINDOW_KJI])
        start = (positions[0, 0, 0] + positions[-1, -1, -1]) / 2.0 - middle
        offset = self._matrix @ (start.double().numpy() * COARSE_SPACING_MM)
        view = make_view(
            self._patient.truth.shape,
            self._settings.window_kji,
            FINE_SPACING_MM,
            self._centre + offset,
            self._matrix,
            moved.permute(1, 2, 3, 0),
        )
        return view.image(self._phases_hu), view.labels(torch.from_numpy(self._patient.truth))


class Stream(IterableDataset[Sample]):
    """The samples of a training from one step on.

    Blocks of samples are posed together and visited in mixed order.

    Parameters
    ----------
    patients : callable
        Returns the :class:`Patients`; called in the process that makes the samples.
    pose : Pose
    seed, first_step : int
    visits, block : int
        See `StageSettings`.
    """

    def __init__(
        self,
        patients: Callable[[], Patients],
        pose: Pose,
        seed: int,
        first_step: int,
        visits: int,
        block: int,
    ) -> None:
        self._patients, self._pose = patients, pose
        self._seed, self._first = seed, first_step
        self._visits, self._block = visits, block

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples without end."""
        patients = self._patients()
        per_block = self._visits * self._block
        step = self._first
        while True:
            number, start = divmod(step, per_block)
            rng = np.random.default_rng((self._seed, 1, number))
            order = rng.permutation(per_block) // self._visits
            poses: dict[int, Visits] = {}
            for n in range(start, per_block):
                member = int(order[n])
                if member not in poses:
                    sample = number * self._block + member
                    own = np.random.default_rng((self._seed, 2, sample))
                    poses[member] = self._pose(*patients.draw(sample, own), own)
                yield poses[member].sample(np.random.default_rng((self._seed, 3, step)))
                step += 1


def _alone(worker: int) -> None:
    """Let the process that makes samples run anywhere, after everything else."""
    del worker
    torch.set_num_threads(1)
    os.nice(3)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def loader(stream: Stream, prefetch: int = 6) -> DataLoader[Sample]:
    """Return the stream, made by a process of its own."""
    return DataLoader(
        stream,
        batch_size=None,
        num_workers=1,
        prefetch_factor=prefetch,
        worker_init_fn=_alone,
    )


assert SPACING_MM == FINE_SPACING_MM, "patients are kept at the spacing of the fine network"
