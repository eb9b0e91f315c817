"""Keeps the regions of every mask up to date, in the background."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PyQt5.QtCore import QObject

from labeler.core.geometry import Grid
from labeler.core.mask import Box, LabelArray, Mask
from labeler.core.regions import RegionIndex
from labeler.core.statistics import PlacedVolume, VoxelSource
from labeler.state.placement import mask_phase, shifts_mm
from labeler.state.session import Change, Session
from labeler.state.tasks import TaskContext, TaskRunner
from labeler.workflows.region_notes import follow_regions

#: Voxels that are copied within a few milliseconds.
AT_ONCE_VOXELS = 4_000_000


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

    A task gets a copy of what changed, taken when it starts; what changes while it runs is added
    up and goes to the next task, so that the last result is always right. A large copy is taken by
    the task itself, and may hold already what comes next.
    """

    def __init__(self, session: Session, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tasks = tasks
        self._pending: dict[str, _Pending] = {}
        session.case_opened.connect(self._forget)
        session.mask_loaded.connect(self._mask_loaded)
        session.volume_loaded.connect(lambda phase: self._phases_changed([phase]))
        session.changed.connect(self._changed)

    def _forget(self, _case: object) -> None:
        self._tasks.cancel_where(_is_region_key)
        self._pending.clear()

    def _mask_loaded(self, name: str) -> None:
        self._tasks.cancel(("regions", name))
        self._pending[name] = _Pending(build=True, phases=set(self._session.volumes))
        self._start(name)

    def _phases_changed(self, phases: Iterable[str]) -> None:
        for name in self._session.masks:
            self._pending.setdefault(name, _Pending()).phases.update(phases)
            self._start(name)

    def _changed(self, change: Change) -> None:
        if change.origin != "stroke":
            for name, box in change.boxes.items():
                pending = self._pending.setdefault(name, _Pending())
                pending.box = box if pending.box is None else pending.box.union(box)
                self._start(name)
        if any(value.field == "shift" for value in change.values):
            # A mask moves with its own phase, which then lies differently to all others.
            self._phases_changed(self._session.volumes)

    def _start(self, name: str) -> None:
        key = ("regions", name)
        pending = self._pending.get(name)
        if pending is None or pending.is_empty or self._tasks.is_pending(key):
            return
        if self._session.regions.get(name) is None:
            pending.build = True
        self._pending[name] = _Pending()
        phases: dict[str, VoxelSource] = {
            phase: PlacedVolume(
                self._session.volumes[phase].array, relative_grid(self._session, phase, name)
            )
            for phase in (self._session.volumes if pending.build else pending.phases)
        }
        self._tasks.submit(
            "compute", key, *self._work(name, pending, phases),
            done=lambda fresh: self._done(name, fresh),
        )  # fmt: skip

    def _work(
        self, name: str, pending: _Pending, phases: dict[str, VoxelSource]
    ) -> tuple[Any, ...]:
        mask, index = self._session.masks[name].mask, self._session.regions.get(name)
        if pending.build or index is None:
            return _build, mask, phases
        box = pending.box
        if box is None or math.prod(box.shape_kji) > AT_ONCE_VOXELS:
            return _update, index, box, mask, phases
        return _update, index, box, mask.array[box.slices].copy(), phases

    def _done(self, name: str, index: RegionIndex) -> None:
        if name in self._session.masks:
            follow_regions(self._session, name, index)
            self._session.set_regions(name, index)
            self._start(name)


def relative_grid(session: Session, phase: str, mask: str) -> Grid:
    """Grid of a phase as seen from a mask that stays in place, breathing shifts applied."""
    shifts = shifts_mm(session)
    grid = session.volumes[phase].grid
    own = mask_phase(session, mask) if shifts else None
    shift_mm = np.subtract(
        shifts.get(phase, (0.0, 0.0, 0.0)), shifts.get(own or "", (0.0, 0.0, 0.0))
    )
    return grid.shifted(shift_mm) if shift_mm.any() else grid


def _is_region_key(key: object) -> bool:
    return isinstance(key, tuple) and key[0] == "regions"


def _build(context: TaskContext, mask: Mask, phases: dict[str, VoxelSource]) -> RegionIndex:
    array, _ = mask.snapshot()
    return RegionIndex.build(mask.name, array, mask.grid, phases)


def _update(
    context: TaskContext,
    index: RegionIndex,
    box: Box | None,
    source: LabelArray | Mask,
    phases: dict[str, VoxelSource],
) -> RegionIndex:
    for name, voxels in phases.items():
        context.check()
        index = index.with_phase(name, voxels)
    if box is not None:
        content = source.snapshot(box)[0] if isinstance(source, Mask) else source
        index, _ = index.updated(box, content)
    return index
