"""The journal of an open case: begun, appended to, made small and left, whatever happens."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from labeler.core.edits import NO_STACKS, Edit, Stacks
from labeler.core.mask import Box, Patch
from labeler.storage.errors import SaveError
from labeler.storage.journal import Journal, read_journal
from labeler.storage.recovery import Act, FileState, Recovery
from labeler.storage.unsaved import history_path, journal_path, read_earlier
from labeler.workflows.journal_writer import JournalWriter, Present
from tests.unit.storage_faults import killed_after

PLENTY = 2**30


def brush(seed: int, size: int = 5) -> Edit:
    noise = np.random.default_rng(seed).integers(1, 255, (1, 1, size)).astype(np.uint8)
    patch = Patch.between("draft", Box((0, 0, 0), noise.shape), np.zeros_like(noise), noise)
    assert patch is not None
    return Edit(f"Brush {seed}", (patch,))


def base(digest: str, *edits: Edit) -> dict[str, FileState]:
    """The file holds these edits."""
    revision = 0
    for edit in edits:
        revision ^= edit.token
    return {"draft": FileState(digest, revision)}


def names(stacks: Stacks) -> tuple[list[str], list[str]]:
    return [edit.name for edit in stacks.done], [edit.name for edit in stacks.undone]


def unsaved(recovery: Recovery) -> list[str]:
    return [entry.edit.name for entry in recovery.entries]


@pytest.fixture
def path(isolated_user) -> Path:
    return journal_path(Path("/masks"), "case")


def opened(path: Path, stacks: Stacks = NO_STACKS, history_bytes: int = PLENTY) -> JournalWriter:
    writer = JournalWriter(path, "case", history_bytes)
    writer.open(Present(base("d0"), stacks))
    return writer


def test_what_comes_before_there_is_a_file_goes_into_it_first(path):
    writer, edits = JournalWriter(path, "case", PLENTY), [brush(0), brush(1)]
    writer.append(edits[0], Act.DO)
    writer.append(edits[0], Act.UNDO)
    writer.append(edits[1], Act.DO)
    assert not path.exists()
    writer.open(Present(base("d0"), Stacks((brush(7),), (brush(8),))))
    recovery = read_journal(path).recovery({"draft": "d0"})
    assert names(recovery.stacks) == (["Brush 7", "Brush 1"], [])
    assert unsaved(recovery)[-1] == "Brush 1"


def test_what_could_not_be_written_is_written_before_what_follows(path, monkeypatch):
    """An edit on top of one that is missing would bring labels back that nobody drew."""
    writer, edits = opened(path), [brush(0), brush(1)]
    append = Journal.append

    def fail(*_):
        raise SaveError("The journal could not be written: the disk is full.")

    monkeypatch.setattr(Journal, "append", fail)
    with pytest.raises(SaveError, match="the disk is full"):
        writer.append(edits[0], Act.DO)
    with pytest.raises(SaveError, match="the disk is full"):
        writer.append(edits[1], Act.DO)
    monkeypatch.setattr(Journal, "append", append)
    writer.append(edits[1], Act.UNDO)
    recovery = read_journal(path).recovery({"draft": "d0"})
    assert unsaved(recovery) == ["Brush 0", "Brush 1", "Brush 1"]
    assert names(recovery.stacks) == (["Brush 0"], ["Brush 1"])


def test_a_journal_that_could_not_be_written_is_whole_again_after_a_save(path, monkeypatch):
    writer, edit = opened(path), brush(0)
    with monkeypatch.context() as context:
        context.setattr(Journal, "append", lambda *_: (_ for _ in ()).throw(SaveError("full")))
        with pytest.raises(SaveError):
            writer.append(edit, Act.DO)
    writer.mark("draft", FileState("d1", edit.token))
    writer.compact(Present(base("d1", edit), Stacks((edit,))))
    recovery = read_journal(path).recovery({"draft": "d1"})
    assert not recovery.has_unsaved
    assert names(recovery.stacks) == (["Brush 0"], [])


def test_a_large_journal_is_made_small_when_everything_is_saved(path):
    edits = [brush(seed, 20_000) for seed in range(8)]
    writer = opened(path, history_bytes=8 * 100_000)
    for edit in edits:
        writer.append(edit, Act.DO)
    before = path.stat().st_size
    assert before > 100_000
    writer.compact(Present(base("d1", *edits), Stacks(tuple(edits))))
    assert path.stat().st_size < 60_000
    for edit in reversed(edits):  # memory holds more than the file
        writer.append(edit, Act.UNDO)
    recovery = read_journal(path).recovery({"draft": "d1"})
    assert names(recovery.stacks) == ([], [edit.name for edit in reversed(edits)])
    assert len(recovery.entries) == 8


def test_a_small_journal_goes_on_as_it_is(path):
    writer = opened(path)
    writer.append(brush(0), Act.DO)
    before = path.read_bytes()
    writer.compact(Present(base("d1", brush(0)), Stacks((brush(0),))))
    assert path.read_bytes() == before


def test_a_failed_beginning_keeps_what_was_there(path, monkeypatch):
    opened(path).append(brush(0), Act.DO)
    before = path.read_bytes()
    writer = JournalWriter(path, "case", PLENTY)
    monkeypatch.setattr(
        Journal, "take_place_of", lambda *_: (_ for _ in ()).throw(SaveError("full"))
    )
    with pytest.raises(SaveError):
        writer.open(Present(base("d0")))
    writer.append(brush(1), Act.DO)
    writer.mark("draft", FileState("d1", 1))
    assert path.read_bytes() == before


def test_there_is_a_file_from_the_first_edit_on(path):
    writer, edit = JournalWriter(path, "case", PLENTY), brush(0)
    writer.open(Present(base("d0")))
    writer.mark("new", FileState("n1", 5))
    assert not path.parent.exists()
    writer.append(edit, Act.DO)
    writer.mark("draft", FileState("d1", edit.token))
    contents = read_journal(path)
    assert unsaved(contents.recovery({"draft": "d0", "new": "n1"})) == ["Brush 0"]
    assert unsaved(contents.recovery({"draft": "d1", "new": "n1"})) == []
    assert "new" not in contents.recovery({"draft": "d1", "new": "n1"}).forgotten
    assert next(mark.document for mark in contents.records if hasattr(mark, "document")) == "new"


def test_a_file_that_cannot_be_made_is_made_with_the_next_edit(path, monkeypatch):
    writer, edits = opened(path), [brush(0), brush(1)]
    create = Journal.create

    def fail(*_):
        raise SaveError("The journal cannot be written: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "create", fail)
        with pytest.raises(SaveError, match="the disk is full"):
            writer.append(edits[0], Act.DO)
    assert Journal.create is create
    writer.append(edits[1], Act.DO)
    assert unsaved(read_earlier(path, {"draft": "d0"})) == ["Brush 0", "Brush 1"]


def test_a_save_that_ends_when_the_case_was_left_is_no_error(path):
    writer = opened(path)
    writer.leave(Present(base("d0")), is_saved=True)
    writer.mark("draft", FileState("d1", 1))
    assert not path.exists()
    assert not history_path(path).exists()


# Killed at any moment


def every_kill(path: Path, files: dict[Path, bytes], work, check) -> set[object]:
    """Kill ``work`` before each of its system calls; what ``check`` says, each time."""
    seen = set()
    for calls in range(200):
        for old in path.parent.iterdir():
            old.unlink()
        for name, content in files.items():
            name.write_bytes(content)
        died = killed_after(calls, work)
        seen.add(check())
        if not died:
            return seen
    raise AssertionError("the work does not end")


def test_killed_while_leaving_a_saved_case(path):
    edit = brush(0)
    writer = opened(path)
    writer.append(edit, Act.DO)
    writer.mark("draft", FileState("d1", edit.token))
    files = {path: path.read_bytes()}

    def check() -> object:
        recovery = read_earlier(path, {"draft": "d1"})
        assert not recovery.has_unsaved
        return tuple(names(recovery.stacks)[0])

    present = Present(base("d1", edit), Stacks((edit,)))
    seen = every_kill(path, files, lambda: writer.leave(present, is_saved=True), check)
    assert seen == {("Brush 0",)}


def test_killed_while_leaving_a_case_whose_edits_are_given_up(path):
    """They are offered once more, or gone; what was saved can be undone in any case."""
    edits = [brush(0), brush(1)]
    writer = opened(path)
    for edit in edits:
        writer.append(edit, Act.DO)
    writer.mark("draft", FileState("d1", edits[0].token))
    files = {path: path.read_bytes()}

    def check() -> object:
        recovery = read_earlier(path, {"draft": "d1"})
        return tuple(unsaved(recovery)), tuple(names(recovery.saved_stacks)[0])

    present = Present(base("d1", edits[0]), Stacks((edits[0],)))
    seen = every_kill(path, files, lambda: writer.leave(present, is_saved=False), check)
    assert seen == {(("Brush 1",), ("Brush 0",)), ((), ("Brush 0",))}


def test_killed_while_a_case_is_opened_again(path):
    kept = Stacks((brush(0),))
    Journal.create(history_path(path), "case", base("d0"), kept).close()
    files = {history_path(path): history_path(path).read_bytes()}

    def work() -> None:
        writer = JournalWriter(path, "case", PLENTY)
        writer.append(brush(1), Act.DO)
        writer.open(Present(base("d0"), kept))

    def check() -> object:
        recovery = read_earlier(path, {"draft": "d0"})
        return tuple(unsaved(recovery)), tuple(names(recovery.saved_stacks)[0])

    seen = every_kill(path, files, work, check)
    assert seen == {((), ("Brush 0",)), (("Brush 1",), ("Brush 0",))}


def test_a_clock_that_goes_back_changes_nothing(path, monkeypatch):
    edit = brush(0)
    writer = opened(path)
    writer.append(edit, Act.DO)
    writer.mark("draft", FileState("d1", edit.token))
    writer.leave(Present(base("d1", edit), Stacks((edit,))), is_saved=True)
    os.utime(history_path(path), (1, 1))
    monkeypatch.setattr("time.time", lambda: 0.0)
    recovery = read_earlier(path, {"draft": "d1"})
    assert names(recovery.stacks) == (["Brush 0"], [])
    opened(path, recovery.stacks)
    assert names(read_earlier(path, {"draft": "d0"}).stacks) == (["Brush 0"], [])
