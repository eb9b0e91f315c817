"""The worklist: which cases there are, found in the background and shown as they come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.regions import RegionIndex
from labeler.state.tasks import TaskContext, TaskRunner
from labeler.storage.cases import Case, CaseSet, find_reports, inspect, rescan, scan_batches
from labeler.storage.errors import ImageError
from labeler.storage.masks import read_mask
from labeler.storage.reports import ReportLibrary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Roots:
    """Where a worklist comes from; ``masks`` and ``layout`` are found when ``None``."""

    images: Path
    masks: Path | None = None
    reports: tuple[Path, ...] = ()
    layout: str | None = None


class Worklist(QObject):
    """Cases below the chosen folders, in natural order.

    Signals
    -------
    reset
        Another folder was chosen; the list is empty.
    rows_added
        ``(first, last)`` rows that were appended.
    row_changed
        Row whose case is known better now (headers, status, number of regions).
    scanned
        The list is complete.
    problem_found
        A sentence about the folders as a whole.
    reports_changed
        Other report files were read.
    """

    reset = pyqtSignal()
    rows_added = pyqtSignal(int, int)
    row_changed = pyqtSignal(int)
    scanned = pyqtSignal()
    problem_found = pyqtSignal(str)
    reports_changed = pyqtSignal()

    def __init__(self, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.roots: Roots | None = None
        self.mask_root: Path | None = None
        self.layout = ""
        self.reports = ReportLibrary.load(())
        self.problems: list[str] = []
        self.is_scanning = False
        self._tasks = tasks
        self._cases: list[Case] = []
        self._rows: dict[str, int] = {}
        self._region_counts: dict[str, dict[str, int]] = {}
        self._wanted: list[str] = []
        self._after_reread: dict[str, list[Callable[[], None]]] = {}
        tasks.count_changed.connect(self._count_when_idle)

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(self._cases)

    def __len__(self) -> int:
        return len(self._cases)

    def case_at(self, row: int) -> Case:
        return self._cases[row]

    def case(self, case_id: str) -> Case | None:
        row = self._rows.get(case_id)
        return None if row is None else self._cases[row]

    def row_of(self, case_id: str) -> int | None:
        return self._rows.get(case_id)

    @property
    def region_counts(self) -> Mapping[str, dict[str, int]]:
        """Number of regions per mask, by case id, as far as known."""
        return MappingProxyType(self._region_counts)

    def open_roots(self, roots: Roots) -> None:
        """Forget the list and fill it anew from these folders."""
        for key in ("inspect", "count"):
            self._tasks.cancel(key)
        self._tasks.cancel_where(lambda key: isinstance(key, tuple) and key[0] == "reread")
        self._after_reread.clear()
        self.roots = roots
        self._cases.clear()
        self._rows.clear()
        self._region_counts.clear()
        self._wanted.clear()
        self.problems.clear()
        self.mask_root, self.layout = roots.masks, roots.layout or ""
        self.is_scanning = True
        self.reset.emit()
        self._tasks.submit(
            "io", "scan", _scan, roots, received=self._add_batch, done=self._scan_done,
            failed=self._scan_failed,
        )  # fmt: skip
        self._tasks.submit(
            "io", "reports", _load_reports, roots, done=self._set_reports,
            failed=self._reports_failed,
        )  # fmt: skip

    def request_cases(self, case_ids: Iterable[str]) -> None:
        """Ask for headers and region counts of these cases, those on the screen."""
        visible = [self._cases[self._rows[name]] for name in case_ids if name in self._rows]
        self._wanted = [case.id for case in visible]
        unknown = [case for case in visible if not case.is_inspected]
        if unknown:
            self._tasks.submit("io", "inspect", _inspect_all, unknown, received=self._inspected)
        self._count_when_idle(self._tasks.pending_count)

    def update_case(self, case: Case) -> None:
        """Replace what is known of a case."""
        row = self._rows.get(case.id)
        if row is not None and self._cases[row] != case:
            self._cases[row] = case
            self.row_changed.emit(row)

    def _inspected(self, case: Case) -> None:
        """Take what the headers say; the status may have changed since they were asked for."""
        now = self.case(case.id)
        if now is not None:
            self.update_case(replace(case, status=now.status))

    def set_status(self, case_id: str, status: str) -> None:
        """Show another status for a case (the sidecar is written elsewhere)."""
        case = self.case(case_id)
        if case is not None:
            self.update_case(replace(case, status=status))

    def set_region_counts(self, case_id: str, counts: dict[str, int]) -> None:
        row = self._rows.get(case_id)
        if row is not None and self._region_counts.get(case_id) != counts:
            self._region_counts[case_id] = counts
            self.row_changed.emit(row)

    def reread(self, case_id: str, then: Callable[[], None] | None = None) -> None:
        """Look at a case's files anew, in the background; ``then`` is called afterwards.

        For when a phase was assigned or a mask was added.
        """
        case = self.case(case_id)
        if case is None:
            return
        if then is not None:
            self._after_reread.setdefault(case_id, []).append(then)
        self._tasks.submit(
            "io", ("reread", case_id), _rescan, case,
            done=self._reread, failed=partial(self._not_reread, case_id),
        )  # fmt: skip

    def _reread(self, fresh: Case) -> None:
        now = self.case(fresh.id)
        if now is not None:
            self.update_case(replace(fresh, status=now.status))  # set since, or not saved yet
            self.request_cases(dict.fromkeys([*self._wanted, fresh.id]))  # its headers are unread
        for call in self._after_reread.pop(fresh.id, []):
            call()

    def _not_reread(self, case_id: str, error: Exception) -> None:
        self._after_reread.pop(case_id, None)
        self._add_problem(f"The files of {case_id} cannot be looked at: {error}", error)

    def neighbour(self, case_id: str, step: int) -> str | None:
        """Id of the case ``step`` rows below (negative: above)."""
        row = self._rows.get(case_id)
        if row is None or not 0 <= row + step < len(self._cases):
            return None
        return self._cases[row + step].id

    def _add_batch(self, batch: CaseSet) -> None:
        self.mask_root, self.layout = batch.mask_root, batch.layout
        for sentence in batch.problems:
            self._add_problem(sentence)
        if batch.cases:
            first = len(self._cases)
            for case in batch.cases:
                self._rows[case.id] = len(self._cases)
                self._cases.append(case)
            self.rows_added.emit(first, len(self._cases) - 1)

    def _scan_done(self, _result: None) -> None:
        self.is_scanning = False
        self.scanned.emit()

    def _scan_failed(self, error: Exception) -> None:
        self._add_problem(f"The search for cases ended early: {error}", error)
        self._scan_done(None)

    def _reports_failed(self, error: Exception) -> None:
        self._add_problem(f"The reports cannot be read: {error}", error)

    def _add_problem(self, sentence: str, error: Exception | None = None) -> None:
        if error is not None:
            log.warning("%s", sentence, exc_info=None if isinstance(error, OSError) else error)
        self.problems.append(sentence)
        self.problem_found.emit(sentence)

    def _set_reports(self, library: ReportLibrary) -> None:
        self.reports = library
        for sentence in library.problems:
            self._add_problem(sentence)
        self.reports_changed.emit()

    def _count_when_idle(self, pending: int) -> None:
        """Count regions of visible cases one by one while nothing else is going on."""
        if pending or not self._wanted:
            return
        for case_id in self._wanted:
            case = self.case(case_id)
            if case is not None and case.masks and case_id not in self._region_counts:
                self._tasks.submit(
                    "io", "count", _count_regions, case,
                    done=partial(self.set_region_counts, case_id),
                    failed=partial(self._count_failed, case_id),
                )  # fmt: skip
                return

    def _count_failed(self, case_id: str, error: Exception) -> None:
        log.warning("regions not counted: %s", error)
        self.set_region_counts(case_id, {})


def _scan(context: TaskContext, roots: Roots) -> None:
    for batch in scan_batches(
        roots.images, roots.masks, roots.layout, should_stop=lambda: context.is_cancelled
    ):
        context.check()
        context.send(batch)


def _load_reports(context: TaskContext, roots: Roots) -> ReportLibrary:
    return ReportLibrary.load(roots.reports or find_reports(roots.images))


def _rescan(context: TaskContext, case: Case) -> Case:
    return rescan(case)


def _inspect_all(context: TaskContext, cases: Iterable[Case]) -> None:
    for case in cases:
        context.check()
        context.send(inspect(case))


def _count_regions(context: TaskContext, case: Case) -> dict[str, int]:
    counts: dict[str, int] = {}
    for source in case.masks:
        context.check()
        if any(text.startswith(f"Mask {source.name}: ") for text in case.problems):
            continue  # it will not be shown
        try:
            mask = read_mask(source.path, source.name, context).mask
        except ImageError as error:
            log.info("regions not counted: %s", error)
            continue
        counts[source.name] = len(RegionIndex.build(mask.name, mask.array, mask.grid).regions)
    return counts
