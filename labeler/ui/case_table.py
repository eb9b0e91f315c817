"""Item model of the case list: the worklist's rows that fit search and status."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from labeler.core.volume import PHASES
from labeler.state.tasks import TaskContext
from labeler.storage.cases import Case
from labeler.storage.reports import ReportLibrary
from labeler.ui import formats
from labeler.ui.badges import STATUS_TEXTS, phase_title
from labeler.workflows.open_folder import Worklist

CASE_ROLE = int(Qt.UserRole)
COUNT_ROLE = CASE_ROLE + 1
CURRENT_ROLE = CASE_ROLE + 2

#: A shorter word is no status: "d" shall not find everything that is to do.
MIN_STATUS_LETTERS = 3


class CaseTable(QAbstractListModel):
    """Rows of the worklist that fit the search and the chosen status.

    A row whose status changes stays where it is until the filter is set anew: marking a case
    done must not pull the list away under the cursor.
    """

    def __init__(self, worklist: Worklist, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worklist = worklist
        self._status: str | None = None
        self._words: tuple[str, ...] = ()
        self._report_texts: dict[str, str] = {}
        self._current_id: str | None = None
        self._statuses: list[str] = []
        self._rows: list[int] = []
        worklist.reset.connect(self._reset)
        worklist.rows_added.connect(self._add)
        worklist.row_changed.connect(self._change)
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
        if role == CURRENT_ROLE:
            return case.id == self._current_id
        if role == Qt.ToolTipRole:
            return case_tip(case, self._worklist.region_counts.get(case.id))
        return None

    def case(self, row: int) -> Case:
        """Case in a row of this model."""
        return self._worklist.case_at(self._rows[row])

    def row_of(self, case_id: str) -> int | None:
        """Row of a case, ``None`` when it is not shown."""
        row = self._worklist.row_of(case_id)
        return None if row is None else self._position(row)

    @property
    def status_counts(self) -> Counter[str]:
        """Number of cases per status, shown or not."""
        return Counter(self._statuses)

    def set_filter(self, status: str | None, text: str) -> None:
        """Show only cases of a status (``None``: any) that hold every word of ``text``."""
        self._status = status
        self._words = tuple(text.casefold().replace("to do", "todo").split())
        self.beginResetModel()
        self._rows = [row for row in range(len(self._worklist)) if self._fits(row)]
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
        if self._status is not None and case.status != self._status:
            return False
        if not self._words:
            return True
        text = f"{case.id.casefold()}\n{self._report_texts.get(case.id, '')}"
        return all(
            word in text or (len(word) >= MIN_STATUS_LETTERS and word in case.status)
            for word in self._words
        )

    def _position(self, worklist_row: int) -> int | None:
        place = bisect.bisect_left(self._rows, worklist_row)
        found = place < len(self._rows) and self._rows[place] == worklist_row
        return place if found else None

    def _reset(self) -> None:
        self.beginResetModel()
        self._rows.clear()
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
            self.endInsertRows()

    def _change(self, worklist_row: int) -> None:
        self._statuses[worklist_row] = self._worklist.case_at(worklist_row).status
        row = self._position(worklist_row)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))


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
