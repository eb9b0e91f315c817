"""Masks as people draw them: without the crumbs that rasterizing and ragged borders leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.labels import LESION_LABELS, ORGAN_LABELS

#: Smallest piece of an organ, a lesion and a vessel that is kept, in ml. Of the portal vein the
#: trunk and its large branches stay; peripheral branches belong to the liver.
MIN_ORGAN_ML, MIN_LESION_ML, MIN_VESSEL_ML = 0.5, 0.03, 1.0

_TOUCHING = np.ones((3, 3, 3), dtype=bool)


def remove_specks(labels_kji: NDArray[np.uint8], voxel_ml: float) -> None:
    """Give small pieces of a label the label that surrounds them, in place.

    Parameters
    ----------
    labels_kji : ndarray of uint8, shape (nk, nj, ni)
    voxel_ml : float
        Volume of a voxel.
    """
    for label, box in enumerate(ndimage.find_objects(labels_kji), start=1):
        if box is None:
            continue
        outer = _grown(box, labels_kji.shape)
        pieces, _ = ndimage.label(labels_kji[outer] == label, structure=_TOUCHING)
        sizes = np.bincount(pieces.ravel())
        small = np.flatnonzero(sizes * voxel_ml < _smallest_ml(label))
        boxes = ndimage.find_objects(pieces)
        for number in small[small > 0]:
            near = _grown(boxes[number - 1], pieces.shape)
            piece = pieces[near] == number
            around = labels_kji[outer][near][ndimage.binary_dilation(piece, _TOUCHING) & ~piece]
            labels_kji[outer][near][piece] = np.bincount(around).argmax() if around.size else 0


def _smallest_ml(label: int) -> float:
    if label in LESION_LABELS:
        return MIN_LESION_ML
    return MIN_ORGAN_ML if label in ORGAN_LABELS else MIN_VESSEL_ML


def _grown(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return a box with one more voxel on each side, as far as there are any."""
    return tuple(
        slice(max(0, s.start - 1), min(n, s.stop + 1)) for s, n in zip(box, shape, strict=True)
    )
