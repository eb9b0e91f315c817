"""Edits of the whole volume in the real window: ``python -m benchmarks._large_edits ACT ROOT``.

See :func:`benchmarks.large_edits.large_edit` for what is reported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._drive import Driver, Heart
from labeler.core.mask_operations import Combination
from labeler.state.selection import RegionRef
from labeler.workflows.mask_operations import combine_masks, copy_labels
from labeler.workflows.region_acts import delete_region
from labeler.workflows.step_history import redo, undo
from labeler.workflows.workspace import Workspace


def large_edits(driver: Driver) -> dict[str, Any]:
    """Make edits of a whole volume, undo and redo them; how late a timer gets each time."""
    driver.open(0)
    driver.wait_until_idle()
    ws, heart = driver.program.ws, Heart()
    first, second = list(ws.session.masks)[:2]
    ws.selection.set_mask(first)
    acts: dict[str, Callable[[], None]] = {
        "combine": lambda: combine_masks(ws, first, second, Combination.UNION, _refused),
        "copy all": lambda: copy_labels(ws, second, None, _refused),
        "delete the largest": lambda: delete_region(ws, _largest(ws, first)),
    }
    found = {}
    for name, act in acts.items():
        longest_ms = []
        for step in (act, lambda: undo(ws), lambda: redo(ws), lambda: undo(ws)):
            heart.start()
            step()
            driver.wait_until_idle()
            longest_ms.append(heart.stop())
        found[name] = longest_ms
    return found


def _largest(ws: Workspace, mask: str) -> RegionRef:
    regions = ws.session.regions[mask].regions.values()
    return RegionRef(mask, max(regions, key=lambda region: region.voxels).id)


def _refused(sentence: str) -> None:
    raise RuntimeError(sentence)


def main(root: str) -> None:
    driver = Driver(Path(root))
    sys.stdout.write(json.dumps(large_edits(driver)) + "\n")
    driver.program.close()


if __name__ == "__main__":
    main(sys.argv[2])
