"""Draw the contact sheet of docs/phantom.md: synthetic patients, one a row.

python scripts/draw_phantoms.py docs/screenshots/phantoms.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.phantom import labels, variety
from inference.phantom.patient import make_patient

SEEDS = (1, 4, 8, 20, 26)
SPACING_MM = (2.0, 2.0, 3.0)
TILE_PX = (150, 190)
LEVEL_HU, WIDTH_HU = 60.0, 320.0


def window(hu: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return grey values of a soft tissue window."""
    grey = (hu.astype(np.float32) - LEVEL_HU) / WIDTH_HU + 0.5
    return (np.clip(grey, 0.0, 1.0) * 255.0).astype(np.uint8)


def tile(plane: NDArray[np.uint8], stretch: float = 1.0) -> NDArray[np.uint8]:
    """Return a slice in the middle of a tile, as large as it fits."""
    height, width = TILE_PX
    scale = min(height / (plane.shape[0] * stretch), width / plane.shape[1])
    size = (max(1, int(plane.shape[1] * scale)), max(1, int(plane.shape[0] * stretch * scale)))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    whole = np.zeros(TILE_PX, dtype=np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole


def row(seed: int) -> NDArray[np.uint8]:
    """Return three axial slices and a coronal one of a patient."""
    drawn = variety.draw(seed)
    patient = make_patient(seed, spacing_mm=SPACING_MM, phases=("PV",), variety=drawn)
    hu = patient.phases["PV"].array
    liver = patient.reference.array == labels.LIVER
    slices = np.flatnonzero(liver.any(axis=(1, 2)))
    wanted = [int(slices[int(part * (len(slices) - 1))]) for part in (0.2, 0.5, 0.8)]
    column = int(liver.sum(axis=(0, 2)).argmax())
    coronal = tile(window(hu[::-1, column]), SPACING_MM[2] / SPACING_MM[0])
    return np.hstack([*(tile(window(hu[k])) for k in wanted), coronal])


def main(path: Path) -> None:
    """Write the sheet."""
    sheet = np.vstack([row(seed) for seed in SEEDS])
    if not cv2.imwrite(str(path), sheet):
        raise SystemExit(f"{path} cannot be written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
