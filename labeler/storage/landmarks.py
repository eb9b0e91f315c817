"""Files of vertebra centroids: VerSe ``_ctd.json`` and 3D Slicer ``.mrk.json``.

A VerSe file is a list: first ``{"direction": ["P", "I", "R"]}``, then one ``{"label", "X", "Y",
"Z"}`` a centroid, in voxels of the image brought into that orientation (A. Sekuboyina et al.,
Medical Image Analysis 73, 2021). It says nothing without the image. A Slicer file holds points in
mm, RAS or LPS, whose labels are level names. The key points of the VID data set (ImFusion GmbH) can
be read too: a list of points in DICOM coordinates, bodies and other parts of vertebrae.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from labeler.core.landmarks import FARTHEST_MM, Centroid, Centroids, Point, from_above
from labeler.core.vertebrae import NAMES, NUMBERS, typed_level
from labeler.storage.atomic import Expect, Fingerprint, write_bytes_durably
from labeler.storage.errors import ImageError
from labeler.storage.listing import reason

_MAX_BYTES = 16 * 2**20
_MAX_POINTS = 10_000
_MAX_TOLD = 3
"""So many entries that were left out are told of one by one."""

_MAX_NAME = 40
"""So much of a name stands in a sentence."""

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
_RAS_OF = {"RAS": (1.0, 1.0, 1.0), "LPS": (-1.0, -1.0, 1.0), "0": (1, 1, 1), "1": (-1, -1, 1)}
"""Signs that turn a coordinate system of Slicer (old files have numbers) into RAS."""


@dataclass(frozen=True, eq=False)
class StoredGrid:
    """Shape and affine of the image a VerSe file belongs to, as the image is stored.

    Attributes
    ----------
    shape_ijk
        Voxels along the file's own axes.
    affine
        ``(4, 4)``; maps them to RAS mm.
    """

    shape_ijk: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    @property
    def direction(self) -> tuple[str, str, str]:
        """Where the axes run to, such as ``("P", "I", "R")``."""
        from nibabel.orientations import aff2axcodes  # not at the start: it takes long

        i, j, k = aff2axcodes(self.affine)
        return i, j, k

    def towards(self, direction: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the affine of the image after its axes were brought into an orientation.

        Raises
        ------
        ValueError
            When `direction` is no orientation.
        """
        from nibabel.orientations import (
            axcodes2ornt,
            inv_ornt_aff,
            io_orientation,
            ornt_transform,
        )

        codes = tuple(direction)
        if len(codes) != 3 or not set(codes) <= set("LRAPSI"):
            raise ValueError("the direction is not three letters of L R A P S I")
        wanted = axcodes2ornt(codes)
        if sorted(wanted[:, 0]) != [0.0, 1.0, 2.0]:
            raise ValueError(f"the direction {' '.join(codes)} names an axis twice")
        change = ornt_transform(io_orientation(self.affine), wanted)
        return np.asarray(self.affine @ inv_ornt_aff(change, self.shape_ijk), dtype=np.float64)


@dataclass(frozen=True)
class CentroidFile:
    """What was read.

    Attributes
    ----------
    centroids
        By key.
    direction
        Orientation a VerSe file was written in, None for others.
    problems
        A sentence for each entry that was left out; where these are many, one for all others.
    fingerprint
        Of the file as it was read.
    """

    centroids: Mapping[str, Centroid]
    direction: tuple[str, str, str] | None
    problems: tuple[str, ...]
    fingerprint: Fingerprint


def read_centroids(path: Path, image: StoredGrid) -> CentroidFile:
    """Read a centroid file of any kind.

    Parameters
    ----------
    path
        File; what it holds decides about its kind.
    image
        The image it belongs to.

    Raises
    ------
    ImageError
        With a sentence that names the file and the reason.
    """
    content, fingerprint = _content(path)
    try:
        if isinstance(content, list) and content and "coordinates" in _mapping(content[0]):
            direction, entries = None, [_read(_vid, point) for point in content]
        elif isinstance(content, list):
            direction, entries = _verse(content, image)
        elif isinstance(content, dict) and isinstance(content.get("markups"), list):
            direction, entries = None, _slicer(content["markups"])
        else:
            raise ValueError("it is no VerSe centroid file, Slicer markups file or VID key points")
        centroids, problems = _usable(entries)
        if problems and not centroids:
            raise ValueError(f"no entry of it is a centroid ({problems[0]})")
    except ValueError as error:
        raise ImageError(f"{path.name} cannot be used: {error}.") from error
    told = [f"{path.name}: {words}; it is left out." for words in problems[:_MAX_TOLD]]
    if len(problems) > _MAX_TOLD:
        told.append(f"{path.name}: {len(problems) - _MAX_TOLD} more entries are left out.")
    return CentroidFile(centroids, direction, tuple(told), fingerprint)


