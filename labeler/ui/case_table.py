"""Item model of the case list: the worklist's rows that fit search and status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from labeler.core.volume import PHASES
from labeler.state.tasks import TaskContext
from labeler.storage.cases import Case
from labeler.storage.proposal_files import Waiting
from labeler.storage.reports import ReportLibrary
from labeler.ui import formats
from labeler.ui.badges import STATUS_TEXTS, phase_title
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_worklist import SpineRow, SpineWorklist

CASE_ROLE = int(Qt.UserRole)
COUNT_ROLE = CASE_ROLE + 1
CURRENT_ROLE = CASE_ROLE + 2
SPINE_ROLE = CASE_ROLE + 3
WAITING_ROLE = CASE_ROLE + 4

#: Filter that is no status: cases with doubts that nobody has settled.
DOUBTFUL = "doubtful"

#: A shorter word is no status: "d" shall not find everything that is to do.
MIN_STATUS_LETTERS = 3

#: Spines that are not read yet stand behind those with doubts and before those without centroids.
UNKNOWN_RANK = (0.5, 0)


class CaseTable(QAbstractListModel):
    """Rows of the worklist that fit the search and the chosen status.

    A row whose status changes stays where it is until the filter is set anew: marking a case
    done must not pull the list away under the cursor. While spines are listed, the most doubtful
    one stands first; edits change no place either.
    """

    def __init__(
        self,
        worklist: Worklist,
        spines: SpineWorklist | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worklist = worklist
        self._spines = spines
        self._places: dict[int, int] = {}
        self._status: str | None = None
        self._words: tuple[str, ...] = ()
        self._report_texts: dict[str, str] = {}
        self._current_id: str | None = None
        self._statuses: list[str] = []
        self._rows: list[int] = []
        self._waiting: Callable[[Case], Waiting | None] = _nothing_waits
        worklist.reset.connect(self._reset)
        worklist.rows_added.connect(self._add)
        worklist.row_changed.connect(self._change)
        if spines is not None:
            spines.row_changed.connect(self._spine_changed)
        if len(worklist):
            self._add(0, len(worklist) - 1)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 (Qt signature)
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        if not index.isValid():
            return None
        case = self.case(index.row())
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return case.id
        if role == CASE_ROLE:
            return case
        if role == COUNT_ROLE:
            counts = self._worklist.region_counts.get(case.id)
            return None if counts is None else sum(counts.values())
        if role == SPINE_ROLE:
            return self.spine(case.id)
        if role == CURRENT_ROLE:
            return case.id == self._current_id
        if role == WAITING_ROLE:
            return self._waiting(case)
        if role == Qt.ToolTipRole:
            tip = case_tip(case, self._worklist.region_counts.get(case.id))
            tip += waiting_tip(self._waiting(case))
            spine = self.spine(case.id)
            return tip if spine is None else f"{tip}\n{spine_tip(spine)}"
        return None

    def set_waiting(self, waiting: Callable[[Case], Waiting | None]) -> None:
        """Show which cases have a proposal of a model that waits for them."""
        self._waiting = waiting
        self.show_waiting()

    def show_waiting(self) -> None:
        """Look again which cases have one."""
        if self._rows:
            last = self.index(len(self._rows) - 1)
            self.dataChanged.emit(self.index(0), last, [WAITING_ROLE])

    def case(self, row: int) -> Case:
        """Case in a row of this model."""
        return self._worklist.case_at(self._rows[row])

    def row_of(self, case_id: str) -> int | None:
        """Row of a case, ``None`` when it is not shown."""
        row = self._worklist.row_of(case_id)
        return None if row is None else self._position(row)

    def spine(self, case_id: str) -> SpineRow | None:
        """What is known of a case's spine, while spines are listed."""
        if self._spines is None or not self._spines.is_shown:
            return None
        return self._spines.rows.get(case_id)

    @property
    def doubtful_count(self) -> int:
        """Number of cases with doubts that are not done, shown or not."""
        return sum(map(self._is_doubtful, self._worklist.cases))

    @property
    def status_counts(self) -> Counter[str]:
        """Number of cases per status, shown or not."""
        return Counter(self._statuses)

    def set_filter(self, status: str | None, text: str) -> None:
        """Show only cases of a status (``None``: any) that hold every word of ``text``.

        Instead of a status, :data:`DOUBTFUL` may be given.
        """
        self._status = status
        self._words = tuple(text.casefold().replace("to do", "todo").split())
        self.refill()

    def refill(self) -> None:
        """Choose and sort the rows anew."""
        self.beginResetModel()
        self._rows = [row for row in range(len(self._worklist)) if self._fits(row)]
        if self._spines is not None and self._spines.is_shown:
            self._rows.sort(key=self._rank)
        self._number_rows(0)
        self.endResetModel()

    def set_report_texts(self, texts: dict[str, str]) -> None:
        """Make the text of reports findable (see :func:`report_texts`)."""
        self._report_texts = texts

    def set_current(self, case_id: str | None) -> None:
        """Mark the open case."""
        for name in {self._current_id, case_id} - {None}:
            self._current_id = case_id
            row = self.row_of(name)  # type: ignore[arg-type]
            if row is not None:
                self.dataChanged.emit(self.index(row), self.index(row), [CURRENT_ROLE])

    def _fits(self, row: int) -> bool:
        case = self._worklist.case_at(row)
        if self._status == DOUBTFUL:
            if not self._is_doubtful(case):
                return False
        elif self._status is not None and case.status != self._status:
            return False
        if not self._words:
            return True
        text = f"{case.id.casefold()}\n{self._report_texts.get(case.id, '')}"
        return all(
            word in text or (len(word) >= MIN_STATUS_LETTERS and word in case.status)
            for word in self._words
        )

    def _is_doubtful(self, case: Case) -> bool:
        spine = self.spine(case.id)
        return spine is not None and bool(spine.summary.n_doubts) and case.status != "done"

    def _rank(self, worklist_row: int) -> tuple[tuple[float, int], int]:
        spine = self.spine(self._worklist.case_at(worklist_row).id)
        return (UNKNOWN_RANK if spine is None else spine.summary.rank), worklist_row

    def _position(self, worklist_row: int) -> int | None:
        return self._places.get(worklist_row)

    def _number_rows(self, first: int) -> None:
        """Note where each row of the worklist stands, from one on."""
        if first == 0:
            self._places.clear()
        for place in range(first, len(self._rows)):
            self._places[self._rows[place]] = place

    def _reset(self) -> None:
        self.beginResetModel()
        self._rows.clear()
        self._places.clear()
        self._statuses.clear()
        self._report_texts = {}
        self.endResetModel()

    def _add(self, first: int, last: int) -> None:
        new = range(first, last + 1)
        self._statuses += [self._worklist.case_at(row).status for row in new]
        fitting = [row for row in new if self._fits(row)]
        if fitting:
            start = len(self._rows)
            self.beginInsertRows(QModelIndex(), start, start + len(fitting) - 1)
            self._rows += fitting
            self._number_rows(start)
            self.endInsertRows()

    def _change(self, worklist_row: int) -> None:
        self._statuses[worklist_row] = self._worklist.case_at(worklist_row).status
        row = self._position(worklist_row)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _spine_changed(self, case_id: str) -> None:
        row = self.row_of(case_id)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row), [SPINE_ROLE])


