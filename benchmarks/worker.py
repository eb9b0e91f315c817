"""The process in which models run: handing volumes over, stopping, and the window meanwhile."""

from __future__ import annotations

import os
import threading
import time
from statistics import median

import numpy as np

from benchmarks import _plugin, _scene
from benchmarks._drive import drive
from benchmarks._files import Folder, write_cases
from benchmarks.registry import Measured, Pair, row
from inference._worker_protocol import (
    read_request,
    read_result,
    request_message,
    result_message,
)
from inference.contract import Cancelled, Image, LabelMap, Request, Result
from inference.worker import Worker


@row("model-stall", reach=50.0, budget_s=60)
def model_stall() -> Measured:
    """Longest stall of the event loop while a model runs, and its answer is shown and accepted."""
    folder = Folder()
    try:
        write_cases(folder.path, 1)
        with _plugin.installed():
            longest = drive(
                "model-runs", folder.path, module="benchmarks._model_runs",
                memory={"prefetch_mb": 0, "cache_gb": 0},
            )  # fmt: skip
    finally:
        folder.remove()
    note = ", ".join(f"{name} {ms:.0f}" for name, ms in longest.items())
    return Measured(max(longest.values()), None, "ms", f"{note} ms")


@row("model-input", baseline="a copy of the phases", reach_ratio=4.0, budget_s=10)
def model_input() -> Pair:
    """Four phases of 512 x 512 x 300 handed to the process, and mapped there."""
    request = _request()
    arrays = [image.array for image in request.images.values()]

    def ours() -> None:
        message, file = request_message(request)
        try:
            read_request(message, file)
        finally:
            os.close(file)

    return Pair(ours, lambda: [array.copy() for array in arrays])


@row("model-output", baseline="a copy of the mask", reach_ratio=4.0, budget_s=6)
def model_output() -> Pair:
    """A mask of 512 x 512 x 300 handed back and checked."""
    request = _request()
    image = next(iter(request.images.values()))
    result = Result(LabelMap(np.ascontiguousarray(_scene.labels()), image.affine_ras))

    def ours() -> None:
        message, file = result_message(result)
        assert file is not None
        try:
            read_result(message, file, request)
        finally:
            os.close(file)

    return Pair(ours, lambda: _scene.labels().copy())


@row("cancel-soft", reach=3000.0)
def cancel_soft() -> Measured:
    """From a cancel to the end of a model that looks between its patches."""
    return _cancelled("bench-patient", 5)


@row("cancel-hard", reach=5000.0)
def cancel_hard() -> Measured:
    """From a cancel to the end of a model that does not listen: its process is killed."""
    return _cancelled("bench-deaf", 2)


class _Wish:
    """A caller that cancels once the model says that it works."""

    def __init__(self) -> None:
        self._works = threading.Event()
        self.asked_s = 0.0

    def report(self, fraction: float, text: str) -> None:
        if text == "Waiting":
            self._works.set()

    def check(self) -> None:
        if self._works.is_set():
            self.asked_s = self.asked_s or time.perf_counter()
            raise Cancelled


def _cancelled(model: str, runs: int) -> Measured:
    """Median and longest time from a cancel to the moment when another run may begin."""
    image = Image(np.zeros((8, 8, 8), np.int16), np.eye(4))
    times_ms = []
    with _plugin.installed(), Worker() as worker:
        for _ in range(runs):
            wish = _Wish()
            try:
                worker.run(model, Request({"PV": image}), wish)
            except Cancelled:
                times_ms.append((time.perf_counter() - wish.asked_s) * 1e3)
    note = f"longest of {len(times_ms)}: {max(times_ms):.0f} ms"
    return Measured(median(times_ms), None, "ms", note, runs=len(times_ms))


def _request() -> Request:
    return Request(
        {
            phase: Image(np.ascontiguousarray(volume.array), volume.grid.affine)
            for phase, volume in _scene.phases().items()
        }
    )
