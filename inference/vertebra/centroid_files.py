"""Files of vertebra centroids: VerSe ``_ctd.json`` read, 3D Slicer ``.mrk.json`` made.

A VerSe file is a list: first ``{"direction": ["P", "I", "R"]}``, then one ``{"label", "X", "Y",
"Z"}`` a centroid, in voxels of the image brought into that orientation (A. Sekuboyina et al.,
Medical Image Analysis 73, 2021).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.contract import Landmark
from inference.vertebra.levels import LEVEL_OF_VERSE

_SLICER_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)


def read_verse_centroids(
    path: Path, shape_ijk: tuple[int, int, int], affine_ras: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return centroids in RAS mm by level; labels that are no level are passed over.

    Parameters
    ----------
    path : Path
    shape_ijk, affine_ras : tuple of int, ndarray of shape (4, 4)
        Of the image, axes as stored.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no VerSe file.
    """
    from nibabel import orientations

    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        codes = tuple(entries[0]["direction"])
        points = {int(e["label"]): (float(e["X"]), float(e["Y"]), float(e["Z"])) for e in
                  entries[1:]}  # fmt: skip
        here = orientations.io_orientation(affine_ras)  # type: ignore[no-untyped-call]
        there = orientations.axcodes2ornt(codes)  # type: ignore[no-untyped-call]
        change = orientations.ornt_transform(here, there)  # type: ignore[no-untyped-call]
        turned = affine_ras @ orientations.inv_ornt_aff(change, shape_ijk)  # type: ignore[no-untyped-call]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is no VerSe centroid file: {error}") from error
    return {
        LEVEL_OF_VERSE[label]: turned[:3, :3] @ np.array(point) + turned[:3, 3]
        for label, point in points.items()
        if label in LEVEL_OF_VERSE
    }


def slicer_document(landmarks: Iterable[Landmark]) -> dict[str, Any]:
    """Return landmarks as a list of points for 3D Slicer, in RAS mm, named by level."""
    points = [
        {
            "id": str(n),
            "label": LEVEL_OF_VERSE.get(mark.label, str(mark.label)),
            "description": "; ".join(mark.flags),
            "position": list(mark.position_ras),
            "selected": True,
            "visibility": True,
        }
        for n, mark in enumerate(landmarks, start=1)
    ]
    return {
        "@schema": _SLICER_SCHEMA,
        "markups": [
            {
                "type": "Fiducial",
                "coordinateSystem": "RAS",
                "coordinateUnits": "mm",
                "controlPoints": points,
            }
        ],
    }
