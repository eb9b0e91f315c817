"""Acts of the user on masks: one named edit each, undone as a whole, locks respected."""

import numpy as np
import pytest

from labeler.core.edits import NO_STACKS
from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.workflows.edit_mask import (
    BrushStroke,
    EditRefused,
    copy_mask,
    fill_at,
    new_mask,
    paint_polygon,
    redo,
    undo,
)
from labeler.workflows.region_acts import delete_region, relabel_region
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
)

SQUARE = [(-20.0, -20.0), (20.0, -20.0), (20.0, 20.0), (-20.0, 20.0)]


def square(z_mm: float, center=(0.0, 0.0), half_mm: float = 20.0) -> list[np.ndarray]:
    x, y = center
    return [np.array([x + a * half_mm / 20, y + b * half_mm / 20, z_mm]) for a, b in SQUARE]


@pytest.fixture
def ws(tmp_path, qapp):
    ws = make_workspace(tmp_path)
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    ws.selection.set_label(LESION)
    yield ws
    ws.tasks.shutdown()


@pytest.fixture
def mask(ws) -> Mask:
    return ws.session.masks["draft"].mask


def changes_of(ws) -> list:
    changes = []
    ws.session.changed.connect(changes.append)
    return changes


def voxels_at(mask: Mask, z_mm: float) -> np.ndarray:
    k = mask.grid.nearest_ijk((0, 0, z_mm))[2]
    return mask.array[k]


def test_a_contour_is_one_named_edit_on_one_slice(ws, mask):
    before = mask.array.copy()
    changes = changes_of(ws)
    paint_polygon(ws, Plane.AXIAL, square(5.0))
    changed = np.argwhere(mask.array != before)
    assert len(set(changed[:, 0])) == 1
    assert (voxels_at(mask, 5.0)[20:39, 20:39] == LESION).all()
    assert ws.session.history.undo_name == "Draw contour HCC"
    assert [change.origin for change in changes] == ["edit"]
    undo(ws)
    assert np.array_equal(mask.array, before)
    assert ws.session.history.redo_name == "Draw contour HCC"
    redo(ws)
    assert (mask.array != before).sum() == len(changed)


@pytest.mark.parametrize("plane", [Plane.CORONAL, Plane.SAGITTAL])
def test_a_contour_of_another_plane_goes_to_that_plane(ws, mask, plane):
    before = mask.array.copy()
    points = {
        Plane.CORONAL: [(x, 1.0, z) for x, z in SQUARE],
        Plane.SAGITTAL: [(1.0, y, z) for y, z in SQUARE],
    }[plane]
    paint_polygon(ws, plane, [np.array(point) for point in points])
    changed = np.argwhere(mask.array != before)[:, ::-1]
    assert len(set(changed[:, plane.normal_axis])) == 1
    assert len(changed) > 200


def test_erasing_takes_away_the_active_label_only(ws, mask):
    ws.selection.set_label(LIVER)
    lesion_voxels = int((mask.array == LESION).sum())
    paint_polygon(ws, Plane.AXIAL, square(0.0, (10.0, 0.0)), erase=True)
    assert ws.session.history.undo_name == "Erase contour Liver"
    assert int((mask.array == LESION).sum()) == lesion_voxels
    assert (voxels_at(mask, 0.0)[22:38, 18:26] != LIVER).all()


def test_an_outline_that_changes_nothing_says_so_and_is_no_edit(ws):
    with pytest.raises(EditRefused, match="Nothing to add"):
        paint_polygon(ws, Plane.AXIAL, square(500.0))
    with pytest.raises(EditRefused, match="Nothing to erase"):
        paint_polygon(ws, Plane.AXIAL, square(55.0, (50.0, 50.0), 2.0), erase=True)
    assert ws.session.history.undo_name is None


def test_a_stroke_is_live_and_one_edit_at_the_end(ws, mask):
    before, revision = mask.array.copy(), mask.revision
    changes = changes_of(ws)
    stroke = BrushStroke(ws, Plane.AXIAL, erase=False)
    stroke.move_to((-30.0, 0.0, 0.0))
    painted = int((mask.array != before).sum())
    assert painted > 0, "the mask changes while the button is down"
    assert ws.session.history.undo_name is None
    stroke.move_to((-10.0, 10.0, 0.0))
    assert int((mask.array != before).sum()) > painted
    stroke.finish()
    after = mask.array.copy()
    assert [change.origin for change in changes] == ["stroke", "stroke", "edit"]
    assert ws.session.history.undo_name == "Brush HCC"
    assert len(ws.session.history.done) == 1
    undo(ws)
    assert np.array_equal(mask.array, before)
    assert mask.revision == revision, "the mask is as clean as before the stroke"
    redo(ws)
    assert np.array_equal(mask.array, after)


