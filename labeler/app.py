"""The program: makes state, workflows and widgets, and ties them together.

The only place that knows everybody. ``run`` shows the window, ``snapshot`` draws it off screen.
"""

from __future__ import annotations

import logging
import signal
import sys
from functools import partial
from pathlib import Path
from types import TracebackType

from PyQt5.QtCore import QObject, Qt, QTimer
from PyQt5.QtWidgets import QApplication

from labeler.state.perspective import LIVER, SPINE
from labeler.state.selection import Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_memory import ViewMemory, restored_views
from labeler.storage.cache import VolumeCache
from labeler.storage.cases import Case
from labeler.storage.label_files import load_label_table
from labeler.storage.locations import bundled_folder, user_config_folder
from labeler.storage.log_file import log_to_file
from labeler.storage.proposal_files import ProposalFolder
from labeler.ui import style
from labeler.ui.case_effort import CaseEffort
from labeler.ui.case_list import CaseList
from labeler.ui.case_switcher import CaseSwitcher
from labeler.ui.centroid_actions import CentroidActions
from labeler.ui.choose_dialogs import ask_about_unsaved
from labeler.ui.commands import Commands
from labeler.ui.file_actions import FileActions
from labeler.ui.history_panel import HistoryPanel
from labeler.ui.main_window import MainWindow, Panel
from labeler.ui.mask_panel import MaskPanel
from labeler.ui.model_actions import ModelActions
from labeler.ui.model_panel import ModelPanel
from labeler.ui.qt_messages import log_qt_messages
from labeler.ui.region_actions import RegionActions
from labeler.ui.region_list import RegionList
from labeler.ui.region_panel import RegionPanel
from labeler.ui.report_panel import ReportPanel
from labeler.ui.save_questions import SaveQuestions, ask_to_leave
from labeler.ui.spine_workbench import SpineWorkbench
from labeler.ui.status_bar import StatusBar
from labeler.ui.tool_panel import ToolPanel
from labeler.ui.view_actions import bind_view_commands
from labeler.ui.view_grid import ViewGrid
from labeler.workflows.adjust_windows import auto_windows
from labeler.workflows.follow_case import WorklistFollower
from labeler.workflows.get_ready import GettingReady
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.keep_perspective import PerspectiveKeeper
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.proposal_shelf import ProposalShelf
from labeler.workflows.recent_folders import last_roots
from labeler.workflows.regions import RegionUpdater
from labeler.workflows.review_case import jump_to_region
from labeler.workflows.run_model import ModelRunner
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.settle_centroids import CentroidSettler
from labeler.workflows.settle_notes import NotesSettler
from labeler.workflows.spine_worklist import SpineWorklist
from labeler.workflows.track_effort import EffortTracker
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)

DETAILS = "Detailed information"


