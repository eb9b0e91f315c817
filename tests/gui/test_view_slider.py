"""The slice slider: its map of regions and jumping with it."""

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QColor

from labeler.core.geometry import CANONICAL_RAS, Grid, Plane
from labeler.core.labels import Label, LabelTable
from labeler.core.regions import RegionIndex
from labeler.ui import region_slider
from labeler.ui.region_slider import RegionSlider, SliderMark, lanes_of, region_marks
from tests.gui.view_world import drag

LABELS = LabelTable([Label(1, "Liver", "#3cb44b", "organ"), Label(9, "HCC", "#ff2020", "lesion")])


def test_regions_on_the_same_slices_stand_beside_each_other():
    first, second, third = SliderMark(0, 9, "#a"), SliderMark(5, 12, "#b"), SliderMark(9, 14, "#c")
    assert lanes_of([first, second, third]) == [[first, third], [second]]
    same = [SliderMark(0, 9, f"#{n}") for n in range(5)]
    lanes = lanes_of(same)
    assert len(lanes) == 3
    assert sum(map(len, lanes)) == 5
    assert lanes_of([]) == []


def make_grid(shape_kji, spacing_mm=(1.0, 1.0, 1.0), origin_ras=(0.0, 0.0, 0.0)):
    affine = np.eye(4)
    affine[:3, :3] = CANONICAL_RAS.T * np.array(spacing_mm)
    affine[:3, 3] = origin_ras
    return Grid(shape_kji, affine)


@pytest.fixture
def mask():
    """A liver from slice 10 to 29 and a lesion on slices 15 to 17."""
    grid = make_grid((40, 20, 30), (2.0, 2.0, 5.0))
    array = np.zeros(grid.shape_kji, np.uint8)
    array[10:30, 5:15, 5:20] = 1
    array[15:18, 8:10, 8:12] = 9
    return grid, RegionIndex.build("draft", array, grid)


@pytest.fixture
def slider(qtbot):
    slider = RegionSlider()
    qtbot.addWidget(slider)
    slider.resize(12, 412)
    slider.set_range(40, top_is_last=True)
    slider.show()
    return slider


def test_marks_on_the_masks_own_grid(mask):
    grid, index = mask
    marks = region_marks(index.regions.values(), grid, grid, Plane.AXIAL, LABELS)
    assert marks == [SliderMark(10, 30, "#3cb44b", True), SliderMark(15, 18, "#ff2020")]


def test_marks_on_another_grid_and_in_other_planes(mask):
    grid, index = mask
    # half the slice thickness, and the first slice 10 mm lower
    finer = make_grid((100, 40, 60), (1.0, 1.0, 2.5), (0.0, 0.0, -10.0))
    marks = region_marks(index.regions.values(), grid, finer, Plane.AXIAL, LABELS)
    assert [(m.lo, m.hi) for m in marks] == [(24, 63), (34, 39)]
    marks = region_marks(index.regions.values(), grid, grid, Plane.SAGITTAL, LABELS)
    assert [(m.lo, m.hi) for m in marks] == [(5, 20), (8, 12)]
    marks = region_marks(index.regions.values(), grid, grid, Plane.CORONAL, LABELS)
    assert [(m.lo, m.hi) for m in marks] == [(5, 15), (8, 10)]


def test_thousands_of_specks_share_marks(mask, monkeypatch):
    """A threshold on a noisy volume must not make the window stand still."""
    monkeypatch.setattr(region_slider, "MAX_MARKED", 5000)
    grid, _ = mask
    array = np.zeros(grid.shape_kji, np.uint8)
    array[::2, ::2, ::2] = 9
    specks = RegionIndex.build("draft", array, grid).regions
    assert len(specks) == 3000
    marks = region_marks(specks.values(), grid, grid, Plane.AXIAL, LABELS)
    assert marks == [SliderMark(k, k + 1, "#ff2020") for k in range(0, 40, 2)]
    few = list(specks.values())[:3]
    assert len(region_marks(few, grid, grid, Plane.AXIAL, LABELS)) == 3


def test_of_very_many_regions_the_largest_are_marked(mask, monkeypatch):
    grid, index = mask
    monkeypatch.setattr(region_slider, "MAX_MARKED", 1)
    marks = region_marks(index.regions.values(), grid, grid, Plane.AXIAL, LABELS)
    assert marks == [SliderMark(10, 30, "#3cb44b", True)]


def test_without_groups_large_regions_are_the_backdrop(mask):
    grid, index = mask
    marks = region_marks(index.regions.values(), grid, grid, Plane.AXIAL, LabelTable())
    assert [(mark.hi - mark.lo, mark.is_backdrop) for mark in marks] == [(20, True), (3, False)]


def test_hidden_labels_and_regions_outside_have_no_mark(mask):
    grid, index = mask
    regions = index.regions.values()
    marks = region_marks(regions, grid, grid, Plane.AXIAL, LABELS, frozenset({1}))
    assert [m.colour for m in marks] == ["#ff2020"]
    elsewhere = make_grid((40, 20, 30), (2.0, 2.0, 5.0), (0.0, 0.0, 1000.0))
    assert region_marks(regions, grid, elsewhere, Plane.AXIAL, LABELS) == []
    assert region_marks([], grid, grid, Plane.AXIAL, LABELS) == []


def test_the_map_is_painted_where_the_regions_are(slider):
    slider.set_marks([SliderMark(10, 30, "#3cb44b", True), SliderMark(15, 18, "#ff2020")])
    picture = slider.grab().toImage()

    def colour_at(index):
        return QColor(picture.pixel(slider.width() // 2, round(slider.y_of(index))))

    lesion, liver, empty = colour_at(16), colour_at(25), colour_at(35)
    assert lesion.red() > 200
    assert lesion.green() < 80
    assert liver.green() > liver.red() + 20, "the organ is a fainter backdrop"
    assert abs(empty.green() - empty.red()) < 20


def test_top_is_the_last_slice_for_axial_and_the_first_for_the_others(slider):
    assert slider.slice_at(7) == 39
    assert slider.slice_at(405) == 0
    slider.set_range(40, top_is_last=False)
    assert slider.slice_at(7) == 0
    assert slider.slice_at(-50) == 0
    assert slider.slice_at(5000) == 39


def test_a_click_jumps_and_a_drag_follows(slider, qtbot):
    chosen = []
    slider.slice_chosen.connect(chosen.append)
    for index in (5, 30):
        qtbot.mouseClick(slider, Qt.LeftButton, pos=QPoint(6, round(slider.y_of(index))))
    assert chosen == [5, 30]
    chosen.clear()
    drag(slider, *(QPoint(6, round(slider.y_of(index))) for index in (10, 12, 20)))
    assert chosen == [10, 12, 20]


def test_nothing_to_slide_through(slider, qtbot):
    slider.set_range(0, top_is_last=True)
    with qtbot.assertNotEmitted(slider.slice_chosen):
        qtbot.mouseClick(slider, Qt.LeftButton, pos=QPoint(6, 100))
    slider.set_range(1, top_is_last=True)
    with qtbot.assertNotEmitted(slider.slice_chosen):
        qtbot.mouseClick(slider, Qt.LeftButton, pos=QPoint(6, 100))
