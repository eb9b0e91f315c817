"""Binds the commands of menus "File", "Case" and "Help"."""

from __future__ import annotations

from PyQt5.QtWidgets import QMessageBox, QWidget

from labeler import __version__
from labeler.ui.actions import Actions, is_accepted
from labeler.ui.case_switcher import CaseSwitcher
from labeler.ui.commands import Commands
from labeler.ui.keys_dialog import KeysDialog
from labeler.ui.open_dialog import OpenDialog
from labeler.ui.phases_dialog import PhasesDialog
from labeler.ui.settings_dialog import SettingsDialog
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.recent_folders import remember_roots
from labeler.workflows.review_case import set_status
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.workspace import Workspace

ABOUT = """<h3>CT Labeler {version}</h3>
<p>Label, review and correct masks of multi-phase CT.</p>
<p>For research. Not a medical device; not for diagnosis or treatment.</p>
<p>Licence: GNU General Public License, version 3 or later.</p>"""


class FileActions(Actions):
    """Folders, cases, settings and help."""

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        worklist: Worklist,
        switcher: CaseSwitcher,
        saver: CaseSaver,
        window: QWidget,
    ) -> None:
        super().__init__(
            ws,
            commands,
            window,
            {
                "file.open": self._open,
                "file.save": lambda: saver.save(),
                "file.settings": lambda: is_accepted(SettingsDialog(ws, commands, window)),
                "file.quit": window.close,
                "case.next": lambda: switcher.go(1),
                "case.previous": lambda: switcher.go(-1),
                "case.done": switcher.finish_case,
                "case.flag": self._flag,
                "case.phases": self._phases,
                "help.keys": self._keys,
                "help.about": self._about,
            },
        )
        self._worklist = worklist
        self._switcher = switcher
        self._saver = saver
        worklist.reset.connect(self._remember_roots)
        ws.session.case_opened.connect(self._show_flag)
        ws.session.changed.connect(self._show_flag)

    def open_roots(self, roots: Roots) -> None:
        """Show the cases of some folders and remember these."""
        self._switcher.open_roots(roots)

    def _remember_roots(self) -> None:
        if self._worklist.roots is not None:
            remember_roots(self._ws.settings, self._worklist.roots)

    def set_case_status(self, case_id: str, status: str) -> None:
        """Set the status of the open case, or say that another one has to be opened."""
        case = self._ws.session.case
        if case is None or case.id != case_id:
            self.refused.emit("Open the case to change its status.")
        elif self._ws.session.read_only_reason:
            self.refused.emit(self._ws.session.read_only_reason)
        else:
            set_status(self._ws, status)

    def _open(self) -> None:
        dialog = OpenDialog(self._ws, self._worklist.roots, self._window)
        if is_accepted(dialog):
            self.open_roots(dialog.roots())

    def _keys(self) -> None:
        profile = self._ws.settings.data.mouse.profile
        is_accepted(KeysDialog(self._commands, profile, self._window))

    def _about(self) -> None:
        QMessageBox.about(self._window, "About CT Labeler", ABOUT.format(version=__version__))

    def _flag(self, flagged: bool) -> None:
        case = self._ws.session.case
        if case is not None:
            self.set_case_status(case.id, "flagged" if flagged else "in progress")
        self._show_flag()

    def _show_flag(self, *_: object) -> None:
        session = self._ws.session
        flagged = session.case is not None and session.annotations.get("status", "") == "flagged"
        self._commands.action("case.flag").setChecked(flagged)

    def _phases(self) -> None:
        case = self._ws.session.case
        reason = "Open a case first." if case is None else self._ws.session.read_only_reason
        if case is None or reason:
            self.refused.emit(reason or "")
            return
        dialog = PhasesDialog(case, self._window)
        if is_accepted(dialog) and dialog.assignment():
            self._saver.assign_phases(dialog.assignment(), self._switcher.reopen_case)
