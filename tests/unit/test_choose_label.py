"""Choosing the active label by a point of a mask, or as the next one that is free."""

from dataclasses import replace

import pytest

from labeler.core.mask import Mask
from labeler.workflows.choose_label import next_unused_label, pick_label
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    count_regions,
    make_workspace,
    open_case,
    plain_order,
)

IN_LESION, IN_LIVER = (15.0, 0.0, 1.25), (-20.0, 0.0, 1.25)


@pytest.fixture
def ws(qapp, tmp_path):
    workspace = make_workspace(tmp_path)
    open_case(workspace, tmp_path)
    count_regions(workspace, "draft")
    yield workspace
    workspace.tasks.shutdown()


def test_the_label_at_the_point_becomes_active(ws):
    assert pick_label(ws, IN_LESION) == ws.selection.label == LESION
    assert pick_label(ws, IN_LIVER) == ws.selection.label == LIVER


def test_the_point_is_where_the_mask_is_shown(ws):
    shift_phase(ws, "PV", (0.0, 0.0, 40.0))
    with pytest.raises(EditRefused):
        pick_label(ws, (0.0, 0.0, -20.0))
    assert pick_label(ws, (15.0, 0.0, 41.25)) == LESION


def test_another_mask_with_a_label_there_becomes_active(ws):
    draft = ws.session.masks["draft"].mask
    empty = Mask("empty", draft.array * 0, GRIDS["PV"], plain_order(GRIDS["PV"]))
    ws.session.add_mask(empty, None)
    ws.selection.set_mask("empty")
    pick_label(ws, IN_LESION)
    assert ws.selection.mask == "draft"


@pytest.mark.parametrize("hide", ["mask", "label", "all"])
def test_what_is_hidden_is_not_picked(ws, hide):
    if hide == "all":
        ws.views.set_options(masks_visible=False)
    else:
        change = {"visible": False} if hide == "mask" else {"hidden_labels": frozenset({LESION})}
        ws.views.set_style("draft", replace(ws.views.style("draft"), **change))
    with pytest.raises(EditRefused, match="no label under the cursor"):
        pick_label(ws, IN_LESION)


def test_outside_of_the_mask(ws):
    with pytest.raises(EditRefused):
        pick_label(ws, (0.0, 0.0, 900.0))


def test_the_next_label_that_the_mask_does_not_hold(ws):
    ws.selection.set_label(LIVER)
    assert next_unused_label(ws) == LESION + 1, "both labels of the table are in use"
    draft = ws.session.masks["draft"].mask
    array = draft.array.copy()
    array[array == LESION] = 0
    ws.session.add_mask(Mask("draft", array, GRIDS["PV"], plain_order(GRIDS["PV"])), None)
    count_regions(ws, "draft")
    ws.selection.set_label(LIVER)
    assert next_unused_label(ws) == ws.selection.label == LESION


def test_no_mask_to_look_into(ws):
    ws.selection.set_mask(None)
    with pytest.raises(EditRefused, match="mask first"):
        next_unused_label(ws)
