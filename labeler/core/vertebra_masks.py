"""Centroids from vertebra masks, and masks renamed after corrected centroids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labeler.core.geometry import Grid
from labeler.core.landmarks import Centroids, Point

#: The body is the part deeper than this share of the greatest depth. Found on VerSe 004: agrees
#: with the published centroids of the bodies to 1-2 mm, which the centre of mass of the whole
#: vertebra misses by 10-15 mm.
BODY_DEPTH = 0.7

_REACH_MM = 25.0


def body_centres(labels: npt.NDArray[np.integer], grid: Grid) -> dict[int, Point]:
    """Return the centre of the vertebral body of each label.

    Parameters
    ----------
    labels
        ``[k, j, i]`` vertebra masks, 0 is background.
    grid
        Their grid.

    Returns
    -------
    dict
        RAS mm by label value.
    """
    spacing = grid.spacing_mm[::-1]
    centres = {}
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        # a frame of background: a vertebra cut by the edge of the image ends there
        inside = np.pad(labels[box] == value, 1)
        depth = ndimage.distance_transform_edt(inside, sampling=spacing)
        core = np.argwhere(depth >= BODY_DEPTH * depth.max()) - 1
        k, j, i = core.mean(axis=0) + [s.start for s in box]
        x, y, z = grid.to_ras((i, j, k))
        centres[value] = (float(x), float(y), float(z))
    return centres


def relabelling(
    centres: Mapping[int, Point], centroids: Centroids, numbers: Mapping[str, int]
) -> tuple[dict[int, int], list[str]]:
    """Return which label of a mask becomes which, so that it agrees with the centroids.

    Parameters
    ----------
    centres
        Of the labels of the mask, RAS mm (see :func:`body_centres`).
    centroids
        Corrected ones.
    numbers
        Value of each level in the mask.

    Returns
    -------
    dict
        New value by old value, only what changes.
    list of str
        A sentence for each label that has no centroid near, or shares one with another; those
        are left as they are.
    """
    places = {numbers[c.level]: c.position_ras for c in centroids.values() if c.level in numbers}
    names = {number: level for level, number in numbers.items()}
    wanted: dict[int, int] = {}
    problems = []
    for value, centre in centres.items():
        distances = {n: float(np.linalg.norm(np.subtract(p, centre))) for n, p in places.items()}
        nearest = min(distances, key=distances.__getitem__, default=None)
        name = names.get(value, str(value))
        if nearest is None or distances[nearest] > _REACH_MM:
            problems.append(f"No centroid within {_REACH_MM:.0f} mm of label {name}")
        elif nearest in wanted.values():
            problems.append(f"Two labels lie at {names[nearest]}: {name} is left as it is")
        else:
            wanted[value] = nearest
    # a label that stays must not be joined by one that moves onto its value
    staying = set(centres) - set(wanted)
    for value, target in list(wanted.items()):
        if target in staying:
            problems.append(f"{names[target]} is taken by a label without a centroid")
            del wanted[value]
    return {value: target for value, target in wanted.items() if value != target}, problems
