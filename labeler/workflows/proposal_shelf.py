"""Answers of models wait here for their case: in memory, and on disk for the next start."""

from __future__ import annotations

import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.proposals import same_names
from labeler.core.vertebra_masks import with_vertebrae
from labeler.core.volume import Volume
from labeler.state.placement import Shift, shifts_mm
from labeler.state.proposals import Proposal, is_settled
from labeler.state.tasks import TaskContext
from labeler.storage.cases import Case
from labeler.storage.proposal_files import (
    PackedProposal,
    ProposalFolder,
    Waiting,
    case_key,
    waiting_in,
)
from labeler.workflows.accept_landmarks import FAMILY as VERTEBRA
from labeler.workflows.unpack_answer import build_proposal
from labeler.workflows.workspace import Workspace

log = logging.getLogger(__name__)

_SHOW = ("proposal", "show")


class ProposalShelf(QObject):
    """Keeps the newest answer for each case, and shows it when the case is open.

    An answer in which everything was decided on is forgotten when its case is left, unless the
    decisions were not saved.

    Parameters
    ----------
    ws
        ``settings.memory.proposals_mb`` bounds what is held in memory.
    folder
        Where answers survive the end of the program.

    Signals
    -------
    waiting_changed
        Other cases have an answer that waits.
    """

    waiting_changed = pyqtSignal()

    def __init__(
        self, ws: Workspace, folder: ProposalFolder, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._ws = ws
        self._held: OrderedDict[str, PackedProposal] = OrderedDict()
        #: Cases in which everything was decided on; of these, what is still to be forgotten.
        self._settled: set[str] = set()
        self._to_forget: set[str] = set()
        #: Cases with an answer that nobody has seen: shown also when there is nothing in it.
        self._unseen: set[str] = set()
        self._waiting: dict[str, Waiting] = {}
        self._numbers = itertools.count()
        self.folder = folder
        ws.session.case_leaving.connect(self._case_leaving)
        ws.session.case_opened.connect(self._case_opened)
        ws.session.proposals.decided.connect(self._decided)

    @property
    def nbytes(self) -> int:
        """Memory that the answers take."""
        return sum(len(packed.data) for packed in self._held.values())

    def holds(self, case: Case) -> bool:
        """Whether there is an answer for a case; the disk is asked."""
        key = case_key(case)
        return key in self._held or key in self._settled or self.folder.holds(key)

    def waiting(self, case: Case) -> Waiting | None:
        """What waits for a case, as far as is known (see :meth:`look`)."""
        return self._waiting.get(case_key(case)) if self._waiting else None

    def look(self) -> None:
        """Find out, in the background, which cases have an answer from an earlier start."""
        self._ws.tasks.submit("io", ("proposal", "look"), _look, self.folder, done=self._looked)

    def keep(self, packed: PackedProposal) -> None:
        """Take an answer that is on disk; the one before, for the same case, is forgotten."""
        key = packed.case_key
        self._settled.discard(key)
        self._to_forget.discard(key)
        self._unseen.add(key)
        self._held[key] = packed
        self._held.move_to_end(key)
        self._set_waiting(key, waiting_in(packed.data))
        limit = self._ws.settings.data.memory.proposals_mb * 2**20
        while len(self._held) > 1 and self.nbytes > limit:
            self._held.popitem(last=False)
        case = self._ws.session.case
        if case is not None and case_key(case) == key:
            self.show_here()

    def show_here(self) -> None:
        """Show what waits for the open case; does nothing while phases of it are being read."""
        session, case = self._ws.session, self._ws.session.case
        if case is None or not session.volumes or case_key(case) in self._settled:
            return
        missing = case.phases.keys() - session.volumes.keys()
        if any(f"phase:{phase}" not in session.problems for phase in missing):
            return
        self._ws.tasks.submit(
            "compute", _SHOW, _build, self.folder, self._held.get(case_key(case)), case,
            dict(session.volumes), shifts_mm(session),
            done=partial(self._built, case),
        )  # fmt: skip

    def _built(self, case: Case, proposal: Proposal | None) -> None:
        session, key = self._ws.session, case_key(case)
        if proposal is None:
            self._held.pop(key, None)
            self._set_waiting(key, None)
            return
        if key in self._unseen or not is_settled(proposal, session.annotations):
            self._unseen.discard(key)
            if proposal.has_mask and proposal.run.family == VERTEBRA:
                session.labels = with_vertebrae(session.labels)
            session.proposals.show(proposal, labels_of(self._ws, proposal))
        else:
            self._forget(key)

    def _case_leaving(self) -> None:
        session = self._ws.session
        if session.case is not None and session.annotations.is_dirty:
            key = case_key(session.case)
            self._settled.discard(key)
            self._to_forget.discard(key)

    def _case_opened(self, _case: Case | None) -> None:
        self._ws.tasks.cancel(_SHOW)
        for key in self._to_forget:
            self._forget(key)
        self._to_forget.clear()

    def _decided(self) -> None:
        """Note whether there is still something to decide on."""
        case = self._ws.session.case
        if case is None:
            return
        key = case_key(case)
        if self._ws.session.proposals.is_settled:
            self._settled.add(key)
            self._to_forget.add(key)
        else:
            self._settled.discard(key)
            self._to_forget.discard(key)

    def _looked(self, found: dict[str, Waiting]) -> None:
        self._waiting = {**found, **self._waiting}
        self.waiting_changed.emit()

    def _set_waiting(self, key: str, waiting: Waiting | None) -> None:
        if waiting != self._waiting.get(key):
            if waiting is None:
                del self._waiting[key]
            else:
                self._waiting[key] = waiting
            self.waiting_changed.emit()

    def _forget(self, key: str) -> None:
        self._held.pop(key, None)
        self._set_waiting(key, None)
        self._in_background(partial(self.folder.drop, key))

    def _in_background(self, act: Callable[[], None]) -> None:
        self._ws.tasks.submit("io", ("proposal", next(self._numbers)), _call, act)


def labels_of(ws: Workspace, proposal: Proposal) -> dict[int, int]:
    """Label of this program by label of the model: as the user chose, else by name."""
    table = ws.session.labels
    values = {region.label for region in proposal.regions.values()}
    names = {v: proposal.names.get(v) or f"Label {v}" for v in values | set(proposal.names)}
    found = same_names(names, table)
    if not proposal.names:  # a model that names nothing uses the labels that there are
        found.update({value: value for value in values if value in table})
    chosen = ws.settings.data.models.labels.get(proposal.run.model, {})
    found.update({value: chosen[name] for value, name in names.items() if name in chosen})
    return found


def _build(
    context: TaskContext,
    folder: ProposalFolder,
    held: PackedProposal | None,
    case: Case,
    volumes: dict[str, Volume],
    shifts: dict[str, Shift],
) -> Proposal | None:
    packed = held or folder.get(case_key(case))
    if packed is None:
        return None
    context.check()
    try:
        return build_proposal(packed, case, volumes, shifts, context.check)
    except ValueError as error:
        log.info("a proposal is dropped: %s", error)
        folder.drop(packed.case_key)
        return None


def _look(context: TaskContext, folder: ProposalFolder) -> dict[str, Waiting]:
    return folder.waiting()


def _call(context: TaskContext, act: Callable[[], None]) -> None:
    act()
