"""A model on one case from disk, and on all cases of a folder with several workers."""

from __future__ import annotations

import csv
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from inference.contract import Cancelled, Card, Context, ParamValue, Request
from inference.phases import phase_of
from inference.progress import Span
from inference.results import write_results
from inference.volumes import NIFTI_SUFFIXES, Input, find_inputs, read_source, with_phases
from inference.worker import Worker, WorkerError

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors after which no other case can be written either."""

_READ = 0.05  # share of reading in the progress of a case


@dataclass(frozen=True)
class Case:
    """A case of a batch.

    Parameters
    ----------
    name : str
    inputs : tuple of Input
    problem : str
        Why it cannot be read; empty when it can.
    """

    name: str
    inputs: tuple[Input, ...]
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """What became of a case: a row of ``batch.csv``.

    Parameters
    ----------
    case : str
    state : str
        ``done``, ``there`` (it was before) or ``failed``.
    problem : str
        Why it failed.
    seconds : float or None
    mask : str or None
    warnings : str
        Joined by semicolons.
    """

    case: str
    state: str
    problem: str = ""
    seconds: float | None = None
    mask: str | None = None
    warnings: str = ""


def run_case(
    worker: Worker,
    card: Card,
    inputs: Sequence[Input],
    params: Mapping[str, ParamValue],
    out: Path,
    context: Context,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Read a case, run a model on it and write the results.

    Parameters
    ----------
    worker : Worker
    card : Card
        Of the model.
    inputs : sequence of Input
    params : mapping of str to value
    out : Path
        Folder for the results, see :func:`inference.results.write_results`.
    context : Context
    overwrite : bool
        Replace results that are there; somebody may have worked on them.

    Returns
    -------
    dict
        The document of ``run --json``.

    Raises
    ------
    ValueError
        Images that cannot be read or are not what the model needs, or results that are there.
    WorkerError, Cancelled
    """
    if has_results(out, card) and not overwrite:
        raise ValueError(f"{out} has results of {card.id}; name another folder or --overwrite")
    by_phase, warnings = with_phases(inputs, card)
    refusal = card.refusal(by_phase) if card.family != "external" or card.needs else None
    if refusal:
        raise ValueError(refusal)
    context.report(0.0, "Reading the images")
    sources = {phase: read_source(each.path) for phase, each in by_phase.items()}
    request = Request({phase: source.image for phase, source in sources.items()}, params)
    ran = worker.run(card.id, request, Span(context, _READ, 1.0))
    document = write_results(out, card.id, ran, sources, warnings)
    context.report(1.0, "Done")
    return document


def has_results(out: Path, card: Card) -> bool:
    """Whether a folder has results of a model, whole or not."""
    return is_done(out, card) or (out / f"{card.id}.nii.gz").exists()


def is_done(out: Path, card: Card) -> bool:
    """Whether a folder has all results of a model: the document is written last."""
    return (out / f"{card.id}.json").exists()


def find_cases(images: Path) -> list[Case]:
    """Return the cases of a folder.

    Each folder in it is a case; without folders, files are: those that differ only by the word
    for the phase belong together.

    Raises
    ------
    ValueError
        There are none.
    """
    folders = sorted(p for p in images.iterdir() if p.is_dir() and not p.name.startswith("."))
    if folders:
        return [_case(folder.name, [str(folder)]) for folder in folders]
    groups: dict[str, list[str]] = {}
    for path in sorted(images.iterdir()):
        if path.name.endswith(NIFTI_SUFFIXES):
            stem = path.name.removesuffix(".gz").removesuffix(".nii")
            name, _, last = stem.rpartition("_")
            groups.setdefault(name if name and phase_of(last) else stem, []).append(str(path))
    if not groups:
        raise ValueError(f"{images} holds no cases: neither folders nor NIfTI files")
    return [_case(name, files) for name, files in groups.items()]


def _case(name: str, arguments: list[str]) -> Case:
    try:
        return Case(name, tuple(find_inputs(arguments)))
    except (ValueError, OSError) as error:
        return Case(name, (), str(error))


