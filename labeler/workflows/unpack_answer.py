"""A packed answer of a model taken apart into regions and landmarks; for any thread."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from labeler.core.distance import Check, never_stop
from labeler.core.geometry import Grid
from labeler.core.proposals import Numbered, number_regions
from labeler.core.spine_signals import SpineSignals
from labeler.core.statistics import PlacedVolume, VoxelSource
from labeler.core.volume import Volume
from labeler.state.placement import Shift
from labeler.state.proposals import ModelRun, Opinion, Proposal, ProposedPoint
from labeler.storage.cases import Case
from labeler.storage.proposal_files import PackedProposal, stamp_of, unpack

#: Shift of a phase that nobody has shifted.
NO_SHIFT: Shift = (0.0, 0.0, 0.0)


def build_proposal(
    packed: PackedProposal,
    case: Case,
    volumes: Mapping[str, Volume],
    shifts_mm: Mapping[str, Shift],
    check: Check = never_stop,
) -> Proposal:
    """Take a packed answer apart into regions.

    Parameters
    ----------
    packed, case
        From :func:`labeler.workflows.model_jobs.run_job`, and what it is about.
    volumes
        Phases of the case that are read; regions are measured in them.
    shifts_mm
        Breathing correction by phase.
    check
        May raise to stop.

    Raises
    ------
    ValueError
        When it is damaged, or a phase it was made of is another one now.
    """
    document, labels = unpack(packed.data)
    try:
        phase, run, has_mask = document["phase"], document["run"], bool(document["has_mask"])
        _refuse_changed(document["stamps"], case)
        if phase in volumes and not has_mask:
            labels = np.zeros(volumes[phase].array.shape, np.uint8)
        grid = Grid(labels.shape, np.array(document["affine"], dtype=np.float64))
        if phase not in volumes or not volumes[phase].grid.matches(grid):
            raise ValueError(f"the grid of {phase} is another one now")
        seen = _as_seen(phase, volumes, shifts_mm)
        numbered = number_regions(labels, grid, seen, check) if has_mask else Numbered(labels, {})
        opinions, warnings = _opinions(document["findings"], numbered, grid)
        if numbered.n_left_out:
            warnings += (f"{numbered.n_left_out:,} specks of the result are left out.",)
        return Proposal(
            id=str(document["id"]),
            case_id=case.id,
            phase=phase,
            grid=grid,
            numbers=numbered.numbers,
            regions=numbered.regions,
            names={int(value): str(name) for value, name in document["names"].items()},
            run=ModelRun(**{**run, "phases": tuple(run["phases"])}),
            opinions=opinions,
            warnings=(*map(str, document["warnings"]), *warnings),
            report=str(document["report"]),
            measures=dict(document["measures"]),
            landmarks=_points(document["landmarks"]),
            has_mask=has_mask,
            picture=base64.b64decode(document.get("picture", ""), validate=True),
            signals=_signals(document.get("signals")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__})") from error


def _refuse_changed(stamps: Mapping[str, Any], case: Case) -> None:
    """Raise ValueError when a file that the answer was made of is another one now."""
    for name, stamp in stamps.items():
        if name not in case.phases or stamp_of(case.phases[name]) != stamp:
            raise ValueError(f"the file of {name} was changed since")


def _as_seen(
    phase: str, volumes: Mapping[str, Volume], shifts_mm: Mapping[str, Shift]
) -> dict[str, VoxelSource]:
    """Phases in the coordinates of one of them, breathing correction applied."""
    own = np.array(shifts_mm.get(phase, NO_SHIFT))
    return {
        name: PlacedVolume(
            volume.array, volume.grid.shifted(np.array(shifts_mm.get(name, NO_SHIFT)) - own)
        )
        for name, volume in volumes.items()
    }


def _signals(described: Mapping[str, Any] | None) -> SpineSignals | None:
    """Signals along the spine as they were packed; older answers have none."""
    return None if described is None else SpineSignals.from_value(described)


def _points(described: list[dict[str, Any]] | None) -> tuple[ProposedPoint, ...] | None:
    """Landmarks as they were packed."""
    if described is None:
        return None
    points = []
    for point in described:
        x, y, z = map(float, point["position_ras"])
        flags = tuple(map(str, point["flags"]))
        points.append(
            ProposedPoint(int(point["label"]), (x, y, z), float(point["confidence"]), flags)
        )
    return tuple(points)


def _opinions(
    findings: list[dict[str, Any]], numbered: Numbered, grid: Grid
) -> tuple[dict[int, Opinion], tuple[str, ...]]:
    """Findings by the number of the region they are about, and what is wrong with them."""
    opinions: dict[int, Opinion] = {}
    lost = 0
    for finding in sorted(findings, key=lambda finding: finding["confidence"]):
        ijk = grid.nearest_ijk(finding["anchor_ras"])
        number = int(numbered.numbers[ijk[::-1]]) if grid.contains(ijk) else 0
        region = numbered.regions.get(number)
        if region is None or region.label != finding["label"]:
            lost += 1
            continue
        opinions[number] = Opinion(
            float(finding["confidence"]),
            {str(stage): dict(shares) for stage, shares in finding["opinions"].items()},
            dict(finding["measures"]),
            tuple(map(str, finding["flags"])),
        )
    if not lost:
        return opinions, ()
    many = "A finding" if lost == 1 else f"{lost} findings"
    return opinions, (f"{many} of the model lies in none of the regions.",)
