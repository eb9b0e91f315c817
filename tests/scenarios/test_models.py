"""Models in the window, with a real process: run, stop, decide, survive what models do."""

import hashlib
import os

import numpy as np
import psutil
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication, QTreeWidget

from labeler.storage.sidecar import load_sidecar
from tests import plugin_models
from tests.cases_on_disk import write_case
from tests.scenarios.conftest import stop

LIVER, LESION = 1, 11

#: In PV of the cases on disk the lesions have 121 HU, the liver 111, all else 110.
MANIFEST = """
[model]
id = "boxes"
kind = "torchscript"
title = "Boxes"
version = "1.0"
licence = "CC BY 4.0"
intended_use = "Finds the boxes of the tests."
phases = ["PV"]
needs = ["PV"]
demonstration = true

[weights]
"model.ts" = "{sha256}"

[labels]
1 = "liver"
2 = "hcc"

[input]
channels = ["PV"]
orientation = "LPS"
spacing_mm = [2.0, 2.0, 4.0]
patch = [16, 16, 16]
overlap = 0.25
crop_to_body = false

[input.normalization]
kind = "none"
"""


def make_network(path) -> None:
    """A network without weights that tells the boxes apart by their HU."""
    import torch

    class Boxes(torch.nn.Module):
        def forward(self, hu):
            return torch.cat([hu * 0, hu - 110.5, 4 * (hu - 117)], dim=1)

    torch.jit.script(Boxes()).save(str(path))


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("network") / "model.ts"
    make_network(path)
    return path.read_bytes()


@pytest.fixture
def models(isolated_user, network, tmp_path_factory, monkeypatch):
    """A model in the user's folder, and a plug-in whose models misbehave."""
    folder = isolated_user / "local" / "models" / "boxes"
    folder.mkdir(parents=True)
    (folder / "model.ts").write_bytes(network)
    digest = hashlib.sha256(network).hexdigest()
    (folder / "model.toml").write_text(MANIFEST.format(sha256=digest))
    plugin_models.install(tmp_path_factory.mktemp("plugin"), monkeypatch)


@pytest.fixture
def opened(models, user, tmp_path):
    for name in ("LV-1", "LV-2"):
        write_case(tmp_path, name)
    write_case(tmp_path, "LV-3", ("NC",))
    user.open(tmp_path)
    user.click_case("LV-1")
    user.key(Qt.Key_M, Qt.ControlModifier)
    user.wait(lambda: user.program.models.entry("boxes") is not None)
    choose(user, "boxes")
    return user


def choose(user, model: str) -> None:
    user.program.model_panel.choice.choose(model)
    assert user.program.model_panel.choice.model_id == model


def run(user) -> None:
    user.key(Qt.Key_R, Qt.ControlModifier)


def settle(user) -> None:
    user.wait(lambda: user.program.models.running is None)
    user.wait(lambda: user.program.ws.tasks.pending_count == 0)
    QApplication.processEvents()


def array_of(user, mask: str = "draft") -> np.ndarray:
    return user.session.masks[mask].mask.array.copy()


def message(user) -> str:
    return user.program.status._message.sentence


