"""Background work: plain functions in lanes, results back in the main thread.

A task is a function that takes a :class:`TaskContext` first. It gets read-only arrays or copies,
never Qt objects. Its result comes back through one relay object in the main thread, by key: when
a newer task of the same key was submitted, the older one is asked to stop and its result is
dropped. A caller whose request adds to an older one (boxes to recompute) must carry the older
request's content in the newer one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from PyQt5.QtCore import QObject, Qt, pyqtSignal

from labeler.state.lanes import Lane

log = logging.getLogger(__name__)

LaneName = Literal["io", "compute", "journal", "lock", "model"]

#: Threads per lane: four phases read at once; region work leaves a core to the window; what goes
#: to the journal stays in order, and so do locks, which a dead drive may hold up; one model runs
#: at a time.
LANE_THREADS: dict[LaneName, int] = {"io": 4, "compute": 2, "journal": 1, "lock": 1, "model": 1}

#: How much the threads of these lanes stand back (Unix niceness): six of them on two cores would
#: make the window wait its turn, at every event, for tens of milliseconds.
LANE_NICENESS: dict[LaneName, int] = {"io": 5, "compute": 2, "journal": 0, "lock": 0, "model": 5}

#: Lanes whose tasks are finished when the program ends; those of the others are dropped.
LANES_TO_FINISH: tuple[LaneName, ...] = ("journal", "lock")

#: How long the end of the program waits for them, and then for tasks that were told to stop.
FINISH_S, STOP_S = 10.0, 5.0


class Cancelled(Exception):
    """Raised by :meth:`TaskContext.check` inside a task that is no longer wanted."""


@dataclass
class TaskContext:
    """What a running task may use to talk to the outside."""

    _stop: threading.Event = field(default_factory=threading.Event)
    _on_progress: Callable[[float, str], None] | None = None
    _on_part: Callable[[Any], None] | None = None

    def report(self, fraction: float, text: str = "") -> None:
        """Tell how far the task is (0..1)."""
        if self._on_progress is not None and not self._stop.is_set():
            self._on_progress(fraction, text)

    def send(self, part: Any) -> None:
        """Hand a part of the result over before the task ends."""
        if self._on_part is not None and not self._stop.is_set():
            self._on_part(part)

    def check(self) -> None:
        """Raise :class:`Cancelled` when the task is no longer wanted."""
        if self._stop.is_set():
            raise Cancelled

    @property
    def is_cancelled(self) -> bool:
        return self._stop.is_set()


@dataclass(eq=False)
class _Task:
    key: Hashable
    context: TaskContext
    done: Callable[[Any], None] | None
    failed: Callable[[Exception], None] | None
    progress: Callable[[float, str], None] | None
    received: Callable[[Any], None] | None


class TaskRunner(QObject):
    """Runs tasks in lanes; lives in the main thread.

    Signals
    -------
    failed
        Exception of a task that had no ``failed`` callback.
    count_changed
        Number of tasks that are waiting or running.
    """

    failed = pyqtSignal(object)
    count_changed = pyqtSignal(int)
    _relay = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lanes = {
            lane: Lane(f"labeler-{lane}", threads, LANE_NICENESS[lane])
            for lane, threads in LANE_THREADS.items()
        }
        self._tasks: dict[Hashable, _Task] = {}
        self._is_down = False
        self._relay.connect(self._deliver, Qt.QueuedConnection)

    def submit(
        self,
        lane: LaneName,
        key: Hashable,
        function: Callable[..., Any],
        *args: Any,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
        progress: Callable[[float, str], None] | None = None,
        received: Callable[[Any], None] | None = None,
    ) -> None:
        """Run ``function(context, *args)`` in a lane; call back in the main thread.

        ``received`` gets each part the task sends, in order, before ``done`` or ``failed``. A
        waiting or running task of the same key is cancelled. After :meth:`shutdown` nothing is
        run any more.
        """
        if self._is_down:
            return
        self.cancel(key)
        task = _Task(key, TaskContext(), done, failed, progress, received)
        task.context._on_progress = lambda fraction, text: self._send(
            lambda: self._progress(task, fraction, text)
        )
        task.context._on_part = lambda part: self._send(lambda: self._receive(task, part))
        self._tasks[key] = task
        self._lanes[lane].submit(partial(self._run, task, function, args))
        self.count_changed.emit(len(self._tasks))

    def cancel(self, key: Hashable) -> None:
        """Drop the task of this key: its callbacks are never called."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.context._stop.set()
            self.count_changed.emit(len(self._tasks))

    def cancel_where(self, wanted: Callable[[Hashable], bool]) -> None:
        """Drop every task whose key fulfils ``wanted``."""
        for key in [key for key in self._tasks if wanted(key)]:
            self.cancel(key)

    def is_pending(self, key: Hashable) -> bool:
        """Whether a task of this key is waiting, running or undelivered."""
        return key in self._tasks

    def is_pending_where(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether any task whose key fulfils ``wanted`` is pending."""
        return any(wanted(key) for key in self._tasks)

    @property
    def pending_count(self) -> int:
        return len(self._tasks)

    def shutdown(self, finish_s: float = FINISH_S, stop_s: float = STOP_S) -> bool:
        """End the threads; whether all of them did.

        Writes of the journal and locks are finished, everything else is cancelled. A drive that
        does not answer is waited for at most ``finish_s`` and then ``stop_s``: what its threads
        still hold up is left to the end of the process, which does not wait for them.
        """
        self._is_down = True
        lasting = [self._lanes[lane] for lane in LANES_TO_FINISH]
        others = [lane for lane in self._lanes.values() if lane not in lasting]
        ended = _end(lasting, finish_s)
        self.cancel_where(lambda key: True)
        ended = _end(others, stop_s) and ended
        if not ended:
            log.warning("background work that does not end was left behind")
        return ended

    def _run(self, task: _Task, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            task.context.check()
            result = function(task.context, *args)
        except Cancelled:
            return
        except Exception as error:  # every failure must reach the main thread
            failure = error
            self._send(lambda: self._finish(task, None, failure))
        else:
            self._send(lambda: self._finish(task, result, None))

    def _send(self, call: Callable[[], None]) -> None:
        try:
            self._relay.emit(call)
        except RuntimeError:
            # The window is gone and Qt has deleted the relay: nobody waits for the result.
            log.debug("result after shutdown dropped")

    def _deliver(self, call: Callable[[], None]) -> None:
        call()

    def _progress(self, task: _Task, fraction: float, text: str) -> None:
        if self._tasks.get(task.key) is task and task.progress is not None:
            task.progress(fraction, text)

    def _receive(self, task: _Task, part: Any) -> None:
        if self._tasks.get(task.key) is task and task.received is not None:
            task.received(part)

    def _finish(self, task: _Task, result: Any, error: Exception | None) -> None:
        if self._tasks.get(task.key) is not task:
            return
        del self._tasks[task.key]
        self.count_changed.emit(len(self._tasks))
        if error is None:
            if task.done is not None:
                task.done(result)
        elif task.failed is not None:
            task.failed(error)
        else:
            self.failed.emit(error)


def _end(lanes: list[Lane], patience_s: float) -> bool:
    until_s = time.monotonic() + patience_s
    for lane in lanes:
        lane.close()
    return all(lane.join(until_s) for lane in lanes)
