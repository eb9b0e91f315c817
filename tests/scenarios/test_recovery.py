"""A program that dies between saves loses nothing that was painted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from labeler.storage.journal import Journal, read_journal
from labeler.storage.unsaved import journal_path
from tests.cases_on_disk import labels_ijk, write_case, write_image
from tests.scenarios.painter import paint

PAINTER = Path(__file__).with_name("painter.py")


@pytest.fixture
def cohort(tmp_path):
    for case_id in ("LV-1", "LV-2"):
        write_case(tmp_path, case_id, phases=("PV",))
    return tmp_path


def paint_and_kill(cohort: Path, strokes: int) -> None:
    """Let another process paint strokes and kill it after the last one."""
    process = subprocess.Popen(
        [sys.executable, str(PAINTER), str(cohort), "LV-1", str(strokes)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PAINTER.parents[2],
        env={**os.environ, "PYTHONPATH": str(PAINTER.parents[2])},
    )
    try:
        for line in process.stdout:
            if line.strip() == f"stroke {strokes}":
                break
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def expected(user, strokes: int) -> np.ndarray:
    """What the mask of the second case becomes by the same strokes."""
    user.click_case("LV-2")
    for number in range(1, strokes + 1):
        paint(user.program.ws, number)
    result = user.session.masks["draft"].mask.array.copy()
    for _ in range(strokes):
        user.session.undo()
    return result


def test_strokes_of_a_killed_program_are_restored(user, cohort):
    paint_and_kill(cohort, 4)
    user.open(cohort)
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    mask = user.session.masks["draft"].mask
    restored = mask.array.copy()
    assert user.session.is_dirty
    assert user.session.history.undo_name.startswith("Brush")
    for _ in range(4):
        user.session.undo()
    assert not user.session.is_dirty
    for _ in range(4):
        user.session.redo()
    np.testing.assert_array_equal(mask.array, restored)
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.program.saver.save()
    np.testing.assert_array_equal(restored, expected(user, 4))
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == [], "what is saved is not asked about again"
    np.testing.assert_array_equal(user.session.masks["draft"].mask.array, restored)


def test_restored_edits_survive_a_second_crash(user, cohort):
    paint_and_kill(cohort, 2)
    path = journal_path(cohort / "masks", "LV-1")
    user.open(cohort)
    user.answer("Restore")
    user.click_case("LV-1")
    paint(user.program.ws, 3)
    user.wait(lambda: not user.program.ws.tasks.is_pending_where(_is_journal))
    journal = path.read_bytes()
    restored = user.session.masks["draft"].mask.array.copy()
    user.program.opener.close()
    user.wait(lambda: not path.exists())
    path.write_bytes(journal)  # as if the program had died before the case was left
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    np.testing.assert_array_equal(user.session.masks["draft"].mask.array, restored)


def test_discarded_edits_are_gone_for_good(user, cohort):
    paint_and_kill(cohort, 2)
    user.open(cohort)
    user.answer("Discard")
    user.click_case("LV-1")
    assert not user.session.is_dirty
    user.click_case("LV-2")
    asked = user.answer("Restore")
    user.click_case("LV-1")
    assert asked == []


def test_both_can_be_kept(user, cohort):
    paint_and_kill(cohort, 2)
    saved = labels_ijk()
    user.open(cohort)
    user.answer("Keep both")
    user.click_case("LV-1")
    user.wait(lambda: (cohort / "masks" / "LV-1" / "draft recovered.nii.gz").exists())
    user.wait(lambda: not user.session.is_dirty and user.program.has_settled())
    draft = np.asanyarray(nib.load(cohort / "masks" / "LV-1" / "draft.nii.gz").dataobj)
    np.testing.assert_array_equal(draft, saved)
    recovered = user.session.masks["draft recovered"].mask.array
    np.testing.assert_array_equal(recovered, expected(user, 2))


def test_edits_of_a_mask_that_somebody_changed_are_kept_aside(user, cohort):
    paint_and_kill(cohort, 2)
    other = labels_ijk()
    other[0, 0, 0] = 9
    write_image(cohort / "masks" / "LV-1" / "draft.nii.gz", other)
    path = journal_path(cohort / "masks", "LV-1")
    user.open(cohort)
    asked = user.answer("Go on")  # there is nothing to restore
    user.click_case("LV-1")
    assert asked == ["recoveryQuestion"]
    mask = user.session.masks["draft"].mask
    np.testing.assert_array_equal(mask.axis_order.to_file(mask.array), other)
    assert list(path.parent.glob("*.unused"))


def test_a_disk_that_hangs_holds_up_neither_the_window_nor_loses_an_edit(user, cohort, monkeypatch):
    create, disk_answers = Journal.create, threading.Event()

    def slow_create(*args):
        assert disk_answers.wait(20)
        return create(*args)

    monkeypatch.setattr(Journal, "create", slow_create)
    user.open(cohort)
    user.click_case("LV-1", settle=False)
    user.wait(lambda: "draft" in user.session.masks and not user.program.opener.is_loading)
    paint(user.program.ws, 1)
    assert user.session.is_dirty
    disk_answers.set()
    user.wait(lambda: not user.program.ws.tasks.is_pending_where(_is_journal))
    (record,) = read_journal(journal_path(cohort / "masks", "LV-1")).records
    assert record.edit.name == user.session.history.undo_name


def _is_journal(key: object) -> bool:
    return isinstance(key, tuple) and key[0] == "journal"
