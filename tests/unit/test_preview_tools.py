"""Tools that show before they draw: interpolation, growing, scribbles, wire and contours."""

import numpy as np
import pytest

from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.core.region_growing import GrowingBox
from labeler.core.volume import Volume
from labeler.state.selection import EditLimits
from labeler.workflows.edit_contours import (
    contour_at,
    replace_contour,
    replace_with_polygon,
    smooth_contour,
)
from labeler.workflows.edit_mask import EditRefused, undo
from labeler.workflows.grow_region import RegionGrowing
from labeler.workflows.interpolate_slices import accept_slices, interpolate_slices
from labeler.workflows.livewire import Livewire
from labeler.workflows.scribble_region import ScribbledRegion
from labeler.workflows.shift_phase import shift_phase
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    count_regions,
    make_workspace,
    open_case,
    plain_order,
    sphere,
)

GRID = GRIDS["PV"]

#: Middle of the lesion, on the middle of a slice.
IN_LESION = np.array((15.0, 0.0, 1.25))
IN_LIVER = np.array((-20.0, 0.0, 1.25))
OUTSIDE = np.array((500.0, 0.0, 0.0))


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


def put(ws, array) -> Mask:
    mask = Mask("draft", np.ascontiguousarray(array.astype(np.uint8)), GRID, plain_order(GRID))
    ws.session.add_mask(mask, None)
    count_regions(ws, "draft")
    return mask


def idle(qtbot, ws) -> None:
    qtbot.waitUntil(lambda: not ws.tasks.pending_count, timeout=20_000)


def dice(a, b) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


# --- between slices


def drawn_sparsely(ws) -> tuple[Mask, np.ndarray]:
    ball = sphere(GRID, (0, 0, 0), 30)
    k = np.indices(ball.shape)[0]
    return put(ws, np.where(ball & (k % 4 == 0), LESION, np.where(k < 2, LIVER, 0))), ball


def interpolated(qtbot, ws, plane=Plane.AXIAL):
    found, refusals = [], []
    interpolate_slices(ws, plane, found.append, refusals.append)
    idle(qtbot, ws)
    return found, refusals


def test_slices_are_shown_and_then_accepted_all_or_some(qtbot, ws):
    mask, ball = drawn_sparsely(ws)
    before = mask.array.copy()
    (fill,), refusals = interpolated(qtbot, ws)
    assert refusals == []
    assert fill.is_current
    assert np.array_equal(mask.array, before), "nothing is drawn yet"
    ks = np.flatnonzero((before == LESION).any(axis=(1, 2)))
    between = [k for k in range(ks[0], ks[-1]) if k % 4]
    assert list(fill.slices) == between
    accept_slices(ws, fill, between[:2])
    changed = np.flatnonzero((mask.array != before).any(axis=(1, 2)))
    assert changed.tolist() == between[:2]
    assert not fill.is_current
    undo(ws)
    accept_slices(ws, fill)
    assert ws.session.history.undo_name == "Fill HCC between slices"
    assert len(ws.session.history.done) == 1
    assert dice((mask.array == LESION)[between], ball[between]) > 0.95
    undo(ws)
    assert np.array_equal(mask.array, before)


def test_a_label_without_gaps_or_voxels_says_so(qtbot, ws):
    found, refusals = interpolated(qtbot, ws)
    assert (found, refusals) == ([], ["HCC has no gap between axial slices in draft"])
    ws.selection.set_label(7)
    assert interpolated(qtbot, ws)[1] == ["The label is not drawn on any slice yet"]


def test_accepting_respects_locks_and_the_mask_that_was_meant(qtbot, ws):
    mask, _ = drawn_sparsely(ws)
    (fill,), _ = interpolated(qtbot, ws)
    ws.selection.set_locked("draft", LESION, True)
    with pytest.raises(EditRefused, match="locked"):
        accept_slices(ws, fill)
    ws.selection.set_locked("draft", LESION, False)
    put(ws, mask.array)
    with pytest.raises(EditRefused, match="no longer there"):
        accept_slices(ws, fill)


