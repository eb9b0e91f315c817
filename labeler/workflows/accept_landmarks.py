"""Landmarks that a model proposes become the centroids of the case."""

from __future__ import annotations

from labeler.core.edits import Edit
from labeler.core.landmarks import Centroid
from labeler.core.vertebrae import NAMES
from labeler.state.proposals import PROVENANCE, Proposal, landmarks_taken
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.proposal_notes import landmarks_note
from labeler.workflows.workspace import Workspace

#: Family of models whose landmarks are vertebrae, numbered as in VerSe.
FAMILY = "vertebra"


def proposed_centroids(proposal: Proposal | None) -> dict[str, Centroid]:
    """Return the vertebrae among the landmarks of a proposal, by key from the head down."""
    if proposal is None or proposal.run.family != FAMILY:
        return {}
    known = [point for point in proposal.landmarks or () if point.label in NAMES]
    known.sort(key=lambda point: -point.position_ras[2])
    return {
        str(n): Centroid(NAMES[point.label], point.position_ras, point.confidence, point.flags)
        for n, point in enumerate(known, start=1)
    }


def take_landmarks(ws: Workspace) -> Edit | None:
    """Put the proposed centroids in the place of those there are, and note where they came from.

    One undoable edit; confidence and doubts are kept.

    Raises
    ------
    EditRefused
        When nothing is proposed, it was taken already, or the case may not be changed.
    """
    refuse_read_only(ws)
    session, proposal = ws.session, ws.session.proposals.current
    centroids = proposed_centroids(proposal)
    if proposal is None or not centroids:
        raise EditRefused("No centroids are proposed: run a vertebra model first")
    if landmarks_taken(session.annotations.entries(PROVENANCE), proposal):
        raise EditRefused("The proposed centroids were taken already")
    note = landmarks_note(ws, proposal, len(centroids))
    change = session.annotations.change(PROVENANCE, note["id"], note)
    name = f"Take {len(centroids)} centroids of {proposal.run.title}"
    return replace_centroids(ws, name, centroids, [] if change is None else [change])
