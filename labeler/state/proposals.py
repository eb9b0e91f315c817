"""What a model proposes for the open case, beside its masks, and what the user makes of it.

A proposal is not a mask: it is never counted, edited or saved as one. What of it was taken into a
mask is read from the case's provenance notes, so that undo opens a region again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import Grid
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import LabelArray
from labeler.core.regions import Region

if TYPE_CHECKING:
    from labeler.state.session import Change, Session

#: Field of the annotations that tells where accepted regions came from.
PROVENANCE = "provenance"

Decision = Literal["open", "accepted", "rejected"]


@dataclass(frozen=True)
class ModelRun:
    """Which model said it, and how it was run.

    Attributes
    ----------
    model, family, title, version, licence, intended_use
        From the model's card.
    is_demonstration
        Trained on synthetic data, not for clinical use.
    weights
        SHA-256 of the weights, "" for a model without any.
    params
        Parameters that it was run with.
    device
        ``cpu``, or the graphics card.
    seconds
        How long it took.
    phases
        Phases it was given.
    time
        When it was run (ISO 8601, with the zone).
    """

    model: str
    title: str
    version: str = ""
    licence: str = ""
    intended_use: str = ""
    is_demonstration: bool = False
    weights: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    seconds: float = 0.0
    phases: tuple[str, ...] = ()
    time: str = ""
    family: str = ""


@dataclass(frozen=True)
class Opinion:
    """What the model says about one region.

    Attributes
    ----------
    confidence
        0..1, in the label.
    opinions
        By the name of a stage of the model, the probability it gave to each label name.
    measures
        Named results of the region.
    flags
        Doubts in words.
    """

    confidence: float
    opinions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProposedPoint:
    """A landmark that a model has found.

    Attributes
    ----------
    label
        Number that the model gives it; vertebrae use the VerSe numbering.
    position_ras
        RAS mm, in the coordinates of the proposal's grid.
    confidence
        0..1.
    flags
        Doubts in words.
    """

    label: int
    position_ras: tuple[float, float, float]
    confidence: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Proposal:
    """The answer of a model to a case.

    Attributes
    ----------
    id
        Names this answer; another run has another one.
    case_id
        Case it is about.
    phase
        Phase on whose grid it lies; it moves with this phase when that is shifted.
    grid
        Grid of that phase, not shifted.
    numbers
        ``[k, j, i]`` uint8 or uint16: 0, or the number of the region.
    regions
        By number; ``label`` is the value that the model uses.
    names
        The model's names of its labels.
    opinions
        By number of the region, as far as the model has one.
    warnings
        Why the whole answer is doubtful, a sentence each.
    report
        What a reader should know, in plain words.
    measures
        Named results of the case.
    landmarks
        Points that were found; ``None`` of a model that looks for none.
    has_mask
        Whether the model draws; if not, ``numbers`` is empty.
    run
        Where it comes from.
    """

    id: str
    case_id: str
    phase: str
    grid: Grid
    numbers: LabelArray
    regions: Mapping[int, Region]
    names: Mapping[int, str]
    run: ModelRun
    opinions: Mapping[int, Opinion] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    report: str = ""
    measures: Mapping[str, Any] = field(default_factory=dict)
    landmarks: tuple[ProposedPoint, ...] | None = None
    has_mask: bool = True


class Proposals(QObject):
    """The proposal that is shown, which of its regions are decided on, and which is selected.

    Signals
    -------
    changed
        Another proposal, or none.
    decided
        A region was accepted, rejected or opened again, or its label means another one now.
    selected
        Number of the region that is looked at, or ``None``.
    shown_changed
        The layer was shown or hidden.
    """

    changed = pyqtSignal()
    decided = pyqtSignal()
    selected = pyqtSignal(object)
    shown_changed = pyqtSignal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._proposal: Proposal | None = None
        self._rejected: dict[str, frozenset[int]] = {}
        self._labels: dict[int, int] = {}
        self._number: int | None = None
        self._is_shown = True
        session.case_opened.connect(self.clear)
        session.changed.connect(self._content_changed)

    @property
    def current(self) -> Proposal | None:
        """The proposal for the open case."""
        return self._proposal

    @property
    def number(self) -> int | None:
        """Number of the selected region."""
        return self._number

    @property
    def is_shown(self) -> bool:
        """Whether the views draw it."""
        return self._is_shown

    @property
    def labels(self) -> Mapping[int, int]:
        """Label of this program by label of the model, as far as it is known."""
        return MappingProxyType(self._labels)

    def show(self, proposal: Proposal, labels: Mapping[int, int]) -> None:
        """Show a proposal in place of the former one.

        Parameters
        ----------
        proposal
            For the open case.
        labels
            Label of this program by label of the model; what is left out is not known yet.
        """
        self._proposal, self._labels, self._number = proposal, dict(labels), None
        self._is_shown = True
        self.changed.emit()
        self.selected.emit(None)

    def clear(self, *_: object) -> None:
        """Show none; what was rejected of it is remembered."""
        if self._proposal is not None:
            self._proposal, self._number = None, None
            self.changed.emit()
            self.selected.emit(None)

    def set_shown(self, is_shown: bool) -> None:
        """Draw the proposal, or hide it."""
        if is_shown != self._is_shown:
            self._is_shown = is_shown
            self.shown_changed.emit()

    def set_labels(self, labels: Mapping[int, int]) -> None:
        """Let the model's labels mean others of this program."""
        self._labels = dict(labels)
        self.decided.emit()

    def select(self, number: int | None) -> None:
        """Look at a region."""
        if number != self._number:
            self._number = number
            self.selected.emit(number)

    def reject(self, numbers: Iterable[int]) -> None:
        """Put regions away; they stay in the list and can be brought back."""
        self._reject(self._rejected_now | set(numbers))

    def bring_back(self, numbers: Iterable[int]) -> None:
        """Open regions again that were rejected."""
        self._reject(self._rejected_now - set(numbers))

    def label_of(self, number: int) -> int | None:
        """Label of this program that a region would get; ``None`` when nobody knows."""
        assert self._proposal is not None
        return self._labels.get(self._proposal.regions[number].label)

    def look_of(self, number: int, table: LabelTable) -> Label:
        """Name and colour of a region's label; the model's own name while it has no other."""
        assert self._proposal is not None
        value, known = self._proposal.regions[number].label, self.label_of(number)
        if known is not None:
            return table[known]
        return Label(max(1, value), self.model_name(value), LabelTable()[max(1, value)].colour)

    def model_name(self, value: int) -> str:
        """What the model calls one of its labels."""
        assert self._proposal is not None
        return self._proposal.names.get(value) or f"Label {value}"

    def unknown_labels(self) -> dict[int, str]:
        """Labels of the proposal's regions that mean none of this program, with their names."""
        if self._proposal is None:
            return {}
        values = {region.label for region in self._proposal.regions.values()}
        return {v: self.model_name(v) for v in sorted(values) if v not in self._labels}

    def decisions(self) -> dict[int, Decision]:
        """What was decided on each region, by its number."""
        if self._proposal is None:
            return {}
        accepted, rejected = self._accepted(), self._rejected_now
        return {
            n: "accepted" if n in accepted else "rejected" if n in rejected else "open"
            for n in self._proposal.regions
        }

    def open_numbers(self) -> list[int]:
        """Regions that nothing was decided on."""
        return [n for n, decision in self.decisions().items() if decision == "open"]

    @property
    def is_settled(self) -> bool:
        """Whether nothing of the proposal waits for a decision."""
        proposal, notes = self._proposal, self._session.annotations
        return proposal is None or is_settled(
            proposal, notes.entries(PROVENANCE), self._rejected_now
        )

    @property
    def _rejected_now(self) -> frozenset[int]:
        return self._rejected.get(self._proposal.id if self._proposal else "", frozenset())

    def _reject(self, numbers: frozenset[int]) -> None:
        if self._proposal is not None and numbers != self._rejected_now:
            self._rejected[self._proposal.id] = numbers & self._proposal.regions.keys()
            self.decided.emit()

    def _accepted(self) -> set[int]:
        return accepted_numbers(self._session.annotations.entries(PROVENANCE), self._proposal)

    def _content_changed(self, change: Change) -> None:
        if self._proposal is not None and any(v.field == PROVENANCE for v in change.values):
            self.decided.emit()


def accepted_numbers(notes: Mapping[str, Any], proposal: Proposal | None) -> set[int]:
    """Regions of a proposal that provenance notes tell of; the notes may be damaged."""
    if proposal is None:
        return set()
    return {
        note["region"]
        for note in notes.values()
        if isinstance(note, dict)
        and note.get("proposal") == proposal.id
        and isinstance(note.get("region"), int)
    }


def landmarks_taken(notes: Mapping[str, Any], proposal: Proposal) -> bool:
    """Whether provenance notes tell that the landmarks of a proposal were taken.

    Such a note has no ``region`` but ``landmarks``, how many there were.
    """
    return any(
        isinstance(note, dict) and note.get("proposal") == proposal.id and "landmarks" in note
        for note in notes.values()
    )


def is_settled(proposal: Proposal, notes: Mapping[str, Any], rejected: AbstractSet[int]) -> bool:
    """Whether everything in a proposal was decided on.

    A model that only measures gives nothing to decide on: its answer stays to be read.
    """
    if proposal.regions.keys() - accepted_numbers(notes, proposal) - rejected:
        return False
    if proposal.landmarks:
        return landmarks_taken(notes, proposal)
    return proposal.has_mask
