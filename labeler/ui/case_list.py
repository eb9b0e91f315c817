"""The list of cases: search, status filter, progress, one line a case."""

from __future__ import annotations

from PyQt5.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QResizeEvent
from PyQt5.QtWidgets import (
    QApplication,
    QButtonGroup,
    QLineEdit,
    QListView,
    QMenu,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from labeler.storage.cases import Case
from labeler.ui import style
from labeler.ui.badges import STATUS_COLOURS, STATUS_TEXTS, dot_icon
from labeler.ui.case_delegate import CaseDelegate
from labeler.ui.case_table import DOUBTFUL, CaseTable, report_texts
from labeler.ui.commands import Commands
from labeler.ui.empty_state import EmptyState
from labeler.ui.flow_layout import FlowLayout
from labeler.ui.panel_header import PanelHeader
from labeler.ui.row_view import dress_rows
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_worklist import SpineWorklist
from labeler.workflows.workspace import Workspace

SEARCH_TASK = ("case search",)

#: What the chips show, from left to right; ``None`` is everything.
FILTERS = (None, DOUBTFUL, *STATUS_TEXTS)


class CaseList(QWidget):
    """Cases of the worklist; lazily looked at: only rows on the screen are inspected.

    In the perspective of the spine they are sorted by doubt, when ``spines`` are given.

    Signals
    -------
    open_requested
        Id of the case that was clicked or entered.
    status_requested
        ``(case id, status)`` chosen in the context menu.
    """

    open_requested = pyqtSignal(str)
    status_requested = pyqtSignal(str, str)

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        worklist: Worklist,
        parent: QWidget | None = None,
        *,
        spines: SpineWorklist | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("caseList")
        self.setAccessibleName("Cases")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._worklist = worklist
        self._spines = spines
        self._table = CaseTable(worklist, spines, self)
        self.header = PanelHeader("Cases", self)
        self._search = QLineEdit(self)
        self._chips = QButtonGroup(self)
        self._chip_row = QWidget(self)
        self._progress = QProgressBar(self)
        self._view = QListView(self)
        self._empty = EmptyState(commands.action("file.open"), self)
        self._stack = QStackedLayout()
        self._rows_timer = _soon(self, self._ask_for_rows)
        self._counts_timer = _soon(self, self._show_counts)
        self._dress()
        self._lay_out()
        self._connect()
        self._collect_texts()
        self._show_counts()

    @property
    def view(self) -> QListView:
        """The list itself."""
        return self._view

    @property
    def table(self) -> CaseTable:
        """Rows shown."""
        return self._table

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._search.setFocus(Qt.ShortcutFocusReason)
        self._search.selectAll()

    def set_current(self, case_id: str | None) -> None:
        """Mark the open case and scroll to it."""
        self._table.set_current(case_id)
        row = None if case_id is None else self._table.row_of(case_id)
        if row is not None:
            self._view.setCurrentIndex(self._table.index(row))
            if self._search.hasFocus() and not self._search.text():
                # The field gets the focus when the window opens: keys are for the case now.
                self._view.setFocus()

    def neighbour(self, case_id: str | None, step: int) -> str | None:
        """Id of the case ``step`` rows below another one, among those shown."""
        row = None if case_id is None else self._table.row_of(case_id)
        if row is None:
            row = -1 if step > 0 else self._table.rowCount()
        row += step
        return self._table.case(row).id if 0 <= row < self._table.rowCount() else None

    def next_open(self, case_id: str | None) -> str | None:
        """Id of the next case that is not done, below another one or, after the last, above."""
        rows = self._table.rowCount()
        start = None if case_id is None else self._table.row_of(case_id)
        start = -1 if start is None else start
        order = [(start + step) % rows for step in range(1, rows + 1)] if rows else []
        cases = (self._table.case(row) for row in order)
        return next((c.id for c in cases if c.status != "done" and c.id != case_id), None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrow down and Enter lead from the search field into the list."""
        if watched is self._search and event.type() == QEvent.KeyPress:
            assert isinstance(event, QKeyEvent)
            if event.key() == Qt.Key_Escape:
                self._search.clear()
                self._search.clearFocus()  # the next key is one of the window's again
                return True
            if event.key() in (Qt.Key_Down, Qt.Key_Return, Qt.Key_Enter):
                self._enter_list(open_first=event.key() != Qt.Key_Down)
                return True
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._rows_timer.start()

    def _dress(self) -> None:
        self._search.setObjectName("caseSearch")
        self._search.setAccessibleName("Search cases")
        self._search.setPlaceholderText("Search id, report text, status \u2026")
        self._search.setToolTip("Shows cases that hold every word  (Ctrl+F)")
        self._search.setClearButtonEnabled(True)
        self._search.installEventFilter(self)
        self._progress.setObjectName("caseProgress")
        self._progress.setAccessibleName("Cases done")
        self._progress.setTextVisible(False)
        self._progress.setProperty("done", True)
        view = self._view
        tip = "A click opens a case, a right click sets its status"
        dress_rows(view, "caseRows", "Case rows", tip)
        view.setModel(self._table)
        view.setItemDelegate(CaseDelegate(view))
        view.setUniformItemSizes(True)
        view.setContextMenuPolicy(Qt.CustomContextMenu)

    def _lay_out(self) -> None:
        flow = FlowLayout(self._chip_row, style.scaled(4))
        for place, status in enumerate(FILTERS):
            chip = QPushButton(self._chip_row)
            chip.setObjectName(f"chip.{status or 'all'}")
            chip.setProperty("chip", True)
            chip.setCheckable(True)
            chip.setFont(style.text_font(style.SMALL_PX))
            self._chips.addButton(chip, place)
            flow.addWidget(chip)
        self._chips.button(0).setChecked(True)
        top = QVBoxLayout()
        top.setContentsMargins(*(style.scaled(px) for px in (12, 0, 10, 6)))
        top.setSpacing(style.scaled(6))
        top.addWidget(self._search)
        top.addWidget(self._chip_row)
        top.addWidget(self._progress)
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(top)
        layout.addLayout(self._stack, 1)

    def _connect(self) -> None:
        self._search.textChanged.connect(self._filter)
        self._chips.buttonClicked.connect(self._filter)
        self._view.clicked.connect(self._open)
        self._view.activated.connect(self._open)
        self._view.customContextMenuRequested.connect(self._show_menu)
        self._view.verticalScrollBar().valueChanged.connect(self._rows_timer.start)
        for signal in (self._table.modelReset, self._table.rowsInserted):
            signal.connect(self._counts_timer.start)
            signal.connect(self._rows_timer.start)
        self._table.dataChanged.connect(self._counts_timer.start)
        worklist = self._worklist
        worklist.row_changed.connect(self._counts_timer.start)
        worklist.scanned.connect(self._counts_timer.start)
        worklist.scanned.connect(self._collect_texts)
        worklist.reports_changed.connect(self._collect_texts)
        worklist.problem_found.connect(self._counts_timer.start)
        self._ws.session.case_opened.connect(self._case_opened)
        if self._spines is not None:
            self._spines.changed.connect(self._filter)
            self._spines.row_changed.connect(self._counts_timer.start)
            self._ws.perspective.changed.connect(self._arrange)

    def _arrange(self) -> None:
        """Sort the rows as the perspective wants them."""
        if self._status == DOUBTFUL:
            self._chips.button(0).setChecked(True)
        self._filter()

    def _case_opened(self, case: Case | None) -> None:
        self.set_current(None if case is None else case.id)

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.open_requested.emit(self._table.case(index.row()).id)

    def _enter_list(self, *, open_first: bool) -> None:
        if not self._table.rowCount():
            return
        if not self._view.currentIndex().isValid():
            self._view.setCurrentIndex(self._table.index(0))
        self._view.setFocus(Qt.TabFocusReason)
        if open_first:
            self._open(self._view.currentIndex())

    @property
    def _status(self) -> str | None:
        return FILTERS[max(0, self._chips.checkedId())]

    def _filter(self) -> None:
        self._table.set_filter(self._status, self._search.text())
        case = self._ws.session.case
        if case is not None:
            self.set_current(case.id)

    def _collect_texts(self) -> None:
        """Gather the text of the reports for the search, in the background."""
        if self._worklist.is_scanning or not len(self._worklist.reports):
            return
        ids = [case.id for case in self._worklist.cases]
        self._ws.tasks.submit(
            "compute", SEARCH_TASK, report_texts, self._worklist.reports, ids, done=self._set_texts
        )

    def _set_texts(self, texts: dict[str, str]) -> None:
        self._table.set_report_texts(texts)
        if self._search.text():
            self._filter()

    def _ask_for_rows(self) -> None:
        """Ask the worklist for what is still unknown about the rows on the screen."""
        area = self._view.viewport().rect()
        first = self._view.indexAt(area.topLeft() + QPoint(2, 2)).row()
        if first < 0:
            return
        last = self._view.indexAt(area.bottomLeft() + QPoint(2, -2)).row()
        if last < 0:
            last = self._table.rowCount() - 1
        self._worklist.request_cases([self._table.case(row).id for row in range(first, last + 1)])

    def _show_counts(self) -> None:
        counts = self._table.status_counts
        total = sum(counts.values())
        is_by_doubt = self._spines is not None and self._spines.is_shown
        n_doubtful = self._table.doubtful_count
        words = [
            (f"All {total:,}", "Show every case", True),
            (f"Doubtful {n_doubtful:,}", "Show spines with doubts that are not done", is_by_doubt),
        ]
        for status, text in STATUS_TEXTS.items():
            shown = status == "todo" or counts[status] > 0
            words.append((f"{text} {counts[status]:,}", f"Show cases with status {text}", shown))
        for place, (text, tip, is_shown) in enumerate(words):
            chip = self._chips.button(place)
            chip.setText(text)
            chip.setToolTip(tip)
            chip.setAccessibleName(text)
            chip.setVisible(is_shown)
        done = counts["done"]
        order = " \u00b7 by doubt" if is_by_doubt else ""
        self.header.set_note(f"{done:,} of {total:,} done{order}" if total else "")
        self._progress.setRange(0, max(1, total))
        self._progress.setValue(done)
        self._progress.setVisible(total > 0)
        self._chip_row.setVisible(total > 0)
        self._show_empty(total)

    def _show_empty(self, total: int) -> None:
        is_empty = self._table.rowCount() == 0
        self._stack.setCurrentWidget(self._empty if is_empty else self._view)
        if not is_empty:
            return
        if total:
            what = f"\u201c{self._search.text()}\u201d" if self._search.text() else "this status"
            self._empty.set_text(
                f"No case fits {what}. Esc in the search field shows all.", with_action=False
            )
        elif self._worklist.is_scanning:
            self._empty.set_text("Looking for cases \u2026", with_action=False)
        elif self._worklist.problems:
            self._empty.set_text("\n".join(self._worklist.problems[:3]))
        elif self._worklist.roots is not None:
            self._empty.set_text(f"No images were found in {self._worklist.roots.images}.")
        else:
            self._empty.set_text("No folder is open. Choose the folder that holds the images.")

    def _show_menu(self, point: QPoint) -> None:
        index = self._view.indexAt(point)
        if index.isValid():
            self._menu(self._table.case(index.row())).popup(
                self._view.viewport().mapToGlobal(point)
            )

    def _menu(self, case: Case) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.setObjectName("caseMenu")
        menu.setToolTipsVisible(True)
        action = menu.addAction(f"Open {case.id}")
        action.triggered.connect(lambda checked=False: self.open_requested.emit(case.id))
        menu.addSeparator()
        opened = self._ws.session.case
        is_open = opened is not None and opened.id == case.id
        for status, text in STATUS_TEXTS.items():
            action = menu.addAction(dot_icon(STATUS_COLOURS[status]), f"Mark {text.lower()}")
            action.setEnabled(is_open and status != case.status)
            if not is_open:
                action.setToolTip("Open the case to change its status")
            action.triggered.connect(
                lambda checked=False, status=status: self.status_requested.emit(case.id, status)
            )
        menu.addSeparator()
        action = menu.addAction(style.icon("mdi6.content-copy"), "Copy folder path")
        action.setToolTip(str(case.folder))
        action.triggered.connect(
            lambda checked=False: QApplication.clipboard().setText(str(case.folder))
        )
        action = menu.addAction(style.icon("mdi6.content-copy"), "Copy id")
        action.triggered.connect(lambda checked=False: QApplication.clipboard().setText(case.id))
        return menu


def _soon(parent: QWidget, function) -> QTimer:  # type: ignore[no-untyped-def]
    """Make a timer that runs ``function`` once in the next turn of the event loop."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(0)
    timer.timeout.connect(function)
    return timer
