"""The process in which models run: ``python -m inference._worker_child SOCKET LIFELINE LIMIT``.

It ends when the one that started it ends, however: the lifeline is a pipe only that one can
write to, and the kernel sends SIGIO when it closes, whatever the model is doing at the time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from inference._worker_protocol import (
    Channel,
    ChannelClosed,
    ChannelGarbage,
    read_request,
    result_message,
)
from inference.contract import Cancelled, Card, Model, Request, Result
from inference.registry import UnknownModelError, find_model

_NICENESS = 10  # the window paints first
_OOM_SCORE = 500  # when the machine runs out of memory, this process goes, not the window
_REPORT_S = 0.05
_ALIVE_S = 1.0
_log = logging.getLogger(__name__)


class _Refused(Exception):
    """The request cannot be answered; the process is fine."""


class _Inbox:
    """Reads messages in a thread, so that a cancel is seen while a model runs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._runs: queue.SimpleQueue[tuple[dict[str, Any], int]] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> tuple[dict[str, Any], int]:
        """Wait for the next run."""
        return self._runs.get()

    def _read(self) -> None:
        newest = None
        try:
            while True:
                received = self._channel.receive(None)
                assert received is not None  # it waits without end
                message, descriptor = received
                if message["op"] == "cancel":
                    if message["run"] == newest:
                        self.cancelled.set()
                elif descriptor is not None:
                    newest = message["run"]
                    self.cancelled.clear()
                    self._runs.put((message, descriptor))
        except (ChannelClosed, ChannelGarbage):
            os._exit(0)  # the main thread may be deep in a network


class _Context:
    """The caller, as the model sees it. Any sign of the model's tells the parent it is alive."""

    def __init__(self, channel: Channel, cancelled: threading.Event) -> None:
        self._channel = channel
        self._cancelled = cancelled
        self._fraction = 0.0
        self._text = ""
        self._sent_s = 0.0

    def report(self, fraction: float, text: str) -> None:
        self._raise_if_cancelled()
        self._fraction = max(self._fraction, min(float(fraction), 1.0))
        message = {"kind": "progress", "fraction": self._fraction, "text": str(text)}
        self._send(message, _REPORT_S if text == self._text else 0.0)  # a new step is always told
        self._text = text

    def check(self) -> None:
        self._raise_if_cancelled()
        self._send({"kind": "alive"}, _ALIVE_S)

    def _send(self, message: dict[str, Any], interval_s: float) -> None:
        now_s = time.monotonic()
        if now_s - self._sent_s >= interval_s:
            self._sent_s = now_s
            self._channel.send(message)

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled


class _Engine:
    """Runs models, and keeps the last one loaded."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._key: tuple[str, Card] | None = None

    def run(self, message: dict[str, Any], request: Request, context: _Context) -> dict[str, Any]:
        """Return what to tell about a run, with its result under ``result``."""
        from inference.devices import device_title, resolve_device

        began_s = time.monotonic()
        _forget_peak_memory()
        context.report(0.0, "Loading the model")
        device = resolve_device(message["device"])
        model = self._loaded(message, device)
        context.report(0.0, "Running")
        try:
            result = model.predict(request, context)
        except ValueError as error:
            raise _Refused(str(error)) from error
        _check_labels(result, model.card)
        return {
            "result": result,
            "device": device_title(getattr(model, "device", device)),
            "seconds": time.monotonic() - began_s,
            "peak_rss_mb": _peak_memory_mb(),
            "weights": model.card.weights,
        }

    def _loaded(self, message: dict[str, Any], device: str) -> Model:
        factory = find_model(message["model"], map(Path, message["folders"]))
        key = (device, factory.card())
        if self._model is None or self._key != key:
            self._model = self._key = None  # never two at once in memory
            self._model = factory.load(device)
            self._key = key
        return self._model


def serve(channel: Channel) -> None:
    """Answer runs until the parent goes."""
    inbox = _Inbox(channel)
    engine = _Engine()
    while True:
        _answer(*inbox.next(), engine, channel, inbox.cancelled)


def _answer(
    message: dict[str, Any],
    volumes: int,
    engine: _Engine,
    channel: Channel,
    cancelled: threading.Event,
) -> None:
    """Run a model and send what came of it."""
    try:
        try:
            request = read_request(message, volumes)
        finally:
            os.close(volumes)  # the mapping stays
        answer = engine.run(message, request, _Context(channel, cancelled))
        body, mask = result_message(answer.pop("result"))
        try:
            channel.send({"kind": "result", **answer, **body}, mask)
        finally:
            if mask is not None:
                os.close(mask)
    except Cancelled:
        channel.send({"kind": "cancelled"})
    except (_Refused, UnknownModelError) as error:
        channel.send({"kind": "refused", "text": _one_line(error)})
    except Exception as error:  # a model may raise anything
        _log.exception("the model failed")
        channel.send({"kind": "failed", "text": _failure(error)})


def _check_labels(result: Result, card: Card) -> None:
    """Raise ValueError when a mask holds labels that the card does not name."""
    if result.mask is None or not card.labels:
        return
    allowed = np.zeros(1 << 16, bool)
    allowed[[0, *card.labels]] = True
    for plane in result.mask.array:
        if not allowed[plane].all():
            label = int(plane[~allowed[plane]][0])
            raise ValueError(f"its mask holds the label {label}, which its card does not name")


def _failure(error: Exception) -> str:
    """Return what to tell about an exception that was not meant for the user."""
    out_of_memory = isinstance(error, MemoryError) or (
        isinstance(error, OSError | RuntimeError)
        and any(word in str(error).lower() for word in ("allocate memory", "out of memory"))
    )
    if out_of_memory:
        return "The model needs more memory than there is"
    if isinstance(error, ValueError):
        return f"The model cannot be used: {_one_line(error)}"
    return f"The model failed ({type(error).__name__}: {_one_line(error)})"


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else type(error).__name__


def _forget_peak_memory() -> None:
    """Let the peak of this process begin anew, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def _peak_memory_mb() -> float:
    """Return the most memory that was resident since it was forgotten, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _end_with_parent(lifeline: int) -> None:
    """Let the kernel end this process when the other end of the pipe closes."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
    os.set_inheritable(lifeline, False)


def main() -> None:
    """Run the process."""
    end, lifeline, limit_bytes = map(int, sys.argv[1:4])
    _end_with_parent(lifeline)
    os.nice(_NICENESS)
    try:
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    except OSError:
        pass
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    from inference.devices import processor_threads

    # before torch, OpenMP and OpenVINO are loaded, which read it once
    os.environ.setdefault("OMP_NUM_THREADS", str(processor_threads()))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    serve(Channel(socket.socket(fileno=end)))


if __name__ == "__main__":
    main()
