"""A region from scribbles inside and outside of it: the random walker (Grady, 2006).

A voxel belongs to the region when a walker that starts there, and crosses edges of the image
reluctantly, is more likely to meet a scribble inside than one outside. The chances solve a system
of equations, one a voxel; they are found with conjugate gradients, first on a coarse grid and
then, starting from there, on the fine one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.distance import Check, never_stop
from labeler.core.geometry import Grid
from labeler.core.mask import Box
from labeler.core.painting import PaintingError
from labeler.core.raster import BoolArray
from labeler.core.resampling import values_in
from labeler.core.statistics import VoxelSource
from labeler.core.voxel_set import VoxelSet

#: What a voxel of :attr:`Scribbles.marks` says.
UNKNOWN, INSIDE, OUTSIDE = 0, 1, 2

#: Room around the scribbles inside, at least, and as share of the extent of all scribbles: the
#: region is cut off there.
MARGIN_MM, MARGIN_SHARE = 10.0, 0.5

#: Boxes of more voxels are worked on in blocks of 2 x 2 voxels of a slice: some seconds of work.
FINE_VOXELS = 600_000

#: Most voxels of a box.
MAX_VOXELS = 10_000_000

#: Edges of the cube whose median takes the place of each value: less noise, edges as sharp.
MEDIAN_VOXELS = 3

#: Difference of neighbours that makes a walker reluctant, as multiple of the usual difference. The
#: region leaks through faint edges when it is larger, and follows noise when it is smaller.
EDGE = 0.45

#: Usual difference of neighbours that is reckoned with at least, for images without noise.
LEAST_HU = 2.0

#: Least chance of crossing an edge, compared with none.
LEAKAGE = 1e-6

#: Boxes of fewer voxels are solved at once, without a coarse grid.
COARSE_ENOUGH = 4_000

MAX_STEPS = 2000

FloatVoxels = npt.NDArray[np.float32]


class Scribbles:
    """What somebody has scribbled, stroke by stroke; the later stroke counts.

    Parameters
    ----------
    grid
        Grid of the mask.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._box: Box | None = None
        self._marks = np.zeros((0, 0, 0), np.uint8)

    def add(self, box: Box, covered: BoolArray, inside: bool) -> None:
        """Add a piece of a stroke, as a brush returns it."""
        around = box if self._box is None else self._box.union(box)
        if around != self._box:
            grown = np.zeros(around.shape_kji, np.uint8)
            if self._box is not None:
                grown[self._box.slices_in(around)] = self._marks
            self._box, self._marks = around, grown
        self._marks[box.slices_in(around)][covered] = INSIDE if inside else OUTSIDE

    def marks(self) -> tuple[Box, npt.NDArray[np.uint8]] | None:
        """What is marked, with room around it; the outermost voxels count as outside.

        Returns
        -------
        Box, ndarray
            Box of the grid, and uint8 ``UNKNOWN``, ``INSIDE`` or ``OUTSIDE``. ``None`` before
            the region is marked.

        Raises
        ------
        PaintingError
            When the scribbles extend over so much that it would take too long.
        """
        around = Box.around(self._marks == INSIDE)
        if self._box is None or around is None:
            return None
        extent_mm = np.array(self._box.shape_kji[::-1]) * self._grid.spacing_mm
        room_mm = max(MARGIN_MM, MARGIN_SHARE * float(extent_mm.max()))
        i, j, k = (int(np.ceil(room_mm / spacing)) for spacing in self._grid.spacing_mm)
        (k0, j0, i0), (k1, j1, i1) = around.lo_kji, around.hi_kji
        a, b, c = self._box.lo_kji
        reached = Box((a + k0 - k, b + j0 - j, c + i0 - i), (a + k1 + k, b + j1 + j, c + i1 + i))
        box = reached.clipped(self._grid.shape_kji).union(self._box)
        if np.prod(box.shape_kji) > MAX_VOXELS:
            raise PaintingError("The scribbles are too far apart: mark one lesion at a time")
        marks = np.full(box.shape_kji, OUTSIDE, np.uint8)
        marks[1:-1, 1:-1, 1:-1] = UNKNOWN
        part = marks[self._box.slices_in(box)]
        part[self._marks > 0] = self._marks[self._marks > 0]
        return box, marks


