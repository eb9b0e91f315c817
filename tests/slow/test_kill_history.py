"""``kill -9`` while somebody paints and saves: undo leads back to the first stroke."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from labeler.core.brushes import DiscBrush
from labeler.core.geometry import Plane
from labeler.core.mask import Mask
from labeler.core.painting import StrokeBuilder
from labeler.storage.masks import read_mask
from labeler.storage.unsaved import journal_path, read_earlier
from tests.cases_on_disk import labels_ijk, write_case
from tests.scenarios import painter
from tests.slow.test_kill import kill_after, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CASE, TRIALS, SAVE_EVERY = "LV-1", 20, 3

#: Strokes after which the window may be killed: four saves.
MOST_STROKES = 12

#: The default of the settings, which the painter's user has.
BRUSH_MM = 20.0


def test_the_history_of_a_killed_window_leads_back_to_the_first_stroke(tmp_path, qapp, tally):
    """Killed between strokes, in saves and between them: undo takes all of it back, in order."""
    on_disk = set()
    for _ in range(TRIALS):
        trial = tally.trial()
        root = tmp_path / str(trial)
        write_case(root, CASE, phases=("PV",))
        chance = random.Random(trial)
        known, delay_s = chance.randint(1, MOST_STROKES), chance.uniform(0.0, 0.1)
        painting = start(painter.__file__, root, CASE, 500, SAVE_EVERY)
        kill_after(painting, f"stroke {known}", delay_s)
        strokes = check_the_way_back(root, on_disk)
        assert strokes >= known, "they were in the journal"
        tally.hit(strokes > SAVE_EVERY)
    assert len(on_disk) > 2, "the kills must come after different saves"


def check_the_way_back(root: Path, on_disk: set[int]) -> int:
    """Restore what is not saved and undo everything; returns how many strokes that were."""
    file = read_mask(root / "masks" / CASE / "draft.nii.gz")
    assert file.fingerprint is not None
    recovery = read_earlier(journal_path(root / "masks", CASE), {"draft": file.fingerprint.digest})
    assert recovery.strangers == recovery.forgotten == ()
    for entry in recovery.entries:
        for patch in entry.edit.patches:
            file.mask.apply(patch)
    on_disk.add(len(recovery.saved_stacks.done))
    strokes = len(recovery.stacks.done)
    for left in range(strokes, -1, -1):
        np.testing.assert_array_equal(file.mask.array, painted(file.mask, left))
        if left:
            (patch,) = recovery.stacks.done[left - 1].patches
            file.mask.apply(patch)
    return strokes


def painted(like: Mask, strokes: int) -> np.ndarray:
    """What a number of strokes makes of the mask that was written, painted here."""
    array = np.ascontiguousarray(like.axis_order.to_canonical(labels_ijk()))
    mask = Mask("draft", array, like.grid, like.axis_order)
    for number in range(1, strokes + 1):
        brush = DiscBrush(mask.grid, Plane.AXIAL, BRUSH_MM / 2)
        builder = StrokeBuilder(mask, brush, 10 + number % 5)
        for point in painter.stroke_points(number):
            patch = builder.move_to(point)
            if patch is not None:
                mask.apply(patch)
    return mask.array
