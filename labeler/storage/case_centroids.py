"""The centroid file of a case: read into the notes when it is opened, written when it is saved.

The file is what others read, so it is the truth. The notes hold the same centroids to the last
digit, with what a file has no room for (confidence, doubts of the model), and the hash of the file
they agree with. When that is another one now, the file is taken and the centroids of the notes are
put by.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeler.core.landmarks import Centroid
from labeler.core.volume import PHASES
from labeler.storage.atomic import Expect, Fingerprint, write_bytes_durably
from labeler.storage.cases import Case, new_centroid_path
from labeler.storage.centroid_names import SLICER_SUFFIX
from labeler.storage.errors import ConflictError, ImageError, SaveError
from labeler.storage.images import read_header
from labeler.storage.landmarks import (
    CentroidFile,
    StoredGrid,
    read_centroids,
    write_slicer,
    write_verse,
)
from labeler.storage.listing import display_name, reason
from labeler.storage.model_opinions import with_opinions
from labeler.storage.sidecar import CentroidSource, LoadedSidecar, Sidecar
from labeler.storage.sources import ImageHeader

#: Two places nearer than this are the same: files keep a thousandth of a voxel.
SAME_MM = 0.02


class CentroidConflict(ConflictError):
    """The centroid file was changed by somebody else since it was read; it was left as it is."""


def stored_grid(case: Case) -> StoredGrid:
    """Return the grid that voxels of the case's VerSe files count on: that of its first phase.

    Raises
    ------
    ImageError
        See :func:`first_header`.
    """
    header = first_header(case)
    return StoredGrid(header.shape_ijk, header.affine)


def first_header(case: Case) -> ImageHeader:
    """Read the header of the first phase of a case.

    Parameters
    ----------
    case
        Inspected, when its images are DICOM.

    Raises
    ------
    ImageError
        When there is none, or it cannot be read.
    """
    order = {phase: place for place, phase in enumerate(PHASES)}
    phase = min(case.phases, key=lambda name: (order.get(name, len(order)), name), default=None)
    if phase is None:
        raise ImageError(f"{display_name(case.id)} has no image that centroids could belong to.")
    source = case.phases[phase]
    return read_header(source.series or source.path)


def with_centroid_file(case: Case, loaded: LoadedSidecar) -> LoadedSidecar:
    """Put what the case's centroid file holds into its notes, in memory; never raises.

    Returns
    -------
    LoadedSidecar
        With the centroids of the file, :attr:`Sidecar.centroid_file` as it is now, and a sentence
        for whatever a person should know.
    """
    notes = loaded.sidecar
    path = _path(case, notes.centroid_file)
    if path is None:
        return loaded
    if not path.exists():
        return _without_file(loaded, path)
    try:
        image = stored_grid(case)
    except ImageError as error:
        sentence = f"{path.name} cannot be used without its image: {error}"
        return replace(loaded, problems=(*loaded.problems, sentence))
    try:
        file = read_centroids(path, image)
    except ImageError as error:
        return replace(loaded, problems=(*loaded.problems, str(error)))
    source = _source(case, path, file.fingerprint, file.direction)
    known = notes.centroid_file
    noted = readable_centroids(notes.centroids)
    is_known = known is not None and (known.size, known.digest) == (source.size, source.digest)
    update: dict[str, Any] = {"centroid_file": source}
    problems = list(file.problems)
    if not (is_known and len(noted) == len(file.centroids)):  # else they say the same
        update["centroids"] = _as_noted(with_opinions(path, file.centroids), noted)
    if not is_known and _is_other(file.centroids, noted):
        update["former_centroids"] = dict(notes.centroids)
        problems.append(
            f"{path.name} was changed outside of this program and is shown as it is now. "
            "Spine > “As noted before” brings back what was noted here."
        )
    return replace(
        loaded,
        sidecar=notes.model_copy(update=update),
        problems=(*loaded.problems, *problems),
    )


def save_centroid_file(
    case: Case,
    source: CentroidSource | None,
    centroids: Mapping[str, Centroid],
    backups: int,
) -> CentroidSource:
    """Write the centroids of a case to its file, in the format and orientation it was read in.

    Parameters
    ----------
    case
        The case.
    source
        The file as it was read or written last; ``None`` makes a VerSe file.
    centroids
        By key.
    backups
        Previous versions to keep; one at least, as what a file held that is no centroid is not
        written again.

    Returns
    -------
    CentroidSource
        The file as it is now.

    Raises
    ------
    CentroidConflict
        When the file was changed since it was read, or one was made.
    SaveError
        When it cannot be written.
    """
    path = _target(case, source)
    expected: Fingerprint | Expect = Expect.NOTHING
    if source is not None and source.digest:
        expected = Fingerprint(source.size, 0, source.digest)
    try:
        return _write(case, path, source, centroids, expected, max(1, backups))
    except ConflictError as error:
        raise CentroidConflict(
            f"{display_name(path)} was changed by somebody else and is left as it is."
        ) from error


def save_centroid_copy(
    case: Case, source: CentroidSource | None, centroids: Mapping[str, Centroid]
) -> Path:
    """Write centroids beside the file of the case, as ``<file>.mine-<time>``; returns the path.

    Raises
    ------
    SaveError
        When it cannot be written.
    """
    path = _aside(_target(case, source), "mine")
    _write(case, path, source, centroids, Expect.NOTHING, 0)
    return path


def put_centroids_aside(case: Case, source: CentroidSource | None) -> CentroidSource:
    """Copy a centroid file that somebody else wrote to ``<file>.theirs-<time>``.

    Returns
    -------
    CentroidSource
        The file that :func:`save_centroid_file` may replace now.

    Raises
    ------
    SaveError
        When the copy cannot be made.
    """
    path = _target(case, source)
    direction = None if source is None else source.direction
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return CentroidSource(path=_relative(case, path), direction=direction)
    except OSError as error:
        raise SaveError(f"{display_name(path)} cannot be put aside ({reason(error)}).") from error
    copied = write_bytes_durably(_aside(path, "theirs"), data, expected=Expect.NOTHING)
    return _source(case, path, copied, direction)


def source_now(case: Case, source: CentroidSource | None) -> tuple[CentroidSource, CentroidFile]:
    """Read the file of a case as it is now, whatever it was before.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    path = _target(case, source)
    file = read_centroids(path, stored_grid(case))
    return _source(case, path, file.fingerprint, file.direction), file


