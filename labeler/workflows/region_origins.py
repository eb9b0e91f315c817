"""Which regions of a mask came from a model, and what the model said of them.

Read from the notes of the case, so that it outlives the proposal, undo and a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from labeler.core.annotations import Annotations
from labeler.core.labels import LabelTable
from labeler.core.proposals import label_finder
from labeler.core.regions import RegionIndex
from labeler.state.proposals import PROVENANCE, Opinion
from labeler.state.session import Session
from labeler.workflows.region_notes import noted_regions


@dataclass(frozen=True)
class RegionOrigin:
    """What a model said of a region that was taken from it.

    Attributes
    ----------
    key
        Of the note.
    model
        Name and version.
    said
        The model's name of the label.
    opinion
        ``None`` where the model said nothing but the label (organs, say).
    warnings
        Why the model doubted its whole result.
    is_relabelled
        The region has another label now than it was taken as.
    accepted, by
        When (ISO 8601) and by whom.
    """

    key: str
    model: str
    said: str
    opinion: Opinion | None = None
    warnings: tuple[str, ...] = ()
    is_relabelled: bool = False
    accepted: str = ""
    by: str = ""

    @property
    def pattern(self) -> str:
        """How the region takes up contrast, in the model's words; "" when it says nothing."""
        return "" if self.opinion is None else pattern_of(self.opinion)


#: Origins of regions that were counted, and the notes and their revision they were read from;
#: notes are only amended before a new count is shown. Used in the main thread.
_known: WeakKeyDictionary[RegionIndex, tuple[Annotations, int, dict[int, RegionOrigin]]] = (
    WeakKeyDictionary()
)


def origins_of(session: Session, mask: str) -> Mapping[int, RegionOrigin]:
    """Origins of the regions of a mask by their ids; of several, the one accepted last."""
    index, notes = session.regions.get(mask), session.annotations
    if index is None:
        return {}
    known = _known.get(index)
    if known is None or known[0] is not notes or known[1] != notes.revision:
        known = (notes, notes.revision, _read_origins(session, mask, index))
        _known[index] = known
    return known[2]


def _read_origins(session: Session, mask: str, index: RegionIndex) -> dict[int, RegionOrigin]:
    found, named = {}, types_named_by(session.labels)
    for key, region_id in noted_regions(session.annotations, PROVENANCE, mask, index):
        origin = read_origin(key, session.annotations.get(PROVENANCE, key))
        if origin.opinion is not None:
            origin = replace(origin, opinion=named(origin.opinion))
        found[region_id] = origin
    return found


def types_named_by(labels: LabelTable) -> Callable[[Opinion], Opinion]:
    """Make what writes the types in an opinion as the labels of this program are written."""
    find = label_finder(labels)

    def name(said: str) -> str:
        label = find(said)
        return said if label is None else labels[label].name

    def named(opinion: Opinion) -> Opinion:
        stages = {
            stage: {name(said): share for said, share in shares.items()}
            for stage, shares in opinion.opinions.items()
        }
        return replace(opinion, opinions=stages)

    return named


def read_origin(key: str, note: Mapping[str, Any]) -> RegionOrigin:
    """Make sense of a provenance note, whatever somebody has made of it."""
    model = str(note.get("title") or note.get("model") or "A model")
    taken_as = note.get("taken_as")
    return RegionOrigin(
        key=key,
        model=f"{model} {note.get('version') or ''}".strip(),
        said=str(note.get("model_label") or ""),
        opinion=_read_opinion(note),
        warnings=_texts(note.get("warnings")),
        is_relabelled=taken_as is not None and taken_as != note.get("label"),
        accepted=str(note.get("accepted") or ""),
        by=str(note.get("by") or ""),
    )


def pattern_of(opinion: Opinion) -> str:
    """The enhancement pattern among the measures of a region, in words; "" without one."""
    measures = opinion.measures
    if isinstance(measures.get("pattern"), str):
        return str(measures["pattern"])
    told = [name for name in ("wash-in", "wash-out") if measures.get(name) is True]
    return " and ".join(told)


def _read_opinion(note: Mapping[str, Any]) -> Opinion | None:
    confidence = note.get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return None
    opinions, measures = note.get("opinions"), note.get("measures")
    stages = opinions.items() if isinstance(opinions, dict) else ()
    return Opinion(
        min(1.0, max(0.0, float(confidence))),
        {str(stage): _shares(shares) for stage, shares in stages},
        measures if isinstance(measures, dict) else {},
        _texts(note.get("flags")),
    )


def _shares(shares: object) -> dict[str, float]:
    if not isinstance(shares, dict):
        return {}
    return {str(name): float(p) for name, p in shares.items() if isinstance(p, int | float)}


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list | tuple) else ()