def test_a_mask_closed_while_it_is_worked_on_is_not_shown(qtbot, ws):
    drawn_sparsely(ws)
    found = []
    interpolate_slices(ws, Plane.AXIAL, found.append, found.append)
    ws.session.remove_mask("draft")
    idle(qtbot, ws)
    assert found == []


# --- region growing


def grown(qtbot, ws, growing, low, high):
    """What a range gives, as it is shown."""
    shown = []
    growing.preview(low, high, lambda *found: shown.append(found))
    idle(qtbot, ws)
    assert [found[1:] for found in shown] == [(low, high)]
    return shown[0][0]


def test_a_region_grows_live_and_is_one_edit(qtbot, ws):
    mask = put(ws, np.zeros(GRID.shape_kji))
    growing = RegionGrowing(ws, "PV", IN_LESION)
    low, high = growing.suggested_hu
    assert low < 40 < high < 100
    lesion = sphere(GRID, (15, 0, 0), 10)
    region = grown(qtbot, ws, growing, low, high)
    found = np.zeros(GRID.shape_kji, bool)
    found[region.box.slices] = region.inside
    assert np.array_equal(found, lesion)
    assert grown(qtbot, ws, growing, low, 110).voxels > 5 * region.voxels
    assert not mask.array.any()
    grown(qtbot, ws, growing, low, high)
    growing.accept()
    assert np.array_equal(mask.array == LESION, lesion)
    assert ws.session.history.undo_name == "Grow region HCC"
    with pytest.raises(EditRefused, match="nothing would change"):
        growing.accept()
    undo(ws)
    assert not mask.array.any()


def test_while_one_range_is_tried_only_the_last_of_the_others_waits(qtbot, ws):
    put(ws, np.zeros(GRID.shape_kji))
    growing = RegionGrowing(ws, "PV", IN_LESION)
    low, _ = growing.suggested_hu
    shown = []
    for high in range(41, 60):
        growing.preview(low, high, lambda *found: shown.append(found[2]))
    idle(qtbot, ws)
    assert shown == [41, 59]
    with pytest.raises(EditRefused, match="does not reach"):
        growing.add_seed(OUTSIDE)
    growing.add_seed(IN_LIVER)
    assert grown(qtbot, ws, growing, low, 110).inside.any()


def test_growing_says_when_it_failed_and_goes_on(qtbot, ws, monkeypatch):
    growing = RegionGrowing(ws, "PV", IN_LESION)
    with monkeypatch.context() as patch:
        patch.setattr(GrowingBox, "grown", lambda *_: 1 / 0)
        with qtbot.waitSignal(ws.tasks.failed):
            growing.preview(0, 60, lambda *_: None)
    assert grown(qtbot, ws, growing, 0, 60).inside.any()


def test_more_seeds_and_limits(qtbot, ws, mask):
    ws.selection.set_limits(EditLimits(inside=LIVER))
    ws.selection.set_label(3)
    growing = RegionGrowing(ws, "PV", IN_LESION, size_mm=60)
    assert grown(qtbot, ws, growing, 90, 110).is_empty, "the seed is not in the range"
    growing.add_seed(IN_LIVER)
    found = grown(qtbot, ws, growing, 90, 110)
    growing.accept()
    assert (mask.array == 3).sum() == found.voxels > 100
    assert (mask.array == LESION).sum() == sphere(GRID, (15, 0, 0), 10).sum()


def test_what_cannot_grow_is_refused(ws):
    with pytest.raises(EditRefused, match="DL is not read"):
        RegionGrowing(ws, "DL", IN_LESION)
    with pytest.raises(EditRefused, match="draft does not reach"):
        RegionGrowing(ws, "PV", OUTSIDE)
    shift_phase(ws, "NC", (300.0, 0.0, 0.0))
    with pytest.raises(EditRefused, match="NC does not reach"):
        RegionGrowing(ws, "NC", IN_LESION)


