"""Editing in the whole window, by mouse and keys: 300 and 800 slices, two masks with 57 regions.

Both masks are shown with fill and contour in four views of a window of 1920 x 1080; the mask that
is painted on has its journal. See :mod:`benchmarks._hands` for what is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any

from benchmarks import _scene
from benchmarks._drive import drive
from benchmarks._files import Folder, write_cases
from benchmarks.registry import Measured, row
from benchmarks.timing import p95

#: Nothing is read ahead or put into the cache meanwhile.
MEMORY = {"prefetch_mb": 0, "cache_gb": 0}

SLICES = (_scene.SHAPE_KJI[0], 800)

#: No event may keep the window from the next one for longer: one picture of a screen.
FRAME_MS = 16.0


@dataclass(frozen=True)
class _Act:
    """What is timed.

    Attributes
    ----------
    name
        Name of the row.
    what
        Its description.
    script, kind
        Act of :mod:`benchmarks._hands`, and the kind of times in it.
    reach, reach_p95
        Largest median and 95th percentile, in ms.
    """

    name: str
    what: str
    script: str
    kind: str
    reach: float
    reach_p95: float | None = None


#: The design has figures for strokes and for the list after them; the rest is held to one picture.
ACTS = (
    _Act("hand-brush", "Mouse move to painted: brush of 20 mm", "strokes", "brush", 8.0, 16.0),
    _Act("hand-ball", "Mouse move to painted: 3-D brush of 20 mm", "strokes", "ball", 8.0, 16.0),
    _Act("hand-smart", "Mouse move to painted: smart 3-D brush", "strokes", "smart", 8.0, 16.0),
    _Act("hand-eraser", "Mouse move to painted: eraser of 20 mm", "strokes", "eraser", 8.0, 16.0),
    _Act("hand-saving", "Mouse move to painted while a mask is written", "strokes", "saving",
         8.0, 16.0),
    _Act("hand-list", "End of a stroke over the liver to the new region list", "strokes",
         "brush-list", 60.0),
    _Act("hand-undo", "Key to the undone stroke, painted", "strokes", "undo", FRAME_MS),
    _Act("hand-outline", "Mouse move to painted: freehand outline", "strokes", "outline",
         8.0, 16.0),
    _Act("hand-contour", "End of an outline to its painted inside", "strokes", "contour", FRAME_MS),
    _Act("hand-bend", "Mouse move over the liver with the tool that bends contours", "previews",
         "bend", 8.0, 16.0),
    _Act("hand-wire", "Mouse move to the painted livewire", "previews", "wire", 8.0, 16.0),
    _Act("hand-anchor", "Click to the next anchor of the livewire", "previews", "anchor", FRAME_MS),
    _Act("hand-grow", "Mouse move to the painted preview of region growing", "previews", "grow",
         100.0),
)  # fmt: skip

#: Longest pauses of the event loop: the design's figure for a window that is at work.
STALLS = (
    ("hand-stall", "Longest stall of painting with all tools, undo, save and scrolling", "strokes"),
    ("hand-grow-stall", "Longest stall of dragging a range of region growing", "previews"),
)
REACH_STALL_MS = 50.0


@cache
def _found(script: str, n_slices: int) -> dict[str, Any]:
    """Measure everything of a script once."""
    folder = Folder()
    try:
        write_cases(folder.path, 1, n_slices)
        return drive(script, folder.path, module="benchmarks._hands", memory=MEMORY)
    finally:
        folder.remove()


def _time(act: _Act, n_slices: int) -> Measured:
    found = _found(act.script, n_slices)
    spent, own = zip(*found["times"][act.kind], strict=True)
    note = f"of the main thread alone {median(own):.1f} ms, p95 {p95(own):.1f} ms"
    if act.kind == "saving":
        note += f"; a save takes {found['save_ms']:.0f} ms"
    return Measured(median(spent), None, "ms", note, p95(spent), len(spent))


def _stall(script: str, n_slices: int) -> Measured:
    return Measured(_found(script, n_slices)["stall_ms"], None, "ms")


for slices in SLICES:
    end = "" if slices == SLICES[0] else f"-{slices}"
    more = "" if slices == SLICES[0] else f" ({slices} slices)"
    for act in ACTS:
        row(
            f"{act.name}{end}", what=act.what + more, reach=act.reach, reach_p95=act.reach_p95
        )(partial(_time, act, slices))  # fmt: skip
    for name, what, script in STALLS:
        row(f"{name}{end}", what=what + more, reach=REACH_STALL_MS)(partial(_stall, script, slices))
