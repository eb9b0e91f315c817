"""Opening a case: each phase and mask is shown as soon as it is read.

Opening another case drops what is still on its way. When everything is there, the next and the
previous case are read ahead within a memory budget, so that switching shows pixels at once.
"""

from __future__ import annotations

import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import Grid
from labeler.core.volume import PHASES, Volume
from labeler.state.session import Session
from labeler.state.tasks import TaskContext
from labeler.storage.cache import VolumeCache
from labeler.storage.cases import Case, PhaseSource, inspect
from labeler.storage.errors import ImageError
from labeler.storage.images import read_volume
from labeler.storage.inspection import mask_refusal
from labeler.storage.locks import LockHolder
from labeler.storage.masks import MaskFile, read_mask
from labeler.storage.places import Place
from labeler.storage.reasons import reason
from labeler.storage.sidecar import CentroidSource, LoadedSidecar
from labeler.workflows.add_mask import as_mask_of, name_of_file
from labeler.workflows.case_start import Stamp, Start, stamp_of, start_case
from labeler.workflows.open_folder import Worklist
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass
class _Ahead:
    """What has been read of one case before it was asked for."""

    volumes: dict[str, tuple[Stamp, Volume]] = field(default_factory=dict)
    nbytes: int = 0


class CaseOpener(QObject):
    """Opens cases of the worklist into the session.

    Signals
    -------
    phase_progress
        ``(phase, fraction)`` while a phase is being read.
    loaded
        Every phase and mask of the case is there, or has failed.
    opening
        Id of the case that is about to be opened.
    """

    phase_progress = pyqtSignal(str, float)
    loaded = pyqtSignal()
    opening = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        worklist: Worklist,
        cache: VolumeCache | None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ws = ws
        self._worklist = worklist
        self._cache = cache
        self._ahead: OrderedDict[str, _Ahead] = OrderedDict()
        self._waiting: set[tuple[str, str]] = set()
        self._numbers = itertools.count()
        self._locks: list[LockHolder] = []  #: of the open case, and of what was to be opened since
        self._grids: dict[str, Grid | None] = {}
        self._stamps: dict[str, Stamp] = {}  #: of the open case's phases, as they were read
        #: Mask that was edited in the case before, and the one that was chosen here.
        self._usual_mask: str | None = None
        self._chosen_mask: str | None = None
        self.sidecar: LoadedSidecar | None = None
        self.place: Place | None = None  #: of the open case's masks, as it was opened
        self.current_id: str | None = None
        #: Finds the case some rows below another one, in the order the user sees.
        self.neighbour_of: Callable[[str, int], str | None] = worklist.neighbour
        ws.settings.changed.connect(self._settings_changed)

    @property
    def is_loading(self) -> bool:
        """Whether the case that was chosen, or a phase or mask of it, is still on its way."""
        return bool(self._waiting) or self._ws.tasks.is_pending(("case", "start"))

    def open(self, case_id: str) -> None:
        """Show a case; what was on its way for another one is dropped."""
        case = self._worklist.case(case_id)
        if case is None:
            return
        self._drop_tasks()
        self.current_id = case_id
        self.opening.emit(case_id)
        session = self._ws.session
        if session.case is not None and session.read_only_reason is None:
            # The user was asked about unsaved edits: a later one would be lost.
            session.read_only_reason = f"{case_id} is being opened"
        lock = LockHolder()
        former, self._locks = tuple(self._locks), [*self._locks, lock]
        self._ws.tasks.submit(
            "io", ("case", "start"), start_case, case, lock, former,
            done=self._begin, failed=self._not_opened,
        )  # fmt: skip

    def close(self) -> None:
        """Close the open case and free its lock."""
        self._drop_tasks()
        if self._locks:  # not here: the drive may not answer; the next opening waits for it
            self._ws.tasks.submit("lock", ("lock", next(self._numbers)), _unlock, [*self._locks])
        self.current_id = None
        if self._ws.session.case is not None:
            self._ws.session.begin(None)

    def add_mask_file(self, path: Path) -> None:
        """Read one more mask for the open case (see :func:`as_mask_of` for its file)."""
        name = name_of_file(self._ws.session, path)
        self._waiting.add(("mask", name))
        self._submit("mask", name, _read_mask, path, name)

    def set_centroid_file(self, source: CentroidSource) -> None:
        """Note what the centroid file of the open case is now."""
        if self.sidecar is not None:
            notes = self.sidecar.sidecar.model_copy(update={"centroid_file": source})
            self.sidecar = replace(self.sidecar, sidecar=notes)

    def neighbour(self, step: int) -> str | None:
        """Id of the case ``step`` rows below the open one."""
        return None if self.current_id is None else self.neighbour_of(self.current_id, step)

    def _drop_tasks(self) -> None:
        self._ws.tasks.cancel_where(
            lambda key: isinstance(key, tuple) and key[0] in ("case", "ahead", "cache")
        )
        self._waiting.clear()

    def _not_opened(self, error: Exception) -> None:
        why = reason(error) if isinstance(error, OSError) else str(error)
        if not isinstance(error, (OSError, ImageError)):
            log.exception("opening a case", exc_info=error)
        case_id = self.current_id
        self.close()
        self._ws.session.add_problem("app", f"{case_id} was not opened: {why}.")

    def _begin(self, start: Start) -> None:
        session = self._ws.session
        self._keep_closed_case(session)
        left = [*session.volumes.values(), *session.masks.values()]
        self._locks = self._locks[-1:]
        self.sidecar, self._grids, self._stamps = start.sidecar, start.grids, start.stamps
        self.place = start.place
        case = start.case
        read_only_reason = start.read_only_reason
        self._worklist.update_case(case)
        self._usual_mask = self._ws.selection.mask or self._usual_mask
        self._chosen_mask = None
        self._ws.selection.reset()
        session.labels = start.labels
        session.begin(case, start.sidecar.sidecar.annotations(), read_only_reason)
        self._let_go(left)
        sentences = [*start.sidecar.problems, *start.label_problems]
        if read_only_reason is not None:
            sentences.append(read_only_reason)
        if sentences:
            session.add_problem("case", " ".join(sentences))
        ahead = self._ahead.pop(case.id, _Ahead())
        self._waiting = {("phase", name) for name in case.phases}
        self._waiting |= {("mask", source.name) for source in case.masks}
        if not self._waiting:
            self._all_loaded()
        for phase in _reading_order(case):
            held = ahead.volumes.get(phase)
            if held is not None and held[0] == start.stamps[phase]:
                self._phase_read(phase, held[1])
            else:
                self._submit("phase", phase, _read_phase, case.phases[phase], self._cache)
        for mask in case.masks:
            self._submit("mask", mask.name, _read_mask, mask.path, mask.name)

    def _submit(self, kind: str, name: str, function: Any, *args: Any) -> None:
        finished = self._phase_read if kind == "phase" else self._mask_read
        self._ws.tasks.submit(
            "io", ("case", kind, name), function, *args,
            done=partial(finished, name),
            failed=partial(self._failed, kind, name),
            progress=(lambda fraction, text: self.phase_progress.emit(name, fraction))
            if kind == "phase"
            else None,
        )  # fmt: skip

    def _phase_read(self, phase: str, volume: Volume) -> None:
        self._ws.session.add_volume(phase, volume)
        self._arrived("phase", phase)

    def _mask_read(self, name: str, mask_file: MaskFile) -> None:
        refusal = mask_refusal(mask_file.path.name, mask_file.mask.grid, self._grids)
        try:
            mask_file = as_mask_of(self._ws.session, mask_file)
        except ImageError as error:
            refusal = str(error)
        if refusal is None:
            self._ws.session.add_mask(mask_file.mask, mask_file)
            self._choose_mask()
        else:
            self._add_problem("mask", name, refusal)
        self._arrived("mask", name)

    def _choose_mask(self) -> None:
        """Edit the mask that was edited before, else the first; never one the user left."""
        selection, names = self._ws.selection, list(self._ws.session.masks)
        if selection.mask == self._chosen_mask:
            usual = self._usual_mask
            self._chosen_mask = usual if usual in names else names[0]
            selection.set_mask(self._chosen_mask)

    def _failed(self, kind: str, name: str, error: Exception) -> None:
        if not isinstance(error, ImageError):
            log.exception("reading %s %s", kind, name, exc_info=error)
        self._add_problem(kind, name, str(error) or type(error).__name__)
        self._arrived(kind, name)

    def _add_problem(self, kind: str, name: str, sentence: str) -> None:
        """Say it where the phase or mask would be, and in the case's row as its header would."""
        self._ws.session.add_problem(f"{kind}:{name}", sentence)
        case, start = self._worklist.case(self.current_id or ""), f"{name}: "
        start = f"Mask {start}" if kind == "mask" else start
        if case is not None and not any(known.startswith(start) for known in case.problems):
            self._worklist.update_case(replace(case, problems=(*case.problems, start + sentence)))

    def _arrived(self, kind: str, name: str) -> None:
        self._waiting.discard((kind, name))
        if not self._waiting:
            self._all_loaded()

    def _all_loaded(self) -> None:
        self.loaded.emit()
        case = self._ws.session.case
        if case is None:
            return
        if self._cache is not None:
            volumes = dict(self._ws.session.volumes)
            self._ws.tasks.submit("io", ("cache",), _fill_cache, self._cache, case, volumes)
        self._read_ahead()

    def _read_ahead(self) -> None:
        budget = self._ws.settings.data.memory.prefetch_mb * 2**20
        for step in (1, -1):
            case_id = self.neighbour(step)
            case = self._worklist.case(case_id) if case_id else None
            if case is None or not budget:
                continue
            held = self._ahead.get(case.id, _Ahead())
            self._ws.tasks.submit(
                "io", ("ahead", case.id), _read_ahead, case, set(held.volumes), self._cache,
                received=partial(self._keep, case.id),
                failed=lambda error: log.info("not read ahead: %s", error),
            )  # fmt: skip

    def _keep(self, case_id: str, part: tuple[str, Stamp, Volume]) -> None:
        phase, stamp, volume = part
        held = self._ahead.setdefault(case_id, _Ahead())
        held.volumes[phase] = (stamp, volume)
        held.nbytes += volume.array.nbytes
        self._ahead.move_to_end(case_id)
        self._trim()

    def _keep_closed_case(self, session: Session) -> None:
        """Hold the pixels of the case that is left: people go back."""
        case = session.case
        if case is None or not self._ws.settings.data.memory.prefetch_mb:
            return
        for phase, volume in session.volumes.items():
            self._keep(case.id, (phase, self._stamps.get(phase), volume))

    def _settings_changed(self, section: str) -> None:
        if section == "memory":
            self._trim()

    def _trim(self) -> None:
        """Forget the longest unused cases until the budget holds."""
        budget = self._ws.settings.data.memory.prefetch_mb * 2**20
        dropped = []
        while self._ahead and sum(held.nbytes for held in self._ahead.values()) > budget:
            dropped.append(self._ahead.popitem(last=False))
        self._let_go(dropped)

    def _let_go(self, things: list[Any]) -> None:
        """Free what nobody else holds, in the background: 600 MB take the system 20 ms."""
        if things:
            self._ws.tasks.submit("io", ("free", next(self._numbers)), _clear, things)


