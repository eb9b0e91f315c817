"""What the notes of a case keep about decisions on a proposal (``docs/formats.md``)."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.state.proposals import Proposal
from labeler.workflows.review_case import user_name
from labeler.workflows.workspace import Workspace


def accepted_note(
    ws: Workspace,
    proposal: Proposal,
    number: int,
    mask: str,
    label: int,
    anchor_ras: npt.ArrayLike,
) -> dict[str, Any]:
    """The entry about a region that was taken into a mask.

    Parameters
    ----------
    number
        Of the region.
    mask, label
        Where it is now.
    anchor_ras
        A point inside it, RAS mm in the coordinates of the mask's own grid.
    """
    return {
        **_region(proposal, number),
        "mask": mask,
        "label": label,
        "taken_as": label,
        "anchor_ras": _rounded(anchor_ras),
        "accepted": _now(),
        "by": ws.settings.data.person.name or user_name(),
        **_run(proposal),
        **_opinion(proposal, number),
        "warnings": list(proposal.warnings),
    }


def rejected_note(ws: Workspace, proposal: Proposal, number: int) -> dict[str, Any]:
    """The entry about a region that was rejected; its point is one of the phase's own grid."""
    anchor_kji = proposal.regions[number].anchor_kji
    return {
        **_region(proposal, number),
        "phase": proposal.phase,
        "anchor_ras": _rounded(proposal.grid.to_ras(anchor_kji[::-1])),
        "rejected": _now(),
        "by": ws.settings.data.person.name or user_name(),
        **_run(proposal),
        **_opinion(proposal, number),
    }


def landmarks_note(ws: Workspace, proposal: Proposal, count: int) -> dict[str, Any]:
    """The entry about landmarks that were taken: it has no region, but how many there were."""
    return {
        "id": f"{proposal.id}-landmarks",
        "proposal": proposal.id,
        "landmarks": count,
        "accepted": _now(),
        "by": ws.settings.data.person.name or user_name(),
        **_run(proposal),
        "warnings": list(proposal.warnings),
    }


def _region(proposal: Proposal, number: int) -> dict[str, Any]:
    region = proposal.regions[number]
    return {
        "id": f"{proposal.id}-{number}",
        "proposal": proposal.id,
        "region": number,
        "model_label": proposal.names.get(region.label, str(region.label)),
        "volume_ml": round(region.volume_ml, 4),
    }


def _run(proposal: Proposal) -> dict[str, Any]:
    run = proposal.run
    return {
        "model": run.model,
        "title": run.title,
        "version": run.version,
        "weights": run.weights,
        "params": dict(run.params),
        "device": run.device,
        "phases": list(run.phases),
        "run": run.time,
    }


def _opinion(proposal: Proposal, number: int) -> dict[str, Any]:
    opinion = proposal.opinions.get(number)
    if opinion is None:
        return {}
    return {
        "confidence": round(opinion.confidence, 4),
        "opinions": {stage: dict(shares) for stage, shares in opinion.opinions.items()},
        "measures": dict(opinion.measures),
        "flags": list(opinion.flags),
    }


def _rounded(ras: npt.ArrayLike) -> list[float]:
    """A point in hundredths of a millimetre."""
    return [round(float(value), 2) for value in np.asarray(ras, dtype=np.float64)]


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
