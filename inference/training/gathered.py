"""What stage 1 really proposes: patches of all proposals of scanned phantoms, with the truth.

Stage 2 learns from these which mistakes stage 1 makes, and the thresholds of the decisions are
set on others of them. Everything up to the patches is what a prediction does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.compiled import Precision, ready
from inference.contract import PHASES, Context, Request
from inference.evaluation.matching import Mask, TrueLesion, hits, true_lesions
from inference.grid import grid_of
from inference.liver import classes, quality
from inference.liver.inputs import N_CHANNELS
from inference.liver.networks import CONTEXT_CLASSES, coarse_network, fine_network
from inference.liver.organ_doubts import ORGANS, measure_organs
from inference.liver.patches import NearImages, RawPatch, patch_side
from inference.liver.proposals import MULTIPLIERS, Proposal
from inference.liver.registration import register_phases
from inference.liver.scan import make_scan
from inference.liver.second_look import propose
from inference.liver.stage1 import (
    COARSE_WINDOW_KJI,
    FINE_WINDOW_KJI,
    NothingFound,
    Segmentation,
    Stage1,
)
from inference.liver.stage2 import N_TYPES, NOT_A_LESION, PATCH
from inference.metrics import dice
from inference.progress import Silent
from inference.resampling import resample_labels
from inference.training.loop import BEST_NAME
from inference.training.scanned import Scanned, ScannedPool
from inference.training.settings import LiverSettings
from inference.weights import load_weights, sha256_of

log = logging.getLogger(__name__)

PHASE_SETS = {"four": PHASES, "plain": ("NC",)}
"""In which phases each patient is looked at."""

_Cube = (PATCH,) * 3


@dataclass(frozen=True, eq=False)
class Examination:
    """All proposals of one patient in one set of phases.

    Parameters
    ----------
    present : ndarray of bool, shape (4,)
    hu : ndarray of int16, shape (n, phases there are, 48, 48, 48)
    liver, proposal, outline : ndarray of bool, shape (n, 48, 48, 48)
        What stage 1 calls liver, what is proposed, and the lesion that is really there.
    kinds : ndarray of int64, shape (n,)
        Index into `inference.liver.stage2.TYPE_NAMES`.
    hit : ndarray of int64, shape (n,)
        Number of the lesion each proposal hits, -1 for none.
    first : ndarray of float64, shape (n, 7)
        What stage 1 thinks of each.
    multipliers : ndarray of float64, shape (n,)
    volumes_ml, sides_mm : ndarray of float64, shape (n,)
        Of each proposal, and of its patch.
    healthy : ndarray of bool, shape (n,)
        Whether there is no lesion in its patch at all.
    lesion_kinds : ndarray of int64, shape (lesions,)
        Class of each true lesion.
    lesion_mm : ndarray of float64, shape (lesions,)
        Diameter of each true lesion.
    malignant : bool
        Whether the patient has a malignant lesion.
    quality : ndarray of float64, shape (3,)
        Outliers, disagreement and uncertainty: see `inference.liver.quality.Quality`.
    liver_dice : float
        Of the liver with its lesions, at 3 mm.
    organs : ndarray of float64, shape (6, 4)
        Of each of `inference.liver.organ_doubts.ORGANS`: Dice, disagreement, uncertainty and
        outliers; NaN where it was not found or is not there.
    """

    present: NDArray[np.bool_]
    hu: NDArray[np.int16]
    liver: NDArray[np.bool_]
    proposal: NDArray[np.bool_]
    outline: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    hit: NDArray[np.int64]
    first: NDArray[np.float64]
    multipliers: NDArray[np.float64]
    volumes_ml: NDArray[np.float64]
    sides_mm: NDArray[np.float64]
    healthy: NDArray[np.bool_]
    lesion_kinds: NDArray[np.int64]
    lesion_mm: NDArray[np.float64]
    malignant: bool
    quality: NDArray[np.float64]
    liver_dice: float
    organs: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.kinds)

    def patch(self, n: int) -> RawPatch:
        """Return the patch of a proposal."""
        hu = np.zeros((len(PHASES), *_Cube), dtype=np.float32)
        hu[self.present] = self.hu[n]
        return RawPatch(hu, self.liver[n], self.proposal[n])


def write_examination(path: Path, examination: Examination) -> None:
    """Write an examination, so that the file is there as a whole or not at all."""
    arrays = {f.name: np.asarray(getattr(examination, f.name)) for f in fields(examination)}
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(partial, path)


def read_examination(path: Path) -> Examination:
    """Return what :func:`write_examination` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    single = {"malignant": bool(arrays["malignant"]), "liver_dice": float(arrays["liver_dice"])}
    return Examination(**{**arrays, **single})


