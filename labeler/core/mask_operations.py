"""Acts on whole masks: labels by threshold, labels of another mask, two masks made one.

The masks are gone through in parts of some slices, so that neither memory nor the time until a
stop is heard grows with the volume; each part that changes gives one patch.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.distance import Check, never_stop
from labeler.core.geometry import Plane
from labeler.core.mask import Box, LabelArray, Mask, Patch
from labeler.core.painting import FREE, Constraint, HuLimit, write
from labeler.core.raster import BoolArray, GridSlice
from labeler.core.resampling import resampled

#: Voxels of a part, some tens of ms of work.
PART_VOXELS = 4_000_000

#: Classes of :func:`difference`: in neither mask, in the first only, in the second only, in both
#: with the same label, and in both with different ones.
NOTHING, ADDED, REMOVED, COMMON, OTHER_LABEL = range(5)


class Combination(enum.Enum):
    """How two masks become one."""

    UNION = "union"
    INTERSECTION = "intersection"
    MINUS = "minus"
    XOR = "xor"


def label_by_threshold(
    mask: Mask,
    limit: HuLimit,
    label: int,
    constraint: Constraint = FREE,
    check: Check = never_stop,
) -> Iterator[Patch]:
    """Give every voxel whose value is in a range a label.

    Parameters
    ----------
    mask
        Left as it is.
    limit
        The phase, placed as the mask sees it, and the range.
    label, constraint
        As for :func:`~labeler.core.painting.write`.
    check
        Called before each part; may raise to stop.
    """
    for box in _parts(mask.grid.shape_kji):
        check()
        patch = write(mask, box, limit.allows(mask.grid, box), label, constraint)
        if patch is not None:
            yield patch


def copy_labels(
    source: Mask,
    target: Mask,
    labels: Collection[int] | None = None,
    constraint: Constraint = FREE,
    check: Check = never_stop,
) -> Iterator[Patch]:
    """Write what is drawn in one mask into another.

    Parameters
    ----------
    source
        Sampled by nearest voxel where its grid differs.
    target
        Left as it is; what it has stays where the source has nothing.
    labels
        Labels wanted; ``None`` for all.
    constraint
        What may be overwritten.
    check
        Called before each part; may raise to stop.
    """

    def content(box: Box) -> npt.NDArray[np.integer]:
        found = labels_in(source, target, box)
        wanted = found > 0 if labels is None else np.isin(found, list(labels))
        return np.where(wanted, found, target.array[box.slices])

    return _rewritten(target, content, constraint, check)


def rename_labels(
    mask: Mask,
    values: Mapping[int, int],
    constraint: Constraint = FREE,
    check: Check = never_stop,
) -> Iterator[Patch]:
    """Give labels other values, all at once, so that two may change places.

    Parameters
    ----------
    mask
        Left as it is.
    values
        New value by old value.
    constraint, check
        As for :func:`copy_labels`.
    """
    highest = max([int(mask.array.max()), *values], default=0)
    table = np.arange(highest + 1, dtype=np.uint16)
    table[list(values)] = list(values.values())

    def content(box: Box) -> npt.NDArray[np.integer]:
        wanted: npt.NDArray[np.integer] = table[mask.array[box.slices]]
        return wanted

    return _rewritten(mask, content, constraint, check)


def copy_from_slice(
    mask: Mask,
    plane: Plane,
    index: int,
    step: int,
    label: int,
    constraint: Constraint = FREE,
) -> Patch | None:
    """Draw a label on a slice as it is on another one.

    Parameters
    ----------
    mask
        Left as it is.
    plane, index
        Slice that is drawn on.
    step
        The slice ``index + step`` is copied; ``None`` is returned when there is none.
    label, constraint
        As for :func:`~labeler.core.painting.write`.
    """
    if not 0 <= index + step < mask.grid.shape_ijk[plane.normal_axis]:
        return None
    here, there = (GridSlice(mask.grid, plane, at) for at in (index, index + step))
    box = here.box((0, 0), here.shape)
    inside = (there.of(mask.array) == label).reshape(box.shape_kji)
    return write(mask, box, inside, label, constraint)


def combine(
    first: Mask,
    second: Mask,
    how: Combination,
    labels: Collection[int] | None = None,
    constraint: Constraint = FREE,
    check: Check = never_stop,
) -> Iterator[Patch]:
    """Combine a mask with another one; the first is changed.

    Parameters
    ----------
    first
        Left as it is; the patches are for it. Where both have a label, the first one's counts.
    second
        Sampled by nearest voxel where its grid differs.
    how
        The union adds what only the second has. The intersection takes away what only the first
        has, and minus what both have. Xor leaves what one of them has, but not both.
    labels
        Label by label, these only: voxels of other labels are none of the second mask, and stay
        in the first unless one of these comes over them. ``None`` for all labels as one: a voxel
        is drawn, whatever its label, or not.
    constraint, check
        As for :func:`copy_labels`.
    """

    def content(box: Box) -> npt.NDArray[np.integer]:
        before, other = first.array[box.slices], labels_in(second, first, box)
        if labels is None:
            return _combined(before, other, before > 0, other > 0, how)
        wanted: npt.NDArray[np.integer] = before
        for label in labels:
            own, new = before == label, other == label
            after = _combined(before, other, own, new, how)
            # Only what adds goes over other labels of the first mask.
            adds = how in (Combination.UNION, Combination.XOR)
            wanted = np.where(own | new if adds else own, after, wanted)
        return wanted

    return _rewritten(first, content, constraint, check)


def difference(
    first: Mask, second: Mask, box: Box | None = None, check: Check = never_stop
) -> npt.NDArray[np.uint8]:
    """Compare two masks voxel by voxel, on the grid of the first.

    Parameters
    ----------
    first, second
        The masks; the second is sampled by nearest voxel where its grid differs.
    box
        Part of the first that is wanted; all of it by default.
    check
        Called before each part; may raise to stop.

    Returns
    -------
    ndarray
        uint8 ``box.shape_kji``: ``NOTHING``, ``ADDED`` (in the first only), ``REMOVED`` (in the
        second only), ``COMMON`` or ``OTHER_LABEL``.
    """
    box = box or Box.whole(first.grid.shape_kji)
    classes = np.empty(box.shape_kji, np.uint8)
    for part in _parts(box.shape_kji):
        check()
        here = _moved(part, box.lo_kji)
        a, b = first.array[here.slices], labels_in(second, first, here)
        dtype = np.result_type(a, b)
        a, b = np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)
        _classify(frozen(a), frozen(b), classes[part.slices])
    return classes


def labels_in(source: Mask, target: Mask, box: Box) -> LabelArray:
    """Labels of one mask at the voxels of a box of another one, by nearest voxel."""
    if source.grid.matches(target.grid):
        return source.array[box.slices]
    whole = Box.whole(source.grid.shape_kji)
    _, found = resampled(source.array, whole, source.grid, target.grid, within=box)
    return found


def _parts(shape_kji: tuple[int, int, int]) -> Iterator[Box]:
    n_k, n_j, n_i = shape_kji
    step = max(1, PART_VOXELS // (n_j * n_i))
    for k in range(0, n_k, step):
        yield Box((k, 0, 0), (min(k + step, n_k), n_j, n_i))


def _moved(box: Box, by_kji: tuple[int, int, int]) -> Box:
    lo, hi = (np.add(corner, by_kji).tolist() for corner in (box.lo_kji, box.hi_kji))
    return Box((lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2]))


def _combined(
    before: LabelArray, other: LabelArray, own: BoolArray, new: BoolArray, how: Combination
) -> npt.NDArray[np.integer]:
    """Labels after combining what is ``own`` of the first with what is ``new`` of the second."""
    if how is Combination.UNION:
        return np.where(own, before, np.where(new, other, 0))
    if how is Combination.INTERSECTION:
        return np.where(own & new, before, 0)
    if how is Combination.MINUS:
        return np.where(own & ~new, before, 0)
    return np.where(own & ~new, before, np.where(new & ~own, other, 0))


def _rewritten(
    mask: Mask,
    content: Callable[[Box], npt.NDArray[np.integer]],
    constraint: Constraint,
    check: Check,
) -> Iterator[Patch]:
    """Give a mask, part after part, the content that is wanted, where that is allowed."""
    for box in _parts(mask.grid.shape_kji):
        check()
        patch = _rewrite(mask, box, content(box), constraint)
        if patch is not None:
            yield patch


def _rewrite(
    mask: Mask, box: Box, wanted: npt.NDArray[np.integer], constraint: Constraint
) -> Patch | None:
    """Give each voxel of a box the label that is wanted there, where that is allowed."""
    before = mask.array[box.slices]
    changed = wanted != before
    if not changed.any():
        return None
    changed &= ~np.isin(wanted, list(constraint.locked))
    # What may be overwritten is the same for all labels that are not locked.
    free = next(n for n in itertools.count() if n not in constraint.locked)
    changed &= constraint.writable(mask, box, free)
    wide = wanted.max() > np.iinfo(before.dtype).max
    after: LabelArray = before.astype(np.uint16) if wide else before.copy()
    after[changed] = wanted[changed]
    return Patch.between(mask.name, box, before, after)


@kernel
def _classify(first: Array, second: Array, out: Array) -> None:
    n_k, n_j, n_i = first.shape
    for k in range(n_k):
        for j in range(n_j):
            for i in range(n_i):
                a, b = first[k, j, i], second[k, j, i]
                if a == 0 and b == 0:
                    out[k, j, i] = 0
                elif b == 0:
                    out[k, j, i] = 1
                elif a == 0:
                    out[k, j, i] = 2
                else:
                    out[k, j, i] = 3 if a == b else 4
