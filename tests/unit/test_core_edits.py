"""Undo and redo: in order, bounded in bytes, named."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.edits import Edit, History, ValueChange
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
