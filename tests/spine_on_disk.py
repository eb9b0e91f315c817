"""A small spine written as files: drums of bone between soft discs, and a centroid file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from labeler.core.vertebrae import GAPS_MM, NUMBERS
from tests.cases_on_disk import write_image

SPACING_MM = (2.0, 2.0, 2.0)
SHAPE_IJK = (60, 70, 160)
ORIGIN_RAS = (-60.0, -70.0, -160.0)
TOP_RAS = np.array((4.0, -10.0, 130.0))

LEVELS = ("T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4")


def matrix() -> np.ndarray:
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = ORIGIN_RAS
    return affine


def spine_ras(levels: tuple[str, ...] = LEVELS) -> dict[str, np.ndarray]:
    """Centre of each body, on a line that bends to the side and forwards."""
    places, z = {}, TOP_RAS[2]
    for upper, lower in zip(levels, [*levels[1:], ""], strict=True):
        bend = (TOP_RAS[2] - z) / 250.0
        places[upper] = np.array((TOP_RAS[0] + 8 * bend, TOP_RAS[1] + 12 * np.sin(3 * bend), z))
        z -= GAPS_MM.get((upper, lower), (30.0, 2.0))[0]
    return places


def spine_ijk() -> np.ndarray:
    """Int16 HU ``[i, j, k]``: a drum of bone around each centre in soft tissue."""
    index = np.stack(np.indices(SHAPE_IJK), axis=-1)
    ras = index * np.array(SPACING_MM) + np.array(ORIGIN_RAS)
    array = np.full(SHAPE_IJK, 40, np.int16)
    places = spine_ras()
    for level, centre in places.items():
        gap = float(np.mean([mean for pair, (mean, _) in GAPS_MM.items() if level in pair]))
        away = ras - centre
        inside = np.hypot(away[..., 0], away[..., 1]) < 0.55 * gap
        array[inside & (np.abs(away[..., 2]) < 0.38 * gap)] = 260
    return array


def write_spine(
    root: Path, case_id: str, names: dict[str, str | None] | None = None
) -> dict[str, np.ndarray]:
    """Write ``images/<case>/PV.nii.gz`` and ``masks/<case>/<case>_ctd.json``; return the truth.

    Parameters
    ----------
    names
        What a level is called in the file instead; None leaves it out.
    """
    write_image(root / "images" / case_id / "PV.nii.gz", spine_ijk(), matrix())
    rows: list[dict] = [{"direction": ["R", "A", "S"]}]
    for level, ras in spine_ras().items():
        name = (names or {}).get(level, level)
        if name is not None:
            x, y, z = ((ras - np.array(ORIGIN_RAS)) / np.array(SPACING_MM)).tolist()
            rows.append({"label": NUMBERS[name], "X": x, "Y": y, "Z": z})
    folder = root / "masks" / case_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case_id}_ctd.json").write_text(json.dumps(rows))
    return spine_ras()
