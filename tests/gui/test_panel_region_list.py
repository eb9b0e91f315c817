"""The region list by mouse and keys, and how it follows edits."""

import numpy as np
import pytest
from PyQt5.QtCore import QModelIndex, QPoint, Qt
from PyQt5.QtTest import QAbstractItemModelTester, QTest
from PyQt5.QtWidgets import QLineEdit, QPushButton

from labeler.core.edits import Edit
from labeler.core.mask import Box, Mask, Patch
from labeler.state.selection import RegionRef
from labeler.ui import region_delegate, region_table
from labeler.ui.region_cells import REVIEWED
from labeler.ui.region_list import RegionList
from labeler.ui.region_table import REGION_ROLE
from labeler.workflows.review_case import tick_region
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    count_regions,
    make_volume,
    open_case,
    plain_order,
    region_of,
    sphere,
)
from tests.gui.panel_kit import choose, click, commands, open_menu, ws

__all__ = ["commands", "ws"]

#: Centres and radii of the lesions of "many", RAS mm.
LESIONS = {(15, 0, 0): 10, (-15, 0, 0): 6, (0, 20, 10): 8}


@pytest.fixture
def regions(qtbot, ws, commands, tmp_path) -> RegionList:
    """A wide list over an open case with one mask of a liver and a lesion."""
    panel = RegionList(ws, commands)
    qtbot.addWidget(panel)
    panel.resize(480, 400)
    panel.show()
    open_case(ws, tmp_path)
    count_regions(ws, "draft")
    return panel


@pytest.fixture
def many(regions, ws) -> RegionList:
    """The same with a second mask that has three lesions and no liver."""
    grid = GRIDS["PV"]
    array = np.zeros(grid.shape_kji, np.uint8)
    for center, radius in LESIONS.items():
        array[sphere(grid, center, radius)] = LESION
    ws.session.add_mask(Mask("prediction", array, grid, plain_order(grid)), None)
    count_regions(ws, "prediction")
    return regions


def cell(panel: RegionList, ref: RegionRef, column: str = "label") -> QModelIndex:
    index = panel.table.index_of(ref)
    return index.siblingAtColumn(panel.table.columns.index(column))


def text(panel: RegionList, ref: RegionRef, column: str) -> str:
    return cell(panel, ref, column).data()


def listed(panel: RegionList) -> list[tuple[str, float]]:
    """Mask and volume of the rows, from top to bottom."""
    session = panel._ws.session
    refs = list(panel.table.refs())
    return [(r.mask, round(session.region(r.mask, r.region_id).volume_ml, 2)) for r in refs]


def volumes(panel: RegionList, mask: str) -> list[float]:
    return [volume for name, volume in listed(panel) if name == mask]


def click_header(panel: RegionList, column: str) -> None:
    header = panel.view.header()
    section = panel.table.columns.index(column)
    x = header.sectionViewportPosition(section) + header.sectionSize(section) // 2
    QTest.mouseClick(header.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(x, 5))


def type_filter(panel: RegionList, words: str) -> None:
    field = panel.findChild(QLineEdit, "regionFilter")
    field.clear()
    QTest.keyClicks(field, words)


def erase(ws, mask: str, center, radius_mm: float) -> None:
    """Erase a ball by one edit and follow it as the background task does."""
    live = ws.session.masks[mask].mask
    inside = sphere(live.grid, center, radius_mm)
    places = np.argwhere(inside)
    box = Box(tuple(map(int, places.min(0))), tuple(map(int, places.max(0) + 1)))
    before = live.array[box.slices].copy()
    after = np.where(inside[box.slices], 0, before).astype(np.uint8)
    ws.session.apply(Edit("Erase", (Patch.between(mask, box, before, after),)))
    follow(ws, mask, box)


def follow(ws, mask: str, box: Box) -> None:
    content = ws.session.masks[mask].mask.array[box.slices].copy()
    index, _ = ws.session.regions[mask].updated(box, content)
    ws.session.set_regions(mask, index)


