"""Operations on the shape of regions: scopes, names, locks, limits, one step each."""

import threading

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import Box, Mask
from labeler.core.painting import write
from labeler.state.selection import EditLimits, RegionRef
from labeler.workflows import region_operations as operations
from labeler.workflows.background_edit import edit_in_background
from labeler.workflows.edit_mask import BrushStroke, EditRefused, undo
from labeler.workflows.shift_phase import shift_phase
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


def fill_mask(ws, *shapes) -> Mask:
    """Put shapes (bool array, label) into the mask, later ones on top."""
    array = np.zeros(GRID.shape_kji, np.uint8)
    for inside, label in shapes:
        array[inside] = label
    mask = Mask("draft", array, GRID, plain_order(GRID))
    ws.session.add_mask(mask, None)
    count_regions(ws, "draft")
    return mask


def run(qtbot, ws, act, *args) -> list[str]:
    """Carry an act out; returns what was refused later."""
    refusals: list[str] = []
    plan = act(ws, *args)
    edit_in_background(ws, "reform", plan.name, plan.mask, plan.work, refusals.append)
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    return refusals


def volume_ml(mask: Mask, label: int) -> float:
    return float((mask.array == label).sum()) * 2.0 * 2.0 * 2.5 / 1000


BALL = sphere(GRID, (0, 0, 0), 20)
SMALL = sphere(GRID, (40, 0, 0), 6)
SPECK = sphere(GRID, (0, 45, 0), 2.1)


def test_growing_and_shrinking_one_region_by_mm(qtbot, ws):
    mask = fill_mask(ws, (BALL, LIVER), (SMALL, LIVER))
    before = mask.array.copy()
    ref = max(
        (RegionRef("draft", r.id) for r in ws.session.regions["draft"].regions.values()),
        key=lambda ref: ws.session.region("draft", ref.region_id).voxels,
    )
    assert run(qtbot, ws, operations.grow, ref, 6.0) == []
    grown = mask.array == LIVER
    assert (grown & ~sphere(GRID, (0, 0, 0), 29))[~SMALL].sum() == 0
    assert grown[sphere(GRID, (0, 0, 0), 22)].all()
    assert ws.session.history.undo_name == "Grow Liver"
    undo(ws)
    np.testing.assert_array_equal(mask.array, before)
    assert run(qtbot, ws, operations.shrink, ref, 6.0) == []
    assert 0 < ((mask.array == LIVER) & BALL).sum() < BALL.sum() / 2
    np.testing.assert_array_equal((mask.array == LIVER) & SMALL, SMALL)


def test_a_label_is_changed_as_a_whole_and_all_labels_one_after_the_other(qtbot, ws):
    mask = fill_mask(ws, (BALL, LIVER), (SMALL, LIVER), (SPECK, LESION))
    assert run(qtbot, ws, operations.grow, LIVER, 4.0) == []
    assert (mask.array == LIVER).sum() > (BALL | SMALL).sum()
    assert (mask.array == LESION).sum() == SPECK.sum()
    undo(ws)
    before = mask.array.copy()
    assert run(qtbot, ws, operations.grow, None, 4.0) == []
    assert ws.session.history.undo_name == "Grow 2 labels"
    assert (mask.array == LESION).sum() > SPECK.sum()
    assert len(ws.session.history.done) == 1
    undo(ws)
    np.testing.assert_array_equal(mask.array, before)


def test_neighbours_changed_together_come_back_together(qtbot, ws):
    """Both labels grow over the same voxels: undo must still give exactly what was."""
    mask = ws.session.masks["draft"].mask
    before = mask.array.copy()
    assert run(qtbot, ws, operations.grow, None, 5.0) == []
    assert (mask.array != before).any()
    undo(ws)
    np.testing.assert_array_equal(mask.array, before)


