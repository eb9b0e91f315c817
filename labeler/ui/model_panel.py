"""Models: choose one, run it on this case or on all, and decide on what it proposes."""

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import formats, style
from labeler.ui.commands import Commands
from labeler.ui.empty_state import EmptyState
from labeler.ui.model_choice import ModelChoice
from labeler.ui.model_progress import ModelProgress
from labeler.ui.panel_header import PanelHeader
from labeler.ui.proposal_view import ProposalView
from labeler.workflows.run_model import ModelRunner
from labeler.workflows.workspace import Workspace

NO_MODEL = "There is no model yet. Choose a folder that holds one, with its model.toml."
NO_CASE = "Open a case to run a model on it."
NO_PROPOSAL = "Run the model: what it proposes is shown here and in the views, with dashed lines."
NO_REGION = "The model has found nothing."


#: Buttons that run a model, with their words.
RUN_BUTTONS = {"model.run": "Run", "model.run_all": "All listed", "model.cancel": "Stop"}


class ModelPanel(QWidget):
    """The models, the queue, and the proposal for the open case."""

    def __init__(
        self, ws: Workspace, commands: Commands, runner: ModelRunner, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelPanel")
        self.setAccessibleName("Models")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._runner = runner
        self.header = PanelHeader("Models", self)
        self.choice = ModelChoice(ws, runner, self)
        self.progress = ModelProgress(runner, self)
        self.proposal = ProposalView(ws, commands, self)
        self._none = EmptyState(commands.action("model.add_folder"), self)
        self._hint = EmptyState(commands.action("model.run"), self)
        self._stack = QStackedLayout()
        self._add_header_buttons(commands)
        self._lay_out(commands)
        runner.models_changed.connect(self._show)
        runner.queue_changed.connect(self._show)
        ws.session.case_opened.connect(self._show)
        ws.session.proposals.changed.connect(self._show)
        ws.session.proposals.decided.connect(self._show)
        self.choice.changed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(600))

    def minimumSizeHint(self) -> QSize:
        return QSize(style.scaled(200), style.scaled(150))

    def _add_header_buttons(self, commands: Commands) -> None:
        for command, icon in (("model.add_folder", "mdi6.folder-plus-outline"),):
            action = commands.action(command)
            self.header.add_button(f"button.{command}", action.toolTip(), action.trigger, icon=icon)
        key = formats.key(commands.action("model.panel").shortcut())
        self.header.add_button(
            "closeModels",
            f"Close the models  ({key})",
            commands.action("model.panel").trigger,
            icon="mdi6.close",
        )

    def _lay_out(self, commands: Commands) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(style.scaled(4))
        for command, word in RUN_BUTTONS.items():
            button = QToolButton(self)
            commands.action(command).setIconText(word)  # there is no room for the menu's words
            button.setDefaultAction(commands.action(command))
            button.setObjectName(f"button.{command}")
            button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
            button.setFocusPolicy(Qt.TabFocus)
            buttons.addWidget(button)
        buttons.addStretch(1)
        content = _Content(self)
        inner = QVBoxLayout(content)
        inner.setContentsMargins(*(style.scaled(px) for px in (12, 2, 10, 8)))
        inner.setSpacing(style.scaled(5))
        inner.addWidget(self.choice)
        inner.addLayout(buttons)
        inner.addWidget(self.progress)
        inner.addWidget(self._hint)
        inner.addWidget(self.proposal, 1)
        inner.addStretch(0)
        self._hint.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Maximum)
        scroll = QScrollArea(self)
        scroll.setObjectName("modelScroll")
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._stack.addWidget(scroll)
        self._stack.addWidget(self._none)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(self._stack, 1)

    def _show(self, *_: object) -> None:
        proposals = self._ws.session.proposals
        self._none.set_text(NO_MODEL)
        self._stack.setCurrentIndex(0 if self._runner.models else 1)
        current, case = proposals.current, self._ws.session.case
        text = ""
        if case is None:
            text = NO_CASE
        elif current is None and self._runner.running is None and not self.choice.refusal:
            text = NO_PROPOSAL
        elif current is not None and current.has_mask and not current.regions:
            text = NO_REGION
        self._hint.set_text(text, with_action=False)
        self._hint.setVisible(bool(text))
        same = current is not None and current.run.model == self.choice.model_id
        self.choice.set_compact(same)
        n_open = len(proposals.open_numbers())
        total = len(current.regions) if current is not None else 0
        self.header.set_note(
            f"{n_open:,} of {total:,} open" if total else "", "Regions nothing was decided on"
        )


class _Content(QWidget):
    """What is scrolled: as high as its texts need at its width, which Qt does not ask for."""

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        width = self.width() if layout is not None else 0
        return QSize(0, 0 if layout is None else layout.totalHeightForWidth(max(1, width)))
