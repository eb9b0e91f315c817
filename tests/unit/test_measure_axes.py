"""Axes of regions: measured in the background, set by hand, kept, found again."""

import numpy as np
import pytest

from labeler.core.annotations import Annotations
from labeler.core.axes import Axes
from labeler.core.geometry import Plane
from labeler.core.mask import Box
from labeler.core.regions import RegionIndex
from labeler.storage.sidecar import Sidecar
from labeler.workflows.edit_mask import BrushStroke, EditRefused, undo
from labeler.workflows.measure_axes import find_axes, reset_axes, set_axes
from labeler.workflows.region_acts import delete_region
from labeler.workflows.region_notes import follow_regions
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import LESION, count_regions, make_workspace, open_case, region_of

BY_HAND = Axes(((10.0, 0.0, 1.25), (22.0, 1.0, 1.25)), ((15.0, -4.0, 1.25), (15.0, 5.0, 1.25)))


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    ws.selection.set_label(LESION)
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def lesion(ws):
    return region_of(ws, "draft", LESION)


def axes_of(qtbot, ws, ref):
    found = []
    find_axes(ws, ref, lambda ref, axes: found.append((ref, axes)))
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=10_000)
    assert len(found) <= 1
    assert all(r == ref for r, _ in found)
    return found[0][1] if found else None


@pytest.mark.parametrize("shift_mm", [0.0, 7.0])
def test_axes_are_measured_where_the_region_is_seen(qtbot, ws, lesion, shift_mm):
    shift_phase(ws, "PV", (0.0, shift_mm, 0.0))
    found = axes_of(qtbot, ws, lesion)
    assert not found.is_adjusted
    assert found.is_current
    region = ws.session.region("draft", lesion.region_id)
    assert np.isclose(found.axes.long_mm, region.diameter_mm)
    assert 17 < found.axes.short_mm <= found.axes.long_mm
    middle = np.mean(found.axes.long_ras, axis=0)
    assert np.linalg.norm(middle[:2] - (15, shift_mm)) < 2


@pytest.mark.parametrize("shift_mm", [0.0, 7.0])
def test_axes_set_by_hand_are_shown_at_once_and_undone(qtbot, ws, lesion, shift_mm):
    shift = np.array((0.0, shift_mm, 0.0))
    shift_phase(ws, "PV", tuple(shift))
    measured = axes_of(qtbot, ws, lesion)
    set_axes(ws, lesion, BY_HAND.moved(shift))
    assert ws.session.history.undo_name == "Adjust axes of HCC"
    found = axes_of(qtbot, ws, lesion)
    assert found.is_adjusted
    assert found.is_current
    assert found.axes == BY_HAND.moved(shift)
    shift_phase(ws, "PV", (3.0, 0.0, 0.0))
    assert np.allclose(axes_of(qtbot, ws, lesion).axes.long_ras, BY_HAND.moved((3, 0, 0)).long_ras)
    undo(ws)
    undo(ws)
    assert axes_of(qtbot, ws, lesion) == measured


def test_adjusting_again_changes_the_same_entry(ws, lesion):
    set_axes(ws, lesion, BY_HAND)
    set_axes(ws, lesion, BY_HAND.moved((1, 0, 0)))
    assert len(ws.session.annotations.entries("axes")) == 1
    reset_axes(ws, lesion)
    assert ws.session.annotations.entries("axes") == {}
    assert ws.session.history.undo_name == "Measure axes of HCC"
    with pytest.raises(EditRefused, match="measured"):
        reset_axes(ws, lesion)


def test_axes_go_with_a_region_that_changes_and_say_so(qtbot, ws, lesion):
    set_axes(ws, lesion, BY_HAND)
    mask = ws.session.masks["draft"].mask
    ws.selection.set_brush_mm(16.0)
    stroke = BrushStroke(ws, Plane.AXIAL, erase=True)
    anchor = ws.session.region("draft", lesion.region_id).anchor_kji
    stroke.move_to(mask.grid.to_ras(anchor[::-1]))
    stroke.finish()
    whole = Box.whole(mask.array.shape)
    fresh, _ = ws.session.regions["draft"].updated(whole, mask.array.copy())
    follow_regions(ws.session, "draft", fresh)
    ws.session.set_regions("draft", fresh)
    found = axes_of(qtbot, ws, lesion)
    assert found.is_adjusted, "the point it was kept by was erased, the region was not"
    assert not found.is_current
    assert found.axes == BY_HAND


def test_axes_are_in_the_notes_of_the_case(ws, lesion):
    set_axes(ws, lesion, BY_HAND)
    fields = ws.session.annotations.as_dict()
    sidecar = Sidecar(case="case-1").with_annotations(fields)
    read = Sidecar.model_validate_json(sidecar.model_dump_json()).annotations()
    assert read.entries("axes") == fields["axes"]


def test_damaged_axes_are_measured_instead(qtbot, ws, lesion):
    set_axes(ws, lesion, BY_HAND)
    ((key, value),) = ws.session.annotations.entries("axes").items()
    for bad in ({"long_ras": "x"}, {"short_ras": [[1, 2, 3]]}, {"long_ras": [[0, 0, None]] * 2}):
        ws.session.annotations = Annotations({"axes": {key: {**value, **bad}}})
        assert not axes_of(qtbot, ws, lesion).is_adjusted


def test_a_region_that_is_gone_has_no_axes(qtbot, ws, lesion):
    delete_region(ws, lesion)
    mask = ws.session.masks["draft"].mask
    ws.session.set_regions("draft", RegionIndex.build("draft", mask.array * 0, mask.grid))
    assert axes_of(qtbot, ws, lesion) is None
    with pytest.raises(EditRefused, match="no longer there"):
        set_axes(ws, lesion, BY_HAND)
    with pytest.raises(EditRefused, match="measured"):
        reset_axes(ws, lesion)


def test_a_case_that_can_only_be_looked_at_keeps_its_axes(ws, lesion):
    ws.session.read_only_reason = "Somebody else has the case open"
    for act in (lambda: set_axes(ws, lesion, BY_HAND), lambda: reset_axes(ws, lesion)):
        with pytest.raises(EditRefused, match="Somebody else"):
            act()
