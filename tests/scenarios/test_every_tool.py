"""Every tool in every plane, by mouse and keys, on a mask whose grid is not that of the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtWidgets import QApplication

from labeler.core.geometry import Plane
from labeler.state.selection import EditLimits
from labeler.ui.command_table import COMMANDS
from tests.gui.view_world import double_click, drag, move, press, release

LIVER, LESION, OTHER = 1, 11, 12

#: Spacing, shape and position of two phases that have no voxel in common; masks are on PV's grid.
GRIDS = {
    "PV": ((1.6, 1.6, 2.5), (60, 60, 40), (-48.0, -47.0, -50.0)),
    "ART": ((1.1, 1.1, 3.0), (84, 84, 32), (-46.3, -45.1, -47.7)),
}
LIVER_MM, LESION_MM = 36.0, 11.0
HU = {0: -50, LIVER: 100, LESION: 50}

#: Middle of the lesion: on no slice of either grid.
CENTRE = np.array((0.4, 0.7, 0.9))

PLANES = {Qt.Key_1: Plane.AXIAL, Qt.Key_2: Plane.CORONAL, Qt.Key_3: Plane.SAGITTAL}
MM_PER_PX = 0.3


def labels_on(phase: str) -> tuple[np.ndarray, np.ndarray]:
    """Balls of liver and lesion ``[i, j, k]`` on the grid of a phase, and its affine."""
    spacing, shape, origin = GRIDS[phase]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    ras = np.moveaxis(np.indices(shape), 0, -1) * spacing + origin
    away = np.linalg.norm(ras - CENTRE, axis=-1)
    return np.select([away <= LESION_MM, away <= LIVER_MM], [LESION, LIVER], 0), affine


@pytest.fixture
def opened(user, tmp_path):
    """ART in the second view, close to the lesion; the masks are on the grid of PV."""
    for phase in GRIDS:
        labels, affine = labels_on(phase)
        values = np.vectorize(HU.get)(labels).astype(np.int16)
        values += np.random.default_rng(3).integers(-3, 4, labels.shape, np.int16)
        path = tmp_path / "images" / "LV-1" / f"{phase}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, affine), path)
    labels, affine = labels_on("PV")
    path = tmp_path / "masks" / "LV-1" / "draft.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(labels.astype(np.uint8), affine), path)
    user.open(tmp_path)
    user.click_case("LV-1")
    ws = user.program.ws
    index = next(n for n, pane in enumerate(ws.views.panes) if pane.phase == "ART")
    assert index == 1
    ws.views.set_options(active=1)
    ws.views.set_frame(crosshair_ras=CENTRE, center_ras=CENTRE, mm_per_px=MM_PER_PX)
    ws.selection.set_label(OTHER)
    ws.selection.set_brush_mm(9.0)
    return user


@pytest.fixture(params=list(PLANES), ids=[plane.value for plane in PLANES.values()])
def in_plane(request, opened):
    """The same in each plane, chosen by key."""
    opened.key(request.param, Qt.ControlModifier, where="view1")
    view = opened.view(1)
    assert view.plane is PLANES[request.param]
    assert view.phase == "ART"
    assert not view.transform.grid.matches(mask_of(opened).grid)
    return opened


def mask_of(user):
    return user.session.masks["draft"].mask


def array_of(user) -> np.ndarray:
    return mask_of(user).array.copy()


def settle(user) -> None:
    tasks = user.program.ws.tasks
    user.wait(lambda: not tasks.is_pending_where(lambda k: isinstance(k, tuple) and k[0] == "edit"))
    QApplication.processEvents()
    user.wait(user.program.has_settled)


def slice_of(user, view) -> int:
    """Slice of the mask that is nearest to what the view shows."""
    depth = mask_of(user).grid.to_ijk(view.ras_at(QPointF(0, 0)))[view.plane.normal_axis]
    return int(np.floor(depth + 0.5))


def on_slice(user, view, array) -> np.ndarray:
    return np.take(array, slice_of(user, view), axis=2 - view.plane.normal_axis)


def around(view, radius_mm: float, count: int = 24) -> list[QPointF]:
    """Places around the middle of the lesion."""
    at, radius_px = view.pos_of(CENTRE), radius_mm / MM_PER_PX
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return [at + radius_px * QPointF(np.cos(a), np.sin(a)) for a in angles]


def click(view, pos, button=Qt.LeftButton) -> None:
    move(view, pos)
    press(view, pos, button=button)
    release(view, pos, button=button)


def use_contour(user, view) -> None:
    drag(view, *around(view, 7.0))


def use_corners(user, view) -> None:
    for corner in around(view, 7.0, 6):
        click(view, corner)
    assert user.session.history.undo_name is None, "corners are only shown"
    user.key(Qt.Key_Return, where="view1")


def use_brush(user, view) -> None:
    at = view.pos_of(CENTRE)
    drag(view, at, at + QPointF(6, 3), at + QPointF(12, 3))


def use_ball(user, view) -> None:
    user.key(Qt.Key_B)
    use_brush(user, view)


def use_click(user, view) -> None:
    click(view, view.pos_of(CENTRE))


def use_wire(user, view) -> None:
    for corner in around(view, LESION_MM, 5):
        click(view, corner)
    assert user.session.history.undo_name is None, "the wire is only shown"
    user.key(Qt.Key_Return, where="view1")


def use_preview(user, view) -> None:
    """What is offered after a click, taken with Enter."""
    use_click(user, view)
    take(user)


def use_scribbles(user, view) -> None:
    at = view.pos_of(CENTRE)
    drag(view, at - QPointF(12, 0), at, at + QPointF(12, 0))
    outside = around(view, 19.0)
    drag(view, *outside, outside[0], button=Qt.RightButton)
    take(user)


def take(user) -> None:
    settle(user)
    assert user.session.history.undo_name is None, "it is only shown"
    user.key(Qt.Key_Return, where="view1")


def use_handle(user, view) -> None:
    """Pull the right side of the lesion's contour outwards."""
    at = view.pos_of(CENTRE)
    move(view, at)
    edge = at + QPointF(LESION_MM / MM_PER_PX, 0)
    drag(view, edge, edge + QPointF(10, 0), edge + QPointF(20, 0))