def walked_region(
    grid: Grid,
    phase: VoxelSource,
    box: Box,
    marks: npt.NDArray[np.uint8],
    check: Check = never_stop,
) -> VoxelSet:
    """The region that scribbles mark.

    Parameters
    ----------
    grid
        Grid of the mask.
    phase
        Values that are looked at, placed as the mask sees them.
    box, marks
        From :meth:`Scribbles.marks`.
    check
        Called now and then; may raise to stop.

    Returns
    -------
    VoxelSet
        Every voxel at least as likely inside as outside, without parts that hold no mark.
    """
    from scipy import ndimage  # slow to import: not when the program starts

    values = np.nan_to_num(values_in(phase, grid, box).astype(np.float32))
    values = ndimage.median_filter(values, MEDIAN_VOXELS, mode="nearest")
    check()
    if values.size <= FINE_VOXELS:
        likely = chances(values, marks, grid.spacing_mm, check=check)
    else:
        steps, (s_i, s_j, s_k) = (1, 2, 2), grid.spacing_mm
        coarse = chances(*_coarsened(values, marks, steps), (2 * s_i, 2 * s_j, s_k), check=check)
        likely = _refined(coarse, steps, values.shape)
        likely[marks == INSIDE], likely[marks == OUTSIDE] = 1, 0
    inside = likely >= 0.5
    parts, _ = ndimage.label(inside)
    return VoxelSet(box, np.isin(parts, np.unique(parts[marks == INSIDE])) & inside)


def chances(
    values: FloatVoxels,
    marks: npt.NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    *,
    edge: float = EDGE,
    tolerance: float = 1e-3,
    check: Check = never_stop,
) -> FloatVoxels:
    """Chance of every voxel that its walker meets a mark inside first.

    Parameters
    ----------
    values
        float32 ``[k, j, i]``.
    marks
        uint8 of the same shape; at least one voxel is marked.
    spacing_mm
        Distance of neighbouring voxels along i, j, k.
    edge
        Difference of neighbours that makes a walker reluctant, as multiple of the usual one.
    tolerance
        Largest difference of a chance from the mean of its neighbours' at which the search ends.
    check
        Called in every step; may raise to stop.

    Returns
    -------
    ndarray
        float32 within 0..1.
    """
    start = np.where(marks == INSIDE, np.float32(1), np.float32(0))
    if values.size > COARSE_ENOUGH:
        steps = tuple(2 if length >= 8 else 1 for length in values.shape)
        s_i, s_j, s_k = (s * n for s, n in zip(spacing_mm, steps[::-1], strict=True))
        coarse = chances(
            *_coarsened(values, marks, steps), (s_i, s_j, s_k),
            edge=edge, tolerance=tolerance, check=check,
        )  # fmt: skip
        start = np.where(marks == UNKNOWN, _refined(coarse, steps, values.shape), start)
    weights = _weights(values, spacing_mm, edge)
    return _solved(weights, frozen(marks == UNKNOWN), start, tolerance, check)