def run_batch(
    card: Card,
    cases: Sequence[Case],
    params: Mapping[str, ParamValue],
    out: Path,
    context: Context,
    *,
    workers: int = 1,
    folders: Sequence[Path] = (),
    device: str = "auto",
    overwrite: bool = False,
    told: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Run a model on many cases; a case that fails is a row, not an exception.

    A case whose worker was killed is a failed one; the next gets a new worker. Where nothing can
    be written any more, no further case is begun.

    Parameters
    ----------
    card, cases, params, context
        As for :func:`run_case`; the context's ``check`` cancels all.
    out : Path
        Gets a folder for each case, and ``batch.csv``, written after every case.
    workers : int
        Processes, each with the model in memory.
    folders, device
        As for :class:`inference.worker.Worker`.
    overwrite : bool
        Do cases again whose results are there.
    told : callable
        Gets each row as soon as it is known, in any thread, one after the other.

    Raises
    ------
    OSError
        The table or results cannot be written: a full disk, say.
    Cancelled
        From the context.
    """
    out.mkdir(parents=True, exist_ok=True)
    progress = _Shared(context, [case.name for case in cases])
    pool = [Worker(folders=folders, device=device) for _ in range(min(workers, len(cases)))]
    table = _Rows(out / "batch.csv", told)

    def work(worker: Worker, index: int) -> None:
        progress.check()
        part = progress.of(index)
        row = _row(worker, card, cases[index], params, out, part, overwrite)
        table.add(index, row)
        part.report(1.0, row.state)

    try:
        _share_out(pool, work, len(cases), progress)
    finally:
        for worker in pool:
            worker.close()
    return table.rows


def _share_out(
    pool: Sequence[Worker], work: Callable[[Worker, int], None], n_cases: int, progress: _Shared
) -> None:
    """Give each case to the next worker that is free; what one of them raises ends all."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in pool:
        free.put(worker)

    def one(index: int) -> None:
        worker = free.get()
        try:
            work(worker, index)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(max_workers=len(pool)) as threads:
        try:
            for job in [threads.submit(one, index) for index in range(n_cases)]:
                job.result()
        except BaseException:
            progress.cancel()
            raise


class _Rows:
    """The rows that are known, and the table of them on disk."""

    def __init__(self, path: Path, told: Callable[[Row], None]) -> None:
        self._path, self._told = path, told
        self._lock = threading.Lock()
        self._rows: dict[int, Row] = {}

    @property
    def rows(self) -> list[Row]:
        """In the order of the cases."""
        return [self._rows[index] for index in sorted(self._rows)]

    def add(self, index: int, row: Row) -> None:
        """Write the table with one more row, and tell of it."""
        with self._lock:
            self._rows[index] = row
            _write_table(self._path, self.rows)
            self._told(row)


def _row(
    worker: Worker,
    card: Card,
    case: Case,
    params: Mapping[str, ParamValue],
    out: Path,
    context: Context,
    overwrite: bool,
) -> Row:
    folder = out / case.name
    if case.problem:
        return Row(case.name, "failed", case.problem)
    mask = folder / f"{card.id}.nii.gz"
    if is_done(folder, card) and not overwrite:
        return Row(case.name, "there", mask=str(mask) if mask.exists() else None)
    try:
        document = run_case(worker, card, case.inputs, params, folder, context, overwrite=True)
    except (ValueError, OSError, WorkerError) as error:
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            raise
        return Row(case.name, "failed", str(error))
    warnings = "; ".join(document["warnings"])
    return Row(case.name, "done", "", document["seconds"], document["mask"], warnings)


class _Shared:
    """The progress of cases that run side by side, reported as one."""

    def __init__(self, context: Context, cases: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._context = context
        self._cases = cases
        self._fractions = [0.0] * len(cases)
        self._cancelled = False

    def of(self, index: int) -> Context:
        """Return the context of a case."""
        return _Part(self, index)

    def cancel(self) -> None:
        """Stop every case at its next check."""
        self._cancelled = True

    def check(self) -> None:
        if self._cancelled:
            raise Cancelled
        with self._lock:
            self._context.check()

    def report(self, index: int, fraction: float, text: str) -> None:
        with self._lock:
            self._fractions[index] = max(self._fractions[index], fraction)
            done, total = sum(each >= 1.0 for each in self._fractions), len(self._cases)
            said = f"{done} of {total} done, {self._cases[index]}: {text}"
            self._context.report(sum(self._fractions) / total, said)


@dataclass(frozen=True)
class _Part:
    shared: _Shared
    index: int

    def report(self, fraction: float, text: str) -> None:
        self.shared.report(self.index, fraction, text)

    def check(self) -> None:
        self.shared.check()


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write ``batch.csv``; what a spreadsheet would take for a formula gets an apostrophe."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow([field.name for field in fields(Row)])
        for row in rows:
            table.writerow([_cell(value) for value in vars(row).values()])
    os.replace(part, path)


def _cell(value: str | float | None) -> str | float:
    if isinstance(value, str) and value.startswith(tuple("=+-@")):
        return f"'{value}"
    return "" if value is None else value
