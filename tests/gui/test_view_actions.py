"""Commands of the menus "View", "Grey scale" and "Tools" act on the views."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QListWidget

from labeler.core.geometry import Plane
from labeler.state.view_state import Window
from labeler.ui.command_table import COMMANDS
from labeler.ui.commands import Commands
from tests.gui.view_world import make_world


@pytest.fixture
def world(qtbot, tmp_path):
    world = make_world(qtbot, tmp_path)
    yield world
    world.ws.tasks.shutdown()


def trigger(world, command_id: str) -> None:
    world.commands.action(command_id).trigger()


def test_every_view_window_and_tool_command_is_bound(world):
    for command in COMMANDS:
        if command.id.startswith(("view.", "window.", "tool.")):
            action = world.commands.action(command.id)
            assert action.receivers(action.triggered) > 0, command.id


def test_checkable_commands_follow_the_state(world):
    views = world.ws.views
    for command_id, option in (
        ("view.crosshair", "crosshair_visible"),
        ("view.masks", "masks_visible"),
        ("view.link_windows", "windows_linked"),
    ):
        action = world.commands.action(command_id)
        assert action.isChecked() is getattr(views, option)
        trigger(world, command_id)
        assert not getattr(views, option)
        views.set_options(**{option: True})
        assert action.isChecked()


def test_one_tool_is_checked(world):
    def checked() -> list[str]:
        tools = [c.id for c in COMMANDS if c.id.startswith("tool.")]
        return [name for name in tools if world.commands.action(name).isChecked()]

    assert checked() == ["tool.navigate"]
    trigger(world, "tool.brush")
    assert world.ws.selection.tool == "tool.brush"
    assert checked() == ["tool.brush"]
    trigger(world, "tool.brush")
    assert checked() == ["tool.brush"]
    world.ws.selection.set_tool("tool.fill")
    assert checked() == ["tool.fill"]


def test_planes_and_slices_of_the_active_view(world):
    world.ws.views.set_options(active=2)
    trigger(world, "view.coronal")
    assert world.view(2).plane is Plane.CORONAL
    assert world.view(0).plane is Plane.AXIAL
    trigger(world, "view.axial")
    before = world.view(2).transform.slice_index
    trigger(world, "view.slice_up")
    assert world.view(2).transform.slice_index == before + 1
    trigger(world, "view.slice_down")
    trigger(world, "view.slice_down")
    assert world.view(2).transform.slice_index == before - 1


def test_arrow_keys_belong_to_the_views_only_while_they_have_the_focus(world, qtbot):
    names = QListWidget(world.grid)
    names.addItems(["a", "b"])
    names.show()
    world.grid.activateWindow()
    qtbot.waitUntil(world.grid.isActiveWindow)
    world.view(0).setFocus()
    before = world.view(0).transform.slice_index
    qtbot.keyClick(world.view(0), Qt.Key_Up)
    assert world.view(0).transform.slice_index == before + 1
    context = world.commands.action("view.slice_up").shortcutContext()
    assert context == Qt.WidgetWithChildrenShortcut


def test_fit_keeps_the_crosshair(world):
    views = world.ws.views
    views.set_options(active=2)
    fitted = views.mm_per_px
    views.set_frame(crosshair_ras=np.array([9.0, 5.0, 1.25]), mm_per_px=0.1)
    trigger(world, "view.fit")
    assert views.mm_per_px == pytest.approx(fitted, rel=0.02)
    assert np.allclose(views.crosshair_ras, (9.0, 5.0, 1.25))
    views.set_options(active=3)
    trigger(world, "view.fit")  # an empty view has nothing to fit


def test_maximize_the_active_view(world):
    world.ws.views.set_options(active=1)
    trigger(world, "view.maximize")
    assert world.ws.views.maximized == 1
    trigger(world, "view.maximize")
    assert world.ws.views.maximized is None


def test_fill_of_the_active_mask(world):
    views = world.ws.views
    start = views.style("draft").fill_opacity
    trigger(world, "view.fill_more")
    assert views.style("draft").fill_opacity == pytest.approx(start + 0.1)
    for _ in range(5):
        trigger(world, "view.fill_less")
    assert views.style("draft").fill_opacity == 0.0
    world.ws.selection.set_mask(None)
    trigger(world, "view.fill_more")
    assert views.style("draft").fill_opacity == 0.1, "without an active mask all are meant"


def test_presets_for_the_phase_of_the_active_view(world):
    views = world.ws.views
    views.set_options(windows_linked=False, active=2)
    trigger(world, "window.liver")
    assert views.window("PV") == Window(150.0, 90.0)
    assert views.window("ART") == Window(350.0, 40.0)
    views.set_options(windows_linked=True)
    trigger(world, "window.bone")
    assert views.window("PV") == views.window("ART") == Window(1800.0, 400.0)


def test_auto_fits_every_phase(world, qtbot):
    views = world.ws.views
    trigger(world, "window.auto")
    qtbot.waitUntil(lambda: world.ws.tasks.pending_count == 0)
    for phase in ("NC", "ART", "PV"):
        window = views.window(phase)
        low, high = window.level_hu - window.width_hu / 2, window.level_hu + window.width_hu / 2
        assert low < 100 < high
        assert window.width_hu < 300
    assert views.window("DL") == Window(350.0, 40.0)


def test_tips_name_the_keys(qtbot):
    assert "(W)" in Commands({}).action("view.link_windows").toolTip()
