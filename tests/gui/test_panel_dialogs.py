"""Dialogs by mouse and keys."""

from dataclasses import replace
from pathlib import Path

import pytest
from PyQt5.QtCore import QPoint, Qt, QTimer
from PyQt5.QtGui import QKeySequence
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTreeWidget,
)

from labeler.storage.cases import Case, PhaseSource
from labeler.ui.choose_dialogs import (
    LabelDialog,
    MaskDialog,
    MaskNameDialog,
    ask_about_unsaved,
)
from labeler.ui.command_table import COMMANDS
from labeler.ui.keys_dialog import KeysDialog
from labeler.ui.open_dialog import OpenDialog
from labeler.ui.phases_dialog import PhasesDialog
from labeler.ui.settings_dialog import SettingsDialog
from labeler.workflows.add_mask import free_name
from labeler.workflows.open_folder import Roots
from labeler.workflows.recent_folders import last_roots, recent_roots, remember_roots
from tests.case_world import LABELS, LESION, LIVER, open_case
from tests.gui.panel_kit import commands, make_cases, ws

__all__ = ["commands", "ws"]


def show(qtbot, dialog: QDialog) -> QDialog:
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def ok(dialog: QDialog) -> QPushButton:
    return dialog.findChild(QPushButton, f"{dialog.objectName()}.ok")


def accept(dialog: QDialog) -> None:
    QTest.mouseClick(ok(dialog), Qt.LeftButton)
    assert dialog.result() == QDialog.Accepted


def fill(dialog: QDialog, name: str, text: str) -> None:
    field = dialog.findChild(QLineEdit, name)
    field.clear()
    QTest.keyClicks(field, text)


def test_dialogs_begin_with_what_is_to_be_filled_in(qtbot, ws, tmp_path):
    dialog = show(qtbot, OpenDialog(ws, None))
    assert dialog.focusWidget().objectName() == "imageRoot"
    assert not dialog.findChild(QPushButton, "openDialog.cancel").isDefault()
    open_case(ws, tmp_path)
    name = show(qtbot, MaskNameDialog(ws, "Copy", "A copy.", "draft copy", ok="Save copy"))
    assert name.focusWidget().objectName() == "maskName"
    assert name.focusWidget().selectedText() == "draft copy"
    assert ok(name).text() == "Save copy"


# --- open


def test_the_preview_says_what_would_be_found(qtbot, ws, tmp_path):
    roots = make_cases(tmp_path / "set", ["LV-1", "LV-2"], reports="case_id,text\nLV-1,x\n")
    dialog = show(qtbot, OpenDialog(ws, None))
    assert not ok(dialog).isEnabled()
    fill(dialog, "imageRoot", str(roots.images))
    qtbot.waitUntil(lambda: "2 cases" in dialog.preview)
    assert "First: LV-1 (NC PV; no mask)" in dialog.preview
    assert "1 report file" in dialog.preview
    fill(dialog, "imageRoot", str(tmp_path / "nowhere"))
    qtbot.waitUntil(lambda: "does not exist" in dialog.preview)


def test_masks_layout_and_reports_are_chosen_independently(qtbot, ws, tmp_path):
    roots = make_cases(tmp_path / "set", ["LV-1"])
    now = Roots(roots.images, None, (tmp_path / "a.csv", tmp_path / "b.csv"))
    dialog = show(qtbot, OpenDialog(ws, now))
    fill(dialog, "maskRoot", str(roots.masks))
    box = dialog.findChild(QComboBox, "layoutChoice")
    box.setCurrentIndex(box.findData("flat"))
    dialog.findChild(QListWidget, "reportFiles").setCurrentRow(0)
    QTest.mouseClick(dialog.findChild(object, "dropReports"), Qt.LeftButton)
    accept(dialog)
    assert dialog.roots() == Roots(roots.images, roots.masks, (tmp_path / "b.csv",), "flat")
    assert not ws.tasks.is_pending(("open preview",))


