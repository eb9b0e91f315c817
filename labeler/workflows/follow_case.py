"""Keeps the worklist's row of the open case as the case is: regions, status, files of masks."""

from __future__ import annotations

from PyQt5.QtCore import QObject

from labeler.state.session import Change, Session
from labeler.workflows.open_folder import Worklist
from labeler.workflows.save_case import CaseSaver


class WorklistFollower(QObject):
    """Listens to the session and to saving, and tells the worklist."""

    def __init__(
        self,
        session: Session,
        worklist: Worklist,
        saver: CaseSaver,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._worklist = worklist
        session.regions_changed.connect(self._regions_counted)
        session.changed.connect(self._changed)
        saver.saved.connect(self._saved)

    def _regions_counted(self, _mask: str) -> None:
        case = self._session.case
        if case is not None:
            counts = {mask: len(index.regions) for mask, index in self._session.regions.items()}
            self._worklist.set_region_counts(case.id, counts)

    def _changed(self, change: Change) -> None:
        case = self._session.case
        if case is not None and any(value.field == "status" for value in change.values):
            status = self._session.annotations.get("status", "", "todo")
            self._worklist.set_status(case.id, status)

    def _saved(self, _moment: object) -> None:
        """Look at the files anew when a mask has one that the case does not know."""
        case = self._session.case
        if case is not None and set(self._session.masks) - {mask.name for mask in case.masks}:
            self._worklist.reread(case.id)
