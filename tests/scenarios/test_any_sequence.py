"""Whatever somebody does, in whatever order: the masks and notes are what a plain model says.

The model is a list of full copies, one after each act. Undo, redo, saves, other cases, restarts
and crashes move along that list; nothing of it knows patches, tokens or journals. Everything
behind the window is real: files, tasks, journals.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PyQt5.QtCore import QEventLoop, QTimer

from labeler.core.geometry import Plane
from labeler.core.labels import Label, LabelTable
from labeler.state.selection import RegionRef, Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_memory import restored_views
from labeler.storage.locations import bundled_folder, user_local_folder
from labeler.storage.masks import read_mask
from labeler.workflows.edit_mask import BrushStroke, EditRefused, fill_at, paint_polygon
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.region_acts import delete_region, relabel_region
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.review_case import add_comment, set_status, tick_region
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.step_history import go_to_step, redo, undo
from labeler.workflows.transfer_regions import Transfer, transfer_regions
from labeler.workflows.workspace import Workspace
from tests.cases_on_disk import write_image

CASES, MASKS = ("A", "B"), ("draft", "other")
SHAPE_IJK, SPACING_MM = (14, 12, 8), 4.0
LABELS = LabelTable([Label(n, f"Label {n}", "#ff0000") for n in (1, 2, 3)])

#: Everything of a case that can be changed: masks by name, and notes.
State = tuple[dict[str, np.ndarray], dict[str, Any]]


def write_cases(root: Path) -> None:
    matrix = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    labels = np.zeros(SHAPE_IJK, np.uint8)
    labels[2:6, 2:6, 1:5], labels[8:12, 5:10, 3:7] = 1, 2
    for case_id in CASES:
        phase = np.full(SHAPE_IJK, 60, np.int16)
        write_image(root / "images" / case_id / "PV.nii.gz", phase, matrix)
        for name, array in zip(MASKS, (labels, labels[::-1]), strict=True):
            write_image(root / "masks" / case_id / f"{name}.nii.gz", array, matrix)


def wait(is_done: Callable[[], bool]) -> None:
    """Run the event loop until something holds."""
    loop, looks, limit = QEventLoop(), QTimer(), QTimer()
    looks.timeout.connect(lambda: loop.quit() if is_done() else None)
    looks.start(1)
    limit.timeout.connect(lambda: loop.exit(1))
    limit.start(60_000)
    assert loop.exec_() == 0, "it does not end"


class Desk:
    """A run of the program, without its window."""

    def __init__(self, root: Path) -> None:
        preferences = Settings(root / "settings.toml", bundled_folder("config") / "settings.toml")
        self.ws = Workspace(
            Session(LABELS, 2**26), Selection(20.0), restored_views(preferences), preferences,
            TaskRunner(),
        )  # fmt: skip
        self.worklist = Worklist(self.ws.tasks)
        self.opener = CaseOpener(self.ws, self.worklist, None)
        self.journal = JournalKeeper(self.ws)
        self.saver = CaseSaver(self.ws, self.opener, self.journal)
        self.updater = RegionUpdater(self.ws.session, self.ws.tasks)
        self.opener.loaded.connect(self.journal.begin)
        self.journal.unsaved_found.connect(lambda _: self.journal.restore())
        self.worklist.open_roots(Roots(root / "images", root / "masks"))
        self.settle()

    def settle(self) -> None:
        wait(lambda: not self.ws.tasks.pending_count)

    def open(self, case_id: str) -> None:
        self.opener.open(case_id)
        self.settle()
        session = self.ws.session
        assert session.case is not None
        assert session.case.id == case_id
        session.labels = LABELS

    def save(self) -> None:
        results: list[bool] = []
        self.saver.save(results.append)
        self.settle()
        assert results == [True]

    def state(self) -> State:
        session = self.ws.session
        arrays = {name: session.masks[name].mask.array.copy() for name in MASKS}
        comments = [entry["text"] for entry in session.annotations.entries("comment").values()]
        notes = {
            "comments": sorted(comments),
            "ticks": sorted(session.annotations.entries("tick")),
            "status": session.annotations.get("status", ""),
        }
        return arrays, notes

    def close(self) -> None:
        self.opener.close()
        self.ws.tasks.shutdown()


@dataclass
class Model:
    """What a case is: full copies, where one stands in them, and which one is on disk."""

    states: list[State]
    at: int = 0
    saved: int | None = 0
    on_disk: State = field(init=False)

    def __post_init__(self) -> None:
        self.on_disk = self.states[0]

    def add(self, state: State) -> None:
        if self.saved is not None and self.saved > self.at:
            self.saved = None
        self.states[self.at + 1 :] = [state]
        self.at += 1

    def go(self, at: int) -> None:
        self.at = max(0, min(at, len(self.states) - 1))

    def save(self) -> None:
        self.saved, self.on_disk = self.at, self.states[self.at]

    def discard(self) -> None:
        """Edits since the save are given up; those before it can still be undone."""
        if self.saved is None:
            self.states, self.at, self.saved = [self.on_disk], 0, 0
        elif self.saved < self.at:
            del self.states[self.saved + 1 :]
        self.at = self.saved


def assert_same(state: State, expected: State) -> None:
    for name in MASKS:
        np.testing.assert_array_equal(state[0][name], expected[0][name])
    assert state[1] == expected[1]


class Person:
    """Does things in the program, and notes in the model what they should have led to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.desk = Desk(root)
        self.models: dict[str, Model] = {}
        self.case_id = ""
        self.switch("A")

    @property
    def model(self) -> Model:
        return self.models[self.case_id]

    @property
    def ws(self) -> Workspace:
        return self.desk.ws

    def switch(self, case_id: str) -> None:
        self.desk.open(case_id)
        self.case_id = case_id
        self.models.setdefault(case_id, Model([self.desk.state()]))

    def edit(self, act: Callable[[], None]) -> None:
        before = len(self.ws.session.history.done)
        try:
            act()
        except EditRefused:
            assert len(self.ws.session.history.done) == before
            return
        self.desk.settle()
        if self.ws.session.history.done and len(self.ws.session.history.done) > before:
            self.model.add(self.desk.state())

    def check(self) -> None:
        session, model = self.ws.session, self.model
        assert_same(self.desk.state(), model.states[model.at])
        assert len(session.history.done) == model.at
        assert len(session.history.undone) == len(model.states) - 1 - model.at
        for name in MASKS:
            is_saved = np.array_equal(model.states[model.at][0][name], model.on_disk[0][name])
            assert is_saved or session.masks[name].mask.is_dirty
            array = read_mask(session.masks[name].file.path).mask.array
            np.testing.assert_array_equal(array, model.on_disk[0][name])

    # Acts

    def stroke(self, plane: Plane, label: int, places: list, how: str) -> None:
        def act() -> None:
            stroke = BrushStroke(self.ws, plane, how == "erase", ball=how == "ball")
            for place in places:
                stroke.move_to(place)
            stroke.cancel() if how == "cancel" else stroke.finish()

        self.ws.selection.set_label(label)
        self.ws.selection.set_brush_mm(10.0)
        self.edit(act)

    def contour(self, plane: Plane, label: int, places: list, how: str) -> None:
        self.ws.selection.set_label(label)
        if len(places) > 2:
            self.edit(lambda: paint_polygon(self.ws, plane, places, erase=how == "erase"))
        else:
            self.edit(lambda: fill_at(self.ws, plane, places[0], erase=how == "erase"))

    def region(self, what: str, number: int, label: int) -> None:
        refs = [
            RegionRef(name, region_id)
            for name in MASKS
            for region_id in sorted(self.ws.session.regions[name].regions)
        ]
        if not refs:
            return
        ref = refs[number % len(refs)]
        target = MASKS[MASKS.index(ref.mask) - 1]
        transfer = Transfer((ref,), target, move=what == "move", label=label)
        acts: dict[str, Callable[[], None]] = {
            "delete": lambda: delete_region(self.ws, ref),
            "relabel": lambda: relabel_region(self.ws, label, ref),
            "copy": lambda: transfer_regions(self.ws, transfer, lambda _: None),
            "move": lambda: transfer_regions(self.ws, transfer, lambda _: None),
            "tick": lambda: tick_region(self.ws, ref),
            "comment": lambda: add_comment(self.ws, f"Comment {number}", ref),
            "status": lambda: set_status(self.ws, ("todo", "done", "flagged")[label % 3]),
        }
        self.edit(acts[what])

    def step(self, steps: list[int]) -> None:
        """Undo and redo, without waiting in between."""
        for step in steps:
            undo(self.ws) if step < 0 else redo(self.ws)
            self.model.go(self.model.at + step)
        self.desk.settle()

    def go_to(self, at: int) -> None:
        at %= len(self.model.states)
        go_to_step(self.ws, at)
        self.desk.settle()
        self.model.go(at)

    def choose_mask(self, number: int, place: np.ndarray) -> None:
        self.ws.selection.set_mask(MASKS[number % 2])
        self.ws.views.set_frame(crosshair_ras=place)

    def save(self) -> None:
        self.desk.save()
        self.model.save()

    def leave(self, how: str) -> None:
        """Go to the other case, or start anew; unsaved edits are saved or given up."""
        where, answer = how.split()
        if answer == "save":
            self.save()
        else:
            self.model.discard()
        if where == "restart":
            self.desk.close()
            self.desk = Desk(self.root)
            self.switch(self.case_id)
        else:
            self.switch(CASES[CASES.index(self.case_id) - 1])

    def crash(self) -> None:
        """The program dies: what a graceful end makes of the journals is taken back."""
        journals, kept = user_local_folder() / "journals", self.root / "crashed"
        shutil.copytree(journals, kept)
        self.desk.close()
        shutil.rmtree(journals)
        shutil.move(kept, journals)
        self.desk = Desk(self.root)
        self.switch(self.case_id)


