"""Regions copied and moved to other masks: one step, locks, limits, grids, notes, selection."""

import threading

import numpy as np
import pytest

from labeler.core.axes import Axes
from labeler.core.mask import Box, Mask
from labeler.core.painting import write
from labeler.core.region_edits import touches_more
from labeler.state.selection import EditLimits, RegionRef
from labeler.workflows.edit_mask import EditRefused, new_mask, undo
from labeler.workflows.measure_axes import find_axes, set_axes
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.review_case import add_comment, tick_region, ticked_ids
from labeler.workflows.shift_phase import shift_phase
from labeler.workflows.transfer_regions import Transfer, check_transfer, transfer_regions
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    make_workspace,
    open_case,
    plain_order,
    region_of,
    sphere,
)

GRID = GRIDS["PV"]

#: Three lesions of the mask that is moved from, RAS mm.
LESIONS = {(15, 0, 0): 10, (-15, 0, 0): 6, (0, 25, 10): 8}


class World:
    """A case with regions that are kept up to date, and what the user was told."""

    def __init__(self, ws, qtbot) -> None:
        self.ws = ws
        self.qtbot = qtbot
        self.updater = RegionUpdater(ws.session, ws.tasks)
        self.said: list[str] = []

    def add(self, name: str, grid=GRID, spheres=(), label: int = LESION) -> Mask:
        array = np.zeros(grid.shape_kji, np.uint8)
        for center, radius in dict(spheres).items():
            array[sphere(grid, center, radius)] = label
        mask = Mask(name, array, grid, plain_order(grid))
        self.ws.session.add_mask(mask, None)
        self.settle()
        return mask

    def transfer(self, refs, target: str, *, move: bool, label: int | None = None) -> str:
        """Carry it out and wait until regions are counted; returns what was said last."""
        transfer_regions(self.ws, Transfer(tuple(refs), target, move, label), self.said.append)
        self.settle()
        return self.said[-1]

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: not self.ws.tasks.pending_count, timeout=20_000)

    def refs(self, mask: str, label: int | None = None) -> list[RegionRef]:
        """Regions of a mask, largest first."""
        regions = self.ws.session.regions[mask].regions.values()
        wanted = [region for region in regions if label in (None, region.label)]
        return [RegionRef(mask, r.id) for r in sorted(wanted, key=lambda r: -r.voxels)]


@pytest.fixture
def world(tmp_path, qapp, qtbot):
    ws = make_workspace(tmp_path)
    world = World(ws, qtbot)
    open_case(ws, tmp_path)
    world.settle()
    yield world
    ws.tasks.shutdown()


@pytest.mark.parametrize("move", [False, True])
def test_a_region_goes_to_a_mask_on_another_grid_in_one_step(world, move):
    ws, mask = world.ws, world.ws.session.masks["draft"].mask
    new_mask(ws, "reader B", "ART")
    world.settle()
    target = ws.session.masks["reader B"].mask
    before = mask.array.copy()
    volume_ml = (before == LESION).sum() * mask.grid.voxel_ml
    said = world.transfer([region_of(ws, "draft", LESION)], "reader B", move=move, label=LIVER)
    name = f"{'Move' if move else 'Copy'} HCC to reader B as Liver"
    assert ws.session.history.undo_name == name
    assert said == name
    arrived_ml = (target.array == LIVER).sum() * target.grid.voxel_ml
    assert arrived_ml == pytest.approx(volume_ml, rel=0.1)
    k, j, i = np.argwhere(target.array).mean(axis=0)
    assert np.allclose(target.grid.to_ras((i, j, k)), (15, 0, 0), atol=1.5)
    assert bool((mask.array == LESION).any()) is not move
    undo(ws)
    assert not target.array.any()
    assert np.array_equal(mask.array, before), "both masks go back in one step"


def test_several_regions_of_two_masks_go_in_one_step(world):
    ws = world.ws
    first = world.add("first", spheres=LESIONS)
    second = world.add("second", spheres={(-30, -20, -10): 5}, label=LIVER)
    target = world.add("all", GRIDS["NC"])
    refs = [*world.refs("first")[:2], *world.refs("second")]
    volume_ml = sum(ws.session.region(r.mask, r.region_id).volume_ml for r in refs)
    before = first.array.copy(), second.array.copy()
    assert world.transfer(refs, "all", move=True) == "Move 3 regions to all"
    assert not second.array.any()
    assert len(world.refs("first")) == 1
    assert [ws.session.region(r.mask, r.region_id).label for r in world.refs("all")].count(9) == 2
    arrived_ml = np.count_nonzero(target.array) * target.grid.voxel_ml
    assert arrived_ml == pytest.approx(volume_ml, rel=0.1)
    undo(ws)
    assert not target.array.any()
    np.testing.assert_array_equal(first.array, before[0])
    np.testing.assert_array_equal(second.array, before[1])