def test_rows_show_size_and_mean_hu_of_every_phase(regions, ws):
    hcc = region_of(ws, "draft", LESION)
    region = ws.session.region("draft", hcc.region_id)
    assert text(regions, hcc, "label") == "HCC"
    assert text(regions, hcc, "volume_ml") == f"{region.volume_ml:.2f}"
    assert text(regions, hcc, "diameter_mm") == f"{region.diameter_mm:.0f}"
    assert text(regions, hcc, "hu_PV") == "40"
    assert text(regions, region_of(ws, "draft", LIVER), "volume_ml") == f"{_liver_ml(ws):,.0f}"
    assert "PV: 40 \u00b1 0 HU" in cell(regions, hcc).data(Qt.ToolTipRole)


def test_air_keeps_its_sign_in_a_narrow_column(regions, ws):
    ws.session.add_volume("PV", make_volume(GRIDS["PV"], 100, -1000))
    count_regions(ws, "draft")
    ref = region_of(ws, "draft", LESION)
    assert text(regions, ref, "hu_PV") == "-1000"


def _liver_ml(ws) -> float:
    ref = region_of(ws, "draft", LIVER)
    return ws.session.region("draft", ref.region_id).volume_ml


def test_a_click_brings_the_views_to_the_region(regions, ws):
    hcc = region_of(ws, "draft", LESION)
    click(regions.view, cell(regions, hcc, "volume_ml"))
    assert ws.selection.region == hcc
    box = ws.session.region("draft", hcc.region_id).box
    first_slice_z = GRIDS["PV"].to_ras((0, 0, box.lo_kji[0]))[2]
    assert ws.views.crosshair_ras[2] == pytest.approx(first_slice_z)


def test_arrow_keys_walk_and_jump(regions, ws):
    liver, hcc = region_of(ws, "draft", LIVER), region_of(ws, "draft", LESION)
    click(regions.view, cell(regions, liver))
    QTest.keyClick(regions.view, Qt.Key_Down)
    assert ws.selection.region == hcc
    QTest.keyClick(regions.view, Qt.Key_Up)
    assert ws.selection.region == liver


def test_next_and_previous_go_through_all_masks_and_stop_at_the_ends(qtbot, many, ws):
    visited = []
    for _ in range(5):
        many.go(1)
        visited.append(ws.selection.region)
    assert visited == list(many.table.refs())
    with qtbot.waitSignal(many.said) as signal:
        many.go(1)
    assert "last" in signal.args[0]
    assert ws.selection.region == visited[-1]
    many.go(-1)
    assert ws.selection.region == visited[-2]


def test_the_row_follows_a_selection_made_elsewhere(regions, ws):
    hcc = region_of(ws, "draft", LESION)
    ws.selection.select_region(hcc)
    assert regions.view.currentIndex().data(REGION_ROLE).id == hcc.region_id
    ws.selection.select_region(None)
    assert not regions.view.selectionModel().hasSelection()


def test_a_click_on_the_tick_ticks_without_moving_the_views(regions, ws):
    hcc = region_of(ws, "draft", LESION)
    before = ws.views.crosshair_ras.copy()
    click(regions.view, cell(regions, hcc, REVIEWED))
    assert cell(regions, hcc).data(REGION_ROLE + 1) is True
    assert regions.header.note == "1 of 2 reviewed"
    assert np.array_equal(ws.views.crosshair_ras, before)
    ws.session.undo()
    assert cell(regions, hcc).data(REGION_ROLE + 1) is False
    assert regions.header.note == "0 of 2 reviewed"


def test_a_click_on_a_title_sorts_within_each_mask(many):
    before = volumes(many, "prediction")
    click_header(many, "volume_ml")
    assert volumes(many, "prediction") == sorted(before, reverse=True)
    click_header(many, "volume_ml")
    assert volumes(many, "prediction") == sorted(before)
    assert [mask for mask, _ in listed(many)] == ["draft"] * 2 + ["prediction"] * 3


@pytest.mark.parametrize("column", ["label", "diameter_mm", "hu_ART", "reviewed"])
def test_every_column_sorts(many, ws, column):
    click(many.view, cell(many, region_of(ws, "draft", LESION), REVIEWED))
    click_header(many, column)
    down = listed(many)
    click_header(many, column)
    assert sorted(down) == sorted(listed(many))
    if column in ("label", "reviewed"):
        assert down[:2] == listed(many)[:2][::-1]


