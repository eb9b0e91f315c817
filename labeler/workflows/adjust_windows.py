"""Grey scales: the usual ones by name, and one fitted to each phase."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import numpy.typing as npt

from labeler.core.contrast import WINDOW_PRESETS_HU, auto_window_hu
from labeler.state.tasks import TaskContext
from labeler.state.view_state import Window
from labeler.workflows.workspace import Workspace


def preset_window(ws: Workspace, phase: str, preset: str) -> None:
    """Set a usual grey scale for a phase, or for all when they are linked.

    Raises
    ------
    KeyError
        When there is no preset of this name.
    """
    ws.views.set_window(phase, Window(*preset_hu(ws, preset)))


def preset_hu(ws: Workspace, preset: str) -> tuple[float, float]:
    """``(width, level)`` of a preset: by the settings, or as usual where they do not have it.

    Raises
    ------
    KeyError
        When there is no preset of this name.
    """
    usual = WINDOW_PRESETS_HU[preset]
    width_hu, level_hu = ws.settings.data.windows.presets.get(preset, usual)
    return width_hu, level_hu


def auto_windows(ws: Workspace, phases: Iterable[str] | None = None) -> None:
    """Fit the grey scale of each phase (all that are read) to its own soft tissue.

    Done in the background; each phase changes when its result is there.
    """
    for phase in list(ws.session.volumes if phases is None else phases):
        volume = ws.session.volumes.get(phase)
        if volume is not None:
            ws.tasks.submit(
                "compute", ("auto window", phase), _fit, volume.array, done=partial(_set, ws, phase)
            )


def _fit(context: TaskContext, array: npt.NDArray[np.generic]) -> tuple[float, float]:
    context.check()
    return auto_window_hu(array)


def _set(ws: Workspace, phase: str, window_hu: tuple[float, float]) -> None:
    ws.views.set_phase_window(phase, Window(*window_hu))
