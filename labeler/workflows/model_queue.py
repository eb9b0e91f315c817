"""Which runs of models are wanted, in which order: what the user asks for comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from labeler.storage.cases import Case
from labeler.workflows.model_jobs import Job

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class JobLine:
    """A line of the queue.

    Attributes
    ----------
    job
        What is to be done.
    state
        How far it is.
    text
        Why it failed.
    """

    job: Job
    state: State
    text: str = ""


class JobQueue:
    """Jobs in order, at most one of them running.

    What has ended stays listed until something is added to a queue with nothing left to do.
    """

    def __init__(self) -> None:
        self._lines: list[JobLine] = []

    @property
    def lines(self) -> Sequence[JobLine]:
        """All lines, first to be done first."""
        return tuple(self._lines)

    @property
    def running(self) -> Job | None:
        """The job that is being done."""
        return next((line.job for line in self._lines if line.state == "running"), None)

    def is_asked(self, case: Case, model_id: str) -> bool:
        """Whether somebody waits for this answer; what is done ahead is nobody's wish."""
        return any(
            line.state in ("waiting", "running")
            and line.job.card.id == model_id
            and line.job.case.id == case.id
            and not line.job.is_ahead
            for line in self._lines
        )

    def add(self, jobs: Sequence[Job], *, in_front: bool = False) -> None:
        """Put jobs behind all that wait; wishes come before what is done ahead.

        Parameters
        ----------
        in_front
            Before all that wait.
        """
        if not any(line.state in ("waiting", "running") for line in self._lines):
            self._lines.clear()
        for job in jobs:
            place = len(self._lines)
            if in_front:
                place = self._first(lambda line: line.state == "waiting")
            elif not job.is_ahead:
                place = self._first(lambda line: line.state == "waiting" and line.job.is_ahead)
            self._lines.insert(place, JobLine(job, "waiting"))

    def make_way(self) -> Job | None:
        """Let a running job that nobody asked for wait again; returns it."""
        running = self.running
        if running is None or not running.is_ahead:
            return None
        self.remove(running)
        self._lines.append(JobLine(_without_voxels(running), "waiting"))
        return running

    def take_next(self, prepare: Callable[[Job], Job]) -> Job | None:
        """Begin the first job that waits, unless one is running.

        Parameters
        ----------
        prepare
            Makes the job that is begun of the one that waited.
        """
        place = self._first(lambda line: line.state == "waiting")
        if self.running is not None or place == len(self._lines):
            return None
        job = prepare(self._lines[place].job)
        self._lines[place] = JobLine(job, "running")
        return job

    def settle(self, job: Job, state: State, text: str = "") -> None:
        """Note what came of a job."""
        line = JobLine(_without_voxels(job), state, text)
        self._lines = [line if old.job is job else old for old in self._lines]

    def remove(self, job: Job) -> None:
        """Take a job out."""
        self._lines = [line for line in self._lines if line.job is not job]

    def drop_waiting(self, unwanted: Callable[[Job], bool] = lambda job: True) -> None:
        """Take waiting jobs out."""
        self._lines = [
            line for line in self._lines if line.state != "waiting" or not unwanted(line.job)
        ]

    def _first(self, fits: Callable[[JobLine], bool]) -> int:
        """Place of the first line that fits, else the end."""
        places = (place for place, line in enumerate(self._lines) if fits(line))
        return next(places, len(self._lines))


def _without_voxels(job: Job) -> Job:
    """The job as it waits or has ended: it keeps no case in memory."""
    return replace(job, volumes={}, shifts_mm=None)
