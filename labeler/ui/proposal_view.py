"""The proposal in the panel: how much to trust it, its regions, and what to do with them."""

from __future__ import annotations

import html

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from labeler.core.regions import Region
from labeler.core.vertebrae import NAMES
from labeler.core.volume import PHASES
from labeler.state.proposals import Opinion, Proposal
from labeler.ui import formats, style
from labeler.ui.cards import problem_card
from labeler.ui.commands import Commands
from labeler.ui.flow_layout import FlowLayout
from labeler.ui.model_choice import DEMONSTRATION, wrapped_label
from labeler.ui.model_progress import duration
from labeler.ui.opinion_text import all_measures, doubt, measures_line, opinion_lines, percent
from labeler.ui.proposal_landmarks import TakeLandmarks
from labeler.ui.proposal_list import ProposalList
from labeler.ui.proposal_picture import PictureButton
from labeler.workflows.region_origins import types_named_by
from labeler.workflows.review_proposal import go_to_proposed
from labeler.workflows.workspace import Workspace

#: Buttons below the list, and those beside the title, which have no words.
BUTTONS = (
    "proposal.accept",
    "proposal.accept_label",
    "proposal.accept_all",
    "proposal.reject",
    "proposal.reject_all",
)
TITLE_BUTTONS = ("proposal.show", "proposal.compare", "mask.from_proposal", "proposal.labels")

#: Family of models whose landmarks are vertebrae, numbered as in VerSe.
SPINE = "vertebra"


