"""Regions follow the mask in the background, whatever size the changes have."""

from __future__ import annotations

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.regions import RegionIndex
from labeler.workflows import regions as module
from labeler.workflows.edit_mask import BrushStroke
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.step_history import undo
from tests.case_world import LESION, make_workspace, open_case


@pytest.mark.parametrize("at_once", [0, 10**9], ids=["copied by the task", "copied at once"])
def test_regions_are_those_of_the_mask_in_the_end(qapp, qtbot, tmp_path, monkeypatch, at_once):
    """Strokes come while regions of the ones before are being counted."""
    monkeypatch.setattr(module, "AT_ONCE_VOXELS", at_once)
    ws = make_workspace(tmp_path)
    updater = RegionUpdater(ws.session, ws.tasks)  # listens as long as it lives
    open_case(ws, tmp_path, phases=("PV",))
    random = np.random.default_rng(3)
    for number in range(30):
        ws.selection.set_label(LESION if number % 3 else 5)
        stroke = BrushStroke(ws, Plane.AXIAL, erase=number % 4 == 0)
        for place in random.uniform(-40, 40, (3, 3)):
            stroke.move_to(place)
        stroke.finish()
        if number % 5 == 0:
            undo(ws)
        if number % 7 == 0:
            qtbot.waitUntil(lambda: "draft" in ws.session.regions)
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    mask, index = ws.session.masks["draft"].mask, ws.session.regions["draft"]
    expected = RegionIndex.build("draft", mask.array, mask.grid)
    assert _facts(index) == _facts(expected)
    ws.tasks.shutdown()
    updater.deleteLater()


def _facts(index: RegionIndex) -> list[tuple]:
    return sorted((r.label, r.voxels, r.box.lo_kji, r.box.hi_kji) for r in index.regions.values())
