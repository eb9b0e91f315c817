"""Connected components of label maps, from their runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.core._jit import Array, kernel
from labeler.core.runs import IntArray, Runs


@dataclass(frozen=True, eq=False)
class Components:
    """26-connected components of equal label.

    Attributes
    ----------
    of_run
        int32 ``(n runs,)``; component of each run. Components are numbered by their first run.
    runs
        int32 ``(n runs,)``; run numbers grouped by component, ascending within one.
    ptr
        int32 ``(n components + 1,)``; the runs of ``c`` are ``runs[ptr[c]:ptr[c + 1]]``.
    """

    of_run: IntArray
    runs: IntArray
    ptr: IntArray

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @staticmethod
    def of(runs: Runs) -> Components:
        """Connect runs of equal label that touch by a face, an edge or a corner."""
        n_k, n_j, _ = runs.shape_kji
        of_run, count = _connect(runs.row_ptr, runs.start, runs.stop, runs.label, n_k, n_j)
        grouped, ptr = _group(of_run, count)
        return Components(of_run, grouped, ptr)


@kernel
def _root(parent: Array, run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@kernel
def _join(parent: Array, a: int, b: int) -> None:
    """Unite two trees; the smaller number stays root, so that a root is a component's first run."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@kernel
def _join_rows(
    parent: Array, start: Array, stop: Array, label: Array, a: int, a_end: int, b: int, b_end: int
) -> None:
    """Join runs of two neighbouring rows that overlap or touch by a corner."""
    while a < a_end and b < b_end:
        if stop[a] < start[b]:
            a += 1
        elif stop[b] < start[a]:
            b += 1
        else:
            if label[a] == label[b]:
                _join(parent, a, b)
            if stop[a] < stop[b]:
                a += 1
            elif stop[b] < stop[a]:
                b += 1
            else:
                # Both end here; the next one of b may touch a by a corner.
                if b + 1 < b_end and start[b + 1] == stop[a] and label[a] == label[b + 1]:
                    _join(parent, a, b + 1)
                a += 1


@kernel
def _connect(
    row_ptr: Array, start: Array, stop: Array, label: Array, n_k: int, n_j: int
) -> tuple[Array, int]:
    parent = np.arange(len(start)).astype(np.int32)
    for r in range(n_k * n_j):
        lo, hi = row_ptr[r], row_ptr[r + 1]
        if lo == hi:
            continue
        j = r % n_j
        if j > 0:
            _join_rows(parent, start, stop, label, lo, hi, row_ptr[r - 1], lo)
        if r >= n_j:
            for below in range(r - n_j - (j > 0), r - n_j + 1 + (j < n_j - 1)):
                _join_rows(parent, start, stop, label, lo, hi, row_ptr[below], row_ptr[below + 1])
    component = np.empty(len(start), np.int32)
    count = 0
    for run in range(len(start)):
        root = _root(parent, run)
        if root == run:
            component[run] = count
            count += 1
        else:
            component[run] = component[root]
    return component, count


@kernel
def _group(component: Array, count: int) -> tuple[Array, Array]:
    """Counting sort of run numbers by component."""
    ptr = np.zeros(count + 1, np.int32)
    for run in range(len(component)):
        ptr[component[run] + 1] += 1
    for c in range(count):
        ptr[c + 1] += ptr[c]
    fill = ptr[:-1].copy()
    grouped = np.empty(len(component), np.int32)
    for run in range(len(component)):
        c = component[run]
        grouped[fill[c]] = run
        fill[c] += 1
    return grouped, ptr
