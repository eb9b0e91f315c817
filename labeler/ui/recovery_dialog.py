"""Asks what to do with edits that an earlier run did not save."""

from __future__ import annotations

from typing import Literal

from PyQt5.QtWidgets import QMessageBox, QWidget

from labeler.ui import style
from labeler.workflows.keep_journal import Unsaved

Answer = Literal["restore", "keep both", "discard"]

BUTTONS: tuple[tuple[str, QMessageBox.ButtonRole, Answer, str], ...] = (
    ("&Restore", QMessageBox.AcceptRole, "restore", "Bring the changes back; they can be undone"),
    (
        "Keep &both",
        QMessageBox.ActionRole,
        "keep both",
        "Put the changed masks beside the saved ones, under names of their own",
    ),
    ("&Discard", QMessageBox.DestructiveRole, "discard", "Go on with what was saved"),
)


def recovery_question(parent: QWidget | None, case_id: str, unsaved: Unsaved) -> QMessageBox:
    """Make the question."""
    box = QMessageBox(parent)
    box.setObjectName("recoveryQuestion")
    box.setWindowTitle("Unsaved changes found")
    icon = style.icon("mdi6.backup-restore", style.AMBER)
    box.setIconPixmap(icon.pixmap(style.scaled(32), style.scaled(32)))
    box.setText(f"{case_id} was left with {unsaved.text}, which were not saved.")
    strangers = ", ".join(unsaved.recovery.strangers)
    if strangers:
        box.setInformativeText(
            f"{strangers} was changed by somebody else since, so its edits do not fit any more; "
            "they are kept in a file beside the journal."
        )
    buttons = BUTTONS
    if not unsaved.recovery.entries:
        box.setText(f"{case_id} was left with changes that were not saved.")
        buttons = (("&Go on", QMessageBox.AcceptRole, "restore", "Open the case as it was saved"),)
    for words, role, name, tip in buttons:
        button = box.addButton(words, role)
        button.setObjectName(f"recoveryQuestion.{name}")
        button.setToolTip(tip)
        if name == "restore":
            box.setDefaultButton(button)
            box.setEscapeButton(button)
    return box


def ask_about_recovery(parent: QWidget | None, case_id: str, unsaved: Unsaved) -> Answer:
    """Ask once; closing the question restores, which loses nothing."""
    box = recovery_question(parent, case_id, unsaved)
    try:
        box.exec_()
        clicked = box.clickedButton().objectName() if box.clickedButton() else ""
        for _, _, name, _ in BUTTONS:
            if clicked.endswith(name):
                return name
        return "restore"
    finally:
        box.deleteLater()
