"""Fixtures that fail a test which leaves something behind or loses an exception.

A thread, a running timer or a window that outlives its test is a bug of the program (it would
outlive a closed case in the same way) and makes later tests fail at random places.
"""

import gc
import logging
import sys
import threading

import pytest

#: Longest wait for a thread that was told to end; only a leaking test waits this long.
JOIN_S = 5.0


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest):
    """Fail a test that leaves threads, and in tests that use Qt: windows, timers, QThreads."""
    uses_qt = "qapp" in request.fixturenames
    if uses_qt:
        request.getfixturevalue("qapp")
    threads = set(threading.enumerate())
    before = _qt_leftovers() if uses_qt else []
    handlers = list(logging.getLogger().handlers)
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    _remove_handlers(handlers)
    problems = [f"thread {thread.name!r}" for thread in _alive(threads)]
    if uses_qt:
        leaked = _new(before)
        if leaked:
            gc.collect()  # an unreachable window is not leaked, Python has just not noticed yet
            leaked = _new(before)
        problems += [_describe(leftover) for leftover in leaked]
        _remove(leaked)
    if problems:
        pytest.fail("left behind: " + ", ".join(problems), pytrace=False)


@pytest.fixture(autouse=True)
def logged_exceptions(request: pytest.FixtureRequest):
    """Fail a test in which the program logged an exception it did not expect.

    The program's own ``sys.excepthook`` shows and logs, so that the window survives; a test
    must not survive with it. Tests that provoke one are marked ``logs_errors``.
    """
    collector = _Collector(level=logging.ERROR)
    root = logging.getLogger()
    root.addHandler(collector)
    yield
    root.removeHandler(collector)
    if collector.texts and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("exception logged:\n" + "\n".join(collector.texts), pytrace=False)


class _Collector(logging.Handler):
    """Keeps the text of every record that carries an exception."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            self.texts.append(self.format(record))


def _alive(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that are new since ``before`` and do not end when waited for."""
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        thread.join(JOIN_S)
    return [thread for thread in new if thread.is_alive()]


def _remove_handlers(before: list[logging.Handler]) -> None:
    """Close log handlers that the program installed: their files belong to the test's user."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler not in before]:
        # pytest adds and removes its own around each phase
        if not type(handler).__module__.startswith(("_pytest", "tests.")):
            root.removeHandler(handler)
            handler.close()


def _qt_leftovers() -> list:
    """Return the top-level widgets, running timers and running QThreads there are now."""
    from PyQt5 import sip
    from PyQt5.QtCore import QCoreApplication, QEvent, QThread, QTimer
    from PyQt5.QtWidgets import QApplication

    # closed widgets are deleted in the event loop, which no longer runs
    QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
    # Qt keeps one tool tip window for itself
    found = [
        widget
        for widget in QApplication.topLevelWidgets()
        if widget.metaObject().className() != "QTipLabel"
    ]
    # set membership, not isinstance(): ten times faster over the whole heap
    timers, qthreads = _with_subclasses(QTimer), _with_subclasses(QThread)
    kinds = timers | qthreads
    for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
        if sip.isdeleted(thing):
            continue
        if thing.isActive() if type(thing) in timers else thing.isRunning():
            found.append(thing)
    return found


def _with_subclasses(kind: type) -> set[type]:
    """Return a class and everything derived from it."""
    return {kind}.union(*(_with_subclasses(child) for child in kind.__subclasses__()))


def _new(before: list) -> list:
    """Return the Qt leftovers that were not there before."""
    known = {id(leftover) for leftover in before}
    return [leftover for leftover in _qt_leftovers() if id(leftover) not in known]


def _describe(leftover) -> str:
    """Name a leftover so that it can be found."""
    return f"{type(leftover).__name__} {leftover.objectName() or '(no objectName)'!r}"


def _remove(leaked: list) -> None:
    """Take leaked windows and timers away, so that only their own test fails."""
    from PyQt5.QtCore import QTimer
    from PyQt5.QtWidgets import QWidget

    for leftover in leaked:
        if isinstance(leftover, QTimer):
            leftover.stop()
        elif isinstance(leftover, QWidget):
            leftover.close()
            leftover.deleteLater()
