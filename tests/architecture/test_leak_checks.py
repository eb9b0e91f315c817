"""The checks that every test runs under do fail when something leaks or goes wrong."""

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
from tests.leaks import logged_exceptions, no_leaks
"""

SETTINGS = """
[pytest]
markers = logs_errors: provokes an exception
qt_api = pyqt5
qt_log_level_fail = WARNING
"""

LEAKS = """
import logging, threading
from PyQt5.QtCore import QThread, QTimer, qWarning
from PyQt5.QtWidgets import QPushButton, QWidget

kept = []

def test_clean(qtbot):
    window = QWidget()
    timer = QTimer(window)
    timer.start(1000)
    qtbot.addWidget(window)
    window.show()

def test_thread():
    stop = threading.Event()
    kept.append(stop)
    thread = threading.Thread(target=stop.wait, args=(60,), daemon=True, name="leaking")
    thread.start()

def test_window(qtbot):
    kept.append(QWidget(objectName="leaking"))

def test_timer(qtbot):
    kept.append(QTimer(objectName="leaking"))
    kept[-1].start(1000)

def test_qthread(qtbot, request):
    kept.append(QThread(objectName="leaking"))
    kept[-1].start()

def test_warning(qtbot):
    qWarning("something is wrong")

def test_slot(qtbot):
    button = QPushButton()
    qtbot.addWidget(button)
    button.clicked.connect(lambda: 1 / 0)
    button.click()

def test_logged():
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("labeler").exception("shown to the user")

def test_end():
    for thing in kept:
        if isinstance(thing, QThread):
            thing.quit()
            thing.wait()
"""


@pytest.fixture
def leaking(pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch):
    """Run tests that leak, each in its own way, in a process of their own."""
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makeconftest(CONFTEST + "import tests.leaks\ntests.leaks.JOIN_S = 0.1\n")
    pytester.makeini(SETTINGS)
    pytester.makepyfile(LEAKS)
    return pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:cacheprovider")


def test_leaks_and_lost_errors_fail(leaking):
    # left behind or logged: an error of the teardown; warning and slot: the test itself
    leaking.assert_outcomes(passed=7, failed=2, errors=5)
    leaking.stdout.fnmatch_lines_random(
        [
            "*left behind: thread 'leaking'*",
            "*left behind: QWidget 'leaking'*",
            "*left behind: QTimer 'leaking'*",
            "*left behind: QThread 'leaking'*",
            "*exception logged:*",
            "*something is wrong*",
            "*ZeroDivisionError*",
        ]
    )
