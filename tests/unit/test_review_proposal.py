"""Deciding on a proposal: accept by region, label and all, reject, undo, provenance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from labeler.core.edits import Edit
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import Box
from labeler.core.painting import write
from labeler.core.proposals import number_regions
from labeler.state.proposals import PROVENANCE, REJECTED, ModelRun, Opinion, Proposal
from labeler.state.selection import EditLimits
from labeler.storage.sidecar import Sidecar
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.review_proposal import (
    PROPOSED,
    accept_into_new_mask,
    accept_regions,
    bring_back_regions,
    choose_labels,
    compare_with_proposal,
    go_to_proposed,
    numbers_of_label,
    reject_regions,
)
from tests.case_world import (
    GRIDS,
    LESION,
    LIVER,
    make_workspace,
    open_case,
    sphere,
)
from tests.model_world import settle

#: Regions of the proposal: the liver and two lesions, of which the left one lies on the draft's.
BIG, LEFT, RIGHT = 1, 2, 3

RUN = ModelRun(
    "demo", "Demo", "1.0", weights="ab" * 32, params={"m": 2.0}, device="cpu", phases=("PV",),
    time="2026-01-02T03:04:05+00:00",
)  # fmt: skip


def proposed_labels(phase: str = "PV") -> np.ndarray:
    grid = GRIDS[phase]
    labels = np.zeros(grid.shape_kji, np.uint8)
    labels[sphere(grid, (0, 0, 0), 40)] = LIVER
    for x in (-20, 20):
        labels[sphere(grid, (x, 0, 0), 8)] = LESION
    return labels


def make_proposal(phase: str = "PV", names=None) -> Proposal:
    numbered = number_regions(proposed_labels(phase), GRIDS[phase])
    assert [r.label for r in numbered.regions.values()] == [LIVER, LESION, LESION]
    return Proposal(
        f"p-{phase}", "case-1", phase, GRIDS[phase], numbered.numbers, numbered.regions,
        names or {LIVER: "Liver", LESION: "HCC"}, RUN,
        {LEFT: Opinion(0.75, {"first": {"HCC": 0.75}}, {"wash-out": True}, ("small",))},
    )  # fmt: skip


@pytest.fixture
def ws(qtbot, tmp_path):
    workspace = make_workspace(tmp_path)
    open_case(workspace, tmp_path)
    workspace.session.proposals.show(make_proposal(), {LIVER: LIVER, LESION: LESION})
    yield workspace
    workspace.tasks.shutdown()
    workspace.settings.save()


@pytest.fixture
def said() -> list[str]:
    return []


def array(ws, name="draft") -> np.ndarray:
    return ws.session.masks[name].mask.array.copy()


def accept(qtbot, ws, numbers, said) -> None:
    accept_regions(ws, numbers, said.append)
    settle(qtbot, ws)


def decisions(ws) -> list[str]:
    return list(ws.session.proposals.decisions().values())


def test_a_region_is_taken_by_one_step_that_can_be_undone(qtbot, ws, said):
    before, labels = array(ws), proposed_labels()
    numbers = ws.session.proposals.current.numbers
    accept(qtbot, ws, [LEFT], said)
    np.testing.assert_array_equal(array(ws), np.where(numbers == LEFT, labels, before))
    assert decisions(ws) == ["open", "accepted", "open"]
    assert [edit.name for edit in ws.session.history.done] == ["Accept HCC of Demo"]
    assert said == []
    ws.session.undo()
    np.testing.assert_array_equal(array(ws), before)
    assert decisions(ws) == ["open"] * 3
    assert ws.session.annotations.entries(PROVENANCE) == {}
    ws.session.redo()
    assert decisions(ws) == ["open", "accepted", "open"]


def test_a_label_and_all_are_one_step_each(qtbot, ws, said):
    proposals, before = ws.session.proposals, array(ws)
    assert numbers_of_label(ws, LEFT) == [LEFT, RIGHT]
    accept(qtbot, ws, numbers_of_label(ws, LEFT), said)
    accept(qtbot, ws, proposals.open_numbers(), said)
    names = [edit.name for edit in ws.session.history.done]
    assert names == ["Accept 2 HCC of Demo", "Accept Liver of Demo"]
    labels = proposed_labels()
    np.testing.assert_array_equal(array(ws), np.where(labels > 0, labels, before))
    assert proposals.open_numbers() == []
    with pytest.raises(EditRefused, match="decided on"):
        accept_regions(ws, proposals.current.regions, said.append)


def test_where_a_region_is_from_is_noted_and_kept(qtbot, ws, said):
    accept(qtbot, ws, [LEFT], said)
    ((key, note),) = ws.session.annotations.entries(PROVENANCE).items()
    assert key == note["id"] == "p-PV-2"
    assert (note["mask"], note["label"], note["region"]) == ("draft", LESION, LEFT)
    assert (note["model"], note["weights"], note["params"]) == ("demo", "ab" * 32, {"m": 2.0})
    assert (note["confidence"], note["flags"]) == (0.75, ["small"])
    k, j, i = GRIDS["PV"].nearest_ijk(note["anchor_ras"])[::-1]
    assert ws.session.proposals.current.numbers[k, j, i] == LEFT
    notes = Sidecar(case="case-1").with_annotations(ws.session.annotations.as_dict())
    assert notes.provenance == [note]
    again = Sidecar.model_validate_json(notes.model_dump_json()).annotations()
    assert again.entries(PROVENANCE) == {key: note}


def test_provenance_of_others_is_kept():
    kept = [{"from": "elsewhere"}, {"id": "x", "model": "m"}]
    notes = Sidecar(case="c", provenance=kept)
    assert notes.with_annotations(notes.annotations().as_dict()).provenance == kept


def test_locked_labels_stay_and_it_is_said(qtbot, ws, said):
    before = array(ws)
    ws.selection.set_locked("draft", LESION, True)
    with pytest.raises(EditRefused, match="HCC is locked"):
        accept_regions(ws, [LEFT], said.append)
    accept(qtbot, ws, [BIG, LEFT, RIGHT], said)
    after = array(ws)
    np.testing.assert_array_equal(after == LESION, before == LESION)
    assert decisions(ws) == ["accepted", "open", "open"]
    assert said == ["1 of 3 taken: locks or limits keep out Liver, HCC"]


def test_limits_of_drawing_hold(qtbot, ws, said):
    ws.selection.set_limits(EditLimits(inside=LIVER))
    before = array(ws)
    accept(qtbot, ws, [LEFT, RIGHT], said)
    changed = array(ws) != before
    assert changed.any()
    assert set(np.unique(before[changed])) == {LIVER}


def test_a_region_that_is_there_already_is_accepted_without_a_change(qtbot, ws, said):
    accept(qtbot, ws, [LEFT], said)
    other = replace(ws.session.proposals.current, id="again")
    ws.session.proposals.show(other, {LIVER: LIVER, LESION: LESION})
    before = array(ws)
    accept(qtbot, ws, [LEFT], said)
    np.testing.assert_array_equal(array(ws), before)
    assert decisions(ws) == ["open", "accepted", "open"]
    assert len(ws.session.history.done) == 2


@pytest.mark.parametrize("shift_mm", [None, [0.0, 0.0, 10.0]])
def test_another_grid_and_a_shift_are_respected(qtbot, ws, said, shift_mm):
    """A proposal on ART, with its thick slices, goes into the mask on PV."""
    if shift_mm is not None:
        ws.session.annotations.apply(ws.session.annotations.change("shift", "ART", shift_mm))
    ws.session.proposals.show(make_proposal("ART"), {LIVER: LIVER, LESION: LESION})
    before = array(ws)
    accept(qtbot, ws, [RIGHT], said)
    drawn = GRIDS["PV"].to_ras(np.argwhere(array(ws) != before)[:, ::-1])
    center = np.array((-20.0, 0.0, 0.0)) + (shift_mm or [0, 0, 0])
    assert len(drawn) > 100
    assert np.abs(drawn.mean(axis=0) - center).max() < 1.25, "half a slice of PV"
    assert np.abs(drawn - center).max() < 12.0


def test_rejecting_is_one_step_that_changes_no_mask(ws):
    proposals, before = ws.session.proposals, array(ws)
    assert reject_regions(ws, [LEFT, RIGHT]) == 2
    assert decisions(ws) == ["open", "rejected", "rejected"]
    assert ws.session.history.undo_name == "Reject 2 HCC of Demo"
    np.testing.assert_array_equal(array(ws), before)
    with pytest.raises(EditRefused, match="decided on"):
        reject_regions(ws, [LEFT])
    bring_back_regions(ws, [LEFT])
    assert proposals.open_numbers() == [BIG, LEFT]
    assert ws.session.history.undo_name == "Bring back HCC of Demo"
    with pytest.raises(EditRefused, match="was rejected"):
        bring_back_regions(ws, [LEFT])
    ws.session.undo()
    assert decisions(ws) == ["open", "rejected", "rejected"]
    ws.session.undo()
    assert proposals.open_numbers() == [BIG, LEFT, RIGHT]
    assert ws.session.annotations.entries(REJECTED) == {}
    ws.session.read_only_reason = "Somebody else has the case open"
    with pytest.raises(EditRefused, match="Somebody else"):
        reject_regions(ws, [LEFT])


def test_what_was_rejected_is_kept_with_the_reason_to_ask_why(ws):
    reject_regions(ws, [LEFT])
    ((key, note),) = ws.session.annotations.entries(REJECTED).items()
    assert (key, note["model"], note["model_label"]) == ("p-PV-2", "demo", "HCC")
    assert (note["phase"], note["confidence"], note["flags"]) == ("PV", 0.75, ["small"])
    k, j, i = GRIDS["PV"].nearest_ijk(note["anchor_ras"])[::-1]
    assert ws.session.proposals.current.numbers[k, j, i] == LEFT
    notes = Sidecar(case="case-1").with_annotations(ws.session.annotations.as_dict())
    again = Sidecar.model_validate_json(notes.model_dump_json()).annotations()
    assert again.entries(REJECTED) == {key: note}


def test_notes_without_rejections_keep_the_digest_they_had():
    """A history that was left by an older version belongs to its notes by their digest."""
    assert "rejected" not in Sidecar(case="case-1").annotations().as_dict()


def test_a_new_mask_takes_all_that_is_open(qtbot, ws, said):
    reject_regions(ws, [RIGHT])
    ws.selection.set_limits(EditLimits(inside=LIVER))
    accept_into_new_mask(ws, "model", said.append)
    settle(qtbot, ws)
    numbers = ws.session.proposals.current.numbers
    np.testing.assert_array_equal(
        array(ws, "model"), np.where(numbers == RIGHT, 0, proposed_labels())
    )
    assert ws.selection.mask == "model"
    assert decisions(ws) == ["accepted", "accepted", "rejected"]
    assert len(ws.session.history.done) == 2
    with pytest.raises(EditRefused, match="decided on"):
        accept_into_new_mask(ws, "another", said.append)


def test_what_cannot_be_done_is_refused_with_a_reason(ws, said):
    ws.selection.set_mask(None)
    with pytest.raises(EditRefused, match="Choose the mask"):
        accept_regions(ws, [LEFT], said.append)
    ws.selection.set_mask("draft")
    ws.views.set_style("draft", replace(ws.views.style("draft"), visible=False))
    with pytest.raises(EditRefused, match="hidden"):
        accept_regions(ws, [LEFT], said.append)
    ws.session.read_only_reason = "Somebody else has the case open"
    with pytest.raises(EditRefused, match="Somebody else"):
        accept_regions(ws, [LEFT], said.append)
    with pytest.raises(EditRefused, match="Somebody else"):
        accept_into_new_mask(ws, "model", said.append)
    ws.session.read_only_reason = None
    ws.session.proposals.clear()
    with pytest.raises(EditRefused, match="no proposal"):
        reject_regions(ws, [LEFT])


def test_unknown_labels_are_asked_about_and_remembered(qtbot, ws, said):
    proposals = ws.session.proposals
    proposals.show(make_proposal(names={LIVER: "liver", LESION: "tumour"}), {LIVER: LIVER})
    assert proposals.unknown_labels() == {LESION: "tumour"}
    with pytest.raises(EditRefused, match="which label tumour is"):
        accept_regions(ws, [LEFT], said.append)
    accept(qtbot, ws, proposals.open_numbers(), said)
    assert decisions(ws) == ["accepted", "open", "open"]
    choose_labels(ws, {"tumour": LESION})
    assert proposals.unknown_labels() == {}
    assert ws.settings.data.models.labels == {"demo": {"tumour": LESION}}
    accept(qtbot, ws, [LEFT], said)
    assert decisions(ws) == ["accepted", "accepted", "open"]


def test_a_change_of_the_mask_meanwhile_is_not_overwritten(qtbot, ws, said):
    accept_regions(ws, [LEFT], said.append)
    qtbot.waitUntil(lambda: ws.tasks.pending_count > 0)
    accept_regions(ws, [LEFT], said.append)  # the newer request replaces the older one
    settle(qtbot, ws)
    assert len(ws.session.history.done) == 1


def test_going_to_a_region_shows_it(ws):
    ws.session.proposals.set_shown(False)
    go_to_proposed(ws, LEFT)
    proposal = ws.session.proposals.current
    i, j, k = proposal.grid.nearest_ijk(ws.views.crosshair_ras)
    assert proposal.numbers[k, j, i] == LEFT
    assert ws.session.proposals.number == LEFT
    assert ws.session.proposals.is_shown


def test_the_mask_is_compared_with_what_is_not_rejected(qtbot, ws, said):
    reject_regions(ws, [LEFT])
    found = []
    compare_with_proposal(ws, "draft", found.append, said.append)
    settle(qtbot, ws)
    (difference,) = found
    assert (difference.first, difference.second) == ("draft", PROPOSED)
    numbers = ws.session.proposals.current.numbers
    wanted = np.where(numbers == LEFT, 0, proposed_labels())
    mine = array(ws)
    expected = np.select(
        [(mine == 0) & (wanted == 0), wanted == 0, mine == 0, mine == wanted], [0, 1, 2, 3], 4
    )
    np.testing.assert_array_equal(difference.classes, expected)


def test_another_case_shows_none(ws, tmp_path):
    ws.session.begin(None)
    assert ws.session.proposals.current is None
    assert ws.session.proposals.decisions() == {}


def test_specks_of_an_older_lesion_join_the_region_that_takes_its_place(qtbot, ws, said):
    older = 12
    ws.session.labels = LabelTable(
        [
            Label(LIVER, "Liver", "#3cb44b", "organ"),
            Label(LESION, "HCC", "#ff2020", "lesion"),
            Label(older, "Cyst", "#2020ff", "lesion"),
        ]
    )
    region = ws.session.proposals.current.numbers == LEFT
    mask = ws.session.masks["draft"].mask
    near = ndimage.binary_dilation(region) & ~region
    speck = np.zeros_like(region)
    speck[tuple(np.argwhere(near)[0])] = True
    edited = write(mask, Box.whole(mask.grid.shape_kji), region | speck, older)
    ws.session.apply(Edit("Draw", (edited,)))
    before = array(ws)
    accept(qtbot, ws, [LEFT], said)
    np.testing.assert_array_equal(array(ws) == older, False)
    np.testing.assert_array_equal(array(ws) != before, region | speck)
    ml = mask.grid.voxel_ml
    assert ws.session.history.undo_name == (
        f"Accept HCC of Demo, with 1 remnant of Cyst ({ml:.2f} ml)"
    )
    assert said == [ws.session.history.undo_name]
    assert decisions(ws) == ["open", "accepted", "open"]
    ws.session.undo()
    np.testing.assert_array_equal(array(ws), before)
