"""Models in a process of their own, which may run out of memory, hang or crash.

:class:`Worker` is the side of the caller; it imports no torch. The other side is
:mod:`inference._worker_child`. The process is started by the first run and keeps the last model
loaded; whatever happens to it, the caller gets an exception with a sentence, and the next run
starts a new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from inference._worker_protocol import (
    Channel,
    ChannelClosed,
    ChannelGarbage,
    read_result,
    request_message,
)
from inference.contract import Cancelled, Context, Request, Result
from inference.progress import TimeLeft

__all__ = ["RefusedError", "RunResult", "TimeLeft", "Worker", "WorkerError"]

GRACE_S = 4.0
"""How long a cancelled model may go on before its process is killed."""

_POLL_S = 0.05
_EXIT_S = 5.0
_LOG_TAIL_BYTES = 4000
_log = logging.getLogger(__name__)


class WorkerError(RuntimeError):
    """A run failed, in a sentence for the user. Nothing was changed; another run may work."""


class RefusedError(WorkerError):
    """The model cannot answer this request, or there is no such model."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """A result and how it came about.

    Parameters
    ----------
    result : Result
    device : str
        ``cpu``, or ``cuda:0`` and the name of the device.
    seconds : float
        From the request to the result, loading included.
    peak_rss_mb : float
        Most memory that was resident in the process during the run, in MB of 2**20 bytes.
    weights : str
        SHA-256 of the weights, as the card says and the loader checked.
    """

    result: Result
    device: str
    seconds: float
    peak_rss_mb: float
    weights: str


class _Process:
    """A running child and the connection to it."""

    def __init__(self, memory_limit_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by release
        arguments = [str(n) for n in (theirs.fileno(), lifeline, memory_limit_bytes)]
        # -P: what lies in the current folder is not imported
        command = [sys.executable, "-P", "-m", "inference._worker_child", *arguments]
        paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,  # where libraries may print what they like
                stderr=self._log,
                pass_fds=(theirs.fileno(), lifeline),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                start_new_session=True,  # a Ctrl+C in the terminal is for the caller
            )
        except BaseException:
            ours.close()
            os.close(self._lifeline)
            self._log.close()
            raise
        finally:
            theirs.close()
            os.close(lifeline)
        self.channel = Channel(ours)

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.poll() is None

    def kill(self) -> None:
        """End it and whatever it started, now."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def release(self) -> None:
        """Kill it and close what belongs to it."""
        self.kill()
        self.channel.close()
        os.close(self._lifeline)
        self._log.close()

    def cause_of_death(self) -> str:
        """Return a sentence on why it is gone, and log what it printed last."""
        try:
            code = self._child.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            return "The model's process closed its connection and was stopped"
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
        _log.warning("the model's process ended: %s", self._log.read().decode(errors="replace"))
        if code >= 0:
            return f"The model's process ended by itself (exit code {code})"
        if code == -signal.SIGKILL:
            return "The model's process was killed, perhaps because the memory ran out"
        return f"The model's process crashed ({signal.Signals(-code).name})"