def use_between(user, view) -> None:
    """Paint on two slices, then fill between them."""
    user.key(Qt.Key_3)
    normal = np.zeros(3)
    normal[view.plane.normal_axis] = 1.0
    for away_mm in (-8.0, 8.0):
        user.program.ws.views.set_crosshair(CENTRE + away_mm * normal)
        user.drag(view, [CENTRE, CENTRE + 0.1])
    settle(user)
    user.program.ws.views.set_crosshair(CENTRE)
    user.key(Qt.Key_I)
    settle(user)
    assert len(user.session.history.done) == 2, "it is only shown"
    user.key(Qt.Key_Return, where="view1")


@dataclass(frozen=True)
class Use:
    """One way to use a tool.

    Attributes
    ----------
    key
        Its key, or that of a tool that it needs first.
    act
        What mouse and keys do then, over the middle of the lesion.
    name
        Name of the step.
    label
        Active label.
    flat
        Whether one slice changes, not several.
    steps
        Number of steps that it takes.
    """

    key: int
    act: Callable
    name: str
    label: int = OTHER
    flat: bool = True
    steps: int = 1


USES = {
    "contour": Use(Qt.Key_2, use_contour, "Draw contour ICC"),
    "corners": Use(Qt.Key_2, use_corners, "Draw contour ICC"),
    "erase contour": Use(Qt.Key_5, use_contour, "Erase contour HCC", LESION),
    "brush": Use(Qt.Key_3, use_brush, "Brush ICC"),
    "ball": Use(Qt.Key_3, use_ball, "Brush ICC", flat=False),
    "eraser": Use(Qt.Key_4, use_brush, "Erase HCC", LESION),
    "fill": Use(Qt.Key_6, use_click, "Fill ICC"),
    "livewire": Use(Qt.Key_8, use_wire, "Draw contour ICC"),
    "grow": Use(Qt.Key_9, use_preview, "Grow region ICC", flat=False),
    "scribble": Use(Qt.Key_G, use_scribbles, "Draw ICC from scribbles", flat=False),
    "bend": Use(Qt.Key_7, use_handle, "Change contour HCC", LESION),
    "between": Use(Qt.Key_3, use_between, "Fill ICC between slices", flat=False, steps=3),
}


def begin(user, use: Use) -> None:
    """The tool as if nothing had been done before."""
    selection = user.program.ws.selection
    selection.set_tool("tool.navigate")
    selection.set_brush_form(ball=False, smart=False)
    selection.set_brush_mm(9.0)
    selection.set_label(use.label)
    user.program.ws.views.set_crosshair(CENTRE)
    user.key(use.key)


def take_back(user, before) -> None:
    """Undo by key until nothing is left, which is what there was in the beginning."""
    while user.session.history.undo_name is not None:
        user.key(Qt.Key_Z, Qt.ControlModifier, where="view1")
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)


