"""Which region is which: ids that survive edits, undo and redo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, kernel
from labeler.core.components import Components
from labeler.core.measures import Totals
from labeler.core.runs import Runs

#: Contents remembered per mask; a stroke adds one or two. The oldest are forgotten first.
MAX_REMEMBERED = 50_000


@dataclass(frozen=True, eq=False)
class Identities:
    """Ids of the components of one mask, and of the contents seen before.

    Attributes
    ----------
    ids
        int64 ``(n components,)``.
    """

    ids: npt.NDArray[np.int64]
    _next: int
    _current: Mapping[int, int]
    _remembered: Mapping[int, int]
    _totals: Totals

    @staticmethod
    def first(totals: Totals) -> Identities:
        """Number the components 1, 2, ... by label, then from the lowest voxel upwards."""
        count = len(totals.label)
        ids = np.empty(count, np.int64)
        ids[np.argsort(totals.label, kind="stable")] = np.arange(1, count + 1)
        current = dict(zip(totals.fingerprint.tolist(), ids.tolist(), strict=True))
        return Identities(ids, count + 1, current, current, totals)

    def differing_from(self, old: Identities) -> npt.NDArray[np.intp]:
        """Components that are new, or whose content or id was another one before."""
        now, before = self._current, old._current
        return np.flatnonzero([before.get(content) != now[content] for content in now])

    def followed(
        self, old_runs: Runs, old: Components, runs: Runs, components: Components, totals: Totals
    ) -> Identities:
        """Find the ids after a change.

        In this order: unchanged components keep theirs; a content seen before gets back the id
        it had; the others take the id of the vanished component they share most voxels with, of
        equal label first, then of any; the rest get new ids.
        """
        prints = totals.fingerprint.tolist()
        ids = [self._current.get(fingerprint, 0) for fingerprint in prints]
        taken = set(ids) - {0}
        for c in np.argsort(-totals.voxels, kind="stable").tolist():
            before = self._remembered.get(prints[c])
            if not ids[c] and before is not None and before not in taken:
                ids[c] = before
                taken.add(before)
        for c, old_id in self._overlaps(ids, taken, old_runs, old, runs, components, totals):
            if not ids[c] and old_id not in taken:
                ids[c] = old_id
                taken.add(old_id)
        fresh = self._next
        for c in np.argsort(totals.label, kind="stable").tolist():
            if not ids[c]:
                ids[c] = fresh
                fresh += 1
        current = dict(zip(prints, ids, strict=True))
        return Identities(
            np.array(ids, np.int64), fresh, current, self._with_remembered(current), totals
        )

    def _with_remembered(self, current: Mapping[int, int]) -> Mapping[int, int]:
        remembered = dict(self._remembered)
        for fingerprint in current.keys() - self._current.keys():
            remembered.pop(fingerprint, None)  # so that it becomes the newest
            remembered[fingerprint] = current[fingerprint]
        for fingerprint in list(remembered)[: max(0, len(remembered) - MAX_REMEMBERED)]:
            del remembered[fingerprint]
        return remembered

    def _overlaps(
        self,
        ids: list[int],
        taken: set[int],
        old_runs: Runs,
        old: Components,
        runs: Runs,
        components: Components,
        totals: Totals,
    ) -> list[tuple[int, int]]:
        """Pairs (component without id, vanished id) that share voxels, best match first."""
        wanting = np.flatnonzero(np.array(ids, np.int64) == 0)
        vanished = ~np.isin(self.ids, list(taken))
        if not wanting.size or not vanished.any():
            return []
        new_c, old_c, shared = _shared_voxels(
            old_runs.row_ptr, old_runs.start, old_runs.stop, old.of_run, vanished,
            runs.row, runs.start, runs.stop, components.runs, components.ptr, wanting,
        )  # fmt: skip
        pairs, inverse = np.unique(new_c * len(old) + old_c, return_inverse=True)
        weight = np.bincount(inverse, shared)
        new_c, old_c = np.divmod(pairs, max(1, len(old)))
        other_label = totals.label[new_c] != self._totals.label[old_c]
        order = np.lexsort((new_c, self.ids[old_c], -weight, other_label))
        return list(zip(new_c[order].tolist(), self.ids[old_c[order]].tolist(), strict=True))


@kernel
def _shared_voxels(
    old_ptr: Array, old_start: Array, old_stop: Array, old_component: Array, vanished: Array,
    row: Array, start: Array, stop: Array, runs: Array, ptr: Array, wanting: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """List (new component, old component, voxels); a pair may occur several times."""
    size, n = 1024, 0
    found = np.empty((size, 3), np.int64)
    for c in wanting:
        for run in runs[ptr[c] : ptr[c + 1]]:
            for other in range(old_ptr[row[run]], old_ptr[row[run] + 1]):
                shared = min(stop[run], old_stop[other]) - max(start[run], old_start[other])
                old_c = old_component[other]
                if shared <= 0 or not vanished[old_c]:
                    continue
                if n > 0 and found[n - 1, 0] == c and found[n - 1, 1] == old_c:
                    found[n - 1, 2] += shared
                    continue
                if n == size:
                    size *= 2
                    longer = np.empty((size, 3), np.int64)
                    longer[:n] = found
                    found = longer
                found[n, 0], found[n, 1], found[n, 2] = c, old_c, shared
                n += 1
    return found[:n, 0].copy(), found[:n, 1].copy(), found[:n, 2].copy()
