"""Livers for the second stage: the same patients at 2 mm, with more lesions and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.liver import classes
from inference.liver.stage2 import NOT_A_LESION
from inference.phantom.fields import Values
from inference.phantom.grids import Grid
from inference.phantom.materials import FIRST_LESION_CODE
from inference.phantom.rendering import make_textures, mixture_hu
from inference.phantom.variety import MOST_LESIONS, draw, draw_lesions
from inference.training.contrast import draw_attenuations
from inference.training.patients import PaintedPatient, Pool, RealPatient, paint_patient

LIVER_SPACING_MM = 2.0
_SHAPE_KJI = (100, 120, 170)
_ORIGIN_RAS = (190.0, 150.0, -80.0)
_NEGATIVES = 14
_TRIES = 60
_WRONG_SHARE = 0.15
_TYPES = [classes.CLASS_NAMES[lesion].lower() for lesion in classes.LESIONS]
"""First words of the names of materials."""
_VESSELS = ("liver_artery", "liver_portal", "liver_vein")

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]


def liver_grid() -> Grid:
    """Return the grid of the livers: 340 x 240 x 200 mm."""
    return Grid(_SHAPE_KJI, (LIVER_SPACING_MM,) * 3, _ORIGIN_RAS)


def paint_liver(seed: int) -> PaintedPatient:
    """Return a patient around the liver; two plans of lesions make it worth the painting."""
    rng = np.random.default_rng([seed, 2])
    plan = sorted(draw_lesions(rng) + draw_lesions(rng), key=lambda lesion: -lesion[1])
    variety = replace(draw(seed), lesions=tuple(plan[:MOST_LESIONS]))
    return paint_patient(seed, liver_grid(), variety)


def pooled_liver(pool: Pool, seed: int) -> PaintedPatient | RealPatient:
    """Return the liver of a seed, from the pool if it is there."""
    return pool.get(f"liver-{seed:06d}", partial(paint_liver, seed))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place at which stage 1 might propose a lesion.

    Parameters
    ----------
    kind : int
        Index into `inference.liver.stage2.TYPE_NAMES`.
    box : tuple of three slices
        Of the patient's grid.
    mask : ndarray of bool, shape of the box
        The lesion, or what is taken for one.
    """

    kind: int
    box: Box
    mask: Mask

    def centre_kji(self) -> NDArray[np.float64]:
        """Return the middle of the box."""
        return np.array([(s.start + s.stop - 1) / 2.0 for s in self.box])

    def box_mm(self) -> NDArray[np.float64]:
        """Return the sides of the box."""
        return np.array([s.stop - s.start for s in self.box]) * LIVER_SPACING_MM


def lesions_of(patient: PaintedPatient) -> list[Candidate]:
    """Return the lesions of a patient."""
    owner = np.zeros(256, dtype=np.int32)
    kinds = {}
    for code in range(FIRST_LESION_CODE, 256):
        if patient.names[code]:
            number = int(str(patient.names[code]).split()[-2])
            owner[code] = number
            name = str(patient.names[code]).split()[0]
            kinds[number] = _TYPES.index(name)
    numbers = owner[patient.front]
    found = []
    for n, box in enumerate(ndimage.find_objects(numbers), start=1):
        if box is not None and n in kinds:
            found.append(Candidate(kinds[n], box, numbers[box] == n))
    return found


