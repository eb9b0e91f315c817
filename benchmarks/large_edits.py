"""Edits of the whole volume: worked out and put in place without holding the window up."""

from __future__ import annotations

import itertools

from benchmarks import _scene
from benchmarks._drive import drive
from benchmarks._files import Folder, write_cases
from benchmarks.registry import Measured, Pair, row
from labeler.core.mask import Box, Mask, Patch


@row("adopt-volume", baseline="applying the patch", reach=5.0, reach_ratio=0.1, budget_s=4)
def adopt_volume() -> Pair:
    """A prepared change of the whole volume put in place."""
    mask = _scene.mask()
    whole = Box.whole(mask.array.shape)
    patch = Patch.between(mask.name, whole, mask.array, _scene.second_labels())
    assert patch is not None
    there = mask.prepare([patch])
    mask.adopt(there)
    ways = itertools.cycle((mask.prepare([patch]), there))
    other = Mask(mask.name, _scene.labels().copy(), _scene.grid(), _scene.axis_order())
    return Pair(lambda: mask.adopt(next(ways)), lambda: other.apply(patch))


@row("large-edit", reach=50.0, budget_s=60)
def large_edit() -> Measured:
    """Longest stall of the event loop while the whole volume is edited, undone and redone."""
    folder = Folder()
    try:
        write_cases(folder.path, 1)
        found = drive(
            "large-edits", folder.path, module="benchmarks._large_edits",
            memory={"prefetch_mb": 0, "cache_gb": 0},
        )  # fmt: skip
    finally:
        folder.remove()
    longest = {name: max(ms) for name, ms in found.items()}
    note = ", ".join(f"{name} {ms:.0f}" for name, ms in longest.items())
    return Measured(max(longest.values()), None, "ms", f"{note} ms")