labels = st.sampled_from([1, 2, 3])
planes = st.sampled_from(list(Plane))
places = st.builds(
    lambda i, j, k: np.array((i, j, k), np.float64) * SPACING_MM,
    *(st.integers(-1, n) for n in SHAPE_IJK),
)
lines = st.lists(places, min_size=1, max_size=4)
acts = st.one_of(
    st.tuples(st.just("stroke"), planes, labels, lines,
              st.sampled_from(["paint", "paint", "ball", "erase", "cancel"])),
    st.tuples(st.just("contour"), planes, labels, lines, st.sampled_from(["draw", "erase"])),
    st.tuples(st.just("region"),
              st.sampled_from(["delete", "relabel", "copy", "move", "tick", "comment", "status"]),
              st.integers(0, 5), labels),
    st.tuples(st.just("step"), st.lists(st.sampled_from([-1, -1, 1]), min_size=1, max_size=4)),
    st.tuples(st.just("go_to"), st.integers(0, 9)),
    st.tuples(st.just("choose_mask"), st.integers(0, 1), places),
    st.tuples(st.just("save")),
    st.tuples(st.just("leave"),
              st.sampled_from(["switch save", "switch discard", "restart save",
                               "restart discard"])),
    st.tuples(st.just("crash")),
)  # fmt: skip


@pytest.mark.timeout(300)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(acts, min_size=4, max_size=16),
    at_once=st.sampled_from([0, 60, 10**6]),
)
def test_any_sequence_ends_where_the_model_says(qapp, isolated_user, sequence, at_once):
    """Edits and steps are large or small by ``at_once`` voxels, and so prepared or done."""
    with (
        tempfile.TemporaryDirectory(dir=isolated_user) as folder,
        mock.patch("labeler.workflows.carry_out.AT_ONCE_VOXELS", at_once),
        mock.patch("labeler.workflows.background_edit.AT_ONCE_VOXELS", at_once),
    ):
        root = Path(folder)
        write_cases(root)
        person = Person(root)
        try:
            for name, *arguments in sequence:
                getattr(person, name)(*arguments)
                person.check()
            person.go_to(0)
            person.check()
        finally:
            person.desk.close()
