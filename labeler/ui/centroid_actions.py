"""Binds the commands about centroid files, vertebra masks and the list of spines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtWidgets import QFileDialog, QWidget

from labeler.state.perspective import SPINE
from labeler.state.proposals import PROVENANCE, landmarks_taken
from labeler.storage.cases import new_centroid_path
from labeler.storage.centroid_names import SLICER_SUFFIX, VERSE_SUFFIX, centroid_stem
from labeler.ui.actions import Actions
from labeler.ui.case_list import CaseList
from labeler.ui.case_switcher import CaseSwitcher
from labeler.ui.commands import Commands
from labeler.ui.save_questions import ask_about_centroids
from labeler.workflows.accept_landmarks import proposed_centroids, take_landmarks
from labeler.workflows.centroid_files import export_centroids, open_centroids
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.export_worklist import export_worklist
from labeler.workflows.open_folder import Worklist
from labeler.workflows.settle_centroids import CentroidSettler
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.vertebra_mask_acts import centroids_from_mask, relabel_mask
from labeler.workflows.workspace import Workspace

VERSE_FILTER = f"VerSe centroids (*{VERSE_SUFFIX})"
SLICER_FILTER = f"3D Slicer points (*{SLICER_SUFFIX})"
OPEN_FILTER = "Centroids (*_ctd.json *.mrk.json *.json)"


class CentroidActions(Actions):
    """Acts on the centroids of the open case and on the list of spines."""

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        worklist: Worklist,
        cases: CaseList,
        switcher: CaseSwitcher,
        settler: CentroidSettler,
        window: QWidget,
    ) -> None:
        bindings: dict[str, Callable[..., object]] = {
            "file.open_centroids": self._open,
            "file.export_centroids": self._export,
            "file.export_worklist": self._export_worklist,
            "spine.accept": lambda: switcher.finish_case(cases.next_open),
            "spine.from_mask": lambda: centroids_from_mask(ws, self.refused.emit),
            "spine.relabel_mask": lambda: relabel_mask(ws, self.refused.emit),
            "spine.noted": settler.take_noted,
            "proposal.take_landmarks": self._take,
        }
        super().__init__(ws, commands, window, bindings)
        self._worklist = worklist
        self._settler = settler
        proposals = ws.session.proposals
        proposals.changed.connect(self._follow)
        proposals.decided.connect(self._follow)
        self._follow()

    def settle(self, sentence: str) -> None:
        """Ask what to do about a centroid file that somebody else has changed."""
        case = self._ws.session.case
        case_id = "" if case is None else case.id
        answer = ask_about_centroids(self._window, case_id, sentence)
        if self._ws.session.case is not case:
            return  # the case was left while the question stood there
        if answer == "mine":
            self._settler.keep_mine()
        elif answer == "theirs":
            self._settler.take_theirs()
        elif answer == "copy":
            self._settler.keep_copy_of_mine()

    def _open(self) -> None:
        refuse_read_only(self._ws)
        case = self._ws.session.case
        assert case is not None
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Open centroids", str(case.mask_root), OPEN_FILTER
        )
        if path:
            open_centroids(self._ws, Path(path), self.refused.emit)

    def _export(self) -> None:
        case = self._ws.session.case
        if case is None or not centroids_of(self._ws.session):
            raise EditRefused("There are no centroids to export")
        proposed = case.folder / new_centroid_path(case).name
        path, chosen = QFileDialog.getSaveFileName(
            self._window, "Export centroids", str(proposed), f"{VERSE_FILTER};;{SLICER_FILTER}"
        )
        if path:
            export_centroids(self._ws, with_ending(Path(path), chosen), self.refused.emit)

    def _export_worklist(self) -> None:
        if not len(self._worklist):
            raise EditRefused("There is no case to export: open a folder first (Ctrl+O)")
        folder = self._worklist.mask_root or Path()
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Export worklist", str(folder / "worklist.csv"), "Tables (*.csv)"
        )
        if path:
            target = Path(path) if path.lower().endswith(".csv") else Path(f"{path}.csv")
            export_worklist(self._ws, self._worklist, target, self.refused.emit)

    def _take(self) -> None:
        if take_landmarks(self._ws) is not None:
            self._ws.perspective.choose(SPINE)

    def _follow(self) -> None:
        """Name the command after what it would take, and let it sleep without that."""
        session = self._ws.session
        count = len(proposed_centroids(session.proposals.current))
        proposal = session.proposals.current
        is_taken = proposal is not None and landmarks_taken(
            session.annotations.entries(PROVENANCE), proposal
        )
        action = self._commands.action("proposal.take_landmarks")
        action.setEnabled(count > 0 and not is_taken)
        words = "Centroids taken" if count and is_taken else f"Take {count} centroids"
        action.setText(words if count else "Take centroids")


def with_ending(path: Path, chosen: str) -> Path:
    """Give a file name the ending of the chosen kind, unless it has one of these endings."""
    if centroid_stem(path.name) is not None:
        return path
    stem = path.name.removesuffix(".json")
    return path.with_name(stem + (SLICER_SUFFIX if chosen == SLICER_FILTER else VERSE_SUFFIX))
