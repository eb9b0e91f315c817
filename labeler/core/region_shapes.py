"""Acts on the shape of regions: new forms, splits and merges, each one patch.

Regions are given as :class:`~labeler.core.region_edits.RegionVoxels`; voxels that have lost the
region's label since the index was made are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.distance import TOLERANCE, Check, never_stop, squared_distance
from labeler.core.geometry import Plane
from labeler.core.mask import Mask, Patch
from labeler.core.morphology import closed, margins
from labeler.core.painting import PaintingError, merge_patches, write
from labeler.core.raster import BoolArray, GridSlice
from labeler.core.region_edits import NO_RULES, RegionVoxels, Rules
from labeler.core.voxel_set import VoxelSet, reshape

#: A piece of fewer voxels, beside a cut, goes with its neighbour.
MIN_PIECE = 20

#: Voxels that basins are found for between two looks at whether the result is still wanted.
PART_VOXELS = 200_000

_TOUCHING = np.ones((3, 3, 3), np.uint8)

Pieces = npt.NDArray[np.int32]


def reform(
    mask: Mask,
    region: RegionVoxels,
    change: Callable[[BoolArray], BoolArray],
    room_mm: float = 0.0,
    rules: Rules = NO_RULES,
) -> Patch | None:
    """Give a region the form that a function of its shape returns.

    Parameters
    ----------
    mask, region
        Left as they are.
    change
        Takes the shape in its box, with room around it, and returns the new one in the same box;
        one of :mod:`~labeler.core.morphology`.
    room_mm
        How far the region may grow.
    rules
        What holds there. Voxels that are taken away need not be of a label that may be
        overwritten.
    """
    here = VoxelSet(region.box, region.still_in(mask))
    wide = here.padded(margins(mask.grid.spacing_mm, room_mm), mask.grid.shape_kji)
    return reshape(
        mask, wide.box, wide.inside, change(wide.inside), region.label,
        ground=rules.ground, constraint=rules.constraint,
    )  # fmt: skip


def split_by_line(
    mask: Mask,
    region: RegionVoxels,
    plane: Plane,
    points_ras: npt.ArrayLike,
    label: int | None = None,
    rules: Rules = NO_RULES,
) -> Patch | None:
    """Cut a region along a line drawn on a slice, straight through all of its slices.

    Parameters
    ----------
    mask, region
        Left as they are.
    plane
        Plane the line was drawn in; the cut goes along its normal.
    points_ras
        ``(n, 3)`` RAS mm, n >= 2.
    label
        Label of all pieces but the largest. By default they keep the region's label, and a layer
        of one voxel is taken out between them, so that they are regions of their own.
    rules
        What holds there.

    Raises
    ------
    PaintingError
        When the line does not cut the region apart.
    """
    from scipy import ndimage  # slow to import: not when the program starts

    inside = region.still_in(mask)
    at = GridSlice(mask.grid, plane, 0)
    corner = np.array(region.box.lo_kji[::-1])[[plane.column_axis, plane.row_axis]]
    axis = 2 - plane.normal_axis
    shape = tuple(n for a, n in enumerate(inside.shape) if a != axis)
    line = np.zeros(shape, np.bool_)
    _draw_line(line, np.ascontiguousarray(at.from_ras(points_ras) - corner))
    parts, _ = ndimage.label(inside & ~np.expand_dims(line, axis), _TOUCHING)
    pieces = _without_crumbs(parts)
    if pieces.max(initial=0) < 2:
        raise PaintingError("The line does not cut the region apart: draw it across the region")
    _spread(pieces, inside)
    return _write_pieces(mask, region, pieces, label, rules)


def split_by_watershed(
    mask: Mask,
    region: RegionVoxels,
    neck_mm: float,
    label: int | None = None,
    rules: Rules = NO_RULES,
    check: Check = never_stop,
) -> Patch | None:
    """Cut a region at its necks.

    Parameters
    ----------
    mask, region, label, rules
        See :func:`split_by_line`.
    neck_mm
        A neck is cut when the bodies on both sides are thicker than it by more than this: the
        difference in radius. Small numbers give many pieces.
    check
        Called now and then; may raise to stop.

    Raises
    ------
    PaintingError
        When there is no such neck.
    """
    inside = region.still_in(mask)
    room = np.pad(inside, 1)  # the surface of a region at the edge of its box is a surface too
    depth = np.sqrt(squared_distance(~room, mask.grid.spacing_mm, check))
    order = np.argsort(-depth, axis=None, kind="stable")[: int(np.count_nonzero(room))]
    check()
    basins = _basins(depth, order, neck_mm, check)
    pieces = _without_crumbs(np.ascontiguousarray(basins[1:-1, 1:-1, 1:-1]))
    if pieces.max(initial=0) < 2:
        raise PaintingError("The region has no such neck: try a smaller difference in thickness")
    _spread(pieces, inside)
    return _write_pieces(mask, region, pieces, label, rules)


def merge_regions(
    mask: Mask,
    first: RegionVoxels,
    second: RegionVoxels,
    gap_mm: float,
    rules: Rules = NO_RULES,
    check: Check = never_stop,
) -> Patch | None:
    """Give two regions the label of the first and bridge the gap between them.

    Parameters
    ----------
    mask, first, second
        Left as they are.
    gap_mm
        Widest gap that is bridged.
    rules
        What the bridge may overwrite. The second region's own label need not be among that.
    check
        Called now and then; may raise to stop.

    Raises
    ------
    PaintingError
        When the regions are farther apart than that.
    """
    spacing = mask.grid.spacing_mm
    radius_mm = (gap_mm + max(spacing)) / 2
    room, shape = margins(spacing, radius_mm), mask.grid.shape_kji
    box = first.box.union(second.box)
    wide = VoxelSet(box, np.zeros(box.shape_kji, np.bool_)).padded(room, shape).box
    a, b = np.zeros(wide.shape_kji, np.bool_), np.zeros(wide.shape_kji, np.bool_)
    a[first.box.slices_in(wide)] = first.still_in(mask)
    b[second.box.slices_in(wide)] = second.still_in(mask)
    to_a, to_b = (np.sqrt(squared_distance(one, spacing, check)) for one in (a, b))
    nearest_mm = float(to_b[a].min(initial=np.inf))
    if nearest_mm > 2 * radius_mm * (1 + TOLERANCE):
        raise PaintingError(f"The regions are more than {gap_mm:g} mm apart")
    # What a ball as wide as the gap cannot reach, where both are near (elsewhere it would mend
    # dents of one of them), and the voxels on the shortest way, in case both are pointed.
    bridge = closed(a | b, spacing, radius_mm, check)
    bridge &= np.maximum(to_a, to_b) <= 2 * radius_mm
    bridge |= to_a + to_b <= nearest_mm + 1.5 * max(spacing)
    bridged = write(mask, wide, bridge & ~(a | b), first.label, rules.constraint)
    moved = replace(rules.constraint, only=frozenset({second.label}))
    relabelled = write(mask, wide, b, first.label, moved)
    return merge_patches(patch for patch in (bridged, relabelled) if patch is not None)


def _write_pieces(
    mask: Mask,
    region: RegionVoxels,
    pieces: Pieces,
    label: int | None,
    rules: Rules,
) -> Patch | None:
    own, ground = replace(rules.constraint, only=frozenset({region.label})), rules.ground
    if label is None or label == region.label:
        gone = _gaps(frozen(pieces), 1)
        return write(mask, region.box, gone, ground, own)
    gone = _gaps(frozen(pieces), 2)
    patches = (
        write(mask, region.box, (pieces > 1) & ~gone, label, own),
        write(mask, region.box, gone, ground, own),
    )
    return merge_patches(patch for patch in patches if patch is not None)


def _without_crumbs(parts: Pieces) -> Pieces:
    """Number the pieces from the largest on; the smallest ones become 0, to be spread over."""
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    # When there is nothing but crumbs beside the largest piece, they are what was meant.
    if len(order) > 1 and sizes[order[1]] >= MIN_PIECE:
        order = order[sizes[order] >= MIN_PIECE]
    numbers = np.zeros(len(sizes), np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    return np.asarray(numbers[parts])


@kernel
def _draw_line(line: Array, points: Array) -> None:
    """Set the pixels of a line through points (column, row): no diagonal step gets through it."""
    n_rows, n_columns = line.shape
    last_row, last_column = 0, 0
    for n in range(len(points) - 1):
        x, y = points[n, 0], points[n, 1]
        dx, dy = points[n + 1, 0] - x, points[n + 1, 1] - y
        steps = 1 + int(8 * max(abs(dx), abs(dy)))
        for step in range(steps + 1):
            row = int(np.floor(y + dy * step / steps + 0.5))
            column = int(np.floor(x + dx * step / steps + 0.5))
            if n == 0 and step == 0:
                last_row, last_column = row, column
            if 0 <= row < n_rows and 0 <= column < n_columns:
                line[row, column] = True
            is_diagonal = row != last_row and column != last_column
            if is_diagonal and 0 <= last_row < n_rows and 0 <= column < n_columns:
                line[last_row, column] = True
            last_row, last_column = row, column


@kernel
def _spread(pieces: Array, inside: Array) -> None:
    """Let pieces grow, layer by layer, over voxels inside that belong to none."""
    n_k, n_j, n_i = pieces.shape
    flat, room = pieces.reshape(-1), inside.reshape(-1)
    queue = np.empty(flat.size, np.int64)
    n = 0
    for at in range(flat.size):
        if flat[at] > 0:
            queue[n] = at
            n += 1
    done = 0
    while done < n:
        at = queue[done]
        done += 1
        k, rest = at // (n_j * n_i), at % (n_j * n_i)
        j, i = rest // n_i, rest % n_i
        for c in range(max(k - 1, 0), min(k + 2, n_k)):
            for b in range(max(j - 1, 0), min(j + 2, n_j)):
                for a in range(max(i - 1, 0), min(i + 2, n_i)):
                    other = (c * n_j + b) * n_i + a
                    if room[other] and flat[other] == 0:
                        flat[other] = flat[at]
                        queue[n] = other
                        n += 1


@kernel
def _gaps(pieces: Array, first: int) -> Array:
    """Voxels to be taken out so that no two pieces, from number ``first`` on, touch.

    They are taken from the larger one, which has the lower number.
    """
    n_k, n_j, n_i = pieces.shape
    gaps = np.zeros(pieces.shape, np.bool_)
    for k in range(n_k):
        for j in range(n_j):
            for i in range(n_i):
                own = pieces[k, j, i]
                if own < first:
                    continue
                for c in range(max(k - 1, 0), min(k + 2, n_k)):
                    for b in range(max(j - 1, 0), min(j + 2, n_j)):
                        for a in range(max(i - 1, 0), min(i + 2, n_i)):
                            if pieces[c, b, a] > own:
                                gaps[k, j, i] = True
    return gaps


@kernel
def _root(parent: Array, basin: int) -> int:
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin


def _basins(
    depth: npt.NDArray[np.float32],
    order: npt.NDArray[np.int64],
    neck: float,
    check: Check = never_stop,
) -> Pieces:
    """Basins of the voxels in ``order``, deepest first; the array has a frame of zeros.

    Two basins that meet become one when the shallower of their deepest points is at most ``neck``
    deeper than the place where they meet.
    """
    basin = np.zeros(depth.size, np.int32)
    parent = np.zeros(len(order) + 1, np.int32)
    peak = np.zeros(len(order) + 1, np.float32)
    count = 0
    for lo in range(0, len(order), PART_VOXELS):
        part = order[lo : lo + PART_VOXELS]
        count = _flood(frozen(depth), part, float(neck), basin, parent, peak, count)
        check()
    _resolve(order, basin, parent)
    return basin.reshape(depth.shape)


@kernel
def _flood(
    depth: Array, order: Array, neck: float, basin: Array, parent: Array, peak: Array, count: int
) -> int:
    """Add voxels to basins; returns the number of basins begun so far."""
    _, n_j, n_i = depth.shape
    flat = depth.reshape(-1)
    for at in order:
        deepest, steepest = 0, at
        for c in range(-1, 2):
            for b in range(-1, 2):
                for a in range(-1, 2):
                    other = at + (c * n_j + b) * n_i + a
                    if basin[other] > 0:
                        root = _root(parent, basin[other])
                        if deepest == 0 or peak[root] > peak[deepest]:
                            deepest = root
                        if steepest == at or flat[other] > flat[steepest]:
                            steepest = other
        if deepest == 0:
            count += 1
            basin[at], parent[count], peak[count] = count, count, flat[at]
            continue
        for c in range(-1, 2):
            for b in range(-1, 2):
                for a in range(-1, 2):
                    other = at + (c * n_j + b) * n_i + a
                    if basin[other] > 0:
                        root = _root(parent, basin[other])
                        if root != deepest and peak[root] - flat[at] <= neck:
                            parent[root] = deepest
        basin[at] = basin[steepest]
    return count


@kernel
def _resolve(order: Array, basin: Array, parent: Array) -> None:
    for at in order:
        basin[at] = _root(parent, basin[at])
