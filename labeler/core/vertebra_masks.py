"""Centroids from vertebra masks, and masks renamed after corrected centroids."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from labeler.core.geometry import Grid
from labeler.core.labels import Label, LabelTable, spare_colour
from labeler.core.landmarks import Centroids, Point
from labeler.core.proposals import label_finder
from labeler.core.vertebrae import NUMBERS, TOTALSEGMENTATOR_NUMBERS

#: The body is the part deeper than this share of the greatest depth. Found on VerSe 004: agrees
#: with the published centroids of the bodies to 1-2 mm, which the centre of mass of the whole
#: vertebra misses by 10-15 mm.
BODY_DEPTH = 0.7

_REACH_MM = 25.0


def numbering(values: Collection[int]) -> Mapping[str, int] | None:
    """Return which levels the values of a vertebra mask stand for, by the range they lie in.

    Those of VerSe end at 28; those of TotalSegmentator begin at 26 with the sacrum. What fits both
    is L4 to S1 rather than sacrum, coccyx and T13 alone. None when the values fit neither, or
    there are none.
    """
    if values and set(values) <= set(TOTALSEGMENTATOR_NUMBERS.values()):
        return TOTALSEGMENTATOR_NUMBERS
    return NUMBERS if values and max(values) <= max(NUMBERS.values()) else None


def with_vertebrae(table: LabelTable) -> LabelTable:
    """Return a table that names vertebrae as well: those of TotalSegmentator, where it has none.

    A level that the table names already keeps its value, and a value that is taken its name.
    """
    find = label_finder(table)
    added = [
        Label(value, level, spare_colour(value), "bone")
        for level, value in TOTALSEGMENTATOR_NUMBERS.items()
        if find(level) is None and value not in table
    ]
    return LabelTable([*table, *added]) if added else table


def body_centres(
    labels: npt.NDArray[np.integer], grid: Grid, values: Collection[int] | None = None
) -> dict[int, Point]:
    """Return the centre of the vertebral body of each label.

    Parameters
    ----------
    labels
        ``[k, j, i]`` vertebra masks, 0 is background.
    grid
        Their grid.
    values
        Labels that are wanted; all by default.

    Returns
    -------
    dict
        RAS mm by label value.
    """
    from scipy import ndimage  # not at the start: it takes long

    spacing = grid.spacing_mm[::-1]
    centres = {}
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or (values is not None and value not in values):
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
    centres: Mapping[int, Point],
    centroids: Centroids,
    numbers: Mapping[str, int],
    locked: Collection[int] = (),
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
    locked
        Values that nothing is taken from or given to.

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
        elif value in locked:
            if value != nearest:
                problems.append(f"{name} is locked and is left as it is")
        elif nearest in wanted.values():
            problems.append(f"Two labels lie at {names[nearest]}: {name} is left as it is")
        else:
            wanted[value] = nearest
    for value, target in _blocked(centres, wanted, locked):
        what = "locked" if target in locked else "taken by a label that stays"
        left = names.get(value, str(value))
        problems.append(f"{names[target]} is {what}: {left} is left as it is")
    return {value: target for value, target in wanted.items() if value != target}, problems


def _blocked(
    centres: Mapping[int, Point], wanted: dict[int, int], locked: Collection[int]
) -> list[tuple[int, int]]:
    """Take out what would join a label that stays, or move onto a locked value; returns that.

    What is taken out stays itself, and may block others.
    """
    blocked: list[tuple[int, int]] = []
    while True:
        closed = (set(centres) - set(wanted)) | set(locked)
        found = next(((v, t) for v, t in wanted.items() if t in closed and v != t), None)
        if found is None:
            return blocked
        del wanted[found[0]]
        blocked.append(found)