def examine(
    patient: Scanned, phases: Sequence[str], stage1: Stage1, context: Context
) -> Examination | None:
    """Return what stage 1 proposes in a patient; None where it finds no liver.

    Parameters
    ----------
    patient : Scanned
    phases : sequence of str
        Those that are looked at.
    stage1 : Stage1
    context : Context
    """
    images = {p: patient.phases[p] for p in phases}
    moved = register_phases(images, context)
    scan = make_scan(Request(images), moved.transforms)
    try:
        found = stage1.predict(scan, context)
    except NothingFound:
        return None
    reference = patient.reference_in(scan.reference)
    truth = resample_labels(reference.array, grid_of(reference), found.scan.grid)
    truth_classes = classes.CLASS_OF_LABEL[truth]
    lesions = true_lesions(truth_classes, found.scan.voxel_ml)
    measured = quality.measure(found, scan.grid.shape_kji[0])
    near = NearImages(images, moved.transforms, found, context)
    sick = resample_labels(reference.array, grid_of(reference), near.near)
    sick = classes.CLASS_OF_LABEL[sick]
    sick[~np.isin(sick, classes.LESIONS)] = 0
    proposals = propose(found, MULTIPLIERS, True)
    matched = [_best_hit(p, found, lesions) for p in proposals]
    patches = [near.cut(p) for p in proposals]
    outlines = [
        _outline(near, sick, p, lesions[n].kind if n >= 0 else -1)
        for p, n in zip(proposals, matched, strict=True)
    ]
    present = np.array(scan.present)
    livers = [np.isin(c, classes.LIVER_AND_LESIONS) for c in (truth_classes, found.found)]
    kinds = [lesions[n].kind - classes.LESIONS[0] if n >= 0 else NOT_A_LESION for n in matched]
    return Examination(
        present,
        _stacked([np.round(p.hu[present]).astype(np.int16) for p in patches], (sum(present),)),
        _stacked([p.liver for p in patches]).astype(bool),
        _stacked([p.proposal for p in patches]).astype(bool),
        _stacked(outlines).astype(bool),
        np.array(kinds, dtype=np.int64),
        np.array(matched, dtype=np.int64),
        np.array([p.probabilities for p in proposals]).reshape(-1, N_TYPES),
        np.array([p.multiplier for p in proposals]),
        np.array([p.volume_ml for p in proposals]),
        np.array([patch_side(p, found.scan.grid) for p in proposals]),
        np.array([not near.cut_mask(sick, p).any() for p in proposals], dtype=np.bool_),
        np.array([lesion.kind for lesion in lesions], dtype=np.int64),
        np.array([lesion.diameter_mm for lesion in lesions]),
        bool(np.isin(classes.CLASS_OF_LABEL[reference.array], classes.MALIGNANT).any()),
        np.array([measured.outliers, measured.disagreement, measured.unsure]),
        dice(*livers),
        _organs(found, truth_classes),
    )


