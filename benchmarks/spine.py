"""Correcting a whole spine in the real window: 24 levels in 600 slices, by mouse and keys.

See :mod:`benchmarks._spine` for what is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any

from benchmarks._drive import drive
from benchmarks._files import Folder
from benchmarks.hands import FRAME_MS, MEMORY
from benchmarks.registry import Measured, row
from benchmarks.timing import p95

BASELINE = "pyqtgraph: two images with curve, dots and names, and a plot"


@dataclass(frozen=True)
class _Act:
    """What is timed: name and description of the row, and the kind of times of the script."""

    name: str
    what: str
    kind: str
    baseline: str = ""


ACTS = (
    _Act("spine-drag", "Mouse move to painted: a centroid in a picture along the spine",
         "drag", BASELINE),
    _Act("spine-drag-view", "Mouse move to painted: a centroid in a slice", "drag-view"),
    _Act("spine-shift", "Key to painted: all 24 levels get other names", "shift", BASELINE),
    _Act("spine-undo", "Key to painted: that taken back", "undo"),
)  # fmt: skip


@cache
def _found() -> dict[str, Any]:
    """Measure everything once."""
    # here, because it needs pyqtgraph, and the rows are listed without
    from benchmarks._spine import write_case

    folder = Folder()
    try:
        write_case(folder.path)
        return drive("correct", folder.path, module="benchmarks._spine", memory=MEMORY)
    finally:
        folder.remove()


def _time(act: _Act) -> Measured:
    found = _found()
    spent, own = zip(*found["times"][act.kind], strict=True)
    baseline = median(found["baselines"][act.kind]) if act.baseline else None
    note = f"of the main thread alone {median(own):.1f} ms, p95 {p95(own):.1f} ms"
    return Measured(median(spent), baseline, "ms", note, p95(spent), len(spent))


for act in ACTS:
    row(
        act.name, what=act.what, baseline=act.baseline, reach=FRAME_MS, reach_p95=FRAME_MS
    )(partial(_time, act))  # fmt: skip
