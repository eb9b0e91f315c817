"""Running models: which there are, on which cases, one after the other, in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from inference.contract import ParamValue
from inference.registry import ModelEntry, list_models
from inference.worker import TimeLeft, Worker, WorkerError
from labeler.state.placement import shifts_mm
from labeler.state.tasks import TaskContext
from labeler.storage.cache import VolumeCache
from labeler.storage.cases import Case
from labeler.storage.errors import ImageError
from labeler.storage.proposal_files import PackedProposal, ProposalFolder
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.model_jobs import AnsweredBefore, Job, Predictor, RunRefused, run_job
from labeler.workflows.model_queue import JobLine, JobQueue
from labeler.workflows.open_folder import Worklist
from labeler.workflows.proposal_shelf import ProposalShelf
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far the running job is.

    Attributes
    ----------
    fraction
        0..1, of the model's work.
    text
        What is being done.
    left_s
        Seconds left; ``None`` while nobody can tell.
    """

    fraction: float
    text: str
    left_s: float | None = None


def make_worker(folders: Sequence[Path], device: str) -> Predictor:
    """Make the process that runs models; it starts with the first run."""
    return Worker(folders=folders, device=device)


class ModelRunner(QObject):
    """The queue of runs, and the process that does them.

    Parameters
    ----------
    shelf
        Takes the answers.
    cache
        Of volumes, for cases that are not open.
    worker
        Makes what runs the models from folders and a device.
    models
        Lists the models of some folders.

    Signals
    -------
    models_changed
        The list of models is another one.
    queue_changed
        A job was added, begun, ended or taken away.
    progressed
        A :class:`Progress` of the running job.
    failed
        A sentence: why a run that the user asked for came to nothing.
    answered
        The :class:`Job` whose answer has arrived.
    """

    models_changed = pyqtSignal()
    queue_changed = pyqtSignal()
    progressed = pyqtSignal(object)
    failed = pyqtSignal(str)
    answered = pyqtSignal(object)

    def __init__(
        self,
        ws: Workspace,
        worklist: Worklist,
        shelf: ProposalShelf,
        cache: VolumeCache | None,
        parent: QObject | None = None,
        *,
        worker: Callable[[Sequence[Path], str], Predictor] = make_worker,
        models: Callable[[Iterable[Path]], Sequence[ModelEntry]] = list_models,
    ) -> None:
        super().__init__(parent)
        self._ws = ws
        self._worklist = worklist
        self.shelf = shelf
        self._cache = cache
        self._make_worker = worker
        self._list_models = models
        self._worker: Predictor | None = None
        self._worker_of: tuple[tuple[Path, ...], str] = ((), "")
        self._folders_seen: tuple[Path, ...] | None = None
        self._queue = JobQueue()
        self._time_left: TimeLeft | None = None
        self._last_number = 0
        self._failed_ahead: set[tuple[str, str]] = set()
        self.models: tuple[ModelEntry, ...] = ()
        self.progress = Progress(0.0, "")
        ws.settings.changed.connect(self._settings_changed)
        worklist.reset.connect(self._forget_cases)
        worklist.scanned.connect(shelf.look)

    @property
    def lines(self) -> Sequence[JobLine]:
        """The queue, with what has ended since it was last empty."""
        return self._queue.lines

    @property
    def running(self) -> Job | None:
        """The job that is being done."""
        return self._queue.running

    def refresh(self) -> None:
        """Look for models, in the background."""
        self._folders_seen = self._folders
        self._ws.tasks.submit(
            "io", ("models",), _find_models, self._list_models, self._folders, done=self._found
        )

    def entry(self, model_id: str) -> ModelEntry | None:
        """A model of the list."""
        return next((entry for entry in self.models if entry.id == model_id), None)

    def refusal(self, model_id: str, case: Case | None) -> str | None:
        """Say why a model cannot run on a case; ``None`` when it can."""
        entry = self.entry(model_id)
        if entry is None:
            return "Choose a model first"
        if entry.problem is not None or entry.card is None:
            return f"{entry.id} cannot be used: {entry.problem}"
        if case is None:
            return "Open a case first (Ctrl+O)"
        if not case.phases and not case.is_inspected:
            return None  # nobody knows yet; the run looks first
        return entry.card.refusal(case.phases)

    def run(self, model_id: str, params: Mapping[str, ParamValue]) -> None:
        """Run a model on the open case, before everything that waits.

        Raises
        ------
        EditRefused
            When it cannot run on it, or is asked to already.
        """
        case = self._ws.session.case
        refusal = self.refusal(model_id, case)
        if refusal is not None or case is None:
            raise EditRefused(refusal or "")
        if self._queue.is_asked(case, model_id):
            raise EditRefused(f"{case.id} is in the queue already")
        self._add([self._job(case, model_id, params)], in_front=True)

    def run_all(
        self, model_id: str, params: Mapping[str, ParamValue], case_ids: Iterable[str]
    ) -> tuple[int, int]:
        """Run a model on cases of the list, one after the other.

        Returns
        -------
        int, int
            How many were put into the queue, and how many it cannot run on.

        Raises
        ------
        EditRefused
            When it can run on none of them.
        """
        cases = [case for case in map(self._worklist.case, case_ids) if case is not None]
        refusals = [self.refusal(model_id, case) for case in cases]
        usable = [case for case, why in zip(cases, refusals, strict=True) if why is None]
        if not usable:
            raise EditRefused(next(filter(None, refusals), "There is no case in the list"))
        wanted = [case for case in usable if not self._queue.is_asked(case, model_id)]
        self._add([self._job(case, model_id, params) for case in wanted])
        return len(wanted), len(cases) - len(usable)

    def run_ahead(
        self, model_id: str, params: Mapping[str, ParamValue], case_ids: Iterable[str]
    ) -> None:
        """Run a model on cases that nobody has opened yet, when there is nothing else to do.

        Cases it cannot run on, or that have an answer, are passed over.
        """
        wanted = list(case_ids)
        self._queue.drop_waiting(lambda job: job.is_ahead)
        jobs = []
        for case in map(self._worklist.case, wanted):
            if case is None or self.refusal(model_id, case) or self._queue.is_asked(case, model_id):
                continue
            if (case.id, model_id) not in self._failed_ahead and not self.shelf.holds(case):
                jobs.append(self._job(case, model_id, params, is_ahead=True))
        self._add(jobs)

    def cancel(self) -> None:
        """Stop the running job; the next one begins when the model has stopped."""
        running = self.running
        if running is not None:
            self._queue.remove(running)
            self._ws.tasks.cancel(("model", running.number))
        self._begin_next()

    def cancel_all(self) -> None:
        """Stop the running job and empty the queue."""
        self._queue.drop_waiting()
        self.cancel()

    def close(self) -> None:
        """End everything at once, the process included; nothing can be run any more."""
        self._queue = JobQueue()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _forget_cases(self) -> None:
        self._failed_ahead.clear()
        self.cancel_all()

    @property
    def _folders(self) -> tuple[Path, ...]:
        return tuple(Path(folder) for folder in self._ws.settings.data.models.folders)

    def _found(self, models: tuple[ModelEntry, ...]) -> None:
        self.models = models
        self.models_changed.emit()

    def _settings_changed(self, section: str) -> None:
        if section == "models" and self._folders_seen not in (None, self._folders):
            self.refresh()

    def _job(
        self,
        case: Case,
        model_id: str,
        params: Mapping[str, ParamValue],
        *,
        is_ahead: bool = False,
    ) -> Job:
        entry = self.entry(model_id)
        assert entry is not None
        assert entry.card is not None
        self._last_number += 1
        return Job(self._last_number, case, entry.card, dict(params), is_ahead)

    def _add(self, jobs: list[Job], *, in_front: bool = False) -> None:
        if jobs and not jobs[0].is_ahead:
            halted = self._queue.make_way()
            if halted is not None:
                self._ws.tasks.cancel(("model", halted.number))
        self._queue.add(jobs, in_front=in_front)
        self._begin_next()

    def _begin_next(self) -> None:
        """Begin the first job that waits, unless one is being done."""
        job = self._queue.take_next(self._with_memory)
        if job is not None:
            self._time_left, self.progress = None, Progress(0.0, "Waiting for the model")
            self._ws.tasks.submit(
                "model", ("model", job.number), _run, job, self._ready_worker(), self._cache,
                self.shelf.folder,
                done=lambda packed: self._done(job, packed),
                failed=lambda error: self._job_failed(job, error),
                progress=self._report,
            )  # fmt: skip
        self.queue_changed.emit()

    def _with_memory(self, job: Job) -> Job:
        """The job with what the window knows of its case now, when it is open."""
        session = self._ws.session
        case = session.case
        if case is None or (case.id, case.mask_root) != (job.case.id, job.case.mask_root):
            return job
        return replace(job, case=case, volumes=dict(session.volumes), shifts_mm=shifts_mm(session))

    def _ready_worker(self) -> Predictor:
        """What runs models, for the folders and the device of the settings."""
        wanted = (self._folders, self._ws.settings.data.models.device)
        if self._worker is not None and self._worker_of != wanted:
            self._ws.tasks.submit("io", ("models", "close"), _close, self._worker)
            self._worker = None
        if self._worker is None:
            self._worker, self._worker_of = self._make_worker(*wanted), wanted
        return self._worker

    def _report(self, fraction: float, text: str) -> None:
        if fraction > 0 and self._time_left is None:
            self._time_left = TimeLeft()
        left_s = None if self._time_left is None else self._time_left.update(fraction)
        self.progress = Progress(fraction, text, left_s)
        self.progressed.emit(self.progress)

    def _done(self, job: Job, packed: PackedProposal) -> None:
        self._queue.settle(job, "done")
        self.shelf.keep(packed)
        self.answered.emit(job)
        self._begin_next()

    def _job_failed(self, job: Job, error: Exception) -> None:
        if isinstance(error, AnsweredBefore):
            self._queue.remove(job)
        else:
            if not isinstance(error, RunRefused | WorkerError | ImageError):
                log.exception("running a model", exc_info=error)
            sentence = str(error) or type(error).__name__
            self._queue.settle(job, "failed", sentence)
            if job.is_ahead:
                self._failed_ahead.add((job.case.id, job.card.id))
            else:
                self.failed.emit(f"{job.card.title} on {job.case.id}: {sentence}")
        self._begin_next()


def _find_models(
    context: TaskContext,
    models: Callable[[Iterable[Path]], Sequence[ModelEntry]],
    folders: tuple[Path, ...],
) -> tuple[ModelEntry, ...]:
    return tuple(models(folders))


def _close(context: TaskContext, predictor: Predictor) -> None:
    predictor.close()


def _run(
    context: TaskContext,
    job: Job,
    predictor: Predictor,
    cache: VolumeCache | None,
    folder: ProposalFolder,
) -> PackedProposal:
    packed = run_job(context, job, predictor, cache)
    folder.put(packed)
    return packed