class Worker:
    """Runs models, one at a time, in one process that stays.

    Methods block: call them in a background thread. ``close`` may be called from any thread, also
    while a run goes on.

    Parameters
    ----------
    folders : sequence of Path
        Where to look for third-party models, see :func:`inference.registry.list_models`.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    memory_limit_bytes : int, optional
        Most address space the process may use. Libraries reserve far more than they use: for a
        processor allow 6 GB beyond what the model needs, and do not limit it with CUDA.
    hang_timeout_s : float
        A model that gives no sign of life (report or check) for so long is stopped.
    """

    def __init__(
        self,
        *,
        folders: Sequence[Path] = (),
        device: str = "auto",
        memory_limit_bytes: int | None = None,
        hang_timeout_s: float = 300.0,
    ) -> None:
        self._folders = [str(Path(folder).absolute()) for folder in folders]
        self._device = device
        self._memory_limit_bytes = memory_limit_bytes or 0
        self._hang_timeout_s = hang_timeout_s
        self._one_run = threading.Lock()
        self._starting = threading.Lock()
        self._process: _Process | None = None
        self._closed = False
        self._runs = 0

    @property
    def pid(self) -> int | None:
        """Id of the process, None when none is running."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def run(self, model_id: str, request: Request, context: Context) -> RunResult:
        """Return what a model finds.

        Parameters
        ----------
        model_id : str
            As in :func:`inference.registry.list_models`.
        request : Request
        context : Context
            Called in this thread: ``report`` with what the model reports (the fraction never
            falls), ``check`` at least 20 times a second.

        Raises
        ------
        Cancelled
            From the context; the model ends with its current patch, or is killed after
            :data:`GRACE_S`.
        RefusedError
            There is no such model, or it says why it cannot answer.
        WorkerError
            It failed, crashed, hung or answered nonsense.
        """
        with self._one_run:
            context.check()
            process = self._started()
            try:
                return self._converse(process, model_id, request, context)
            except (Cancelled, RefusedError):
                raise
            except ChannelClosed as error:
                raise WorkerError(process.cause_of_death()) from error
            except ChannelGarbage as error:
                process.kill()
                raise WorkerError("The model's process sent what nobody can read") from error
            except BaseException:
                process.kill()
                raise
            finally:
                if not process.alive:
                    self._dispose(process)

    def close(self) -> None:
        """End the process, and a run with it. Later runs raise WorkerError."""
        with self._starting:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        with self._one_run:  # the run, if any, has noticed
            if self._process is not None:
                self._dispose(self._process)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _started(self) -> _Process:
        """Return the process, a new one if there is none."""
        with self._starting:
            if self._closed:
                raise WorkerError("The models have been shut down")
            if self._process is not None and not self._process.alive:
                self._process.release()
                self._process = None
            if self._process is None:
                self._process = _Process(self._memory_limit_bytes)
            return self._process

    def _dispose(self, process: _Process) -> None:
        process.release()
        self._process = None

    def _converse(
        self, process: _Process, model_id: str, request: Request, context: Context
    ) -> RunResult:
        """Send a run and listen until its result is there."""
        self._runs += 1
        run = {"op": "run", "run": self._runs, "model": model_id, "device": self._device}
        body, volumes = request_message(request)
        try:
            process.channel.send({**run, "folders": self._folders, **body}, volumes)
        finally:
            os.close(volumes)
        heard_s = time.monotonic()
        cancelled_s = None
        while True:
            received = process.channel.receive(_POLL_S)
            now_s = time.monotonic()
            try:
                if received is not None:
                    heard_s = now_s
                    result = self._answer(*received, request, context)
                    if result is not None:
                        context.check()
                        return result
                if cancelled_s is None:
                    context.check()
            except Cancelled:
                if received is not None and received[0].get("kind") in ("result", "cancelled"):
                    raise
                if cancelled_s is None:
                    cancelled_s = now_s
                    process.channel.send({"op": "cancel", "run": self._runs})
            if cancelled_s is not None and now_s - cancelled_s > GRACE_S:
                process.kill()
                raise Cancelled
            if now_s - heard_s > self._hang_timeout_s:
                raise WorkerError(
                    f"The model gave no sign of life for {self._hang_timeout_s:.0f} s "
                    "and was stopped"
                )

    def _answer(
        self, message: Mapping[str, Any], file: int | None, request: Request, context: Context
    ) -> RunResult | None:
        """Act on a message; return the result when it is one."""
        try:
            kind = message.get("kind")
            if kind == "progress":
                context.report(float(message["fraction"]), str(message["text"]))
            elif kind == "cancelled":
                raise Cancelled
            elif kind == "refused":
                raise RefusedError(str(message["text"]))
            elif kind == "failed":
                raise WorkerError(str(message["text"]))
            elif kind == "result":
                return _checked_result(message, file, request)
            elif kind != "alive":
                raise ChannelGarbage
            return None
        finally:
            if file is not None:
                os.close(file)


def _checked_result(message: Mapping[str, Any], file: int | None, request: Request) -> RunResult:
    """Return the result of a message, or raise WorkerError when any of it is wrong."""
    try:
        return RunResult(
            result=read_result(message, file, request),
            device=str(message["device"]),
            seconds=float(message["seconds"]),
            peak_rss_mb=float(message["peak_rss_mb"]),
            weights=str(message["weights"]),
        )
    except Exception as error:
        raise WorkerError(f"The model answered what cannot be used: {error}") from error
