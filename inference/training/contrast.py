"""Showing a training patient in four phases, with other attenuations at every visit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.phantom.fields import Values
from inference.phantom.grids import Grid
from inference.phantom.materials import FIRST_LESION_CODE, Material, Palette
from inference.phantom.rendering import attenuation, make_textures
from inference.phantom.scene import Scene
from inference.training.patients import PaintedPatient, RealPatient, training_grid

Hu = NDArray[np.float32]

NO_TISSUE = 255
"""Tissue code of voxels of a real scan that stay as they are."""

_N_TEXTURES = 4
_FIXED = {"cyst", "hemangioma"}
_UNTOUCHED = {"air", "gas", "gastric_gas", "lung", "table", "table_core", "fat", "skin"}
_EDGE_SIGMA_PX = 0.6


def _timing(hu: Hu, rng: np.random.Generator) -> Hu:
    """Move the contrast phases in time and change how much contrast there is."""
    late = rng.uniform(-0.35, 0.35, len(PHASES))
    moved = hu.copy()
    for p in range(1, len(PHASES)):
        # the arterial phase moves towards none and the portal one; the delayed one ends the table
        other = min(p + 1, len(PHASES) - 1) if late[p] > 0.0 else p - 1
        part = np.float32(abs(late[p]))
        moved[:, p] = (1.0 - part) * hu[:, p] + part * hu[:, other]
    strength = np.float32(rng.uniform(0.65, 1.25))
    moved[:, 1:] = moved[:, :1] + strength * (moved[:, 1:] - moved[:, :1])
    return moved


def _random_contrast(hu: Hu, names: NDArray[np.str_], rng: np.random.Generator) -> Hu:
    """Give soft tissues attenuations they never have (as SynthSeg does)."""
    free = [n for n, name in enumerate(names) if name and name not in _UNTOUCHED]
    drawn = hu.copy()
    drawn[free] = rng.uniform(-60.0, 260.0, (len(free), len(PHASES)))
    return drawn


def draw_attenuations(
    hu: Hu,
    names: NDArray[np.str_],
    age_years: float,
    rng: np.random.Generator,
    random_contrast: float = 0.1,
) -> Hu:
    """Return new attenuations for the materials of a patient.

    Parameters
    ----------
    hu : ndarray of float32, shape (256, 4)
        The patient's own.
    names : ndarray of str, shape (256,)
    age_years : float
    rng : Generator
    random_contrast : float
        Probability of attenuations without any sense.
    """
    palette = Palette(rng, age_years)
    code_of = {name: code for code, name in palette.names.items()}
    drawn = hu.copy()
    for code, name in enumerate(names):
        if name in code_of:
            drawn[code] = palette.hu[code_of[name]]
    _draw_lesions(drawn, hu, names, code_of["liver"], palette, rng)
    if rng.random() < 0.15:
        # fat in the liver: darker in every phase, its lesions are not
        parenchyma = [n for n, name in enumerate(names) if name == "liver"]
        drawn[parenchyma] -= np.float32(rng.uniform(8.0, 45.0))
    drawn = _timing(drawn, rng)
    if rng.random() < random_contrast:
        drawn = _random_contrast(drawn, names, rng)
    return drawn


def _draw_lesions(
    drawn: Hu,
    hu: Hu,
    names: NDArray[np.str_],
    liver_code: int,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    """Move the lesions with the liver, each by a little more, in place of `drawn`."""
    own = [n for n, name in enumerate(names) if name == "liver"]
    shift = palette.hu[liver_code] - hu[own[0]] if own else np.zeros(len(PHASES), dtype=np.float32)
    extra: dict[str, NDArray[np.float64]] = {}
    for code in range(FIRST_LESION_CODE, len(names)):
        if not names[code]:
            continue
        kind, number = str(names[code]).split()[:2]
        if number not in extra:
            extra[number] = rng.normal(0.0, 4.0) + rng.normal(0.0, 2.0, len(PHASES))
        drawn[code] += (0.0 if kind in _FIXED else shift) + extra[number]


class Showing:
    """Renders patients; holds the textures they share.

    Parameters
    ----------
    seed : int
        Of the textures.
    random_contrast : float
        Probability of attenuations without any sense.
    """

    def __init__(self, seed: int, random_contrast: float) -> None:
        self._random_contrast = random_contrast
        rng = np.random.default_rng(seed)
        self._textures = [make_textures(rng, training_grid()) for _ in range(_N_TEXTURES)]

    def phases(self, patient: PaintedPatient | RealPatient, rng: np.random.Generator) -> Values:
        """Return the HU of a patient in four phases.

        Returns
        -------
        ndarray of float32, shape (4, nk, nj, ni)
        """
        if isinstance(patient, RealPatient):
            return _show_real(patient, rng)
        hu = draw_attenuations(
            patient.hu, patient.names, patient.age_years, rng, self._random_contrast
        )
        textures = self._drawn_textures(rng)
        return show_scene((patient.front, patient.back, patient.share), hu, patient.grain, textures)

    def _drawn_textures(self, rng: np.random.Generator) -> tuple[NDArray[np.int8], ...]:
        """Return textures nobody has seen in this place: those of the bank, moved and turned."""
        drawn = []
        for scale in range(3):
            field = self._textures[int(rng.integers(_N_TEXTURES))][scale]
            move = tuple(int(rng.integers(n)) for n in field.shape)
            drawn.append(np.ascontiguousarray(np.roll(field, move, (0, 1, 2))))
        return tuple(drawn)


def show_scene(
    scene: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    hu: Hu,
    grain: Hu,
    textures: tuple[NDArray[np.int8], ...],
    grid: Grid | None = None,
) -> Values:
    """Return a painted scene in four phases.

    Parameters
    ----------
    scene : tuple of three ndarray of uint8, shape (nk, nj, ni)
        Front, back and share.
    hu : ndarray of float32, shape (256, 4)
    grain : ndarray of float32, shape (256, 4, 3)
    textures : tuple of three ndarray of int8, shape (nk, nj, ni)
    grid : Grid, optional
        The training grid by default.
    """
    painted = Scene.__new__(Scene)
    painted.grid = training_grid() if grid is None else grid
    painted.front, painted.back, painted.share = scene
    palette = Palette.__new__(Palette)
    palette.hu, palette.grain = hu, grain
    return np.stack([attenuation(painted, palette, textures, phase) for phase in PHASES])


def _show_real(patient: RealPatient, rng: np.random.Generator) -> Values:
    """Return a real scan in four phases: every labelled tissue moved to its attenuation."""
    palette = Palette(rng, 60.0)
    hu = _timing(palette.hu, rng)
    source = patient.hu.astype(np.float32)
    codes = [c for c in np.unique(patient.tissue) if c != NO_TISSUE]
    gain = np.ones(256, dtype=np.float32)
    mean = np.zeros(256, dtype=np.float32)
    for code in codes:
        mean[code] = np.median(source[patient.tissue == code])
        gain[code] = rng.uniform(0.6, 1.3)
    lesion_hu = _real_lesions(patient, hu, rng)
    keep = rng.random() < 0.25  # as it was scanned, moved as a whole at most
    shown = np.empty((len(PHASES), *source.shape), dtype=np.float32)
    for p in range(len(PHASES)):
        offset = np.zeros(256, dtype=np.float32)
        slope = np.zeros(256, dtype=np.float32)
        for code in codes:
            target = mean[code] if keep else hu[code, p]
            offset[code] = target - mean[code] + rng.normal(0.0, 4.0 if keep else 0.0)
            slope[code] = 0.0 if keep else gain[code] - 1.0
        move = offset[patient.tissue]
        move += slope[patient.tissue] * np.clip(source - mean[patient.tissue], -60.0, 60.0)
        shown[p] = source + ndimage.gaussian_filter(move, _EDGE_SIGMA_PX)
        _lay_lesions(shown[p], patient, lesion_hu[:, p])
    return shown


def _real_lesions(patient: RealPatient, hu: Hu, rng: np.random.Generator) -> Hu:
    """Return the attenuations of the painted lesions of a real scan."""
    drawn = patient.lesion_hu.copy()
    liver = hu[Material.LIVER] - patient.lesion_hu[Material.LIVER]
    for code in range(FIRST_LESION_CODE, 256):
        name = str(patient.lesion_names[code])
        if name:
            drawn[code] += 0.0 if name.split()[0] in _FIXED else liver
            drawn[code] += rng.normal(0.0, 2.0, len(PHASES)).astype(np.float32)
    return drawn


def _lay_lesions(volume: Values, patient: RealPatient, hu: Hu) -> None:
    """Blend the painted lesions into a phase, in place; the noise of the scan runs on."""
    where = np.flatnonzero((patient.lesion_front >= FIRST_LESION_CODE).ravel())
    if not len(where):
        return
    front = patient.lesion_front.ravel()[where]
    back = patient.lesion_back.ravel()[where]
    share = patient.lesion_share.ravel()[where].astype(np.float32) / 255.0
    flat = volume.reshape(-1)
    liver = np.median(flat[(patient.truth == 1).ravel()])
    other = np.where(back >= FIRST_LESION_CODE, hu[back], liver)
    flat[where] += share * hu[front] + (1.0 - share) * other - liver
