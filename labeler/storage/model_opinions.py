"""How sure a model was of the centroids in the file it wrote: from the document beside it.

``ct-infer`` writes ``MODEL_ctd.json`` and, beside it, ``MODEL.json`` with a list ``points``. A
VerSe file has no room for confidence and doubts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeler.core.landmarks import Centroid
from labeler.core.vertebrae import NUMBERS
from labeler.storage.centroid_names import VERSE_SUFFIX

_MAX_BYTES = 16 * 2**20

#: A point of the document and one of the file are the same when they are nearer.
_SAME_MM = 0.5


def with_opinions(path: Path, centroids: Mapping[str, Centroid]) -> dict[str, Centroid]:
    """Return the centroids of a file with what the model that wrote it said of each.

    Parameters
    ----------
    path
        The centroid file.
    centroids
        As read from it. Those that the document does not know, and all when there is no document or
        it is damaged, are returned as they are.
    """
    points = _points(path)
    found = {}
    for key, centroid in centroids.items():
        point = next((p for p in points if _is_about(p, centroid)), None)
        found[key] = centroid if point is None else _with_opinion(centroid, point)
    return found


def _points(path: Path) -> list[dict[str, Any]]:
    if not path.name.lower().endswith(VERSE_SUFFIX):
        return []
    document = path.with_name(f"{path.name[: -len(VERSE_SUFFIX)]}.json")
    try:
        if document.stat().st_size > _MAX_BYTES:
            return []
        content = json.loads(document.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    points = content.get("points") if isinstance(content, dict) else None
    return [p for p in points if isinstance(p, dict)] if isinstance(points, list) else []


def _is_about(point: Mapping[str, Any], centroid: Centroid) -> bool:
    try:
        place = [float(value) for value in point["position_ras"]]
        is_near = len(place) == 3 and math.dist(place, centroid.position_ras) < _SAME_MM
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return is_near and point.get("label") == NUMBERS[centroid.level]


def _with_opinion(centroid: Centroid, point: Mapping[str, Any]) -> Centroid:
    confidence, flags = point.get("confidence"), point.get("flags")
    is_number = isinstance(confidence, (int, float)) and 0 <= confidence <= 1
    return replace(
        centroid,
        confidence=float(confidence) if is_number and confidence is not None else None,
        flags=tuple(map(str, flags)) if isinstance(flags, list) else (),
    )
