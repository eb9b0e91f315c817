"""What is noted about a case, in ``_labeling/<case>.json`` beside its masks.

Keys this version does not know are kept. What cannot be read is reported, and a damaged file is
put aside before it is replaced; a file that somebody else changed is not replaced at all.
"""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labeler.core.annotations import Annotations, Fields
from labeler.storage.atomic import Expect, Fingerprint, write_bytes_durably
from labeler.storage.case_names import case_file_name
from labeler.storage.errors import ConflictError, SaveError
from labeler.storage.listing import display_name, reason

Status = Literal["todo", "in progress", "done", "flagged"]
STATUSES: tuple[Status, ...] = ("todo", "in progress", "done", "flagged")

#: Folder of the sidecars, in the mask folder.
FOLDER = "_labeling"

_MAX_BYTES = 64 * 2**20
_SUFFIX = ".json"


class SidecarConflict(ConflictError):
    """The sidecar was changed by somebody else since it was read; it was left as it is."""


class _Kept(BaseModel):
    """A part of the file whose unknown keys are kept."""

    model_config = ConfigDict(extra="allow")


class Comment(_Kept):
    """A remark about the case or one region.

    ``region`` describes the region it is about: ``mask``, ``label`` and a point within, RAS mm.
    """

    id: str
    time: str = ""
    author: str = ""
    text: str
    region: dict[str, Any] | None = None


class CentroidSource(_Kept):
    """The centroid file that belongs to a case, as it was when the notes were written.

    Attributes
    ----------
    path
        Below the mask folder with "/", else absolute.
    size, digest
        Name its content; an empty digest says that there is no file.
    direction
        Orientation of a VerSe file.
    """

    path: str
    size: int = 0
    digest: str = ""
    direction: tuple[str, str, str] | None = None


class Sidecar(_Kept):
    """Notes of one case.

    Attributes
    ----------
    format
        Version of the format.
    case
        Case id, as the file name may be a shortened form of it.
    status
        One of :data:`STATUSES`.
    comments
        In order of creation.
    ticks
        Reviewed regions by region key.
    axes
        Long and short axes that were set by hand, by region key.
    centroids
        Vertebra centroids by key, as edited (:class:`labeler.core.landmarks.Centroid`).
    centroid_file
        The file they were read from or written to.
    former_centroids
        Those that were noted before somebody else changed that file.
    shifts_mm
        RAS shift by phase, from breathing correction.
    phases
        Phase by image key, set by hand; "" keeps an image out.
    provenance
        Where accepted model results came from, one entry a region (``docs/formats.md``).
    rejected
        Regions of model results that were rejected.
    times
        ``created`` and ``changed`` (UTC, ISO 8601), and what others add.
    """

    format: int = 1
    case: str
    status: Status = "todo"
    comments: list[Comment] = Field(default_factory=list)
    ticks: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, Any] = Field(default_factory=dict)
    centroids: dict[str, Any] = Field(default_factory=dict)
    centroid_file: CentroidSource | None = None
    former_centroids: dict[str, Any] = Field(default_factory=dict)
    shifts_mm: dict[str, tuple[float, float, float]] = Field(default_factory=dict)
    phases: dict[str, str] = Field(default_factory=dict)
    provenance: list[dict[str, Any]] = Field(default_factory=list)
    rejected: list[dict[str, Any]] = Field(default_factory=list)
    times: dict[str, Any] = Field(default_factory=dict)

    def annotations(self) -> Annotations:
        """What the user changes with undo (see :class:`labeler.core.annotations.Annotations`)."""
        fields: Fields = {
            "status": {"": self.status},
            "comment": {c.id: c.model_dump(exclude={"id"}) for c in self.comments},
            "tick": dict(self.ticks),
            "axes": dict(self.axes),
            "centroid": dict(self.centroids),
            "shift": {phase: list(shift) for phase, shift in self.shifts_mm.items()},
            "provenance": _by_id(self.provenance),
        }
        if self.rejected:  # absent in notes of older versions, whose digest stays what it was
            fields["rejected"] = _by_id(self.rejected)
        canonical = json.dumps(fields, sort_keys=True).encode()
        return Annotations(fields, xxhash.xxh3_128_hexdigest(canonical))

    def with_annotations(self, fields: Fields) -> Sidecar:
        """Return a copy with these annotations in place of the present ones.

        Raises
        ------
        pydantic.ValidationError
            When an annotation is not what the file can hold.
        """
        content = self.model_dump()
        content["status"] = fields.get("status", {}).get("", "todo")
        content["comments"] = [
            {"id": key, **value} for key, value in fields.get("comment", {}).items()
        ]
        content["ticks"] = fields.get("tick", {})
        content["axes"] = fields.get("axes", {})
        content["centroids"] = fields.get("centroid", {})
        content["shifts_mm"] = fields.get("shift", {})
        content["provenance"] = list(fields.get("provenance", {}).values())
        content["rejected"] = list(fields.get("rejected", {}).values())
        return Sidecar.model_validate(content)


