"""Somebody corrects a spine in the real window: ``python -m benchmarks._spine ACT ROOT``.

24 levels, C1 to L5, in 600 slices of 512 x 512; the spine perspective fills a window of
1920 x 1080. Times are those of :class:`benchmarks._hands.Hand`: from the event of the window system
until the event loop has nothing left to do. See :mod:`benchmarks.spine` for what is reported.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QEventLoop, QPoint, QPointF, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget

from benchmarks._drive import Driver
from benchmarks._files import AFFINE_RAS
from benchmarks._pyqtgraph_spine import PyqtgraphSpine
from labeler.core.landmarks import from_above
from labeler.core.vertebrae import GAPS_MM, NUMBERS

N_SLICES = 600
LEVELS = tuple(NUMBERS)[:24]
CASE = "case-0"

#: Levels that are dragged, how far, and in how many steps.
DRAGGED = ("C5", "T2", "T7", "T11", "L2", "L4")
MOVES, REACH_PX = 60, 18

N_SHIFTS = 24

_SPINE_HU, _BODY_HU = 260, 40


def places_ijk() -> npt.NDArray[np.float64]:
    """Centres of the bodies in voxels of the file, ``(24, 3)``: a spine that bends both ways."""
    gaps = np.array([GAPS_MM[pair] for pair in itertools.pairwise(LEVELS)])[:, 0]
    k = N_SLICES - 18 - np.concatenate([[0.0], np.cumsum(gaps)])
    share = np.linspace(0.0, 1.0, len(LEVELS))
    i = 256 + 24 * np.sin(5 * share)
    return np.stack([i, 250 + 40 * np.sin(7 * share), k], axis=1)


def write_case(root: Path) -> None:
    """Write the image, 1 mm slices, and its centroid file."""
    import nibabel as nib

    rng = np.random.default_rng(3)
    noise = rng.normal(0, 18, (60, 512, 512)).astype(np.int16)
    places, rows = places_ijk(), np.arange(N_SLICES)
    j, i = np.ogrid[:512, :512]
    array = np.empty((N_SLICES, 512, 512), np.int16)
    across = [np.interp(-rows, -places[:, 2], places[:, axis]) for axis in (0, 1)]
    for k in range(N_SLICES):
        is_bone = np.hypot(i - across[0][k], j - across[1][k]) < 26
        array[k] = np.where(is_bone, _SPINE_HU, _BODY_HU) + noise[k % len(noise)]
    image = root / "images" / CASE / "PV.nii"
    image.parent.mkdir(parents=True)
    affine = AFFINE_RAS.copy()
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), image)
    direction: list[dict[str, Any]] = [{"direction": list(nib.aff2axcodes(affine))}]
    points = [
        {"label": NUMBERS[level], "X": x, "Y": y, "Z": z}
        for level, (x, y, z) in zip(LEVELS, places.tolist(), strict=True)
    ]
    folder = root / "masks" / CASE
    folder.mkdir(parents=True)
    (folder / f"{CASE}_ctd.json").write_text(json.dumps([*direction, *points]), "utf-8")


class Annotator:
    """One hand on the mouse, over a picture along the spine, and one on the keys.

    Attributes
    ----------
    times
        By kind of act, ms on the clock and of the main thread alone.
    baselines
        By kind of act, ms of the same with pyqtgraph.
    """

    def __init__(self, driver: Driver) -> None:
        self.times: dict[str, list[tuple[float, float]]] = {}
        self.baselines: dict[str, list[float]] = {}
        self.ws = driver.program.ws
        self.driver = driver
        self.strip = driver.program.spine.strip
        self._window = driver.program.window
        QApplication.setActiveWindow(self._window)
        self._handle = self._window.windowHandle()
        driver.program.views.views[0].setFocus()

    def key(self, key: int, modifier: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        QApplication.setActiveWindow(self._window)
        QTest.keyClick(self._handle, key, modifier)

    def settle(self) -> None:
        """Let the background finish, without counting it."""
        self.driver.wait_until_idle()

    def note(self, kind: str, act: Callable[[], object]) -> None:
        """Note the time of an act until no event is left, the repaint included."""
        start, own_start = time.perf_counter(), time.thread_time()
        act()
        QApplication.processEvents(QEventLoop.AllEvents)
        spent, own = time.perf_counter() - start, time.thread_time() - own_start
        self.times.setdefault(kind, []).append((1e3 * spent, 1e3 * own))

    def note_baseline(self, kind: str, frames: Iterator[object]) -> None:
        """Note the times of frames that are painted when the next one is asked for."""
        start = time.perf_counter()
        for _ in frames:
            self.baselines.setdefault(kind, []).append(1e3 * (time.perf_counter() - start))
            start = time.perf_counter()

    def drag(self, kind: str, widget: QWidget, start: QPointF) -> None:
        """Drag what is under a point around a circle and drop it."""
        handle = self._handle

        def at(pos: QPointF) -> QPoint:
            return widget.mapTo(self._window, pos.toPoint())

        QTest.mouseMove(handle, at(start))
        QTest.mousePress(handle, Qt.LeftButton, Qt.NoModifier, at(start))
        QApplication.processEvents()
        pos = start
        for step in range(1, MOVES + 1):
            angle = 2 * math.pi * step / MOVES
            way = QPointF(math.sin(angle), 1 - math.cos(angle)) * REACH_PX
            pos = start + way + QPointF(4 * step / MOVES, 0)
            self.note(kind, partial(QTest.mouseMove, handle, at(pos)))
        drop = partial(QTest.mouseRelease, handle, Qt.LeftButton, Qt.NoModifier, at(pos))
        self.note(f"{kind}-drop", drop)

    def key_of(self, level: str) -> str:
        """Key of the centroid of a level."""
        found = self.ws.spine.centroids
        return next(key for key in found if found[key].level == level)


def correct(hand: Annotator) -> None:
    """Drag centroids in the pictures along the spine and in a view; then shift all names.

    The same is done, in turns, with the two pictures as users of pyqtgraph build them.
    """
    pictures = [pane.picture for pane in hand.strip.panes if pane.picture is not None]
    theirs = PyqtgraphSpine(pictures, _names(hand))
    theirs.resize(*(hand.strip.panes[0].width() * 2, hand.strip.panes[0].height()))
    theirs.show()
    for number, level in enumerate(DRAGGED):
        pane = hand.strip.panes[number % 2]
        hand.drag("drag", pane, pane.pos_of(_ras(hand, level)))
        hand.settle()
        hand.note_baseline("drag", theirs.drag(4 * number, MOVES))
    view = hand.driver.program.views.views[0]
    for level in DRAGGED:
        hand.ws.spine.select(hand.key_of(level))
        hand.settle()
        hand.drag("drag-view", view, view.pos_of(_ras(hand, level)))
        hand.settle()
    for number in range(N_SHIFTS):
        key = Qt.Key_Down if number % 2 == 0 else Qt.Key_Up
        hand.note("shift", partial(hand.key, key, Qt.AltModifier))
        hand.settle()
        hand.note_baseline("shift", theirs.rename(_names(hand)))
    for _ in range(N_SHIFTS):
        hand.note("undo", partial(hand.key, Qt.Key_Z, Qt.ControlModifier))
        hand.settle()
    theirs.close()


def _ras(hand: Annotator, level: str) -> npt.NDArray[np.float64]:
    return np.array(hand.ws.spine.centroids[hand.key_of(level)].position_ras)


def _names(hand: Annotator) -> dict[str, npt.NDArray[np.float64]]:
    found = hand.ws.spine.centroids
    return {found[key].level: np.array(found[key].position_ras) for key in from_above(found)}


def main(_act: str, root: str) -> None:
    driver = Driver(Path(root))
    driver.open(0)
    driver.wait_until_idle()
    driver.program.ws.perspective.choose("spine")
    driver.wait_until_idle()
    hand = Annotator(driver)
    correct(hand)
    found = {"times": hand.times, "baselines": hand.baselines}
    sys.stdout.write(json.dumps(found) + "\n")
    driver.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
