"""The session: edits, undo and redo over masks and notes, in the order they were made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.edits import Edit
from labeler.core.geometry import AxisOrder, Grid
from labeler.core.labels import LabelTable
from labeler.core.mask import Box, Mask, Patch
from labeler.core.painting import merge_patches
from labeler.state.session import Session, note_edit
from labeler.storage.cases import Case, MaskSource

SHAPE = (4, 6, 8)
WHOLE = Box.whole(SHAPE)


def make_session():
    session = Session(LabelTable(), 2**20)
    for name in ("draft", "other"):
        grid = Grid(SHAPE, np.diag([-1.0, -1.0, 2.0, 1.0]))
        order = AxisOrder((0, 1, 2), (True, True, False), SHAPE[::-1])
        session.add_mask(Mask(name, np.zeros(SHAPE, np.uint8), grid, order), None)
    return session


def patch_to(session, name, array):
    mask = session.masks[name].mask
    return Patch.between(name, WHOLE, mask.array, np.asarray(array, np.uint8))


acts = st.lists(
    st.one_of(
        st.tuples(
            st.just("mask"), st.sampled_from(["draft", "other"]),
            st.tuples(*[st.integers(0, n - 1) for n in SHAPE]), st.integers(0, 3),
        ),
        st.tuples(st.just("note"), st.sampled_from(["a", "b"]), st.none() | st.integers(0, 3)),
        st.just(("undo",)),
        st.just(("redo",)),
    ),
    max_size=30,
)  # fmt: skip


@given(acts)
def test_any_sequence_ends_where_the_reference_model_says(qapp, acts):
    session = make_session()
    present = ({name: np.zeros(SHAPE, np.uint8) for name in ("draft", "other")}, {})
    done, undone = [], []
    for act in acts:
        if act[0] == "undo":
            assert (session.undo() is not None) == bool(done)
            if done:
                undone.append(present)
                present = done.pop()
        elif act[0] == "redo":
            assert (session.redo() is not None) == bool(undone)
            if undone:
                done.append(present)
                present = undone.pop()
        else:
            arrays, notes = present
            if act[0] == "mask":
                _, name, where, label = act
                array = arrays[name].copy()
                array[where] = label
                step = patch_to(session, name, array)
                edit = None if step is None else Edit("Set voxel", (step,))
                after = ({**arrays, name: array}, notes)
            else:
                _, key, value = act
                edit = note_edit(session, "Note", "comment", key, value)
                after = (arrays, {k: v for k, v in {**notes, key: value}.items() if v is not None})
            if edit is not None:
                session.apply(edit)
                done.append(present)
                undone.clear()
                present = after
        for name, array in present[0].items():
            np.testing.assert_array_equal(session.masks[name].mask.array, array)
        assert session.annotations.entries("comment") == present[1]


def test_undo_back_to_the_saved_state_is_clean(qapp):
    session = make_session()
    mask = session.masks["draft"].mask
    session.apply(Edit("One", (patch_to(session, "draft", np.ones(SHAPE)),)))
    mask.mark_saved(mask.revision)
    assert not session.is_dirty
    session.apply(Edit("Two", (patch_to(session, "draft", np.full(SHAPE, 2)),)))
    assert session.is_dirty
    session.undo()
    assert not session.is_dirty
    session.undo()
    assert session.is_dirty


def test_a_stroke_is_one_edit_and_undo_restores_the_revision(qapp, qtbot):
    session = make_session()
    mask = session.masks["draft"].mask
    before = mask.revision
    parts = []
    for k in range(3):
        array = mask.array.copy()
        array[k] = 5
        parts.append(patch_to(session, "draft", array))
        session.apply_live(parts[-1])
    painted = mask.array.copy()
    session.commit_live(Edit("Brush", (merge_patches(parts),)))
    assert session.history.undo_name == "Brush"
    session.undo()
    assert not mask.array.any()
    assert mask.revision == before
    session.redo()
    np.testing.assert_array_equal(mask.array, painted)


def test_changes_tell_box_mask_and_origin(qapp):
    session, seen = make_session(), []
    session.changed.connect(seen.append)
    array = np.zeros(SHAPE, np.uint8)
    array[1, 2:4, 3] = 1
    session.apply(Edit("Edit", (patch_to(session, "other", array),)))
    session.undo()
    assert [change.origin for change in seen] == ["edit", "undo"]
    assert {change.boxes["other"] for change in seen} == {Box((1, 2, 3), (2, 4, 4))}


def test_removing_a_mask_forgets_its_edits_only(qapp):
    session = make_session()
    session.apply(Edit("One", (patch_to(session, "draft", np.ones(SHAPE)),)))
    session.apply(Edit("Two", (patch_to(session, "other", np.ones(SHAPE)),)))
    session.remove_mask("other")
    assert session.history.undo_name == "One"
    session.undo()
    assert not session.masks["draft"].mask.array.any()


def test_a_new_case_starts_empty(qapp):
    session = make_session()
    session.apply(Edit("One", (patch_to(session, "draft", np.ones(SHAPE)),)))
    session.add_problem("phase:PV", "PV.nii.gz is cut off.")
    session.begin(None)
    assert not session.masks
    assert not session.problems
    assert session.history.undo_name is None
    assert session.undo() is None


def test_a_patch_for_another_mask_changes_nothing(qapp):
    session = make_session()
    patch = patch_to(session, "draft", np.ones(SHAPE))
    with pytest.raises(ValueError, match="given to mask"):
        session.masks["other"].mask.apply(patch)
    assert not session.masks["other"].mask.array.any()


def test_masks_stand_in_the_order_of_the_case_whichever_is_read_first(tmp_path):
    session = Session(LabelTable(), 2**20)
    sources = tuple(MaskSource(name, tmp_path / name) for name in ("draft", "other"))
    session.begin(Case("c", "flat", tmp_path, tmp_path, tmp_path, masks=sources))
    grid = Grid((1, 1, 1), np.eye(4))
    order = AxisOrder((0, 1, 2), (False, False, False), (1, 1, 1))
    for name in ("new", "other", "draft"):
        session.add_mask(Mask(name, np.zeros((1, 1, 1), np.uint8), grid, order), None)
    assert list(session.masks) == ["draft", "other", "new"]
