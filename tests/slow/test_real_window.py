"""The window on a real X server, which the off-screen platform cannot stand in for.

A second Qt in the process (opencv-python brings one) or a missing xcb library aborts the program
here and nowhere else.
"""

import os
import subprocess
import sys

import pytest

XVFB = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24"]
PROGRAM = """
import sys
from PyQt5.QtTest import QTest
from labeler.app import Program, create_application
from labeler.core import contours  # OpenCV, in the same process as Qt
application = create_application()
assert application.platformName() == "xcb"
program = Program(remember=False)
program.window.resize(1280, 800)
program.window.show()
assert QTest.qWaitForWindowExposed(program.window, 10_000)
picture = application.primaryScreen().grabWindow(0)
picture.save(sys.argv[1])
program.window.close()
program.close()
"""


@pytest.mark.slow
def test_window_is_seen_on_an_x_server(tmp_path):
    from PyQt5.QtGui import QImage

    screen = tmp_path / "screen.png"
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    environment.pop("WAYLAND_DISPLAY", None)
    result = subprocess.run(
        [*XVFB, sys.executable, "-c", PROGRAM, str(screen)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    image = QImage(str(screen))
    colours = {image.pixel(x, y) for x in range(0, 1280, 5) for y in range(0, 760, 5)}
    assert len(colours) > 30  # an empty screen has one