def test_filter_by_words_and_size(many):
    type_filter(many, "hcc > 2.1")
    assert listed(many) == [("draft", 4.16), ("prediction", 4.16)]
    type_filter(many, "hcc > 1,5 ml")
    assert len(listed(many)) == 3
    type_filter(many, "pred <1")
    assert len(listed(many)) == 1
    type_filter(many, "liver")
    assert [mask for mask, _ in listed(many)] == ["draft"]


def test_unreviewed_only(many, ws):
    click(many.view, cell(many, region_of(ws, "draft", LESION), REVIEWED))
    QTest.mouseClick(many.findChild(QPushButton, "onlyUnreviewed"), Qt.LeftButton)
    assert region_of(ws, "draft", LESION) not in list(many.table.refs())
    assert len(listed(many)) == 4
    many.go(1)
    click(many.view, cell(many, ws.selection.region, REVIEWED))
    assert len(listed(many)) == 3


def test_the_list_follows_an_edit_and_keeps_the_selection(many, ws):
    tester = QAbstractItemModelTester(
        many.table, QAbstractItemModelTester.FailureReportingMode.Warning
    )
    click_header(many, "volume_ml")
    chosen = list(many.table.refs())[-1]
    click(many.view, cell(many, chosen))
    erase(ws, "prediction", (15, 0, 0), 30)
    assert len(volumes(many, "prediction")) == 2
    assert many.view.currentIndex().data(REGION_ROLE).id == chosen.region_id
    edit = ws.session.undo()
    follow(ws, "prediction", edit.patches[0].box)
    assert volumes(many, "prediction") == sorted(volumes(many, "prediction"), reverse=True)
    assert len(volumes(many, "prediction")) == 3
    assert many.view.currentIndex().data(REGION_ROLE).id == chosen.region_id
    assert tester is not None


def test_model_keeps_the_rules_of_item_models(many, ws, tmp_path):
    tester = QAbstractItemModelTester(
        many.table, QAbstractItemModelTester.FailureReportingMode.Warning
    )
    for column in range(len(many.table.columns)):
        many.table.sort(column, Qt.DescendingOrder)
    type_filter(many, "> 1")
    ws.session.remove_mask("draft")
    erase(ws, "prediction", (-15, 0, 0), 4)
    ws.selection.reset()
    open_case(ws, tmp_path, phases=("NC",))
    assert many.table.rowCount() == 0
    open_case(ws, tmp_path)
    assert many.table.groups[0].total is None  # not counted yet
    count_regions(ws, "draft")
    assert many.table.groups[0].total == 2
    assert tester is not None


def test_a_click_on_a_mask_closes_it_and_it_stays_closed(many, ws):
    heading = many.table.index(0, 0)
    click(many.view, heading)
    assert not many.view.isExpanded(heading)
    many.table.rebuild()
    assert not many.view.isExpanded(many.table.index(0, 0))
    assert many.view.isExpanded(many.table.index(1, 0))
    click(many.view, many.table.index(0, 0))
    assert many.view.isExpanded(many.table.index(0, 0))


def test_the_context_menu_acts_on_the_region_under_it(qtbot, regions, ws, commands):
    hcc = region_of(ws, "draft", LESION)
    regions.view.customContextMenuRequested.emit(
        regions.view.visualRect(cell(regions, hcc)).center()
    )
    assert ws.selection.region == hcc
    with qtbot.waitSignal(commands.action("region.delete").triggered):
        choose(open_menu(), "Delete region")


def test_hidden_columns_are_remembered(regions, ws):
    header = regions.view.header()
    header.customContextMenuRequested.emit(QPoint(5, 5))
    choose(open_menu(), "Longest axial diameter")
    assert ws.settings.data.columns.hidden_region_columns == ["diameter_mm"]
    assert header.isSectionHidden(regions.table.columns.index("diameter_mm"))
    ws.settings.update("columns", hidden_region_columns=[])
    assert not header.isSectionHidden(regions.table.columns.index("diameter_mm"))


