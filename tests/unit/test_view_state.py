"""Linked views: what stays in place when zooming, what follows what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.geometry import Grid, Plane
from labeler.state.view_state import MaskStyle, Pane, ViewState, Window

PANES = (
    Pane("NC", Plane.AXIAL),
    Pane("ART", Plane.AXIAL),
    Pane("PV", Plane.AXIAL),
    Pane("DL", Plane.CORONAL),
)
points = st.tuples(*[st.floats(-500, 500)] * 3)


@pytest.fixture
def views(qapp):
    return ViewState(PANES)


@given(anchor=points, center=points, factor=st.floats(0.2, 5.0))
def test_zoom_keeps_the_point_under_the_cursor(qapp, anchor, center, factor):
    views = ViewState(PANES)
    views.set_frame(center_ras=np.array(center), mm_per_px=0.8)
    before_px = (np.array(anchor) - views.center_ras) / views.mm_per_px
    views.zoom(factor, np.array(anchor))
    after_px = (np.array(anchor) - views.center_ras) / views.mm_per_px
    np.testing.assert_allclose(after_px, before_px, atol=1e-6)


def test_zoom_stops_at_its_limits(views):
    for _ in range(200):
        views.zoom(2.0, np.zeros(3))
    assert views.mm_per_px == pytest.approx(0.02)
    for _ in range(200):
        views.zoom(0.5, np.zeros(3))
    assert views.mm_per_px == pytest.approx(8.0)


def test_linked_grey_scale_goes_to_every_phase_and_unlinked_to_one(views):
    views.set_window("PV", Window(150, 90))
    assert {views.window(p) for p in ("NC", "ART", "PV", "DL")} == {Window(150, 90)}
    views.set_options(windows_linked=False)
    views.set_window("ART", Window(400, 40))
    assert views.window("ART") == Window(400, 40)
    assert views.window("PV") == Window(150, 90)


def test_grey_scale_never_gets_narrower_than_one_hu(views):
    views.set_window("PV", Window(-30, 90))
    assert views.window("PV").width_hu == 1.0


def test_fit_shows_the_whole_slice(views):
    grid = Grid((10, 200, 400), np.diag([-0.5, -0.5, 2.0, 1.0]))
    views.fit(grid, (100, 100))
    assert views.mm_per_px == pytest.approx(2.0)
    np.testing.assert_allclose(views.center_ras, grid.center_ras)


def test_signals_only_for_real_changes(views, qtbot):
    with qtbot.assertNotEmitted(views.moved):
        views.set_crosshair(np.zeros(3))
    with qtbot.assertNotEmitted(views.pane_changed):
        views.set_pane(0, phase="NC", plane=Plane.AXIAL)
    with qtbot.assertNotEmitted(views.style_changed):
        views.set_style("draft", MaskStyle())
    with qtbot.waitSignal(views.pane_changed, timeout=100) as caught:
        views.set_pane(2, plane=Plane.SAGITTAL)
    assert caught.args == [2]


def test_unknown_option_is_an_error(views):
    with pytest.raises(AttributeError):
        views.set_options(croshair_visible=False)
