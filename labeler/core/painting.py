"""Changing labels: every act is a patch of one mask, made without touching the mask.

All functions look at the box they change only, never at the whole volume, and return the
:class:`~labeler.core.mask.Patch` that :meth:`Mask.apply` carries out, or ``None`` when nothing
would change. Shapes are given in RAS mm and drawn on the mask's own grid, whatever grid the view
shows. The label 0 erases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.brushes import Brush
from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.mask import Box, LabelArray, Mask, Patch
from labeler.core.raster import BoolArray, GridSlice, Stamp, polygon_stamp
from labeler.core.resampling import in_range, values_in
from labeler.core.statistics import VoxelSource


class PaintingError(ValueError):
    """An act that cannot be done as asked; the message is a sentence for the user."""


@dataclass(frozen=True, eq=False)
class HuLimit:
    """A range of values of a phase.

    Attributes
    ----------
    values
        The phase, placed as the mask sees it.
    low_hu, high_hu
        Both ends belong to the range.
    """

    values: VoxelSource
    low_hu: float
    high_hu: float

    def allows(self, grid: Grid, box: Box) -> BoolArray:
        """Which voxels of a box of ``grid`` are in the range; none outside of the phase."""
        return in_range(values_in(self.values, grid, box), self.low_hu, self.high_hu)


@dataclass(frozen=True)
class Constraint:
    """What an edit may touch.

    Attributes
    ----------
    locked
        Labels that no edit changes: neither overwritten nor written.
    only
        Labels that may be overwritten (0 for the background); ``None`` for all.
    hu
        Where a phase has certain values; ``None`` for everywhere.
    """

    locked: frozenset[int] = frozenset()
    only: frozenset[int] | None = None
    hu: HuLimit | None = None

    def writable(self, mask: Mask, box: Box, label: int) -> BoolArray:
        """Voxels of a box of a mask that may become ``label``, bool ``box.shape_kji``."""
        return self.allows(mask.array[box.slices], mask.grid, box, label)

    def allows(self, before: LabelArray, grid: Grid, box: Box, label: int) -> BoolArray:
        """The same of labels that were copied from a box of a grid."""
        if label in self.locked:
            return np.zeros(box.shape_kji, np.bool_)
        size = int(np.iinfo(before.dtype).max) + 1
        table = np.full(size, self.only is None)
        table[[value for value in self.only or () if value < size]] = True
        table[[value for value in self.locked if value < size]] = False
        free = np.asarray(table[before])
        return free if self.hu is None else free & self.hu.allows(grid, box)

    def restricted_to(self, label: int) -> Constraint:
        """The same, but that only ``label`` may be overwritten."""
        allowed = self.only is None or label in self.only
        return replace(self, only=frozenset({label}) if allowed else frozenset())


FREE = Constraint()


def write(
    mask: Mask, box: Box, inside: BoolArray, label: int, constraint: Constraint = FREE
) -> Patch | None:
    """Set the voxels ``inside`` a box to ``label``.

    Parameters
    ----------
    mask
        Left as it is.
    box
        Inside the mask.
    inside
        bool, ``box.shape_kji``.
    label
        0..65535. A mask of uint8 becomes uint16 when the patch of a larger label is applied.
    constraint
        What may be overwritten.
    """
    before = mask.array[box.slices]
    chosen = inside & constraint.writable(mask, box, label)
    wide = label > np.iinfo(before.dtype).max
    after = before.astype(np.uint16) if wide else before.copy()
    after[chosen] = label
    return Patch.between(mask.name, box, before, after)


def paint_polygon(
    mask: Mask,
    plane: Plane,
    points_ras: npt.ArrayLike,
    label: int,
    constraint: Constraint = FREE,
) -> Patch | None:
    """Fill a closed polygon on the slice nearest to it.

    Parameters
    ----------
    mask
        Left as it is.
    plane
        Plane of the mask's grid to draw on.
    points_ras
        ``(n, 3)`` corners in order, n >= 3; a voxel is filled when its centre is inside (even-odd).
    label, constraint
        See :func:`write`.
    """
    at = GridSlice.near(mask.grid, plane, points_ras)
    if at is None:
        return None
    return _write_stamp(
        mask, at, polygon_stamp(at.from_ras(points_ras), at.shape), label, constraint
    )


def fill_area(
    mask: Mask, plane: Plane, ras: npt.ArrayLike, label: int, constraint: Constraint = FREE
) -> Patch | None:
    """Fill the area of one label (or of background) around a point, on its slice.

    Neighbours by an edge belong to the area, neighbours by a corner do not, so that it does not
    leak through a thin diagonal line.

    Raises
    ------
    PaintingError
        When the area is background that reaches the border of the slice.
    """
    at = GridSlice.near(mask.grid, plane, ras)
    if at is None:
        return None
    labels = at.of(mask.array)
    column, row = np.floor(at.from_ras(ras) + 0.5).astype(int).tolist()
    if not (0 <= row < at.shape[0] and 0 <= column < at.shape[1]):
        return None
    area_label = labels[row, column]
    same = (labels == area_label).astype(np.uint8)
    _, areas, boxes, _ = cv2.connectedComponentsWithStats(same, connectivity=4)
    x, y, width, height = boxes[areas[row, column], :4].tolist()
    touches = x == 0 or y == 0 or x + width == at.shape[1] or y + height == at.shape[0]
    if area_label == 0 and touches:
        raise PaintingError("The area under the cursor is not closed on this slice.")
    inside = areas[y : y + height, x : x + width] == areas[row, column]
    return _write_stamp(mask, at, Stamp((y, x), inside), label, constraint)


def _write_stamp(
    mask: Mask, at: GridSlice, stamp: Stamp | None, label: int, constraint: Constraint
) -> Patch | None:
    if stamp is None:
        return None
    rows, columns = stamp.inside.shape
    box = at.box(stamp.lo, (rows, columns))
    return write(mask, box, stamp.inside.reshape(box.shape_kji), label, constraint)


class StrokeBuilder:
    """One brush stroke, patch by patch.

    Each :meth:`move_to` returns a small patch, which the caller applies before the next one;
    :meth:`finish` returns their union, which undoes the stroke as a whole. Costs depend on the
    size of the brush and of the stroke, not on the mask.

    Parameters
    ----------
    mask
        Read at every move.
    brush
        What is swept from point to point; not used by another stroke.
    label, constraint
        As for :func:`write`.
    """

    def __init__(self, mask: Mask, brush: Brush, label: int, constraint: Constraint = FREE) -> None:
        self._mask = mask
        self._brush = brush
        self._label = label
        self._constraint = constraint
        self._last: FloatArray | None = None
        self._union = _Union()

    def move_to(self, ras: npt.ArrayLike) -> Patch | None:
        """Sweep the brush from the last point, or dab it at the first one."""
        point = np.asarray(ras, dtype=np.float64)
        last = point if self._last is None else self._last
        self._last = point
        covered = self._brush.sweep(last, point)
        if covered is None:
            return None
        patch = write(self._mask, *covered, self._label, self._constraint)
        if patch is not None:
            self._union.add(patch)
        return patch

    def finish(self) -> Patch | None:
        """The whole stroke as one patch, already applied; ``None`` when nothing was painted.

        Its token is the XOR of the tokens of its parts: taking it back brings back the mask's
        revision from before the stroke.
        """
        return self._union.patch()


def merge_patches(patches: Iterable[Patch]) -> Patch | None:
    """Join patches of one mask into one that does what they do together.

    ``None`` when there are none, or when they cancel each other.

    Raises
    ------
    ValueError
        When they belong to different masks.
    """
    union = _Union()
    for patch in patches:
        union.add(patch)
    return union.patch()


class _Union:
    """XOR of differences in a box that grows as needed."""

    def __init__(self) -> None:
        self._mask = ""
        self._box: Box | None = None
        self._difference: LabelArray = np.zeros((0, 0, 0), np.uint8)
        self._token = 0

    def add(self, patch: Patch) -> None:
        if self._box is not None and patch.mask != self._mask:
            raise ValueError(f"patches of {self._mask!r} and {patch.mask!r} cannot be joined")
        difference = patch.difference()
        box = patch.box if self._box is None else self._box.union(patch.box)
        dtype = np.result_type(self._difference, difference)
        if box != self._box or dtype != self._difference.dtype:
            grown: LabelArray = np.zeros(box.shape_kji, dtype)
            if self._box is not None:
                grown[self._box.slices_in(box)] = self._difference
            self._difference = grown
        self._mask, self._box = patch.mask, box
        self._difference[patch.box.slices_in(box)] ^= difference
        self._token ^= patch.token

    def patch(self) -> Patch | None:
        if self._box is None:
            return None
        nothing = np.zeros_like(self._difference)
        patch = Patch.between(self._mask, self._box, nothing, self._difference)
        return None if patch is None else replace(patch, token=self._token)