def noted_centroids(notes: Sidecar) -> dict[str, Centroid]:
    """Return the centroids that were noted before somebody else changed the file."""
    return readable_centroids(notes.former_centroids)


def _path(case: Case, known: CentroidSource | None) -> Path | None:
    """The file of a case: the one that was used before, else the first that was found.

    Where data were moved as a whole, an absolute path leads nowhere, and the name still does.
    """
    if known is not None:
        path = _absolute(case, known.path)
        moved = [p for p in case.landmarks if p.name == path.name and not path.exists()]
        return moved[0] if moved else path
    return case.landmarks[0] if case.landmarks else None


def _without_file(loaded: LoadedSidecar, path: Path) -> LoadedSidecar:
    """Go on with what is noted when the file is gone; saving writes it anew."""
    known, problems = loaded.sidecar.centroid_file, loaded.problems
    if known is None:
        return loaded
    gone = known.model_copy(update={"size": 0, "digest": ""})
    if loaded.sidecar.centroids:
        sentence = f"{path.name} is gone; its centroids are shown as they were noted."
        problems = (*problems, sentence)
    return replace(
        loaded, sidecar=loaded.sidecar.model_copy(update={"centroid_file": gone}), problems=problems
    )


def _target(case: Case, source: CentroidSource | None) -> Path:
    return new_centroid_path(case) if source is None else _absolute(case, source.path)


def _aside(path: Path, word: str) -> Path:
    now = datetime.datetime.now(datetime.UTC)
    return path.with_name(f"{path.name}.{word}-{now:%Y%m%dT%H%M%S%f}")


def _write(
    case: Case,
    path: Path,
    source: CentroidSource | None,
    centroids: Mapping[str, Centroid],
    expected: Fingerprint | Expect,
    backups: int,
) -> CentroidSource:
    """Write centroids in the format and orientation of a file."""
    direction = None if source is None else source.direction
    try:
        if _target(case, source).name.lower().endswith(SLICER_SUFFIX):
            written = write_slicer(path, centroids, expected=expected, keep_backups=backups)
        else:
            image = stored_grid(case)
            direction = direction or image.direction
            written = write_verse(
                path, centroids, image, direction=direction, expected=expected,
                keep_backups=backups,
            )  # fmt: skip
    except ImageError as error:
        raise SaveError(f"{path.name} was not saved: {error}") from error
    return _source(case, path, written, direction)


def _absolute(case: Case, path: str) -> Path:
    return case.mask_root / path


def _relative(case: Case, path: Path) -> str:
    if path.is_relative_to(case.mask_root):
        return path.relative_to(case.mask_root).as_posix()
    return str(path.absolute())


def _source(
    case: Case, path: Path, fingerprint: Fingerprint, direction: tuple[str, str, str] | None
) -> CentroidSource:
    return CentroidSource(
        path=_relative(case, path),
        size=fingerprint.size,
        digest=fingerprint.digest,
        direction=direction,
    )


def readable_centroids(values: Mapping[str, Any]) -> dict[str, Centroid]:
    """Return the centroids of the notes; what is damaged is left out."""
    found = {}
    for key, value in values.items():
        try:
            found[key] = Centroid.from_value(value)
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _as_noted(
    centroids: Mapping[str, Centroid], noted: Mapping[str, Centroid]
) -> dict[str, dict[str, Any]]:
    """What a file holds, with the notes' own values where these say the same."""
    values = {}
    for key, centroid in centroids.items():
        same = next((other for other in noted.values() if _is_same(centroid, other)), centroid)
        values[key] = same.to_value()
    return values


def _is_other(centroids: Mapping[str, Centroid], noted: Mapping[str, Centroid]) -> bool:
    """Whether something was noted that a file does not hold."""
    return any(not any(_is_same(c, other) for c in centroids.values()) for other in noted.values())


def _is_same(first: Centroid, second: Centroid) -> bool:
    apart_mm = math.dist(first.position_ras, second.position_ras)
    return first.level == second.level and apart_mm < SAME_MM
