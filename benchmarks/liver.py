"""The liver model on a case of full size: how long, how much memory, and how honest the progress.

Not a network in a loop but what a user waits for: a process that starts, reads four compressed
phases, registers, segments, judges lesions and writes a mask.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil

from benchmarks.registry import Measured, row
from inference.contract import PHASES, Cancelled, Image, Request
from inference.grid import grid_of

_SHAPE_KJI = (300, 512, 512)
_SPACING_KJI_MM = (1.0, 0.75, 0.75)
_SEED = 0


@cache
def _phases() -> dict[str, Image]:
    """Return a phantom of 512 x 512 x 300 voxels: one of 1.5 mm, interpolated."""
    from inference.phantom.patient import make_patient
    from inference.resampling import resample

    images = {}
    for phase, image in make_patient(_SEED, spacing_mm=1.5).phases.items():
        grid = grid_of(image).respaced(_SPACING_KJI_MM)
        array = resample(image, grid, fill_hu=-1000.0)
        padded = np.full(_SHAPE_KJI, -1000, dtype=np.int16)
        part = tuple(slice(0, min(a, b)) for a, b in zip(array.shape, _SHAPE_KJI, strict=True))
        padded[part] = np.rint(array[part])
        images[phase] = Image(padded, grid.affine_ras)
    return images


class _Stages:
    """A context that notes when each step began, and what was said about the time left."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.steps: dict[str, float] = {}
        self.said: list[tuple[float, float]] = []
        self._text, self._since = "", self.began

    def report(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if text != self._text:
            self._close(now)
            self._text, self._since = text, now
        self.said.append((now - self.began, fraction))

    def check(self) -> None:
        """Never stop."""

    def _close(self, now: float) -> None:
        if self._text:
            self.steps[self._text] = self.steps.get(self._text, 0.0) + now - self._since

    def end(self) -> float:
        """Return how long it took."""
        self._close(time.monotonic())
        return time.monotonic() - self.began

    def worst_time_left(self, total_s: float) -> float:
        """Return the largest error of the time left, as part of the whole, after a fifth of it."""
        errors = [
            abs(elapsed * (1.0 - fraction) / fraction - (total_s - elapsed)) / total_s
            for elapsed, fraction in self.said
            if fraction > 0.02 and 0.2 * total_s <= elapsed
        ]
        return max(errors, default=0.0)


@row("liver-case", reach=60.0, budget_s=200)
def liver_case() -> Measured:
    """`ct-infer run liver` on 512 x 512 x 300 in four phases, from start of process to mask."""
    folder = Path(tempfile.mkdtemp(prefix="liver-bench-"))
    try:
        inputs = []
        for phase in PHASES:
            image = _phases()[phase]
            path = folder / f"{phase}.nii.gz"
            nib.openers.Opener.default_compresslevel = 1
            nib.save(nib.Nifti1Image(image.array.transpose(2, 1, 0), image.affine_ras), path)
            inputs.append(f"{phase}={path}")
        start = "import sys; from inference.cli import main; sys.exit(main())"
        arguments = [sys.executable, "-c", start, "run", "liver", *inputs]
        arguments += ["--out", str(folder / "out"), "--device", "cpu", "--json"]
        began = time.monotonic()
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
            peak = _peak_rss_mb(process)
        seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError("the model failed")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(seconds, None, "s", f"{peak:.0f} MB resident in both processes together")


def _peak_rss_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the most memory a process and its children held at once, when it has ended."""
    peak = 0
    while process.poll() is None:
        total = 0
        try:
            root = psutil.Process(process.pid)
            for each in (root, *root.children(recursive=True)):
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak = max(peak, total)
        time.sleep(0.05)
    return peak / 2**20


@row("liver-stages", reach=30.0, budget_s=120)
def liver_stages() -> Measured:
    """Largest error of the time left, after a fifth of a run of the liver model."""
    from inference.liver import FACTORY

    model = FACTORY.load("cpu")
    stages = _Stages()
    model.predict(Request(_phases()), stages)
    total = stages.end()
    table = ", ".join(f"{name.lower()} {s:.1f}" for name, s in stages.steps.items())
    return Measured(100.0 * stages.worst_time_left(total), None, "%", f"{table}; {total:.1f} s")


@row("liver-cancel", reach=3000.0, budget_s=180)
def liver_cancel() -> Measured:
    """Longest time from a cancel to the end of the liver model, in each of its steps."""
    from inference.liver import FACTORY

    model = FACTORY.load("cpu")
    longest = 0.0
    waits = []
    for after in (0.0, 0.1, 0.17, 0.3, 0.6, 0.78, 0.92):
        stopper = _StopsAt(after)
        try:
            model.predict(Request(_phases()), stopper)
        except Cancelled:
            waits.append(1000.0 * (time.monotonic() - stopper.asked))
            longest = max(longest, waits[-1])
    note = ", ".join(f"{ms:.0f}" for ms in waits)
    return Measured(longest, None, "ms", f"each: {note} ms", runs=len(waits))


class _StopsAt:
    """A context that is cancelled 50 ms after some progress, as by a hand that does not wait."""

    def __init__(self, fraction: float) -> None:
        self._fraction, self.asked = fraction, 0.0
        self._cancelled = threading.Event()

    def report(self, fraction: float, text: str) -> None:
        del text
        if fraction >= self._fraction and not self.asked:
            self.asked = time.monotonic() + 0.05
            threading.Timer(0.05, self._cancelled.set).start()

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