def test_a_brush_is_as_wide_as_it_says(ws, mask):
    before = mask.array.copy()
    ws.selection.set_brush_mm(30.0)
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to((-30.0, -30.0, 0.0))
    stroke.finish()
    painted = np.argwhere(mask.array != before)
    assert len(painted) * 4.0 == pytest.approx(np.pi * 15.0**2, rel=0.1)
    centers = mask.grid.to_ras(painted[:, ::-1])
    assert np.abs(centers[:, :2] + 30.0).max() <= 15.0


def test_a_stroke_can_be_given_up(ws, mask):
    before, revision = mask.array.copy(), mask.revision
    stroke = BrushStroke(ws, Plane.AXIAL)
    for x in (-30.0, -20.0, -10.0):
        stroke.move_to((x, 5.0, 0.0))
    stroke.cancel()
    assert np.array_equal(mask.array, before)
    assert mask.revision == revision
    assert ws.session.history.undo_name is None


def test_a_stroke_that_changes_nothing_is_no_edit(ws):
    ws.selection.set_label(LIVER)
    ws.selection.set_locked("draft", LESION, True)
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to((-20.0, 0.0, 0.0))
    stroke.finish()
    assert ws.session.history.undo_name is None


def test_a_stroke_outlives_a_closed_case(ws, mask):
    stroke = BrushStroke(ws, Plane.AXIAL)
    stroke.move_to((-20.0, 0.0, 0.0))
    after = mask.array.copy()
    ws.session.begin(None)
    stroke.move_to((0.0, 0.0, 0.0))
    stroke.cancel()
    stroke.finish()
    assert np.array_equal(mask.array, after)
    assert ws.session.history.undo_name is None


def test_fill_needs_a_closed_area(ws, mask):
    with pytest.raises(EditRefused, match="not closed"):
        fill_at(ws, Plane.AXIAL, (-55.0, -55.0, 0.0))
    ws.selection.set_label(LIVER)
    fill_at(ws, Plane.AXIAL, (15.0, 0.0, 0.0))
    assert ws.session.history.undo_name == "Fill Liver"
    assert not (voxels_at(mask, 0.0) == LESION).any()
    assert (mask.array == LESION).any(), "the other slices keep the lesion"
    with pytest.raises(EditRefused, match="Nothing to fill"):
        fill_at(ws, Plane.AXIAL, (15.0, 0.0, 0.0))


def test_fill_with_erase_empties_the_area_of_the_active_label(ws, mask):
    fill_at(ws, Plane.AXIAL, (15.0, 0.0, 0.0), erase=True)
    assert not (voxels_at(mask, 0.0) == LESION).any()
    assert ws.session.history.undo_name == "Erase area HCC"
    with pytest.raises(EditRefused, match="Nothing to erase"):
        fill_at(ws, Plane.AXIAL, (-30.0, 0.0, 0.0), erase=True)


def test_painting_follows_a_shifted_phase(ws, mask):
    shift_phase(ws, "PV", (0.0, 0.0, 12.5))
    before = mask.array.copy()
    paint_polygon(ws, Plane.AXIAL, square(12.5))
    k = {int(k) for k in np.argwhere(mask.array != before)[:, 0]}
    assert k == {mask.grid.nearest_ijk((0, 0, 0.0))[2]}


def test_a_locked_label_is_neither_written_nor_overwritten(ws, mask):
    ws.selection.set_locked("draft", LESION, True)
    lesion = mask.array == LESION
    for act in (
        lambda: paint_polygon(ws, Plane.AXIAL, square(0.0)),
        lambda: BrushStroke(ws, Plane.AXIAL),
        lambda: fill_at(ws, Plane.AXIAL, (15.0, 0.0, 0.0)),
        lambda: delete_region(ws, region_of(ws, "draft", LESION)),
        lambda: relabel_region(ws, LESION, region_of(ws, "draft", LIVER)),
        lambda: relabel_region(ws, LIVER, region_of(ws, "draft", LESION)),
    ):
        with pytest.raises(EditRefused, match=r"HCC is locked in draft \(K frees it\)"):
            act()
    ws.selection.set_label(LIVER)
    delete_region(ws, region_of(ws, "draft", LIVER))
    paint_polygon(ws, Plane.AXIAL, square(0.0))
    assert np.array_equal(mask.array == LESION, lesion)


