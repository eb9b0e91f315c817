"""The window is there before the kernels are, and never waits for them."""

from __future__ import annotations

import gc
import threading

import pytest
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QApplication

from labeler.app import Program
from labeler.workflows import get_ready
from labeler.workflows.open_folder import Roots
from tests.cases_on_disk import write_case


@pytest.fixture
def compiler(monkeypatch):
    """A compiler that takes as long as the test wants; set it to let it finish."""
    may_finish = threading.Event()
    warm_up = get_ready.warm_up

    def compile_slowly(report):
        report(0.25)
        assert may_finish.wait(20)
        warm_up(report)

    monkeypatch.setattr(get_ready, "warm_up", compile_slowly)
    yield may_finish
    may_finish.set()


def shown_colours(view) -> set[str]:
    image = view.grab().toImage()
    return {
        QColor(image.pixel(x, y)).name()
        for x in range(0, image.width(), 7)
        for y in range(0, image.height(), 7)
    }


def notice(user) -> tuple[str, float | None]:
    found = user.view(0).scene.notice("PV")
    return found.text, found.progress


def test_a_case_opened_before_the_kernels_are_compiled_is_shown_when_they_are(
    compiler, start, tmp_path
):
    write_case(tmp_path, "LV-1")
    user = start()
    user.program.open(Roots(tmp_path / "images", tmp_path / "masks"))
    user.wait(lambda: len(user.program.worklist) == 1)
    user.click_case("LV-1", settle=False)
    user.wait(lambda: len(user.session.volumes) == 4)
    view = user.view(0)
    assert view.transform is None
    assert notice(user) == ("Preparing to draw …", 0.25)
    assert not user.program.has_settled()
    before = shown_colours(view)
    compiler.set()
    user.wait(user.program.has_settled)
    assert view.transform is not None
    assert len(shown_colours(view)) > len(before)


def test_nothing_is_compiled_before_the_window_is_painted(qapp, qtbot):
    program = Program(remember=False)
    try:
        QApplication.processEvents()
        assert not program.ws.tasks.is_pending(("get ready",))
        program.window.show()
        qtbot.waitUntil(lambda: program.preparation.is_ready, timeout=20_000)
    finally:
        program.close()
        program.window.close()
        program.window.deleteLater()
        program.deleteLater()
        QApplication.processEvents()


def test_garbage_is_looked_for_again_when_everything_is_loaded(user):
    user.wait(user.program.has_settled)
    preparation = user.program.preparation
    preparation.put_garbage_off()
    try:
        assert not gc.isenabled()
        preparation.begin()
        user.wait(gc.isenabled)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.mark.logs_errors
def test_a_compiler_that_fails_is_reported_and_the_window_goes_on(start, monkeypatch):
    def fail(report):
        raise OSError("no space for the cache")

    monkeypatch.setattr(get_ready, "warm_up", fail)
    errors = []
    user = start()
    user.program.ws.tasks.failed.disconnect()
    user.program.ws.tasks.failed.connect(errors.append)
    user.wait(lambda: user.program.preparation.is_ready)
    assert [str(error) for error in errors] == ["no space for the cache"]
