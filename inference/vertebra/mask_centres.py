"""Centres of vertebral bodies, read off masks of whole vertebrae."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.vertebra.levels import INDEX, STEPS

BODY_DEPTH = 0.7
"""The body is the part deeper than this share of the greatest depth. The centre of mass of a
whole vertebra lies 10 to 15 mm behind that of its body; this agrees with the published centroids
of VerSe 004 to 1-2 mm."""

_USUAL_MM = {step.upper: step.gap_mm for step in STEPS if not step.variant} | {
    step.lower: step.gap_mm for step in STEPS if step.lower == INDEX["S1"]
}


def mask_centres(
    labels: NDArray[np.integer],
    affine_ras: NDArray[np.float64],
    names: Mapping[int, str],
    *,
    collapsed: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Return the centre of the body of each vertebra whose body is not cut by the image's ends.

    Of a vertebra that reaches the first or last slice the body is whole when its centre lies
    half a usual distance of centres away from there; its processes may be cut.

    Parameters
    ----------
    labels : ndarray of int, shape (nk, nj, ni)
        Slices of the first axis are more or less axial.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm.
    names : mapping of int to str
        Level of each label; other labels are passed over.
    collapsed : bool
        Whether bodies may have collapsed to the thickness of the joints behind them, so that
        only the largest of the deep parts is the body.

    Returns
    -------
    dict of str to ndarray
        RAS mm by level.
    """
    spacing = np.linalg.norm(affine_ras[:3, :3], axis=0)[::-1]
    centres = {}
    boxes = ndimage.find_objects(labels)
    for value, name in names.items():
        box = boxes[value - 1] if 0 < value <= len(boxes) else None
        if box is None:
            continue
        inside = np.pad(labels[box] == value, 1)
        depth = ndimage.distance_transform_edt(inside, sampling=spacing)
        deep = depth >= BODY_DEPTH * depth.max()
        core = np.argwhere(_largest(deep) if collapsed else deep) - 1
        index = core.mean(axis=0) + [s.start for s in box]
        above, below = index[0] + 0.5, labels.shape[0] - 0.5 - index[0]
        half = 0.5 * _USUAL_MM.get(INDEX[name], 0.0) / spacing[0]
        if (box[0].start == 0 and above < half) or (box[0].stop == len(labels) and below < half):
            continue
        centres[name] = affine_ras[:3, :3] @ index[::-1] + affine_ras[:3, 3]
    return centres


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of a mask."""
    pieces, _ = ndimage.label(mask)
    return np.asarray(pieces == int(np.bincount(pieces.ravel())[1:].argmax()) + 1)
