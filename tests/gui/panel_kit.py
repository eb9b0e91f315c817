"""What the tests of the panels share: a workspace that is taken down, a list of cases, clicks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt5.QtCore import QModelIndex, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QAbstractItemView, QApplication, QMenu

from labeler.ui.commands import Commands
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.workspace import Workspace
from tests.case_world import make_workspace


@pytest.fixture
def ws(qtbot, tmp_path) -> Workspace:
    """State of a window; its threads end and its settings are written after the test."""
    workspace = make_workspace(tmp_path)
    yield workspace
    workspace.tasks.shutdown()
    workspace.settings.save()


@pytest.fixture
def commands(qtbot) -> Commands:
    return Commands({})


def make_cases(folder: Path, names: list[str], phases=("NC", "PV"), reports: str = "") -> Roots:
    """Write folders of cases whose images are empty files: enough for a list."""
    for name in names:
        case = folder / "images" / name
        case.mkdir(parents=True)
        for phase in phases:
            (case / f"{phase}.nii.gz").touch()
    if reports:
        (folder / "images" / "radiology.csv").write_text(reports, encoding="utf-8")
    (folder / "masks").mkdir(exist_ok=True)
    return Roots(folder / "images", folder / "masks")


def open_worklist(qtbot, ws: Workspace, roots: Roots) -> Worklist:
    """Find the cases of a folder and wait until all are listed and reports are read."""
    worklist = Worklist(ws.tasks)
    with qtbot.waitSignals([worklist.scanned, worklist.reports_changed], timeout=10_000):
        worklist.open_roots(roots)
    return worklist


def click(view: QAbstractItemView, index: QModelIndex, button=Qt.LeftButton) -> None:
    """Click into the middle of a cell."""
    view.scrollTo(index)
    QTest.mouseClick(view.viewport(), button, Qt.NoModifier, view.visualRect(index).center())


def right_click_menu(view: QAbstractItemView, index: QModelIndex) -> QMenu:
    """Ask for the context menu of a cell and return it."""
    view.scrollTo(index)
    view.customContextMenuRequested.emit(view.visualRect(index).center())
    return open_menu()


def open_menu() -> QMenu:
    """The menu that is on the screen."""
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(menu: QMenu, text: str) -> None:
    """Choose the entry of a menu whose text holds ``text``.

    Not by a click: outside of an event loop Qt deletes a menu while it still handles the click.
    """
    action = next(action for action in menu.actions() if text in action.text())
    menu.close()
    action.trigger()