def test_a_locked_label_neither_grows_nor_is_overwritten(qtbot, ws):
    mask = ws.session.masks["draft"].mask
    before = mask.array.copy()
    ws.selection.set_locked("draft", LIVER, True)
    with pytest.raises(EditRefused, match="Liver is locked"):
        operations.grow(ws, LIVER, 3.0)
    assert run(qtbot, ws, operations.grow, LESION, 3.0) == ["Grow HCC: nothing would change"]
    np.testing.assert_array_equal(mask.array, before)
    ws.selection.set_locked("draft", LIVER, False)
    ws.selection.set_locked("draft", LESION, True)
    assert run(qtbot, ws, operations.shrink, None, 3.0) == []
    np.testing.assert_array_equal(mask.array == LESION, before == LESION)


def test_inside_a_label_what_is_lost_becomes_it_again(qtbot, ws):
    mask = ws.session.masks["draft"].mask
    whole = mask.array > 0
    ws.selection.set_limits(EditLimits(inside=LIVER))
    assert run(qtbot, ws, operations.shrink, LESION, 4.0) == []
    np.testing.assert_array_equal(mask.array > 0, whole)
    assert run(qtbot, ws, operations.grow, LESION, 200.0) == []
    np.testing.assert_array_equal(mask.array == LESION, whole)


def test_hollow_then_fill_gives_the_shape_back(qtbot, ws):
    mask = fill_mask(ws, (BALL, LIVER))
    assert run(qtbot, ws, operations.hollow, LIVER, 4.0) == []
    assert 0 < (mask.array == LIVER).sum() < BALL.sum()
    assert run(qtbot, ws, operations.fill_holes, LIVER, None) == []
    np.testing.assert_array_equal(mask.array == LIVER, BALL)


def test_holes_of_slices_are_open_in_space(qtbot, ws):
    tube = BALL & ~sphere(GRID, (0, 0, 0), 10)
    k = GRID.nearest_ijk((0, 0, 0))[2]
    tube[:k] = False  # the hole is open below
    mask = fill_mask(ws, (tube, LIVER))
    assert run(qtbot, ws, operations.fill_holes, LIVER, None) == [
        "Fill holes of Liver: nothing would change"
    ]
    assert run(qtbot, ws, operations.fill_holes, LIVER, Plane.AXIAL) == []
    assert mask.array[k].sum() > tube[k].sum()


def test_smoothing_keeps_the_volume(qtbot, ws):
    rough = BALL | SMALL | SPECK
    mask = fill_mask(ws, (rough, LIVER))
    assert run(qtbot, ws, operations.smooth, LIVER, 3.0) == []
    assert volume_ml(mask, LIVER) == pytest.approx(rough.sum() * 0.01, rel=0.02)
    assert (mask.array == LIVER).sum() != 0
    assert ((mask.array == LIVER) != rough).any()


def test_largest_stays_and_small_ones_go(qtbot, ws):
    mask = fill_mask(ws, (BALL, LIVER), (SMALL, LIVER), (SPECK, LESION))
    assert run(qtbot, ws, operations.remove_small, LIVER, 5.0) == []
    np.testing.assert_array_equal(mask.array == LIVER, BALL)
    assert (mask.array == LESION).any(), "another label"
    assert ws.session.history.undo_name == "Remove Liver below 5 ml"
    undo(ws)
    assert run(qtbot, ws, operations.keep_largest, None) == []
    np.testing.assert_array_equal(mask.array == LIVER, BALL)
    np.testing.assert_array_equal(mask.array == LESION, SPECK)
    count_regions(ws, "draft")
    with pytest.raises(EditRefused, match="nothing would change"):
        operations.keep_largest(ws, LIVER)


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (10.0, 0.0, 0.0)])
def test_a_line_splits_where_it_is_shown(qtbot, ws, shift_mm):
    mask = fill_mask(ws, (BALL, LIVER))
    if any(shift_mm):
        shift_phase(ws, "PV", shift_mm)
    line = [np.array((shift_mm[0], y, 0.0)) for y in (-30.0, 30.0)]
    ref = region_of(ws, "draft", LIVER)
    assert run(qtbot, ws, operations.split_by_line, ref, Plane.AXIAL, line) == []
    count_regions(ws, "draft")
    sizes = [r.voxels for r in ws.session.regions["draft"].regions.values()]
    assert len(sizes) == 2
    assert min(sizes) > 0.35 * BALL.sum()
    assert mask.array.any()
    assert ws.session.history.undo_name == "Split Liver along a line"