def _by_id(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Entries by their ids; one without gets its place."""
    return {str(entry.get("id") or n): entry for n, entry in enumerate(entries)}


@dataclass(frozen=True)
class LoadedSidecar:
    """Notes as read, and the state of the file they were read from.

    Attributes
    ----------
    version
        The file's content; ``None`` when there was no file.
    problems
        Sentences about what was left out.
    is_foreign
        Whether the file tells that it belongs to another case (two ids whose names the file
        system takes for one); it will not be replaced.
    """

    sidecar: Sidecar
    version: Fingerprint | None = None
    problems: tuple[str, ...] = ()
    is_foreign: bool = False


def sidecar_path(mask_root: Path, case_id: str) -> Path:
    """Path of a case's sidecar, whether it exists or not."""
    return mask_root / FOLDER / (case_file_name(case_id) + _SUFFIX)


def load_sidecar(mask_root: Path, case_id: str) -> LoadedSidecar:
    """Read the notes of a case; never raises for what the file is like."""
    return read_sidecar(sidecar_path(mask_root, case_id), case_id)


def read_sidecar(path: Path, case_id: str) -> LoadedSidecar:
    """Read one sidecar file (see :func:`load_sidecar`)."""
    empty = Sidecar(case=case_id)
    name = display_name(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return LoadedSidecar(empty, Fingerprint.of(path), (f"The notes {name} are too large.",))
        data = path.read_bytes()
        version = Fingerprint(len(data), path.stat().st_mtime_ns, xxhash.xxh3_128_hexdigest(data))
    except FileNotFoundError:
        return LoadedSidecar(empty)
    except OSError as error:
        return LoadedSidecar(empty, None, (f"The notes {name} cannot be read ({reason(error)}).",))
    content = _parse(data)
    if content is None:
        sentence = f"The notes {name} are damaged; the file will be put aside when you save."
        return LoadedSidecar(empty, version, (sentence,))
    if content.setdefault("case", case_id) != case_id:
        sentence = f"The notes {name} are those of another case and are not shown."
        return LoadedSidecar(empty, version, (sentence,), is_foreign=True)
    problems: list[str] = []
    sidecar = _validated(content, name, problems)
    return LoadedSidecar(sidecar, version, tuple(problems))


def _parse(data: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _validated(content: dict[str, Any], name: str, problems: list[str]) -> Sidecar:
    """Keep what is valid: a bad list item or field is left out and named."""
    for _ in range(1000):
        try:
            return Sidecar.model_validate(content)
        except ValidationError as error:
            place, *inner = error.errors()[0]["loc"]
        value = content[str(place)]
        if inner and isinstance(value, list) and isinstance(inner[0], int):
            del value[inner[0]]
            problems.append(f"The notes {name}: entry {inner[0] + 1} of {place} is not valid.")
        elif inner and isinstance(value, dict) and str(inner[0]) in value:
            del value[str(inner[0])]
            problems.append(f"The notes {name}: {place} of {inner[0]} is not valid.")
        else:
            del content[str(place)]
            problems.append(f"The notes {name}: {place} is not valid.")
    return Sidecar(case=str(content["case"]))


def save_sidecar(mask_root: Path, sidecar: Sidecar, version: Fingerprint | None) -> Fingerprint:
    """Write the notes of a case.

    Parameters
    ----------
    mask_root
        Folder of the masks.
    sidecar
        The notes; ``times`` are set.
    version
        The version that was read, from :class:`LoadedSidecar` or the last save.

    Returns
    -------
    Fingerprint
        The new version.

    Raises
    ------
    SidecarConflict
        When the file was changed, made or removed since; it is left as it is.
    SaveError
        When it is the file of another case, or writing failed; the old file is intact.
    """
    path = sidecar_path(mask_root, sidecar.case)
    data = _encoded(sidecar)
    present = read_sidecar(path, sidecar.case)
    if present.is_foreign:
        raise SaveError(present.problems[0])
    if present.problems:
        _put_aside(path, "corrupt")
    try:
        return write_bytes_durably(path, data, expected=version or Expect.NOTHING)
    except ConflictError as error:
        raise SidecarConflict(
            f"The notes {display_name(path)} were changed by somebody else and are left as they "
            "are."
        ) from error


def save_sidecar_copy(mask_root: Path, sidecar: Sidecar) -> Path:
    """Write notes beside those of the case, as ``<case>.json.mine-<time>``; returns the path.

    Raises
    ------
    SaveError
        When writing failed.
    """
    path = sidecar_path(mask_root, sidecar.case)
    copy = path.with_name(f"{path.name}.mine-{_stamp()}")
    write_bytes_durably(copy, _encoded(sidecar), expected=Expect.NOTHING)
    return copy


def put_sidecar_aside(mask_root: Path, case_id: str) -> Fingerprint | None:
    """Copy notes that somebody else wrote to ``<case>.json.theirs-<time>``.

    Returns
    -------
    Fingerprint or None
        The version that :func:`save_sidecar` may replace now; ``None`` when there is none.

    Raises
    ------
    SaveError
        When the copy cannot be made.
    """
    path = sidecar_path(mask_root, case_id)
    return _put_aside(path, "theirs") if os.path.exists(path) else None


def _encoded(sidecar: Sidecar) -> bytes:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    times = {"created": now, **sidecar.times, "changed": now}
    content = sidecar.model_copy(update={"times": times}).model_dump(mode="json")
    return (json.dumps(content, indent=1) + "\n").encode("ascii")


def _stamp() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S%f")


def _put_aside(path: Path, word: str) -> Fingerprint:
    """Copy a file that would lose something by being replaced; its fingerprint as copied.

    Raises
    ------
    SaveError
        When the copy cannot be made.
    """
    try:
        data, mtime_ns = path.read_bytes(), path.stat().st_mtime_ns
    except OSError as error:
        raise SaveError(
            f"The notes {display_name(path)} cannot be put aside ({reason(error)})."
        ) from error
    copy = path.with_name(f"{path.name}.{word}-{_stamp()}")
    write_bytes_durably(copy, data, expected=Expect.NOTHING)
    return Fingerprint(len(data), mtime_ns, xxhash.xxh3_128_hexdigest(data))


def list_sidecars(mask_root: Path) -> dict[str, Path]:
    """Sidecar files by name without ending, as :func:`case_file_name` makes it."""
    try:
        with os.scandir(mask_root / FOLDER) as entries:
            return {
                entry.name.removesuffix(_SUFFIX): Path(entry.path)
                for entry in entries
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith(".")
            }
    except OSError:
        return {}


@dataclass(frozen=True)
class Summary:
    """What a list of cases needs of the notes."""

    status: str = "todo"
    phases: dict[str, str] | None = None
    problem: str | None = None


def read_summary(path: Path) -> Summary:
    """Read status and phases of one sidecar, quickly; never raises."""
    try:
        content = _parse(path.read_bytes()) if path.stat().st_size <= _MAX_BYTES else None
    except OSError as error:
        return Summary(problem=f"The notes {display_name(path)} cannot be read ({reason(error)}).")
    if content is None:
        return Summary(problem=f"The notes {display_name(path)} are damaged.")
    status, phases = content.get("status"), content.get("phases")
    return Summary(
        status if status in STATUSES else "todo",
        {k: v for k, v in phases.items() if isinstance(v, str)} if isinstance(phases, dict) else {},
    )
