"""Keeps the regions of every mask up to date, in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PyQt5.QtCore import QObject

from labeler.core.geometry import Grid
from labeler.core.mask import Box, Mask
from labeler.core.regions import RegionIndex
from labeler.core.volume import Volume
from labeler.state.session import Change, Session
from labeler.state.tasks import TaskContext, TaskRunner
from labeler.workflows.review_case import follow_ticks


@dataclass
class _Pending:
    """What a mask's regions still lack; grows while a task runs."""

    build: bool = False
    box: Box | None = None
    phases: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        return not self.build and self.box is None and not self.phases


class RegionUpdater(QObject):
    """Listens to the session and hands it fresh region lists.

    A task reads the live mask without a copy. A change that comes while it reads is pending by
    then and its box is scanned again by the next task, so the last result is always right.
    """

    def __init__(self, session: Session, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tasks = tasks
        self._pending: dict[str, _Pending] = {}
        session.case_opened.connect(self._forget)
        session.mask_loaded.connect(self._mask_loaded)
        session.volume_loaded.connect(self._phase_changed)
        session.changed.connect(self._changed)

    def _forget(self, _case: object) -> None:
        self._tasks.cancel_where(_is_region_key)
        self._pending.clear()

    def _mask_loaded(self, name: str) -> None:
        self._tasks.cancel(("regions", name))
        self._pending[name] = _Pending(build=True, phases=set(self._session.volumes))
        self._start(name)

    def _phase_changed(self, phase: str) -> None:
        for name in self._session.masks:
            self._pending.setdefault(name, _Pending()).phases.add(phase)
            self._start(name)

    def _changed(self, change: Change) -> None:
        if change.origin != "stroke":
            for name, box in change.boxes.items():
                pending = self._pending.setdefault(name, _Pending())
                pending.box = box if pending.box is None else pending.box.union(box)
                self._start(name)
        for value in change.values:
            if value.field == "shift":
                self._phase_changed(value.key)

    def _start(self, name: str) -> None:
        key = ("regions", name)
        pending = self._pending.get(name)
        if pending is None or pending.is_empty or self._tasks.is_pending(key):
            return
        index = self._session.regions.get(name)
        if index is None and not pending.build:
            pending.build = True
        self._pending[name] = _Pending()
        phases = {
            phase: (self._session.volumes[phase], self._session.grid_of(phase))
            for phase in (set(self._session.volumes) if pending.build else pending.phases)
        }
        self._tasks.submit(
            "compute", key, _update, self._session.masks[name].mask,
            None if pending.build else index, pending.box, phases,
            done=lambda fresh: self._done(name, fresh),
        )  # fmt: skip

    def _done(self, name: str, index: RegionIndex) -> None:
        if name in self._session.masks:
            follow_ticks(self._session, name, index)
            self._session.set_regions(name, index)
            self._start(name)


def _is_region_key(key: object) -> bool:
    return isinstance(key, tuple) and key[0] == "regions"


def _update(
    context: TaskContext,
    mask: Mask,
    index: RegionIndex | None,
    box: Box | None,
    phases: Mapping[str, tuple[Volume, Grid]],
) -> RegionIndex:
    if index is None:
        arrays = {name: (volume.array, grid) for name, (volume, grid) in phases.items()}
        return RegionIndex.build(mask.name, mask.array, mask.grid, arrays)
    for name, (volume, grid) in phases.items():
        context.check()
        index = index.with_phase(name, volume.array, grid)
    if box is not None:
        index, _ = index.updated(mask.array, box)
    return index