class Program(QObject):
    """One window with everything behind it.

    Parameters
    ----------
    remember
        Whether the arrangement and the folders of this run are remembered in the settings.
    """

    def __init__(self, *, remember: bool = True) -> None:
        super().__init__()
        self._remember = remember
        self._may_close_now = False
        self._wanted_id: str | None = None
        settings = Settings(
            user_config_folder() / "settings.toml", bundled_folder("config") / "settings.toml", self
        )
        labels, label_problems = load_label_table()
        data = settings.data
        self.ws = Workspace(
            session=Session(labels, data.editing.undo_mb * 2**20, self),
            selection=Selection(data.editing.brush_mm, self),
            views=restored_views(settings, self),
            settings=settings,
            tasks=TaskRunner(self),
        )
        self.worklist = Worklist(self.ws.tasks, self)
        cache_bytes = int(data.memory.cache_gb * 2**30)
        cache = VolumeCache.default(cache_bytes) if cache_bytes else None
        self.opener = CaseOpener(self.ws, self.worklist, cache, self)
        self.journal = JournalKeeper(self.ws, self)
        self.saver = CaseSaver(self.ws, self.opener, self.journal, self)
        self.effort = EffortTracker(self.ws, self.opener, self)
        self.saver.times = self.effort.times
        self.shelf = ProposalShelf(self.ws, ProposalFolder.default(), self)
        self.models = ModelRunner(self.ws, self.worklist, self.shelf, cache, self)
        self.follower = WorklistFollower(self.ws.session, self.worklist, self.saver, self)
        self.preparation = GettingReady(self.ws.tasks, self)
        self.updater = RegionUpdater(self.ws.session, self.ws.tasks, self)
        self.commands = Commands(data.keys, self)
        self._make_widgets()
        self.memory = ViewMemory(self.ws.views, self.ws.session, settings, self)
        self.perspectives = PerspectiveKeeper(self.ws, self.memory, self)
        self._connect()
        for sentence in [*settings.problems, *label_problems, *self.commands.problems]:
            self.status.show_error(sentence)
        self.views.show_preparing(0.0)
        self.preparation.begin_when_painted(self.views)

    def _make_widgets(self) -> None:
        ws, commands = self.ws, self.commands
        self.views = ViewGrid(ws, commands)
        spines = SpineWorklist(ws, self.worklist, self)
        self.cases = CaseList(ws, commands, self.worklist, spines=spines)
        self.regions = RegionList(ws, commands)
        self.masks = MaskPanel(ws, commands)
        self.region = RegionPanel(ws, commands)
        self.reports = ReportPanel(ws, commands, self.worklist)
        self.history = HistoryPanel(ws, commands)
        self.model_panel = ModelPanel(ws, commands, self.models)
        self.spine = SpineWorkbench(ws, commands, self.views, self)
        effort = CaseEffort(ws, commands, self.opener, self.effort)
        self.status = StatusBar(ws)
        bind_view_commands(ws, commands, self.views)
        left, right = Qt.LeftDockWidgetArea, Qt.RightDockWidgetArea
        self.window = MainWindow(
            commands,
            self.spine.stage,
            ToolPanel(ws, commands),
            self.status,
            (
                Panel("cases", "Cases", self.cases, left, 45, self.cases.header),
                Panel("regions", "Regions", self.regions, left, 55, self.regions.header,
                      only=LIVER),
                Panel("masks", "Masks", self.masks, right, 32, self.masks.header, only=LIVER),
                Panel("region", "Region", self.region, right, 24, self.region.header, only=LIVER),
                Panel("reports", DETAILS, self.reports, right, 44, self.reports.header, only=LIVER),
                Panel("models", "Models", self.model_panel, right, 130, self.model_panel.header,
                      "model.panel", ("region", "reports", "spacing")),
                Panel("history", "History", self.history, right, 30, self.history.header,
                      "edit.history"),
                *self.spine.panels,
                Panel("effort", "This case", effort, right, 12, effort.header, only=SPINE),
            ),
        )  # fmt: skip
        self.window.may_close = self._may_close
        self.switcher = CaseSwitcher(
            ws, self.worklist, self.opener, self.saver, self.journal,
            partial(ask_about_unsaved, self.window), partial(ask_to_leave, self.window),
            self.cases.neighbour, self,
        )  # fmt: skip
        self.files = FileActions(
            ws, commands, self.worklist, self.switcher, self.saver, self.window
        )
        self.acts = RegionActions(
            ws, commands, self.regions, self.opener, self.saver, self.views.preview, self.window
        )
        self.model_acts = ModelActions(
            ws, commands, self.models, self.model_panel, self.views.difference, self.cases,
            self.window,
        )  # fmt: skip
        self.questions = SaveQuestions(
            ws, self.saver, self.journal, NotesSettler(ws, self.opener, self.saver, self.journal),
            self.acts, self.status, self.window,
        )  # fmt: skip
        commands.bind("case.search", self.cases.focus_search)
        self.spine.bind(self.window)

    def _connect(self) -> None:
        ws, status = self.ws, self.status
        self.cases.open_requested.connect(self.switcher.open_case)
        self.opener.opening.connect(self.cases.set_current)
        self.opener.neighbour_of = self.cases.neighbour
        self.switcher.stayed.connect(self.cases.set_current)
        self.switcher.said.connect(status.show_message)
        self.cases.status_requested.connect(self.files.set_case_status)
        self.masks.add_requested.connect(self.acts.add_mask_file)
        self.masks.close_requested.connect(self.acts.close_mask)
        self.masks.said.connect(status.show_message)
        self.files.refused.connect(status.show_message)
        self.acts.refused.connect(status.show_message)
        self.opener.phase_progress.connect(self.views.show_progress)
        self.preparation.progress.connect(self.views.show_preparing)
        self.preparation.ready.connect(lambda: self.views.show_preparing(None))
        self.preparation.ready.connect(self.models.refresh)
        self.opener.loaded.connect(self.shelf.show_here)
        self.opener.loaded.connect(self.model_acts.look_ahead)
        self.model_acts.said.connect(status.show_message)
        self.models.failed.connect(status.show_error)
        ws.tasks.count_changed.connect(self._show_work)
        self.regions.said.connect(status.show_message)
        self.views.refused.connect(status.show_message)
        self.spine.said.connect(status.show_message)
        ws.perspective.changed.connect(self.window.show_perspective)
        self.reports.refused.connect(status.show_message)
        self.journal.failed.connect(status.show_error)
        self.journal.said.connect(status.show_message)
        self.opener.loaded.connect(self.journal.begin)
        self.saver.started.connect(status.show_saving)
        self.saver.saved.connect(lambda moment: status.show_saved())
        self.saver.failed.connect(status.show_save_error)
        ws.tasks.failed.connect(_report_task_failure)
        ws.settings.save_failed.connect(status.show_error)
        self.worklist.problem_found.connect(status.show_error)
        self.worklist.rows_added.connect(self._rows_added)
        self.worklist.scanned.connect(self._scanned)
        self._bind_centroids()
        ws.session.case_opened.connect(self._case_opened)
        ws.session.volume_loaded.connect(self._phase_loaded)
        ws.session.mask_loaded.connect(self._mask_loaded)

    def _bind_centroids(self) -> None:
        acts = CentroidActions(
            self.ws, self.commands, self.worklist, self.cases, self.switcher,
            CentroidSettler(self.ws, self.opener, self.saver), self.window,
        )  # fmt: skip
        acts.refused.connect(self.status.show_message)
        self.saver.centroid_conflict.connect(self.status.show_save_error)
        self.saver.centroid_conflict.connect(acts.settle)

    def show(self) -> None:
        """Show the window where it was the last time."""
        data = self.ws.settings.data.window
        self.window.arrange(data.geometry, {LIVER: data.docks, SPINE: data.spine_docks})
        self.ws.perspective.choose(data.perspective)
        self.window.show()

    def open(self, roots: Roots, case_id: str | None = None) -> None:
        """Show the cases of some folders and, when it turns up, open one of them."""
        self._wanted_id = case_id
        self.files.open_roots(roots)

    def _rows_added(self, _first: int, _last: int) -> None:
        wanted, case = self._wanted_id, self.worklist.case(self._wanted_id or "")
        if wanted is not None and case is not None:
            self._wanted_id = None
            self.switcher.open_case(wanted)

    def _scanned(self) -> None:
        if self._wanted_id is not None:
            self.status.show_error(f"There is no case {self._wanted_id!r} in these folders.")
            self._wanted_id = None

    def has_settled(self) -> bool:
        """Whether everything the window has to show of the chosen case is there."""
        session, tasks = self.ws.session, self.ws.tasks
        return not (
            self._wanted_id is not None
            or not self.preparation.is_ready
            or self.worklist.is_scanning
            or self.opener.is_loading
            or tasks.is_pending_where(lambda key: key == "reports" or _is_showing_task(key))
            or set(session.masks) - set(session.regions)
        )

    def select_region(self, number: int) -> bool:
        """Jump to the ``number``-th region of the list; whether there is one."""
        refs = list(self.regions.table.refs())
        if not 1 <= number <= len(refs):
            return False
        jump_to_region(self.ws, refs[number - 1])
        return True

    def close(self) -> None:
        """Stop everything in the background and free the open case."""
        self.models.close()  # at once: a task that waits for a model would hold the window up
        self.opener.close()
        self.ws.tasks.shutdown()
        if self._remember:
            geometry, docks = self.window.arrangement()
            self.ws.settings.update(
                "window", geometry=geometry, docks=docks.get(LIVER, ""),
                spine_docks=docks.get(SPINE, ""), perspective=self.ws.perspective.name,
            )  # fmt: skip
            self.ws.settings.update("editing", brush_mm=self.ws.selection.brush_mm)
            self.ws.settings.save()

    def _may_close(self) -> bool:
        """Let the window close, now or after the user has decided about unsaved edits."""
        if self._may_close_now:
            return True
        self.switcher.quit(self._close_window)
        return self._may_close_now

    def _close_window(self) -> None:
        self._may_close_now = True
        self.close()
        self.window.close()

    def _case_opened(self, case: Case | None) -> None:
        self.window.setWindowTitle("CT Labeler" if case is None else f"{case.id} - CT Labeler")

    def _phase_loaded(self, phase: str) -> None:
        volumes = self.ws.session.volumes
        if len(volumes) == 1:
            self.ws.views.fit(volumes[phase].grid, self.ws.views.view_size_px)
        is_liver = self.ws.perspective.name == LIVER  # bone has a grey scale of its own
        if self.ws.settings.data.views.auto_contrast and is_liver:
            auto_windows(self.ws, [phase])

    def _mask_loaded(self, name: str) -> None:
        file = self.ws.session.masks[name].file
        if file is not None and file.fingerprint is None:
            # A mask without a file has nothing that its journal could be replayed on.
            QTimer.singleShot(0, self.saver.save_new_masks)

    def _show_work(self, count: int) -> None:
        if self.worklist.is_scanning:
            self.status.show_progress("Looking for cases")
        elif self.opener.is_loading:
            self.status.show_progress(f"Reading {self.opener.current_id}")
        else:
            self.status.hide_progress()


