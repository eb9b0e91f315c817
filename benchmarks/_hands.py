"""Somebody edits in the real window: ``python -m benchmarks._hands ACT ROOT``.

The mouse and the keys are those of the window system: they go to the window, which finds the
widget under the pointer or the command of the key. Times end when the event loop has nothing left
to do, the repaint included. See :mod:`benchmarks.hands` for what is reported.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PyQt5.QtCore import QEvent, QEventLoop, QObject, QPoint, QPointF, Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget

from benchmarks._drive import Driver, Heart
from benchmarks._scene import LIVER

#: Diameter of brush and eraser.
BRUSH_MM = 20.0
STEP_PX = 6
MOVES = 45
N_STROKES = 6

#: First label that is painted with.
OTHER = 12

#: Nothing that is waited for takes this long.
PATIENCE_S = 30.0

#: A mouse reports this often.
MOUSE_MS = 8

#: Something somebody does; tried again as long as it returns false.
Step = Callable[[], object]


class _Paints(QObject):
    """Counts the repaints of a widget."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, widget: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Paint
        return False


class Hand:
    """One hand on the mouse, over the PV view, and one on the keys.

    Attributes
    ----------
    times
        By kind of act, the times that were noted in ms: on the clock, and of the main thread
        alone. They differ by what it waits for, and by what other programs take.
    """

    def __init__(self, driver: Driver) -> None:
        self.times: dict[str, list[tuple[float, float]]] = {}
        self.program = driver.program
        self.ws = driver.program.ws
        self.view = driver.program.views.views[2]
        self._window = driver.program.window
        QApplication.setActiveWindow(self._window)
        self._handle = self._window.windowHandle()
        self._paints = _Paints(self.view)
        self._rows = _Paints(self.program.regions.view.viewport())
        self._counted = self._rows_before = 0
        self.ws.session.regions_changed.connect(self._count)
        liver = max(
            (r for r in self.ws.session.regions["draft"].regions.values() if r.label == LIVER),
            key=lambda region: region.voxels,
        )
        self.centre_ras = np.array(liver.centroid_ras)
        self.ws.selection.set_mask("draft")
        self.ws.selection.set_brush_mm(BRUSH_MM)
        self.ws.views.set_crosshair(self.centre_ras)
        self.move(QPointF(5, 5))

    def press(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        QTest.mousePress(self._handle, button, Qt.NoModifier, self._at(pos))

    def move(self, pos: QPointF) -> None:
        QTest.mouseMove(self._handle, self._at(pos))

    def release(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        QTest.mouseRelease(self._handle, button, Qt.NoModifier, self._at(pos))

    def key(self, key: int, modifier: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        QTest.keyClick(self._handle, key, modifier)

    def undo(self) -> None:
        self.key(Qt.Key_Z, Qt.ControlModifier)

    def paint(self, kind: str, act: Callable[[], object]) -> None:
        """Note the time of an act until the view is painted and no event is left."""
        before = self._paints.count
        start, own_start = time.perf_counter(), time.thread_time()
        act()
        self._turn(lambda: self._paints.count > before)
        QApplication.processEvents()
        self._note(kind, start, own_start)

    def show_list(self, kind: str, act: Callable[[], object]) -> None:
        """Note the time of an act until the list shows the regions that were counted after it."""
        counted = self._counted
        start, own_start = time.perf_counter(), time.thread_time()
        act()
        self._turn(lambda: self._counted > counted and self._rows.count > self._rows_before)
        self._note(kind, start, own_start)

    def settle(self) -> None:
        """Let the background finish, without counting it."""
        self._turn(lambda: not self.ws.tasks.pending_count)

    def _turn(self, is_done: Callable[[], bool]) -> None:
        """Let the event loop turn until something holds."""
        end = time.perf_counter() + PATIENCE_S
        while not is_done():
            QApplication.processEvents(QEventLoop.AllEvents, 1)
            if time.perf_counter() > end:
                raise TimeoutError("what was done is not shown")

    def path(self, number: int) -> list[QPointF]:
        """The way of a stroke: a wave over the liver, elsewhere for every number."""
        middle = self.view.pos_of(self.centre_ras)
        top = middle + QPointF(-MOVES * STEP_PX / 2, (number % 7 - 3) * 12)
        return [
            top + QPointF(step * STEP_PX, 25 * math.sin(step / 6 + number)) for step in range(MOVES)
        ]

    def _note(self, kind: str, start: float, own_start: float) -> None:
        spent, own = time.perf_counter() - start, time.thread_time() - own_start
        self.times.setdefault(kind, []).append((1e3 * spent, 1e3 * own))

    def _at(self, pos: QPointF) -> QPoint:
        return self.view.mapTo(self._window, pos.toPoint())

    def _count(self, mask: str) -> None:
        if mask == "draft":
            self._counted += 1
            self._rows_before = self._rows.count


def strokes(hand: Hand) -> dict[str, Any]:
    """Every painting tool, event by event; then the same again while it saves, and all at once."""
    # painted over the liver, so that the largest label changes with every stroke, too
    hand.ws.selection.set_label(OTHER)
    hand.key(Qt.Key_3)
    _paint(hand, "brush")
    for _ in range(N_STROKES):
        hand.paint("undo", hand.undo)
    hand.settle()
    hand.key(Qt.Key_B)
    _paint(hand, "ball")
    hand.ws.selection.set_label(OTHER + 1)  # where there is one label, nothing is painted with it
    hand.key(Qt.Key_B, Qt.ShiftModifier)
    _paint(hand, "smart")
    hand.key(Qt.Key_B, Qt.ShiftModifier)
    hand.key(Qt.Key_B)
    hand.key(Qt.Key_4)
    _paint(hand, "eraser")
    hand.key(Qt.Key_2)
    for number in range(N_STROKES):
        around = _circle(hand.view.pos_of(hand.centre_ras), 30 + 12 * number)
        hand.press(around[0])
        for pos in around[1:]:
            hand.paint("outline", partial(hand.move, pos))
        hand.paint("contour", partial(hand.release, around[-1]))
        hand.settle()
    hand.key(Qt.Key_3)
    save_ms = _paint_while_saving(hand)
    return {"stall_ms": _stall(hand, _everything(hand)), "save_ms": save_ms}


def previews(hand: Hand) -> dict[str, Any]:
    """Tools that show what they would do with every move of the mouse."""
    hand.ws.selection.set_label(OTHER)
    middle = hand.view.pos_of(hand.centre_ras)
    hand.key(Qt.Key_7)
    for pos in hand.path(0) + hand.path(1):
        hand.paint("bend", partial(hand.move, pos))
    hand.key(Qt.Key_8)
    for number in range(N_STROKES):
        for step, pos in enumerate(_circle(middle, 20 + 10 * number)):
            if step % 5:
                hand.paint("wire", partial(hand.move, pos))
            else:
                hand.paint("anchor", partial(hand.press, pos))
                hand.release(pos)
        hand.key(Qt.Key_Escape)
    hand.key(Qt.Key_9)
    ways = [middle + QPointF(0, 60 - 2 * step) for step in range(60) if abs(step - 30) > 3]
    hand.press(middle)
    for pos in ways:
        hand.paint("grow", partial(hand.move, pos))
    hand.release(ways[-1])
    hand.settle()
    hand.key(Qt.Key_Escape)
    return {"stall_ms": _stall(hand, _grow(hand, middle, ways))}


def _paint(hand: Hand, kind: str) -> None:
    """Some strokes: the time of every move, and from each release to the region list."""
    for number in range(N_STROKES):
        path = hand.path(number)
        hand.press(path[0])
        for pos in path[1:]:
            hand.paint(kind, partial(hand.move, pos))
        hand.show_list(f"{kind}-list", partial(hand.release, path[-1]))
        hand.settle()


def _circle(middle: QPointF, radius_px: float) -> list[QPointF]:
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False).tolist()
    return [middle + radius_px * QPointF(math.cos(a), math.sin(a)) for a in angles]


def _paint_while_saving(hand: Hand) -> float:
    """Paint as long as a mask is being written; returns how long that takes, in ms."""
    ends: list[float] = []
    hand.program.saver.saved.connect(lambda _: ends.append(time.perf_counter()))
    spent, number = [], 0
    for _ in range(3):
        ends.clear()
        start = time.perf_counter()
        hand.key(Qt.Key_S, Qt.ControlModifier)
        while not ends:
            hand.ws.selection.set_label(OTHER + number % 2)
            path = hand.path(number)
            hand.press(path[0])
            for pos in path[1:]:
                hand.paint("saving", partial(hand.move, pos))
            hand.release(path[-1])
            number += 1
        spent.append(1e3 * (ends[0] - start))
        hand.settle()
    return float(np.median(spent))


def _everything(hand: Hand) -> Iterator[Step]:
    """All of it as fast as a mouse is, with saves, undos and other slices in between."""
    for number, key in enumerate((Qt.Key_3, Qt.Key_B, Qt.Key_4, Qt.Key_2, Qt.Key_3)):
        hand.ws.selection.set_label(OTHER + number)
        yield partial(hand.key, key)
        for turn in range(4):
            path = hand.path(4 * number + turn)
            yield partial(hand.press, path[0])
            for pos in path[1:]:
                yield partial(hand.move, pos)
            yield partial(hand.release, path[-1])
            if turn == 1:
                yield partial(hand.key, Qt.Key_S, Qt.ControlModifier)
            if turn == 2:
                yield hand.undo
            yield partial(hand.key, Qt.Key_Up)
    yield lambda: not hand.ws.tasks.pending_count


def _grow(hand: Hand, middle: QPointF, ways: list[QPointF]) -> Iterator[Step]:
    """Drag the range of HU from little to all there is."""
    yield partial(hand.press, middle)
    for pos in ways:
        yield partial(hand.move, pos)
    yield partial(hand.release, ways[-1])
    yield lambda: not hand.ws.tasks.pending_count
    yield partial(hand.key, Qt.Key_Escape)


def _stall(hand: Hand, script: Iterator[Step]) -> float:
    """Longest pause of the event loop in ms while a script goes on with every mouse report."""
    heart, loop, timer = Heart(), QEventLoop(), QTimer()
    waiting: list[Step] = []
    is_in_step = False

    def step() -> None:
        nonlocal is_in_step
        if is_in_step:  # the events of a step are being handled
            return
        if not waiting:
            following = next(script, None)
            if following is None:
                loop.quit()
                return
            waiting.append(following)
        is_in_step = True
        if waiting[0]() is not False:
            waiting.pop()
        is_in_step = False

    timer.setTimerType(Qt.PreciseTimer)
    timer.timeout.connect(step)
    heart.start()
    timer.start(MOUSE_MS)
    loop.exec_()
    timer.stop()
    return heart.stop()


ACTS = {"strokes": strokes, "previews": previews}


def main(act: str, root: str) -> None:
    driver = Driver(Path(root))
    driver.open(0)
    driver.wait_until_idle()
    hand = Hand(driver)
    regions = {name: len(index.regions) for name, index in hand.ws.session.regions.items()}
    found = {**ACTS[act](hand), "times": hand.times, "regions": regions}
    sys.stdout.write(json.dumps(found) + "\n")
    driver.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
