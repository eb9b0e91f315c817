"""What an edit of a mask does, told before it is done: voxels by kind, and regions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeler.core.mask import Box, LabelArray, Patch
from labeler.core.mask_operations import ADDED, OTHER_LABEL, REMOVED
from labeler.core.raster import BoolArray
from labeler.core.regions import RegionDelta, RegionIndex


@dataclass(frozen=True, eq=False)
class Effect:
    """What patches of one mask do to the shapes of some labels.

    Attributes
    ----------
    box
        Holds everything that changes.
    classes
        uint8 ``box.shape_kji``: ``ADDED`` to the labels, ``REMOVED`` from them, ``OTHER_LABEL``
        where one of them becomes another, as in :mod:`~labeler.core.mask_operations`.
    added, removed, relabelled
        Voxels of each kind.
    regions
        Ids of the regions that come, go and change; ``None`` when regions were not counted.
    """

    box: Box
    classes: npt.NDArray[np.uint8]
    added: int
    removed: int
    relabelled: int
    regions: RegionDelta | None


def effect_of(
    before: LabelArray,
    patches: Sequence[Patch],
    labels: Collection[int],
    index: RegionIndex | None = None,
) -> Effect | None:
    """Look at what patches would do.

    Parameters
    ----------
    before
        ``[k, j, i]``: the whole mask as it is.
    patches
        Of this mask, to be applied in this order.
    labels
        Labels whose shapes change; what they take from others or leave to others counts as
        background.
    index
        Regions of the mask as it is.

    Returns
    -------
    Effect or None
        ``None`` when nothing would change.
    """
    if not patches:
        return None
    box = patches[0].box
    for patch in patches[1:]:
        box = box.union(patch.box)
    after: LabelArray = before[box.slices].copy()
    for patch in patches:
        difference = patch.difference()
        if difference.dtype.itemsize > after.dtype.itemsize:
            after = after.astype(np.uint16)
        after[patch.box.slices_in(box)] ^= difference
    classes = np.zeros(box.shape_kji, np.uint8)
    for patch in patches:  # the boxes of many small regions hold less than the box around all
        part = patch.box.slices_in(box)
        classes[part] = _classes(before[patch.box.slices], after[part], labels)
    added, removed, relabelled = (
        int(np.count_nonzero(classes == kind)) for kind in (ADDED, REMOVED, OTHER_LABEL)
    )
    if not (added or removed or relabelled):
        return None
    regions = None if index is None else _without_phases(index).updated(box, after)[1]
    return Effect(box, classes, added, removed, relabelled, regions)


def _classes(
    before: LabelArray, after: LabelArray, labels: Collection[int]
) -> npt.NDArray[np.uint8]:
    owned, owns = _is_one_of(before, labels), _is_one_of(after, labels)
    classes = np.zeros(before.shape, np.uint8)
    classes[owns & ~owned] = ADDED
    classes[owned & ~owns] = REMOVED
    classes[owned & owns & (before != after)] = OTHER_LABEL
    return classes


def _is_one_of(array: LabelArray, labels: Collection[int]) -> BoolArray:
    table = np.zeros(int(np.iinfo(array.dtype).max) + 1, np.bool_)
    table[[label for label in labels if label < len(table)]] = True
    return np.asarray(table[array])


def _without_phases(index: RegionIndex) -> RegionIndex:
    """The same regions, but nobody measures HU of what is only looked at."""
    for phase in index.phases:
        index = index.without_phase(phase)
    return index
