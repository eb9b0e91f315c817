"""Patients to train on: painted anatomies and real scans, on one 3 mm grid, kept on disk.

A painted patient is kept as materials, not as images, so that each visit can show it with other
contrast. Making one takes half a second, reading one a few hundredths; the folder is a cache that
may be deleted at any time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.liver import classes
from inference.phantom.anatomy import make_anatomy
from inference.phantom.case import stepper
from inference.phantom.donors import Donor
from inference.phantom.grids import Grid
from inference.phantom.lesions import paint_scenario
from inference.phantom.materials import Palette
from inference.phantom.patient import large_vessels
from inference.phantom.variety import Variety
from inference.phantom.variety import draw as draw_variety

SPACING_MM = 3.0
SHAPE_KJI = (136, 96, 136)
_CENTRE_RAS = (0.0, 22.0, -30.0)
LIVER_ABOVE_CENTRE_MM = 60.0
"""How far the middle of the liver lies above that of the grid, about."""

_CLASS_OF_NAME = {
    "lung": classes.LUNG,
    "lung_vessel": classes.LUNG,
    "myocardium": classes.HEART,
    "left_heart": classes.HEART,
    "right_heart": classes.HEART,
    "cortical_bone": classes.BONE,
    "trabecular_bone": classes.BONE,
    "rib_marrow": classes.BONE,
    "cartilage": classes.BONE,
    "disc": classes.SPINE,
    "bowel_wall": classes.BOWEL,
    "bowel_fluid": classes.BOWEL,
    "colon_wall": classes.BOWEL,
    "colon_gas": classes.BOWEL,
    "stool": classes.BOWEL,
    "gas": classes.BOWEL,
    "artery": classes.VESSEL,
    "vein": classes.VESSEL,
}
"""Classes of materials that have no label in a mask."""


@dataclass(frozen=True)
class PaintedPatient:
    """A phantom before it is shown.

    Parameters
    ----------
    front, back, share : ndarray of uint8, shape (nk, nj, ni)
        The scene: see `inference.phantom.scene.Scene`.
    truth : ndarray of uint8, same shape
        Class of each voxel.
    hu : ndarray of float32, shape (256, 4)
    grain : ndarray of float32, shape (256, 4, 3)
        HU and texture of each material code in the four phases.
    names : ndarray of str, shape (256,)
        Name of each material code, empty for none.
    age_years : float
    """

    front: NDArray[np.uint8]
    back: NDArray[np.uint8]
    share: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    hu: NDArray[np.float32]
    grain: NDArray[np.float32]
    names: NDArray[np.str_]
    age_years: float


@dataclass(frozen=True)
class RealPatient:
    """A real scan on the training grid.

    Parameters
    ----------
    hu : ndarray of int16, shape (nk, nj, ni)
    truth : ndarray of uint8, same shape
        Class of each voxel.
    tissue : ndarray of uint8, same shape
        Material code whose attenuation the voxel follows from phase to phase, 255 for none.
    lesion_front, lesion_back, lesion_share : ndarray of uint8, same shape
        Scene of the lesions painted into the liver; code 0 is no lesion.
    lesion_hu : ndarray of float32, shape (256, 4)
    lesion_names : ndarray of str, shape (256,)
    liver_only : bool
        Only the liver is labelled: what else is in the scan is not known.
    """

    hu: NDArray[np.int16]
    truth: NDArray[np.uint8]
    tissue: NDArray[np.uint8]
    lesion_front: NDArray[np.uint8]
    lesion_back: NDArray[np.uint8]
    lesion_share: NDArray[np.uint8]
    lesion_hu: NDArray[np.float32]
    lesion_names: NDArray[np.str_]
    liver_only: bool


def training_grid() -> Grid:
    """Return the grid of the patients: 408 x 288 x 408 mm from heart to hips."""
    half = [(n - 1) * SPACING_MM / 2.0 for n in SHAPE_KJI[::-1]]
    x, y, z = _CENTRE_RAS
    origin = (x + half[0], y + half[1], z - half[2])
    return Grid(SHAPE_KJI, (SPACING_MM,) * 3, origin)


def paint_patient(
    seed: int,
    grid: Grid | None = None,
    variety: Variety | None = None,
    donor: Donor | None = None,
) -> PaintedPatient:
    """Return a synthetic patient. The same arguments give the same bits.

    Parameters
    ----------
    seed : int
    grid : Grid, optional
        By default that of :func:`training_grid`.
    variety : Variety, optional
        By default drawn from the seed.
    donor : Donor, optional
        Gives the shapes of the organs.
    """
    build, look, ill = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    variety = draw_variety(seed) if variety is None else variety
    anatomy = make_anatomy(grid or training_grid(), build, stepper(None), variety, donor)
    palette = Palette(look, anatomy.body.age_years)
    large = large_vessels(anatomy)
    paint_scenario(anatomy.scene, palette, anatomy.liver, None, large, ill, variety.lesions)
    names = np.full(256, "", dtype="U40")
    table = np.zeros(256, dtype=np.uint8)
    for code, name in palette.names.items():
        names[code] = name
        label = int(palette.label[code])
        table[code] = classes.CLASS_OF_LABEL[label] or _CLASS_OF_NAME.get(name, 0)
    scene = anatomy.scene
    truth = table[scene.front]
    truth[(anatomy.vertebra_numbers > 0) & (truth == classes.BONE)] = classes.SPINE
    return PaintedPatient(
        scene.front,
        scene.back,
        scene.share,
        truth,
        palette.hu,
        palette.grain,
        names,
        float(anatomy.body.age_years),
    )


def write_patient(path: Path, patient: PaintedPatient | RealPatient) -> None:
    """Write a patient, so that the file is there as a whole or not at all."""
    buffer = io.BytesIO()
    arrays = {f.name: np.asarray(getattr(patient, f.name)) for f in fields(patient)}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


def _read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def read_patient(path: Path) -> PaintedPatient | RealPatient:
    """Return what :func:`write_patient` wrote."""
    arrays = _read(path)
    if "liver_only" in arrays:
        return RealPatient(**{**arrays, "liver_only": bool(arrays["liver_only"])})
    return PaintedPatient(**{**arrays, "age_years": float(arrays["age_years"])})


class Pool:
    """Patients by name, made when they are first asked for.

    Parameters
    ----------
    folder : Path
        Made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(
        self, name: str, make: Callable[[], PaintedPatient | RealPatient]
    ) -> PaintedPatient | RealPatient:
        """Return a patient from the folder; make it and put it there if it is not yet."""
        path = self._folder / f"{name}.npz"
        if not path.exists():
            write_patient(path, make())
        return read_patient(path)

    def phantom(
        self, seed: int, donor: str = "", organs: Callable[[], Donor] | None = None
    ) -> PaintedPatient | RealPatient:
        """Return the phantom of a seed.

        Parameters
        ----------
        seed : int
        donor : str
            Name of the donor whose organs it has; empty for its own.
        organs : callable, optional
            Reads that donor; called only when the phantom is not there yet.
        """
        if organs is None:
            return self.get(f"phantom-{seed:06d}", lambda: paint_patient(seed))
        name = f"phantom-{seed:06d}-{donor}"
        return self.get(name, lambda: paint_patient(seed, donor=organs()))
