"""What is left of an older lesion around one that was just written over it.

Two outlines of one lesion differ by a voxel here and there. Where a region of another type takes
the place of an older one, specks and bits of rim of the older one would stay around it: lesions of
a hundredth of a millilitre that nobody has seen. They become part of the new region, which is what
they were a part of already. No voxel becomes a lesion by this, and none stops being one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeler.core.distance import Check, never_stop
from labeler.core.geometry import Grid
from labeler.core.mask import Box, LabelArray, Mask, Patch
from labeler.core.painting import FREE, Constraint
from labeler.core.raster import BoolArray

#: What is left of a region that is larger than this is never taken for a remnant.
MAX_ML = 0.05

#: Largest part that remnants may be of what the new region has covered of the older one: a small
#: lesion that is merely touched by a new one is a lesion.
MAX_SHARE = 0.25

_TOUCHING = np.ones((3, 3, 3), np.bool_)


@dataclass(frozen=True)
class Joined:
    """Remnants that become part of a region that was written.

    Attributes
    ----------
    patch
        What makes them so.
    parts
        How many there are.
    voxels
        Of all of them.
    labels
        Labels that they had.
    """

    patch: Patch
    parts: int
    voxels: int
    labels: frozenset[int]


def join_remnants(
    target: Mask,
    written: Sequence[tuple[Patch, int]],
    lesions: frozenset[int],
    constraints: Mapping[int, Constraint] | None = None,
    check: Check = never_stop,
) -> list[Joined]:
    """Write regions, and find what is left of older lesions around them.

    A part of an older region is a remnant if it hangs together with nothing else that is left of
    that region, if each of its voxels touches a voxel that was written, and if all such parts of
    the region together are at most :data:`MAX_ML` and :data:`MAX_SHARE` of what was written over.

    Parameters
    ----------
    target
        A copy of the mask as it was; gets the patches of ``written`` and of the result.
    written
        Patch and label of each region. An older region with one of these labels has no remnants.
    lesions
        Labels of lesions; no other region gets or leaves remnants.
    constraints
        What may be overwritten, by the label that is written.
    check
        Called before each region; may raise to stop.
    """
    from scipy import ndimage  # slow to load

    places = [(_around(p.box, target.grid), label) for p, label in written if label in lesions]
    crops = [(box, label, target.array[box.slices].copy()) for box, label in places]
    for patch, _ in written:
        target.apply(patch)
    older = lesions - {label for _, label in written}
    found = []
    for box, label, old in crops:
        check()
        constraint = (constraints or {}).get(label, FREE)
        now = target.array[box.slices]
        left = _remnants(old, now, label, older, target.grid)
        left &= constraint.writable(target, box, label)
        if left.any():
            after = now.copy()
            after[left] = label
            change = Patch.between(target.name, box, now, after)
            assert change is not None
            parts = int(ndimage.label(left, _TOUCHING)[1])
            labels = frozenset(int(value) for value in np.unique(now[left]))
            found.append(Joined(change, parts, int(left.sum()), labels))
            target.apply(change)
    return found


def _around(box: Box, grid: Grid) -> Box:
    """A box with two voxels around: one that may be a remnant, and one that tells if it goes on."""
    lo, hi = (tuple(n + by for n in ends) for ends, by in ((box.lo_kji, -2), (box.hi_kji, 2)))
    return Box(lo, hi).clipped(grid.shape_kji)  # type: ignore[arg-type]


def _remnants(
    old: LabelArray, now: LabelArray, label: int, older: frozenset[int], grid: Grid
) -> BoolArray:
    """Voxels of a box that are remnants around what became ``label``."""
    from scipy import ndimage

    written = (now == label) & (old != now)
    near = ndimage.binary_dilation(written, _TOUCHING)
    result = np.zeros(old.shape, np.bool_)
    for value in older & {int(v) for v in np.unique(old[written])}:
        regions, n = ndimage.label(old == value, _TOUCHING)
        parts, n_parts = ndimage.label((old == value) & (now == value), _TOUCHING)
        aside = np.unique(parts[~near])
        loose = np.setdiff1d(np.arange(1, n_parts + 1), aside)
        remnants = np.isin(parts, loose)
        covered = np.bincount(regions[written], minlength=n + 1)
        left = np.bincount(regions[remnants], minlength=n + 1)
        small = (left * grid.voxel_ml <= MAX_ML) & (left <= MAX_SHARE * covered)
        small[0] = False
        result |= remnants & small[regions]
    return result