def report_texts(
    context: TaskContext, library: ReportLibrary, case_ids: Iterable[str]
) -> dict[str, str]:
    """Collect the text of each case's reports for searching; a background task."""
    texts = {}
    for case_id in case_ids:
        context.check()
        rows = library.rows_for(case_id)
        if rows:
            cells = (cell for row in rows for cell in row.values.values())
            texts[case_id] = "\n".join(cells).casefold()
    return texts


def _nothing_waits(case: Case) -> Waiting | None:
    return None


def waiting_tip(waiting: Waiting | None) -> str:
    """Lines about a proposal that waits for a case, each after a line break."""
    if waiting is None:
        return ""
    return "".join(f"\n{line}" for line in (f"{waiting.title} proposes", *waiting.warnings))


def case_tip(case: Case, counts: dict[str, int] | None) -> str:
    """Describe a case for its tooltip: phases, masks, problems."""
    lines = [case.id, STATUS_TEXTS.get(case.status, case.status)]
    for phase in (*PHASES, *(name for name in case.phases if name not in PHASES)):
        source = case.phases.get(phase)
        if source is None:
            lines.append(f"{phase}: no {phase_title(phase).lower()} phase")
        else:
            shape = "" if source.shape_ijk is None else "x".join(map(str, source.shape_ijk))
            lines.append(f"{phase}: {source.path.name}  {shape}".rstrip())
    for mask in case.masks:
        number = (counts or {}).get(mask.name)
        found = "" if number is None else f", {formats.count(number, 'region')}"
        lines.append(f"Mask {mask.name}{found}")
    return "\n".join([*lines, *case.problems, *case.notes])


def spine_tip(spine: SpineRow) -> str:
    """Describe the spine of a case for its tooltip."""
    summary = spine.summary
    if not summary.n_centroids:
        return "No centroids"
    doubts = formats.count(summary.n_doubts, "doubt") if summary.n_doubts else "no doubt"
    lines = [f"{summary.levels}: {formats.count(summary.n_centroids, 'centroid')}, {doubts}"]
    if spine.active_s or spine.edits:
        lines.append(f"{formats.count(spine.edits, 'edit')}, {spine.active_s:.0f} s active")
    return "\n".join(lines)
