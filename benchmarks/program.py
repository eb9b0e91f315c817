"""The program as a whole: starting, going from case to case, stalls of the window, memory."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median

from benchmarks._drive import N_CASES, drive, new_user
from benchmarks._files import Folder, write_cases
from benchmarks.registry import Measured, Pair, row

#: The command, up to the moment when its window is painted.
OUR_START = """
import os
from PyQt5.QtWidgets import QApplication
def painted(*_):
    QApplication.processEvents()
    assert any(widget.isVisible() for widget in QApplication.topLevelWidgets())
    os._exit(0)
QApplication.exec_ = painted
from labeler.cli import main
main()
"""

NAPARI_START = """
import os
import napari
viewer = napari.Viewer()
from qtpy.QtWidgets import QApplication
QApplication.processEvents()
assert any(widget.isVisible() for widget in QApplication.topLevelWidgets())
os._exit(0)
"""


@row("start", baseline="napari", reach_ratio=0.4, budget_s=30)
def start() -> Pair:
    """Window painted after the start of the process."""
    folder = Folder()
    ours = _starter(OUR_START, folder.path)
    if importlib.util.find_spec("napari") is None:
        note = "napari is not installed here: `make bench` has it"
        return Pair(ours, cleanup=folder.remove, note=note)
    return Pair(ours, _starter(NAPARI_START, folder.path), folder.remove)


def _starter(code: str, home: Path) -> Callable[[], None]:
    environment = new_user(home)
    # compiled modules are on the disk of whoever has started a program before
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> None:
        command = [sys.executable, "-c", code]
        subprocess.run(command, env=environment, cwd=home, capture_output=True, check=True)

    return run


@row("next-case", baseline="our own cold case", reach=100.0, reach_ratio=0.05)
def next_case() -> Measured:
    """Key to four painted views of a case that was read ahead."""
    root = _cases()
    ahead, cold = drive("next-case", root)["ms"], drive("cold-case", root)["ms"]
    note = f"longest of {len(ahead)}: {max(ahead):.0f} ms"
    return Measured(median(ahead), median(cold), "ms", note)


@row("stall", reach=50.0)
def stall() -> Measured:
    """Longest stall of the event loop while cases load, regions are counted, the cache fills."""
    longest = drive("stall", _cases())["ms"]
    note = f"of each of {len(longest)} cases: {', '.join(f'{ms:.0f}' for ms in longest)} ms"
    return Measured(max(longest), None, "ms", note)


@row("memory", baseline="raw size of the phases", reach_ratio=1.6)
def memory() -> Measured:
    """What an open case with two masks takes, nothing read ahead."""
    found = {name: nbytes / 1e6 for name, nbytes in drive("memory", _cases()).items()}
    note = (
        f"{found['before']:.0f} MB without a case, {found['after']:.0f} MB with one, "
        f"at most {found['peak']:.0f} MB on the way"
    )
    return Measured(found["after"] - found["before"], found["raw"], "MB", note)


@cache
def _folder() -> Folder:
    """One folder for all rows of this run; removed when the process ends."""
    folder = Folder()
    write_cases(folder.path, N_CASES)
    return folder


def _cases() -> Path:
    return _folder().path
