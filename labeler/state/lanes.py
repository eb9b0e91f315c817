"""Threads that run calls in order, and that hold up nobody who wants to leave.

Not a :class:`~concurrent.futures.ThreadPoolExecutor`: Python waits for its threads before the
process ends, and one that reads from a dead network drive never ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable


class Lane:
    """A queue of calls and the daemon threads that take from it.

    Parameters
    ----------
    name
        Prefix of the threads' names.
    size
        Number of threads; they are started when there is something to do.
    niceness
        How much they stand back behind other threads (Unix niceness).
    """

    def __init__(self, name: str, size: int, niceness: int = 0) -> None:
        self._name = name
        self._size = size
        self._niceness = niceness
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, call: Callable[[], None]) -> None:
        """Run ``call``, which must not raise, when its turn comes."""
        self._calls.put(call)
        if len(self._threads) < self._size:
            name = f"{self._name}-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Let the threads end when everything that was submitted is done."""
        for _ in self._threads:
            self._calls.put(None)

    def join(self, until_s: float) -> bool:
        """Wait for the threads of a closed lane; whether they have ended.

        Parameters
        ----------
        until_s
            When to give up, on the clock of :func:`time.monotonic`.
        """
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        _stand_back(self._niceness)
        while (call := self._calls.get()) is not None:
            call()
            del call  # what it holds (the voxels of a case) must not wait for the next one


def _stand_back(niceness: int) -> None:
    """Let the other threads of the process go first; where threads have a niceness, on Linux."""
    if sys.platform == "linux" and niceness:
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(19, own + niceness))
