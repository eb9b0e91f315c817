"""Jumping to a region: what the views then show, whatever grids their phases have."""

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.core.views import slice_at
from labeler.state.placement import placed_volume_grid
from labeler.state.selection import RegionRef
from labeler.workflows.review_case import jump_to_region
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import (
    GRIDS,
    LESION,
    count_regions,
    make_workspace,
    open_case,
    plain_order,
    region_of,
    sphere,
)


@pytest.fixture
def ws(qapp, tmp_path):
    workspace = make_workspace(tmp_path)
    open_case(workspace, tmp_path)
    yield workspace
    workspace.tasks.shutdown()
    workspace.settings.save()


def jump(ws, center_ras, radius_mm: float, where: str = "first") -> RegionRef:
    """Jump to a ball in a mask of its own."""
    ws.settings.update("views", region_jump=where)
    grid = GRIDS["PV"]
    array = np.where(sphere(grid, center_ras, radius_mm), LESION, 0).astype(np.uint8)
    ws.session.add_mask(Mask("ball", array, grid, plain_order(grid)), None)
    count_regions(ws, "ball")
    ref = region_of(ws, "ball", LESION)
    jump_to_region(ws, ref)
    return ref


def slice_of_mask(ws, phase: str) -> int:
    """Slice of the mask that the view of a phase shows."""
    shown = placed_volume_grid(ws.session, phase)
    ijk = shown.to_ijk(ws.views.crosshair_ras)
    ijk[2] = slice_at(shown, Plane.AXIAL, ws.views.crosshair_ras)
    return GRIDS["PV"].nearest_ijk(shown.to_ras(ijk))[2]


@pytest.mark.parametrize("z_mm", np.arange(-6.0, 6.0, 1.1).tolist())
@pytest.mark.parametrize("shift_mm", [0.0, 6.0])
def test_every_view_shows_the_region_at_its_first_slice(ws, z_mm, shift_mm):
    shift_phase(ws, "ART", (0.0, 0.0, shift_mm))
    ref = jump(ws, (10.0, -5.0, z_mm), 9.0)
    region = ws.session.region("ball", ref.region_id)
    slices = [slice_of_mask(ws, phase) for phase in GRIDS]
    assert all(region.first_k <= k <= region.last_k for k in slices)
    assert min(slices) <= region.first_k + 1, "not deeper than the views need"
    i, j, k = GRIDS["PV"].nearest_ijk(ws.views.crosshair_ras)
    assert ws.session.masks["ball"].mask.array[k, j, i] == LESION


def test_a_phase_that_misses_the_region_does_not_matter(ws):
    shift_phase(ws, "ART", (0.0, 0.0, 500.0))
    ws.views.set_pane(0, phase="PV")
    ref = jump(ws, (10.0, -5.0, 0.0), 9.0)
    assert GRIDS["PV"].nearest_ijk(ws.views.crosshair_ras)[2] == (
        ws.session.region("ball", ref.region_id).first_k
    )


@pytest.mark.parametrize("where", ["largest", "middle"])
def test_the_slice_can_be_chosen(ws, where):
    ref = jump(ws, (10.0, -5.0, 0.0), 9.0, where)
    region = ws.session.region("ball", ref.region_id)
    k, j, i = region.anchor_kji if where == "largest" else region.middle_kji
    np.testing.assert_allclose(ws.views.crosshair_ras, GRIDS["PV"].to_ras((i, j, k)))