def test_a_narrow_list_keeps_names_and_gives_up_phases(qtbot, regions):
    header, columns = regions.view.header(), regions.table.columns
    assert not header.isSectionHidden(columns.index("hu_NC"))
    regions.resize(230, 400)
    qtbot.waitUntil(lambda: header.isSectionHidden(columns.index("hu_NC")))
    assert not header.isSectionHidden(columns.index("volume_ml"))
    assert header.sectionSize(columns.index("label")) >= 80


def test_empty_lists_say_what_to_do(qtbot, ws, commands, tmp_path):
    panel = RegionList(ws, commands)
    qtbot.addWidget(panel)
    assert "Open a case" in panel._empty.text
    open_case(ws, tmp_path, phases=("NC",))
    assert "no mask" in panel._empty.text
    panel.show()
    with qtbot.waitSignal(commands.action("mask.new").triggered):
        QTest.mouseClick(panel.findChild(QPushButton, "empty.mask.new"), Qt.LeftButton)


def test_next_goes_on_from_where_the_deleted_region_was(many, ws):
    first, second, third = [ref for ref in many.table.refs() if ref.mask == "prediction"]
    many.go(1)
    while ws.selection.region != second:
        many.go(1)
    point = ws.session.region("prediction", second.region_id).centroid_ras
    erase(ws, "prediction", point, 12)
    assert second not in list(many.table.refs())
    assert not many.view.selectionModel().hasSelection(), "no region is selected"
    many.go(1)
    assert ws.selection.region == third
    many.go(-1)
    assert ws.selection.region == first


def test_the_walk_through_unreviewed_regions_goes_on_after_a_tick(many, ws):
    QTest.mouseClick(many.findChild(QPushButton, "onlyUnreviewed"), Qt.LeftButton)
    order = list(many.table.refs())
    for ref in order:
        many.go(1)
        assert ws.selection.region == ref
        tick_region(ws, ref)
    assert not list(many.table.refs())


def test_enter_leads_from_the_filter_to_the_first_region(many, ws):
    field = many.findChild(QLineEdit, "regionFilter")
    many.go(1)
    QTest.keyClicks(field, "prediction")
    QTest.keyClick(field, Qt.Key_Return)
    assert ws.selection.region == next(many.table.refs())
    assert ws.selection.region.mask == "prediction"
    assert many.focusWidget() is many.view
    QTest.keyClick(field, Qt.Key_Escape)
    assert field.text() == ""
    assert not field.hasFocus()


def test_a_click_on_the_tick_of_a_read_only_case_is_refused(many, ws):
    ws.session.read_only_reason = "Somebody has this case open."
    said = []
    many.said.connect(said.append)
    click(many.view, cell(many, region_of(ws, "draft", LESION), REVIEWED))
    assert said == ["Somebody has this case open."]
    assert not ws.session.is_dirty


def test_of_very_many_regions_the_largest_are_listed_and_the_filter_finds_the_others(
    many, ws, monkeypatch
):
    monkeypatch.setattr(region_table, "MAX_LISTED", 2)
    many.table.rebuild()
    group = many.table.groups[1]
    assert [region.voxels for region in group.regions] == sorted(
        region.voxels for region in ws.session.regions["prediction"].regions.values()
    )[:0:-1]
    assert region_delegate._group_note(group) == "2 largest of 3"
    smallest = min(
        ws.session.regions["prediction"].regions.values(), key=lambda region: region.voxels
    )
    assert not many.table.index_of(RegionRef("prediction", smallest.id)).isValid()
    many.findChild(QLineEdit, "regionFilter").setText(f"< {smallest.volume_ml + 0.01:.2f}")
    assert [region.id for region in many.table.groups[1].regions] == [smallest.id]
    assert region_delegate._group_note(many.table.groups[1]) == "1 of 3"


def test_following_a_recount_stays_bounded(many, ws, monkeypatch):
    monkeypatch.setattr(region_table, "MAX_LISTED", 2)
    count_regions(ws, "prediction")
    assert [len(group.regions) for group in many.table.groups] == [2, 2]
    assert many.table.groups[1].is_cut
    monkeypatch.undo()
    count_regions(ws, "prediction")
    assert len(many.table.groups[1].regions) == 3
    assert not many.table.groups[1].is_cut
