"""Notes of a case: every change can be taken back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labeler.core.annotations import Annotations

steps = st.lists(
    st.tuples(
        st.sampled_from(["status", "comment", "tick"]),
        st.sampled_from(["", "a", "b"]),
        st.none() | st.integers() | st.text(max_size=3),
    ),
    max_size=20,
)


@given(steps)
def test_undoing_everything_restores_the_start(steps):
    notes = Annotations({"comment": {"a": "first"}})
    done = []
    for field, key, value in steps:
        change = notes.change(field, key, value)
        if change is not None:
            notes.apply(change)
            done.append(change)
            assert notes.get(field, key) == value
    for change in reversed(done):
        notes.apply(change, undo=True)
    assert notes.as_dict() == {"comment": {"a": "first"}}
    assert not notes.is_dirty


def test_setting_the_same_value_is_no_change():
    notes = Annotations({"status": {"": "done"}})
    assert notes.change("status", "", "done") is None


def test_dirty_until_the_present_content_is_saved():
    notes = Annotations()
    change = notes.change("status", "", "done")
    notes.apply(change)
    saved = notes.as_dict()
    notes.apply(notes.change("tick", "x", 1))
    notes.mark_saved(saved, 0, "digest")
    assert notes.is_dirty
    notes.apply(notes.change("tick", "x", None))
    assert not notes.is_dirty