def test_a_region_goes_where_it_is_seen_when_phases_are_shifted(world):
    ws = world.ws
    shift_phase(ws, "PV", (0.0, 10.0, 0.0))
    new_mask(ws, "reader B", "ART")
    world.settle()
    target = ws.session.masks["reader B"].mask
    world.transfer([region_of(ws, "draft", LESION)], "reader B", move=False)
    k, j, i = np.argwhere(target.array).mean(axis=0)
    assert np.allclose(target.grid.to_ras((i, j, k)), (15, 10, 0), atol=1.5)


def test_a_locked_region_can_be_copied_but_not_moved(world):
    ws = world.ws
    world.add("reader B")
    ref = region_of(ws, "draft", LESION)
    ws.selection.set_locked("draft", LESION, True)
    sentence = "HCC is locked in draft: it can be copied, not moved"
    with pytest.raises(EditRefused, match=sentence):
        world.transfer([ref], "reader B", move=True)
    world.transfer([ref], "reader B", move=False)
    assert ws.session.history.undo_name == "Copy HCC to reader B"
    ws.selection.set_locked("reader B", LESION, True)
    with pytest.raises(EditRefused, match="HCC is locked in reader B"):
        check_transfer(ws, Transfer((ref,), "reader B", move=False))
    check_transfer(ws, Transfer((ref,), "reader B", move=False, label=LIVER))
    with pytest.raises(EditRefused, match="another mask"):
        check_transfer(ws, Transfer((ref,), "draft", move=False))
    with pytest.raises(EditRefused, match="no longer there"):
        check_transfer(ws, Transfer((RegionRef("draft", 99),), "reader B", move=False))
    with pytest.raises(EditRefused, match="no mask nobody"):
        check_transfer(ws, Transfer((ref,), "nobody", move=False))


def test_locked_voxels_of_the_target_stay_and_so_does_what_they_are_in_the_way_of(world):
    ws, source = world.ws, world.ws.session.masks["draft"].mask
    target = world.add("reader B", spheres={(20, 0, 0): 8}, label=LIVER)
    ws.selection.set_locked("reader B", LIVER, True)
    locked, lesion = target.array == LIVER, source.array == LESION
    ref = region_of(ws, "draft", LESION)
    tick_region(ws, ref)
    said = world.transfer([ref], "reader B", move=True)
    np.testing.assert_array_equal(target.array == LIVER, locked)
    np.testing.assert_array_equal(target.array == LESION, lesion & ~locked)
    np.testing.assert_array_equal(source.array == LESION, lesion & locked)
    assert "ml that reader B cannot take stay where they are" in said
    assert ticked_ids(ws.session, "draft") == {ref.region_id}, "the tick stays with the rest"
    assert not ticked_ids(ws.session, "reader B")


def test_nothing_happens_when_nothing_fits(world):
    ws, source = world.ws, world.ws.session.masks["draft"].mask
    world.add("reader B", spheres={(15, 0, 0): 20}, label=LIVER)
    ws.selection.set_locked("reader B", LIVER, True)
    before = source.array.copy()
    said = world.transfer([region_of(ws, "draft", LESION)], "reader B", move=True)
    assert said == "Move HCC to reader B: nothing of it lies where reader B may be changed"
    np.testing.assert_array_equal(source.array, before)
    assert ws.session.history.undo_name is None


def test_the_limits_of_drawing_hold_in_the_target(world):
    ws, source = world.ws, world.ws.session.masks["draft"].mask
    target = world.add("reader B", spheres={(20, 0, 0): 8}, label=LIVER)
    liver, lesion = target.array == LIVER, source.array == LESION
    ws.selection.set_limits(EditLimits(inside=LIVER))
    world.transfer([region_of(ws, "draft", LESION)], "reader B", move=True)
    np.testing.assert_array_equal(target.array == LESION, lesion & liver)
    np.testing.assert_array_equal(source.array == LESION, lesion & ~liver)
    np.testing.assert_array_equal(source.array[lesion & liver], LIVER)
    undo(ws)
    ws.selection.set_limits(EditLimits(hu=("PV", 50, 200)))
    said = world.transfer([region_of(ws, "draft", LESION)], "reader B", move=False)
    assert "nothing of it" in said, "the lesion has 40 HU"


