"""What saving writes, file by file; for the io lane, no Qt objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labeler.core.annotations import Fields
from labeler.core.edits import NOTES
from labeler.core.landmarks import Centroid
from labeler.core.mask import Mask
from labeler.state.tasks import TaskContext
from labeler.storage.case_centroids import save_centroid_file
from labeler.storage.cases import Case, new_mask_path
from labeler.storage.errors import SaveError
from labeler.storage.masks import MaskFile, save_mask
from labeler.storage.phase_override import set_phase_override
from labeler.storage.places import Place
from labeler.storage.sidecar import CentroidSource, LoadedSidecar, save_sidecar

#: Notes in the journal that a document's file is about to become a content: its digest, revision.
Marker = Callable[[str, str, int], None]


@dataclass(frozen=True)
class MaskJob:
    """A mask to be written, and where; ``place`` is checked before a new file is made."""

    mask: Mask
    file: MaskFile
    path: Path
    place: Place | None


@dataclass(frozen=True)
class NotesJob:
    """Notes to be written, the centroids where these have changed, and how long it took."""

    fields: Fields
    revision: int
    centroids: dict[str, Centroid] | None
    times: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SavedMask:
    """The file of a mask as it is now, and the revision in it."""

    name: str
    file: MaskFile
    revision: int


@dataclass(frozen=True)
class SavedNotes:
    """Notes as they are on disk now, and their digest."""

    job: NotesJob
    digest: str | None
    sidecar: LoadedSidecar


@dataclass(frozen=True)
class SavedCentroids:
    """The centroid file as it is now, told before the notes are written: these may fail."""

    source: CentroidSource


def mask_job(case: Case, mask: Mask, file: MaskFile, place: Place | None) -> MaskJob:
    """Say where a mask is to be written: its file, or a new one beside the others."""
    path = file.path if file.fingerprint is not None else new_mask_path(case, mask.name)
    return MaskJob(mask, file, path, place)


def save_files(
    context: TaskContext,
    case: Case,
    jobs: list[MaskJob],
    notes: NotesJob | None,
    sidecar: LoadedSidecar | None,
    place: Place | None,
    backups: int,
    mark: Marker,
) -> None:
    """Write masks, then the centroids, then the notes; each is sent when it is on disk.

    What cannot be written is sent as ``(mask, error)``, with "" for the notes; the others follow.
    """
    for job in jobs:
        try:
            context.send(_save_mask(job, backups, mark))
        except SaveError as error:
            context.send((job.mask.name, error))
    if notes is not None and sidecar is not None:
        try:
            context.send(_save_notes(context, case, notes, sidecar, place, backups, mark))
        except SaveError as error:
            context.send(("", error))


def _save_notes(
    context: TaskContext,
    case: Case,
    job: NotesJob,
    loaded: LoadedSidecar,
    place: Place | None,
    backups: int,
    mark: Marker,
) -> SavedNotes:
    """Write the centroids to their file, then the notes, which name what is in that file."""
    source = loaded.sidecar.centroid_file
    if place is not None and (loaded.version is None or source is None):
        place.check()
    changed = loaded.sidecar.with_annotations(job.fields)
    changed = changed.model_copy(update={"times": {**changed.times, **job.times}})
    if job.centroids is not None:
        source = save_centroid_file(case, source, job.centroids, backups)
        changed = changed.model_copy(update={"centroid_file": source})
        context.send(SavedCentroids(source))
    digest = changed.annotations().saved_digest
    mark(NOTES, digest or "", job.revision)
    version = save_sidecar(case.mask_root, changed, loaded.version)
    return SavedNotes(job, digest, replace(loaded, sidecar=changed, version=version))


def assign_phases(
    context: TaskContext,
    case: Case,
    phases: Mapping[str, str | None],
    sidecar: LoadedSidecar | None,
    place: Place | None,
) -> LoadedSidecar:
    """Note by hand which image is which phase.

    Raises
    ------
    SaveError
        When that cannot be written.
    """
    if place is not None:
        place.check()
    return set_phase_override(case, phases, sidecar)


def _save_mask(job: MaskJob, backups: int, mark: Marker) -> SavedMask:
    if job.place is not None and job.file.fingerprint is None:
        job.place.check()
    array, revision = job.mask.snapshot()
    fingerprint = save_mask(
        job.path,
        array,
        job.file,
        expected_fingerprint=job.file.fingerprint,
        before_replace=lambda fingerprint: mark(job.mask.name, fingerprint.digest, revision),
        keep_backups=backups,
    )
    file = replace(job.file, path=job.path, fingerprint=fingerprint)
    return SavedMask(job.mask.name, file, revision)


def save_copy(
    context: TaskContext,
    mask: Mask,
    file: MaskFile,
    path: Path,
    new_name: str,
    place: Place | None,
) -> SavedMask:
    """Write a mask as it is now under another name.

    Raises
    ------
    SaveError
        When that cannot be written.
    """
    array, _ = mask.snapshot()
    copied = Mask(new_name, array, mask.grid, mask.axis_order)
    job = MaskJob(copied, replace(file, mask=copied, fingerprint=None), path, place)
    saved = _save_mask(job, 0, lambda name, digest, revision: None)
    return replace(saved, file=replace(saved.file, mask=copied))