def test_recent_folders_fill_the_fields(qtbot, ws, tmp_path):
    first, second = Roots(tmp_path / "one"), Roots(tmp_path / "two", tmp_path / "m", (), "msd")
    for roots in (first, second, first):
        remember_roots(ws.settings, roots)
    assert recent_roots(ws.settings) == [first, second]
    assert last_roots(ws.settings) is None  # the folder does not exist
    dialog = show(qtbot, OpenDialog(ws, None))
    recent = dialog.findChild(QListWidget, "recentFolders")
    item = recent.item(1)
    QTest.mouseClick(
        recent.viewport(), Qt.LeftButton, Qt.NoModifier, recent.visualItemRect(item).center()
    )
    assert dialog.roots() == second


def test_recent_folders_survive_a_spoiled_settings_file(ws, tmp_path):
    ws.settings.data.folders.recent = [
        {"images": 3},
        {"images": str(tmp_path), "masks": 1, "reports": "x", "layout": "y"},
    ]
    assert recent_roots(ws.settings) == [Roots(tmp_path)]


# --- settings


def test_settings_are_kept_and_put_to_use(qtbot, ws, commands):
    dialog = show(qtbot, SettingsDialog(ws, commands))
    jump = dialog.findChild(QComboBox, "setting.views.region_jump")
    jump.setCurrentIndex(jump.findData("largest"))
    smooth = dialog.findChild(QCheckBox, "setting.views.smooth")
    QTest.mouseClick(smooth, Qt.LeftButton, Qt.NoModifier, QPoint(6, smooth.height() // 2))
    dialog.findChild(QSpinBox, "setting.masks.fill_opacity").setValue(40)
    dialog.findChild(QDoubleSpinBox, "setting.editing.brush_mm").setValue(12)
    dialog.findChild(QSpinBox, "setting.editing.undo_mb").setValue(64)
    dialog.findChild(QCheckBox, "setting.column.hu_NC").setChecked(False)
    accept(dialog)
    data = ws.settings.data
    assert data.views.region_jump == "largest"
    assert data.masks.fill_opacity == 0.4
    assert data.columns.hidden_region_columns == ["hu_NC"]
    assert ws.views.smooth is False
    assert ws.views.style("new").fill_opacity == 0.4
    assert ws.selection.brush_mm == 12
    assert ws.session.history.max_bytes == 64 * 2**20


def test_cancelled_settings_change_nothing(qtbot, ws, commands):
    before = ws.settings.data.model_dump()
    dialog = show(qtbot, SettingsDialog(ws, commands))
    dialog.findChild(QSpinBox, "setting.masks.fill_opacity").setValue(40)
    dialog.keys_editor.choose("region.next")
    QTest.keyClick(dialog, Qt.Key_Escape)
    assert dialog.result() == QDialog.Rejected
    assert ws.settings.data.model_dump() == before


def test_settings_survive_a_restart(qtbot, ws, commands, tmp_path):
    dialog = show(qtbot, SettingsDialog(ws, commands))
    set_key(dialog, "region.next", Qt.Key_Space)
    dialog.findChild(QSpinBox, "setting.editing.backups").setValue(9)
    accept(dialog)
    ws.settings.save()
    again = type(ws.settings)(ws.settings.path, tmp_path / "no-defaults.toml")
    assert again.problems == []
    assert again.data.keys == {"region.next": "Space"}
    assert again.data.editing.backups == 9


def set_key(dialog: SettingsDialog, command_id: str, key: Qt.Key) -> None:
    editor = dialog.keys_editor
    editor.choose(command_id)
    field = editor.findChild(QKeySequenceEdit, "newKey")
    field.setKeySequence(QKeySequence(key))
    QTest.mouseClick(editor.findChild(QPushButton, "setKey"), Qt.LeftButton)


def test_a_taken_key_is_said_so_and_then_moves(qtbot, ws, commands):
    dialog = show(qtbot, SettingsDialog(ws, commands))
    editor = dialog.keys_editor
    editor.choose("region.next")
    editor.findChild(QKeySequenceEdit, "newKey").setKeySequence(QKeySequence("T"))
    assert "Reviewed" in editor.warning
    set_key(dialog, "region.next", Qt.Key_T)
    assert editor.keys() == {"region.next": "T", "region.tick": ""}
    accept(dialog)
    assert commands.action("region.next").shortcut() == QKeySequence("T")
    assert commands.action("region.tick").shortcut().isEmpty()


def test_a_second_key_stays_when_the_first_is_taken(qtbot, ws, commands):
    dialog = show(qtbot, SettingsDialog(ws, commands))
    editor = dialog.keys_editor
    editor.choose("region.next")
    editor.findChild(QKeySequenceEdit, "newKey").setKeySequence(QKeySequence("Ctrl+Shift+Z"))
    QTest.mouseClick(editor.findChild(QPushButton, "setKey"), Qt.LeftButton)
    assert editor.effective("edit.redo") == ("Ctrl+Y",)


def test_standard_and_no_key(qtbot, ws, commands):
    ws.settings.update("keys", **{"region.next": "Space"})
    dialog = show(qtbot, SettingsDialog(ws, commands))
    editor = dialog.keys_editor
    editor.choose("region.next")
    assert editor.effective("region.next") == ("Space",)
    QTest.mouseClick(editor.findChild(QPushButton, "standardKey"), Qt.LeftButton)
    assert editor.keys() == {}
    QTest.mouseClick(editor.findChild(QPushButton, "noKey"), Qt.LeftButton)
    assert editor.keys() == {"region.next": ""}


# --- keys page


def test_every_command_stands_on_the_keys_page(qtbot, commands):
    commands.set_keys({"region.next": "Space"})
    dialog = show(qtbot, KeysDialog(commands, "PACS"))
    tree = dialog.findChild(QTreeWidget, "keyTable")
    groups = [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]
    rows = {
        (group.text(0), group.child(n).text(1)): group.child(n)
        for group in groups
        for n in range(group.childCount())
        if group.text(0) != "Mouse"
    }
    assert len(rows) == len(COMMANDS)
    assert rows["Regions", "Next region"].text(0) == "Space"
    QTest.keyClicks(dialog.findChild(QLineEdit, "keySearch"), "region jump")
    shown = [row for row in rows.values() if not row.isHidden()]
    assert [row.text(1) for row in shown] == ["Next region", "Previous region"]
    assert [group.text(0) for group in groups if not group.isHidden()] == ["Regions"]


# --- phases


@pytest.fixture
def mixed_case(tmp_path) -> Case:
    sources = {
        phase: PhaseSource(f"{phase}.nii", tmp_path / f"{phase}.nii", phase, shape_ijk=(4, 5, 6))
        for phase in ("NC", "PV")
    }
    spare = (PhaseSource("extra.nii", tmp_path / "extra.nii", "extra", is_guessed=True),)
    return Case("c", "case-folders", tmp_path, tmp_path, tmp_path, sources, spare)


def pick(dialog: PhasesDialog, key: str, phase: str) -> None:
    box = dialog.box(key)
    box.setFocus()
    QTest.keyClick(box, Qt.Key_Home)
    while box.currentData() != phase:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key_Down)
        assert box.currentIndex() > before


def test_phases_are_assigned_by_hand(qtbot, mixed_case):
    dialog = show(qtbot, PhasesDialog(mixed_case))
    assert not ok(dialog).isEnabled()
    pick(dialog, "extra.nii", "ART")
    pick(dialog, "NC.nii", "")
    accept(dialog)
    assert dialog.assignment() == {"extra.nii": "ART", "NC.nii": ""}


def test_a_phase_cannot_be_two_images(qtbot, mixed_case):
    dialog = show(qtbot, PhasesDialog(mixed_case))
    pick(dialog, "extra.nii", "PV")
    assert "PV" in dialog.findChild(QLabel, "phasesProblem").text()
    assert not ok(dialog).isEnabled()
    pick(dialog, "PV.nii", "")
    assert ok(dialog).isEnabled()


def test_the_facts_of_a_series_fit_beside_its_phase(qtbot, mixed_case):
    sources = {
        phase: replace(source, shape_ijk=(512, 512, 1119), spacing_mm=(0.743, 0.743, 1.25),
                       text="ABDOMEN 5.0 B30f portal venous", is_guessed=True)
        for phase, source in mixed_case.phases.items()
    }  # fmt: skip
    dialog = show(qtbot, PhasesDialog(replace(mixed_case, phases=sources)))
    assert dialog.findChild(QScrollArea).horizontalScrollBar().maximum() == 0


# --- short questions


def test_a_label_is_chosen_by_typing_and_enter(qtbot):
    dialog = show(qtbot, LabelDialog("Relabel", LABELS, LIVER))
    assert dialog.value == LIVER
    search = dialog.findChild(QLineEdit, "labelSearch")
    QTest.keyClicks(search, "zzz")
    assert not ok(dialog).isEnabled()
    search.clear()
    QTest.keyClicks(search, "hc")
    QTest.keyClick(search, Qt.Key_Return)
    assert dialog.result() == QDialog.Accepted
    assert dialog.value == LESION


def test_a_click_in_the_label_dialog_chooses_without_closing(qtbot):
    dialog = show(qtbot, LabelDialog("Relabel", LABELS, LIVER))
    choices = dialog.findChild(QListWidget, "labelChoices")
    place = choices.visualItemRect(choices.item(1)).center()
    QTest.mouseClick(choices.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert dialog.isVisible()
    assert dialog.value == LESION


def test_a_mask_is_chosen_by_keys(qtbot):
    dialog = show(qtbot, MaskDialog("Copy to", ["draft", "other"]))
    choices = dialog.findChild(QListWidget, "maskChoices")
    QTest.keyClick(choices, Qt.Key_Down)
    QTest.keyClick(choices, Qt.Key_Return)
    assert dialog.name == "other"
    assert dialog.result() == QDialog.Accepted


def test_a_mask_name_is_checked_while_it_is_typed(qtbot, ws, tmp_path):
    open_case(ws, tmp_path)
    dialog = show(qtbot, MaskNameDialog(ws, "New mask", "On the grid of PV.", "draft"))
    assert dialog.name == "draft 2"
    problem = dialog.findChild(QLabel, "maskNameProblem")
    for bad, word in (("Draft", "already"), ("a/b", "no file"), ("", "name")):
        fill(dialog, "maskName", bad)
        assert word in problem.text()
        assert not ok(dialog).isEnabled()
    fill(dialog, "maskName", " second look ")
    assert problem.text() == ""
    accept(dialog)
    assert dialog.name == "second look"


def test_free_names_count_up():
    assert free_name("draft", ["Draft", "draft 2"]) == "draft 3"
    assert free_name("draft", []) == "draft"


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        (Qt.Key_Return, "save"),
        (Qt.Key_Escape, "stay"),
        (("discard",), "discard"),
        (("stay",), "stay"),
        (("save",), "save"),
    ],
)
def test_unsaved_changes_are_asked_about_once(qtbot, key, answer):
    def respond() -> None:
        box = QApplication.activeModalWidget()
        assert "LV-1" in box.text()
        if isinstance(key, tuple):
            QTest.mouseClick(box.findChild(QPushButton, f"saveQuestion.{key[0]}"), Qt.LeftButton)
        else:
            QTest.keyClick(box, key)

    QTimer.singleShot(0, respond)
    assert ask_about_unsaved(None, "LV-1") == answer


def test_paths_with_a_tilde_are_the_home(qtbot, ws):
    dialog = show(qtbot, OpenDialog(ws, None))
    fill(dialog, "imageRoot", "~/scans")
    assert dialog.roots().images == Path.home() / "scans"
