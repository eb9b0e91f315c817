"""Draw the contact sheets of docs/phantom.md: synthetic patients, one a row.

python scripts/draw_phantoms.py docs/screenshots/phantoms.png
python scripts/draw_phantoms.py docs/screenshots/phantom-donors.png --donors DIR

The second sheet shows phantoms with the organs of the donors in a folder, their outlines drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.liver import classes
from inference.phantom import labels, variety
from inference.phantom.donors import Donor, read_donor
from inference.phantom.grids import Grid
from inference.phantom.patient import make_patient
from inference.training.liver import known_donors
from inference.training.patients import paint_patient

SEEDS = (1, 4, 8, 20, 26)
SPACING_MM = (2.0, 2.0, 3.0)
TILE_PX = (150, 190)
LEVEL_HU, WIDTH_HU = 60.0, 320.0
DONOR_SEEDS = (12, 33)
DONOR_GRID = Grid((150, 170, 210), (2.0, 2.0, 2.0), (210.0, 175.0, -160.0))
PV = 2
COLOURS = {  # blue, green, red
    classes.LIVER: (60, 60, 255),
    classes.SPLEEN: (60, 220, 60),
    classes.RIGHT_KIDNEY: (255, 220, 0),
    classes.LEFT_KIDNEY: (255, 220, 0),
    classes.PANCREAS: (0, 220, 255),
    classes.GALLBLADDER: (255, 80, 255),
}


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


def outlined(hu: NDArray[np.float32], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a slice with the outlines of the organs, twice as large."""
    grey = cv2.resize(window(hu), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for number, colour in COLOURS.items():
        organ = [number, *classes.LESIONS] if number == classes.LIVER else [number]
        mask = np.isin(truth, organ).astype(np.uint8)
        mask = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        lines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, colour, 1)
    return picture


def donor_row(donor: Donor, seed: int) -> NDArray[np.uint8]:
    """Return three axial slices and a coronal one of a phantom with the organs of a donor."""
    patient = paint_patient(seed, DONOR_GRID, donor=donor)
    share = patient.share.astype(np.float32) / 255.0
    hu = patient.hu[patient.front, PV] * share + patient.hu[patient.back, PV] * (1.0 - share)
    liver = patient.truth == classes.LIVER
    slices = np.flatnonzero(liver.any(axis=(1, 2)))
    wanted = [int(slices[int(part * (len(slices) - 1))]) for part in (0.25, 0.5, 0.75)]
    column = int(liver.sum(axis=(0, 2)).argmax())
    planes = [(hu[k], patient.truth[k]) for k in wanted]
    planes.append((hu[::-1, column], patient.truth[::-1, column]))
    tiles = []
    for plane, truth in planes:
        picture = outlined(plane, truth)
        missing = 2 * DONOR_GRID.shape_kji[1] - picture.shape[0]
        tiles.append(np.pad(picture, ((0, missing), (0, 0), (0, 0))))
    return np.hstack(tiles)


def main() -> None:
    """Write a sheet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--donors", type=Path, help="folder with the label maps of donors")
    options = parser.parse_args()
    if options.donors is None:
        sheet = np.vstack([row(seed) for seed in SEEDS])
    else:
        donors = [read_donor(path) for path in known_donors(options.donors)]
        rows = [donor_row(d, s) for d, s in zip(donors, DONOR_SEEDS, strict=False)]
        sheet = cv2.resize(np.vstack(rows), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    if not cv2.imwrite(str(options.out), sheet):
        raise SystemExit(f"{options.out} cannot be written")


if __name__ == "__main__":
    main()