def test_nothing_is_drawn_on_what_is_not_seen(ws):
    def refusal() -> str:
        with pytest.raises(EditRefused) as refused:
            BrushStroke(ws, Plane.AXIAL)
        return str(refused.value)

    ws.views.set_options(masks_visible=False)
    assert "hidden" in refusal()
    ws.views.set_options(masks_visible=True)
    style = ws.views.style("draft")
    ws.views.set_style("draft", type(style)(visible=False))
    assert "draft is hidden" in refusal()
    ws.views.set_style("draft", type(style)(hidden_labels=frozenset({LESION})))
    assert "HCC is hidden" in refusal()


def test_refusals_without_mask_or_right_to_write(ws, tmp_path):
    ws.selection.set_mask(None)
    with pytest.raises(EditRefused, match=r"Choose or create a mask first \(Ctrl\+N\)"):
        paint_polygon(ws, Plane.AXIAL, square(0.0))
    ws.selection.set_mask("draft")
    ws.session.read_only_reason = "Anna has this case open"
    for act in (
        lambda: paint_polygon(ws, Plane.AXIAL, square(0.0)),
        lambda: delete_region(ws, region_of(ws, "draft", LESION)),
        lambda: new_mask(ws, "mine", "PV"),
        lambda: copy_mask(ws, "draft", "mine"),
        lambda: shift_phase(ws, "PV", (1.0, 0.0, 0.0)),
    ):
        with pytest.raises(EditRefused, match="Anna has this case open"):
            act()
    assert not ws.session.is_dirty
    ws.session.begin(None)
    with pytest.raises(EditRefused, match="Open a case first"):
        new_mask(ws, "mine", "PV")


def test_a_new_mask_is_empty_active_and_on_the_phases_grid(ws):
    new_mask(ws, "  mine ", "ART")
    entry = ws.session.masks["mine"]
    assert ws.selection.mask == "mine"
    assert entry.mask.grid.matches(GRIDS["ART"])
    assert entry.mask.axis_order == plain_order(GRIDS["ART"])
    assert not entry.mask.array.any()
    assert entry.file is not None
    assert not entry.mask.is_dirty


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "a name"),
        ("Draft", "already"),
        ("a/b", "no file"),
        (".x", "no file"),
        ("\0", "no file"),
    ],
)
def test_bad_names_are_refused(ws, name, reason):
    with pytest.raises(EditRefused, match=reason):
        new_mask(ws, name, "PV")


def test_a_mask_needs_a_phase_to_be_drawn_on(ws):
    with pytest.raises(EditRefused, match="no DL phase"):
        new_mask(ws, "mine", "DL")


def test_a_copied_mask_is_filled_by_one_edit(ws, mask, qtbot):
    new_mask(ws, "mine", "PV")
    paint_polygon(ws, Plane.AXIAL, square(0.0))
    original = ws.session.masks["mine"].mask
    with qtbot.waitSignal(ws.session.changed, timeout=5000):
        copy_mask(ws, "mine", "mine 2")
    copied = ws.session.masks["mine 2"].mask
    assert np.array_equal(copied.array, original.array)
    assert copied.is_dirty, "nothing of it is on disk"
    assert ws.selection.mask == "mine 2"
    assert ws.session.history.undo_name == "Copy mask mine to mine 2"
    undo(ws)
    assert not copied.array.any()
    assert original.array.any()


def test_undo_without_anything_to_undo(ws):
    undo(ws)
    redo(ws)
    assert ws.session.history.stacks == NO_STACKS


def test_a_shift_is_one_edit_and_zero_takes_it_away(ws):
    shift_phase(ws, "ART", (0.04, 2.26, -1.0))
    assert ws.session.annotations.get("shift", "ART") == [0.0, 2.3, -1.0]
    assert ws.session.history.undo_name == "Shift ART"
    shift_phase(ws, "ART", (0.0, 2.3, -1.0))
    assert len(ws.session.history.done) == 1, "no change, no edit"
    shift_phase(ws, "ART", (0.0, 0.0, 0.0))
    assert ws.session.annotations.entries("shift") == {}
    undo(ws)
    assert ws.session.annotations.get("shift", "ART") == [0.0, 2.3, -1.0]
