"""The worklist as a table: status, levels and doubts of each spine, time and edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from labeler.state.tasks import TaskContext
from labeler.storage.cases import Case, rescan
from labeler.storage.csv_writing import Cell, write_csv
from labeler.storage.errors import SaveError
from labeler.storage.sidecar import load_sidecar
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.open_folder import Worklist
from labeler.workflows.spine_worklist import spine_row
from labeler.workflows.workspace import Workspace

TITLES = (
    "case", "status", "levels", "centroids", "doubts", "worst", "severity", "edits", "active_s",
    "file", "changed",
)  # fmt: skip


def export_worklist(
    ws: Workspace, worklist: Worklist, path: Path, said: Callable[[str], None]
) -> None:
    """Write a row a case of what is on disk, in the order of the folder, in the background.

    Parameters
    ----------
    path
        CSV file.
    said
        Gets how far it is, what was done, or why it was not.

    Raises
    ------
    EditRefused
        When no case is listed.
    """
    cases = worklist.cases
    if not cases:
        raise EditRefused("There is no case to export: open a folder first (Ctrl+O)")

    def failed(error: Exception) -> None:
        if isinstance(error, SaveError):
            said(str(error))
        else:
            ws.tasks.failed.emit(error)

    ws.tasks.submit(
        "io", ("export worklist",), _export, cases, path,
        done=lambda _: said(f"{len(cases)} cases are in {path.name}"), failed=failed,
        progress=lambda fraction, text: said(text),
    )  # fmt: skip


def worklist_rows(cases: Sequence[Case], check: Callable[[], None]) -> Iterator[list[Cell]]:
    """Give the row of each case (see :data:`TITLES`); ``check`` is called before each."""
    for case in cases:
        check()
        now = rescan(case)
        row, notes = spine_row(now), load_sidecar(now.mask_root, now.id).sidecar
        summary, source = row.summary, notes.centroid_file
        file = source.path if source is not None else next((p.name for p in now.landmarks), "")
        yield [
            case.id, now.status, summary.levels, summary.n_centroids, summary.n_doubts,
            summary.reason, round(summary.severity, 2), row.edits, round(row.active_s, 1), file,
            str(notes.times.get("changed", "")),
        ]  # fmt: skip


def _export(context: TaskContext, cases: Sequence[Case], path: Path) -> None:
    rows = []
    for n, row in enumerate(worklist_rows(cases, context.check), start=1):
        rows.append(row)
        if n % 50 == 0:
            context.report(n / len(cases), f"{n} of {len(cases)} cases")
    write_csv(path, TITLES, rows)