def _coarsened(
    values: FloatVoxels, marks: npt.NDArray[np.uint8], steps: tuple[int, ...]
) -> tuple[FloatVoxels, npt.NDArray[np.uint8]]:
    """Means of blocks of voxels; a block with a mark inside is marked so, whatever else it has."""
    room = [(0, -length % step) for length, step in zip(values.shape, steps, strict=True)]
    split = [n for (_, more), length, step in zip(room, values.shape, steps, strict=True)
             for n in ((length + more) // step, step)]  # fmt: skip
    blocks = np.pad(values, room, mode="edge").reshape(split)
    marked = np.pad(marks, room, mode="edge").reshape(split)
    inside = (marked == INSIDE).any(axis=(1, 3, 5))
    outside = (marked == OUTSIDE).any(axis=(1, 3, 5))
    coarse = np.where(inside, INSIDE, np.where(outside, OUTSIDE, UNKNOWN)).astype(np.uint8)
    return np.asarray(blocks.mean(axis=(1, 3, 5)), np.float32), coarse


def _refined(coarse: FloatVoxels, steps: tuple[int, ...], shape: tuple[int, ...]) -> FloatVoxels:
    """Chances of blocks at the voxels in them, evened out between the blocks' middles."""
    from scipy import ndimage  # slow to import: not when the program starts

    fine = ndimage.zoom(coarse, steps, order=1, mode="nearest", grid_mode=True)
    return np.asarray(fine[tuple(slice(0, length) for length in shape)], np.float32)


def _weights(
    values: FloatVoxels, spacing_mm: tuple[float, float, float], edge: float
) -> tuple[FloatVoxels, FloatVoxels, FloatVoxels]:
    """How readily a walker goes from each voxel to the next one along k, j, i (0 at the end)."""
    steps = [np.abs(np.diff(values, axis=axis)) for axis in range(3)]
    all_steps = np.concatenate([step.ravel() for step in steps])
    usual = float(np.median(all_steps)) if all_steps.size else 0.0
    scale = np.float32(edge * 1.4826 * max(usual, LEAST_HU))
    weights = []
    for axis, (step, spacing) in enumerate(zip(steps, spacing_mm[::-1], strict=True)):
        weight = np.exp(-0.5 * (step / scale) ** 2) + np.float32(LEAKAGE)
        room = [(0, int(a == axis)) for a in range(3)]
        weights.append(np.pad(weight * np.float32((min(spacing_mm) / spacing) ** 2), room))
    k, j, i = weights
    return k, j, i


def _solved(
    weights: tuple[FloatVoxels, FloatVoxels, FloatVoxels],
    free: BoolArray,
    start: FloatVoxels,
    tolerance: float,
    check: Check,
) -> FloatVoxels:
    """Conjugate gradients, preconditioned by the diagonal; marked voxels keep their value."""
    w_k, w_j, w_i = (frozen(weight) for weight in weights)
    x = start.copy()
    residual, diagonal, product = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    _multiply(w_k, w_j, w_i, free, x, residual, diagonal)
    np.negative(residual, out=residual)
    direction = scaled = residual / diagonal
    energy = float(np.vdot(residual, scaled))
    # Far more steps than are ever needed: rounding may keep the residual above the goal.
    for _ in range(MAX_STEPS):
        if float(np.abs(scaled).max()) <= tolerance or energy <= 0:
            break
        check()
        _multiply(w_k, w_j, w_i, free, direction, product, diagonal)
        length = np.float32(energy / float(np.vdot(direction, product)))
        x += length * direction
        residual -= length * product
        scaled = residual / diagonal
        before, energy = energy, float(np.vdot(residual, scaled))
        direction = scaled + np.float32(energy / before) * direction
    return np.clip(x, 0, 1)


@kernel
def _multiply(
    w_k: Array, w_j: Array, w_i: Array, free: Array, x: Array, out: Array, diagonal: Array
) -> None:
    """Sum of the weighted differences to all neighbours, 0 at voxels that are not free."""
    n_k, n_j, n_i = x.shape
    for k in range(n_k):
        for j in range(n_j):
            for i in range(n_i):
                if not free[k, j, i]:
                    out[k, j, i], diagonal[k, j, i] = 0.0, 1.0
                    continue
                here = x[k, j, i]
                total = w_k[k, j, i] + w_j[k, j, i] + w_i[k, j, i]
                flow = np.float32(0.0)
                if k + 1 < n_k:
                    flow += w_k[k, j, i] * x[k + 1, j, i]
                if j + 1 < n_j:
                    flow += w_j[k, j, i] * x[k, j + 1, i]
                if i + 1 < n_i:
                    flow += w_i[k, j, i] * x[k, j, i + 1]
                if k > 0:
                    total += w_k[k - 1, j, i]
                    flow += w_k[k - 1, j, i] * x[k - 1, j, i]
                if j > 0:
                    total += w_j[k, j - 1, i]
                    flow += w_j[k, j - 1, i] * x[k, j - 1, i]
                if i > 0:
                    total += w_i[k, j, i - 1]
                    flow += w_i[k, j, i - 1] * x[k, j, i - 1]
                out[k, j, i] = total * here - flow
                diagonal[k, j, i] = max(total, np.float32(1e-12))