class ProposalView(QWidget):
    """Follows ``session.proposals``; hidden while there is none."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("proposalView")
        self.setAccessibleName("Proposal")
        self._ws = ws
        self._commands = commands
        self._proposals = ws.session.proposals
        self._title = wrapped_label(self, "proposalTitle", "Which model proposes this")
        self._warning = wrapped_label(self, "proposalWarning", "What it may be used for")
        self._warning.setProperty("look", True)
        self._doubts = QWidget(self)
        self._doubts_layout = QVBoxLayout(self._doubts)
        self._doubts_layout.setContentsMargins(0, 0, 0, 0)
        self._summary = wrapped_label(self, "proposalSummary", "What the model says of the case")
        self._unknown = wrapped_label(self, "proposalUnknown", "Labels that nobody knows yet")
        self._unknown.setProperty("look", True)
        self.rows = ProposalList(ws.session, self)
        self._detail = wrapped_label(self, "proposalDetail", "The selected region")
        self._buttons = [
            self._button(commands, command, Qt.ToolButtonTextBesideIcon) for command in BUTTONS
        ]
        self._title_buttons = [
            self._button(commands, command, Qt.ToolButtonIconOnly) for command in TITLE_BUTTONS
        ]
        self._lay_out()
        self.rows.chosen.connect(lambda number: go_to_proposed(ws, number))
        self._proposals.changed.connect(self._show)
        self._proposals.decided.connect(self._show_decisions)
        self._proposals.selected.connect(self._show_detail)
        self._show()

    def _button(self, commands: Commands, command: str, form: Qt.ToolButtonStyle) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(commands.action(command))
        button.setObjectName(f"button.{command}")
        button.setToolButtonStyle(form)
        button.setAccessibleName(commands.action(command).text())
        button.setFont(style.text_font(style.SMALL_PX + 1))
        button.setFocusPolicy(Qt.TabFocus)
        button.setProperty("compact", True)
        return button

    def _lay_out(self) -> None:
        self._decide = buttons = QWidget(self)
        flow = FlowLayout(buttons, style.scaled(2))
        for button in self._buttons:
            flow.addWidget(button)
        policy = QSizePolicy(QSizePolicy.Preferred, QSizePolicy.Minimum)
        policy.setHeightForWidth(True)
        buttons.setSizePolicy(policy)
        line = QHBoxLayout()
        line.setSpacing(0)
        line.addWidget(self._title, 1)
        for button in self._title_buttons:
            button.setProperty("quiet", True)
            line.addWidget(button, 0, Qt.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, style.scaled(4), 0, 0)
        layout.setSpacing(style.scaled(4))
        layout.addLayout(line)
        for widget in (self._warning, self._doubts, self._summary, self._unknown):
            layout.addWidget(widget)
        layout.addWidget(TakeLandmarks(self._ws, self._commands, self))
        layout.addWidget(PictureButton(self._ws, self._commands, self))
        layout.addWidget(self.rows, 1)
        layout.addWidget(buttons)
        layout.addWidget(self._detail)

    def _show(self) -> None:
        proposal = self._proposals.current
        self.setVisible(proposal is not None)
        if proposal is None:
            return
        run = proposal.run
        facts = (proposal.phase, run.device, duration(run.seconds))
        title = html.escape(f"{run.title} {run.version}")
        self._title.setText(f"<b>{title}</b> \u00b7 {html.escape(' · '.join(filter(None, facts)))}")
        self._title.setToolTip(_provenance(proposal))
        self._warning.setText(DEMONSTRATION)
        self._warning.setVisible(run.is_demonstration)
        self._show_doubts(proposal)
        for widget in (self.rows, self._decide, *self._title_buttons):
            widget.setVisible(proposal.has_mask)
        lines = [html.escape(proposal.report), *_landmark_lines(proposal)]
        if proposal.has_mask:
            lines.append(html.escape(measures_line(proposal.measures)))
        else:  # they are all there is: each on its own line
            lines += [html.escape(line) for line in all_measures(proposal.measures).splitlines()]
        lines = [line for line in lines if line]
        self._summary.setText("<br>".join(lines))
        self._summary.setToolTip(all_measures(proposal.measures))
        self._summary.setVisible(bool(lines))
        self._show_decisions()
        self._show_detail(self._proposals.number)

    def _show_doubts(self, proposal: Proposal) -> None:
        while self._doubts_layout.count():
            card = self._doubts_layout.takeAt(0).widget()
            card.hide()
            card.deleteLater()
        for sentence in proposal.warnings:
            self._doubts_layout.addWidget(problem_card(sentence, self._doubts))
        self._doubts.setVisible(bool(proposal.warnings))

    def _show_decisions(self) -> None:
        unknown = self._proposals.unknown_labels()
        self._unknown.setVisible(bool(unknown))
        names = html.escape(", ".join(unknown.values()))
        self._unknown.setText(f"Say which label {names} is before you accept it (Labels \u2026).")

    def _show_detail(self, number: int | None) -> None:
        proposal = self._proposals.current
        self._detail.setVisible(proposal is not None and number is not None)
        if proposal is not None and number is not None:
            name = self._proposals.look_of(number, self._ws.session.labels).name
            region = proposal.regions[number]
            opinion = proposal.opinions.get(number)
            lines = [_figures(name, region, opinion)]
            if opinion is not None:
                lines += opinion_lines(types_named_by(self._ws.session.labels)(opinion))
            self._detail.setText("<br>".join(lines))
            self._detail.setToolTip("" if opinion is None else all_measures(opinion.measures))


def _landmark_lines(proposal: Proposal) -> list[str]:
    """How many landmarks there are, and which of them are doubtful."""
    if proposal.landmarks is None:
        return []
    lines = [
        formats.count(len(proposal.landmarks), "landmark")
        if proposal.landmarks
        else "No landmark was found."
    ]
    is_spine = proposal.run.family == SPINE
    for point in proposal.landmarks:
        name = proposal.names.get(point.label) or (NAMES.get(point.label) if is_spine else None)
        if point.flags:
            doubts = f"{name or point.label}: {', '.join(point.flags)}"
            lines.append(doubt(doubts))
    return lines


def _provenance(proposal: Proposal) -> str:
    run = proposal.run
    params = ", ".join(f"{name} = {value}" for name, value in run.params.items())
    lines = [
        f"{run.model} {run.version}, {run.licence}",
        f"Phases {', '.join(run.phases)}; {params}"
        if params
        else f"Phases {', '.join(run.phases)}",
        f"Weights {run.weights[:16] or 'none'}",
        f"Run {run.time[:16].replace('T', ' ')}",
        run.intended_use,
    ]
    return "\n".join(filter(None, lines))


def _figures(name: str, region: Region, opinion: Opinion | None) -> str:
    sure = "" if opinion is None else f" {percent(opinion.confidence)}"
    size = f"{formats.measure(region.volume_ml)} ml, {formats.measure(region.diameter_mm)} mm"
    phases = [phase for phase in (*PHASES, *region.hu) if phase in region.hu]
    means = [
        f"{phase} {formats.whole(statistics.mean)}"
        for phase in dict.fromkeys(phases)
        if (statistics := region.hu[phase]) is not None
    ]
    curve = f"<br>{html.escape(' · '.join(means))} HU" if means else ""
    return f"<b>{html.escape(name)}{sure}</b> {size}{curve}"