def test_a_tool_is_one_named_step_on_the_grid_of_the_mask(in_plane):
    user, view = in_plane, in_plane.view(1)
    before = array_of(user)
    for tool, use in USES.items():
        begin(user, use)
        use.act(user, view)
        settle(user)
        changed = array_of(user) != before
        assert changed.any(), tool
        slices = np.unique(np.nonzero(changed)[2 - view.plane.normal_axis])
        if use.flat:
            assert slices.tolist() == [slice_of(user, view)], tool
        else:
            assert len(slices) > 2, tool
        assert user.session.history.undo_name == use.name
        assert len(user.session.history.done) == use.steps, tool
        take_back(user, before)


def test_a_tool_leaves_locked_labels_alone(opened):
    """The liver is locked around the lesion; then the label itself, and the tool says so."""
    user, view = opened, opened.view(1)
    before = array_of(user)
    selection = user.program.ws.selection
    refusals: list[str] = []
    user.program.views.refused.connect(refusals.append)
    for tool, use in USES.items():
        selection.set_locked("draft", LIVER, True)
        begin(user, use)
        if use.act not in (use_handle, use_scribbles):
            selection.set_brush_mm(40.0)
        use.act(user, view)
        settle(user)
        np.testing.assert_array_equal(array_of(user) == LIVER, before == LIVER, tool)
        take_back(user, before)
        selection.set_locked("draft", LIVER, False)
        selection.set_locked("draft", use.label, True)
        refusals.clear()
        click(view, view.pos_of(CENTRE))
        name = user.session.labels[use.label].name
        assert refusals[:1] == [f"{name} is locked in draft (K frees it)"], tool
        np.testing.assert_array_equal(array_of(user), before)
        selection.set_locked("draft", use.label, False)


def test_a_tool_keeps_to_the_inside_of_a_label_and_a_range_of_hu(opened):
    """Only what is lesion, and 50 HU in ART, may be drawn on."""
    user, view = opened, opened.view(1)
    before = array_of(user)
    selection = user.program.ws.selection
    selection.set_limits(EditLimits(LESION, ("ART", 40.0, 60.0)))
    for tool, use in USES.items():
        if use.label != OTHER:
            continue
        begin(user, use)
        selection.set_brush_mm(40.0)
        use.act(user, view)
        settle(user)
        changed = array_of(user) != before
        assert changed.any(), tool
        assert set(np.unique(before[changed])) == {LESION}, tool
        take_back(user, before)


def values_under(user, voxels) -> np.ndarray:
    """What ART has at voxels of the mask."""
    k, j, i = np.nonzero(voxels)
    volume = user.session.volumes["ART"]
    at = np.floor(volume.grid.to_ijk(mask_of(user).grid.to_ras(np.stack((i, j, k), -1))) + 0.5)
    i, j, k = at.astype(int).T
    return volume.array[k, j, i]


def test_the_smart_brush_paints_what_looks_alike_and_shows_it_before(in_plane):
    """The lesion has 50 HU in the phase of the view, what is around it 100."""
    user = in_plane
    before = array_of(user)
    user.program.ws.selection.set_brush_mm(40.0)
    user.key(Qt.Key_3)
    user.key(Qt.Key_B, Qt.ShiftModifier)
    check_smart_brush(user, before)
    user.key(Qt.Key_B)
    check_smart_brush(user, before)


def check_smart_brush(user, before) -> None:
    view = user.view(1)
    at = view.pos_of(CENTRE)
    move(view, at)
    shown = view.grab().toImage()
    np.testing.assert_array_equal(array_of(user), before)
    move(view, view.pos_of(CENTRE + 80.0))
    assert view.grab().toImage() != shown, "what a press would paint is shown"
    drag(view, at, at + QPointF(4, 2))
    painted = array_of(user) != before
    values = values_under(user, painted)
    assert abs(float(np.median(values)) - HU[LESION]) <= 2
    assert (np.abs(values - HU[LESION]) < 20).mean() > 0.97, "voxels at the edge may be mixed"
    lesion, found = on_slice(user, view, before == LESION), on_slice(user, view, painted)
    assert (lesion & found).sum() > 0.9 * lesion.sum()
    assert (found & ~lesion).sum() < 0.15 * lesion.sum(), "the brush is four times as large"
    assert user.session.history.undo_name == "Brush ICC"
    take_back(user, before)


def dashed(view, colour) -> int:
    """Pixels that have the colour of what is only shown."""
    image = view.grab().toImage()
    data = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    pixels = data.reshape(image.height(), -1, 4)[..., 2::-1].astype(int)
    return int((np.abs(pixels - colour) < 12).all(axis=-1).sum())