def test_run_look_accept_undo_and_save(opened, tmp_path):
    user, proposals = opened, opened.session.proposals
    ws = user.program.ws
    ws.selection.set_mask("draft")
    draft = array_of(user)
    seen = []
    user.program.models.progressed.connect(lambda progress: seen.append(progress.fraction))
    run(user)
    settle(user)
    assert seen == sorted(seen)
    assert seen[-1] > 0.5
    np.testing.assert_array_equal(array_of(user), draft)
    names = [r.text(0) for r in rows(user)]
    assert names == ["HCC", "HCC", "Liver"]
    text = user.shown_text("proposalView")
    assert "Demonstration model, trained on synthetic data. Not for clinical use." in text
    assert "cpu" in text or "cuda" in text
    # what is proposed is exactly what the draft has: make room for it
    erase(user, LESION)
    before = array_of(user)
    user.key(Qt.Key_Q)
    number = proposals.number
    assert proposals.current.regions[number].label == 2
    user.key(Qt.Key_Return, Qt.AltModifier)
    settle(user)
    after = array_of(user)
    assert set(np.unique(after[after != before])) == {LESION}
    assert int((after != before).sum()) == proposals.current.regions[number].voxels
    assert proposals.decisions()[number] == "accepted"
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)
    assert proposals.decisions()[number] == "open"
    user.key(Qt.Key_Return, Qt.AltModifier | Qt.ShiftModifier)
    settle(user)
    np.testing.assert_array_equal(array_of(user), draft)
    user.key(Qt.Key_S, Qt.ControlModifier)
    settle(user)
    notes = load_sidecar(tmp_path / "masks", "LV-1").sidecar.provenance
    assert [(note["model"], note["mask"], note["label"]) for note in notes] == [
        ("boxes", "draft", LESION)
    ] * 2
    assert len(notes[0]["weights"]) == 64


def rows(user):
    tree = user.widget("proposalRows")
    assert isinstance(tree, QTreeWidget)
    return [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]


def erase(user, label: int) -> None:
    """Delete the regions of a label from the draft by clicks and Del."""
    regions = user.program.regions

    def numbers() -> list[int]:
        refs = list(regions.table.refs())
        labels = [user.session.region(ref.mask, ref.region_id).label for ref in refs]
        return [n for n, found in enumerate(labels) if found == label]

    many = len(numbers())
    for left in reversed(range(many)):
        user.click_region(numbers()[0])
        user.key(Qt.Key_Delete)
        user.wait(lambda left=left: len(numbers()) == left and user.program.has_settled())


def test_locked_labels_stay_and_rejected_regions_too(opened):
    user, proposals = opened, opened.session.proposals
    user.program.ws.selection.set_mask("draft")
    run(user)
    settle(user)
    erase(user, LESION)
    user.program.ws.selection.set_locked("draft", LESION, True)
    before = array_of(user)
    user.key(Qt.Key_Q)
    user.key(Qt.Key_Return, Qt.AltModifier)
    assert "HCC is locked" in message(user)
    user.key(Qt.Key_Delete, Qt.AltModifier)
    assert list(proposals.decisions().values()).count("rejected") == 1
    user.key(Qt.Key_Return, Qt.ControlModifier | Qt.ShiftModifier)
    settle(user)
    np.testing.assert_array_equal(array_of(user), before)
    assert sorted(proposals.decisions().values()) == ["accepted", "open", "rejected"]


def test_a_proposal_is_drawn_and_hidden(opened):
    user = opened
    view = user.view(2)
    user.program.ws.views.set_options(masks_visible=True, crosshair_visible=False)
    run(user)
    settle(user)
    user.key(Qt.Key_Q)
    shown = view.grab().toImage()
    user.key(Qt.Key_S, Qt.AltModifier)
    hidden = view.grab().toImage()
    assert shown != hidden
    user.key(Qt.Key_S, Qt.AltModifier)
    assert view.grab().toImage() == shown, "the same lines come back"
    assert len(user.session.masks) == 1


def test_stop_ends_the_model_and_the_next_run_works(opened):
    user = opened
    choose(user, "patient")
    run(user)
    user.wait(lambda: user.program.models.progress.text == "until cancelled")
    assert "until cancelled" in user.program.model_panel.progress.text
    user.key(Qt.Key_Period, Qt.ControlModifier)
    assert user.program.models.running is None
    assert user.session.proposals.current is None
    choose(user, "threshold")
    run(user)
    settle(user)
    assert user.session.proposals.current.run.model == "threshold"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("killed", "was killed"),
        ("doubting", "this is no liver"),
    ],
)
def test_a_model_that_fails_says_why_and_the_next_one_runs(opened, model, words):
    user = opened
    draft = array_of(user)
    choose(user, model)
    run(user)
    settle(user)
    assert words in message(user)
    assert words in user.program.models.lines[-1].text
    np.testing.assert_array_equal(array_of(user), draft)
    assert user.session.proposals.current is None
    choose(user, "threshold")
    run(user)
    settle(user)
    assert user.session.proposals.current.run.model == "threshold"