def write_verse(
    path: Path,
    centroids: Centroids,
    image: StoredGrid,
    *,
    direction: Sequence[str] | None = None,
    expected: Fingerprint | Expect = Expect.ANYTHING,
    keep_backups: int = 0,
) -> Fingerprint:
    """Write a VerSe centroid file, by default in the orientation of the image.

    Raises
    ------
    SaveError
        See :func:`labeler.storage.atomic.write_bytes_durably`.
    """
    codes = tuple(direction or image.direction)
    to_voxels = np.linalg.inv(image.towards(codes))
    content: list[dict[str, Any]] = [{"direction": list(codes)}]
    for key in from_above(centroids):
        centroid = centroids[key]
        x, y, z = to_voxels[:3, :3] @ centroid.position_ras + to_voxels[:3, 3]
        number = NUMBERS[centroid.level]
        place = {"X": round(float(x), 3), "Y": round(float(y), 3), "Z": round(float(z), 3)}
        content.append({"label": number, **place})
    return _write(path, content, expected, keep_backups)


def write_slicer(
    path: Path,
    centroids: Centroids,
    *,
    expected: Fingerprint | Expect = Expect.ANYTHING,
    keep_backups: int = 0,
) -> Fingerprint:
    """Write a 3D Slicer markups file, in RAS mm.

    Raises
    ------
    SaveError
        See :func:`labeler.storage.atomic.write_bytes_durably`.
    """
    points = [
        {
            "id": str(n),
            "label": centroids[key].level,
            "position": [round(v, 4) for v in centroids[key].position_ras],
            "positionStatus": "defined",
            "selected": True,
            "locked": False,
            "visibility": True,
        }
        for n, key in enumerate(from_above(centroids), start=1)
    ]
    markups = [
        {
            "type": "Fiducial",
            "coordinateSystem": "RAS",
            "coordinateUnits": "mm",
            "controlPoints": points,
        }
    ]
    return _write(path, {"@schema": _SCHEMA, "markups": markups}, expected, keep_backups)


def _write(
    path: Path, content: Any, expected: Fingerprint | Expect, keep_backups: int
) -> Fingerprint:
    data = json.dumps(content, indent=1).encode("utf-8")
    return write_bytes_durably(path, data, expected=expected, keep_backups=keep_backups)


def _content(path: Path) -> tuple[Any, Fingerprint]:
    """What a file holds, and the fingerprint of these very bytes."""
    try:
        status = path.stat()
        if status.st_size > _MAX_BYTES:
            raise ImageError(f"{path.name} is too large for a centroid file.")
        data = path.read_bytes()
        digest = xxhash.xxh3_128_hexdigest(data)
        fingerprint = Fingerprint(len(data), status.st_mtime_ns, digest)
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read ({reason(error)}).") from error
    if not data.strip():
        raise ImageError(f"{path.name} is empty.")
    try:
        return json.loads(data.decode("utf-8-sig")), fingerprint
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path.name} is not valid JSON ({_what_ails(error)}).") from error