def _is_showing_task(key: object) -> bool:
    """Whether a task's result is part of the picture of the open case, or asks about it."""
    return isinstance(key, tuple) and (
        key[0] in ("case", "regions", "reread", "spine") or key[:2] == ("journal", "begin")
    )


def _report_task_failure(error: Exception) -> None:
    sys.excepthook(type(error), error, error.__traceback__)


def create_application() -> QApplication:
    """Make the Qt application with the program's look (or return the one there is)."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication(["ct-labeler"])
    application.setApplicationName("CT Labeler")
    style.apply_style(application)
    return application


def run(
    images: Path | None,
    masks: Path | None = None,
    reports: tuple[Path, ...] = (),
    case_id: str | None = None,
    layout: str | None = None,
) -> int:
    """Show the window until it is closed; returns the exit code.

    Without ``images`` the folders of the last time are opened.
    """
    log_qt_messages()
    log_to_file()
    application = create_application()
    program = Program()
    _survive_exceptions(program)
    settings = program.ws.settings
    program.preparation.put_garbage_off()
    program.show()
    if images is not None:
        program.open(Roots(images, masks, reports, layout), case_id)
    else:
        last = last_roots(settings)
        if last is not None:
            program.open(last, case_id)
    # Python sees Ctrl+C only when it gets to run; Qt's loop alone would never let it.
    signal.signal(signal.SIGINT, lambda *_: program.window.close())
    ticker = QTimer()
    ticker.timeout.connect(lambda: None)
    ticker.start(200)
    return application.exec_()


def _survive_exceptions(program: Program) -> None:
    """Log what nobody caught and say it in the window, which goes on."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.error("unexpected", exc_info=(kind, error, trace))
        program.status.show_error(
            f"Something went wrong ({kind.__name__}: {error}). Nothing saved was lost."
        )

    sys.excepthook = hook
