"""How doubtful the spine of each listed case is, worked out in the background from its files.

Only centroid files, notes and the headers of images are read, no voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import GeometryError, Grid
from labeler.core.landmark_checks import check
from labeler.core.spine_summary import SpineSummary, summarize
from labeler.state.perspective import SPINE
from labeler.state.session import Change
from labeler.state.tasks import TaskContext
from labeler.storage.case_centroids import first_header, readable_centroids, with_centroid_file
from labeler.storage.cases import Case, inspect
from labeler.storage.errors import ImageError
from labeler.storage.sidecar import load_sidecar
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_findings import FIELD
from labeler.workflows.track_effort import edits_of, seconds_of
from labeler.workflows.workspace import Workspace

#: Cases that are told of at once.
_BATCH = 100


@dataclass(frozen=True)
class SpineRow:
    """A case as the list of spines shows it.

    Attributes
    ----------
    summary
        Its levels and doubts.
    active_s, edits
        Time and edits that its notes tell of.
    """

    summary: SpineSummary
    active_s: float = 0.0
    edits: int = 0


class SpineWorklist(QObject):
    """Rows of the listed cases; nothing is read before the spine perspective is shown.

    Signals
    -------
    changed
        Many rows are known now, or none any more: the order is another one.
    row_changed
        Id of the open case, whose centroids were edited.
    """

    changed = pyqtSignal()
    row_changed = pyqtSignal(str)

    def __init__(self, ws: Workspace, worklist: Worklist, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._worklist = worklist
        self._rows: dict[str, SpineRow] = {}
        worklist.reset.connect(self._reset)
        worklist.rows_added.connect(lambda first, last: self._look())
        ws.perspective.changed.connect(lambda name: self._look())
        # the state of the spine has heard of these before
        ws.session.changed.connect(self._edited)
        ws.session.volume_loaded.connect(lambda name: self._follow())
        ws.session.regions_changed.connect(lambda name: self._follow())

    @property
    def is_shown(self) -> bool:
        """Whether cases are listed by their spines."""
        return self._ws.perspective.name == SPINE

    @property
    def rows(self) -> Mapping[str, SpineRow]:
        """What is known, by case id."""
        return MappingProxyType(self._rows)

    def _reset(self) -> None:
        self._ws.tasks.cancel("spines")
        self._rows.clear()
        self.changed.emit()

    def _look(self) -> None:
        """Read what is not known yet; a request that is under way is replaced by a larger one."""
        if not self.is_shown:
            return
        unknown = [case for case in self._worklist.cases if case.id not in self._rows]
        if unknown:
            self._ws.tasks.submit("io", "spines", _read_rows, unknown, received=self._received)

    def _received(self, rows: dict[str, SpineRow]) -> None:
        known = {name: row for name, row in rows.items() if self._worklist.case(name) is not None}
        self._rows.update(known)
        self.changed.emit()

    def _edited(self, change: Change) -> None:
        if any(value.field == FIELD for value in change.values):
            self._follow()

    def _follow(self) -> None:
        """Take the row of the open case from the window instead of from its files."""
        spine, case = self._ws.spine, self._ws.session.case
        if case is None or case.id not in self._rows:
            return
        before = self._rows[case.id]
        summary = summarize(spine.centroids, spine.doubts)
        if summary != before.summary:
            self._rows[case.id] = SpineRow(summary, before.active_s, before.edits)
            self.row_changed.emit(case.id)


def spine_row(case: Case) -> SpineRow:
    """Read the row of a case; for any thread. What cannot be read counts as no centroids."""
    if case.landmarks and not case.phases:
        case = inspect(case)  # the headers of its DICOM series tell where voxels are
    notes = with_centroid_file(case, load_sidecar(case.mask_root, case.id)).sidecar
    centroids = readable_centroids(notes.centroids)
    doubts = check(centroids, _grid(case) if centroids else None)
    return SpineRow(summarize(centroids, doubts), seconds_of(notes.times), edits_of(notes.times))


def _grid(case: Case) -> Grid | None:
    try:
        return first_header(case).grid
    except (ImageError, GeometryError):
        return None


def _read_rows(context: TaskContext, cases: Iterable[Case]) -> None:
    rows: dict[str, SpineRow] = {}
    for case in cases:
        context.check()
        rows[case.id] = spine_row(case)
        if len(rows) == _BATCH:
            context.send(rows)
            rows = {}
    if rows:
        context.send(rows)