def test_a_line_beside_the_region_is_refused(qtbot, ws):
    fill_mask(ws, (BALL, LIVER))
    line = [np.array((60.0, y, 0.0)) for y in (-30.0, 30.0)]
    ref = region_of(ws, "draft", LIVER)
    refusals = run(qtbot, ws, operations.split_by_line, ref, Plane.AXIAL, line)
    assert len(refusals) == 1
    assert "does not cut" in refusals[0]
    assert ws.session.history.undo_name is None


def test_necks_are_cut_and_the_parts_merged_again(qtbot, ws):
    dumbbell = sphere(GRID, (-20, 0, 0), 16) | sphere(GRID, (20, 0, 0), 16)
    bar = np.zeros_like(dumbbell)
    lo, hi = GRID.nearest_ijk((20, 2, 2)), GRID.nearest_ijk((-20, -2, -2))
    bar[hi[2] : lo[2] + 1, lo[1] : hi[1] + 1, lo[0] : hi[0] + 1] = True
    fill_mask(ws, (dumbbell | bar, LIVER))
    assert run(qtbot, ws, operations.split_at_necks, region_of(ws, "draft", LIVER), 4.0) == []
    count_regions(ws, "draft")
    refs = [RegionRef("draft", r.id) for r in ws.session.regions["draft"].regions.values()]
    assert len(refs) == 2
    assert run(qtbot, ws, operations.merge_regions, *refs, 6.0) == []
    count_regions(ws, "draft")
    assert len(ws.session.regions["draft"].regions) == 1
    with pytest.raises(EditRefused, match="another region"):
        operations.merge_regions(ws, refs[0], refs[0], 6.0)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_stroke_meanwhile_wins_where_it_is_in_the_way(qtbot, ws, is_there):
    mask = ws.session.masks["draft"].mask
    refusals: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(copy, check):
        begun.set()
        assert go_on.wait(20)
        box = Box((23, 4, 4), (25, 6, 6)) if is_there else Box((0, 0, 0), (1, 1, 1))
        yield write(copy, box, np.ones(box.shape_kji, np.bool_), LIVER)

    edit_in_background(ws, "reform", "Smooth Liver", mask, work, refusals.append)
    assert begun.wait(20)
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to((50.0, 50.0, 0.0))
    stroke.finish()
    after = mask.array.copy()
    go_on.set()
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    if is_there:
        np.testing.assert_array_equal(mask.array, after)
        sentence = "Smooth Liver: draft was changed there meanwhile, so nothing was done"
        assert refusals == [sentence]
    else:
        assert refusals == []
        assert mask.array[0, 0, 0] == LIVER
        after[0, 0, 0] = LIVER
        np.testing.assert_array_equal(mask.array, after)


def test_a_case_closed_meanwhile_is_left_alone(qtbot, ws):
    refusals: list[str] = []
    plan = operations.smooth(ws, None, 2.0)
    edit_in_background(ws, "reform", plan.name, plan.mask, plan.work, refusals.append)
    ws.session.begin(None)
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    assert refusals == []
    with pytest.raises(EditRefused):
        operations.smooth(ws, None, 2.0)


def test_an_organ_does_not_eat_its_lesion_but_a_lesion_grows_into_its_organ(qtbot, ws):
    ws.session.labels = LabelTable(
        [Label(LIVER, "Liver", "#3cb44b", "organ"), Label(LESION, "HCC", "#ff2020", "lesion")]
    )
    mask = ws.session.masks["draft"].mask
    before = mask.array.copy()
    assert run(qtbot, ws, operations.grow, LIVER, 6.0) == []
    np.testing.assert_array_equal(mask.array == LESION, before == LESION)
    assert (mask.array == LIVER).sum() > (before == LIVER).sum()
    undo(ws)
    assert run(qtbot, ws, operations.grow, LESION, 6.0) == []
    assert set(np.unique(before[(mask.array == LESION) & (before != LESION)])) == {LIVER}
