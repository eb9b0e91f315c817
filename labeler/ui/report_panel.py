"""Detailed information: what needs a look, reports of the case, words of models, comments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from labeler.core.report import ReportColumns, ReportRow, column_key
from labeler.state.case_problems import case_problems
from labeler.state.proposals import PROVENANCE
from labeler.state.selection import RegionRef
from labeler.state.session import Change
from labeler.storage.reports import read_report_columns
from labeler.ui import formats, style
from labeler.ui.cards import Card, CommentCard, problem_card
from labeler.ui.columns_popup import ColumnsPopup
from labeler.ui.commands import Commands
from labeler.ui.comment_box import CommentBox
from labeler.ui.model_cards import model_card, model_texts
from labeler.ui.panel_header import PanelHeader
from labeler.ui.report_text import card_body, card_title, date_of
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.open_folder import Worklist
from labeler.workflows.region_notes import region_at_place
from labeler.workflows.review_case import (
    add_comment,
    delete_comment,
    edit_comment,
    jump_to_region,
)
from labeler.workflows.workspace import Workspace


class ReportPanel(QWidget):
    """Cards of the open case, from top to bottom: problems, reports, models, comments.

    Signals
    -------
    refused
        Why a comment was not written.
    """

    refused = pyqtSignal(str)

    def __init__(
        self, ws: Workspace, commands: Commands, worklist: Worklist, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("reportPanel")
        self.setAccessibleName("Detailed information")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._worklist = worklist
        self._open_action = commands.action("file.open")
        self._standard, self._column_problems = read_report_columns()
        self.header = PanelHeader("Detailed information", self)
        self._columns = self.header.add_button(
            "reportColumns",
            "Choose which columns are shown",
            self._choose_columns,
            text="columns \u2026",
        )
        self._cards = QWidget()
        self._cards_layout = QVBoxLayout(self._cards)
        self._scroll = QScrollArea(self)
        self._box = CommentBox(self)
        self._model_texts: list[tuple[str, str]] = []
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._rebuild)
        #: A comment was added, which the next cards show; scrolled to when they are laid out.
        self._is_added = False
        self._show_last = QTimer(self)
        self._show_last.setSingleShot(True)
        self._show_last.setInterval(0)
        self._show_last.timeout.connect(self._scroll_to_last)
        self._lay_out()
        self._connect()
        self._rebuild()

    @property
    def cards(self) -> list[Card]:
        """The cards shown, from top to bottom."""
        places = range(self._cards_layout.count())
        widgets = [self._cards_layout.itemAt(place).widget() for place in places]
        return [widget for widget in widgets if isinstance(widget, Card)]

    @property
    def comment_box(self) -> CommentBox:
        return self._box

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(320))

    def _lay_out(self) -> None:
        self._cards_layout.setContentsMargins(*(style.scaled(px) for px in (12, 0, 10, 8)))
        self._cards_layout.setSpacing(style.scaled(7))
        self._scroll.setObjectName("reportScroll")
        self._scroll.setWidget(self._cards)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self._scroll, 1)
        holder = QVBoxLayout()
        holder.setContentsMargins(*(style.scaled(px) for px in (12, 2, 10, 8)))
        holder.addWidget(self._box)
        layout.addLayout(holder)

    def _connect(self) -> None:
        session = self._ws.session
        session.case_opened.connect(self._case_opened)
        session.problem_found.connect(self._rebuild_soon)
        session.changed.connect(self._changed)
        session.regions_changed.connect(self._regions_changed)
        self._ws.selection.region_selected.connect(self._region_selected)
        self._ws.settings.changed.connect(self._settings_changed)
        self._worklist.reports_changed.connect(self._rebuild_soon)
        self._box.submitted.connect(self._add)
        self._box.edited.connect(lambda key, text: self._note(edit_comment, key, text))

    def _case_opened(self, _case: object) -> None:
        self._scroll.verticalScrollBar().setValue(0)
        self._rebuild_soon()

    def _changed(self, change: Change) -> None:
        if any(value.field in ("comment", PROVENANCE) for value in change.values):
            self._rebuild_soon()

    def _regions_changed(self, _mask: str) -> None:
        if model_texts(self._ws.session) != self._model_texts:
            self._rebuild_soon()
        else:
            self._region_selected()

    def _settings_changed(self, section: str) -> None:
        if section == "columns":
            self._rebuild_soon()

    def _rebuild_soon(self) -> None:
        self._later.start()

    def _rebuild(self) -> None:
        """Make all cards anew; a case has a handful."""
        while self._cards_layout.count():
            widget = self._cards_layout.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        case = self._ws.session.case
        rows = [] if case is None else self._worklist.reports.rows_for(case.id)
        self._columns.setVisible(bool(self._worklist.reports.columns))
        self._box.setVisible(case is not None)
        self._box.set_case("" if case is None else case.id)
        self._box.setEnabled(self._ws.session.read_only_reason is None)
        for sentence in self._problems():
            self._cards_layout.addWidget(problem_card(sentence, self._cards))
        for row in rows:
            self._cards_layout.addWidget(self._report_card(row))
        if not rows:
            self._cards_layout.addWidget(self._empty_label())
        self._model_texts = model_texts(self._ws.session)
        for text in self._model_texts:
            self._cards_layout.addWidget(model_card(text, self._jump, self._cards))
        for key, value in self._ws.session.annotations.entries("comment").items():
            if isinstance(value, dict):
                self._cards_layout.addWidget(self._comment_card(key, value))
        self._cards_layout.addStretch(1)
        self._region_selected()
        if self._is_added:
            self._is_added = False
            self._show_last.start()

    def _problems(self) -> list[str]:
        return list(dict.fromkeys([*case_problems(self._ws.session), *self._column_problems]))

    def _report_card(self, row: ReportRow) -> Card:
        fields = self._shown_columns().fields(row)
        fields = [
            (title, text)
            for title, text in fields
            if text != row.case_id and not (date_of(text) and text == date_of(text))
        ]
        card = Card(card_title(row), card_body(fields), self._cards)
        card.setObjectName("reportCard")
        card.setAccessibleName(card_title(row))
        card.setToolTip(f"{row.source}, line {row.line}")
        return card

    def _shown_columns(self) -> ReportColumns:
        chosen = self._ws.settings.data.columns.report
        if not chosen:
            return self._standard
        return ReportColumns(tuple(chosen), (), self._standard.titles, (), only_listed=True)

    def _empty_label(self) -> QLabel:
        key = formats.key(self._open_action.shortcut())
        if self._ws.session.case is None:
            text = f"Open a case to see its reports. {key} chooses folders."
        elif len(self._worklist.reports):
            count = formats.count(len(self._worklist.reports), "row")
            text = f"None of the {count} of the report files belongs to this case."
        else:
            text = f"No report for this case. Reports come from CSV files: {key}."
        label = QLabel(text, self._cards)
        label.setObjectName("reportEmpty")
        label.setProperty("dim", True)
        label.setWordWrap(True)
        label.setContentsMargins(*(style.scaled(px) for px in (2, 4, 2, 4)))
        return label

    def _comment_card(self, key: str, value: dict[str, Any]) -> CommentCard:
        place = value.get("region")
        about = ""
        if isinstance(place, dict) and isinstance(place.get("label"), int):
            about = f"{self._ws.session.labels[place['label']].name} in {place.get('mask')}"
        card = CommentCard(key, value, about, self._cards)
        card.edit_requested.connect(lambda key: self._box.edit(key, str(value.get("text", ""))))
        card.delete_requested.connect(lambda key: self._note(delete_comment, key))
        card.region_clicked.connect(self._go_to)
        return card

    def _go_to(self, place: dict[str, Any]) -> None:
        ref = region_at_place(self._ws.session, place)
        if ref is not None:
            self._jump(ref)

    def _jump(self, ref: RegionRef) -> None:
        jump_to_region(self._ws, ref)

    def _add(self, text: str, about_region: bool) -> None:
        self._note(add_comment, text, self._ws.selection.region if about_region else None)
        self._is_added = True

    def _scroll_to_last(self) -> None:
        bar = self._scroll.verticalScrollBar()
        bar.setValue(bar.maximum())

    def _note(self, act: Callable[..., None], *args: object) -> None:
        try:
            act(self._ws, *args)
        except EditRefused as refusal:
            self.refused.emit(str(refusal))

    def _region_selected(self, _ref: RegionRef | str | None = None) -> None:
        ref = self._ws.selection.region
        region = self._ws.session.region(ref.mask, ref.region_id) if ref is not None else None
        if region is None:
            self._box.set_region(None)
            return
        name = self._ws.session.labels[region.label].name
        self._box.set_region(f"{name} {formats.measure(region.volume_ml)} ml")

    def _choose_columns(self) -> None:
        columns = self._worklist.reports.columns
        titles = {column_key(name): name for name in columns}
        chosen = [titles.get(column_key(n), n) for n in self._ws.settings.data.columns.report]
        shown = [n for n in chosen if n in columns] or self._standard.order(columns)
        popup = ColumnsPopup(columns, shown, self)
        popup.changed.connect(lambda names: self._ws.settings.update("columns", report=list(names)))
        popup.open_below(self._columns)
