"""Acts on whole masks: one named step each, where things are seen, locks and limits kept."""

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.core.mask_operations import ADDED, COMMON, NOTHING, OTHER_LABEL, REMOVED, Combination
from labeler.state.selection import EditLimits
from labeler.workflows.edit_mask import BrushStroke, EditRefused, undo
from labeler.workflows.mask_operations import (
    combine_masks,
    compare_masks,
    copy_from_slice,
    copy_labels,
    label_by_threshold,
)
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    make_workspace,
    open_case,
    plain_order,
    sphere,
)

GRID = GRIDS["PV"]
BALL, SMALL = sphere(GRID, (0, 0, 0), 45), sphere(GRID, (15, 0, 0), 10)
IN_LESION = np.array((15.0, 0.0, 1.25))


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    ws.selection.set_label(LESION)
    yield ws
    ws.tasks.shutdown()


def put(ws, name, *shapes, grid=GRID) -> Mask:
    array = np.zeros(grid.shape_kji, np.uint8)
    for inside, label in shapes:
        array[inside] = label
    mask = Mask(name, array, grid, plain_order(grid))
    ws.session.add_mask(mask, None)
    return mask


def run(qtbot, ws, act, *args, **more) -> list[str]:
    """Carry an act out; returns what was refused later."""
    refusals: list[str] = []
    act(ws, *args, refusals.append, **more)
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    return refusals


def test_a_mask_begins_with_a_threshold(qtbot, ws):
    mask = put(ws, "draft")
    assert run(qtbot, ws, label_by_threshold, "PV", 0, 60) == []
    assert np.array_equal(mask.array == LESION, SMALL)
    assert ws.session.history.undo_name == "Draw HCC from 0 to 60 HU"
    assert run(qtbot, ws, label_by_threshold, "PV", 0, 60) == [
        "Draw HCC from 0 to 60 HU: nothing would change"
    ]
    undo(ws)
    assert not mask.array.any()
    assert len(ws.session.history.undone) == 1


def test_a_threshold_keeps_to_limits_and_to_where_the_phase_is_seen(qtbot, ws):
    mask = put(ws, "draft", (BALL, LIVER))
    ws.selection.set_limits(EditLimits(inside=LIVER))
    shift_phase(ws, "ART", (-10.0, 0.0, 0.0))
    assert run(qtbot, ws, label_by_threshold, "ART", -2000, 60) == []
    moved = sphere(GRID, (5, 0, 0), 10)
    found = mask.array == LESION
    assert found[moved].mean() > 0.85
    assert not (found & ~BALL).any(), "nothing outside of the liver"
    with pytest.raises(EditRefused, match="DL is not read"):
        label_by_threshold(ws, "DL", 0, 60, print)


def test_labels_come_from_another_mask(qtbot, ws):
    mask = put(ws, "draft")
    put(ws, "model", (BALL, LIVER), (SMALL, LESION))
    assert run(qtbot, ws, copy_labels, "model", {LESION}) == []
    assert np.array_equal(mask.array, SMALL * LESION)
    assert ws.session.history.undo_name == "Copy HCC of model"
    ws.selection.set_locked("draft", LESION, True)
    ws.selection.set_label(LIVER)
    assert run(qtbot, ws, copy_labels, "model", None) == []
    assert np.array_equal(mask.array, np.where(SMALL, LESION, BALL * LIVER))
    assert len(ws.session.history.done) == 2
    with pytest.raises(EditRefused, match="another mask than draft"):
        copy_labels(ws, "draft", None, print)


def test_a_mask_on_another_grid_comes_to_where_it_is_seen(qtbot, ws):
    other = GRIDS["ART"]
    mask = put(ws, "draft")
    put(ws, "model", (sphere(other, (0, 0, 0), 30), LIVER), grid=other)
    shift_phase(ws, "ART", (12.0, 0.0, 0.0))
    shift_phase(ws, "PV", (0.0, 9.0, 0.0))
    assert run(qtbot, ws, copy_labels, "model", None) == []
    # Seen at (12, 0, 0), where draft's own grid is 9 mm behind.
    expected = sphere(GRID, (12, -9, 0), 30)
    found = mask.array == LIVER
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.93


