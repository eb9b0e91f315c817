"""What a model proposes for the open case, beside its masks, and what the user makes of it.

A proposal is not a mask: it is never counted, edited or saved as one. What of it was taken into a
mask or rejected is read from the case's notes, so that undo opens a region again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.annotations import Annotations
from labeler.core.geometry import Grid
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import LabelArray
from labeler.core.regions import Region
from labeler.core.spine_signals import SpineSignals

if TYPE_CHECKING:
    from labeler.state.session import Change, Session

#: Fields of the annotations that tell where accepted regions came from, and what was rejected.
PROVENANCE, REJECTED = "provenance", "rejected"

NOTED = (PROVENANCE, REJECTED)

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
    picture
        PNG of how it was found; empty of a model that draws none.
    signals
        What was seen along the spine, of a model that looks along it.
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
    picture: bytes = b""
    signals: SpineSignals | None = None


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
        """Show none."""
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
        notes = self._session.annotations
        accepted = noted_numbers(notes.entries(PROVENANCE), self._proposal)
        rejected = noted_numbers(notes.entries(REJECTED), self._proposal)
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
        return self._proposal is None or is_settled(self._proposal, self._session.annotations)

    def _content_changed(self, change: Change) -> None:
        if self._proposal is not None and any(v.field in NOTED for v in change.values):
            self.decided.emit()


def noted_numbers(notes: Mapping[str, Any], proposal: Proposal) -> set[int]:
    """Regions of a proposal that notes tell of; the notes may be damaged."""
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


def is_settled(proposal: Proposal, annotations: Annotations) -> bool:
    """Whether everything in a proposal was decided on.

    A model that only measures gives nothing to decide on: its answer stays to be read.
    """
    noted = [noted_numbers(annotations.entries(field), proposal) for field in NOTED]
    if proposal.regions.keys() - set().union(*noted):
        return False
    if proposal.landmarks:
        return landmarks_taken(annotations.entries(PROVENANCE), proposal)
    return proposal.has_mask
