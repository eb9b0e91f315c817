"""``kill -9`` at random moments, many times: between strokes and in the middle of a save."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from labeler.core.brushes import DiscBrush
from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.core.painting import StrokeBuilder
from labeler.storage.masks import read_mask
from labeler.storage.unsaved import journal_path, read_earlier, read_unsaved
from tests.cases_on_disk import labels_ijk, write_case, write_image
from tests.scenarios import painter
from tests.slow import saver

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAVES, STROKES, HISTORIES = 200, 50, 20

#: The default of the settings, which the painter's user has.
BRUSH_MM = 20.0


def start(script: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(script)), *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill_after(process: subprocess.Popen[str], first_line: str, delay_s: float) -> list[str]:
    """Kill a process some time after it printed ``first_line``; returns what it printed since."""
    for line in process.stdout:
        if line.strip() == first_line:
            break
    killer = threading.Timer(delay_s, process.send_signal, (signal.SIGKILL,))
    killer.start()
    lines = [line.strip() for line in process.stdout]
    killer.join()
    process.wait()
    process.stdout.close()
    return lines


@pytest.mark.timeout(1800)
def test_a_save_is_whole_or_did_not_happen(tmp_path):
    path = write_image(tmp_path / "draft.nii.gz", labels_ijk())
    in_the_middle = 0
    for trial in range(SAVES):
        before = read_mask(path).mask.array.copy()
        lines = kill_after(
            start(saver.__file__, path), "ready", random.Random(trial).uniform(0.0, 0.08)
        )
        done = sum(line.startswith("saved") for line in lines)
        after = read_mask(path).mask.array
        last = saver.content(done, after.shape) if done else before
        following = saver.content(done + 1, after.shape)
        is_last, is_next = np.array_equal(after, last), np.array_equal(after, following)
        assert is_last or is_next, f"trial {trial}: neither the old nor the new mask"
        in_the_middle += is_next or bool(list(tmp_path.glob(".*")))
    assert in_the_middle > SAVES // 20, "the kills must hit saves, not pauses"


@pytest.mark.timeout(1800)
def test_every_finished_stroke_is_in_the_journal(tmp_path, qapp):
    most = 0
    for trial in range(STROKES):
        root = tmp_path / str(trial)
        write_case(root, "LV-1", phases=("PV",))
        delay_s = random.Random(trial).uniform(0.0, 0.4)
        lines = kill_after(start(painter.__file__, root, "LV-1", 500), "stroke 1", delay_s)
        known = 1 + sum(line.startswith("stroke") for line in lines)
        file = read_mask(root / "masks" / "LV-1" / "draft.nii.gz")
        recovery = read_unsaved(root / "masks", "LV-1", {"draft": file.fingerprint.digest})
        assert recovery is not None
        assert len(recovery.entries) in (known, known + 1), "at most the last stroke is lost"
        for entry in recovery.entries:
            for patch in entry.edit.patches:
                file.mask.apply(patch)
        expected = painted(root, len(recovery.entries))
        np.testing.assert_array_equal(file.mask.array, expected)
        most = max(most, known)
    assert most > 5, "the kills must come after different numbers of strokes"


@pytest.mark.timeout(1800)
def test_the_history_of_a_killed_window_leads_back_to_the_first_stroke(tmp_path, qapp):
    """Killed between strokes, in saves and between them: undo takes all of it back, in order."""
    on_disk = set()
    for trial in range(HISTORIES):
        root = tmp_path / str(trial)
        write_case(root, "LV-1", phases=("PV",))
        delay_s = random.Random(trial).uniform(0.0, 0.6)
        kill_after(start(painter.__file__, root, "LV-1", 500, 3), "stroke 1", delay_s)
        file = read_mask(root / "masks" / "LV-1" / "draft.nii.gz")
        path = journal_path(root / "masks", "LV-1")
        recovery = read_earlier(path, {"draft": file.fingerprint.digest})
        assert recovery.strangers == recovery.forgotten == ()
        for entry in recovery.entries:
            for patch in entry.edit.patches:
                file.mask.apply(patch)
        strokes = len(recovery.stacks.done)
        on_disk.add(len(recovery.saved_stacks.done))
        for left in range(strokes, -1, -1):
            np.testing.assert_array_equal(file.mask.array, painted(root, left))
            if left:
                (patch,) = recovery.stacks.done[left - 1].patches
                file.mask.apply(patch)
    assert len(on_disk) > 2, "the kills must come after different saves"


def original(root: Path) -> Mask:
    """The mask as it was written for the test, on the grid of the file that is there."""
    file = read_mask(root / "masks" / "LV-1" / "draft.nii.gz")
    order = file.mask.axis_order
    array = np.ascontiguousarray(order.to_canonical(labels_ijk()))
    return Mask("draft", array, file.mask.grid, order)


def painted(root: Path, strokes: int) -> np.ndarray:
    """What a number of strokes makes of the mask, painted here."""
    mask = original(root)
    for number in range(1, strokes + 1):
        brush = DiscBrush(mask.grid, Plane.AXIAL, BRUSH_MM / 2)
        builder = StrokeBuilder(mask, brush, 10 + number % 5)
        for point in painter.stroke_points(number):
            patch = builder.move_to(point)
            if patch is not None:
                mask.apply(patch)
    return mask.array
