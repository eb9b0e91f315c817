"""Noting by hand which image of a case is which phase, in the case's notes."""

from __future__ import annotations

from collections.abc import Mapping

from labeler.core.volume import PHASES
from labeler.storage.cases import Case
from labeler.storage.listing import display_name
from labeler.storage.sidecar import LoadedSidecar, load_sidecar, save_sidecar


def set_phase_override(
    case: Case, phases: Mapping[str, str | None], notes: LoadedSidecar | None = None
) -> LoadedSidecar:
    """Note by hand which image is which phase.

    Parameters
    ----------
    case
        The case; :func:`~labeler.storage.cases.rescan` gives it with the new phases.
    phases
        By image key: a phase, "" to keep the image out, ``None`` to go back to what names say.
    notes
        The notes as they were read when the case was opened; read now when ``None``.

    Returns
    -------
    LoadedSidecar
        The notes as they are now.

    Raises
    ------
    ValueError
        When a phase or an image is unknown.
    SidecarConflict
        When the notes are no longer those that were read.
    SaveError
        When the notes cannot be written.
    """
    keys = {image.key for image in case.images}
    for key, phase in phases.items():
        if key not in keys:
            raise ValueError(f"{display_name(key)!r} is no image of this case.")
        if phase not in (*PHASES, "", None):
            raise ValueError(f"{phase!r} is not one of {', '.join(PHASES)}.")
    loaded = notes or load_sidecar(case.mask_root, case.id)
    merged = {**loaded.sidecar.phases, **phases}
    kept = {key: phase for key, phase in merged.items() if phase is not None}
    changed = loaded.sidecar.model_copy(update={"phases": kept})
    version = save_sidecar(case.mask_root, changed, loaded.version)
    return LoadedSidecar(changed, version)