def test_notes_go_along_with_a_region_that_moves(world):
    ws = world.ws
    target = world.add("reader B", GRIDS["ART"])
    ref = region_of(ws, "draft", LESION)
    shift_phase(ws, "PV", (0.0, 4.0, 0.0))
    tick_region(ws, ref)
    add_comment(ws, "rim", ref)
    axes = Axes(((10.0, 4.0, 0.5), (22.0, 5.0, 0.5)), ((15.0, 0.0, 0.5), (15.0, 9.0, 0.5)))
    set_axes(ws, ref, axes)
    notes = ws.session.annotations.as_dict()
    steps = len(ws.session.history.done)
    world.transfer([ref], "reader B", move=True, label=LIVER)
    (arrived,) = world.refs("reader B")
    assert ticked_ids(ws.session, "reader B") == {arrived.region_id}
    assert not ticked_ids(ws.session, "draft")
    (comment,) = ws.session.annotations.entries("comment").values()
    assert comment["region"]["mask"] == "reader B"
    place = target.grid.nearest_ijk(comment["region"]["anchor_ras"])[::-1]
    assert target.array[place] == LIVER
    shown = []
    find_axes(ws, arrived, lambda _, found: shown.append(found))
    np.testing.assert_allclose(shown[0].axes.long_ras, axes.long_ras, atol=0.01)
    assert len(ws.session.history.done) == steps + 1
    undo(ws)
    assert ws.session.annotations.as_dict() == notes


def test_a_copy_is_nobody_has_reviewed_and_the_original_keeps_its_tick(world):
    ws = world.ws
    world.add("reader B")
    ref = region_of(ws, "draft", LESION)
    tick_region(ws, ref)
    world.transfer([ref], "reader B", move=False)
    assert ticked_ids(ws.session, "draft") == {ref.region_id}
    assert not ticked_ids(ws.session, "reader B")


def test_the_tick_is_dropped_when_the_region_joins_another_one(world):
    ws = world.ws
    world.add("reader B", spheres={(28, 0, 0): 6})
    ref = region_of(ws, "draft", LESION)
    tick_region(ws, ref)
    said = world.transfer([ref], "reader B", move=True)
    assert said.endswith("it joins another region of reader B, its review tick is dropped")
    assert len(world.refs("reader B")) == 1
    assert not ticked_ids(ws.session, "reader B")
    assert not ws.session.annotations.entries("tick")


def test_the_new_region_is_selected_and_no_view_moves(world):
    ws = world.ws
    world.add("reader B", GRIDS["ART"])
    ref = region_of(ws, "draft", LESION)
    ws.selection.select_region(ref)
    crosshair = ws.views.crosshair_ras.copy()
    world.transfer([ref], "reader B", move=True)
    assert ws.selection.region == world.refs("reader B")[0]
    assert ws.selection.mask == "reader B"
    np.testing.assert_array_equal(ws.views.crosshair_ras, crosshair)


def test_a_user_who_has_gone_on_keeps_the_new_selection(world):
    ws = world.ws
    world.add("reader B")
    ref, liver = region_of(ws, "draft", LESION), region_of(ws, "draft", LIVER)
    transfer = Transfer((ref,), "reader B", move=False)
    transfer_regions(ws, transfer, lambda _: ws.selection.select_region(liver))
    world.settle()
    assert world.refs("reader B")
    assert ws.selection.region == liver


def test_a_change_meanwhile_wins_where_it_is_in_the_way(world, monkeypatch):
    ws, source = world.ws, world.ws.session.masks["draft"].mask
    target = world.add("reader B")
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*args):
        begun.set()
        assert go_on.wait(20)
        return touches_more(*args)

    monkeypatch.setattr("labeler.workflows.transfer_regions.touches_more", slowly)
    transfer = Transfer((region_of(ws, "draft", LESION),), "reader B", move=True)
    transfer_regions(ws, transfer, world.said.append)
    assert begun.wait(20)
    ijk = GRID.nearest_ijk((15, 0, 0))
    box = Box(ijk[::-1], tuple(n + 1 for n in ijk[::-1]))
    before = source.array.copy()
    target.apply(write(target, box, np.ones((1, 1, 1), np.bool_), LIVER))
    go_on.set()
    world.settle()
    assert "reader B was changed there meanwhile" in world.said[0]
    np.testing.assert_array_equal(source.array, before)