@pytest.mark.parametrize(("key", "is_limited"), [(Qt.Key_3, True), (Qt.Key_6, False)])
def test_threshold_paint_and_fill_show_what_a_press_would_do(in_plane, key, is_limited):
    user, view = in_plane, in_plane.view(1)
    before = array_of(user)
    selection = user.program.ws.selection
    selection.set_brush_mm(2.0)
    user.key(key)
    if is_limited:
        selection.set_brush_mm(40.0)
    rgb = user.session.labels[OTHER].rgb
    move(view, view.pos_of(CENTRE))
    without = dashed(view, rgb)
    if is_limited:
        selection.set_limits(EditLimits(None, ("ART", 40.0, 60.0)))
        move(view, view.pos_of(CENTRE) + QPointF(1, 1))
        assert dashed(view, rgb) > without + 40
    else:
        assert without > 40
    np.testing.assert_array_equal(array_of(user), before)
    click(view, view.pos_of(CENTRE))
    values = values_under(user, array_of(user) != before)
    assert (np.abs(values - HU[LESION]) < 20).mean() > 0.9


def test_a_contour_goes_into_the_mask_and_back_and_changes_nothing(in_plane):
    """Bending a point away and straight back gives the same voxels."""
    user, view = in_plane, in_plane.view(1)
    before = array_of(user)
    user.program.ws.selection.set_brush_mm(1.0)
    user.key(Qt.Key_7)
    move(view, view.pos_of(CENTRE))
    edge = view.pos_of(CENTRE) + QPointF(LESION_MM / MM_PER_PX, 0)
    drag(view, edge, edge + QPointF(12, 5), edge)
    np.testing.assert_array_equal(array_of(user), before)
    assert user.session.history.undo_name is None


def test_points_of_a_contour_are_added_taken_away_and_smoothed(in_plane):
    """Each is one step that changes this slice only."""
    user, view = in_plane, in_plane.view(1)
    before = array_of(user)
    selection = user.program.ws.selection
    selection.set_brush_mm(6.0)
    user.key(Qt.Key_7)
    use_handle(user, view)  # a place between two handles gets one
    pulled = array_of(user)
    assert (pulled == LESION).sum() > (before == LESION).sum()
    settle(user)
    move(view, view.pos_of(CENTRE))
    tip = view.pos_of(CENTRE) + QPointF(LESION_MM / MM_PER_PX + 20, 0)
    click(view, tip, Qt.RightButton)
    without = array_of(user)
    assert (without == LESION).sum() < (pulled == LESION).sum()
    settle(user)
    selection.set_brush_mm(24.0)
    at = view.pos_of(CENTRE)
    move(view, at)
    double_click(view, at)
    for array in (pulled, without, array_of(user)):
        slices = np.unique(np.nonzero(array != before)[2 - view.plane.normal_axis])
        assert slices.tolist() == [slice_of(user, view)]
    assert {step.name for step in user.session.history.done} == {"Change contour HCC"}
    take_back(user, before)


def test_handles_are_drawn_on_every_slice_of_the_view_that_the_contour_is_on(in_plane):
    """A slice of the mask may lie between two of the phase."""
    user, view = in_plane, in_plane.view(1)
    user.key(Qt.Key_7)
    for _ in range(4):
        user.key(Qt.Key_Up, where="view1")
        at = view.pos_of(CENTRE)
        move(view, QPointF(3, 3))
        bare = view.grab().toImage()
        move(view, at)
        if on_slice(user, view, array_of(user) == LESION).any():
            assert view.grab().toImage() != bare


def test_the_cursor_is_in_mm_and_its_place_is_shown(in_plane):
    user, view = in_plane, in_plane.view(1)
    user.key(Qt.Key_3)
    user.program.ws.selection.set_brush_mm(9.0)
    move(view, view.pos_of(CENTRE))
    shown = user.widget("cursorPlace").text()
    ras = view.ras_at(view.pos_of(CENTRE))
    for value in ras:
        assert f"{abs(value):.1f}" in shown
    wide = around(view, 4.5, 4)[0] - view.pos_of(CENTRE)
    assert wide.x() * user.program.ws.views.mm_per_px == pytest.approx(4.5, abs=0.01)
    assert user.widget("brushSize").text() == "9.0 mm"
    user.key(Qt.Key_BracketRight)
    assert user.widget("brushSize").text() == "10.0 mm"


def test_every_tool_has_a_key_a_tooltip_and_a_line_in_the_guide():
    pages = [Path("docs/guide.md").read_text("utf-8"), Path("docs/editing.md").read_text("utf-8")]
    for command in COMMANDS:
        if command.menu in ("Tools", "Regions", "Masks"):
            assert command.keys, command.id
            assert len(command.tip) > 15, command.id
            assert any(f"`{command.keys[0]}`" in page for page in pages), command.id
