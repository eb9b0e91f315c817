"""The picture that came with a proposal: shown on request, and only while there is one."""

import cv2
import numpy as np
import pytest
from PyQt5.QtWidgets import QLabel, QScrollArea, QToolButton

from inference.contract import Landmark, Result
from labeler.storage.proposal_files import ProposalFolder
from labeler.ui.proposal_view import ProposalView
from labeler.workflows.open_folder import Worklist
from labeler.workflows.proposal_shelf import ProposalShelf
from labeler.workflows.run_model import ModelRunner
from tests.case_world import open_case
from tests.gui.panel_kit import commands, ws
from tests.model_world import (
    MEASURING,
    FakeWorker,
    fake_worker_maker,
    list_fake_models,
    settle,
)

__all__ = ["commands", "ws"]


def png(rows: int = 90, columns: int = 120) -> bytes:
    image = np.zeros((rows, columns, 3), np.uint8)
    image[:, columns // 2 :] = (0, 0, 200)  # its right half is red
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture
def answered(qtbot, ws, commands, tmp_path):
    """Give a function that lets a model answer with a picture, and returns the view."""
    shelf = ProposalShelf(ws, ProposalFolder(tmp_path / "proposals"))
    worker = FakeWorker(lambda request: result)
    runner = ModelRunner(
        ws, Worklist(ws.tasks), shelf, None,
        worker=fake_worker_maker(worker), models=list_fake_models,
    )  # fmt: skip
    view = ProposalView(ws, commands)
    qtbot.addWidget(view)
    view.show()
    runner.refresh()
    settle(qtbot, ws)
    open_case(ws, tmp_path)
    result = None

    def answer(picture: bytes) -> ProposalView:
        nonlocal result
        result = Result(landmarks=(Landmark(20, (1.0, 2.0, 3.0), 0.5),), picture=picture)
        runner.run(MEASURING.id, {})
        settle(qtbot, ws)
        return view

    yield answer
    runner.close()


def button(view) -> QToolButton:
    return view.findChild(QToolButton, "button.proposal.picture")


def test_a_picture_is_shown_as_it_was_drawn(answered, ws, commands):
    view = answered(png())
    assert ws.session.proposals.current.picture == png()
    assert button(view).isVisible()
    assert button(view).accessibleName()
    commands.action("proposal.picture").trigger()
    area = view.window().findChild(QScrollArea)
    shown = area.findChild(QLabel, "proposalPicture.image").pixmap().toImage()
    assert (shown.width(), shown.height()) == (120, 90)
    assert shown.pixelColor(100, 40).getRgb()[:3] == (200, 0, 0)
    assert shown.pixelColor(10, 40).getRgb()[:3] == (0, 0, 0)
    assert MEASURING.title in area.window().windowTitle()


@pytest.mark.parametrize("picture", [b"", b"no picture", png()[:40]])
def test_there_is_no_button_without_a_picture_that_can_be_read(answered, commands, picture):
    view = answered(picture)
    assert not button(view).isVisible()
    assert not commands.action("proposal.picture").isEnabled()


def test_the_button_goes_with_the_proposal(answered, ws):
    view = answered(png())
    ws.session.proposals.clear()
    assert not button(view).isVisible()
