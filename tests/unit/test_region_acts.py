"""Acts on whole regions, one or several in one step."""

import numpy as np
import pytest

from labeler.core.mask import Mask
from labeler.state.selection import RegionRef
from labeler.workflows.edit_mask import EditRefused, undo
from labeler.workflows.region_acts import delete_region, region_names, relabel_region
from labeler.workflows.review_case import tick_region, ticked_ids
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    count_regions,
    make_workspace,
    open_case,
    plain_order,
    region_of,
    sphere,
)

GRID = GRIDS["PV"]


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def other(ws) -> Mask:
    """A second mask with two lesions."""
    array = np.zeros(GRID.shape_kji, np.uint8)
    for center, radius in {(15, 0, 0): 10, (-15, 0, 0): 6}.items():
        array[sphere(GRID, center, radius)] = LESION
    mask = Mask("other", array, GRID, plain_order(GRID))
    ws.session.add_mask(mask, None)
    count_regions(ws, "other")
    return mask


def test_delete_and_relabel_a_region(ws):
    mask = ws.session.masks["draft"].mask
    before = mask.array.copy()
    delete_region(ws, region_of(ws, "draft", LESION))
    assert ws.session.history.undo_name == "Delete region HCC"
    assert not (mask.array == LESION).any()
    assert (mask.array == LIVER).sum() == (before == LIVER).sum()
    undo(ws)
    relabel_region(ws, 300, region_of(ws, "draft", LESION))
    assert ws.session.history.undo_name == "Relabel HCC as Label 300"
    assert np.array_equal(mask.array == 300, before == LESION)
    undo(ws)
    assert np.array_equal(mask.array, before)


def test_several_regions_of_two_masks_change_in_one_step(ws, other):
    mask = ws.session.masks["draft"].mask
    refs = [region_of(ws, "draft", LIVER)]
    refs += [RegionRef("other", r.id) for r in ws.session.regions["other"].regions.values()]
    before = mask.array.copy(), other.array.copy()
    relabel_region(ws, 7, *refs)
    assert ws.session.history.undo_name == "Relabel 3 regions as Label 7"
    assert np.array_equal(mask.array, np.where(before[0] == LIVER, 7, before[0]))
    assert np.array_equal(other.array, np.where(before[1] == LESION, 7, 0))
    undo(ws)
    delete_region(ws, *refs[1:])
    assert ws.session.history.undo_name == "Delete 2 HCC regions"
    assert not other.array.any()
    undo(ws)
    assert np.array_equal(mask.array, before[0])
    assert np.array_equal(other.array, before[1])


def test_one_locked_region_among_several_refuses_all(ws, other):
    before = other.array.copy()
    refs = [RegionRef("other", r.id) for r in ws.session.regions["other"].regions.values()]
    ws.selection.set_locked("draft", LESION, True)
    with pytest.raises(EditRefused, match="HCC is locked in draft"):
        delete_region(ws, *refs, region_of(ws, "draft", LESION))
    np.testing.assert_array_equal(other.array, before)
    assert ws.session.history.undo_name is None


def test_a_region_that_is_gone_is_refused(ws):
    gone = RegionRef("draft", 999)
    assert region_names(ws.session, [gone], "region ") == "region"
    with pytest.raises(EditRefused, match="no longer there"):
        delete_region(ws, gone)


def test_several_regions_are_ticked_in_one_step_and_unticked_when_all_are(ws, other):
    refs = [RegionRef("other", r.id) for r in ws.session.regions["other"].regions.values()]
    tick_region(ws, refs[0])
    tick_region(ws, *refs)
    assert ws.session.history.undo_name == "Tick 2 regions"
    assert ticked_ids(ws.session, "other") == {ref.region_id for ref in refs}
    tick_region(ws, *refs)
    assert not ticked_ids(ws.session, "other")
    undo(ws)
    assert len(ticked_ids(ws.session, "other")) == 2
    undo(ws)
    assert ticked_ids(ws.session, "other") == {refs[0].region_id}
