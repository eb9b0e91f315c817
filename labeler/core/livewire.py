"""Livewire: the way along edges from one point of a slice to another.

The way goes over the corners of voxels, in steps to one of eight neighbours, so that an outline
made of it parts voxels as the outline of a mask does. A step is cheap where the image has an edge
(Mortensen and Barrett, 1998). The ways from a point are found with Dijkstra's algorithm; costs
are small whole numbers, so that a ring of lists takes the place of a priority queue (Dial, 1969).
The search goes on from where it was when a point farther away is asked for: near the anchor a way
takes well under a millisecond, and a whole slice of 512 x 512, once, some ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.geometry import FloatArray

#: Noise that is smoothed away before edges are looked for, standard deviation in voxels.
SIGMA = 1.5

#: A step along a perfect edge and one where there is no edge; a diagonal one costs 1.4 as much.
EDGE_COST, FLAT_COST = 12, 60

#: Edges this strong, as percentile of the slice's gradients, are as good as any.
STRONG_PERCENTILE = 96.0

#: Lengths of a step along rows and columns, and of one between them.
STRAIGHT, DIAGONAL = 10, 14

#: Voxels on every side of the anchor that ways may take.
REACH = 256


def edge_costs(values: npt.NDArray[Any], window_hu: tuple[float, float]) -> npt.NDArray[np.int32]:
    """Cost of going over each corner between voxels of a slice.

    Parameters
    ----------
    values
        ``[row, column]``, at least 2 x 2. NaN counts as the lowest value of the window.
    window_hu
        Width and level of the grey scale: edges that cannot be seen do not attract.

    Returns
    -------
    ndarray
        int32 ``(rows + 1, columns + 1)``; entry ``[r, c]`` belongs to the corner above and left
        of voxel ``[r, c]``.
    """
    width, level = window_hu
    low = level - width / 2
    shown = np.nan_to_num(values.astype(np.float32), nan=low).clip(low, low + width)
    shown = cv2.GaussianBlur(shown, (0, 0), SIGMA, borderType=cv2.BORDER_REPLICATE)
    framed = np.pad(shown, 1, mode="edge")
    # Differences along both diagonals of each 2 x 2 voxels have their place at the corner.
    down, up = framed[1:, 1:] - framed[:-1, :-1], framed[1:, :-1] - framed[:-1, 1:]
    gradient = np.hypot(down, up)
    strong = float(np.percentile(gradient[::2, ::2], STRONG_PERCENTILE))
    # The slopes beside an edge are none themselves: the wire would cut corners on them.
    highest = cv2.dilate(gradient, np.ones((3, 3), np.uint8))
    ridge = gradient / np.maximum(highest, 1e-6)
    edge = np.clip(gradient / max(strong, 1e-6), 0.0, 1.0) * ridge**2
    return np.asarray(np.rint(FLAT_COST + (EDGE_COST - FLAT_COST) * edge), np.int32)


class WireTree:
    """The cheapest ways from one corner to others around it, as far as they were asked for.

    Parameters
    ----------
    costs
        From :func:`edge_costs`.
    anchor
        ``(column, row)`` in voxels of the slice; the nearest corner is taken.
    """

    def __init__(self, costs: npt.NDArray[np.int32], anchor: npt.ArrayLike) -> None:
        row, column = _nearest_corner(costs.shape, anchor)
        self._lo = max(0, row - REACH), max(0, column - REACH)
        hi = min(costs.shape[0], row + REACH + 1), min(costs.shape[1], column + REACH + 1)
        part = np.ascontiguousarray(costs[self._lo[0] : hi[0], self._lo[1] : hi[1]])
        self._shape = part.shape
        self._search = _Search.begin(part, row - self._lo[0], column - self._lo[1])

    def cost_to(self, point: npt.ArrayLike) -> int:
        """Cost of the way to the corner nearest to ``(column, row)``."""
        row, column = self._at(point)
        self._search.reach(row, column)
        return int(self._search.total[row, column])

    def path_to(self, point: npt.ArrayLike) -> FloatArray:
        """The way to the corner nearest to a point.

        Parameters
        ----------
        point
            ``(column, row)``; beyond the reach of the anchor its nearest point within.

        Returns
        -------
        ndarray
            float64 ``(n, 2)`` points (column, row), the anchor first, both ends included.
        """
        row, column = self._at(point)
        self._search.reach(row, column)
        found = _follow(self._search.parent, row, column)
        return np.asarray(found[:, ::-1] + np.array(self._lo[::-1]) - 0.5, np.float64)

    def _at(self, point: npt.ArrayLike) -> tuple[int, int]:
        moved = np.asarray(point, dtype=np.float64) - np.array(self._lo[::-1])
        return _nearest_corner(self._shape, moved)


def _nearest_corner(shape: tuple[int, ...], point: npt.ArrayLike) -> tuple[int, int]:
    column, row = np.floor(np.asarray(point, dtype=np.float64) + 1.0).astype(int).tolist()
    return min(max(row, 0), shape[0] - 1), min(max(column, 0), shape[1] - 1)


@dataclass(frozen=True, eq=False)
class _Search:
    """Dijkstra's algorithm, stopped when it has come as far as was asked for.

    Attributes
    ----------
    costs
        Cost of each corner, int32 ``[row, column]``, as all of the following but the lists.
    total, parent, done
        Cost of the way to a corner so far, the corner (flat index) it comes from, and whether no
        cheaper one can be found any more.
    head, following, entry
        A ring of linked lists of corners that wait, by the cost of their ways: costs that wait
        differ by less than the dearest step. Entries that were bettered since stay in their list
        and are passed over.
    state
        Entries used, entries waiting, cost that the search has come to.
    """

    costs: npt.NDArray[np.int32]
    total: npt.NDArray[np.int32]
    parent: npt.NDArray[np.int32]
    done: npt.NDArray[np.bool_]
    head: npt.NDArray[np.int32]
    following: npt.NDArray[np.int32]
    entry: npt.NDArray[np.int32]
    state: npt.NDArray[np.int64]

    @staticmethod
    def begin(costs: npt.NDArray[np.int32], row: int, column: int) -> _Search:
        """Make a search from one corner."""
        start = row * costs.shape[1] + column
        total = np.full(costs.shape, np.iinfo(np.int32).max, np.int32)
        total[row, column] = 0
        parent = np.full(costs.shape, -1, np.int32)
        parent[row, column] = start
        head = np.full(DIAGONAL * int(costs.max()) + 1, -1, np.int32)
        # Memory that nothing is written to costs nothing.
        following, entry = np.empty((2, 8 * costs.size + 1), np.int32)
        head[0], following[0], entry[0] = 0, -1, start
        done = np.zeros(costs.shape, np.bool_)
        state = np.array((1, 1, 0), np.int64)
        return _Search(costs, total, parent, done, head, following, entry, state)

    def reach(self, row: int, column: int) -> None:
        """Go on until the cheapest way to a corner is known."""
        if not self.done[row, column]:
            _go_on(
                self.costs, self.total, self.parent, self.done,
                self.head, self.following, self.entry, self.state, row, column,
            )  # fmt: skip


@kernel
def _go_on(
    costs: Array, total: Array, parent: Array, done: Array,
    head: Array, following: Array, entry: Array, state: Array, row: int, column: int,
) -> None:  # fmt: skip
    """Search on until a corner is done; see :class:`_Search`.

    A step costs the mean of both ends, times 10, or times 14 on a diagonal.
    """
    n_rows, n_columns = costs.shape
    ring = len(head)
    used, waiting, now = state[0], state[1], state[2]
    while waiting > 0 and not done[row, column]:
        slot = now % ring
        while head[slot] >= 0:
            at = entry[head[slot]]
            head[slot] = following[head[slot]]
            waiting -= 1
            r, c = at // n_columns, at % n_columns
            if done[r, c]:
                continue
            done[r, c] = True
            for dr in range(-1, 2):
                for dc in range(-1, 2):
                    if not (0 <= r + dr < n_rows and 0 <= c + dc < n_columns):
                        continue
                    if done[r + dr, c + dc]:
                        continue
                    length = DIAGONAL if dr != 0 and dc != 0 else STRAIGHT
                    reached = now + length * (costs[r, c] + costs[r + dr, c + dc]) // 2
                    if reached < total[r + dr, c + dc]:
                        total[r + dr, c + dc], parent[r + dr, c + dc] = reached, at
                        entry[used] = at + dr * n_columns + dc
                        following[used] = head[reached % ring]
                        head[reached % ring] = used
                        used += 1
                        waiting += 1
        now += 1
    state[0], state[1], state[2] = used, waiting, now


@kernel
def _follow(parents: Array, row: int, column: int) -> Array:
    """Corners (row, column) from the start of the tree to one of its corners."""
    n_columns = parents.shape[1]
    flat = parents.reshape(-1)
    at, count = row * n_columns + column, 1
    while flat[at] != at:
        at = flat[at]
        count += 1
    points = np.empty((count, 2), np.int64)
    at = row * n_columns + column
    for n in range(count - 1, -1, -1):
        points[n, 0], points[n, 1] = at // n_columns, at % n_columns
        at = flat[at]
    return points
