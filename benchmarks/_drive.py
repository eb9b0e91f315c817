"""The whole program, driven in a process of its own: ``python -m benchmarks._drive ACT ROOT``.

Other modules have acts of their own and are run the same way, see :func:`drive`.

Prints what was measured as one JSON object. A process of its own has the memory, the settings and
the event loop of the program and nothing of the other rows.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import psutil
from PyQt5.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from labeler.app import Program, create_application
from labeler.ui.slice_view import SliceView
from labeler.workflows.open_folder import Roots

#: Cases of the folder (see :func:`benchmarks._files.write_cases`).
N_CASES = 4
SIZE_PX = (1920, 1080)

_TIMEOUT_MS = 300_000
_TICK_MS = 1
_LOOK_MS = 5


def drive(
    act: str,
    root: Path,
    *,
    module: str = "benchmarks._drive",
    memory: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Run an act in a process of its own; returns what it has measured.

    Parameters
    ----------
    act
        First argument of the module.
    root
        Folder of the cases, its second argument.
    module
        Prints what it measures as the last line.
    memory
        As for :func:`new_user`; by default what :data:`ACTS` has for the act.

    Raises
    ------
    RuntimeError
        When it fails.
    """
    command = [sys.executable, "-m", module, act, str(root)]
    settings = ACTS[act][1] if memory is None else memory
    with tempfile.TemporaryDirectory(prefix="ct-labeler-bench-") as home:
        done = subprocess.run(
            command, env=new_user(Path(home), settings), capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"{act} failed: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def new_user(home: Path, memory: Mapping[str, float] | None = None) -> dict[str, str]:
    """Environment of somebody who starts the program for the first time.

    Parameters
    ----------
    memory
        What the settings say about memory, where it is not the default.
    """
    folders = {f"CT_LABELER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "LOCAL", "CACHE")}
    if memory:
        (home / "CONFIG").mkdir()
        lines = ["[memory]", *(f"{name} = {value}" for name, value in memory.items())]
        (home / "CONFIG" / "settings.toml").write_text("\n".join(lines), encoding="utf-8")
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", **folders}


class _Painted(QObject):
    """Watches which views have painted a slice of a case."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._session = program.ws.session
        self._views = program.views.views
        self._case_id = ""
        self._painted: set[QObject] = set()
        for view in self._views:
            view.installEventFilter(self)

    def expect(self, case_id: str) -> None:
        self._case_id = case_id
        self._painted.clear()

    @property
    def is_complete(self) -> bool:
        return len(self._painted) == len(self._views)

    def eventFilter(self, view: QObject, event: QEvent) -> bool:
        case = self._session.case
        if event.type() == QEvent.Paint and case is not None and case.id == self._case_id:
            assert isinstance(view, SliceView)
            if view.transform is not None:
                self._painted.add(view)
        return False


class Heart:
    """Beats every millisecond as long as the event loop turns."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._last = self._longest_s = 0.0

    def start(self) -> None:
        self._last, self._longest_s = time.perf_counter(), 0.0
        self._timer.start(_TICK_MS)

    def stop(self) -> float:
        """Return the longest time between two beats in ms."""
        self._beat()
        self._timer.stop()
        return self._longest_s * 1e3

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest_s = max(self._longest_s, now - self._last)
        self._last = now


class Driver:
    """A window on a folder of cases, and what a user does with it."""

    def __init__(self, root: Path) -> None:
        self._application = create_application()  # without a reference Qt would delete it
        self.program = Program(remember=False)
        self.program.preparation.put_garbage_off()  # as app.run does
        # not program.show(), which fills the screen: the one off screen has 800 x 600
        self.program.window.resize(*SIZE_PX)
        self.program.window.show()
        self.program.window.arrange_docks()
        self.program.open(Roots(root / "images", root / "masks"))
        self.wait_until_idle()
        self._painted = _Painted(self.program)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Run the event loop until something holds, as ``exec_`` does."""
        loop, looks, limit = QEventLoop(), QTimer(), QTimer()
        looks.timeout.connect(lambda: loop.quit() if is_done() else None)
        looks.start(_LOOK_MS)
        limit.timeout.connect(lambda: loop.exit(1))
        limit.start(_TIMEOUT_MS)
        if loop.exec_() != 0:
            raise TimeoutError("the program does not get there")

    def wait_until_idle(self) -> None:
        """Wait for all work in the background, the reading ahead included."""
        self.wait(lambda: self.program.has_settled() and not self.program.ws.tasks.pending_count)

    def open(self, number: int) -> None:
        self.program.switcher.open_case(f"case-{number}")

    def press_next(self, step: int) -> None:
        """Press the key for the next case (1) or the one before (-1)."""
        QApplication.setActiveWindow(self.program.window)
        key = Qt.Key_PageDown if step > 0 else Qt.Key_PageUp
        QTest.keyClick(self.program.views.active_view, key, Qt.ControlModifier)

    def ms_to_pictures(self, number: int, act: Callable[[], None]) -> float:
        """Time from an act to four painted views of a case."""
        self._painted.expect(f"case-{number}")
        start = time.perf_counter()
        act()
        while not self._painted.is_complete:
            QApplication.processEvents(QEventLoop.AllEvents, _TICK_MS)
        return (time.perf_counter() - start) * 1e3


def next_case(driver: Driver) -> dict[str, Any]:
    """Walk down and up the list; each case has been read ahead."""
    driver.open(0)
    times = []
    for number, step in _walk():
        driver.wait_until_idle()
        times.append(driver.ms_to_pictures(number, partial(driver.press_next, step)))
    return {"ms": times}


def cold_case(driver: Driver) -> dict[str, Any]:
    """The same walk with nothing read ahead and nothing kept."""
    return next_case(driver)


def stall(driver: Driver) -> dict[str, Any]:
    """Open cases and let everything happen that happens then; how late a timer gets."""
    heart = Heart()
    longest = []
    for number in range(N_CASES):
        heart.start()
        driver.open(number)
        driver.wait_until_idle()
        longest.append(heart.stop())
    return {"ms": longest}


def memory(driver: Driver) -> dict[str, Any]:
    """Open a case; what the process takes with it and at most on the way there."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    driver.open(0)
    driver.wait_until_idle()
    gc.collect()
    after = process.memory_info().rss
    raw = sum(volume.array.nbytes for volume in driver.program.ws.session.volumes.values())
    return {"before": before, "after": after, "peak": _peak_bytes(), "raw": raw}


def _peak_bytes() -> int:
    """Most memory that this process had.

    Linux counts what the process had been before it became this program into ``ru_maxrss``.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 1024 * getrusage(RUSAGE_SELF).ru_maxrss
    (kilobytes,) = re.findall(r"VmHWM:\s*([0-9]+) kB", status)
    return 1024 * int(kilobytes)


def _walk() -> list[tuple[int, int]]:
    """Cases and the steps that lead to them."""
    down = [(number, 1) for number in range(1, N_CASES)]
    return [*down, *((number - 1, -1) for number, _ in reversed(down))]


#: What can be measured, and the settings of the memory that it is measured with.
ACTS: dict[str, tuple[Callable[[Driver], dict[str, Any]], dict[str, float]]] = {
    "next-case": (next_case, {"prefetch_mb": 4096, "cache_gb": 0}),
    "cold-case": (cold_case, {"prefetch_mb": 0, "cache_gb": 0}),
    "stall": (stall, {"prefetch_mb": 2048, "cache_gb": 20}),
    "memory": (memory, {"prefetch_mb": 0, "cache_gb": 20}),
}


def main(act: str, root: str) -> None:
    driver = Driver(Path(root))
    sys.stdout.write(json.dumps(ACTS[act][0](driver)) + "\n")
    driver.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
