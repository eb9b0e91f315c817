"""First facts about a case that is opened: its files, notes and whether it may be changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.core.geometry import Grid
from labeler.core.labels import LabelTable
from labeler.core.vertebra_masks import with_vertebrae
from labeler.state.tasks import TaskContext
from labeler.storage.atomic import folder_problem
from labeler.storage.case_centroids import with_centroid_file
from labeler.storage.case_names import case_file_name
from labeler.storage.cases import Case, PhaseSource, inspect
from labeler.storage.errors import ImageError
from labeler.storage.images import read_header
from labeler.storage.label_files import load_label_table
from labeler.storage.locks import LockHolder
from labeler.storage.places import Place
from labeler.storage.sidecar import LoadedSidecar, load_sidecar
from labeler.workflows.accept_landmarks import FAMILY as VERTEBRA
from labeler.workflows.spine_findings import VERTEBRA_WORDS

#: Changes when a file does: path, key, time and size; ``None`` when it is not there.
Stamp = tuple[Path, str, int, int] | None


@dataclass(frozen=True)
class Start:
    """What is known before the first phase is read.

    Attributes
    ----------
    case
        Inspected.
    sidecar
        Its notes, with the centroids of its centroid file.
    read_only_reason
        Why nothing of it may be changed.
    grids, stamps
        Of its phases.
    place
        Where its masks are.
    labels, label_problems
        Labels of its masks, and what is wrong with their file.
    """

    case: Case
    sidecar: LoadedSidecar
    read_only_reason: str | None
    grids: dict[str, Grid | None]
    stamps: dict[str, Stamp]
    place: Place
    labels: LabelTable
    label_problems: tuple[str, ...]


def start_case(
    context: TaskContext, case: Case, lock: LockHolder, former: tuple[LockHolder, ...]
) -> Start:
    """Look at a case and take its lock; a task of the io lane.

    Parameters
    ----------
    lock
        Is taken.
    former
        Are given back first; one may be of the same case, which is read anew.
    """
    for other in former:
        other.give_back()
    known = case if case.is_inspected else inspect(case)
    context.check()
    reason = folder_problem(case.mask_root) if case.mask_root.exists() else None
    lock_path = case.mask_root / "_labeling" / f".{case_file_name(case.id)}.lock"
    reason = reason or lock.take(lock_path)
    sidecar = with_centroid_file(known, load_sidecar(case.mask_root, case.id))
    labels, label_problems = load_label_table(case.mask_root)
    if _has_vertebrae(known, sidecar.sidecar.provenance):
        labels = with_vertebrae(labels)
    stamps = {phase: stamp_of(source) for phase, source in known.phases.items()}
    grids = {phase: _grid(source) for phase, source in known.phases.items()}
    place = Place.of(case.mask_root, lock_path)
    return Start(known, sidecar, reason, grids, stamps, place, labels, tuple(label_problems))


def _has_vertebrae(case: Case, provenance: list[dict[str, Any]]) -> bool:
    """Whether a mask is one of vertebrae by its name, or took in what a model of them drew."""
    names = [mask.name.lower() for mask in case.masks]
    return any(word in name for name in names for word in VERTEBRA_WORDS) or any(
        entry.get("model") == VERTEBRA for entry in provenance
    )


def stamp_of(source: PhaseSource) -> Stamp:
    """Return what changes when the file of a phase does."""
    try:
        status = source.path.stat()
    except OSError:
        return None
    return source.path, source.key, status.st_mtime_ns, status.st_size


def _grid(source: PhaseSource) -> Grid | None:
    try:
        return read_header(source.series or source.path).grid
    except ImageError:
        return None