def _organs(found: Segmentation, truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how well each organ is drawn, and what tells so without the truth."""
    table = np.full((len(ORGANS), 4), np.nan)
    for organ, quality_of_it in measure_organs(found).items():
        there = truth == organ
        if there.any():
            _, *measures = astuple(quality_of_it)
            table[ORGANS.index(organ)] = [dice(there, found.found == organ), *measures]
    return table


def _stacked(
    patches: list[NDArray[np.int16]] | list[Mask], more: tuple[int, ...] = ()
) -> NDArray[np.int16]:
    """Return patches in one array, also where there are none."""
    return np.stack(patches) if patches else np.zeros((0, *more, *_Cube), dtype=np.int16)


def _best_hit(proposal: Proposal, found: Segmentation, lesions: list[TrueLesion]) -> int:
    """Return the number of the lesion a proposal shares most with, -1 if it hits none."""
    region = np.zeros(found.found.shape, dtype=np.bool_)
    region[proposal.box] = proposal.mask
    matched = hits(region, lesions)
    return max(matched, key=lambda pair: pair[1])[0] if matched else -1


def _outline(near: NearImages, sick: NDArray[np.uint8], proposal: Proposal, kind: int) -> Mask:
    """Return the true lesion in the patch of a proposal; nothing if it hits none."""
    if kind < 0:
        return np.zeros(_Cube, dtype=np.bool_)
    lesion = near.cut_mask(sick == kind, proposal)
    pieces, _ = ndimage.label(lesion)
    where = near.cut(proposal).proposal
    touched = np.unique(pieces[where & lesion])
    return np.isin(pieces, touched[touched > 0]) if touched.any() else lesion


class Gatherer:
    """Examinations by seed and set of phases, made when they are first asked for.

    Parameters
    ----------
    folder : Path
        Gets the examinations: a cache, of this stage 1 only.
    patients : ScannedPool
    stage1 : Stage1
    context : Context
    """

    def __init__(
        self, folder: Path, patients: ScannedPool, stage1: Stage1, context: Context
    ) -> None:
        self._folder, self._patients = folder, patients
        self._stage1, self._context = stage1, context
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, seed: int, phases: str) -> Path:
        """Return where an examination is kept."""
        return self._folder / f"{phases}-{seed:07d}.npz"

    def gather(self, seed: int, phases: str) -> bool:
        """Make an examination unless it is there; return False where no liver is found."""
        path, nothing = self.path(seed, phases), self.path(seed, phases).with_suffix(".none")
        if path.exists() or nothing.exists():
            return path.exists()
        patient = self._patients.get(seed)
        examination = examine(patient, PHASE_SETS[phases], self._stage1, self._context)
        if examination is None:
            nothing.touch()
            return False
        write_examination(path, examination)
        return True

    def all_of(self, first_seed: int, patients: int) -> list[Path]:
        """Return the examinations of some patients in each set of phases; make what is missing."""
        paths = []
        for seed in range(first_seed, first_seed + patients):
            for phases in PHASE_SETS:
                paths += [self.path(seed, phases)] if self.gather(seed, phases) else []
            log.info("examined %d of %d", seed - first_seed + 1, patients)
        return paths


def trained_stage1(folder: Path, settings: LiverSettings, precision: Precision) -> Stage1:
    """Return the best stage 1 of a training folder, on the processor.

    Raises
    ------
    ValueError
        It was not trained yet.
    """
    window = {"coarse": COARSE_WINDOW_KJI, "fine": FINE_WINDOW_KJI}
    networks = {
        "coarse": coarse_network(settings.coarse.features),
        "fine": fine_network(settings.fine.features),
    }
    parts = {}
    for name, network in networks.items():
        path = folder / name / BEST_NAME
        if not path.is_file():
            raise ValueError(f"stage 2 learns from stage 1, and {path} is not there yet")
        sha256 = sha256_of(path)
        network.load_state_dict(load_weights(path, sha256))
        channels = N_CHANNELS + (len(CONTEXT_CLASSES) if name == "fine" else 0)
        shape = (1, channels, *window[name])
        parts[name] = ready(network.eval(), shape, device="cpu", key=sha256, precision=precision)
    return Stage1(parts["coarse"], parts["fine"])


def gatherer_in(folder: Path, settings: LiverSettings, precision: Precision) -> Gatherer:
    """Return the gatherer of a training folder; each stage 1 has examinations of its own.

    Parameters
    ----------
    folder : Path
        Of a training whose stage 1 is done.
    settings : LiverSettings
    precision : str
        ``f32`` as in predictions, or ``bf16``: a third of the time, with outlines that differ by
        some voxels, which is good enough to learn from.

    Raises
    ------
    ValueError
        Stage 1 was not trained yet.
    """
    stage1 = trained_stage1(folder, settings, precision)
    version = sha256_of(folder / "fine" / BEST_NAME)[:8]
    patients = ScannedPool(folder / "scanned")
    return Gatherer(folder / "examined" / version, patients, stage1, Silent())
