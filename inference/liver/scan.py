"""A request's phases on one grid of 3 mm in the patient's axes, and masks back from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Affine, Image, LabelMap, Request
from inference.grid import Box, Grid, body_box, grid_of
from inference.liver import classes
from inference.liver.inputs import PADDING_HU, WIDE_WINDOW_ORDER
from inference.liver.networks import FINE_SPACING_MM
from inference.resampling import labels_from_scores, resample

_DIRECTIONS = "SPL"
_N_LABELS = 1 + len(classes.ORGANS) + len(classes.LESIONS)


@dataclass(frozen=True, eq=False)
class Scan:
    """The phases of an examination on one grid.

    Parameters
    ----------
    phases_hu : ndarray of float32, shape (4, nk, nj, ni)
        In the order of `PHASES`; missing phases are `PADDING_HU`.
    present : tuple of four bool
    grid : Grid
        i runs to the Left, j to Posterior, k to Superior.
    reference : str
        The phase whose image gave the grid.
    """

    phases_hu: NDArray[np.float32]
    present: tuple[bool, ...]
    grid: Grid
    reference: str

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.grid.spacing_kji_mm)) / 1000.0

    def cropped(self, box: Box) -> Scan:
        """Return the part of the scan in a box ``[k, j, i]``."""
        part = np.ascontiguousarray(self.phases_hu[(slice(None), *box)])
        return replace(self, phases_hu=part, grid=self.grid.cropped(box))


def reference_phase(images: Mapping[str, Image]) -> str:
    """Return the phase on whose grid the mask will be: the best there is.

    Raises
    ------
    ValueError
        There is none of the four phases.
    """
    for phase in (PHASES[p] for p in WIDE_WINDOW_ORDER):
        if phase in images:
            return phase
    raise ValueError(f"the liver model needs one of the phases {', '.join(PHASES)}")


def make_scan(request: Request, transforms: Mapping[str, Affine] | None = None) -> Scan:
    """Return the phases of a request on the 3 mm grid of the best one, cropped to the body.

    Parameters
    ----------
    request : Request
    transforms : mapping of str to ndarray of shape (4, 4), optional
        From RAS mm of a phase to RAS mm of the reference; the identity where there is none.

    Raises
    ------
    ValueError
        There is none of the four phases.
    """
    reference = reference_phase(request.images)
    base = request.images[reference]
    grid = grid_of(base).cropped(body_box(base)).oriented(_DIRECTIONS)
    grid = grid.respaced((FINE_SPACING_MM,) * 3)
    phases = np.full((len(PHASES), *grid.shape_kji), PADDING_HU, dtype=np.float32)
    for n, phase in enumerate(PHASES):
        if phase not in request.images:
            continue
        image = request.images[phase]
        move = None if transforms is None else transforms.get(phase)
        if move is not None:
            image = Image(image.array, move @ image.affine_ras)
        phases[n] = resample(image, grid, fill_hu=PADDING_HU, antialias=_parallel(image, grid))
    np.maximum(phases, PADDING_HU, out=phases)
    return Scan(phases, tuple(p in request.images for p in PHASES), grid, reference)


def _parallel(image: Image, grid: Grid) -> bool:
    """Return whether an image's axes run along a grid's."""
    between = np.linalg.inv(grid.affine_ras[:3, :3]) @ image.affine_ras[:3, :3]
    large = np.abs(between) > 1e-5 * np.abs(between).max()
    return bool((large.sum(axis=0) == 1).all())


def mask_on_image(
    found: NDArray[np.uint8], logits: NDArray[np.floating], grid: Grid, image: Image
) -> LabelMap:
    """Return classes as labels on the grid of an image, with smooth outlines.

    Parameters
    ----------
    found : ndarray of uint8, shape (nk, nj, ni)
        Classes as they were decided.
    logits : ndarray of float, shape (20, nk, nj, ni)
        Where the decision is the likeliest class, its probability shapes the outline.
    grid : Grid
        Of both.
    image : Image
        The reference phase of the scan.
    """
    scores = _scores(found, logits)
    best = labels_from_scores(scores, grid, grid_of(image))
    return LabelMap(classes.LABEL_OF_CLASS[best], image.affine_ras)


def _scores(found: NDArray[np.uint8], logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the probability of each class of the mask, 1 for what was decided against it."""
    top = logits.max(axis=0).astype(np.float32)
    exp = np.exp(logits.astype(np.float32) - top)
    exp /= exp.sum(axis=0)
    scores: NDArray[np.float32] = exp[:_N_LABELS]
    scores[0] += exp[_N_LABELS:].sum(axis=0)
    shown = np.where(found < _N_LABELS, found, 0)
    other = np.flatnonzero((scores.argmax(axis=0) != shown).ravel())
    flat = scores.reshape(_N_LABELS, -1)
    flat[:, other] = 0.0
    flat[shown.ravel()[other], other] = 1.0
    return scores
