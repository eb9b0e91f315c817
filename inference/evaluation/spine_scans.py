"""Scans whose vertebrae are known: phantoms nobody trained on, and folders of real CT."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Image
from inference.grid import Grid, grid_of
from inference.phantom.spine.curve import VARIANTS, variant_of
from inference.phantom.spine.scene import attenuation, make_spine_scene, person_variant
from inference.resampling import resample_labels
from inference.vertebra.centroid_files import read_verse_centroids
from inference.vertebra.levels import LEVEL_OF_VERSE
from inference.vertebra.mask_centres import mask_centres
from inference.volumes import NIFTI_SUFFIXES, read_source

_SCENE_MM = 2.0
_FIELDS = ("whole body", "long", "short", "narrow")
_LONG_MM, _SHORT_MM, _NARROW_MM = (300.0, 600.0), (90.0, 250.0), (80.0, 170.0)
_SLICES_MM = (2.0, 4.0)
_BLUR_MM, _NOISE_HU = (0.0, 1.2), (0.0, 45.0)
_WHOLE_MM = 9.0
"""A centre that lies this far inside the first and last slice belongs to a body that is whole."""
_ABOUT = {"T11": "L1", "T13": "T13", "L4": "S1", "L6": "L6"}
"""Level that is looked at to tell a variant."""
_CENTROIDS, _MASKS = ("*_ctd.json",), ("*vert*msk.nii.gz", "*vert*.nii.gz", "*msk.nii.gz")


@dataclass(frozen=True, eq=False)
class KnownSpine:
    """A scan and the truth about its vertebrae.

    Parameters
    ----------
    name : str
    field : str
        Kind of the field of view; empty for real scans.
    image : Image
    centres_ras : dict of str to ndarray
        RAS mm of the bodies by level, those beyond the image included where they are known.
    whole : frozenset of str
        Levels whose bodies are whole in the image: those that are counted.
    masks : ndarray of uint8 or None
        VerSe number of each voxel, on the grid of the image; None where nobody drew them.
    variant : str
        What is unusual in view, one of `VARIANTS`; empty of all others.
    """

    name: str
    field: str
    image: Image
    centres_ras: dict[str, NDArray[np.float64]]
    whole: frozenset[str]
    masks: NDArray[np.uint8] | None = None
    variant: str = ""


def variant_seen(names: Collection[str], whole: Collection[str]) -> str:
    """Return which unusual number of vertebrae can be told in an image; empty where none can.

    Parameters
    ----------
    names : collection of str
        Levels of the person.
    whole : collection of str
        Those whose bodies are whole in the image.
    """
    variant = variant_of(names)
    return variant if variant and _ABOUT[variant] in whole else ""


def variant_spines(first_seed: int, count: int) -> Iterator[KnownSpine]:
    """Yield phantoms with an unusual number of vertebrae in view, `count` of each of `VARIANTS`.

    Their fields of view are those of all phantoms, but lie around what is unusual.
    """
    found = dict.fromkeys(VARIANTS, 0)
    seed = first_seed
    while min(found.values()) < count:
        variant = person_variant(seed)
        if variant and found[variant] < count:
            spine = phantom_spine(seed, about=_ABOUT[variant])
            if spine.variant == variant:
                found[variant] += 1
                yield spine
        seed += 1


def phantom_spine(seed: int, about: str = "") -> KnownSpine:
    """Return a phantom that training never saw: whole, a part of it, or hardly more than its spine.

    Slices are 2 to 4 mm thick, some images are soft, some noisy.

    Parameters
    ----------
    seed : int
    about : str
        Level that the field of view lies around; any level when empty.
    """
    rng = np.random.default_rng((seed, 11))
    person = make_spine_scene(seed, _SCENE_MM)
    hu = attenuation(person.scene, rng)
    blur = rng.uniform(*_BLUR_MM) / _SCENE_MM
    hu = ndimage.gaussian_filter(hu, blur) if blur > 0.1 else hu
    centres = {v.name: v.centre_ras for v in person.spine.vertebrae}
    grid = person.scene.grid
    field = str(rng.choice(_FIELDS))
    about_row = person.spine.names.index(about) if about else None
    places = grid.to_kji(person.spine.centres_ras)
    box = _box(field, places, grid.shape_kji, rng, about_row)
    hu, origin = hu[box], grid.to_ras([s.start for s in box])
    thick = rng.uniform(*_SLICES_MM)
    count = max(2, int(hu.shape[0] * _SCENE_MM / thick))
    hu = ndimage.zoom(hu, (count / hu.shape[0], 1, 1), order=1, grid_mode=True, mode="nearest")
    step = box[0].stop - box[0].start
    step_mm = step * _SCENE_MM / count
    noise = rng.standard_normal(hu.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE_HU))
    hu = np.where(hu > -950.0, hu + noise, hu)
    affine = np.diag([-_SCENE_MM, -_SCENE_MM, step_mm, 1.0])
    affine[:3, 3] = origin
    affine[2, 3] += 0.5 * (step_mm - _SCENE_MM)  # zoomed by the voxels' edges
    image = Image(np.rint(np.clip(hu, -1024, 3071)).astype(np.int16), affine)
    shown = np.minimum(
        ((np.arange(count) + 0.5) * step / count).astype(np.intp), step - 1
    )  # the slice of the person in the middle of each one of the image
    masks = person.numbers[box][shown]
    whole = _whole(image, centres)
    variant = variant_seen(person.spine.names, whole)
    return KnownSpine(f"phantom {seed}", field, image, centres, whole, masks, variant)


def _box(
    field: str,
    places: NDArray[np.float64],
    shape: tuple[int, int, int],
    rng: np.random.Generator,
    about: int | None = None,
) -> tuple[slice, slice, slice]:
    """Return the part of a person that a field of view shows."""
    low, high = 0, shape[0]
    if field != "whole body":
        span = _LONG_MM if field == "long" else _SHORT_MM
        height = min(shape[0], int(rng.uniform(*span) / _SCENE_MM))
        drawn = int(rng.integers(len(places)))
        middle = places[drawn if about is None else about, 0] + rng.normal(0.0, 10.0)
        low = int(np.clip(middle - height / 2, 0, shape[0] - height))
        high = low + height
    sides = [slice(0, n) for n in shape[1:]]
    if field == "narrow":
        inside = places[(places[:, 0] >= low) & (places[:, 0] < high)]
        middles = (inside if len(inside) else places)[:, 1:].mean(axis=0) + rng.normal(0, 5.0, 2)
        half = 0.5 * rng.uniform(*_NARROW_MM) / _SCENE_MM
        sides = [
            slice(max(0, int(m - half)), min(n, int(m + half)))
            for m, n in zip(middles, shape[1:], strict=True)
        ]
    return slice(low, high), sides[0], sides[1]


def _whole(image: Image, centres: dict[str, NDArray[np.float64]]) -> frozenset[str]:
    """Return the levels whose bodies are whole in an image."""
    to_index = np.linalg.inv(image.affine_ras)
    size = np.array(image.array.shape[::-1])
    spacing = np.linalg.norm(image.affine_ras[:3, :3], axis=0)
    up = int(np.argmax(np.abs(image.affine_ras[2, :3])))
    margin = np.where(np.arange(3) == up, _WHOLE_MM / spacing, 0.0)
    found = []
    for name, place in centres.items():
        index = to_index[:3, :3] @ place + to_index[:3, 3]
        if ((index >= margin - 0.5) & (index <= size - 0.5 - margin)).all():
            found.append(name)
    return frozenset(found)


def known_spines(folder: Path) -> Iterator[KnownSpine]:
    """Yield the CTs of a folder that have centroids (``_ctd.json``) or vertebra masks (VerSe).

    A CT is a NIfTI file named ``*_ct.nii.gz``, or any that is no mask; its truth is the file
    beside it that begins with the same name up to the last underscore, or with the whole name.

    Raises
    ------
    ValueError
        There are none, or a file cannot be read.
    """
    pairs = [(ct, truth) for ct in _images(folder) if (truth := _truth_of(ct)) is not None]
    if not pairs:
        raise ValueError(f"{folder} has no CT with a _ctd.json or a vertebra mask beside it")
    for ct, truth in pairs:
        source = read_source(ct)
        centres, masks = known_truth(truth, source.image)
        yield KnownSpine(_stem(ct), "", source.image, centres, frozenset(centres), masks)


def known_truth(
    truth: Path, image: Image
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.uint8] | None]:
    """Return centres in RAS mm by level, from centroids or from a mask of VerSe numbers.

    With a mask, also the mask on the grid of the image.

    Raises
    ------
    ValueError
        The file cannot be used.
    """
    if truth.name.endswith(".json"):
        ni, nj, nk = image.array.shape[::-1]
        return read_verse_centroids(truth, (ni, nj, nk), image.affine_ras), None
    import nibabel

    mask = nibabel.load(truth)
    upright = nibabel.as_closest_canonical(mask)  # type: ignore[no-untyped-call]
    labels = np.asarray(upright.dataobj).round().astype(np.uint8).transpose(2, 1, 0)
    nk, nj, ni = labels.shape
    placed = resample_labels(labels, Grid((nk, nj, ni), upright.affine), grid_of(image))
    centres = mask_centres(np.ascontiguousarray(labels), upright.affine, LEVEL_OF_VERSE)
    return centres, placed


def _images(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.rglob("*") if p.name.endswith(NIFTI_SUFFIXES))
    named = [p for p in files if _stem(p).endswith("_ct")]
    return named or [p for p in files if not _stem(p).endswith(("_msk", "_seg", "_labels"))]


def _truth_of(ct: Path) -> Path | None:
    stem = _stem(ct)
    for start in dict.fromkeys((stem, stem.rpartition("_")[0] or stem)):
        for pattern in (*_CENTROIDS, *_MASKS):
            found = sorted(p for p in ct.parent.glob(start + pattern) if p != ct)
            if found:
                return found[0]
    return None


def _stem(path: Path) -> str:
    name = path.name
    suffix = next((s for s in NIFTI_SUFFIXES if name.endswith(s)), "")
    return name[: len(name) - len(suffix)]