def test_a_slice_is_copied_from_its_neighbour(ws):
    mask = put(ws, "draft", (BALL, LIVER), (SMALL, LESION))
    before = mask.array.copy()
    k = mask.grid.nearest_ijk((0, 0, 11.25))[2]
    copy_from_slice(ws, Plane.AXIAL, (0.0, 0.0, 11.25), -1)
    assert ws.session.history.undo_name == "Copy HCC from axial slice"
    expected = before.copy()
    expected[k][before[k - 1] == LESION] = LESION
    assert np.array_equal(mask.array, expected)
    with pytest.raises(EditRefused, match="nothing would change"):
        copy_from_slice(ws, Plane.AXIAL, (0.0, 0.0, 11.25), -1)
    with pytest.raises(EditRefused, match="nothing would change"):
        copy_from_slice(ws, Plane.AXIAL, (0.0, 0.0, 900.0), -1)


@pytest.mark.parametrize(
    ("how", "name", "expected"),
    [
        (Combination.UNION, "Add model to draft", lambda a, b: a | b),
        (Combination.INTERSECTION, "Keep what draft shares with model", lambda a, b: a & b),
        (Combination.MINUS, "Take model from draft", lambda a, b: a & ~b),
        (Combination.XOR, "Keep what either model or draft has", lambda a, b: a ^ b),
    ],
)
def test_two_masks_become_one(qtbot, ws, how, name, expected):
    left, right = sphere(GRID, (-10, 0, 0), 25), sphere(GRID, (10, 0, 0), 25)
    mask = put(ws, "draft", (left, LIVER))
    put(ws, "model", (right, LIVER))
    before = mask.array.copy()
    assert run(qtbot, ws, combine_masks, "draft", "model", how) == []
    assert ws.session.history.undo_name == name
    assert np.array_equal(mask.array == LIVER, expected(left, right))
    undo(ws)
    assert np.array_equal(mask.array, before)


def test_combining_spares_locked_labels_and_others(qtbot, ws):
    mask = put(ws, "draft", (BALL, LIVER), (SMALL, LESION))
    put(ws, "model", (BALL, LIVER))
    ws.selection.set_locked("draft", LESION, True)
    assert run(qtbot, ws, combine_masks, "draft", "model", Combination.MINUS) == []
    assert np.array_equal(mask.array, SMALL * LESION)
    undo(ws)
    assert run(qtbot, ws, combine_masks, "draft", "model", Combination.MINUS, labels=[7]) == [
        "Take model from draft: nothing would change"
    ]
    with pytest.raises(EditRefused, match="There is no mask nobody"):
        combine_masks(ws, "nobody", "model", Combination.UNION, print)
    ws.session.read_only_reason = "Somebody else has the case open"
    with pytest.raises(EditRefused, match="Somebody else"):
        combine_masks(ws, "draft", "model", Combination.UNION, print)


def test_a_mask_that_changes_meanwhile_is_left_alone(qtbot, ws):
    mask = put(ws, "draft")
    refusals: list[str] = []
    label_by_threshold(ws, "PV", 0, 60, refusals.append)
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to(IN_LESION)
    stroke.finish()
    painted = mask.array.copy()
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)
    # Either the copy was taken after the stroke, or nothing was done and it was said.
    assert np.array_equal(mask.array, painted) == bool(refusals)


def test_differences_are_shown_in_place(qtbot, ws):
    put(ws, "draft", (BALL, LIVER), (SMALL, LESION))
    put(ws, "model", (sphere(GRID, (10, 0, 0), 45), LIVER))
    shift_phase(ws, "PV", (4.0, 0.0, 0.0))
    shown = []
    refusals = run(qtbot, ws, compare_masks, "draft", "model", shown.append)
    assert refusals == []
    (difference,) = shown
    a, b = BALL, sphere(GRID, (10, 0, 0), 45)
    classes = difference.classes
    assert np.array_equal(classes == COMMON, a & b & ~SMALL)
    assert np.array_equal(classes == OTHER_LABEL, SMALL & b)
    assert np.array_equal(classes == ADDED, a & ~b)
    assert np.array_equal(classes == REMOVED, b & ~a)
    assert np.array_equal(classes == NOTHING, ~a & ~b)
    assert np.allclose(difference.grid.affine[:3, 3] - GRID.affine[:3, 3], (4, 0, 0))
    mask = ws.session.masks["draft"].mask
    assert difference.revisions == (mask.revision, ws.session.masks["model"].mask.revision)
    with pytest.raises(EditRefused, match="another mask than draft"):
        compare_masks(ws, "draft", "draft", print, print)
    with pytest.raises(EditRefused, match="There is no mask x"):
        compare_masks(ws, "x", "draft", print, print)
