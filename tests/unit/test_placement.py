"""Where volumes and masks stand once phases are shifted."""

import numpy as np
import pytest

from labeler.core.annotations import Annotations
from labeler.core.mask import Mask
from labeler.state.placement import (
    mask_phase,
    placed_mask_grid,
    placed_volume_grid,
    shifts_mm,
)
from tests.case_world import GRIDS, make_mask, make_volume, make_workspace, open_case, plain_order


@pytest.fixture
def session(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    yield ws.session
    ws.tasks.shutdown()


def shift(session, **shifts) -> None:
    session.annotations = Annotations({"shift": {name: list(v) for name, v in shifts.items()}})


def test_without_shifts_everything_stands_where_its_file_places_it(session):
    assert shifts_mm(session) == {}
    assert placed_volume_grid(session, "ART") is session.volumes["ART"].grid
    assert placed_volume_grid(session, "DL") is None
    assert placed_mask_grid(session, "draft") is session.masks["draft"].mask.grid


def test_a_shift_moves_its_phase_and_the_masks_on_its_grid(session):
    shift(session, PV=(1.0, -2.0, 3.0))
    moved = placed_volume_grid(session, "PV")
    assert np.allclose(moved.affine[:3, 3] - GRIDS["PV"].affine[:3, 3], (1, -2, 3))
    assert placed_mask_grid(session, "draft").matches(moved)
    assert placed_volume_grid(session, "ART") is session.volumes["ART"].grid
    shift(session, ART=(1.0, -2.0, 3.0))
    assert placed_mask_grid(session, "draft") is session.masks["draft"].mask.grid


def test_equal_grids_are_equal_objects_between_repaints(session):
    shift(session, PV=(1.0, -2.0, 3.0))
    assert placed_volume_grid(session, "PV") is placed_volume_grid(session, "PV")
    assert placed_mask_grid(session, "draft") is placed_mask_grid(session, "draft")


def test_a_preview_takes_the_place_of_what_is_stored(session):
    shift(session, PV=(1.0, -2.0, 3.0))
    moved = placed_volume_grid(session, "PV", {"PV": (0.0, 0.0, 9.0)})
    assert np.allclose(moved.affine[:3, 3] - GRIDS["PV"].affine[:3, 3], (0, 0, 9))


def test_a_mask_belongs_to_the_phase_whose_grid_it_shares(session):
    assert mask_phase(session, "draft") == "PV"
    session.add_mask(make_mask("arterial", GRIDS["ART"]), None)
    assert mask_phase(session, "arterial") == "ART"
    elsewhere = GRIDS["ART"].shifted((0.0, 0.0, 40.0))
    empty = np.zeros(elsewhere.shape_kji, np.uint8)
    session.add_mask(Mask("elsewhere", empty, elsewhere, plain_order(elsewhere)), None)
    assert mask_phase(session, "elsewhere") is None
    shift(session, NC=(0, 0, 1), ART=(0, 0, 2), PV=(0, 0, 3))
    assert placed_mask_grid(session, "elsewhere") is elsewhere


def test_of_phases_on_one_grid_the_portal_venous_one_carries_the_masks(session):
    for phase in ("DL", "NC", "ART"):
        session.add_volume(phase, make_volume(GRIDS["PV"], 100, 40))
    assert mask_phase(session, "draft") == "PV"