def test_a_mask_that_moved_with_its_phase_grows_where_it_is_seen(qtbot, ws):
    mask = put(ws, np.zeros(GRID.shape_kji))
    shift_phase(ws, "PV", (25.0, 0.0, 0.0))
    growing = RegionGrowing(ws, "PV", IN_LESION + np.array((25.0, 0.0, 0.0)))
    grown(qtbot, ws, growing, 0, 60)
    growing.accept()
    assert np.array_equal(mask.array == LESION, sphere(GRID, (15, 0, 0), 10))


# --- scribbles


def scribbled(ws, *strokes) -> ScribbledRegion:
    tool = ScribbledRegion(ws, "PV")
    for inside, points in strokes:
        tool.begin(Plane.AXIAL, inside=inside)
        for point in points:
            assert not tool.move_to(point).is_empty
    return tool


STROKES = (
    (True, [IN_LESION + np.array((-5.0, 0, 0)), IN_LESION + np.array((5.0, 0, 0))]),
    (False, [IN_LESION + np.array((-10.0, 14.0, 0)), IN_LESION + np.array((10.0, 14.0, 0))]),
)


def test_scribbles_find_the_lesion(qtbot, ws):
    mask = put(ws, np.zeros(GRID.shape_kji))
    tool = scribbled(ws, *STROKES)
    found, refusals = [], []
    with pytest.raises(EditRefused, match="nothing would change"):
        tool.accept()
    tool.solve(found.append, refusals.append)
    tool.solve(found.append, refusals.append)
    idle(qtbot, ws)
    assert len(found) == 1, "only the newest answer comes"
    assert refusals == []
    tool.accept()
    assert dice(mask.array == LESION, sphere(GRID, (15, 0, 0), 10)) > 0.9
    assert ws.session.history.undo_name == "Draw HCC from scribbles"


def test_scribbles_that_say_nothing_are_refused(ws):
    tool = ScribbledRegion(ws, "PV")
    assert tool.move_to(IN_LESION) is None, "no scribble was begun"
    with pytest.raises(EditRefused, match="Scribble inside"):
        tool.solve(print, print)
    tool = scribbled(ws, STROKES[1])
    with pytest.raises(EditRefused, match="Scribble inside"):
        tool.solve(print, print)
    tool.begin(Plane.AXIAL, inside=True)
    assert tool.move_to(OUTSIDE) is None
    with pytest.raises(EditRefused, match="DL is not read"):
        ScribbledRegion(ws, "DL")


# --- livewire


@pytest.mark.parametrize("shift_mm", [0.0, 6.0])
def test_a_wire_follows_the_edge_where_it_is_seen(ws, shift_mm):
    shift = np.array((shift_mm, 0.0, 0.0))
    shift_phase(ws, "PV", tuple(shift))
    centre = IN_LESION + shift
    wire = Livewire(ws, "PV", Plane.AXIAL, centre + np.array((10.0, 0.0, 0.0)))
    ends = [centre + 10 * np.array((np.cos(a), np.sin(a), 0)) for a in (0.0, 1.5, 3.0)]
    path = wire.path_to(ends[1])
    wire.anchor(ends[1])
    path = np.concatenate([path, wire.path_to(ends[2])])
    away = np.linalg.norm(path[:, :2] - centre[:2], axis=1)
    assert np.abs(away - 10).max() < 2.5
    assert np.allclose(path[:, 2], path[0, 2])
    assert np.linalg.norm(path[0] - ends[0]) < 3
    assert np.linalg.norm(path[-1] - ends[2]) < 3


