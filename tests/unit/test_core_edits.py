"""Undo and redo: in order, bounded in bytes, named."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.edits import Edit, History, Stacks, ValueChange
from labeler.core.mask import Box, Patch
from tests.unit.core_strategies import make_mask


def edit(name, mask="draft", size=1):
    box = Box((0, 0, 0), (1, 1, size))
    noise = np.random.default_rng(0).integers(1, 255, (1, 1, size)).astype(np.uint8)
    return Edit(name, (Patch.between(mask, box, np.zeros_like(noise), noise),))


@given(st.lists(st.sampled_from(["push", "undo", "redo"]), max_size=40))
def test_history_is_two_stacks(acts):
    history = History()
    done, undone = [], []
    for number, act in enumerate(acts):
        if act == "push":
            done.append(edit(f"{number}"))
            undone.clear()
            history.push(done[-1])
        elif act == "undo":
            assert history.pop_undo() is (done[-1] if done else None)
            if done:
                undone.append(done.pop())
        else:
            assert history.pop_redo() is (undone[-1] if undone else None)
            if undone:
                done.append(undone.pop())
        assert list(history.done) == done
        assert list(history.undone) == undone
        assert history.undo_name == (done[-1].name if done else None)
        assert history.redo_name == (undone[-1].name if undone else None)


def test_the_oldest_edits_are_forgotten_when_bytes_run_out():
    sample = edit("sample", size=1000)
    history = History(max_bytes=3 * sample.nbytes)
    for number in range(5):
        history.push(edit(f"{number}", size=1000))
    assert [e.name for e in history.done] == ["2", "3", "4"]
    assert history.nbytes <= history.max_bytes


def test_the_newest_edit_is_kept_however_large():
    history = History(max_bytes=10)
    history.push(edit("small"))
    history.push(edit("large", size=5000))
    assert [e.name for e in history.done] == ["large"]


def test_edits_of_a_removed_mask_are_dropped_from_both_stacks():
    history = History()
    for name, mask in (("a", "draft"), ("b", "other"), ("c", "draft"), ("d", "other")):
        history.push(edit(name, mask))
    history.pop_undo()
    history.pop_undo()
    history.forget({"draft"})
    assert [e.name for e in history.done] == ["b"]
    assert [e.name for e in history.undone] == ["d"]


def test_what_shares_a_mask_with_a_dropped_edit_goes_too():
    """Its patch lies below one that can never be taken back."""
    copy = Edit("copy", edit("x", "draft").steps + edit("y", "other").steps)
    note = Edit("note", (ValueChange("comment", "1", None, "text"),))
    stacks = Stacks((edit("far", "other"), note, copy, edit("near", "other")))
    left = stacks.without({"draft"})
    assert [e.name for e in left.done] == ["note", "near"]
    left = Stacks(undone=stacks.done).without({"draft"})
    assert [e.name for e in left.undone] == ["note", "near"]
    assert stacks.without(set()) == stacks


acts = st.lists(
    st.tuples(st.sampled_from(["do", "undo", "redo"]), st.sampled_from(["a", "b"])), max_size=12
)


@given(acts, st.integers(0, 12))
def test_the_history_leads_back_to_what_is_on_disk(acts, saved_after):
    history, now, on_disk = History(), {"a": 0, "b": 0}, {"a": 0, "b": 0}
    for number, (act, mask) in enumerate(acts):
        new = edit(f"{number}", mask) if act == "do" else None
        if new is not None:
            history.push(new)
        one = new or (history.pop_undo() if act == "undo" else history.pop_redo())
        if one is not None:
            for document in one.documents:
                now[document] ^= one.token_of(document)
        if number == saved_after:
            on_disk = dict(now)
    stacks = history.stacks.at(now, on_disk)
    if stacks is None:
        return
    assert history.stacks.done[: len(stacks.done)] == stacks.done[: len(history.stacks.done)]
    # Going on from there, one comes to the present in one of both directions.
    beyond = Stacks(history.stacks.done[len(stacks.done) :])
    for one in (*beyond.done, *stacks.done[len(history.stacks.done) :]):
        for document in one.documents:
            on_disk[document] ^= one.token_of(document)
    assert on_disk == now


def test_the_way_back_to_the_disk_forgets_what_was_given_up():
    edits = [edit(name) for name in "abc"]
    saved = {"draft": edits[0].token}
    now = {"draft": edits[0].token ^ edits[1].token}
    stacks = Stacks((edits[0], edits[1]), (edits[2],)).at(now, saved)
    assert stacks == Stacks((edits[0],))
    stacks = Stacks((edits[0],), (edits[2], edits[1])).at(saved, now)
    assert stacks == Stacks((edits[0], edits[1]), (edits[2],))
    assert Stacks((edits[0],)).at({"draft": edits[0].token}, {"draft": 99}) is None
    unchanged = Stacks((edits[0],), (edits[1],))
    assert unchanged.at(saved, saved) == unchanged


def test_what_fits_is_nearest_to_the_present():
    sample = edit("sample", size=1000)
    edits = tuple(edit(f"{number}", size=1000) for number in range(4))
    stacks = Stacks(edits, edits).within(int(5.5 * sample.nbytes))
    assert [e.name for e in stacks.done] == ["0", "1", "2", "3"]
    assert [e.name for e in stacks.undone] == ["3"]
    assert stacks.nbytes <= 5.5 * sample.nbytes
    assert not Stacks(edits, edits).within(0)


def test_an_earlier_history_lies_below_what_was_done_since():
    earlier = Stacks((edit("a"),), (edit("b"),))
    history = History()
    history.restore(earlier)
    assert (history.undo_name, history.redo_name) == ("a", "b")
    assert history.nbytes == earlier.nbytes
    history = History()
    history.push(edit("new"))
    history.restore(earlier)
    assert [e.name for e in history.done] == ["a", "new"]
    assert history.redo_name is None, "it was drawn over"


def test_less_memory_takes_effect_at_once():
    history = History()
    for number in range(4):
        history.push(edit(f"{number}", size=1000))
    history.pop_undo()
    history.max_bytes = int(2.5 * edit("sample", size=1000).nbytes)
    assert [e.name for e in history.done] == ["1", "2"]
    assert history.nbytes == history.stacks.nbytes <= history.max_bytes


def test_clearing_forgets_everything():
    history = History()
    history.push(edit("a"))
    history.push(edit("b"))
    history.pop_undo()
    history.clear()
    assert history.nbytes == 0
    assert (history.pop_undo(), history.pop_redo()) == (None, None)


def test_an_edit_knows_its_patches_and_its_size():
    note = ValueChange("comment", "1", None, "text")
    patch = edit("x").patches[0]
    both = Edit("Both", (patch, note))
    assert both.patches == (patch,)
    assert both.nbytes > patch.nbytes + note.nbytes
    assert both.id != edit("y").id


def test_a_chain_of_edits_is_walked_back_in_order():
    mask = make_mask(np.zeros((1, 4, 4), np.uint8))
    history, states = History(), [mask.array.copy()]
    for value in (1, 2, 3):
        after = mask.array.copy()
        after[0, value, :] = value
        patch = Patch.between("draft", Box.whole((1, 4, 4)), mask.array, after)
        mask.apply(patch)
        history.push(Edit(f"Paint {value}", (patch,)))
        states.append(mask.array.copy())
    for expected in reversed(states[:-1]):
        mask.apply(history.pop_undo().patches[0])
        assert np.array_equal(mask.array, expected)
    for expected in states[1:]:
        mask.apply(history.pop_redo().patches[0])
        assert np.array_equal(mask.array, expected)
