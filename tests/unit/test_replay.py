"""What an earlier run did comes back in one go, and without holding the window up."""

import threading

import numpy as np
import pytest

from labeler.core.edits import Edit, ValueChange
from labeler.core.mask import Box
from labeler.core.painting import write
from labeler.storage.recovery import Act, JournalEntry
from labeler.workflows import replay as module
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.replay import in_one, replay
from tests.case_world import make_workspace, open_case
from tests.model_world import settle


@pytest.fixture
def ws(qtbot, tmp_path):
    workspace = make_workspace(tmp_path)
    open_case(workspace, tmp_path)
    settle(qtbot, workspace)
    yield workspace
    workspace.tasks.shutdown()
    workspace.settings.save()


def array(ws) -> np.ndarray:
    return ws.session.masks["draft"].mask.array.copy()


def strokes(ws, number: int) -> list[JournalEntry]:
    """Strokes in random places, some undone and done again; the mask stays as it is."""
    mask = ws.session.masks["draft"].mask
    rng = np.random.default_rng(3)
    entries, edits = [], []
    for n in range(number):
        lo = [int(rng.integers(0, side - 3)) for side in mask.array.shape]
        box = Box(tuple(lo), tuple(at + 3 for at in lo))
        patch = write(mask, box, np.ones((3, 3, 3), bool), 10 + n % 5)
        if patch is None:
            continue
        edit = Edit(f"Brush {n}", (patch, ValueChange("comment", "a", f"{n - 1}", f"{n}")))
        mask.apply(patch)
        edits.append(edit)
        entries.append(JournalEntry(edit, Act.DO))
        if n % 7 == 6:
            entries.append(JournalEntry(edit, Act.UNDO))
            mask.apply(patch)
    for patch in (patch for entry in entries for patch in entry.edit.patches):
        mask.apply(patch)
    return entries


def replay_and_count(ws, edit, **options):
    """Return what was called, and the changes that were told of."""
    called, changes = [], []
    ws.session.changed.connect(changes.append)
    replay(
        ws.session, ws.tasks, edit, lambda: called.append("done"),
        lambda error: called.append(str(error)), **options,
    )  # fmt: skip
    return called, changes


@pytest.mark.parametrize("number", [4, 120])
def test_all_is_told_of_once_and_is_what_it_was_step_by_step(qtbot, ws, number):
    before, revision = array(ws), ws.session.masks["draft"].mask.revision
    entries = strokes(ws, number)
    np.testing.assert_array_equal(array(ws), before)
    for entry in entries:
        ws.session.replay(in_one([entry], "one"))
    expected = array(ws), ws.session.masks["draft"].mask.revision
    comment = ws.session.annotations.get("comment", "a")
    for entry in reversed(entries):
        back = Act.DO if entry.act is Act.UNDO else Act.UNDO
        ws.session.replay(in_one([JournalEntry(entry.edit, back)], "back"))
    np.testing.assert_array_equal(array(ws), before)
    assert ws.session.masks["draft"].mask.revision == revision

    called, changes = replay_and_count(ws, in_one(entries, "Restore"))
    settle(qtbot, ws)
    assert called == ["done"]
    assert [change.origin for change in changes] == ["restore"]
    np.testing.assert_array_equal(array(ws), expected[0])
    assert ws.session.masks["draft"].mask.revision == expected[1]
    assert ws.session.annotations.get("comment", "a") == comment
    assert ws.session.history.done == ()
    assert ws.session.busy_with is None


def test_an_undone_note_gets_its_earlier_value(ws):
    edit = Edit("Comment", (ValueChange("comment", "a", None, "x"),))
    entries = [JournalEntry(edit, act) for act in (Act.DO, Act.UNDO, Act.REDO, Act.UNDO)]
    ws.session.replay(in_one(entries[:3], "Restore"))
    assert ws.session.annotations.get("comment", "a") == "x"
    ws.session.replay(in_one(entries[3:], "Restore"))
    assert ws.session.annotations.entries("comment") == {}


@pytest.fixture
def held(monkeypatch):
    """Tasks of replays wait for this event."""
    event, original = threading.Event(), module._prepare

    def prepare(*args):
        assert event.wait(30.0)
        return original(*args)

    monkeypatch.setattr(module, "_prepare", prepare)
    yield event
    event.set()


def test_meanwhile_nothing_else_is_edited_and_the_window_goes_on(qtbot, ws, held):
    before = array(ws)
    called, changes = replay_and_count(ws, in_one(strokes(ws, 120), "Restore"))
    assert (called, changes) == ([], [])
    np.testing.assert_array_equal(array(ws), before)
    with pytest.raises(EditRefused, match="Restore"):
        refuse_read_only(ws)
    held.set()
    settle(qtbot, ws)
    assert called == ["done"]
    refuse_read_only(ws)


def test_a_case_that_is_opened_meanwhile_gets_nothing(qtbot, ws, tmp_path, held):
    called, changes = replay_and_count(ws, in_one(strokes(ws, 120), "Restore"))
    open_case(ws, tmp_path)
    fresh = array(ws)
    held.set()
    settle(qtbot, ws)
    assert (called, changes) == ([], [])
    np.testing.assert_array_equal(array(ws), fresh)


def test_what_cannot_be_worked_out_is_told_and_nothing_has_changed(qtbot, ws, monkeypatch):
    before = array(ws)

    def prepare(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(module, "_prepare", prepare)
    called, changes = replay_and_count(ws, in_one(strokes(ws, 120), "Restore"))
    settle(qtbot, ws)
    assert (called, changes) == (["no room"], [])
    np.testing.assert_array_equal(array(ws), before)
    refuse_read_only(ws)


def test_at_once_is_at_once(ws):
    called, changes = replay_and_count(ws, in_one(strokes(ws, 120), "Restore"), at_once=True)
    assert called == ["done"]
    assert len(changes) == 1


def test_a_mask_that_is_closed_meanwhile_ends_it(qtbot, ws, held):
    called, changes = replay_and_count(ws, in_one(strokes(ws, 120), "Restore"))
    ws.session.remove_mask("draft")
    held.set()
    settle(qtbot, ws)
    assert (called, changes) == (["draft was closed meanwhile."], [])
    refuse_read_only(ws)
