"""The painted anatomy: which materials every voxel is made of.

A voxel holds at most two materials and the share of the first. That is enough for smooth edges
(a voxel on a border is part of either side), it is 3 bytes a voxel whatever the number of
phases, and the attenuation of every phase follows by table.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, Values, smooth_max
from inference.phantom.grids import Box, Grid

FREE_MM = 40.0


@numba.njit(cache=True, nogil=True)
def _paint(front, back, share, k0, j0, i0, distance, edge, limit, code):  # type: ignore[no-untyped-def]
    """Lay `code` over the mixture where `distance` is negative; blend over `edge` mm."""
    for k in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            for i in range(distance.shape[2]):
                over = min(0.5 - distance[k, j, i] / edge, limit)
                if over < 0.004:
                    continue
                a, b, c = k0 + k, j0 + j, i0 + i
                if over > 0.996:
                    front[a, b, c] = code
                    back[a, b, c] = code
                    share[a, b, c] = 255
                    continue
                first, second = front[a, b, c], back[a, b, c]
                rest = share[a, b, c] / 255.0 * (1.0 - over)
                least = 1.0 - over - rest
                if first == second:
                    rest, least = rest + least, 0.0
                if second == code:
                    over += least
                elif first == code:
                    over, rest, first = over + rest, least, second
                elif least > rest:
                    rest, first = least, second
                total = over + rest
                if over >= rest:
                    front[a, b, c], back[a, b, c] = code, first
                    share[a, b, c] = np.uint8(255.0 * over / total + 0.5)
                else:
                    front[a, b, c], back[a, b, c] = first, code
                    share[a, b, c] = np.uint8(255.0 * rest / total + 0.5)


class Scene:
    """Materials on a grid, painted one shape over the other.

    Parameters
    ----------
    grid : Grid
    background : int
        Material code that fills the scene at first.

    Attributes
    ----------
    front, back : ndarray of uint8, shape (nk, nj, ni)
        Material codes of each voxel; `front` is the larger part.
    share : ndarray of uint8
        255 x the part of `front`; always at least one half.
    """

    def __init__(self, grid: Grid, background: int = 0) -> None:
        self.grid = grid
        self.front: NDArray[np.uint8] = np.full(grid.shape_kji, background, dtype=np.uint8)
        self.back = self.front.copy()
        self.share: NDArray[np.uint8] = np.full(grid.shape_kji, 255, dtype=np.uint8)
        self._claimed: Values = np.full(grid.shape_kji, FREE_MM, dtype=np.float32)

    def paint(
        self, shape: Field, material: int, limit: float = 1.0, offset_mm: float = 0.0
    ) -> None:
        """Paint a shape.

        Parameters
        ----------
        shape : Field
        material : int
            Code, 0 to 255.
        limit : float
            Largest part of a voxel the shape may fill: below 1 for what is thinner than a voxel.
        offset_mm : float
            Shrinks the shape (positive) or grows it.
        """
        if shape.values.size == 0:
            return
        values = np.ascontiguousarray(shape.values + np.float32(offset_mm), dtype=np.float32)
        start = [int(s.start) for s in shape.box]
        edge_mm = self.grid.spacing_mm[0]
        # plain numbers: every other type would be compiled for once more
        blend = (float(edge_mm), float(limit), int(material))
        _paint(self.front, self.back, self.share, *start, values, *blend)

    def room(self, box: Box) -> Values:
        """Return the distance to everything claimed so far, in a box."""
        return self._claimed[box]

    def fit(self, shape: Field, gap_mm: float, rounding_mm: float = 3.0) -> Field:
        """Cut a shape so that it keeps `gap_mm` from everything claimed so far."""
        limit = np.float32(gap_mm) - self._claimed[shape.box]
        return Field(shape.box, smooth_max(shape.values, limit, rounding_mm))

    def claim(self, shape: Field) -> None:
        """Reserve the room of a shape, so that later shapes are cut to keep off it."""
        part = self._claimed[shape.box]
        np.minimum(part, shape.values, out=part)