def test_a_missing_phase_is_said_before_running(opened):
    user = opened
    user.click_case("LV-3")
    assert "needs the phase PV" in user.shown_text("modelPanel")
    run(user)
    assert "needs the phase PV" in message(user)
    assert user.program.models.lines == ()
    assert user.program.models._worker is None, "no process was started for it"


def test_a_case_that_is_left_keeps_its_proposal(opened):
    user = opened
    user.key(Qt.Key_R, Qt.ControlModifier | Qt.ShiftModifier)
    assert "2 cases in the queue; 1 case left out" in message(user)
    user.click_case("LV-2")
    settle(user)
    assert user.session.proposals.current.case_id == "LV-2"
    user.click_case("LV-1")
    settle(user)
    assert user.session.proposals.current.case_id == "LV-1"
    assert len(rows(user)) == 3


def test_the_next_case_is_computed_ahead(opened):
    user = opened
    choose(user, "threshold")
    user.program.ws.settings.update("models", ahead=True, ahead_cases=1)
    user.click_case("LV-3")
    settle(user)
    assert user.program.models.lines == (), "there is no case after it"
    user.click_case("LV-1")
    settle(user)
    assert user.session.proposals.current is None, "nobody asked for this one"
    assert [line.job.case.id for line in user.program.models.lines] == ["LV-2"]
    user.click_case("LV-2")
    settle(user)
    assert user.session.proposals.current.case_id == "LV-2"


def test_closing_the_window_ends_the_process_at_once(opened):
    user = opened
    choose(user, "patient")
    run(user)
    user.wait(lambda: user.program.models.progress.text == "until cancelled")
    process = psutil.Process(user.program.models._worker.pid)
    user.program.window.close()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert not psutil.pid_exists(process.pid) or os.name == "nt"


def test_the_mask_is_compared_and_made_of_the_proposal(opened):
    user = opened
    run(user)
    settle(user)
    user.key(Qt.Key_Y, Qt.AltModifier)
    settle(user)
    assert user.program.commands.action("proposal.compare").isChecked()
    assert "only the proposal" in message(user)
    user.key(Qt.Key_Y, Qt.AltModifier)
    assert user.program.views.difference.pair is None
    asked = user.answer("Add mask")
    user.key(Qt.Key_N, Qt.ControlModifier | Qt.ShiftModifier)
    settle(user)
    assert asked == ["maskNameDialog"]
    np.testing.assert_array_equal(array_of(user, "boxes"), array_of(user, "draft"))
    assert user.session.proposals.open_numbers() == []


def test_decisions_survive_a_restart(opened, start, tmp_path):
    user = opened
    user.program.ws.selection.set_mask("draft")
    run(user)
    settle(user)
    user.key(Qt.Key_Q)
    rejected = user.session.proposals.number
    user.key(Qt.Key_Delete, Qt.AltModifier)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    assert "rejected" not in user.session.proposals.decisions().values(), "undo opens it again"
    user.key(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    user.key(Qt.Key_Q)
    accepted = user.session.proposals.number
    user.key(Qt.Key_Return, Qt.AltModifier)
    settle(user)
    decisions = user.session.proposals.decisions()
    assert (decisions[rejected], decisions[accepted]) == ("rejected", "accepted")
    user.key(Qt.Key_S, Qt.ControlModifier)
    settle(user)
    stop(user.program)

    again = start()
    again.open(tmp_path)
    again.click_case("LV-1")
    settle(again)
    assert again.session.proposals.decisions() == decisions
    user_rows = [row.font(0).strikeOut() for row in rows(again)]
    assert user_rows.count(True) == 1
    (card,) = [c for c in again.program.reports.cards if c.objectName() == "modelCard"]
    assert "Boxes 1.0" in card.accessibleName()
