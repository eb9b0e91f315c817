"""Where volumes and masks stand in the room, with the breathing shifts of the case applied.

A shift moves a phase, and every mask drawn on that phase's grid with it, so that a mask stays on
its anatomy. Voxels are never resampled: only the affine that places them changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from labeler.core.geometry import Grid
from labeler.core.volume import PHASES
from labeler.state.pane_choice import spine_phase
from labeler.state.session import Session

Shift = tuple[float, float, float]
Shifts = Mapping[str, Shift]


def shifts_mm(session: Session) -> dict[str, Shift]:
    """Shift per phase of the open case, RAS mm; phases that are not shifted are left out."""
    entries = session.annotations.entries("shift")
    return {phase: (float(x), float(y), float(z)) for phase, (x, y, z) in entries.items()}


def spine_shift_mm(session: Session) -> Shift:
    """Shift of the phase in which the spine is looked at, RAS mm.

    Centroids are kept where the scanner saw them, as their files are; so is what a model saw along
    the spine. They are shown moved with this phase, which keeps them on the bone.
    """
    phases = session.case.phases if session.case is not None else ()
    return shifts_mm(session).get(spine_phase(phases), (0.0, 0.0, 0.0))


def placed_volume_grid(session: Session, phase: str, shifts: Shifts | None = None) -> Grid | None:
    """Grid at which a phase is shown; ``None`` while the phase is not read."""
    volume = session.volumes.get(phase)
    if volume is None:
        return None
    return _placed(volume.grid, (shifts_mm(session) if shifts is None else shifts).get(phase))


def placed_mask_grid(session: Session, name: str, shifts: Shifts | None = None) -> Grid:
    """Grid at which a mask is shown and edited: moved with the phase whose grid it shares.

    Raises
    ------
    KeyError
        When the session has no mask of this name.
    """
    grid = session.masks[name].mask.grid
    shifts = shifts_mm(session) if shifts is None else shifts
    phase = mask_phase(session, name) if shifts else None
    return _placed(grid, shifts.get(phase) if phase is not None else None)


def mask_phase(session: Session, name: str) -> str | None:
    """The phase whose grid a mask shares, or ``None``.

    When several phases share the grid it is the portal venous one, to which the others are
    aligned, or else the first in display order.
    """
    grid = session.masks[name].mask.grid
    matching = [phase for phase, v in session.volumes.items() if _match(v.grid, grid)]
    return next((phase for phase in ("PV", *PHASES, *matching) if phase in matching), None)


# Grids compare by identity and hold no voxels: keeping some of them alive costs nothing.
@lru_cache(maxsize=64)
def _match(first: Grid, second: Grid) -> bool:
    return first.matches(second)


@lru_cache(maxsize=64)
def _placed(grid: Grid, shift_mm: Shift | None) -> Grid:
    return grid if shift_mm is None else grid.shifted(shift_mm)