def _ball(
    centre: NDArray[np.intp], radius_mm: float, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[Box, Mask]:
    """Return an uneven blob around a voxel, cut at the edge of the grid."""
    reach = int(np.ceil(1.4 * radius_mm / LIVER_SPACING_MM)) + 1
    box = tuple(
        slice(max(int(c) - reach, 0), min(int(c) + reach + 1, n))
        for c, n in zip(centre, shape, strict=True)
    )
    axes = [np.arange(s.start, s.stop) - c for s, c in zip(box, centre, strict=True)]
    k, j, i = np.ix_(*axes)
    squash = np.exp(rng.normal(0.0, 0.25, 3))
    away = np.sqrt((k * squash[0]) ** 2 + (j * squash[1]) ** 2 + (i * squash[2]) ** 2)
    noise = ndimage.gaussian_filter(rng.standard_normal(away.shape), 1.5)
    noise /= max(float(noise.std()), 1e-6)
    limit = radius_mm / LIVER_SPACING_MM * (1.0 + 0.2 * noise)
    return (box[0], box[1], box[2]), away < limit


def _dark_spots(patient: PaintedPatient, hu: Values, where: Mask) -> Mask:
    """Return the darkest and the brightest places of the liver in one phase."""
    smooth = ndimage.gaussian_filter(hu, 1.5)
    inside = smooth[where]
    if not inside.size:
        return where
    low, high = np.quantile(inside, (0.01, 0.99))
    spots: Mask = where & ((smooth < low) | (smooth > high))
    return spots


def false_proposals(
    patient: PaintedPatient, hu: Values, lesions: list[Candidate], rng: np.random.Generator
) -> list[Candidate]:
    """Return places that look or lie like lesions and are none.

    Vessels, neighbours that reach into the liver's edge, fissures, extreme noise, and anywhere.

    Parameters
    ----------
    patient : PaintedPatient
    hu : ndarray of float32, shape (nk, nj, ni)
        Of one phase.
    lesions : list of Candidate
        What to keep off.
    rng : Generator
    """
    sick = np.isin(patient.truth, classes.LESIONS)
    liver = patient.truth == classes.LIVER
    codes = np.flatnonzero(np.isin(patient.names, _VESSELS))
    vessels = np.isin(patient.front, codes)
    edge = ndimage.binary_dilation(liver | sick, iterations=2) & ~liver & ~sick
    parenchyma = liver & ~vessels
    places = [vessels, edge, _dark_spots(patient, hu, parenchyma), parenchyma]
    voxels = [np.flatnonzero(p) for p in places]
    kept: list[Candidate] = []
    for _ in range(_TRIES):
        pool = int(rng.choice(len(voxels), p=(0.3, 0.25, 0.25, 0.2)))
        if len(kept) == _NEGATIVES or not len(voxels[pool]):
            continue
        spot = np.array(np.unravel_index(int(rng.choice(voxels[pool])), liver.shape))
        radius_mm = float(3.5 * 5.0 ** rng.uniform(0.0, 1.0))
        box, blob = _ball(spot, radius_mm, liver.shape, rng)
        if pool == 0 and rng.random() < 0.7:  # the vessel itself
            blob = blob & ndimage.binary_dilation(vessels[box])
        elif pool == 1 and rng.random() < 0.5:  # only what is outside, or only what is inside
            blob = blob & (edge[box] if rng.random() < 0.5 else liver[box])
        if blob.sum() >= 12 and (blob & sick[box]).sum() < _WRONG_SHARE * blob.sum():
            kept.append(Candidate(NOT_A_LESION, box, blob))
    return kept


class LiverShowing:
    """Shows livers in four phases, other ones at every visit.

    Parameters
    ----------
    seed : int
        Of the textures.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._textures = make_textures(rng, liver_grid())

    def phases(self, patient: PaintedPatient, rng: np.random.Generator) -> Values:
        """Return HU, float32, shape (4, nk, nj, ni)."""
        hu = draw_attenuations(patient.hu, patient.names, patient.age_years, rng, 0.0)
        # the same textures, moved: nobody has seen them in this place
        moved = []
        for texture in self._textures:
            step = tuple(int(rng.integers(n)) for n in texture.shape)
            moved.append(np.roll(texture, step, (0, 1, 2)))
        layers = (patient.front, patient.back, patient.share)
        return np.stack(
            [
                mixture_hu(layers, tuple(moved), hu[:, p], patient.grain[:, p])
                for p in range(len(PHASES))
            ]
        )
