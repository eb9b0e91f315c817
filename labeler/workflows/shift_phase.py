"""Move one phase against the others, to correct breathing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.state.session import note_edit
from labeler.workflows.edit_rules import refuse_read_only
from labeler.workflows.workspace import Workspace


def shift_phase(ws: Workspace, phase: str, shift_mm: npt.ArrayLike) -> None:
    """Show a phase moved by a RAS vector; stored with the case, no voxel is resampled.

    Parameters
    ----------
    shift_mm
        RAS mm from where the file places the phase; rounded to 0.1 mm, zero removes the shift.

    Raises
    ------
    EditRefused
        When the case is open for reading only.
    """
    rounded = [round(float(value), 1) + 0.0 for value in np.asarray(shift_mm, dtype=np.float64)]
    value = rounded if any(rounded) else None
    edit = note_edit(ws.session, f"Shift {phase}", "shift", phase, value)
    if edit is not None:
        refuse_read_only(ws)
        ws.session.apply(edit)
