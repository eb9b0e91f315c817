"""Step 2 of the liver model: where lesions may be, at several sensitivities.

A network trained with unbalanced classes is too shy about small lesions. The method of the source
(Wang et al., arXiv 2306.16036) doubles the lesion probabilities before the arg-max, which is the
same as adding ln 2 to the logits of the lesions. Here the factor m is a list: what fires at a
small m is surer than what needs a large one, and every place is proposed once, at its smallest m.
The lesion classes compete together (their probabilities are summed): which type it is, the second
stage is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver import classes

MULTIPLIERS = (1.0, 2.0, 4.0)
LEAST_ML = 0.1
MARGIN_MM = 5.0

Box = tuple[slice, slice, slice]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Proposal:
    """A place that may be a lesion.

    Parameters
    ----------
    box : tuple of three slices
        Smallest box ``[k, j, i]`` of the logits' grid that holds it.
    mask : ndarray of bool, shape of the box
    multiplier : float
        The smallest factor at which it appears; infinite for what stage 1 never sees and only
        its attenuation gives away.
    volume_ml : float
    probabilities : ndarray of float64, shape (7,)
        Mean probability, over its voxels and without any factor, of each class of
        `classes.LESIONS` and of everything else.
    """

    box: Box
    mask: Mask
    multiplier: float
    volume_ml: float
    probabilities: NDArray[np.float64]

    @property
    def lesion_class(self) -> int:
        """The likeliest lesion class."""
        return classes.LESIONS[int(np.argmax(self.probabilities[:-1]))]

    def centre_kji(self) -> NDArray[np.float64]:
        """Return the middle of the box in voxels of the grid."""
        return np.array([(s.start + s.stop - 1) / 2.0 for s in self.box])


def proposal_of(
    logits: NDArray[np.floating], box: Box, mask: Mask, multiplier: float, voxel_ml: float
) -> Proposal:
    """Return the proposal of a place, with what stage 1 thinks of it."""
    p = _mean_probabilities(logits[(slice(None), *box)], mask)
    return Proposal(box, mask, float(multiplier), float(mask.sum() * voxel_ml), p)


def search_region(
    found: NDArray[np.integer], spacing_kji_mm: Sequence[float], margin_mm: float = MARGIN_MM
) -> Mask:
    """Return the liver with its lesions and `margin_mm` around it: where lesions are looked for.

    Only the largest piece counts: a leak elsewhere must not bring lesions of its own.

    Parameters
    ----------
    found : ndarray of int, shape (nk, nj, ni)
        Classes.
    spacing_kji_mm : sequence of three floats
    margin_mm : float
    """
    pieces, n = ndimage.label(np.isin(found, classes.LIVER_AND_LESIONS))
    if n == 0:
        return np.zeros(found.shape, dtype=np.bool_)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    liver = pieces == int(sizes.argmax())
    near: Mask = ndimage.distance_transform_edt(~liver, sampling=spacing_kji_mm) <= margin_mm
    return near


def find_proposals(
    logits: NDArray[np.floating],
    spacing_kji_mm: Sequence[float],
    multipliers: Sequence[float] = MULTIPLIERS,
    least_ml: float = LEAST_ML,
    margin_mm: float = MARGIN_MM,
) -> list[Proposal]:
    """Return the places that may be lesions.

    Parameters
    ----------
    logits : ndarray of float, shape (20, nk, nj, ni)
        Of stage 1.
    spacing_kji_mm : sequence of three floats
        Voxel size of their grid along k, j and i.
    multipliers : sequence of float
        Factors on the lesion probabilities.
    least_ml : float
        Smaller components are left out.
    margin_mm : float
        How far outside of the liver a lesion may lie.

    Returns
    -------
    list of Proposal
        The surest first: by multiplier, then by volume.

    Raises
    ------
    ValueError
        Another number of classes, or a factor that is not positive.
    """
    if logits.ndim != 4 or logits.shape[0] != classes.N_CLASSES:
        raise ValueError(f"logits need {classes.N_CLASSES} classes and three axes: {logits.shape}")
    if not multipliers or min(multipliers) <= 0.0:
        raise ValueError(f"the factors must be positive, not {list(multipliers)}")
    lesions = logits[list(classes.LESIONS)]
    others = np.delete(np.arange(classes.N_CLASSES), classes.LESIONS)
    best_other = logits[others].max(axis=0)
    best_lesion = _log_sum(lesions)
    lesion_at_one = best_lesion > best_other
    found = np.where(lesion_at_one, classes.LESIONS[0], others[logits[others].argmax(axis=0)])
    region = search_region(found, spacing_kji_mm, margin_mm)
    voxel_ml = math.prod(spacing_kji_mm) / 1000.0
    taken = np.zeros(region.shape, dtype=np.bool_)
    result: list[Proposal] = []
    for factor in sorted(multipliers):
        fired = (best_lesion + math.log(factor) > best_other) & region
        pieces, _ = ndimage.label(fired, structure=np.ones((3, 3, 3)))
        for n, box in enumerate(ndimage.find_objects(pieces), start=1):
            mask = pieces[box] == n
            # what fired before is inside what fires now: the place is known
            if mask.sum() * voxel_ml < least_ml or (mask & taken[box]).any():
                continue
            result.append(proposal_of(logits, box, mask, factor, voxel_ml))
        for proposal in result:
            taken[proposal.box] |= proposal.mask
    return sorted(result, key=lambda p: (p.multiplier, -p.volume_ml))


def _log_sum(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the logit of all classes together."""
    top = logits.max(axis=0).astype(np.float32)
    total = np.zeros(top.shape, dtype=np.float32)
    for layer in logits:
        total += np.exp(layer.astype(np.float32) - top)
    result: NDArray[np.float32] = top + np.log(total)
    return result


def _mean_probabilities(logits: NDArray[np.floating], mask: Mask) -> NDArray[np.float64]:
    """Return the mean probability in a mask of each lesion class, and of the rest."""
    inside = logits[:, mask].astype(np.float64)
    p = np.exp(inside - inside.max(axis=0))
    mean = (p / p.sum(axis=0)).mean(axis=1)
    lesions = mean[list(classes.LESIONS)]
    return np.append(lesions, 1.0 - lesions.sum())
