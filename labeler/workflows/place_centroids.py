"""Where a centroid belongs: in the middle of the bone, or half way to the next one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core.bone_centre import body_centre, seen_centre
from labeler.core.curved_planes import SpineCurve
from labeler.core.geometry import FloatArray, Grid
from labeler.core.landmarks import Centroids, Point, from_above
from labeler.core.vertebrae import GAPS_MM
from labeler.state.pane_choice import spine_phase
from labeler.state.session import Session
from labeler.state.tasks import TaskContext
from labeler.workflows.correct_landmarks import add_centroid, move_centroid
from labeler.workflows.edit_rules import EditRefused, refuse_read_only
from labeler.workflows.spine_findings import centroids_of
from labeler.workflows.workspace import Workspace

#: Task that looks for the bone.
SNAP = ("spine", "snap")

#: A centroid this near to the model's centre is there already, mm.
_THERE_MM = 0.5

_GAP_MM = 25.0

#: More than this times what is usual is a gap in which a centroid is missing.
_MOST_GAP = 1.3


def usual_gap_mm(level: str) -> float:
    """Return the mean distance of a level to its neighbours, mm."""
    known = [mean for pair, (mean, _) in GAPS_MM.items() if level in pair]
    return float(np.mean(known)) if known else _GAP_MM


def gap_at(centroids: Centroids, key: str) -> float:
    """Return the distance of a centroid to its neighbours, mm, for the size of the body.

    As usual at its level, or as it is here where that is more but not a gap that was left.
    """
    keys = from_above(centroids)
    here = keys.index(key)
    usual = usual_gap_mm(centroids[key].level)
    near = [*keys[max(0, here - 1) : here], *keys[here + 1 : here + 2]]
    place = centroids[key].position_ras
    found = [math.dist(place, centroids[other].position_ras) for other in near]
    return float(np.clip(np.mean(found), usual, _MOST_GAP * usual)) if found else usual


def direction_at(centroids: Centroids, key: str) -> FloatArray:
    """Return the direction of the spine at a centroid, towards the head (not of unit length)."""
    keys = from_above(centroids)
    here = keys.index(key)
    above, below = keys[max(0, here - 1)], keys[min(len(keys) - 1, here + 1)]
    way = np.subtract(centroids[above].position_ras, centroids[below].position_ras)
    return np.asarray(way if np.linalg.norm(way) > 0 else (0.0, 0.0, 1.0), dtype=np.float64)


def insert_level(ws: Workspace, key: str) -> str:
    """Add a centroid between one and the next below, or a usual distance below the lowest.

    It is named after its place, and those below are counted on where no name is free; one edit.

    Returns
    -------
    str
        Its key.

    Raises
    ------
    EditRefused
        When the case may not be changed or no level is left.
    """
    refuse_read_only(ws)
    centroids = centroids_of(ws.session)
    if key not in centroids:
        raise EditRefused("Select a vertebra first")
    keys = from_above(centroids)
    here = np.array(centroids[key].position_ras)
    below = keys[keys.index(key) + 1 :]
    if below:
        height = (here[2] + centroids[below[0]].position_ras[2]) / 2
        side = SpineCurve.through([c.position_ras for c in centroids.values()]).at(height)
        place = np.array((*side, height))
    else:
        way = direction_at(centroids, key)
        place = here - way / np.linalg.norm(way) * usual_gap_mm(centroids[key].level)
    return add_centroid(ws, _point(place))


def snap_centroid(ws: Workspace, key: str, said: Callable[[str], None]) -> None:
    """Move a centroid to where it belongs, one edit: to the model's centre, or into the bone.

    The centre is the nearest high maximum of the heatmap of the model whose proposal is open.
    Without one, and for a centroid that is there already, the middle of the bone around it is
    looked for, in the background.

    Parameters
    ----------
    said
        Gets a sentence: by what it was moved, or that there is nothing like a body.

    Raises
    ------
    EditRefused
        When the case may not be changed or its image is not there yet.
    """
    refuse_read_only(ws)
    session = ws.session
    centroids = centroids_of(session)
    if key not in centroids:
        raise EditRefused("Select a vertebra first")
    phase = spine_phase(session.case.phases) if session.case is not None else ""
    volume = session.volumes.get(phase)
    if volume is None:
        raise EditRefused("The image is not read yet")
    start = centroids[key]
    gap_mm, up = gap_at(centroids, key), direction_at(centroids, key)
    seen = _seen(session, start.position_ras, gap_mm, up)
    if seen is not None and math.dist(seen, start.position_ras) > _THERE_MM:
        move_centroid(ws, key, seen, "Snap {level} to the model's centre")
        said(f"{start.level} is at the model's centre; once more for the middle of the bone")
        return

    def done(place: Point | None) -> None:
        if centroids_of(ws.session).get(key) != start:
            return  # it was moved or renamed meanwhile
        if place is None:
            said(f"There is nothing like a vertebra around {start.level}: drag it")
            return
        move_centroid(ws, key, place, "Snap {level} to bone")
        said(f"{start.level} is in the middle of the bone")

    ws.tasks.submit(
        "compute", SNAP, _find, volume.array, volume.grid,
        partial(body_centre, start_ras=start.position_ras, gap_mm=gap_mm, up_ras=up),
        done=done,
    )  # fmt: skip


def _seen(session: Session, start_ras: Point, gap_mm: float, up: FloatArray) -> Point | None:
    """Where the model of the open proposal sees the centre of a body; None when it sees none."""
    proposal = session.proposals.current
    if proposal is None or proposal.signals is None:
        return None
    signals = proposal.signals
    return seen_centre(signals.centres_ras, signals.likely, start_ras, gap_mm=gap_mm, up_ras=up)


def _find(
    context: TaskContext,
    values: npt.NDArray[Any],
    grid: Grid,
    centre: Callable[[npt.NDArray[Any], Grid], Point | None],
) -> Point | None:
    context.check()
    return centre(values, grid)


def _point(ras: FloatArray) -> Point:
    x, y, z = (float(v) for v in ras)
    return x, y, z
