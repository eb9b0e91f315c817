"""Limits of drawing (inside a label, a range of HU) and the forms of the brush."""

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.state.selection import EditLimits
from labeler.workflows.edit_mask import BrushStroke, EditRefused, fill_at, paint_polygon, undo
from labeler.workflows.limit_preview import drawable_voxels
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import LESION, LIVER, count_regions, make_workspace, open_case

OTHER = 3

#: On the middle of a slice of PV, in the liver; from liver into air it is 50 mm.
IN_LIVER = np.array((-20.0, 0.0, 1.25))
IN_LESION = np.array((15.0, 0.0, 1.25))


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    ws.selection.set_label(OTHER)
    ws.selection.set_brush_mm(60.0)
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def mask(ws) -> Mask:
    return ws.session.masks["draft"].mask


def stroke(ws, *points, plane=Plane.AXIAL, **how) -> None:
    brush = BrushStroke(ws, plane, **how)
    for point in points:
        brush.move_to(point)
    brush.finish()


def square(center, half_mm: float) -> list[np.ndarray]:
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [np.asarray(center) + np.array((x, y, 0)) * half_mm for x, y in signs]


ACTS = {
    "brush": lambda ws, **how: stroke(ws, IN_LIVER, **how),
    "ball": lambda ws, **how: stroke(ws, IN_LIVER, ball=True, **how),
    "polygon": lambda ws, **how: paint_polygon(
        ws, Plane.AXIAL, square(IN_LIVER, 30.0), **how
    ),
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_inside_a_label_nothing_else_is_overwritten(ws, mask, act):
    before = mask.array.copy()
    ws.selection.set_limits(EditLimits(inside=LIVER))
    ACTS[act](ws)
    assert (mask.array == OTHER).any()
    assert set(np.unique(before[mask.array == OTHER])) == {LIVER}
    undo(ws)
    np.testing.assert_array_equal(mask.array, before)


@pytest.mark.parametrize("act", ACTS)
def test_what_is_erased_inside_a_label_becomes_it_again(ws, mask, act):
    before = mask.array.copy()
    ws.selection.set_limits(EditLimits(inside=LIVER))
    ACTS[act](ws)
    ACTS[act](ws, erase=True)
    np.testing.assert_array_equal(mask.array, before)


def test_erasing_inside_leaves_other_labels(ws, mask):
    ws.selection.set_label(LESION)
    ws.selection.set_limits(EditLimits(inside=LIVER))
    lesion = mask.array == LESION
    stroke(ws, IN_LESION, erase=True)
    now = mask.array[lesion]
    assert set(np.unique(now)) == {LIVER, LESION}


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (3.0, -4.0, 20.0)])
def test_a_range_of_hu_is_that_of_the_phase_as_shown(ws, mask, shift_mm):
    """The lesion has 40 HU in PV, the liver 100; the mask moves with PV."""
    shift_phase(ws, "PV", shift_mm) if any(shift_mm) else None
    before = mask.array.copy()
    ws.selection.set_limits(EditLimits(hu=("PV", 30.0, 50.0)))
    stroke(ws, IN_LESION + np.array(shift_mm))
    changed = mask.array != before
    k = mask.grid.nearest_ijk(IN_LESION)[2]
    np.testing.assert_array_equal(changed[k], before[k] == LESION)


def test_both_limits_at_once(ws, mask):
    before = mask.array.copy()
    ws.selection.set_limits(EditLimits(LIVER, ("PV", 30.0, 50.0)))
    stroke(ws, IN_LESION)
    np.testing.assert_array_equal(mask.array, before)


def test_filling_keeps_to_the_limits(ws, mask):
    before = mask.array.copy()
    ws.selection.set_limits(EditLimits(hu=("PV", 90.0, 110.0)))
    fill_at(ws, Plane.AXIAL, IN_LIVER)
    assert set(np.unique(before[mask.array != before])) == {LIVER}


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (EditLimits(inside=LIVER), "Liver is locked"),
        (EditLimits(inside=OTHER), "changes nothing"),
        (EditLimits(hu=("DL", 0.0, 100.0)), "DL, which is not read"),
    ],
)
def test_limits_that_leave_nothing_are_refused(ws, limits, sentence):
    ws.selection.set_locked("draft", LIVER, True)
    ws.selection.set_limits(limits)
    with pytest.raises(EditRefused, match=sentence):
        stroke(ws, IN_LIVER)
    with pytest.raises(EditRefused, match=sentence):
        drawable_voxels(ws, Plane.AXIAL, IN_LIVER)


def test_a_ball_reaches_other_slices_a_disc_does_not(ws, mask):
    ws.selection.set_brush_mm(20.0)
    stroke(ws, IN_LIVER)
    assert len(np.unique(np.nonzero(mask.array == OTHER)[0])) == 1
    undo(ws)
    stroke(ws, IN_LIVER, ball=True)
    k, j, i = np.nonzero(mask.array == OTHER)
    ras = mask.grid.to_ras(np.stack((i, j, k), axis=-1))
    away = np.linalg.norm(ras - IN_LIVER, axis=1)
    assert away.max() <= 10.0 + 1e-6
    assert len(np.unique(k)) == 7
    assert len(ws.session.history.done) == 1


@pytest.mark.parametrize("ball", [False, True])
def test_a_smart_brush_stays_on_what_it_began_on(ws, mask, ball):
    before = mask.array.copy()
    stroke(ws, IN_LESION, ball=ball, similar_phase="PV")
    changed = before[mask.array == OTHER]
    assert changed.size
    assert (changed == LESION).mean() > 0.9, "voxels are compared after some smoothing"
    with pytest.raises(EditRefused, match="DL is not read"):
        stroke(ws, IN_LESION, similar_phase="DL")


def test_the_preview_is_what_a_stroke_over_everything_paints(ws, mask):
    ws.selection.set_limits(EditLimits(LIVER, ("PV", 90.0, 110.0)))
    voxels = drawable_voxels(ws, Plane.AXIAL, IN_LIVER)
    ws.selection.set_brush_mm(200.0)
    stroke(ws, IN_LIVER)
    np.testing.assert_array_equal(mask.array[voxels.box.slices] == OTHER, voxels.inside)
    assert drawable_voxels(ws, Plane.AXIAL, (0.0, 0.0, 900.0)) is None
