"""The panel of models: choosing, parameters, progress and queue, the proposal and its buttons."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QTextDocument
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QMainWindow,
    QStatusBar,
    QToolButton,
    QTreeWidget,
)

from inference.contract import Finding, Landmark, Result
from inference.worker import WorkerError
from labeler.storage.proposal_files import ProposalFolder
from labeler.ui.case_list import CaseList
from labeler.ui.difference_layer import DifferenceLayer
from labeler.ui.main_window import MainWindow, Panel
from labeler.ui.model_actions import ModelActions
from labeler.ui.model_choice import DEMONSTRATION
from labeler.ui.model_labels_dialog import NONE, ModelLabelsDialog
from labeler.ui.model_panel import NO_CASE, NO_MODEL, NO_PROPOSAL, NO_REGION, ModelPanel
from labeler.ui.model_progress import duration, progress_text
from labeler.ui.panel_header import PanelHeader
from labeler.workflows.open_folder import Worklist
from labeler.workflows.proposal_shelf import ProposalShelf
from labeler.workflows.run_model import ModelRunner, Progress
from tests.case_world import LABELS, LESION, LIVER, open_case
from tests.gui.panel_kit import commands, ws
from tests.model_world import (
    FOREIGN,
    MEASURING,
    FakeWorker,
    boxes_answer,
    fake_worker_maker,
    list_fake_models,
    ras_of,
    settle,
)
from tests.model_world import HCC as MODEL_HCC

__all__ = ["commands", "ws"]

BOXES = {1: [np.s_[10:30, 10:40, 10:40]], MODEL_HCC: [np.s_[15:20, 15:20, 15:20]]}


class Desk:
    """A window with the panel of models and nothing else that matters."""

    def __init__(self, qtbot, ws, commands, folder) -> None:
        self.qtbot, self.ws, self.commands = qtbot, ws, commands
        self.worker = FakeWorker(boxes_answer(BOXES))
        self.worklist = Worklist(ws.tasks)
        shelf = ProposalShelf(ws, ProposalFolder(folder / "proposals"))
        self.runner = ModelRunner(
            ws, self.worklist, shelf, None,
            worker=fake_worker_maker(self.worker), models=list_fake_models,
        )  # fmt: skip
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.panel = ModelPanel(ws, commands, self.runner)
        self.window.setCentralWidget(self.panel)
        self.difference = DifferenceLayer(ws, self.window)
        self.actions = ModelActions(
            ws, commands, self.runner, self.panel, self.difference,
            CaseList(ws, commands, self.worklist, self.window), self.window,
        )  # fmt: skip
        self.said: list[str] = []
        self.actions.said.connect(self.said.append)
        self.window.resize(300, 700)
        self.window.show()

    def ready(self) -> None:
        self.runner.refresh()
        settle(self.qtbot, self.ws)

    def run(self) -> None:
        self.commands.action("model.run").trigger()
        settle(self.qtbot, self.ws)

    def child(self, kind, name):
        found = self.window.findChild(kind, name)
        assert found is not None, name
        return found

    def text(self) -> str:
        """What the panel shows."""
        QApplication.processEvents()  # what was added is shown by an event
        document, words = QTextDocument(), []
        for label in self.panel.findChildren(QLabel):
            if label.isVisible():
                document.setHtml(label.text())
                words.append(document.toPlainText())
        return "\n".join(words)

    @property
    def proposals(self):
        return self.ws.session.proposals


@pytest.fixture
def desk(qtbot, ws, commands, tmp_path):
    made = Desk(qtbot, ws, commands, tmp_path)
    yield made
    made.worker.gate.set()
    made.runner.close()


@pytest.fixture
def opened(desk, tmp_path):
    open_case(desk.ws, tmp_path)
    desk.ready()
    return desk


def test_empty_states_say_what_to_do_next(desk, tmp_path):
    assert NO_MODEL in desk.text()
    desk.ready()
    assert NO_CASE in desk.text()
    assert "Needs PV." in desk.text()
    open_case(desk.ws, tmp_path)
    assert NO_PROPOSAL in desk.text()
    desk.worker.answer = boxes_answer({})
    desk.run()
    assert NO_REGION in desk.text()


def test_the_card_its_warning_and_what_it_needs(opened):
    text = opened.text()
    assert "Shows how a proposal looks." in text
    assert DEMONSTRATION in text
    assert "CC BY 4.0" in text
    assert "Uses NC, ART, PV of this case (DL missing)." in text
    models = opened.child(QComboBox, "modelChoice")
    assert [models.itemText(n) for n in range(models.count())] == [
        "Liver demo", "Foreign", "broken (cannot be used)", "Measuring",
    ]  # fmt: skip
    models.setCurrentIndex(1)
    assert DEMONSTRATION not in opened.text()
    models.setCurrentIndex(2)
    assert "broken cannot be used: model.toml cannot be read." in opened.text()


def test_a_case_without_the_phase_says_so_and_is_not_run(desk, tmp_path):
    open_case(desk.ws, tmp_path, phases=("NC",))
    desk.ready()
    assert "Liver demo needs the phase PV, which this case lacks." in desk.text()
    desk.run()
    assert desk.said == ["Liver demo needs the phase PV, which this case lacks"]
    assert desk.worker.requests == []


def test_parameters_and_device_are_set_and_kept(opened):
    QTest.mouseClick(opened.child(QToolButton, "modelOptions"), Qt.LeftButton)
    opened.child(QDoubleSpinBox, "parameter.sensitivity").setValue(4.0)
    opened.child(QComboBox, "parameter.setting").setCurrentText("screening")
    opened.child(QCheckBox, "parameter.register").setChecked(False)
    models = opened.child(QComboBox, "modelChoice")
    models.setCurrentIndex(1)
    models.setCurrentIndex(0)  # what was set is still there
    opened.run()
    _, request = opened.worker.requests[0]
    assert dict(request.params) == {
        "sensitivity": 4.0, "setting": "screening", "register": False,
    }  # fmt: skip
    assert opened.proposals.current.run.params["sensitivity"] == 4.0
    device = opened.child(QComboBox, "modelDevice")
    device.setCurrentIndex(1)
    device.activated.emit(1)
    assert opened.ws.settings.data.models.device == "cpu"


def test_progress_is_shown_and_can_be_stopped(opened):
    opened.worker.gate.clear()
    stop = opened.commands.action("model.cancel")
    assert not stop.isEnabled()
    opened.commands.action("model.run").trigger()
    opened.qtbot.waitUntil(lambda: "case-1: Looking" in opened.text())
    assert stop.isEnabled()
    stop.trigger()
    assert "Looking" not in opened.text()
    assert opened.runner.running is None
    settle(opened.qtbot, opened.ws)
    assert opened.proposals.current is None


def test_a_failure_stays_in_the_panel(opened):
    opened.worker.error = WorkerError("The model's process was killed")
    opened.run()
    assert "case-1: The model's process was killed" in opened.text()


def test_the_proposal_its_doubts_and_its_regions(opened):
    def findings(mask):
        return (
            Finding(
                MODEL_HCC, ras_of(mask, (17, 17, 17)), 0.82,
                {"first": {"HCC": 0.82, "cyst": 0.1}}, {"wash-out": True}, ("touches the edge",),
            ),
        )  # fmt: skip

    opened.worker.answer = boxes_answer(BOXES, findings=findings, warnings=("Cut off above.",))
    opened.run()
    text = opened.text()
    assert DEMONSTRATION in text
    assert "Cut off above." in text
    assert "cpu" in text
    tree = opened.child(QTreeWidget, "proposalRows")
    rows = [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]
    assert [row.text(0) for row in rows] == ["Liver", "HCC"]
    lesion = rows[1]
    assert lesion.text(2) == "82"
    assert "touches the edge" in lesion.toolTip(0)
    QTest.mouseClick(tree.viewport(), Qt.LeftButton, pos=tree.visualItemRect(lesion).center())
    text = opened.text()
    for words in ("first: HCC 82 %, cyst 10 %", "wash-out yes", "touches the edge", "PV "):
        assert words in text


def test_an_answer_without_a_mask_shows_figures_and_landmarks(opened):
    points = (Landmark(20, (0.0, 0.0, 0.0), 0.9), Landmark(21, (0.0, 0.0, 9.0), 0.3, ("low",)))
    opened.worker.answer = lambda request: Result(
        landmarks=points, measures={"T-score": -1.25, "valid": True}, report="Read with care.",
        warnings=("The film is turned.",),
    )  # fmt: skip
    opened.panel.choice.choose(MEASURING.id)
    opened.run()
    text = opened.text()
    for words in (
        "Read with care.", "T-score: \N{MINUS SIGN}1.25", "valid: yes", "The film is turned.",
        "2 landmarks", "21: low",
    ):  # fmt: skip
        assert words in text, words
    assert NO_REGION not in text
    assert not opened.child(QTreeWidget, "proposalRows").isVisible()
    for name in ("proposal.accept_all", "proposal.compare", "mask.from_proposal"):
        assert not opened.commands.action(name).isEnabled()
    opened.panel.choice.choose("demo-liver")
    opened.worker.answer = boxes_answer(BOXES)
    opened.run()
    assert opened.child(QTreeWidget, "proposalRows").isVisible()


def test_buttons_say_what_they_do_and_sleep_without_it(opened):
    names = (
        "proposal.accept", "proposal.accept_label", "proposal.accept_all", "proposal.reject",
        "proposal.reject_all", "mask.from_proposal", "proposal.next",
    )  # fmt: skip
    actions = {name: opened.commands.action(name) for name in names}
    assert not any(action.isEnabled() for action in actions.values())
    opened.run()
    assert actions["proposal.accept_all"].text() == "Accept all 2"
    assert not actions["proposal.accept"].isEnabled()
    actions["proposal.next"].trigger()
    assert actions["proposal.accept"].text() == "Accept Liver"
    actions["proposal.reject"].trigger()
    assert actions["proposal.reject"].text() == "Bring back Liver"
    assert actions["proposal.accept_all"].text() == "Accept all 1"
    actions["proposal.reject"].trigger()
    assert len(opened.proposals.open_numbers()) == 2
    actions["proposal.reject_all"].trigger()
    assert actions["proposal.reject_all"].text() == "Bring back all 2"
    assert not actions["proposal.next"].isEnabled()
    actions["proposal.reject_all"].trigger()
    assert len(opened.proposals.open_numbers()) == 2
    button = opened.child(QToolButton, "button.proposal.accept_all")
    QTest.mouseClick(button, Qt.LeftButton)
    settle(opened.qtbot, opened.ws)
    assert opened.proposals.open_numbers() == []
    assert opened.ws.session.history.undo_name == "Accept 2 regions of Liver demo"


def test_arrow_keys_walk_through_the_list(opened):
    opened.run()
    tree = opened.child(QTreeWidget, "proposalRows")
    opened.commands.action("proposal.next").trigger()
    first = opened.proposals.number
    tree.setFocus()
    QTest.keyClick(tree, Qt.Key_Down)
    assert opened.proposals.number != first
    opened.commands.action("proposal.next").trigger()
    assert opened.said[-1] == "This is the last open region of the proposal."


def test_unknown_labels_are_marked_and_can_be_chosen(opened):
    opened.panel.choice.choose(FOREIGN.id)
    opened.worker.answer = boxes_answer({1: BOXES[1], 2: BOXES[MODEL_HCC]})
    opened.run()
    tree = opened.child(QTreeWidget, "proposalRows")
    names = {tree.topLevelItem(n).text(0) for n in range(2)}
    assert names == {"Liver", "tumour ?"}
    assert "Say which label tumour is" in opened.text()
    dialog = ModelLabelsDialog("Foreign", ["liver", "tumour"], {"liver": LIVER}, LABELS)
    opened.qtbot.addWidget(dialog)
    assert dialog.labels == {"liver": LIVER}
    box = dialog.findChild(QComboBox, "modelLabel.tumour")
    assert box.currentText() == NONE
    box.setCurrentText("HCC")
    assert dialog.labels == {"liver": LIVER, "tumour": LESION}


def test_a_panel_that_needs_room_gets_it_and_gives_it_back(qtbot, commands):
    class Tall(PanelHeader):
        def sizeHint(self):
            size = super().sizeHint()
            size.setHeight(400)
            return size

    side = Qt.RightDockWidgetArea
    panels = (
        Panel("a", "A", PanelHeader("A"), side, 50, PanelHeader("A")),
        Panel("b", "B", PanelHeader("B"), side, 50, PanelHeader("B")),
        Panel("m", "M", Tall("M"), side, 50, PanelHeader("M"), "model.panel", ("b",)),
    )
    window = MainWindow(commands, QLabel("views"), QLabel("tools"), QStatusBar(), panels)
    qtbot.addWidget(window)
    window.resize(900, 600)
    window.show()
    docks = {name: window.findChild(object, f"{name}Dock") for name in "abm"}
    assert not docks["m"].isVisible()
    commands.action("model.panel").trigger()
    assert docks["m"].isVisible()
    assert not docks["b"].isVisible()
    QApplication.processEvents()
    assert docks["m"].height() >= 300
    commands.action("model.panel").trigger()
    assert docks["b"].isVisible()


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0.0, ""), "A"),
        (Progress(0.1, "Reading"), "A: Reading"),
        (Progress(0.5, "Window 3", 14.4), "A: Window 3, 14 s left"),
    ],
)
def test_progress_in_words(progress, text):
    assert progress_text("A", progress) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89.4, "89 s"), (150.0, "2 min")])
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text
