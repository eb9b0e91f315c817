"""Questions that come up while a case is opened, saved or left: what was found, what now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from labeler.ui import style
from labeler.ui.recovery_dialog import ask_about_recovery
from labeler.ui.region_actions import RegionActions
from labeler.ui.status_bar import StatusBar
from labeler.workflows.keep_journal import JournalKeeper, Unsaved
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.settle_notes import NotesSettler
from labeler.workflows.workspace import Workspace

NotesAnswer = Literal["mine", "theirs", "copy", "later"]

NOTES_BUTTONS: tuple[tuple[str, QMessageBox.ButtonRole, NotesAnswer, str], ...] = (
    (
        "Keep &mine",
        QMessageBox.AcceptRole,
        "mine",
        "Save your notes; theirs stay in a file beside them",
    ),
    (
        "Take &theirs",
        QMessageBox.ActionRole,
        "theirs",
        "Show their notes instead of yours; Ctrl+Z brings yours back",
    ),
    (
        "Save a &copy",
        QMessageBox.ActionRole,
        "copy",
        "Put your notes into a file beside theirs, then show theirs",
    ),
    ("&Later", QMessageBox.RejectRole, "later", "Change nothing; saving asks again  (Esc)"),
)

CENTROIDS_TIPS: Mapping[NotesAnswer, str] = {
    "mine": "Save your centroids; theirs stay in a file beside them",
    "theirs": "Show their centroids instead of yours; Ctrl+Z brings yours back",
    "copy": "Put your centroids into a file beside theirs, then show theirs",
    "later": "Change nothing; saving asks again  (Esc)",
}


class SaveQuestions(QObject):
    """Asks what the workflows of saving cannot decide, and hands them the answer."""

    def __init__(
        self,
        ws: Workspace,
        saver: CaseSaver,
        journal: JournalKeeper,
        settler: NotesSettler,
        acts: RegionActions,
        status: StatusBar,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._ws = ws
        self._journal = journal
        self._settler = settler
        self._acts = acts
        self._status = status
        self._window = window
        saver.conflict.connect(self._mask_changed)
        saver.notes_conflict.connect(self._notes_changed)
        journal.unsaved_found.connect(self._unsaved_found)

    @property
    def _case_id(self) -> str:
        case = self._ws.session.case
        return "" if case is None else case.id

    def _unsaved_found(self, unsaved: Unsaved) -> None:
        act = {
            "restore": self._journal.restore,
            "keep both": self._journal.keep_both,
            "discard": self._journal.discard,
        }[ask_about_recovery(self._window, self._case_id, unsaved)]
        act()

    def _mask_changed(self, mask: str, sentence: str) -> None:
        self._status.show_save_error(sentence)
        self._acts.save_copy(mask, sentence)

    def _notes_changed(self, sentence: str) -> None:
        self._status.show_save_error(sentence)
        case_id = self._case_id
        answer = ask_about_notes(self._window, case_id, sentence)
        if case_id != self._case_id:
            return  # the case was left while the question stood there
        if answer == "mine":
            self._settler.keep_mine()
        elif answer == "theirs":
            self._settler.take_theirs()
        elif answer == "copy":
            self._settler.keep_copy_of_mine()


def stuck_question(parent: QWidget | None, case_id: str) -> QMessageBox:
    """Make the question whether to leave a case whose saving does not end."""
    box = QMessageBox(parent)
    box.setObjectName("stuckQuestion")
    box.setWindowTitle("Still saving")
    icon = style.icon("mdi6.content-save-alert-outline", style.AMBER)
    box.setIconPixmap(icon.pixmap(style.scaled(32), style.scaled(32)))
    box.setText(f"{case_id} is still being saved; the drive does not answer.")
    box.setInformativeText(
        "You may leave without waiting. Your changes are in the journal on this computer: opening "
        "the case again offers what was not saved."
    )
    for words, role, name, tip in (
        ("&Wait", QMessageBox.RejectRole, "wait", "Close when everything is saved  (Esc)"),
        ("&Leave", QMessageBox.DestructiveRole, "leave", "Close the program now"),
    ):
        button = box.addButton(words, role)
        button.setObjectName(f"stuckQuestion.{name}")
        button.setToolTip(tip)
        if name == "wait":
            box.setDefaultButton(button)
            box.setEscapeButton(button)
    return box


def ask_to_leave(parent: QWidget | None, case_id: str) -> bool:
    """Ask whether to leave a case whose saving does not end."""
    box = stuck_question(parent, case_id)
    try:
        box.exec_()
        clicked = box.clickedButton()
        return clicked is not None and clicked.objectName() == "stuckQuestion.leave"
    finally:
        box.deleteLater()


def notes_question(parent: QWidget | None, case_id: str, sentence: str) -> QMessageBox:
    """Make the question what to do about notes that somebody else has changed."""
    box = _theirs_or_mine(parent, "notesQuestion", {name: tip for _, _, name, tip in NOTES_BUTTONS})
    box.setWindowTitle("Notes changed by somebody else")
    box.setText(f"Your notes of {case_id} were not saved.")
    box.setInformativeText(
        f"{sentence}\n\nNotes are status, comments, review ticks, axes and shifts; masks have "
        "files of their own."
    )
    return box


def centroids_question(parent: QWidget | None, case_id: str, sentence: str) -> QMessageBox:
    """Make the question what to do about a centroid file that somebody else has changed."""
    box = _theirs_or_mine(parent, "centroidsQuestion", CENTROIDS_TIPS)
    box.setWindowTitle("Centroids changed by somebody else")
    box.setText(f"Your centroids of {case_id} were not saved.")
    box.setInformativeText(sentence)
    return box


def _theirs_or_mine(
    parent: QWidget | None, question: str, tips: Mapping[NotesAnswer, str]
) -> QMessageBox:
    box = QMessageBox(parent)
    box.setObjectName(question)
    icon = style.icon("mdi6.account-edit-outline", style.AMBER)
    box.setIconPixmap(icon.pixmap(style.scaled(32), style.scaled(32)))
    for words, role, name, _ in NOTES_BUTTONS:
        button = box.addButton(words, role)
        button.setObjectName(f"{question}.{name}")
        button.setToolTip(tips[name])
        if name == "later":
            box.setDefaultButton(button)
            box.setEscapeButton(button)
    return box


def ask_about_notes(parent: QWidget | None, case_id: str, sentence: str) -> NotesAnswer:
    """Ask whose notes to keep; closing the question changes nothing."""
    return _answer(notes_question(parent, case_id, sentence))


def ask_about_centroids(parent: QWidget | None, case_id: str, sentence: str) -> NotesAnswer:
    """Ask whose centroids to keep; closing the question changes nothing."""
    return _answer(centroids_question(parent, case_id, sentence))


def _answer(box: QMessageBox) -> NotesAnswer:
    try:
        box.exec_()
        clicked = box.clickedButton().objectName() if box.clickedButton() else ""
        question = box.objectName()
        return next(
            (name for _, _, name, _ in NOTES_BUTTONS if clicked == f"{question}.{name}"), "later"
        )
    finally:
        box.deleteLater()
