"""Short questions: which label, which mask, what name, what about unsaved changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from PyQt5.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QWidget,
)

from labeler.core.labels import LabelTable
from labeler.ui import style
from labeler.ui.dialog import Dialog
from labeler.ui.label_picker import LabelPicker
from labeler.workflows.add_mask import checked_name, free_name, taken_names
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace

Answer = Literal["save", "discard", "stay"]


class LabelDialog(Dialog):
    """Asks for a label: type a few letters, Enter."""

    def __init__(
        self, title: str, labels: LabelTable, current: int, parent: QWidget | None = None
    ) -> None:
        super().__init__("labelDialog", title, "Take label", parent)
        self._picker = LabelPicker(labels, current, self)
        self.content.addWidget(self._picker)
        self._picker.chosen.connect(self.accept)
        self._picker.current_changed.connect(self._show_current)
        self._picker.setFocus()
        self.resize(style.scaled(320), style.scaled(400))

    def _show_current(self, value: int) -> None:
        assert self.ok is not None
        self.ok.setEnabled(bool(value))

    @property
    def value(self) -> int:
        """Value of the label under the cursor."""
        return self._picker.value


class MaskDialog(Dialog):
    """Asks for one of the case's masks."""

    def __init__(self, title: str, names: Iterable[str], parent: QWidget | None = None) -> None:
        super().__init__("maskDialog", title, "Take mask", parent)
        self._list = QListWidget(self)
        self._list.setObjectName("maskChoices")
        self._list.setAccessibleName("Masks")
        self._list.setToolTip("Enter or double click takes the mask")
        self._list.addItems(list(names))
        self._list.setCurrentRow(0)
        self._list.itemActivated.connect(lambda item: self.accept())
        self.content.addWidget(self._list)
        self._list.setFocus()
        self.resize(style.scaled(320), style.scaled(240))

    @property
    def name(self) -> str:
        """Name of the mask under the cursor."""
        item = self._list.currentItem()
        return "" if item is None else item.text()


class MaskNameDialog(Dialog):
    """Asks for the name of a new mask and says at once when it cannot be one."""

    def __init__(
        self,
        ws: Workspace,
        title: str,
        text: str,
        suggestion: str,
        parent: QWidget | None = None,
        *,
        ok: str = "Add mask",
    ) -> None:
        super().__init__("maskNameDialog", title, ok, parent)
        self._ws = ws
        self.add_text(text)
        self._field = QLineEdit(free_name(suggestion, taken_names(ws.session)), self)
        self._field.setObjectName("maskName")
        self._field.setAccessibleName("Name of the mask")
        self._field.setToolTip("Becomes the name of the file")
        self._field.selectAll()
        self.content.addWidget(self._field)
        self._problem = self.add_text("", role="look")
        self._problem.setObjectName("maskNameProblem")
        self.content.addStretch(1)
        self._field.textChanged.connect(self._check)
        self._check()
        self.resize(style.scaled(380), style.scaled(180))

    @property
    def name(self) -> str:
        return self._field.text().strip()

    def _check(self) -> None:
        problem = ""
        try:
            checked_name(self._ws, self._field.text())
        except EditRefused as refusal:
            problem = f"{refusal}."
        self._problem.setText(problem)
        assert self.ok is not None
        self.ok.setEnabled(not problem)


def choose_label(title: str, labels: LabelTable, current: int, parent: QWidget) -> int | None:
    """Ask for a label; ``None`` when the user thinks better of it."""
    dialog = LabelDialog(title, labels, current, parent)
    try:
        return dialog.value if dialog.exec_() == QDialog.Accepted else None
    finally:
        dialog.deleteLater()


def choose_mask(title: str, names: Iterable[str], parent: QWidget) -> str | None:
    """Ask for one of the case's masks."""
    dialog = MaskDialog(title, names, parent)
    try:
        return dialog.name if dialog.exec_() == QDialog.Accepted else None
    finally:
        dialog.deleteLater()


def ask_mask_name(
    ws: Workspace,
    title: str,
    text: str,
    suggestion: str,
    parent: QWidget,
    *,
    ok: str = "Add mask",
) -> str | None:
    """Ask for the name of a new mask."""
    dialog = MaskNameDialog(ws, title, text, suggestion, parent, ok=ok)
    try:
        return dialog.name if dialog.exec_() == QDialog.Accepted else None
    finally:
        dialog.deleteLater()


def unsaved_question(
    parent: QWidget | None,
    what: str,
    further: str = "Save them before leaving the case?",
    name: str = "saveQuestion",
) -> QMessageBox:
    """Make the question what to do with the unsaved changes of a case or mask."""
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setWindowTitle("Unsaved changes")
    box.setIconPixmap(
        style.icon("mdi6.content-save-alert-outline", style.AMBER).pixmap(
            style.scaled(32), style.scaled(32)
        )
    )
    box.setText(f"{what} has changes that are not saved.")
    box.setInformativeText(further)
    for words, role, answer, tip in (
        ("&Save", QMessageBox.AcceptRole, "save", "Write the changes, then go on  (Enter)"),
        ("&Discard", QMessageBox.DestructiveRole, "discard", "Forget the changes and go on"),
        ("S&tay", QMessageBox.RejectRole, "stay", "Leave everything as it is  (Esc)"),
    ):
        button = box.addButton(words, role)
        button.setObjectName(f"{name}.{answer}")
        button.setToolTip(tip)
        if answer == "save":
            box.setDefaultButton(button)
        if answer == "stay":
            box.setEscapeButton(button)
    return box


def ask_about_unsaved(parent: QWidget | None, case_id: str) -> Answer:
    """Ask once what to do with the unsaved changes of a case."""
    return _answer(unsaved_question(parent, case_id))


def ask_about_unsaved_mask(parent: QWidget | None, mask: str) -> Answer:
    """Ask what to do with the unsaved changes of a mask that is to be closed."""
    further = "Save the case before the mask is closed? Its file stays in any case."
    return _answer(unsaved_question(parent, mask, further, "closeQuestion"))


def _answer(box: QMessageBox) -> Answer:
    try:
        box.exec_()
        name = box.clickedButton().objectName().rpartition(".")[2] if box.clickedButton() else ""
        return "save" if name == "save" else "discard" if name == "discard" else "stay"
    finally:
        box.deleteLater()