def test_there_is_no_wire_outside(ws):
    with pytest.raises(EditRefused, match="DL is not read"):
        Livewire(ws, "DL", Plane.AXIAL, IN_LESION)
    with pytest.raises(EditRefused, match="does not reach"):
        Livewire(ws, "PV", Plane.AXIAL, np.array((0.0, 0.0, 900.0)))


# --- contours


@pytest.mark.parametrize("shift_mm", [0.0, 6.0])
def test_a_contour_is_bent_where_it_is_seen(ws, mask, shift_mm):
    shift = np.array((shift_mm, 0.0, 0.0))
    shift_phase(ws, "PV", tuple(shift))
    before = mask.array.copy()
    contour = contour_at(ws, Plane.AXIAL, IN_LESION + shift)
    assert contour.outline.label == LESION
    for rings in (contour.rings_ras, contour.handles_ras):
        centre = np.mean(rings[0], axis=0)
        assert np.linalg.norm(centre - IN_LESION - shift) < 2
        with pytest.raises(EditRefused, match="nothing would change"):
            replace_contour(ws, contour, rings)
    replace_contour(ws, contour, [ring + np.array((0.0, 4.0, 0.0)) for ring in contour.handles_ras])
    assert ws.session.history.undo_name == "Change contour HCC"
    k = mask.grid.nearest_ijk(IN_LESION)[2]
    assert np.array_equal(np.flatnonzero((mask.array != before).any(axis=(1, 2))), [k])
    assert np.array_equal(mask.array[k] == LESION, np.roll(before[k] == LESION, -2, axis=0))
    undo(ws)
    ws.selection.set_limits(EditLimits(inside=LIVER))
    replace_contour(ws, contour, [])
    assert (mask.array[k][before[k] == LESION] == LIVER).all(), "it becomes what it is inside of"


def test_contours_are_smoothed_and_locked(ws, mask):
    jagged = mask.array.copy()
    k, j, i = np.argwhere(jagged == LESION).mean(axis=0).astype(int)
    jagged[k, j - 9 : j - 4, i] = LESION
    mask = put(ws, jagged)
    contour = contour_at(ws, Plane.AXIAL, mask.grid.to_ras((i, j, k)))
    smooth_contour(ws, contour, 3.0)
    assert mask.array[k, j - 9, i] != LESION
    assert mask.array[k, j, i] == LESION
    assert contour_at(ws, Plane.AXIAL, OUTSIDE) is None
    ws.selection.set_locked("draft", LESION, True)
    ws.selection.set_label(LIVER)
    with pytest.raises(EditRefused, match="HCC is locked"):
        contour_at(ws, Plane.AXIAL, IN_LESION)
    with pytest.raises(EditRefused, match="HCC is locked"):
        replace_contour(ws, contour, [])


def test_a_polygon_replaces_what_it_touches(ws, mask):
    half = np.array([(-6, -6, 0), (6, -6, 0), (6, 6, 0), (-6, 6, 0)], float)
    replace_with_polygon(ws, Plane.AXIAL, IN_LESION + half)
    k = mask.grid.nearest_ijk(IN_LESION)[2]
    assert (mask.array[k] == LESION).sum() == 36
    assert ws.session.history.undo_name == "Replace contour HCC"
    with pytest.raises(EditRefused, match="nothing would change"):
        replace_with_polygon(ws, Plane.AXIAL, IN_LESION + half)


def test_a_contour_of_a_mask_that_was_closed_is_refused(ws, mask):
    contour = contour_at(ws, Plane.AXIAL, IN_LESION)
    put(ws, mask.array)
    with pytest.raises(EditRefused, match="no longer"):
        replace_contour(ws, contour, [])


def test_a_volume_of_any_kind_can_be_grown_in(qtbot, ws):
    volume = ws.session.volumes["ART"]
    values = Volume(volume.array.astype(np.float32), volume.grid, volume.axis_order)
    ws.session.add_volume("ART", values)
    assert not grown(qtbot, ws, RegionGrowing(ws, "ART", IN_LESION), 0, 60).is_empty
