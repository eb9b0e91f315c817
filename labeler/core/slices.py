"""Slices of volumes and masks as flat memory, for the kernels that draw them."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from labeler.core._jit import Array, frozen
from labeler.core._render_kernels import gather
from labeler.core.geometry import FloatArray, Plane
from labeler.core.views import ViewTransform


class SliceCache:
    """Sagittal slices gathered lately.

    The voxels of a sagittal slice are not neighbours in memory: fetching one takes several times
    as long as drawing it. A view keeps its own cache, so that it pays only when it shows another
    slice or other content. Arrays are not kept alive.

    Parameters
    ----------
    size
        Slices kept.
    """

    def __init__(self, size: int = 6) -> None:
        self._size = size
        self._slices: OrderedDict[tuple[object, ...], tuple[weakref.ref[Array], Array]]
        self._slices = OrderedDict()

    def gathered(self, array: Array, index: int, revision: int) -> Array:
        """Voxels ``array[:, :, index]``, flat.

        Parameters
        ----------
        array
            ``[k, j, i]``; views of the same memory count as the same array.
        index
            Number of the slice.
        revision
            Names the content of an array that changes.
        """
        # The object that owns the memory tells whether its address still means the same array.
        owner = array.base if isinstance(array.base, np.ndarray) else array
        key = (array.__array_interface__["data"][0], array.shape, index, revision)
        known = self._slices.pop(key, None)
        if known is None or known[0]() is not owner:
            n_k, n_j, _ = array.shape
            known = weakref.ref(owner), frozen(gather(frozen(array), index, 0, n_k, 0, n_j))
        self._slices[key] = known
        while len(self._slices) > self._size:
            self._slices.popitem(last=False)
        return known[1]


@dataclass(frozen=True, eq=False)
class SlicePart:
    """The visible part of a slice: ``flat[offset + row * row_stride + column]``.

    Attributes
    ----------
    flat, offset, row_stride, shape
        Where its ``shape`` (rows, columns) of voxels are.
    columns, rows
        Voxel coordinate of the screen's left and top edge, counted from the part's first voxel,
        and voxels per pixel.
    """

    flat: Array
    offset: int
    row_stride: int
    shape: tuple[int, int]
    columns: tuple[float, float]
    rows: tuple[float, float]

    @staticmethod
    def of(
        array: Array,
        view: ViewTransform,
        matrix: FloatArray,
        index: int,
        margin: int = 0,
        cache: SliceCache | None = None,
        revision: int = 0,
    ) -> SlicePart:
        """Cut a slice; only sagittal ones are copied.

        Parameters
        ----------
        array
            ``[k, j, i]``, C-contiguous.
        view
            Plane and size of the view.
        matrix
            ``(3, 3)``; maps screen points ``(x, y, 1)`` to ijk of the array, axis by axis.
        index
            Number of the slice, inside the array.
        margin
            Pixels beyond the edges of the view that are needed too.
        cache, revision
            See :class:`SliceCache`.
        """
        shape, plane = array.shape[::-1], view.plane
        column, row = plane.column_axis, plane.row_axis
        width, height = view.size_px
        columns, rows = (matrix[column, 2], matrix[column, 0]), (matrix[row, 2], matrix[row, 1])
        lo, hi = _visible(columns, width, margin, shape[column])
        row_lo, row_hi = _visible(rows, height, margin, shape[row])
        n_i, n_j, _ = shape
        if plane is Plane.AXIAL:
            flat, offset, stride = frozen(array.reshape(-1)), (index * n_j + row_lo) * n_i + lo, n_i
        elif plane is Plane.CORONAL:
            flat, offset = frozen(array.reshape(-1)), (row_lo * n_j + index) * n_i + lo
            stride = n_j * n_i
        elif cache is not None:
            flat, offset, stride = cache.gathered(array, index, revision), row_lo * n_j + lo, n_j
        else:
            flat, offset = frozen(gather(frozen(array), index, row_lo, row_hi, lo, hi)), 0
            stride = hi - lo
        return SlicePart(
            flat,
            offset,
            stride,
            (row_hi - row_lo, hi - lo),
            (columns[0] - lo, columns[1]),
            (rows[0] - row_lo, rows[1]),
        )


def _visible(line: tuple[float, float], size_px: int, margin: int, n: int) -> tuple[int, int]:
    """First and end voxel along one axis that a view needs, with one to spare; at least one."""
    origin, step = line
    ends = origin - margin * step, origin + step * (size_px + margin)
    lo = min(max(int(np.floor(min(ends))) - 1, 0), n - 1)
    return lo, min(max(int(np.ceil(max(ends))) + 2, lo + 1), n)
