"""The whole program in a window, driven by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import sip
from PyQt5.QtCore import QEvent, Qt, QTimer
from PyQt5.QtGui import QTextDocument
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from labeler.app import Program
from labeler.ui import style
from labeler.ui.slice_view import SliceView
from labeler.workflows.open_folder import Roots
from tests.gui.view_world import drag


class User:
    """Sits in front of one program; knows widgets by their names only."""

    def __init__(self, program: Program, qtbot) -> None:
        self.program = program
        self.qtbot = qtbot

    @property
    def session(self):
        return self.program.ws.session

    def widget(self, name: str) -> QWidget:
        found = self.program.window.findChild(QWidget, name)
        assert found is not None, f"no widget {name}"
        return found

    def view(self, index: int) -> SliceView:
        found = self.widget(f"view{index}")
        assert isinstance(found, SliceView)
        return found

    def open(self, root: Path, **reports) -> None:
        """Choose the folders, as the open dialog does."""
        self.program.open(Roots(root / "images", root / "masks", **reports))
        self.wait(self.program.has_settled)

    def click_case(self, case_id: str, *, settle: bool = True) -> None:
        """Click a row of the case list."""
        cases = self.program.cases
        row = cases.table.row_of(case_id)
        rect = cases.view.visualRect(cases.table.index(row))
        QTest.mouseClick(cases.view.viewport(), Qt.LeftButton, Qt.NoModifier, rect.center())
        if settle:
            self.wait(lambda: self.session.case is not None and self.session.case.id == case_id)
            self.wait(self.program.has_settled)

    def click_region(self, number: int) -> None:
        """Click a row of the region list, counted from 0."""
        regions = self.program.regions
        ref = list(regions.table.refs())[number]
        rect = regions.view.visualRect(regions.table.index_of(ref))
        QTest.mouseClick(regions.view.viewport(), Qt.LeftButton, Qt.NoModifier, rect.center())

    def key(self, key: int, modifier=Qt.NoModifier, where: str = "view0") -> None:
        # A dialog that was closed may leave no window active, as there is no window manager.
        QApplication.setActiveWindow(self.program.window)
        QTest.keyClick(self.widget(where), key, modifier)
        QApplication.processEvents()

    def drag(self, view: SliceView, points_ras, button=Qt.LeftButton) -> None:
        """Press at the first point, move through the others, release at the last."""
        drag(view, *(view.pos_of(point) for point in points_ras), button=button)
        QApplication.processEvents()

    def shown_text(self, name: str) -> str:
        """Every word that the labels of a widget show."""
        document = QTextDocument()
        words = []
        for label in self.widget(name).findChildren(QLabel):
            document.setHtml(label.text())
            words.append(document.toPlainText())
        return "\n".join(words)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=60_000)

    def answer(self, button_text: str) -> list[str]:
        """Click a button of the next question; returns the questions that were asked."""
        asked: list[str] = []

        def click() -> None:
            box = QApplication.activeModalWidget()
            if box is None:
                return
            asked.append(box.objectName())
            for button in box.findChildren(QPushButton):
                if button_text.lower() in button.text().replace("&", "").lower():
                    timer.stop()
                    button.click()
                    return

        timer = QTimer(self.program.window)
        timer.timeout.connect(click)
        timer.start(10)
        return asked


@pytest.fixture
def start(qtbot, qapp):
    """Start programs; each is closed at the end of the test."""
    programs: list[Program] = []

    def begin() -> User:
        if not qapp.styleSheet():
            # As the program does, once: Qt does not survive a change of style under dying windows.
            style.apply_style(qapp)
        program = Program()
        programs.append(program)
        program.window.resize(1366, 768)
        program.window.show()
        qtbot.waitExposed(program.window)
        return User(program, qtbot)

    watch = DialogWatch()
    yield begin
    watch.stop()
    for program in programs:
        stop(program)
    assert watch.unanswered == [], "the user did not expect these questions"


class DialogWatch(QTimer):
    """Closes a question that nobody answers: a test must fail, not wait for ever."""

    PATIENCE = 20

    def __init__(self) -> None:
        super().__init__()
        self.unanswered: list[str] = []
        self._seen: tuple[QWidget | None, int] = (None, 0)
        self.timeout.connect(self._look)
        self.start(1000)

    def _look(self) -> None:
        box, times = QApplication.activeModalWidget(), self._seen[1] + 1
        self._seen = (box, times if box is not None and box is self._seen[0] else 0)
        if box is not None and self._seen[1] >= self.PATIENCE:
            self.unanswered.append(box.objectName() or type(box).__name__)
            box.close()


def stop(program: Program) -> None:
    """End a program as the closing of its window does, without a question; once is enough."""
    if sip.isdeleted(program):
        return
    program.close()
    program.window.close()
    program.window.deleteLater()
    program.deleteLater()
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.DeferredDelete)


@pytest.fixture
def user(start) -> User:
    return start()