def _reading_order(case: Case) -> list[str]:
    return sorted(case.phases, key=lambda p: PHASES.index(p) if p in PHASES else len(PHASES))


def _read_phase(context: TaskContext, source: PhaseSource, cache: VolumeCache | None) -> Volume:
    return read_volume(source.series or source.path, context, cache)


def _read_mask(context: TaskContext, path: Path, name: str) -> MaskFile:
    return read_mask(path, name, context)


def _unlock(context: TaskContext, locks: list[LockHolder]) -> None:
    for lock in locks:
        lock.give_back()


def _clear(context: TaskContext, things: list[Any]) -> None:
    things.clear()


def _fill_cache(
    context: TaskContext, cache: VolumeCache, case: Case, volumes: dict[str, Volume]
) -> None:
    for phase, volume in volumes.items():
        context.check()
        source = case.phases.get(phase)
        if source is not None and not cache.holds(source.series or source.path):
            cache.put(source.series or source.path, volume)


def _read_ahead(
    context: TaskContext, case: Case, held: set[str], cache: VolumeCache | None
) -> None:
    known = case if case.is_inspected else inspect(case)
    for phase in _reading_order(known):
        if phase in held:
            continue
        source = known.phases[phase]
        stamp = stamp_of(source)
        try:
            volume = read_volume(source.series or source.path, context, cache)
        except ImageError as error:
            log.info("not read ahead: %s", error)
            continue
        context.send((phase, stamp, volume))
