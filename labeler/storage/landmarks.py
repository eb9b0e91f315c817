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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from labeler.core.landmarks import Centroid, Centroids, from_above
from labeler.core.vertebrae import NAMES, NUMBERS, typed_level
from labeler.storage.atomic import Expect, Fingerprint, write_bytes_durably
from labeler.storage.errors import ImageError
from labeler.storage.listing import reason

_MAX_BYTES = 16 * 2**20
_MAX_POINTS = 10_000
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
        One sentence for each entry that was left out.
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
    problems: list[str] = []
    try:
        if isinstance(content, list) and content and "coordinates" in content[0]:
            direction, entries = None, _vid(content)
        elif isinstance(content, list):
            direction, entries = _verse(content, image)
        elif isinstance(content, dict) and isinstance(content.get("markups"), list):
            direction, entries = None, _slicer(content)
        else:
            raise ValueError("it is no VerSe centroid file, Slicer markups file or VID key points")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ImageError(f"{path.name} cannot be used: {_words(error)}.") from error
    centroids: dict[str, Centroid] = {}
    for level, name, position in entries[:_MAX_POINTS]:
        if level is None:
            problems.append(f"{path.name}: “{name}” is no vertebra and is left out.")
        elif not all(math.isfinite(v) for v in position):
            problems.append(f"{path.name}: the place of {level} is not a number; it is left out.")
        else:
            centroids[str(len(centroids) + 1)] = Centroid(level, position)
    return CentroidFile(centroids, direction, tuple(problems), fingerprint)


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
        return json.loads(data.decode("utf-8-sig")), fingerprint
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read ({reason(error)}).") from error
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path.name} is not valid JSON ({error}).") from error


_Entry = tuple[str | None, str, tuple[float, float, float]]


def _verse(content: list[Any], image: StoredGrid) -> tuple[tuple[str, str, str], list[_Entry]]:
    if not content or "direction" not in content[0]:
        raise ValueError("its first entry names no direction")
    first, second, third = (str(code).upper() for code in content[0]["direction"])
    direction = first, second, third
    affine = image.towards(direction)
    entries: list[_Entry] = []
    for entry in content[1:]:
        voxel = np.array([float(entry[axis]) for axis in ("X", "Y", "Z")])
        with np.errstate(invalid="ignore"):  # what is no number is left out, and told of, below
            x, y, z = affine[:3, :3] @ voxel + affine[:3, 3]
        number = entry["label"]
        level = NAMES.get(int(number)) if float(number).is_integer() else None
        entries.append((level, str(number), (float(x), float(y), float(z))))
    return direction, entries


def _slicer(content: Mapping[str, Any]) -> list[_Entry]:
    entries: list[_Entry] = []
    for markup in content["markups"]:
        system = str(markup.get("coordinateSystem", "LPS")).upper()
        if system not in _RAS_OF:
            raise ValueError(f"its coordinate system {system} is not known")
        signs = _RAS_OF[system]
        for point in markup.get("controlPoints", []):
            if point.get("positionStatus", "defined") != "defined":
                continue
            x, y, z = (s * float(v) for s, v in zip(signs, point["position"], strict=True))
            name = str(point.get("label", ""))
            entries.append((typed_level(name), name, (x, y, z)))
    return entries


def _vid(content: list[Any]) -> list[_Entry]:
    entries: list[_Entry] = []
    for point in content:
        kind = point["type"]
        if kind.get("keypoint_type", "body") != "body":
            continue
        x, y, z = (float(v) for v in point["coordinates"]["world_space"])
        name = str(kind.get("spine_level", ""))
        entries.append((typed_level(name), name, (-x, -y, z)))
    return entries


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
