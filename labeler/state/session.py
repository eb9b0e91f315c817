"""The open case: its volumes, masks, regions, notes and history.

Lives in the main thread. Reading, saving and region work are done by workflows, which hand their
results in here; widgets listen to the signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.annotations import Annotations
from labeler.core.edits import Edit, History, Stacks, ValueChange
from labeler.core.labels import LabelTable
from labeler.core.mask import Box, Mask, Patch, Prepared
from labeler.core.regions import Region, RegionIndex
from labeler.core.volume import Volume
from labeler.state.proposals import Proposals
from labeler.storage.atomic import Fingerprint
from labeler.storage.cases import Case
from labeler.storage.masks import MaskFile


@dataclass(frozen=True)
class Change:
    """What one edit, undo or redo changed.

    Attributes
    ----------
    edit
        The edit that was applied or taken back; ``None`` for the live part of a stroke.
    boxes
        Changed box per mask name.
    values
        Changed annotation entries.
    origin
        ``edit``, ``undo``, ``redo``, ``stroke`` (live, more to come) or ``restore``.
    """

    edit: Edit | None
    boxes: Mapping[str, Box] = field(default_factory=dict)
    values: tuple[ValueChange, ...] = ()
    origin: str = "edit"


#: Prepared content of masks, by name.
Ready = Mapping[str, Prepared]
NOT_READY: Ready = MappingProxyType({})


@dataclass(frozen=True)
class MaskEntry:
    """A mask of the open case and the file it came from (``None`` while it has none)."""

    mask: Mask
    file: MaskFile | None


@dataclass(frozen=True)
class ClosedMask:
    """A mask that was taken out of the window: its file, and the revision that is in it."""

    path: Path
    fingerprint: Fingerprint | None
    revision: int


class Session(QObject):
    """Content of the open case.

    Signals
    -------
    case_leaving
        The open case is about to be forgotten; everything of it is still there.
    case_opened
        A case was chosen; phases and masks follow as they are read. ``None``: closed.
    volume_loaded, mask_loaded, mask_removed
        Name of the phase or mask.
    problem_found
        ``(where, sentence)``; ``where`` is ``phase:PV``, ``mask:draft``, ``case`` or ``app``.
    changed
        A :class:`Change`.
    regions_changed
        Name of the mask whose regions were counted anew.
    history_changed
        Undo or redo stack, or what is saved, changed.
    """

    case_leaving = pyqtSignal()
    case_opened = pyqtSignal(object)
    volume_loaded = pyqtSignal(str)
    mask_loaded = pyqtSignal(str)
    mask_removed = pyqtSignal(str)
    problem_found = pyqtSignal(str, str)
    changed = pyqtSignal(object)
    regions_changed = pyqtSignal(str)
    history_changed = pyqtSignal()

    def __init__(self, labels: LabelTable, undo_bytes: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.labels = labels
        self.case: Case | None = None
        self.annotations = Annotations()
        self.history = History(undo_bytes)
        self.read_only_reason: str | None = None
        #: Whether a stroke has begun that is no edit yet.
        self.is_drawing = False
        #: What is being done to the masks, in words, while it takes longer than a moment.
        self.busy_with: str | None = None
        #: How many steps of the history are to be done in the end, while one goes there.
        self.wanted_step: int | None = None
        self._volumes: dict[str, Volume] = {}
        self._masks: dict[str, MaskEntry] = {}
        self._regions: dict[str, RegionIndex] = {}
        #: Masks of the open case that were taken out of the window.
        self.closed: dict[str, ClosedMask] = {}
        self._problems: dict[str, str] = {}
        #: What a model proposes for the case; never one of the masks.
        self.proposals = Proposals(self)

    @property
    def volumes(self) -> Mapping[str, Volume]:
        """Phases read so far, by name."""
        return MappingProxyType(self._volumes)

    @property
    def masks(self) -> Mapping[str, MaskEntry]:
        """Masks read so far, in the order of the panel."""
        return MappingProxyType(self._masks)

    @property
    def regions(self) -> Mapping[str, RegionIndex]:
        """Regions of the masks that have been counted."""
        return MappingProxyType(self._regions)

    @property
    def problems(self) -> Mapping[str, str]:
        """Sentence by place (see ``problem_found``)."""
        return MappingProxyType(self._problems)

    @property
    def is_dirty(self) -> bool:
        """Whether a mask or a note differs from what is on disk."""
        return self.annotations.is_dirty or any(e.mask.is_dirty for e in self._masks.values())

    def region(self, mask: str, region_id: int) -> Region | None:
        index = self._regions.get(mask)
        return index.regions.get(region_id) if index is not None else None

    def begin(
        self,
        case: Case | None,
        annotations: Annotations | None = None,
        read_only_reason: str | None = None,
    ) -> None:
        """Forget the open case and start with another one."""
        if self.case is not None:
            self.case_leaving.emit()
        self._volumes.clear()
        self._masks.clear()
        self._regions.clear()
        self.closed.clear()
        self._problems.clear()
        self.history.clear()
        self.busy_with = self.wanted_step = None
        self.is_drawing = False
        self.read_only_reason = read_only_reason
        self.case = case
        self.annotations = annotations or Annotations()
        self.case_opened.emit(case)
        self.history_changed.emit()

    def add_volume(self, phase: str, volume: Volume) -> None:
        self._volumes[phase] = volume
        self.volume_loaded.emit(phase)

    def add_mask(self, mask: Mask, file: MaskFile | None) -> None:
        """Add a mask, or its content read anew.

        Those of the case stand in its order, whichever is read first; new ones follow.
        """
        self._masks[mask.name] = MaskEntry(mask, file)
        self.closed.pop(mask.name, None)
        names = [source.name for source in self.case.masks] if self.case is not None else []
        self._masks = dict(
            sorted(
                self._masks.items(),
                key=lambda item: names.index(item[0]) if item[0] in names else len(names),
            )
        )
        self.mask_loaded.emit(mask.name)
        self.history_changed.emit()

    def remove_mask(self, name: str) -> None:
        """Take a mask out of the window (its file stays)."""
        entry = self._masks.pop(name)
        if entry.file is not None:
            self.closed[name] = ClosedMask(
                entry.file.path, entry.file.fingerprint, entry.mask.saved_revision
            )
        self._regions.pop(name, None)
        self.history.forget({name})
        self.mask_removed.emit(name)
        self.history_changed.emit()

    def set_mask_saved(self, name: str, file: MaskFile, revision: int) -> None:
        """Note that the content ``revision`` of a mask is in ``file``."""
        mask = self._masks[name].mask
        mask.mark_saved(revision)
        self._masks[name] = MaskEntry(mask, file)
        self.history_changed.emit()

    def set_regions(self, name: str, index: RegionIndex) -> None:
        self._regions[name] = index
        self.regions_changed.emit(name)

    def add_problem(self, where: str, sentence: str) -> None:
        self._problems[where] = sentence
        self.problem_found.emit(where, sentence)

    def apply_live(self, patch: Patch) -> None:
        """Apply one part of a stroke; the finished stroke is handed to :meth:`commit_live`."""
        box = self._masks[patch.mask].mask.apply(patch)
        self.changed.emit(Change(None, {patch.mask: box}, origin="stroke"))

    def commit_live(self, edit: Edit) -> None:
        """Record an edit whose patches were applied by :meth:`apply_live` already.

        The edit's patch is the union of the parts and its token the XOR of theirs, so that undo
        brings back the revision from before the stroke.
        """
        self.history.push(edit)
        boxes = {patch.mask: patch.box for patch in edit.patches}
        self.changed.emit(Change(edit, boxes, origin="edit"))
        self.history_changed.emit()

    def apply(self, edit: Edit, ready: Ready = NOT_READY) -> None:
        """Carry an edit out and record it.

        Parameters
        ----------
        ready
            What the masks will be by the edit's patches, where that was prepared; so in
            :meth:`undo` and :meth:`redo`.

        Raises
        ------
        ValueError
            When a mask is not what was prepared for; nothing is changed then.
        """
        self._run(edit, undo=False, origin="edit", ready=ready)
        self.history.push(edit)
        self.history_changed.emit()

    def undo(self, ready: Ready = NOT_READY) -> Edit | None:
        """Take the newest edit back."""
        if not self.history.done:
            return None
        self._run(self.history.done[-1], undo=True, origin="undo", ready=ready)
        edit = self.history.pop_undo()
        self.history_changed.emit()
        return edit

    def redo(self, ready: Ready = NOT_READY) -> Edit | None:
        """Bring the last undone edit back."""
        if not self.history.undone:
            return None
        self._run(self.history.undone[-1], undo=False, origin="redo", ready=ready)
        edit = self.history.pop_redo()
        self.history_changed.emit()
        return edit

    def replay(self, edit: Edit, ready: Ready = NOT_READY) -> None:
        """Carry out what an earlier run did, whose steps are in the history it left.

        See :meth:`restore_history`, and :meth:`apply` for ``ready``.
        """
        self._run(edit, undo=False, origin="restore", ready=ready)

    def restore_history(self, earlier: Stacks) -> None:
        """Let undo go back to what an earlier run did (see :meth:`History.restore`)."""
        self.history.restore(earlier)
        self.history_changed.emit()

    def _run(self, edit: Edit, *, undo: bool, origin: str, ready: Ready = NOT_READY) -> None:
        stale = [n for n, r in ready.items() if r.base_revision != self._masks[n].mask.revision]
        if stale:
            raise ValueError(f"{stale[0]} has changed since its new content was prepared")
        boxes: dict[str, Box] = {}
        values: list[ValueChange] = []
        for name, prepared in ready.items():
            self._masks[name].mask.adopt(prepared)
        for step in reversed(edit.steps) if undo else edit.steps:
            if isinstance(step, Patch):
                box = step.box
                if step.mask not in ready:
                    box = self._masks[step.mask].mask.apply(step)
                boxes[step.mask] = boxes[step.mask].union(box) if step.mask in boxes else box
            else:
                self.annotations.apply(step, undo=undo)
                values.append(step)
        self.changed.emit(Change(edit, boxes, tuple(values), origin))


def note_edit(session: Session, name: str, field: str, key: str, value: Any) -> Edit | None:
    """Make the edit that sets one annotation entry; ``None`` when it is so already."""
    change = session.annotations.change(field, key, value)
    return None if change is None else Edit(name, (change,))