def _what_ails(error: Exception) -> str:
    """What is wrong with a JSON text, and where."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}: line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is no text in UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "a number in it is too long"


@dataclass(frozen=True)
class _Entry:
    """A level and where it is, RAS mm, as a file tells them; either may be no such thing.

    Attributes
    ----------
    level
        None for what is no level.
    name
        What the file calls it.
    place_ras
        None where no three numbers are given; these may be NaN or infinite.
    """

    level: str | None
    name: str
    place_ras: Point | None

    @property
    def problem(self) -> str:
        """Why it cannot be used; "" when it can."""
        if self.level is None:
            return f"“{self.name[:_MAX_NAME]}” is no vertebra"
        if self.place_ras is None or not all(map(math.isfinite, self.place_ras)):
            return f"the place of {self.level} is not a number"
        if max(map(abs, self.place_ras)) > FARTHEST_MM:
            return f"{self.level} lies more than {FARTHEST_MM / 1000:.0f} m away"
        return ""


def _usable(entries: Sequence[_Entry | str | None]) -> tuple[dict[str, Centroid], list[str]]:
    """Centroids by key, and what is wrong with the other entries, some words each."""
    centroids: dict[str, Centroid] = {}
    problems = []
    for n, entry in enumerate(entries[:_MAX_POINTS], start=1):
        if entry is None:
            continue
        words = f"entry {n} {entry}" if isinstance(entry, str) else entry.problem
        if words:
            problems.append(words)
        elif isinstance(entry, _Entry) and entry.level is not None and entry.place_ras is not None:
            centroids[str(len(centroids) + 1)] = Centroid(entry.level, entry.place_ras)
    return centroids, problems


def _read(reader: Callable[[Any], _Entry | None], entry: Any) -> _Entry | str | None:
    """What a reader makes of an entry, or some words on why it can make nothing of it.

    One that is damaged must not cost the others.
    """
    try:
        return reader(entry)
    except KeyError as error:
        return f"has no {error}"
    except (ValueError, TypeError, AttributeError):
        return "is no centroid"


def _verse(
    content: list[Any], image: StoredGrid
) -> tuple[tuple[str, str, str], list[_Entry | str | None]]:
    codes = _mapping(content[0]).get("direction") if content else None
    if codes is None:
        raise ValueError("its first entry names no direction")
    letters = [str(code).upper() for code in codes] if isinstance(codes, list | str) else []
    affine = image.towards(letters)
    first, second, third = letters

    def read(entry: Any) -> _Entry:
        number = entry["label"]
        level = NAMES.get(int(number)) if _number(number).is_integer() else None
        voxel = _point([entry[axis] for axis in ("X", "Y", "Z")])
        if voxel is None:
            return _Entry(level, str(number), None)
        with np.errstate(invalid="ignore", over="ignore"):  # is told of, where it is looked at
            x, y, z = affine[:3, :3] @ voxel + affine[:3, 3]
        return _Entry(level, str(number), (float(x), float(y), float(z)))

    return (first, second, third), [_read(read, entry) for entry in content[1:]]


def _slicer(markups: list[Any]) -> list[_Entry | str | None]:
    entries: list[_Entry | str | None] = []
    for markup in markups:
        if not isinstance(markup, dict):
            raise ValueError("one of its markups is no object")
        system = str(markup.get("coordinateSystem", "LPS")).upper()
        if system not in _RAS_OF:
            raise ValueError(f"its coordinate system {system} is not known")
        points = markup.get("controlPoints") or []
        if not isinstance(points, list):
            raise ValueError("its control points are no list")
        entries += [_read(partial(_control_point, _RAS_OF[system]), point) for point in points]
    return entries


def _control_point(signs: Sequence[float], point: Any) -> _Entry | None:
    """A point of Slicer; None for one that nobody has placed yet."""
    if point.get("positionStatus", "defined") != "defined":
        return None
    name, there = str(point.get("label", "")), _point(point["position"])
    if there is None:
        return _Entry(typed_level(name), name, None)
    x, y, z = (sign * value for sign, value in zip(signs, there, strict=True))
    return _Entry(typed_level(name), name, (x, y, z))


def _vid(point: Any) -> _Entry | None:
    """A key point of VID; None for one that is no body."""
    kind = point["type"]
    if kind.get("keypoint_type", "body") != "body":
        return None
    name, there = str(kind.get("spine_level", "")), _point(point["coordinates"]["world_space"])
    ras = None if there is None else (-there[0], -there[1], there[2])
    return _Entry(typed_level(name), name, ras)


def _mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object as it is; anything else has nothing in it."""
    return value if isinstance(value, dict) else {}


def _point(values: Any) -> Point | None:
    """Three numbers; None for what is none."""
    try:
        x, y, z = map(_number, values)
    except (TypeError, ValueError):
        return None
    return x, y, z


def _number(value: Any) -> float:
    """A number of a file; infinite where it is too large for one, TypeError or ValueError."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
