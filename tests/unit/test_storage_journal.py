"""The journal: what was appended survives any crash, and what the files lack comes back."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.edits import NO_STACKS, NOTES, Edit, Stacks, ValueChange
from labeler.core.geometry import AxisOrder, Grid
from labeler.core.mask import Box, Mask, Patch
from labeler.storage import journal as journal_module
from labeler.storage.edit_codec import decode_edit, encode_edit
from labeler.storage.errors import ImageError, SaveError
from labeler.storage.journal import Journal, read_journal, remove_journal
from labeler.storage.recovery import Act, FileState, JournalEntry, Recovery, SavedMark
from labeler.storage.unsaved import history_path, journal_path, prune_histories, read_earlier
from tests.unit.storage_faults import killed_after, small_disk

SHAPE = (3, 4, 5)


def patch(mask="draft", seed=0, dtype=np.uint8) -> Patch:
    before = np.zeros(SHAPE, dtype)
    after = before.copy()
    rng = np.random.default_rng(seed)
    after[tuple(rng.integers(0, n) for n in SHAPE)] = rng.integers(1, np.iinfo(dtype).max)
    found = Patch.between(mask, Box.whole(SHAPE), before, after)
    assert found is not None
    return found


def brush(mask="draft", seed=0) -> Edit:
    return Edit(f"Brush {seed}", (patch(mask, seed),))


def new_mask(name="draft") -> Mask:
    order = AxisOrder((0, 1, 2), (False,) * 3, SHAPE[::-1])
    return Mask(name, np.zeros(SHAPE, np.uint8), Grid(SHAPE, np.eye(4)), order)


def same(edit: Edit, other: Edit) -> bool:
    return (edit.name, edit.steps) == (other.name, other.steps)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "case.journal"


@pytest.fixture
def journal(path):
    journal = Journal.create(path, "case 1", {"draft": FileState("d0")})
    yield journal
    journal.close()


# Edits as bytes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
changes = st.builds(ValueChange, st.text(), st.text(), json_values, json_values)
patches = st.builds(patch, st.text(), st.integers(0, 1000), st.sampled_from([np.uint8, np.uint16]))


@given(st.text(), st.lists(patches | changes, max_size=5))
def test_edits_survive_encoding(name, steps):
    edit = Edit(name, tuple(steps))
    restored = decode_edit(encode_edit(edit))
    assert same(restored, edit)
    assert restored.id != edit.id


def test_a_decoded_patch_gives_the_same_mask_and_revision():
    edit, one, two = brush(), new_mask(), new_mask()
    one.apply(edit.patches[0])
    two.apply(decode_edit(encode_edit(edit)).patches[0])
    np.testing.assert_array_equal(one.array, two.array)
    assert one.revision == two.revision != 0


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_edit(data):
    with pytest.raises(ValueError, match="a stored edit is damaged"):
        decode_edit(data)


def test_any_cut_edit_is_refused():
    data = encode_edit(Edit("x", (patch(), ValueChange("comment", "1", None, "囊腫"), patch())))
    for end in range(len(data)):
        with pytest.raises(ValueError, match="a stored edit is damaged"):
            decode_edit(data[:end])


# Appending and reading


def test_what_was_appended_is_read(path, journal):
    edits = [brush(seed=seed) for seed in range(3)]
    journal.append(edits[0])
    journal.append(edits[0], Act.UNDO)
    journal.mark_saved("draft", FileState("d1", 2**62 + 1))
    journal.append(edits[0], Act.REDO)
    contents = read_journal(path)
    assert contents.case_id == "case 1"
    assert contents.bases == {"draft": FileState("d0")}
    assert not contents.is_torn
    acts = [record.act for record in contents.records if isinstance(record, JournalEntry)]
    assert acts == [Act.DO, Act.UNDO, Act.REDO]
    assert contents.records[2] == SavedMark("draft", FileState("d1", 2**62 + 1))
    assert same(contents.records[3].edit, edits[0])


def test_every_append_is_synced(journal, monkeypatch):
    synced = []
    original = os.fdatasync
    monkeypatch.setattr(
        journal_module.os, "fdatasync", lambda fd: synced.append(fd) or original(fd)
    )
    for seed in range(3):
        journal.append(brush(seed=seed))
    assert len(synced) == 3


def test_torn_at_every_byte(path, journal):
    """Whatever part of the last records reached the disk, the whole ones before are read."""
    edits = [brush(seed=seed) for seed in range(3)]
    ends = [path.stat().st_size]
    for edit in edits:
        journal.append(edit)
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    for cut in range(ends[0], len(data) + 1):
        path.write_bytes(data[:cut])
        contents = read_journal(path)
        whole = sum(end <= cut for end in ends) - 1
        assert len(contents.records) == whole
        assert contents.is_torn == (cut not in ends)
        assert all(same(r.edit, e) for r, e in zip(contents.records, edits, strict=False))
    for cut in range(ends[0]):
        path.write_bytes(data[:cut])
        with pytest.raises(ImageError, match="is no journal"):
            read_journal(path)


def test_damaged_at_every_byte(path, journal):
    for seed in range(2):
        journal.append(brush(seed=seed))
    data = path.read_bytes()
    whole = read_journal(path).records
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        try:
            records = read_journal(path).records
        except ImageError:
            continue
        assert len(records) < 2
        assert all(same(r.edit, w.edit) for r, w in zip(records, whole, strict=False))


def test_zeros_at_the_end_are_no_record(path, journal):
    """Some file systems extend a file before they write to it."""
    journal.append(brush())
    with open(path, "ab") as file:
        file.write(bytes(1000))
    contents = read_journal(path)
    assert (len(contents.records), contents.is_torn) == (1, True)


def test_records_of_a_later_version_end_the_reading(path, journal):
    journal.append(brush())
    payload = b"Zwhatever"
    with open(path, "ab") as file:
        file.write(struct.pack("<II", len(payload), zlib.crc32(payload)) + payload)
    journal.close()
    assert len(read_journal(path).records) == 1


def test_restarting_drops_the_records(path, journal):
    journal.append(brush())
    journal.restart({"draft": FileState("d1", 5)}, NO_STACKS)
    journal.append(brush(seed=7))
    contents = read_journal(path)
    assert contents.bases == {"draft": FileState("d1", 5)}
    assert contents.case_id == "case 1"
    assert [record.edit.name for record in contents.records] == ["Brush 7"]


def test_removing_a_journal(path, journal):
    journal.close()
    remove_journal(path)
    assert not path.exists()
    remove_journal(path)


def test_files_that_are_no_journal(path):
    with pytest.raises(ImageError, match="it is not there"):
        read_journal(path)
    path.parent.mkdir()
    for content in (b"", b"hello", b"CTLJRNL2", b"CTLJRNL2" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(ImageError, match="is no journal"):
            read_journal(path)
    payload = b'{"case": "x", "bases": {"draft": 7}}'
    record = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    path.write_bytes(b"CTLJRNL2" + record)
    with pytest.raises(ImageError, match="is no journal"):
        read_journal(path)


# Failures


@pytest.mark.parametrize(
    ("call", "number", "why"),
    [
        ("pwrite", errno.ENOSPC, "the disk is full"),
        ("fdatasync", errno.EIO, "the disk reports an error"),
    ],
)
def test_failed_append_leaves_the_journal_as_it_was(path, journal, monkeypatch, call, number, why):
    journal.append(brush(seed=0))
    before = path.read_bytes()

    def fail(*args):
        if call == "pwrite":
            os.write(args[0], b"")  # nothing more arrives
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as context:
        context.setattr(journal_module.os, call, fail)
        with pytest.raises(SaveError, match=why):
            journal.append(brush(seed=1))
    assert path.read_bytes() == before
    journal.append(brush(seed=2))
    names = [record.edit.name for record in read_journal(path).records]
    assert names == ["Brush 0", "Brush 2"]


def test_a_really_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        journal = Journal.create(disk / "case.journal", "case", {})
        (disk / "filler").write_bytes(bytes(45_000))
        big = Edit("Big", (Patch("draft", Box.whole(SHAPE), "uint8", os.urandom(40_000)),))
        journal.append(brush(seed=0))
        with pytest.raises(SaveError, match="the disk is full"):
            journal.append(big)
        journal.append(brush(seed=1))
        (disk / "filler").unlink()
        journal.append(big)
        journal.close()
        names = [record.edit.name for record in read_journal(disk / "case.journal").records]
    assert names == ["Brush 0", "Brush 1", "Big"]


def test_killed_while_appending_loses_at_most_that_edit(path, journal):
    journal.append(brush(seed=0))
    whole = path.read_bytes()
    seen = set()
    for calls in range(20):
        path.write_bytes(whole)
        died = killed_after(calls, lambda: journal.append(brush(seed=1)))
        seen.add(len(read_journal(path).records))
        if not died:
            break
    assert seen == {1, 2}


def test_killed_while_restarting_leaves_the_old_or_the_new_journal(path, journal):
    journal.append(brush(seed=0))
    whole = path.read_bytes()
    seen = set()
    for calls in range(60):
        path.write_bytes(whole)
        died = killed_after(calls, lambda: journal.restart({"draft": FileState("d1")}, NO_STACKS))
        contents = read_journal(path)
        seen.add((contents.bases["draft"].digest, len(contents.records)))
        if not died:
            break
    assert seen == {("d0", 1), ("d1", 0)}


def test_restart_that_fails_goes_on_with_the_old_journal(path, journal, monkeypatch):
    journal.append(brush(seed=0))
    with monkeypatch.context() as context:
        context.setattr(
            journal_module, "write_bytes_durably",
            lambda *_: (_ for _ in ()).throw(SaveError("the disk is full")),
        )  # fmt: skip
        with pytest.raises(SaveError):
            journal.restart({}, NO_STACKS)
    journal.append(brush(seed=1))
    assert len(read_journal(path).records) == 2


def test_closed_journal_takes_nothing(journal):
    journal.close()
    with pytest.raises(SaveError):
        journal.append(brush())


# Restoring


def test_all_edits_come_back_when_the_file_is_the_old_one(path, journal):
    for seed in range(3):
        journal.append(brush(seed=seed))
    recovery = read_journal(path).recovery({"draft": "d0"})
    assert [entry.edit.name for entry in recovery.entries] == ["Brush 0", "Brush 1", "Brush 2"]
    assert recovery.strangers == ()


def test_what_was_undone_again_needs_no_restoring(path, journal):
    edit = brush()
    journal.append(edit)
    journal.append(edit, Act.UNDO)
    assert read_journal(path).recovery({"draft": "d0"}).entries == ()


def test_a_file_nobody_knows_gets_no_edits(path, journal):
    journal.append(brush())
    journal.append(Edit("Comment", (ValueChange("comment", "1", None, "x"),)))
    for digests in ({"draft": "changed by somebody"}, {}):
        recovery = read_journal(path).recovery(digests)
        assert recovery.strangers == ("draft",)
        assert [entry.edit.name for entry in recovery.entries] == ["Comment"]


def test_a_mask_that_was_never_saved(path):
    journal = Journal.create(path, "case", {})
    journal.append(brush("new"))
    journal.close()
    contents = read_journal(path)
    assert len(contents.recovery({}).entries) == 1
    assert contents.recovery({"new": "somebody's"}).strangers == ("new",)


def test_an_edit_of_two_masks_of_which_one_was_saved(path):
    journal = Journal.create(path, "case", {"a": FileState("a0"), "b": FileState("b0")})
    edit = Edit("Copy region", (patch("a", 1), patch("b", 2)))
    journal.append(edit)
    journal.mark_saved("a", FileState("a1", edit.patches[0].token))
    journal.close()
    contents = read_journal(path)
    (entry,) = contents.recovery({"a": "a1", "b": "b0"}).entries
    assert [step.mask for step in entry.edit.steps] == ["b"]
    (entry,) = contents.recovery({"a": "a0", "b": "b0"}).entries
    assert [step.mask for step in entry.edit.steps] == ["a", "b"]


@dataclass
class Session:
    """A user at work: edits, undoes, saves; each save may be cut off or finish late."""

    journal: Journal
    mask: Mask = field(default_factory=new_mask)
    disk: str = "d0"
    files: dict[str, tuple[np.ndarray, int]] = field(default_factory=dict)
    done: list[Edit] = field(default_factory=list)
    undone: list[Edit] = field(default_factory=list)
    snapshot: tuple[np.ndarray, int] | None = None
    seen: set[bytes] = field(default_factory=set)

    def __post_init__(self):
        self.files["d0"] = self.mask.snapshot()
        self.seen.add(self.mask.array.tobytes())

    def act(self, what: str) -> None:
        if what == "edit":
            edit = brush(seed=len(self.files) * 100 + len(self.done))
            self.undone.clear()
            self.done.append(edit)
            self._apply(edit, Act.DO)
        elif what == "undo" and self.done:
            self.undone.append(self.done.pop())
            self._apply(self.undone[-1], Act.UNDO)
        elif what == "redo" and self.undone:
            self.done.append(self.undone.pop())
            self._apply(self.done[-1], Act.REDO)
        elif what == "begin save":
            self.snapshot = self.mask.snapshot()
        elif what in ("finish save", "cut save") and self.snapshot is not None:
            digest = f"d{len(self.files)}"
            self.files[digest] = self.snapshot
            self.journal.mark_saved("draft", FileState(digest, self.snapshot[1]))
            if what == "finish save":
                self.disk = digest
            self.snapshot = None
        elif what == "restart" and self.files[self.disk][1] == self.mask.revision:
            self.journal.restart(
                {"draft": FileState(self.disk, self.mask.revision)},
                Stacks(tuple(self.done), tuple(self.undone)),
            )

    def _apply(self, edit: Edit, act: Act) -> None:
        self.mask.apply(edit.patches[0])
        self.seen.add(self.mask.array.tobytes())
        self.journal.append(edit, act)


ACTS = ["edit", "undo", "redo", "begin save", "finish save", "cut save", "restart"]


@given(st.lists(st.sampled_from(ACTS), max_size=25))
def test_after_a_crash_at_any_time_the_mask_is_as_it_was(acts):
    """The file on disk plus what the journal gives back is the mask the user saw last."""
    path = Path(os.environ["CT_LABELER_LOCAL_DIR"]) / "case.journal"
    session = Session(Journal.create(path, "case", {"draft": FileState("d0")}))
    for what in acts:
        session.act(what)
    session.journal.close()
    recovery = read_journal(path).recovery({"draft": session.disk})
    assert recovery.strangers == ()
    restored = new_mask()
    restored._array[:] = session.files[session.disk][0]
    for entry in recovery.entries:
        restored.apply(entry.edit.patches[0])
    np.testing.assert_array_equal(restored.array, session.mask.array)
    assert names(recovery.stacks) == names(Stacks(tuple(session.done), tuple(session.undone)))
    _walk(recovery.stacks, session.mask.array, session.seen)
    _walk(recovery.saved_stacks, session.files[session.disk][0], session.seen)


def _walk(stacks: Stacks, present: np.ndarray, seen: set[bytes]) -> None:
    """Undo and redo everything from the present content: each state must be one that was seen."""
    for edits in (reversed(stacks.done), reversed(stacks.undone)):
        mask = new_mask()
        mask._array[:] = present
        for edit in edits:
            mask.apply(edit.patches[0])
            assert mask.array.tobytes() in seen


# The history of a saved case


def names(stacks: Stacks) -> tuple[list[str], list[str]]:
    return [edit.name for edit in stacks.done], [edit.name for edit in stacks.undone]


def test_what_was_saved_can_still_be_undone(path, journal):
    edits = [brush(seed=seed) for seed in range(3)]
    for edit in edits:
        journal.append(edit)
    journal.append(edits[2], Act.UNDO)
    revision = edits[0].token ^ edits[1].token
    journal.mark_saved("draft", FileState("d1", revision))
    recovery = read_journal(path).recovery({"draft": "d1"})
    assert not recovery.has_unsaved
    assert names(recovery.stacks) == names(recovery.saved_stacks) == (
        ["Brush 0", "Brush 1"], ["Brush 2"],
    )  # fmt: skip


def test_edits_that_are_not_saved_are_not_in_the_history_that_is_left(path, journal):
    edits = [brush(seed=seed) for seed in range(3)]
    journal.append(edits[0])
    journal.mark_saved("draft", FileState("d1", edits[0].token))
    journal.append(edits[1])
    journal.append(edits[1], Act.UNDO)
    journal.append(edits[2])
    recovery = read_journal(path).recovery({"draft": "d1"})
    assert [entry.edit.name for entry in recovery.entries] == ["Brush 2"]
    assert names(recovery.stacks) == (["Brush 0", "Brush 2"], [])
    assert names(recovery.saved_stacks) == (["Brush 0"], [])


def test_a_save_that_was_undone_and_drawn_over_leaves_no_way_back(path, journal):
    """Neither undo nor redo leads to the content of the file."""
    edits = [brush(seed=seed) for seed in range(2)]
    journal.append(edits[0])
    journal.mark_saved("draft", FileState("d1", edits[0].token))
    journal.append(edits[0], Act.UNDO)
    journal.append(edits[1])
    recovery = read_journal(path).recovery({"draft": "d1"})
    assert names(recovery.stacks) == (["Brush 1"], [])
    assert recovery.saved_stacks == NO_STACKS


def test_the_history_of_a_changed_file_is_dropped_without_a_question(path, journal):
    edits = [brush("draft", 0), brush("other", 1), note("a")]
    for edit in edits:
        journal.append(edit)
    for document, digest, edit in zip(("draft", "other", NOTES), "def", edits, strict=True):
        journal.mark_saved(document, FileState(digest, edit.token))
    recovery = read_journal(path).recovery({"draft": "changed", "other": "e", NOTES: "f"})
    assert not recovery.has_unsaved
    assert recovery.forgotten == ("draft",)
    assert names(recovery.stacks) == (["Brush 1", "Comment a"], [])
    recovery = read_journal(path).recovery({"draft": "d", "other": "e", NOTES: "changed"})
    assert not recovery.has_unsaved
    assert names(recovery.stacks) == (["Brush 0", "Brush 1"], [])


def note(key: str) -> Edit:
    return Edit(f"Comment {key}", (ValueChange("comment", key, None, {"text": key}),))


def test_notes_that_somebody_changed_get_what_was_noted_since_the_last_save(path, journal):
    saved, unsaved = note("a"), note("b")
    journal.append(saved)
    journal.mark_saved(NOTES, FileState("n1", saved.token))
    journal.append(unsaved)
    recovery = read_journal(path).recovery({"draft": "d0", NOTES: "changed"})
    assert [entry.edit.name for entry in recovery.entries] == ["Comment b"]
    assert recovery.strangers == ()


def test_a_journal_begins_with_the_history_and_what_the_files_lack(path):
    done, undone = [brush(seed=0), brush(seed=1)], [brush(seed=2)]
    missing = [JournalEntry(done[1], Act.DO)]
    bases = {"draft": FileState("d0", 7)}
    journal = Journal.create(path, "case", bases, Stacks(tuple(done), tuple(undone)), missing)
    journal.append(undone[0], Act.REDO)
    journal.append(undone[0], Act.UNDO)
    journal.append(done[1], Act.UNDO)
    assert path.stat().st_size == journal.nbytes
    journal.close()
    recovery = read_journal(path).recovery({"draft": "d0"})
    assert not recovery.has_unsaved, "what was missing was undone"
    assert names(recovery.stacks) == (["Brush 0"], ["Brush 2", "Brush 1"])


def test_one_can_undo_more_than_the_journal_began_with(path):
    """The bound on disk may be smaller than that in memory."""
    edits = [brush(seed=seed) for seed in range(3)]
    stacks = Stacks(tuple(edits)).within(edits[2].nbytes)
    journal = Journal.create(path, "case", {"draft": FileState("d0")}, stacks)
    for edit in reversed(edits):
        journal.append(edit, Act.UNDO)
    journal.append(edits[0], Act.REDO)
    journal.close()
    recovery = read_journal(path).recovery({"draft": "d0"})
    assert [entry.act for entry in recovery.entries] == [Act.UNDO] * 3 + [Act.REDO]
    assert names(recovery.stacks) == (["Brush 0"], ["Brush 2", "Brush 1"])


def test_undo_and_redo_write_no_content_again(path, journal):
    journal.append(brush())
    before = journal.nbytes
    journal.append(brush(), Act.DO)
    large = journal.nbytes - before
    edit = brush(seed=5)
    journal.append(edit)
    before = journal.nbytes
    for act in (Act.UNDO, Act.REDO, Act.UNDO):
        journal.append(edit, act)
    assert journal.nbytes - before < large / 2


def test_saves_are_known_across_a_restart(path, journal):
    edit = brush()
    journal.mark_saved("draft", FileState("d5", edit.token))
    journal.restart({"draft": FileState("d1")}, NO_STACKS)  # written down before d5 was
    journal.append(edit)
    journal.append(note("a"))
    recovery = read_journal(path).recovery({"draft": "d5"})
    assert [entry.edit.name for entry in recovery.entries] == ["Comment a"]


def test_an_undo_of_what_is_not_known_ends_the_reading(path, journal):
    journal.append(brush(seed=0))
    known = journal.nbytes
    journal.append(brush(seed=1))
    journal.append(brush(seed=2))
    end = journal.nbytes
    journal.close()
    data = path.read_bytes()
    payload = b"A" + bytes([1]) + struct.pack("<Q", 12345)
    step = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    path.write_bytes(data[:known] + step + data[known:end])
    assert len(read_journal(path).records) == 1


# Histories of many cases


def test_old_histories_make_room(isolated_user):
    paths = [journal_path(Path("/masks"), f"case {number}.5") for number in range(4)]
    for age, path in enumerate(paths):
        Journal.create(history_path(path), "case", {}, Stacks((brush(),))).close()
        os.utime(history_path(path), (1e9 - age, 1e9 - age))
    unsaved = journal_path(Path("/masks"), "unsaved")
    Journal.create(unsaved, "case", {}).close()
    os.utime(unsaved, (1, 1))
    # The paths inside compress to sizes that differ by bytes.
    sizes = [history_path(path).stat().st_size for path in paths]
    prune_histories(sum(sizes))
    assert all(history_path(path).exists() for path in paths)
    prune_histories(sizes[0] + sizes[1])
    assert [history_path(path).exists() for path in paths] == [True, True, False, False]
    assert unsaved.exists(), "what is not saved is never removed"


def test_a_journal_goes_before_the_history_of_an_earlier_time(isolated_user):
    path = journal_path(Path("/masks"), "case")
    assert not read_earlier(path, {}).stacks
    Journal.create(history_path(path), "case", {}, Stacks((brush("m", 0),))).close()
    assert names(read_earlier(path, {}).stacks) == (["Brush 0"], [])
    Journal.create(path, "case", {}, Stacks((brush("m", 1),))).close()
    assert names(read_earlier(path, {}).stacks) == (["Brush 1"], [])
    path.unlink()
    history_path(path).write_bytes(b"damaged")
    assert read_earlier(path, {}) == Recovery()
